"""`Metrics`: counters, sums, last values and distributions, kept of what telemetry tells.

A server, so that somebody owns them: it listens from its start to its end, whatever ends
it, and after a restart counts from 0 with the same metrics.  The numbers are added in the turn of
whoever emits; asking for them costs the server a turn.

>>> metrics = await Metrics.start_link([Metric.counter(SENT, tags=("queue",))])  # doctest: +SKIP
>>> (await Metrics.snapshot(metrics)).get("app.mail.sent", queue="fast")          # doctest: +SKIP
12.0
"""

from __future__ import annotations

from collections.abc import Iterable

from suptree.otp import GenServer, ServerRef, call
from suptree.services.observing.metric import Metric, platform_metrics
from suptree.services.observing.metrics_table import MetricsSnapshot, MetricsTable
from suptree.services.parts.checks import check_count, checked_all

__all__ = ["Metrics"]


class Metrics(GenServer):
    """See the module text.

    Args:
        metrics: What is kept; default: `platform_metrics()`.
        max_series: Combinations of tag values for each metric; what is too many goes to the
            series `__other__` and is counted in `overflow`.

    Raises:
        MetricError: Two metrics have one name.
    """

    def __init__(self, metrics: Iterable[Metric] | None = None, *, max_series: int = 1000) -> None:
        kept = (
            platform_metrics()
            if metrics is None
            else checked_all("Metrics", "metrics", metrics, Metric)
        )
        self._table = MetricsTable(kept, max_series=max_series)
        bus = self._process.runtime.telemetry
        id = f"suptree.metrics {self.pid!r}"
        bus.attach_many(id, self._table.events(), self._table.hear)
        self.own(id, bus.detach)

    @call
    def snapshot(self) -> MetricsSnapshot:
        """Everything now."""
        return self._table.snapshot()

    @call
    def reset(self) -> None:
        """Count from 0 again."""
        self._table.reset()

    @staticmethod
    async def reconfigure(server: ServerRef[Metrics], *, max_series: int | None = None) -> None:
        """Go by another bound from now on; None: by the one that holds.

        No series is dropped where it gets smaller: it holds for new ones.

        Raises:
            ValueError: *max_series* is no whole number above 0; nothing was changed.
        """
        check_count("Metrics.reconfigure", "max_series", max_series, optional=True)
        await Metrics._reconfigure(server, max_series)

    @call
    def _reconfigure(self, max_series: int | None) -> None:
        if max_series is not None:
            self._table.limit(max_series)
