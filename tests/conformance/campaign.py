"""Runs many programs of a family, spread over worker processes, and adds up what they found.

Each worker opens a judge of its own and is sent ranges of seeds; so one that is slow holds nobody up. A worker
that dies takes the whole campaign with it: a program that was not compared is not counted.

    judge_many("supervision", range(1, 1001), modes=["direct"], jobs=2)
"""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, cast

from tests.conformance import families
from tests.conformance.family import Family, Normaliser, Trace, find_divergence

CHUNK = 50
"""Programs that a worker is sent at once: about a second's work."""


@dataclass
class Tally:
    """What came of some programs of one family; adds up.

    Attributes:
        programs: How many were run, each in every mode.
        lines: Lines of trace that the judge wrote.
        divergences: The reports of those on which suptree differs.
        judge: Traces of the judge that each rule touched.
        ours: Traces of suptree that each rule touched, in all modes together.
        seconds: How long it took.
    """

    programs: int = 0
    lines: int = 0
    divergences: list[str] = field(default_factory=list[str])
    judge: Counter[str] = field(default_factory=Counter[str])
    ours: Counter[str] = field(default_factory=Counter[str])
    seconds: float = 0.0

    def add(self, other: Tally) -> None:
        """Take the figures of *other* in, except for its time: workers run side by side."""
        self.programs += other.programs
        self.lines += other.lines
        self.divergences += other.divergences
        self.judge += other.judge
        self.ours += other.ours


def judge_some(
    family: Family[Any],
    judge: Callable[[Any], Trace],
    seeds: Sequence[int],
    modes: Sequence[str],
    stop_after: int | None = None,
) -> Tally:
    """Run the programs of *seeds* here and now, until *stop_after* divergences are found."""
    theirs, ours = Normaliser(family.rules), Normaliser(family.rules)
    tally = Tally(judge=theirs.touched, ours=ours.touched)
    for seed in seeds:
        try:
            program = family.generate(seed)
            found = find_divergence(
                family, program, judge, modes=modes, normaliser=theirs, ours=ours
            )
        except Exception as error:
            error.add_note(f"in the program of seed {seed} of family {family.name}")
            raise
        tally.programs += 1
        if found is not None:
            tally.divergences.append(f"seed {seed}: {found}")
        if len(tally.divergences) == stop_after:
            break
    tally.lines = theirs.lines
    return tally


def judge_many(
    name: str,
    seeds: range,
    *,
    modes: Sequence[str],
    jobs: int,
    stop_after: int | None = None,
    progress: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """Run the programs of *seeds*, spread over *jobs* worker processes.

    Args:
        name: The family.
        seeds: One program each.
        modes: How suptree runs them.
        jobs: Worker processes.
        stop_after: Hand out no more once so many divergences were found.
        progress: Called with what there is so far, now and then.

    Raises:
        RuntimeError: A worker died; what it died of is on the standard error stream.
    """
    total, start = Tally(), time.monotonic()
    chunks = (seeds[first : first + CHUNK] for first in range(0, len(seeds), CHUNK))
    with ExitStack() as workers:
        count = min(jobs, -(-len(seeds) // CHUNK))
        lines = [
            workers.enter_context(_Worker(name, modes, stop_after)).connection for _ in range(count)
        ]
        for line in lines:
            line.send(next(chunks, None))
        while lines:
            for line in cast("list[Connection]", wait(lines)):
                tally = _received(line, name)
                if tally is None:  # it was sent None, and is done
                    lines.remove(line)
                    continue
                total.add(tally)
                total.seconds = time.monotonic() - start
                progress(total)
                enough = stop_after is not None and len(total.divergences) >= stop_after
                line.send(None if enough else next(chunks, None))
    return total


class _Worker:
    """One worker process; leaving it waits until it has ended, or ends it when something went wrong."""

    def __init__(self, name: str, modes: Sequence[str], stop_after: int | None) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        work = (theirs, name, modes, stop_after)
        self._process = context.Process(target=_work, args=work, daemon=True)
        self._theirs = theirs

    def __enter__(self) -> _Worker:
        self._process.start()
        self._theirs.close()  # so that its death is the end of our side's input
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.connection.close()
        if kind is not None:
            self._process.terminate()
        self._process.join()


def _work(connection: Connection, name: str, modes: Sequence[str], stop_after: int | None) -> None:
    """Serve ranges of seeds until there is None."""
    family = families.find(name)
    with family.open_judge() as judge:
        for seeds in _requests(connection):
            connection.send(judge_some(family, judge, seeds, modes, stop_after))
    connection.send(None)


def _requests(connection: Connection) -> Iterator[range]:
    while (seeds := connection.recv()) is not None:
        yield seeds


def _received(line: Connection, name: str) -> Tally | None:
    try:
        tally: Tally | None = line.recv()
    except (EOFError, ConnectionResetError):
        raise RuntimeError(
            f"judge_many: a worker of family {name} died. See what it wrote above; its seed is in the last lines."
        ) from None
    return tally
