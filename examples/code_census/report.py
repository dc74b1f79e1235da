"""What telemetry says of a run: a value, made from a snapshot of `Metrics`.

The numbers come from the events of the platform alone: the supervisors', the
CoordinationManager's and the SchedulerManager's.  Nothing in the census counts for it.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import Self

from suptree.services import Metric, MetricsSnapshot, MetricSummary

RESTARTED = "suptree.supervisor.child.restarted"
STARTED, EXITED = "suptree.process.started", "suptree.process.exited"
MESSAGE = "suptree.coordination.message"
BREAKER = "suptree.coordination.breaker.changed"
FIRED, LAG, MISSED = "suptree.job.fired", "suptree.job.fired.lag_s", "suptree.job.missed"

KEPT = (
    Metric.counter(RESTARTED, tags=["id"]),
    Metric.counter(STARTED),
    Metric.counter(EXITED, tags=["reason"]),
    Metric.counter(f"{MESSAGE}.acknowledged", tags=["to"]),
    *(
        Metric.counter(f"{MESSAGE}.{end}")
        for end in ("retried", "buffered", "rejected", "expired", "dead_lettered")
    ),
    Metric.counter(BREAKER, tags=["after"]),
    Metric.counter(FIRED),
    Metric.distribution(FIRED, "lag_s"),
    Metric.counter(MISSED),
)
"""What is counted during a run."""

TITLE, WIDTH = 11, 100
"""Columns of the titles, and of the page."""


@dataclass(frozen=True, slots=True)
class Report:
    """What happened, as telemetry told it.

    Attributes:
        restarts: Restarts by supervisors, by child, most first.  A child that is started
            again because one above it died is not among them.
        started: Processes started.
        ended: Processes ended, and of these `killed`.
        acknowledged: Messages that their receiver has acknowledged, by receiver.
        retried: Attempts to deliver one that failed, and were followed by another.
        buffered: Senders that were told to look later.
        rejected: Messages that were not accepted.
        expired: Messages whose time was over.
        dead_lettered: Messages that were given up.
        breakers_opened: How often the lane of a receiver that kept failing was closed for a while.
        ticks: Jobs of the scheduler that came.
        ticks_missed: How often one could not come in time, or only once for several times.
        lag_p99_s: The lag that 99 of 100 ticks were not above, in seconds.
    """

    restarts: dict[str, int]
    started: int
    ended: int
    killed: int
    acknowledged: dict[str, int]
    retried: int
    buffered: int
    rejected: int
    expired: int
    dead_lettered: int
    breakers_opened: int
    ticks: int
    ticks_missed: int
    lag_p99_s: float

    @classmethod
    def of_nothing(cls) -> Self:
        """Nothing has happened."""
        return cls.of(MetricsSnapshot((), (), 0, 0))

    @classmethod
    def of(cls, snapshot: MetricsSnapshot) -> Self:
        """What *snapshot*, of the metrics `KEPT`, says."""
        exits = _by(snapshot, EXITED, "reason")
        lag = snapshot.get(LAG)
        return cls(
            restarts=_by(snapshot, RESTARTED, "id"),
            started=_count(snapshot, STARTED),
            ended=sum(exits.values()),
            killed=exits.get("KILLED", 0),
            acknowledged=_by(snapshot, f"{MESSAGE}.acknowledged", "to"),
            retried=_count(snapshot, f"{MESSAGE}.retried"),
            buffered=_count(snapshot, f"{MESSAGE}.buffered"),
            rejected=_count(snapshot, f"{MESSAGE}.rejected"),
            expired=_count(snapshot, f"{MESSAGE}.expired"),
            dead_lettered=_count(snapshot, f"{MESSAGE}.dead_lettered"),
            breakers_opened=_by(snapshot, BREAKER, "after").get("open", 0),
            ticks=_count(snapshot, FIRED),
            ticks_missed=_count(snapshot, MISSED),
            lag_p99_s=lag.p99 if isinstance(lag, MetricSummary) else 0.0,
        )

    def __str__(self) -> str:
        return "\n".join(
            [
                row("restarts", f"{sum(self.restarts.values()):,} by supervisors", self._whom()),
                row(
                    "processes",
                    f"{self.started:,} started",
                    f"{self.ended:,} ended",
                    f"{self.killed:,} of them killed",
                ),
                row(
                    "messages",
                    f"{sum(self.acknowledged.values()):,} acknowledged",
                    f"{self.retried:,} retried",
                    f"{self.buffered:,} buffered",
                    f"{self.rejected:,} rejected",
                    f"{self.expired:,} expired",
                    f"{self.dead_lettered:,} dead-lettered",
                ),
                row("breakers", f"{self.breakers_opened:,} opened"),
                row(
                    "ticks",
                    f"{self.ticks:,} fired",
                    f"{self.ticks_missed:,} missed",
                    f"lag p99 {self.lag_p99_s * 1000:.1f} ms",
                ),
            ]
        )

    def _whom(self) -> str:
        """Who was restarted how often; the workers together."""
        counts = Counter[str]()
        for child, count in self.restarts.items():
            counts[_short(child)] += count
        return ", ".join(f"{count:,} {child}" for child, count in counts.most_common())


def _short(child: str) -> str:
    """What a child is to people: of 'system.managers.scheduler' and 'worker.3' the last word."""
    words = [part for part in child.split(".") if not part.isdecimal()]
    return words[-1] if words else "partition"


def row(title: str, *facts: str) -> str:
    """A title and what belongs to it, folded at the width of a page."""
    text = ", ".join(fact for fact in facts if fact)
    return textwrap.fill(
        text, WIDTH, initial_indent=f"{title:<{TITLE}}", subsequent_indent=" " * TITLE
    )


def _count(snapshot: MetricsSnapshot, name: str) -> int:
    return sum(_by(snapshot, name, "").values())


def _by(snapshot: MetricsSnapshot, name: str, tag: str) -> dict[str, int]:
    """A counter by the values of its tag, most first."""
    counts = {
        one.tags.get(tag, ""): int(one.value)
        for one in snapshot.series
        if one.metric.name == name and isinstance(one.value, float)
    }
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
