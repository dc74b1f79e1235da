"""Ratios and verdicts: pure functions of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.lineup import ELIXIR, ERLANG, OURS
from benchmarks.rows import Row
from benchmarks.stats import median, spread

Samples = Mapping[str, Sequence[float]]
"""Contestant -> its numbers, in the unit of the row."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """suptree's median divided by a peer's, and whether that is what was to be reached.

    Attributes:
        peer: Who.
        ratio: More is better for k/s, less is better for us and bytes.
        goal: The figure to reach; None: there is none.
        reached: None without a goal.
    """

    peer: str
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


def _verdict(row: Row, samples: Samples, peer: str, goal: float | None) -> Verdict | None:
    if OURS not in samples or peer not in samples:
        return None
    ratio = median(samples[OURS]) / median(samples[peer])
    reached = None
    if goal is not None:
        reached = ratio >= goal if row.more_is_better else ratio <= goal
    return Verdict(peer, ratio, goal, reached)


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
    head = ["row", "unit", *sides, "/ BEAM", "/ best Python"]
    lines = [head]
    for row in rows:
        own = samples.get(row.name, {})
        beam, python = against_beam(row, own), against_python(row, own)
        best = "" if python is None else f" {python.peer}"
        lines.append(
            [
                row.name,
                row.unit,
                *(number(own.get(side)) for side in sides),
                goal_words(row, beam),
                goal_words(row, python) + best,
            ]
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
