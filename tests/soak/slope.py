"""The slope of a series of samples, with the interval in which it lies.  Pure, the standard library alone.

Samples that follow one another are alike: what was held five seconds ago is mostly held still.
Least squares over all of them would take each for news of its own, and the interval would
be too narrow.  So the samples are gathered into a few blocks of equal length first, and the
line goes through the means of the blocks.  Blocks that are longer than what the
system remembers are nearly independent.

>>> slope([0.0, 1.0, 2.0, 3.0], [5.0, 7.0, 9.0, 11.0], blocks=4).per_second
2.0
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Final, NamedTuple

__all__ = ["BLOCKS", "Slope", "block_means", "slope", "t_quantile"]

BLOCKS: Final = 10
"""At most so many blocks; of a run of 30 minutes each is two and a half minutes long."""
BLOCK_SECONDS: Final = 20.0
"""A block is no shorter: a service is killed, and begins anew, about every fifteen seconds."""
FEWEST_BLOCKS: Final = 5
FEWEST: Final = 3  # through two points there is always a line, and nothing left to doubt it by


class Slope(NamedTuple):
    """A line through samples.

    Attributes:
        per_second: Its slope.
        error: The standard error of the slope.
        freedom: The degrees of freedom of it.
    """

    per_second: float
    error: float
    freedom: int

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Where the slope lies, with so much confidence."""
        reach = t_quantile(confidence, self.freedom) * self.error
        return self.per_second - reach, self.per_second + reach


def slope(times: Sequence[float], values: Sequence[float], *, blocks: int | None = None) -> Slope:
    """The slope of *values* over *times*, in seconds, through the means of *blocks* blocks.

    Default: as many as there are with `BLOCK_SECONDS` each, from `FEWEST_BLOCKS` to `BLOCKS`.

    Raises:
        ValueError: There are fewer than three samples, or all are of one moment.
    """
    if len(times) != len(values) or len(times) < FEWEST:
        raise ValueError(
            f"slope: times and values must be {FEWEST} or more each; got {len(times)} and {len(values)}."
        )
    if blocks is None:
        blocks = max(FEWEST_BLOCKS, min(BLOCKS, int((times[-1] - times[0]) / BLOCK_SECONDS)))
    points = block_means(times, values, min(blocks, len(times)))
    count = len(points)
    middle = math.fsum(x for x, _ in points) / count
    level = math.fsum(y for _, y in points) / count
    spread = math.fsum((x - middle) ** 2 for x, _ in points)
    if spread == 0:
        raise ValueError("slope: times must differ; all samples are of one moment.")
    steepness = math.fsum((x - middle) * (y - level) for x, y in points) / spread
    left = math.fsum((y - level - steepness * (x - middle)) ** 2 for x, y in points)
    freedom = count - 2
    return Slope(steepness, math.sqrt(left / freedom / spread), freedom)


def block_means(
    times: Sequence[float], values: Sequence[float], blocks: int
) -> list[tuple[float, float]]:
    """The mean time and the mean value of each of *blocks* parts of nearly equal length, in order."""
    size = len(times)
    edges = [size * number // blocks for number in range(blocks + 1)]
    return [
        (math.fsum(times[a:b]) / (b - a), math.fsum(values[a:b]) / (b - a))
        for a, b in itertools.pairwise(edges)
    ]


@functools.cache
def t_quantile(confidence: float, freedom: int) -> float:
    """How many standard errors an estimate is off at most, with so much confidence (Student's t, two sides).

    With t = sqrt(freedom) * tan(a), the part of the distribution between -t and t is the area
    under cos^(freedom - 1) from 0 to a, as a part of that from 0 to a right angle.

    >>> round(t_quantile(0.95, 8), 3)
    2.306
    """
    if not 0 < confidence < 1 or freedom < 1:
        raise ValueError(
            f"t_quantile: confidence must be within 0 and 1, and freedom 1 or more; "
            f"got {confidence!r} and {freedom!r}."
        )
    wanted = confidence * _area(math.pi / 2, freedom - 1)
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        if _area(middle, freedom - 1) < wanted:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) * math.tan((low + high) / 2)


def _area(angle: float, power: int, steps: int = 1000) -> float:
    """The area under cos^power from 0 to *angle* (Simpson's rule)."""
    step = angle / steps
    inner = math.fsum(
        (4 if number % 2 else 2) * math.cos(number * step) ** power for number in range(1, steps)
    )
    return (1 + inner + math.cos(angle) ** power) * step / 3
