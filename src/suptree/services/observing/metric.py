"""`Metric`: which numbers of which event are kept, and how.  A value.

>>> from suptree.telemetry import Event
>>> SENT = Event("app.mail.sent", measurements={"size_bytes": "bytes"},
...              metadata={"queue": "which"}, doc="A mail went out.")
>>> Metric.counter(SENT, tags=("queue",)).name
'app.mail.sent'
>>> Metric.distribution(SENT, "size_bytes").name
'app.mail.sent.size_bytes'
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Final

from suptree.near import near
from suptree.services.observing.errors import MetricError
from suptree.services.observing.tags import tag_values
from suptree.telemetry import Event, Span

__all__ = ["Metric", "MetricKind", "platform_metrics"]

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")


class MetricKind(Enum):
    """How numbers become one."""

    COUNTER = "counter"
    """How many events."""
    SUM = "sum"
    """The sum of a measurement."""
    LAST_VALUE = "last_value"
    """The measurement as it was last."""
    DISTRIBUTION = "distribution"
    """All of them: count, sum, least, largest, percentiles."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.  Made by `counter`, `sum`, `last_value` and `distribution`.

    Attributes:
        kind: How numbers become one.
        event: Name of the event.
        measurement: Which of its numbers; "" for a counter.
        tags: Keys of its metadata by which numbers are kept apart.
        name: Its own, unique among those of one `Metrics`.
        doc: What it says.
        scale: Each number is multiplied by it: 1e-9 makes seconds of nanoseconds.
        monotonic: Of a sum: it never falls, so negative numbers are refused.
        buckets: Of a distribution: upper bounds to count by, beside the percentiles.

    Raises:
        MetricError: The event has no such measurement or metadata, or something is no number.
    """

    kind: MetricKind
    event: str
    measurement: str
    tags: tuple[str, ...]
    name: str
    doc: str
    scale: float = 1.0
    monotonic: bool = True
    buckets: tuple[float, ...] = ()

    def value_of(self, numbers: Mapping[str, float]) -> float | None:
        """What one event adds, scaled; None if it has no number, or one that makes no sense."""
        if self.kind is MetricKind.COUNTER:
            return 1.0
        value = numbers.get(self.measurement)
        if not isinstance(value, (int, float)):
            return None
        try:
            value *= self.scale
        except OverflowError:  # an int beyond every float; raised, it would cost the whole metric
            return None
        if not math.isfinite(value):
            return None
        rising = self.kind is MetricKind.SUM and self.monotonic
        return None if value < 0 and (rising or self.kind is MetricKind.DISTRIBUTION) else value

    def tags_of(self, facts: Mapping[str, object]) -> tuple[str, ...]:
        """The values of its tags, as short texts."""
        return tag_values(facts, self.tags)

    @classmethod
    def counter(
        cls, event: Event | str, *, tags: Iterable[str] = (), name: str | None = None, doc: str = ""
    ) -> Metric:
        """Count the events.

        Args:
            event: Its declaration, which measurement and tags are checked against; or its name.
            tags: Metadata by which they are counted apart.
            name: Default: that of the event, for the other kinds followed by the measurement.
            doc: Default: that of the event.
        """
        return _make(cls, MetricKind.COUNTER, event, "", tags, name, doc)

    @classmethod
    def sum(
        cls,
        event: Event | str,
        measurement: str,
        *,
        tags: Iterable[str] = (),
        name: str | None = None,
        doc: str = "",
        scale: float = 1.0,
        monotonic: bool = True,
    ) -> Metric:
        """Add up *measurement*; with ``monotonic=False`` it may fall again."""
        made = _make(cls, MetricKind.SUM, event, measurement, tags, name, doc, scale)
        return made if monotonic else _with(made, monotonic=False)

    @classmethod
    def last_value(
        cls,
        event: Event | str,
        measurement: str,
        *,
        tags: Iterable[str] = (),
        name: str | None = None,
        doc: str = "",
        scale: float = 1.0,
    ) -> Metric:
        """Keep *measurement* as it was last."""
        return _make(cls, MetricKind.LAST_VALUE, event, measurement, tags, name, doc, scale)

    @classmethod
    def distribution(
        cls,
        event: Event | str,
        measurement: str,
        *,
        tags: Iterable[str] = (),
        name: str | None = None,
        doc: str = "",
        scale: float = 1.0,
        buckets: Iterable[float] = (),
    ) -> Metric:
        """Keep how *measurement*, 0 or more, is distributed: percentiles to within 1 %.

        Args:
            buckets: Rising upper bounds, after scaling; with them an exporter makes a
                histogram, which can be added up over several programs, of it.
        """
        made = _make(cls, MetricKind.DISTRIBUTION, event, measurement, tags, name, doc, scale)
        bounds = tuple(float(bound) for bound in buckets)
        rising = all(low < high for low, high in pairwise(bounds))
        if not rising or not all(math.isfinite(bound) for bound in bounds):
            raise MetricError(made.name, "buckets", "finite bounds that rise", bounds)
        return _with(made, buckets=bounds)


def _make(
    cls: type[Metric],
    kind: MetricKind,
    event: Event | str,
    measurement: str,
    tags: Iterable[str],
    name: str | None,
    doc: str,
    scale: float = 1.0,
) -> Metric:
    _check_event(event, name)
    event_name = event.name if isinstance(event, Event) else event
    default = f"{event_name}.{measurement}" if measurement else event_name
    own_name = default if name is None else name
    keys = (tags,) if isinstance(tags, str) else tuple(tags)
    if not _NAME.fullmatch(own_name):
        raise MetricError(own_name, "name", "lower-case words joined by dots", own_name)
    if not (math.isfinite(scale) and scale > 0):
        raise MetricError(own_name, "scale", "finite and more than 0", scale)
    if isinstance(event, Event):
        doc = doc or event.doc
        known = (*event.measurements, *event.optional)
        if kind is not MetricKind.COUNTER and measurement not in known:
            _refuse(own_name, "measurement", event_name, measurement, known)
        for key in keys:
            if key not in event.metadata and key not in event.optional:
                _refuse(own_name, "tags", event_name, key, (*event.metadata, *event.optional))
    return cls(kind, event_name, measurement, keys, own_name, doc, scale)


def _check_event(event: object, name: str | None) -> None:
    if isinstance(event, Event | str):
        return
    what = "an Event or its name"
    if isinstance(event, Span):
        what = "an Event, such as the `started`, `stopped` or `failed` of a Span"
    raise MetricError(name or "", "event", what, event)


def _with(metric: Metric, *, monotonic: bool = True, buckets: tuple[float, ...] = ()) -> Metric:
    return Metric(
        metric.kind,
        metric.event,
        metric.measurement,
        metric.tags,
        metric.name,
        metric.doc,
        metric.scale,
        monotonic,
        buckets,
    )


def _refuse(who: str, field: str, event: str, got: str, known: tuple[str, ...]) -> None:
    what = f"of those that {event} declares ({', '.join(known) or 'none'})"
    raise MetricError(who, field, what, got, near(got, known))


RESTART: Final = "suptree.supervisor.child.restarted"


def platform_metrics() -> tuple[Metric, ...]:
    """What is worth watching of every runtime: processes, crashes, restarts, full mailboxes."""
    return (
        Metric.counter("suptree.process.started", doc="Processes started."),
        Metric.last_value(
            "suptree.process.started",
            "processes_count",
            name="suptree.processes.alive_count",
            doc="Processes alive when one was last started.",
        ),
        Metric.counter("suptree.process.exited", doc="Processes ended."),
        Metric.distribution(
            "suptree.process.exited", "lifetime_s", doc="Seconds that processes lived."
        ),
        Metric.counter("suptree.process.crashed", tags=("label",), doc="Processes crashed."),
        Metric.counter("suptree.process.abandoned", doc="Killed processes that did not unwind."),
        Metric.counter(RESTART, tags=("id",), doc="Restarts of children."),
        Metric.counter("suptree.supervisor.gave_up", doc="Supervisors that gave up."),
        Metric.counter(
            "suptree.mailbox.overflowed", tags=("label", "policy"), doc="Mailboxes that were full."
        ),
        Metric.counter(
            "suptree.telemetry.handler_failed",
            tags=("handler_id",),
            doc="Telemetry handlers that failed and were detached.",
        ),
    )
