"""Every workload on suptree and its peers, side by side: `make bench`, or `python -m benchmarks`.

A whole run beside its peers writes docs/reference/benchmarks.md, its pictures and its record, and takes about ten minutes
on two cores. With `--only`, or without peers, it prints: a page is of one run, so that what stands in it was measured on
one day, on one commit, in the same number of rounds. `--render` writes the page from the record again, `--check` refuses
a page that the record does not render.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

from benchmarks import page, record
from benchmarks.contest import Contest, stay_on_one_core
from benchmarks.lineup import OURS, contestants
from benchmarks.peer_environment import prepare
from benchmarks.protocol import Ask
from benchmarks.record import Record
from benchmarks.rows import ROWS, selected
from benchmarks.studies import fairness, flatness
from benchmarks.table import as_text

STUDIES = ("fairness", "flatness")
SHARE_SAMPLE = 20_000
COLUMNS = """\
the last columns of a table, where there is something to say:
  / BEAM           suptree's number divided by Erlang's, or by Elixir's (registries, streams, the service)
  / best Python    the same by the best Python peer's in that row, whose name follows
  / itself         the same by another row of suptree's own, whose name follows; --only measures that too
  in brackets      the goal, and whether it is reached: at least so much for k/s (thousands a second),
                   at most for us (microseconds) and bytes
"""


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    if options.render or options.check:
        kept = record.stored()
        if kept is None:
            sys.exit(f"benchmarks: there is no {record.PATH.name}. Run `make bench`.")
        return check(kept) if options.check else write(kept)
    found = measure(options)
    print(found.as_json() if options.json else as_words(found))
    if not _is_whole(options):
        return 0
    old = record.stored()
    if old is not None and found.recorded is None:
        found.recorded = old.recorded
    return write(found)


def measure(options: argparse.Namespace) -> Record:
    """Run what the options ask for."""
    rows = selected(options.only) if options.only else list(ROWS)
    found = Record(record.facts(options.loop, options.rounds))
    if options.peers == "all":
        found.troubles.update({"": prepare(_tell)})
    stay_on_one_core()
    with Contest(contestants(options.peers, options.loop), _tell, _say) as contest:
        if rows:
            contest.run(rows, options.rounds)
        for row in rows:
            if row.ask.workload == "call" and not row.alone:
                ask = Ask("direct_share", SHARE_SAMPLE, row.ask.options)
                metrics = contest.single(ask, OURS)
                if metrics is not None:
                    found.shares[row.name] = metrics["share"][0]
        if not options.only or "fairness" in options.only:
            found.fairness = fairness(contest, options.loop, options.rounds)
        if not options.only or "flatness" in options.only:
            found.flatness = flatness(contest, min(3, options.rounds))
        outcome = contest.outcome
    found.versions, found.samples = outcome.versions, outcome.samples
    for where, whose in outcome.troubles.items():
        found.troubles[where] = {**whose, **found.troubles.get(where, {})}
    _tell("")
    if options.peers == "all":
        found.keep_apart()
    return found


def write(found: Record) -> int:
    """Write the record, the page and its pictures, all of them made before the first is written."""
    stored = found.as_json()
    files = _files(Record.from_json(stored))  # the page shows what is stored, to the digit
    for path, text in {record.PATH: stored, **files}.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    print(f"benchmarks: {record.PATH.with_suffix('.md').name} is written", file=sys.stderr)
    return 0


def check(found: Record) -> int:
    """Refuse a page, or a picture, that is not what the record renders."""
    stale = [
        path.name
        for path, text in _files(found).items()
        if not path.exists() or path.read_text() != text
    ]
    if stale:
        print(
            f"benchmarks: not what the record renders: {', '.join(stale)}. Run `make bench ARGS=--render`."
        )
        return 1
    print("benchmarks: the page is what the record renders")
    return 0


def as_words(found: Record) -> str:
    """What the terminal gets."""
    rows = [row for row in ROWS if row.name in found.samples]
    samples = found.samples
    if found.recorded is not None:
        samples = {
            row.name: {**samples[row.name], **found.recorded.samples.get(row.name, {})}
            for row in rows
        }
    sides = list(dict.fromkeys(side for row in rows for side in samples[row.name]))
    parts = [as_text(rows, samples, sides)] if rows else []
    parts += [f"{row}: {share:.1%} of the calls are direct" for row, share in found.shares.items()]
    if found.fairness:
        parts.append(page.section_fairness(found))
    if found.flatness:
        parts.append(page.section_flatness(found))
    parts.append(page.troubles(found))
    text = "\n\n".join(part for part in parts if part)
    return "\n".join(line for line in text.splitlines() if not line.startswith("!["))


def _files(found: Record) -> dict[Path, str]:
    pictures = record.PATH.with_suffix("")
    drawn = {pictures / name: text for name, text in page.pictures(found).items()}
    return {record.PATH.with_suffix(".md"): page.page(found), **drawn}


def _tell(line: str) -> None:
    """What is done now, in one line of the terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)


def _say(line: str) -> None:
    """How far it is, in a log: a terminal shows more."""
    if not sys.stderr.isatty():
        print(f"benchmarks: {line}", file=sys.stderr, flush=True)


def _is_whole(options: argparse.Namespace) -> bool:
    """Whether what is measured is a page: every row, and peers to hold it against."""
    return not options.only and options.peers != "none"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    best = "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"
    names = [*(row.name for row in ROWS), *STUDIES]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=COLUMNS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print the record as JSON")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument(
        "--peers",
        choices=["none", "default", "all"],
        default="default",
        help="who else is measured: nobody; Erlang, Elixir and the Python peers that live in this environment (default); "
        "all, those too that live in one of their own, .venv-bench, which is made for them",
    )
    parser.add_argument("--rounds", type=_positive, default=5, help="counted rounds (default 5)")
    parser.add_argument(
        "--loop", choices=["asyncio", "uvloop"], default=best, help=f"suptree's (default {best})"
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="write the page, as a whole run does anyway; refused with --only and with --peers none",
    )
    parser.add_argument(
        "--render", action="store_true", help="write the page from the record, measure nothing"
    )
    parser.add_argument(
        "--check", action="store_true", help="refuse a page that the record does not render"
    )
    options = parser.parse_args(arguments)
    if options.write and not _is_whole(options):
        parser.error(
            "--write must stand without --only and --peers none: the page is of one run of every row "
            "beside its peers. Leave --write out, and what was measured is printed."
        )
    return options


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1; got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
