"""Medians, spreads and percentiles of samples."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def median(samples: Sequence[float]) -> float:
    return statistics.median(samples)


def spread(samples: Sequence[float]) -> float:
    """Half the distance between the quartiles (of two samples: between these), as a share of the median.

    0.05 reads "give or take 5 %".
    """
    middle = median(samples)
    if not middle:
        return 0.0
    if len(samples) < 3:
        return (max(samples) - min(samples)) / 2 / middle
    first, _, third = statistics.quantiles(samples, n=4, method="inclusive")
    return (third - first) / 2 / middle


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that *percent* of all do not exceed.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 50)
    2.0
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
