"""`Batches`: many events of one kind as one, their numbers summed.  Pure: `now` is a parameter.

>>> from suptree.telemetry import Event
>>> SENT = Event("app.mail.sent", measurements={"size_bytes": "bytes"}, doc="A mail went out.")
>>> batches = Batches({SENT: Batch(size=2)})
>>> batches.add(SENT, {"size_bytes": 100}, {}, now=0.0)
[]
>>> [(event, numbers, facts)] = batches.add(SENT, {"size_bytes": 20}, {}, now=0.1)
>>> event, numbers
(<Event app.mail.sent.batched>, {'size_bytes': 120, 'events_count': 2})
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from sys import float_info
from typing import Final, TypeAlias

from suptree.services.observing.tags import tag_values
from suptree.services.parts.checks import check_count, check_number
from suptree.telemetry import Event

__all__ = ["Batch", "Batched", "Batches", "batched_event"]

Batched: TypeAlias = tuple[Event, dict[str, float], dict[str, object]]


@dataclass(frozen=True, slots=True)
class Batch:
    """When the events of one kind are emitted as one.

    Args:
        size: As soon as there are so many.
        timeout: So many seconds after the first of them at the latest.
        tags: Metadata by which they are kept apart: a batch for each combination of values.
        max_groups: How many of those are open at once; for one more the oldest is emitted early.
    """

    size: int = 100
    timeout: float = 1.0
    tags: tuple[str, ...] = ()
    max_groups: int = 1000

    def __post_init__(self) -> None:
        check_count("Batch", "size", self.size)
        check_count("Batch", "max_groups", self.max_groups)
        check_number("Batch", "timeout", self.timeout, above=0, of="seconds")


DEFAULT: Final = Batch()
_LARGEST: Final = float_info.max


def batched_event(event: Event, tags: tuple[str, ...] = ()) -> Event:
    """The declaration of what a batch of *event* is emitted as: `<name>.batched`."""
    return Event(
        f"{event.name}.batched",
        measurements={
            **{key: f"sum of: {meaning}" for key, meaning in event.measurements.items()},
            "events_count": "how many events these are",
        },
        metadata={tag: event.metadata.get(tag, "as text") for tag in tags},
        doc=f"Several at once: {event.doc}",
    )


class _Group:
    """One open batch."""

    __slots__ = ("count", "due", "sums", "values")

    def __init__(self, event: Event, values: tuple[str, ...], due: float) -> None:
        self.values = values
        self.due = due
        self.count = 0
        self.sums: dict[str, float] = dict.fromkeys(event.measurements, 0)


class _Kind:
    """The open batches of one event, oldest first: they all last equally long."""

    __slots__ = ("batch", "declared", "event", "groups")

    def __init__(self, event: Event, batch: Batch) -> None:
        self.event = event
        self.batch = batch
        self.declared = batched_event(event, batch.tags)
        self.groups: dict[tuple[str, ...], _Group] = {}

    def close(self, group: _Group) -> Batched:
        del self.groups[group.values]
        facts: dict[str, object] = dict(zip(self.batch.tags, group.values, strict=True))
        return self.declared, {**group.sums, "events_count": group.count}, facts

    def oldest(self) -> _Group | None:
        return next(iter(self.groups.values()), None)


class Batches:
    """See the module text.

    Args:
        batches: How to batch which event; those not named go by `Batch()`.

    Attributes:
        refused: Measurements that were no finite numbers, or made none of a sum, and so
            were not added.
        early: Batches that were closed for want of room.
    """

    __slots__ = ("_chosen", "_kinds", "early", "refused")

    def __init__(self, batches: Mapping[Event, Batch] | None = None) -> None:
        self._chosen = {event.name: batch for event, batch in (batches or {}).items()}
        self._kinds: dict[str, _Kind] = {}
        self.refused = 0
        self.early = 0

    def add(
        self, event: Event, numbers: Mapping[str, float], facts: Mapping[str, object], now: float
    ) -> list[Batched]:
        """Add one event; what is to be emitted now."""
        kind = self._kinds.get(event.name)
        if kind is None:
            batch = self._chosen.get(event.name, DEFAULT)
            kind = self._kinds[event.name] = _Kind(event, batch)
        full: list[Batched] = []
        values = tag_values(facts, kind.batch.tags)
        group = kind.groups.get(values)
        if group is None:
            oldest = kind.oldest()
            if oldest is not None and len(kind.groups) >= kind.batch.max_groups:
                self.early += 1
                full.append(kind.close(oldest))
            group = kind.groups[values] = _Group(event, values, now + kind.batch.timeout)
        self._sum(group, numbers)
        if group.count >= kind.batch.size:
            full.append(kind.close(group))
        return full

    def _sum(self, group: _Group, numbers: Mapping[str, float]) -> None:
        group.count += 1
        sums = group.sums
        for key, value in numbers.items():
            total = sums.get(key, 0)
            # Not math.isfinite: it raises for an int beyond every float.
            if isinstance(value, (int, float)) and abs(value) <= _LARGEST - abs(total):  # pyright: ignore[reportUnnecessaryIsInstance]
                sums[key] = total + value
            else:
                self.refused += 1

    def due(self, now: float) -> list[Batched]:
        """Close and give what is due."""
        closed: list[Batched] = []
        for kind in self._kinds.values():
            while (group := kind.oldest()) is not None and group.due <= now:
                closed.append(kind.close(group))
        return closed

    def next_due(self) -> float | None:
        """When the next batch is due; None while none is open."""
        oldest = [group.due for kind in self._kinds.values() if (group := kind.oldest())]
        return min(oldest, default=None)

    def flush(self) -> list[Batched]:
        """Close and give everything."""
        return self.due(math.inf)

    def open_count(self) -> int:
        """How many batches are open."""
        return sum(len(kind.groups) for kind in self._kinds.values())

    def held_count(self) -> int:
        """How many events are in them."""
        return sum(group.count for kind in self._kinds.values() for group in kind.groups.values())
