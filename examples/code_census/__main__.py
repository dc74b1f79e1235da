"""`python -m examples.code_census`: from the command line to the page at the end."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict

from .chaos import INTENSITY, CensusUnderFire, Outcome
from .control import plain_run
from .discover import InputError, Sources, find_sources
from .job import Intensity, Job
from .options import Options, parse
from .pace import Pace
from .progress import ProgressLine, Tally
from .rowfile import prepare, sort_rows
from .running import Ending, crash_log, run
from .summary import printable, render, summarise
from .survey import Row
from .tree import Census


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
    except KeyboardInterrupt:  # before or after the tree; while it runs, its runner sees to it
        ending = Ending.STOPPED
    if ending is Ending.STOPPED:
        _say(f"census: stopped before the end; the rows so far are in {options.out}")
    elif ending is Ending.FAILED:
        _say(f"census: failed; see {crash_log(options.out)}")
    return ending


def _in_peace(options: Options, sources: Sources) -> Ending:
    job = _job(options, sources, Pace.free(), Intensity())
    ending = run(Census(job), inspect=options.inspect)
    if ending is Ending.COMPLETE:
        _show(options, sources, sort_rows(options.out))
    return ending


def _in_chaos(options: Options, sources: Sources) -> Ending:
    seconds = options.quota.size / options.rate
    pace = Pace(sources.paths, seconds=seconds, held_back=options.workers)
    job = _job(options, sources, pace, INTENSITY)
    census = CensusUnderFire(job, rate=options.rate, quota=options.quota, seed=options.seed)
    _say(census.announcement())
    with plain_run(sources) as plain_lines:
        ending = run(census, inspect=options.inspect)
        if ending is not Ending.COMPLETE:
            return ending
        lines = sort_rows(options.out)
        outcome = census.outcome(identical=lines == plain_lines())
    _show(options, sources, lines, outcome)
    return ending if outcome.is_good() else Ending.FAILED


def _job(options: Options, sources: Sources, pace: Pace, intensity: Intensity) -> Job:
    width = shutil.get_terminal_size().columns
    return Job(
        sources=sources,
        out=options.out,
        pace=pace,
        tally=Tally(total=len(sources.paths)),
        line=ProgressLine(sys.stderr, width=width) if options.progress else None,
        workers=options.workers,
        intensity=intensity,
    )


def _show(
    options: Options, sources: Sources, lines: Sequence[str], outcome: Outcome | None = None
) -> None:
    summary = summarise(map(Row.from_line, lines), top=options.top)
    if options.json:
        chaos = {} if outcome is None else {"chaos": asdict(outcome)}
        print(json.dumps({"root": str(sources.root), **asdict(summary), **chaos}, indent=2))
        return
    print(render(summary, title=f"Code census of {printable(str(sources.root))}", top=options.top))
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
