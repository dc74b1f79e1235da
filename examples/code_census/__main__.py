"""`python -m examples.code_census`: from the command line to the page at the end."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict

from suptree.services import ConfigurationInvalidError

from .chaos import Attack
from .control import plain_run
from .discover import InputError, Sources, find_sources
from .job import Job, Patience
from .options import Options, parse
from .pace import Pace
from .progress import ProgressLine, Tally
from .report import Report
from .rowfile import prepare, sort_rows
from .running import Ending, crash_log, run
from .summary import printable, render, summarise
from .survey import Row
from .tree import Census
from .under_fire import ENDLESS, CensusUnderFire, Outcome


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one census; returns the exit code, an `Ending`."""
    options = parse(arguments)
    try:
        sources = find_sources(options.directory)
        prepare(options.out, {sources.root / path for path in sources.paths})
    except InputError as error:
        _say(f"census: {error}")
        return Ending.BAD_INPUT
    for place, reason in sources.problems:
        _say(f"census: {place}: {reason}; what is in there is not counted.")
    try:
        ending = _in_chaos(options, sources) if options.rate else _in_peace(options, sources)
    except ConfigurationInvalidError as error:  # the environment sets something of the system
        _say(f"census: {error}")
        ending = Ending.BAD_INPUT
    except KeyboardInterrupt:  # before or after the tree; while it runs, its runner sees to it
        ending = Ending.STOPPED
    if ending is Ending.STOPPED:
        _say(f"census: stopped before the end; the rows so far are in {options.out}")
    elif ending is Ending.FAILED:
        _say(f"census: failed; see {crash_log(options.out)}")
    return ending


def _in_peace(options: Options, sources: Sources) -> Ending:
    census = Census(_job(options, sources, Pace.free(), Patience()))
    ending = run(census, inspect=options.inspect)
    if ending is Ending.COMPLETE:
        _show(options, sources, sort_rows(options.out), census.report)
    return ending


def _in_chaos(options: Options, sources: Sources) -> Ending:
    attack = Attack(rate=options.rate, quota=options.quota, seed=options.seed)
    pace = Pace(sources.paths, seconds=attack.seconds, held_back=options.workers)
    census = CensusUnderFire(_job(options, sources, pace, ENDLESS), attack)
    _say(census.announcement())
    with plain_run(sources) as plain_lines:
        ending = run(census, inspect=options.inspect)
        if ending is not Ending.COMPLETE:
            return ending
        lines = sort_rows(options.out)
        outcome = census.outcome(identical=lines == plain_lines())
    _show(options, sources, lines, census.report, outcome)
    return ending if outcome.is_good() else Ending.FAILED


def _job(options: Options, sources: Sources, pace: Pace, patience: Patience) -> Job:
    width = shutil.get_terminal_size().columns
    return Job(
        sources=sources,
        out=options.out,
        pace=pace,
        tally=Tally(total=len(sources.paths)),
        line=ProgressLine(sys.stderr, width=width) if options.progress else None,
        workers=options.workers,
        patience=patience,
    )


def _show(
    options: Options,
    sources: Sources,
    lines: Sequence[str],
    report: Report,
    outcome: Outcome | None = None,
) -> None:
    summary = summarise(map(Row.from_line, lines), top=options.top)
    if options.json:
        parts = {"root": str(sources.root), **asdict(summary), "telemetry": asdict(report)}
        chaos = {} if outcome is None else {"chaos": asdict(outcome)}
        print(json.dumps({**parts, **chaos}, indent=2))
        return
    print(render(summary, title=f"Code census of {printable(str(sources.root))}", top=options.top))
    print(f"{report}\n")
    print(f"{len(lines):,} rows, one JSON line each: {options.out}")
    if outcome is not None:
        print(outcome)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a path may hold any byte
    sys.exit(main())
