"""`Deadlines`: many things that each have a moment, and one timer for all of them.

A heap with lazy deletion.  What is settled before its moment stays in the heap until it
comes up, or until there is more of that than of what still waits.  No clock: `now` is a
parameter.
"""

from __future__ import annotations

import heapq
import math
from typing import Final, Generic, Protocol, TypeVar

__all__ = ["NEVER", "Deadlines", "HasDue"]

NEVER: Final = math.inf
_SLACK: Final = 64


class HasDue(Protocol):
    """What can have a moment; `Deadlines` alone writes the attribute."""

    due: float
    """When, in seconds of whoever's clock; `NEVER`: it has none."""


T = TypeVar("T", bound=HasDue)


class Deadlines(Generic[T]):
    """Things by their moments; each has one at most.

    Attributes:
        live: How many have a moment.
        soonest: Nothing is due before that.  A bound: what was due then may be settled.
    """

    __slots__ = ("_heap", "_seq", "live", "soonest")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._seq = 0
        self.live = 0
        self.soonest = NEVER

    def set(self, item: T, due: float) -> None:
        """*item* is due at *due* from now on, and no longer when it was before."""
        if item.due == due:
            return
        if item.due == NEVER:
            self.live += 1
        item.due = due
        if due == NEVER:
            self.live -= 1
            return
        self._seq += 1
        heap = self._heap
        if len(heap) > 2 * self.live + _SLACK:
            heap = self._heap = [entry for entry in heap if entry[2].due == entry[0]]
            heapq.heapify(heap)
        heapq.heappush(heap, (due, self._seq, item))
        if due < self.soonest:
            self.soonest = due

    def clear(self, item: T) -> None:
        """*item* has no moment any more."""
        if item.due != NEVER:
            item.due = NEVER
            self.live -= 1

    def take_due(self, now: float) -> T | None:
        """Take out the one that is due first, if it is due; it has no moment then."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            due, _, item = heapq.heappop(heap)
            if item.due == due:
                item.due = NEVER
                self.live -= 1
                return item
        return None

    def next_due(self) -> float:
        """When the next one is due; `NEVER` if nothing is."""
        heap = self._heap
        while heap and heap[0][2].due != heap[0][0]:
            heapq.heappop(heap)
        self.soonest = heap[0][0] if heap else NEVER
        return self.soonest

    def __len__(self) -> int:
        """How many have a moment."""
        return self.live
