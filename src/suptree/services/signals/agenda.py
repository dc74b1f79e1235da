"""`Agenda`: when a server looks after which of its things, with one timer for the earliest.

A thing says in `armed` when it is looked after next.  An entry whose time is not that any
more is stale, and skipped; there are never many more of these than things.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from typing import Final, Generic, Protocol, TypeVar

from suptree.otp import GenServer
from suptree.services.parts.alarm import Alarm

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
        server: Whose timer it is.  It is shown every message that might be the timer's: `rang`.
    """

    __slots__ = ("_alarm", "_entries", "_live", "_now", "_number")

    def __init__(self, server: GenServer) -> None:
        self._alarm = Alarm(server)
        self._now = server._process.runtime.now
        self._entries: list[tuple[float, int, T]] = []
        self._live = 0  # entries that were not stale when the heap was last cleaned
        self._number = 0

    def arm(self, thing: T, when: float) -> None:
        """Look after *thing* at *when*, which is before it would be anyway."""
        thing.armed = when
        self._number += 1
        heapq.heappush(self._entries, (when, self._number, thing))
        if len(self._entries) > _FEW + 4 * self._live:
            self._clean()
        if when < self._alarm.due:
            self._alarm.arm(when, self._now())

    def rang(self, message: object) -> bool:
        """Whether *message* is that of the timer: the server then asks what is `due`."""
        return self._alarm.rang(message)

    def due(self, now: float, limit: int) -> Iterator[T]:
        """Up to *limit* things whose time has come; to be called when the timer has fired."""
        for _ in range(limit):
            if not self._entries or self._entries[0][0] > now:
                break
            when, _, thing = heapq.heappop(self._entries)
            if thing.armed == when:
                thing.armed = math.inf
                yield thing
        if self._entries:
            self._alarm.arm(self._entries[0][0], now)

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
