"""docs/reference/benchmarks.md and its pictures: what a record renders, purely."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.drawing import bars, lines
from benchmarks.lineup import APART, DEFAULT, OURS
from benchmarks.record import Record
from benchmarks.row import Row
from benchmarks.rows import FAMILIES, ROWS
from benchmarks.stats import median
from benchmarks.studies import (
    BARE,
    BESIDE,
    CROWDS,
    FAIR,
    FLAT,
    OPERATIONS,
    PROBES,
    SUPTREE,
    YIELDING,
    Histogram,
)
from benchmarks.table import Verdict, against_beam, against_itself, against_python, number

CAPPED = {row.name: row.rounds for row in ROWS if row.rounds}
"""Rows that have fewer rounds than the others, and how many at most."""

NOTE = "<!-- Written by `make bench` from benchmarks.json. Do not edit. -->"
HOW = f"""\
All contestants run on the same core, one at a time and in turn: each round takes one sample of every row from
everybody before the next round begins. A cell is the median of the rounds; from two rounds on, ± half the distance
between the quartiles stands behind it. Rows that are slow and steady have {max(CAPPED.values())} rounds at most, which are
{", ".join(f"`{name}`" for name in CAPPED)}
and *Cost as it grows*. A `+` behind the commit says that there were changes in the sources that were not committed.

- suptree: a supervised process calls supervised servers through the typed client with the default timeout of 5 s.
  Telemetry is off, except where a row says otherwise.
- The bare asyncio actor is one Task over one Queue. It is kept generous: its calls have no timeout and its supervisor is
  a loop that starts the next. It runs on both event loops, and the better one counts.
- Erlang and Elixir run with one scheduler.
- The garbage collector has its default settings on every row; `gc.freeze` is reported apart, under *Cost as it grows*, and
  used for `tick-100` and `tick-100k`, whose jobs stand for ever.
- The rows of *Services* are suptree's alone: what a service adds is held against the same without it, both in one sample
  and in turn. They are processor time; `publish-...` and `event-...` go to handlers that do nothing.
- Memory is the growth of resident memory per process in a fresh interpreter (for Erlang: a fresh VM), after each
  process has handled one message.
