"""What a cache keeps, and what it counts."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from suptree.services.parts.deadlines import NEVER

__all__ = ["CacheStats", "Entry", "Tally"]


class Entry:
    """One value.  The server makes it and throws it away; whoever reads it stamps `used`.

    Attributes:
        key: Under which it is kept.
        value: What was put.
        since: When, in seconds of the runtime's clock.
        until: From then on it is not good any more.
        due: The same, while it is there; written by `Deadlines` alone.
        used: The number of its last use; a later use has a larger one.  -1: it is gone.
    """

    __slots__ = ("due", "key", "since", "until", "used", "value")

    def __init__(self, key: Hashable, value: Any, since: float, until: float) -> None:
        self.key = key
        self.value = value
        self.since = since
        self.until = until
        self.due = NEVER
        self.used = -1


@dataclass(slots=True)
class Tally:
    """The counters of `CacheStats`, under the same names."""

    hits: int = 0
    missed_absent: int = 0
    missed_expired: int = 0
    puts: int = 0
    replaced: int = 0
    deleted: int = 0
    cleared: int = 0
    evicted: int = 0
    expired: int = 0
    computed: int = 0
    failed: int = 0
    shared: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """How a cache stands, and what it has done since it started.

    Always: ``puts == entries + replaced + deleted + cleared + evicted + expired``; and every
    read is one of `hits`, `missed_absent` and `missed_expired`.

    Attributes:
        entries: How many there are, those included whose time is over and that are not yet
            cleaned away.
        computing: Values that are being computed now.
        waiting: Callers that wait for one of these.
        hits: Reads that got a value.
        missed_absent: Reads that found nothing.
        missed_expired: Reads that found a value whose time was over.
        puts: Values that were kept, computed ones included.
        replaced: Values that gave way to another one of the same key while they were good.
        deleted: Good values that were deleted by hand.
        cleared: Entries that were there when all were thrown away by hand.
        evicted: Good values that had to go for want of room.
        expired: Values that went because their time was over.
        computed: Computations that gave a value.
        failed: Computations that did not: they raised, were cancelled, or their caller ended.
        shared: Calls that got the value of somebody else's computation.
    """

    entries: int
    computing: int
    waiting: int
    hits: int = 0
    missed_absent: int = 0
    missed_expired: int = 0
    puts: int = 0
    replaced: int = 0
    deleted: int = 0
    cleared: int = 0
    evicted: int = 0
    expired: int = 0
    computed: int = 0
    failed: int = 0
    shared: int = 0

    @property
    def misses(self) -> int:
        """Reads that got no value."""
        return self.missed_absent + self.missed_expired

    @property
    def hit_rate(self) -> float:
        """The part of all reads that got a value, 0 to 1; 0 before the first read."""
        reads = self.hits + self.misses
        return self.hits / reads if reads else 0.0
