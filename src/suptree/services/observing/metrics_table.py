"""`MetricsTable`: the numbers behind `Metrics`.  Pure: no process, no clock.

For each metric one *series* per combination of tag values, and no more than `max_series`
of them: what comes with yet another combination goes to one series whose tags are all
`OTHER`, and is counted, so that totals stay true and memory stays bounded.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from suptree.services.observing.errors import MetricError
from suptree.services.observing.metric import Metric, MetricKind
from suptree.services.observing.tags import OTHER, tag_values
from suptree.services.parts.checks import check_count
from suptree.services.parts.distribution import Distribution
from suptree.telemetry import Event

__all__ = ["MetricsSnapshot", "MetricsTable", "MetricSeries", "MetricSummary"]

QUANTILES: Final = (0.5, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """What a distribution says: of `count` numbers; NaN where there are none.

    Attributes:
        count: How many.
        total: Their sum.
        least: The smallest.
        largest: The largest.
        p50: The one that half of them are not above, to within 1 %; and so on.
        buckets: For each bound of the metric, how many were not above it.
    """

    count: int
    total: float
    least: float
    largest: float
    p50: float
    p90: float
    p95: float
    p99: float
    buckets: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """The numbers of one metric with one combination of tags."""

    metric: Metric
    tags: Mapping[str, str]
    value: float | MetricSummary


@dataclass(frozen=True, slots=True)
class MetricsSnapshot:
    """Everything at one moment.

    Attributes:
        metrics: All that are kept, also those without a number yet, in order.
        series: What is known, in order of the metrics, oldest first.
        overflow: Numbers that went to a series of `OTHER`.
        refused: Numbers that were none, or negative where that makes no sense.
    """

    metrics: tuple[Metric, ...]
    series: tuple[MetricSeries, ...]
    overflow: int
    refused: int

    def get(self, name: str, **tags: str) -> float | MetricSummary | None:
        """The value of one series; None while there is none."""
        for one in self.series:
            if one.metric.name == name and one.tags == tags:
                return one.value
        return None


class MetricsTable:
    """See the module text.

    Args:
        metrics: What is kept.
        max_series: Combinations of tag values for each metric.

    Raises:
        MetricError: Two have one name.
        ValueError: *max_series* is less than 1.
    """

    __slots__ = ("_by_event", "_families")

    def __init__(self, metrics: Iterable[Metric], *, max_series: int = 1000) -> None:
        check_count("Metrics", "max_series", max_series)
        self._families: dict[str, _Family] = {}
        self._by_event: dict[str, list[_Family]] = {}
        for metric in metrics:
            if metric.name in self._families:
                raise MetricError(metric.name, "name", "used once", metric.name)
            family = self._families[metric.name] = _Family(metric, max_series)
            self._by_event.setdefault(metric.event, []).append(family)

    def events(self) -> list[str]:
        """The names of the events to listen to."""
        return list(self._by_event)

    def hear(self, event: Event, numbers: Mapping[str, float], facts: Mapping[str, object]) -> None:
        """Take note of one event: the handler on the bus."""
        for family in self._by_event.get(event.name, ()):
            family.record(numbers, facts)

    def snapshot(self) -> MetricsSnapshot:
        """Everything now."""
        families = self._families.values()
        return MetricsSnapshot(
            tuple(family.metric for family in families),
            tuple(series for family in families for series in family.read()),
            sum(family.overflow for family in families),
            sum(family.refused for family in families),
        )

    def reset(self) -> None:
        """Begin anew."""
        for family in self._families.values():
            family.reset()

    def limit(self, max_series: int) -> None:
        """Keep so many series of each metric from now on; those that are there stay."""
        for family in self._families.values():
            family.limit = max_series


class _Family:
    """The series of one metric."""

    __slots__ = ("_series", "limit", "metric", "overflow", "refused")

    def __init__(self, metric: Metric, max_series: int) -> None:
        self.metric = metric
        self.limit = max_series
        self.reset()

    def reset(self) -> None:
        self.overflow = 0
        self.refused = 0
        self._series: dict[tuple[str, ...], _Number | _Spread] = {}

    def record(self, numbers: Mapping[str, float], facts: Mapping[str, object]) -> None:
        metric = self.metric
        value = metric.value_of(numbers)
        if value is None:
            self.refused += 1
            return
        key = tag_values(facts, metric.tags)
        series = self._series.get(key)
        if series is None:
            series = self._new_series(key)
        if metric.kind is MetricKind.LAST_VALUE:
            series.set(value)
        else:
            series.add(value)

    def _new_series(self, key: tuple[str, ...]) -> _Number | _Spread:
        if len(self._series) >= self.limit:
            self.overflow += 1
            key = (OTHER,) * len(self.metric.tags)
            found = self._series.get(key)
            if found is not None:
                return found
        made = self._series[key] = (
            _Spread(self.metric.buckets)
            if self.metric.kind is MetricKind.DISTRIBUTION
            else _Number()
        )
        return made

    def read(self) -> list[MetricSeries]:
        tags = self.metric.tags
        return [
            MetricSeries(self.metric, dict(zip(tags, key, strict=True)), series.read())
            for key, series in self._series.items()
        ]


class _Number:
    """One number."""

    __slots__ = ("_value",)

    def __init__(self) -> None:
        self._value = 0.0

    def add(self, value: float) -> None:
        self._value += value

    def set(self, value: float) -> None:
        self._value = value

    def read(self) -> float:
        return self._value


class _Spread:
    """A distribution, and its buckets if it has bounds."""

    __slots__ = ("_bounds", "_counts", "_numbers")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._numbers = Distribution()
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)

    def add(self, value: float) -> None:
        self._numbers.record(value)
        if self._bounds:
            self._counts[bisect_left(self._bounds, value)] += 1

    def set(self, value: float) -> None:
        self.add(value)

    def read(self) -> MetricSummary:
        numbers = self._numbers
        p50, p90, p95, p99 = (numbers.quantile(q) for q in QUANTILES)
        least, largest = (numbers.least, numbers.largest) if numbers.count else (math.nan, math.nan)
        return MetricSummary(
            numbers.count, numbers.total, least, largest, p50, p90, p95, p99, self._buckets()
        )

    def _buckets(self) -> tuple[tuple[float, int], ...]:
        below = 0
        buckets: list[tuple[float, int]] = []
        for bound, count in zip(self._bounds, self._counts, strict=False):
            below += count
            buckets.append((bound, below))
        return tuple(buckets)