- `restart-p50` and `restart-p99` go from sending the crash to the reply of the next process. Every crash report is built
  and then dropped, on Erlang by a logger handler that formats it. suptree's limit of 20 full reports a second is lifted
  for that. In the `storm` nobody reports. Erlang's supervisor goes through all restarts of its period at each one, so
  that row says how a supervisor of 10,000 children bears them all crashing, not what one restart costs."""
DIRECT = """\
`call` allows the direct call: a call to an idle server runs its handler in the caller's turn. **A direct call is no
message pass**: nothing is put into a mailbox, and no other process runs in between. What a message through the mailbox
costs is the row `call-queued`."""


def page(record: Record) -> str:
    """The whole document."""
    parts = [NOTE, "# Benchmarks", _summary(record), "## Figures to reach", _figures(record)]
    parts += ["## Direct calls", DIRECT, _shares(record)]
    for title, rows in FAMILIES.items():
        if table := _family(record, rows):
            parts += [f"## {title}", table]
            if _groups(record, rows):
                parts.append(f"![{title}](benchmarks/{_file(title)})")
    if record.fairness:
        parts += ["## Fairness", section_fairness(record)]
    if record.flatness:
        parts += ["## Cost as it grows", section_flatness(record)]
    parts += ["## How it is measured", HOW, "## Who takes part", _contestants(record)]
    if record.recorded is not None:
        parts += ["## Peers in an environment of their own", _recorded(record.recorded)]
    return "\n\n".join(part for part in parts if part) + "\n"


def pictures(record: Record) -> dict[str, str]:
    """File name -> SVG."""
    drawn = {
        _file(title): bars(f"{title}, thousands per second, logarithmic", groups)
        for title, rows in FAMILIES.items()
        if (groups := _groups(record, rows))
    }
    if record.fairness:
        groups = {
            f"{probe}, {word}": {flood: max(0.1, value(one)) for flood, one in floods.items()}
            for probe, floods in record.fairness.items()
            for word, value in (("p50", _p50), ("p99", _p99))
        }
        drawn["fairness.svg"] = bars(
            "Beside a flood of a million: microseconds, logarithmic", groups
        )
    for mode, costs in record.flatness.items():
        medians = {name: [median(one) for one in costs[name]] for name in OPERATIONS}
        title = f"Cost of an operation with so many processes alive ({_mode(mode)})"
        drawn[f"flatness-{mode}.svg"] = lines(title, CROWDS, medians, "us")
    return drawn


def _summary(record: Record) -> str:
    facts = record.facts
    judged = [verdict for _, verdict in _verdicts(record)]
    reached = sum(bool(verdict.reached) for verdict in judged)
    rounds, most = int(facts["rounds"]), max(CAPPED.values())
    fewer = f" ({most} of the slow rows)" if rounds > most else ""
    return (
        f"Measured on {facts['date']}{_commit(facts)}: {facts['machine']}; {facts['python']}, suptree on {facts['loop']}, "
        f"rounds: {rounds}{fewer}. {reached} of {len(judged)} figures {'is' if reached == 1 else 'are'} reached."
    )


def _commit(facts: Mapping[str, str]) -> str:
    return f", commit {facts['commit']}" if "commit" in facts else ""


# -- the figures ---------------------------------------------------------------------------


def _verdicts(record: Record) -> Iterator[tuple[Row, Verdict]]:
    for row in ROWS:
        samples = record.samples.get(row.name, {})
        for verdict in (
            against_beam(row, samples),
            against_python(row, samples),
            against_itself(row, record.samples),
        ):
            if verdict is not None and verdict.goal is not None:
                yield row, verdict


def _figures(record: Record) -> str:
    words = (
        "A ratio is suptree's number divided by the peer's in the same run: for k/s (thousands per second) it has to be at "
        "least the goal, for us (microseconds) and bytes at most. What a service adds is divided by another row of suptree's own."
    )
    body = [
        (
            f"`{row.name}`",
            row.unit,
            number(record.samples[row.name][OURS]),
            _against(row, verdict),
            number(verdict.theirs),
            f"**{verdict.ratio:.2f}**",
            f"{'≥' if row.more_is_better else '≤'} {verdict.goal:g}",
            "yes" if verdict.reached else "no",
        )
        for row, verdict in _verdicts(record)
    ]
    head = ("row", "unit", "suptree", "against", "its number", "ratio", "goal", "reached")
    return words + "\n\n" + _table(head, body)


def _against(row: Row, verdict: Verdict) -> str:
    is_row = row.beside is not None and verdict.peer == row.beside.row
    return f"`{verdict.peer}`" if is_row else verdict.peer


def _shares(record: Record) -> str:
    told = [f"`{row}` {share:.1%}" for row, share in record.shares.items()]
    return (
        f"Share of direct calls, counted apart from the timed ones: {', '.join(told)}."
        if told
        else ""
    )


# -- all rows ------------------------------------------------------------------------------


def _family(record: Record, rows: Sequence[Row]) -> str:
    present = [row for row in rows if row.name in record.samples]
    if not present:
        return ""
    sides = _sides(record.samples[row.name] for row in present)
    body = [
        (
            f"`{row.name}`",
            row.unit,
            *(number(record.samples[row.name].get(side)) for side in sides),
            *_itself(record, rows, row),
        )
        for row in present
    ]
    told = "\n".join(f"- `{row.name}`: {row.what}." for row in present)
    head = ("row", "unit", *sides, *(("divided by", "ratio") if _held(rows) else ()))
    return _table(head, body) + "\n\n" + told


def _held(rows: Sequence[Row]) -> bool:
    """Whether there are rows among them that are held against others of suptree's own."""
    return any(row.beside for row in rows)


def _itself(record: Record, rows: Sequence[Row], row: Row) -> tuple[str, ...]:
    if not _held(rows):
        return ()
    verdict = against_itself(row, record.samples)
    return ("", "") if verdict is None else (f"`{verdict.peer}`", f"{verdict.ratio:.2f}")


