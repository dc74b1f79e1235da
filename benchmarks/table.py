"""Ratios and verdicts: pure functions of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.lineup import ELIXIR, ERLANG, OURS
from benchmarks.row import Row
from benchmarks.stats import median, spread

Samples = Mapping[str, Sequence[float]]
"""Contestant -> its numbers, in the unit of the row."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """suptree's median divided by a peer's, or by that of another row, and whether that is what was to be reached.

    Attributes:
        peer: Who, or which row.
        theirs: The numbers that it is divided by.
        ratio: More is better for k/s, less is better for us and bytes.
        goal: The figure to reach; None: there is none.
        reached: None without a goal.
    """

    peer: str
    theirs: Sequence[float]
    ratio: float
    goal: float | None
    reached: bool | None


def against_beam(row: Row, samples: Samples) -> Verdict | None:
    """The verdict against Erlang, or the judge that the row names; None when it did not take part."""
    judge: str = row.figure.judge
    if judge not in samples and row.figure.beam is None:
        judge = ELIXIR
    return _verdict(row, samples, judge, row.figure.beam)


def against_python(row: Row, samples: Samples) -> Verdict | None:
    """The verdict against the best Python peer in this row; None when none took part."""
    peers = [
        name
        for name in samples
        if name not in (OURS, ERLANG, ELIXIR) and (not row.figure.among or name in row.figure.among)
    ]
    if not peers:
        return None
    best = max if row.more_is_better else min
    return _verdict(
        row, samples, best(peers, key=lambda name: median(samples[name])), row.figure.python
    )


def against_itself(row: Row, samples: Mapping[str, Samples]) -> Verdict | None:
    """The verdict against the row of suptree's own that the row names; *samples* are those of all rows."""
    if row.beside is None:
        return None
    ours, theirs = (samples.get(name, {}).get(OURS) for name in (row.name, row.beside.row))
    if ours is None or theirs is None:
        return None
    return _judged(row, ours, row.beside.row, theirs, row.beside.most)


def _verdict(row: Row, samples: Samples, peer: str, goal: float | None) -> Verdict | None:
    if OURS not in samples or peer not in samples:
        return None
    return _judged(row, samples[OURS], peer, samples[peer], goal)


def _judged(
    row: Row, ours: Sequence[float], peer: str, theirs: Sequence[float], goal: float | None
) -> Verdict:
    ratio = median(ours) / median(theirs)
    reached = None
    if goal is not None:
        reached = ratio >= goal if row.more_is_better else ratio <= goal
    return Verdict(peer, theirs, ratio, goal, reached)


def number(samples: Sequence[float] | None) -> str:
    """A cell: the median and how far it spreads, which one sample does not tell."""
    if not samples:
        return "-"
    middle = median(samples)
    digits = 0 if middle >= 100 else 1 if middle >= 10 else 2 if middle >= 0.1 else 5
    spreads = f" ±{spread(samples):.0%}" if len(samples) > 1 else ""
    return f"{middle:,.{digits}f}{spreads}"


def goal_words(row: Row, verdict: Verdict | None) -> str:
    """What was to be reached, what was, and a plain yes or no."""
    if verdict is None:
        return "-"
    ratio = f"{verdict.ratio:.2f}"
    if verdict.goal is None:
        return ratio
    least = "≥" if row.more_is_better else "≤"
    return f"{ratio} ({least} {verdict.goal:g}: {'yes' if verdict.reached else 'no'})"


def as_text(rows: Sequence[Row], samples: Mapping[str, Samples], sides: Sequence[str]) -> str:
    """The table for a terminal, a line for each row."""
    lines = [["row", "unit", *sides, "/ BEAM", "/ best Python", "/ itself"]]
    for row in rows:
        own = samples.get(row.name, {})
        lines.append(
            [
                row.name,
                row.unit,
                *(number(own.get(side)) for side in sides),
                goal_words(row, against_beam(row, own)),
                _with_name(row, against_python(row, own)),
                _with_name(row, against_itself(row, samples)),
            ]
        )
    return "\n".join(_aligned(_without_empty(lines)))


def _with_name(row: Row, verdict: Verdict | None) -> str:
    return goal_words(row, verdict) + ("" if verdict is None else f" {verdict.peer}")


def _without_empty(lines: Sequence[Sequence[str]]) -> list[list[str]]:
    """Without the columns that say nothing, which a few rows alone leave many of."""
    columns = [
        column for column in zip(*lines, strict=True) if any(cell != "-" for cell in column[1:])
    ]
    return [list(line) for line in zip(*columns, strict=True)]


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
