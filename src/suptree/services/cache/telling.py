"""`Teller`: says in telemetry what a cache does; nothing is built while nobody listens."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

from suptree.core import Pid
from suptree.services.cache.entry import Entry
from suptree.services.cache.events import (
    CACHE_CLEANED,
    CACHE_CLEARED,
    CACHE_COMPUTED,
    CACHE_DELETED,
    CACHE_EVICTED,
    CACHE_FAILED,
    CACHE_PUT,
)
from suptree.services.cache.flights import Flight
from suptree.telemetry import TelemetryBus

__all__ = ["Teller"]


class Teller:
    """See the module text."""

    __slots__ = ("_bus", "_cache", "_deleted", "_entries", "_evicted", "_put")

    def __init__(self, bus: TelemetryBus, cache: Pid[Any], entries: Sized) -> None:
        self._bus = bus
        self._cache = cache
        self._entries = entries
        self._put = bus.slot(CACHE_PUT)
        self._deleted = bus.slot(CACHE_DELETED)
        self._evicted = bus.slot(CACHE_EVICTED)

    def put(self, entry: Entry, *, replaced: bool) -> None:
        """A value is kept."""
        if self._put.handlers:
            numbers = {"ttl_s": entry.until - entry.since, "entries_count": len(self._entries)}
            self._put.emit(numbers, {**self._of(entry.key), "replaced": replaced})

    def deleted(self, entry: Entry) -> None:
        """A good value was deleted."""
        if self._deleted.handlers:
            self._deleted.emit({"entries_count": len(self._entries)}, self._of(entry.key))

    def evicted(self, entry: Entry, now: float) -> None:
        """A good value had to go."""
        if self._evicted.handlers:
            numbers = {"age_s": now - entry.since, "entries_count": len(self._entries)}
            self._evicted.emit(numbers, self._of(entry.key))

    def cleaned(self, count: int) -> None:
        """So many went whose time was over."""
        numbers = {"expired_count": count, "entries_count": len(self._entries)}
        self._bus.emit(CACHE_CLEANED, numbers, {"cache": self._cache})

    def cleared(self, count: int) -> None:
        """All were thrown away."""
        self._bus.emit(CACHE_CLEARED, {"cleared_count": count}, {"cache": self._cache})

    def computed(self, flight: Flight, duration: float, *, kept: bool) -> None:
        """A caller has made a value."""
        numbers = {"duration_s": duration, "waiters_count": len(flight.line)}
        self._bus.emit(CACHE_COMPUTED, numbers, {**self._of(flight.key), "kept": kept})

    def failed(self, flight: Flight, duration: float, error: Exception | None) -> None:
        """A caller has made none."""
        numbers = {"duration_s": duration, "waiters_count": len(flight.line)}
        self._bus.emit(CACHE_FAILED, numbers, {**self._of(flight.key), "error": error})

    def _of(self, key: object) -> dict[str, object]:
        return {"cache": self._cache, "key": key}
