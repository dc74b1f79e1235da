"""The record of random programs, as the last chapter of the page that `conformance_table.py` writes.

The record, `tests/conformance/record.json`, is written by the commands that run the programs and the mutants; here it
is only laid out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEAD = """\
## Random programs

Each family makes programs from seeds. A program is run by its judge, the real Erlang or Elixir, and by suptree in every
mode of the family, and the traces are compared line by line: what started, ended and was told, in order, with
reasons and results. These figures are written by the commands that measured them,
`python -m tests.conformance --record` and `python -m tests.conformance.mutants --record`. A `+` behind a commit says that
there were changes in suptree or in the families that were not committed.
"""

TOUCHED = """\
### What is normalised

Not everything is compared as it stands: what a rule of this table is about is put into one fixed form in both traces.
Most are about an order that the judge leaves open. *Own* marks what is a difference of suptree's instead, with its row in
[what is guaranteed](../explanation/semantics.md#differences-from-the-beam), and *drops* a rule that leaves lines out, where
the others only order them. *Touched* says how many traces that changed; those of suptree are of all modes together.
"""

FAULTS = """\
### Faults that must be noticed

A comparison that finds nothing may be a weak one. So each of these lines in the code of the supervisors was replaced,
one at a time, and the supervision programs of seeds {first} to {last} were run again: *changed* is how many of the
{count} traces were not the same any more. A program that hangs has changed; after ten that hang the rest is not run. A fault
that changes fewer than ten traces survives, and the command fails: ten are one program in 200, so that most runs of the
usual 300 notice such a fault too.
"""


def chapter(file: Path) -> Iterator[str]:
    """The lines of the chapter; none when nothing is recorded."""
    if not file.exists():
        return
    recorded = json.loads(file.read_text())
    families: dict[str, Any] = recorded["families"]
    yield from ["", HEAD]
    yield "| family | programs | lines of trace | divergences | seeds | suptree's modes | judge | suptree on | took |"
    yield "|---|--:|--:|--:|---|---|---|---|--:|"
    for name, family in families.items():
        yield _family(name, family)
    yield ""
    yield from (f"- **{name}**: {family['what']}" for name, family in families.items())
    yield from ["", TOUCHED]
    yield "| family | what | why | touched of the judge | of suptree |"
    yield "|---|---|---|--:|--:|"
    for name, family in families.items():
        yield from (
            f"| {name} | {rule['name']}{_marks(rule)} | {rule['reason']} | {rule['judge']:,} | {rule['ours']:,} |"
            for rule in family["rules"]
        )
    if recorded["mutants"]:
        yield from _mutants(recorded["mutants"])


def _family(name: str, family: dict[str, Any]) -> str:
    first, last = family["seeds"]
    cells = [
        name,
        f"{family['programs']:,}",
        f"{family['lines']:,}",
        f"{family['divergences']}"
        if family["divergences"] == 0
        else f"**{family['divergences']}**",
        f"{first} to {last}",
        ", ".join(family["modes"]),
        family["judge"],
        f"{family['python']}, commit {family['commit']}",
        f"{family['seconds']:,} s",
    ]
    return f"| {' | '.join(cells)} |"


def _marks(rule: dict[str, Any]) -> str:
    marks = [mark for mark in ("own", "drops") if rule.get(mark)]
    return f" (*{', '.join(marks)}*)" if marks else ""


def _mutants(mutants: dict[str, Any]) -> Iterator[str]:
    first, last = mutants["seeds"]
    yield from ["", FAULTS.format(first=first, last=last, count=f"{last - first + 1:,}")]
    yield f"{len(mutants['rows'])} faults; {mutants['python']}, commit {mutants['commit']}."
    yield from ["", "| in | line | becomes | so that | changed |", "|---|---|---|---|--:|"]
    for row in mutants["rows"]:
        changed = f"{row['changed']:,}" + (f" ({row['hung']} hang)" if row["hung"] else "")
        yield f"| {row['file']} | {_code(row['old'])} | {_code(row['new'])} | {row['breaks']} | {changed} |"


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"
