"""What is said of each series of a soak: flat, or how it is not.  Pure.

    flat     the 95 % interval of its slope includes 0
    falls    the interval is below 0
    tiny     it is above 0, and all of it below the growth that is allowed in an hour
    unsure   it is above 0, but one of so many series is by chance: the interval that holds
             for all series together does not exclude what is allowed.  A longer run tells
    grows    the interval for all series together is above what is allowed

What is allowed is so much in an hour, and so much once, while the program settles; the
shorter a run, the more that is in an hour.
One interval of 95 % in twenty misses what it is to hold.  With thirty series, one run in two
would call something growing that is not, if each were judged by its own.  So a series
grows only if it does with 99 % for all of them at once (Bonferroni), and what lies between is
called unsure, and shown.  And since the few blocks of a short run may stand in a row by chance,
its slope is doubted as much as that of a line through all samples is, if that is more.  A run
fails if a series grows: by chance fewer than one in a hundred does, even of three minutes
each.  CI runs it again and again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from tests.soak.slope import Slope, slope

__all__ = ["HOUR", "Judged", "Series", "Word", "judge", "judge_all", "table"]

HOUR: Final = 3600.0
CONFIDENCE: Final = 0.95
"""Of the interval that is shown, for each series by itself."""
SURE: Final = 0.99
"""Of the one that a run fails by, for all series together."""

Word: TypeAlias = Literal["flat", "falls", "tiny", "unsure", "grows"]


@dataclass(frozen=True, slots=True)
class Series:
    """Something that is counted again and again.

    Attributes:
        name: What.
        allowed: Growth in an hour that is no leak; 0: none.
        once: Growth that is no leak if it comes once.
        why: Why so much is allowed.
    """

    name: str
    allowed: float = 0.0
    once: float = 0.0
    why: str = ""

    def allowed_in(self, seconds: float) -> float:
        """What is allowed in an hour to a run that was looked at for so many seconds."""
        return self.allowed + self.once * HOUR / seconds


class Judged(NamedTuple):
    """One series, and what is said of it; slopes, and what is allowed, in an hour."""

    series: Series
    first: float
    last: float
    least: float
    most: float
    slope: float
    low: float
    high: float
    allowed: float
    word: Word


def judge_all(
    series: Sequence[Series],
    times: Sequence[float],
    values: Mapping[str, Sequence[float]],
) -> list[Judged]:
    """Judge every series, by name in *values*, over the same moments; what never changes is sure."""
    moving = sum(min(values[one.name]) != max(values[one.name]) for one in series)
    return [judge(one, times, values[one.name], together=max(1, moving)) for one in series]


def judge(
    series: Series,
    times: Sequence[float],
    values: Sequence[float],
    *,
    together: int = 1,
) -> Judged:
    """Judge one of *together* series that move."""
    line = slope(times, values)
    low, high = (HOUR * bound for bound in line.interval(CONFIDENCE))
    surely = HOUR * _doubted(line, times, values).interval(1 - (1 - SURE) / together)[0]
    allowed = series.allowed_in(times[-1] - times[0])
    ends = values[0], values[-1], min(values), max(values)
    return Judged(
        series, *ends, HOUR * line.per_second, low, high, allowed, _word(low, high, surely, allowed)
    )


def _doubted(line: Slope, times: Sequence[float], values: Sequence[float]) -> Slope:
    """*line* no surer than one through the samples themselves: five means stand in a row by chance."""
    through_all = slope(times, values, blocks=len(times))
    return line._replace(error=max(line.error, through_all.error))


def _word(low: float, high: float, surely: float, allowed: float) -> Word:
    if low <= 0 <= high:
        return "flat"
    if high < 0:
        return "falls"
    if high <= allowed:
        return "tiny"
    return "grows" if surely > allowed else "unsure"


def table(rows: Sequence[Judged]) -> list[str]:
    """A Markdown table, whose columns are aligned for a terminal too."""
    cells = [
        ["series", "first", "last", "least", "most", "slope/h", "95 % interval/h", "allowed/h", ""],
        *(
            [
                row.series.name,
                *(_number(value) for value in row[1:5]),
                _signed(row.slope),
                f"{_signed(row.low)} to {_signed(row.high)}",
                _number(row.allowed),
                row.word,
            ]
            for row in rows
        ),
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    ruler = [
        "-" * width if place in (0, 8) else "-" * (width - 1) + ":"
        for place, width in enumerate(widths)
    ]
    return [
        "| " + " | ".join(_padded(line, widths)) + " |" for line in (cells[0], ruler, *cells[1:])
    ]


def _padded(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.ljust(width) if place in (0, 8) else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.1f}"


def _signed(value: float) -> str:
    return "0" if abs(value) < 0.05 else f"{value:+,.0f}" if abs(value) >= 100 else f"{value:+.1f}"