def _groups(record: Record, rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """What is drawn of a family: its rates, where there is somebody to compare with."""
    return {
        row.name: {side: median(values) for side, values in samples.items()}
        for row in rows
        if row.more_is_better and len(samples := record.samples.get(row.name, {})) > 1
    }


def _sides(samples: Iterator[Mapping[str, object]] | Sequence[Mapping[str, object]]) -> list[str]:
    order = [OURS, *(peer.name for peer in (*DEFAULT, *APART))]
    there = {side for cells in samples for side in cells}
    return [side for side in order if side in there]


# -- studies -------------------------------------------------------------------------------


def section_fairness(record: Record) -> str:
    told = (
        "One process has a million messages in its mailbox. While it handles them, three things are probed over and over: "
        "a call between two other processes (through the mailbox), 1 ms after the one before; a 1 ms timer, set again when "
        "it has fired; and a request to an HTTP server in the same loop, one right after the other. "
        "Beside it, the same probes beside a bare asyncio actor with a million messages in its queue: as one writes it "
        f"(it never gives way while it has messages), and giving way to the loop after each one. Goal: the p99 is at most "
        f"{FAIR:g} times that beside the bare asyncio flood."
    )
    body = []
    for probe, floods in record.fairness.items():
        for flood, one in floods.items():
            body.append(
                (
                    PROBES[probe],
                    flood,
                    f"{one.n:,}",
                    *map(_us, (one.p50_us, one.p99_us, one.max_us)),
                )
            )
    table = _table(("probe", "beside", "probes", "p50 us", "p99 us", "max us"), body)
    verdicts = _table(
        ("probe", "p99 / bare asyncio", "reached", "p99 / asyncio giving way", "reached"),
        [
            (PROBES[probe], *_fair(floods, BARE), *_fair(floods, YIELDING))
            for probe, floods in record.fairness.items()
        ],
    )
    return "\n\n".join(
        [told, table, verdicts, histograms(record), "![Fairness](benchmarks/fairness.svg)"]
    )


def _fair(floods: Mapping[str, Histogram], beside: str) -> tuple[str, str]:
    if SUPTREE not in floods or beside not in floods:
        return ("-", "-")
    ratio = floods[SUPTREE].p99_us / max(0.1, floods[beside].p99_us)
    return (f"{_two_digits(ratio)} (≤ {FAIR:g})", "yes" if ratio <= FAIR else "no")


def _two_digits(ratio: float) -> str:
    rounded = float(f"{ratio:.2g}")
    if rounded < 0.001:
        return "below 0.001"
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def histograms(record: Record) -> str:
    """Latencies as text, a star for each fiftieth of the probes."""
    out = []
    for probe, floods in record.fairness.items():
        for flood, one in floods.items():
            out.append(f"{probe}, beside {flood}:")
            for power, count in enumerate(one.counts):
                if count:
                    stars = "*" * max(1, round(50 * count / one.n))
                    out.append(f"  up to {2**power:>9,} us {count:>8,} {stars}")
    return "```text\n" + "\n".join(out) + "\n```"


def section_flatness(record: Record) -> str:
    told = (
        "Microseconds of one operation while so many processes live, each with a name, a timer, a supervisor and its link; "
        f"in a fresh interpreter each. Goal: at {CROWDS[-1]:,} at most {FLAT:g} times the cost at {CROWDS[0]:,}, with the "
        "default settings of the garbage collector. Both tables begin with one full collection: that of what was made to set "
        "the scene is not counted, what the operations themselves make the collector do is. The line `dict` is no "
        "operation of ours: it looks the same names up, in the same order, in a dictionary of their pids. Its entries are in no "
        "cache of the processor when it is large, and neither are those that a lookup meets."
    )
    parts = [told]
    for mode, costs in record.flatness.items():
        body = []
        for name in costs:
            medians = [median(values) for values in costs[name]]
            ratio = medians[-1] / medians[0]
            verdict = ("yes" if ratio <= FLAT else "no") if mode == "default" else "-"
            if name == BESIDE:
                verdict = "-"
            body.append((name, *(f"{value:.2f}" for value in medians), f"{ratio:.2f}", verdict))
        head = (_mode(mode), *(f"{crowd:,}" for crowd in CROWDS), "ratio", "reached")
        parts += [_table(head, body), f"![{_mode(mode)}](benchmarks/flatness-{mode}.svg)"]
    return "\n\n".join(parts)


def _mode(mode: str) -> str:
    return "default GC" if mode == "default" else "after `gc.freeze`"


# -- who -----------------------------------------------------------------------------------


def _contestants(record: Record) -> str:
    what = {peer.name: peer.what for peer in (*DEFAULT, *APART)}
    what[OURS] = f"suptree on {record.facts['loop']}"
    body = [(name, what.get(name, ""), version) for name, version in record.versions.items()]
    parts = [_table(("contestant", "what", "version"), body), troubles(record)]
    return "\n\n".join(part for part in parts if part)


def troubles(record: Record) -> str:
    lines = [
        f"- {name} has no number{f' for `{where}`' if where else ''}: {why}"
        for where, whose in record.troubles.items()
        for name, why in whose.items()
    ]
    return "\n".join(lines)


def _recorded(recorded: Record) -> str:
    facts = recorded.facts
    told = (
        f'Recorded on {facts["date"]}{_commit(facts)} with `make bench ARGS="--peers all"`, beside suptree in the same run: '
        f"{facts['machine']}; {facts['python']}. Versions: "
        + ", ".join(f"{name} {version}" for name, version in recorded.versions.items())
        + "."
    )
    rows = [row for row in ROWS if row.name in recorded.samples]
    sides = _sides([recorded.samples[row.name] for row in rows])
    body = [
        (
            f"`{row.name}`",
            row.unit,
            *(number(recorded.samples[row.name].get(side)) for side in sides),
        )
        for row in rows
    ]
    parts = [told, _table(("row", "unit", *sides), body) if body else "", troubles(recorded)]
    return "\n\n".join(part for part in parts if part)


# -- markdown ------------------------------------------------------------------------------


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _file(title: str) -> str:
    return title.lower().replace(" ", "-") + ".svg"


def _us(value: float) -> str:
    return f"{value:,.0f}"


def _p50(one: Histogram) -> float:
    return one.p50_us


def _p99(one: Histogram) -> float:
    return one.p99_us
