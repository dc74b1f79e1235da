"""`Agenda`: when a server looks after which of its things, with one timer for the earliest.

A thing says in `armed` when it is looked after next.  An entry whose time is not that any
more is stale, and skipped; there are never many more of these than things.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from typing import Final, Generic, Protocol, TypeVar

from suptree.core import Timer
from suptree.otp import GenServer

__all__ = ["Agenda", "Armed"]

_FEW: Final = 64


class Armed(Protocol):
    """A thing that is looked after.

    Attributes:
        armed: When, in seconds of the runtime's clock; inf: not of itself.
    """

    armed: float


T = TypeVar("T", bound=Armed)


class Agenda(Generic[T]):
    """Things by the time at which they are looked after.

    Args:
        server: Whose timer it is.
        tick: The message by which that fires; the server then asks what is `due`.
    """

    __slots__ = ("_entries", "_live", "_number", "_server", "_tick", "_timer", "_timer_at")

    def __init__(self, server: GenServer, tick: object) -> None:
        self._server = server
        self._tick = tick
        self._entries: list[tuple[float, int, T]] = []
        self._live = 0  # entries that were not stale when the heap was last cleaned
        self._number = 0
        self._timer: Timer | None = None
        self._timer_at = math.inf

    def arm(self, thing: T, when: float) -> None:
        """Look after *thing* at *when*, which is before it would be anyway."""
        thing.armed = when
        self._number += 1
        heapq.heappush(self._entries, (when, self._number, thing))
        if len(self._entries) > _FEW + 4 * self._live:
            self._clean()
        self._set_timer()

    def due(self, now: float, limit: int) -> Iterator[T]:
        """Up to *limit* things whose time has come; to be called when the timer has fired."""
        self._timer = None
        self._timer_at = math.inf
        for _ in range(limit):
            if not self._entries or self._entries[0][0] > now:
                break
            when, _, thing = heapq.heappop(self._entries)
            if thing.armed == when:
                thing.armed = math.inf
                yield thing
        self._set_timer()

    def __len__(self) -> int:
        """How many entries there are, stale ones included."""
        return len(self._entries)

    def _clean(self) -> None:
        live = {
            (entry[0], id(entry[2])): entry for entry in self._entries if entry[2].armed == entry[0]
        }
        self._entries = list(live.values())
        self._live = len(self._entries)
        heapq.heapify(self._entries)

    def _set_timer(self) -> None:
        if not self._entries or self._entries[0][0] >= self._timer_at:
            return
        if self._timer is not None:
            self._server.cancel_timer(self._timer)
        self._timer_at = self._entries[0][0]
        delay = max(0.0, self._timer_at - self._server._process.runtime.now())
        self._timer = self._server.send_after(delay, self._tick)
