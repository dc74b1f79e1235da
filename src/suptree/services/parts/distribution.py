"""`Distribution`: many numbers in little memory, and their percentiles to within one per cent.

Buckets grow by a constant factor, so that a quantile is off by at most `ACCURACY` of
itself, whatever the numbers are; the memory is what their spread needs (about 1,150 buckets from a
microsecond to three hours).  Two distributions can be merged.  After DDSketch (Masson,
Rim and Lee, 2019).

>>> lags = Distribution()
>>> for lag in range(1, 101):
...     lags.record(lag / 1000)
>>> round(lags.quantile(0.5), 3), round(lags.quantile(0.99), 3)
(0.05, 0.099)
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["ACCURACY", "Distribution"]

ACCURACY: Final = 0.01
_FACTOR: Final = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_FACTOR: Final = math.log(_FACTOR)
_SMALLEST: Final = 1e-12  # what is closer to 0 counts as 0


class Distribution:
    """Numbers of 0 or more: how many, their sum, the least and the largest, and quantiles.

    Attributes:
        count: How many were recorded.
        total: Their sum.
        least: The smallest; inf when there is none.
        largest: The largest; -inf when there is none.
    """

    __slots__ = ("_buckets", "_zeros", "count", "largest", "least", "total")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.count = 0
        self.total = 0.0
        self.least = math.inf
        self.largest = -math.inf
        self._zeros = 0
        self._buckets: dict[int, int] = {}

    def record(self, value: float) -> None:
        """Add one number.

        Raises:
            ValueError: It is negative or not finite.
        """
        if not 0 <= value < math.inf:
            raise ValueError(f"Distribution: a value must be finite and 0 or more; got {value!r}.")
        self.count += 1
        self.total += value
        self.least = min(self.least, value)
        self.largest = max(self.largest, value)
        if value < _SMALLEST:
            self._zeros += 1
        else:
            bucket = math.ceil(math.log(value) / _LOG_FACTOR)
            self._buckets[bucket] = self._buckets.get(bucket, 0) + 1

    def quantile(self, q: float) -> float:
        """The number that the part *q* (0 to 1) of all are not above; NaN when there is none.

        Raises:
            ValueError: *q* is not from 0 to 1.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"Distribution: a quantile must be from 0 to 1; got {q!r}.")
        if not self.count:
            return math.nan
        rank = max(1, math.ceil(q * self.count))
        seen = self._zeros
        if rank <= seen:
            return 0.0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if rank <= seen:
                middle = 2 * _FACTOR**bucket / (_FACTOR + 1)
                return min(max(middle, self.least), self.largest)
        return self.largest

    @property
    def mean(self) -> float:
        """The arithmetic mean; NaN when there is none."""
        return self.total / self.count if self.count else math.nan

    def merge(self, other: Distribution) -> None:
        """Add everything that *other* has seen."""
        self.count += other.count
        self.total += other.total
        self.least = min(self.least, other.least)
        self.largest = max(self.largest, other.largest)
        self._zeros += other._zeros
        for bucket, count in other._buckets.items():
            self._buckets[bucket] = self._buckets.get(bucket, 0) + count

    def __repr__(self) -> str:
        if not self.count:
            return "<Distribution, empty>"
        return (
            f"<Distribution of {self.count}: p50 {self.quantile(0.5):.4g}, "
            f"p99 {self.quantile(0.99):.4g}, max {self.largest:.4g}>"
        )
