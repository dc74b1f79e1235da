"""`DueHeap`: keys by the time at which they are due; the earliest at once, the first few in order.

Pure: no clock.  Equal times come in the order in which they were put.  What is discarded or
put anew stays in the heap until it comes up, or until such leftovers outnumber the rest.

>>> heap = DueHeap()
>>> heap.put("tea", 5.0); heap.put("bread", 3.0); heap.put("tea", 1.0)
>>> heap.first(2), heap.pop(now=2.0), heap.pop(now=2.0)
([('tea', 1.0), ('bread', 3.0)], 'tea', None)
"""

from __future__ import annotations

import heapq
from typing import Final, Generic, TypeVar

__all__ = ["DueHeap"]

K = TypeVar("K")

_SLACK: Final = 64


class DueHeap(Generic[K]):
    """A heap of keys, each at one time."""

    __slots__ = ("_heap", "_live", "_seq")

    def __init__(self) -> None:
        # Invariant: an entry is live if its number is the one that _live has for its key.
        self._heap: list[tuple[float, int, K]] = []
        self._live: dict[K, int] = {}
        self._seq = 0

    def put(self, key: K, due: float) -> None:
        """Have *key* come at *due*, and no more when it did before."""
        self._seq += 1
        self._live[key] = self._seq
        heapq.heappush(self._heap, (due, self._seq, key))
        self._prune()

    def discard(self, key: K) -> None:
        """Have *key* come no more; no error if it did not."""
        if self._live.pop(key, None) is not None:
            self._prune()

    def earliest(self) -> float | None:
        """When the next key is due; None if there is none."""
        heap = self._heap
        while heap and self._live.get(heap[0][2]) != heap[0][1]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def pop(self, now: float) -> K | None:
        """Take the first key that is due at *now*; None if there is none."""
        due = self.earliest()
        if due is None or due > now:
            return None
        key = heapq.heappop(self._heap)[2]
        del self._live[key]
        self._prune()
        return key

    def first(self, count: int) -> list[tuple[K, float]]:
        """The next *count* keys and when they are due, in order; looks at little more than those."""
        heap = self._heap
        found: list[tuple[K, float]] = []
        edge = [(heap[0][0], heap[0][1], 0)] if heap else []
        while edge and len(found) < count:
            due, seq, at = heapq.heappop(edge)
            key = heap[at][2]
            if self._live.get(key) == seq:
                found.append((key, due))
            for below in (2 * at + 1, 2 * at + 2):
                if below < len(heap):
                    heapq.heappush(edge, (heap[below][0], heap[below][1], below))
        return found

    def _prune(self) -> None:
        if len(self._heap) > 2 * len(self._live) + _SLACK:
            self._heap = [one for one in self._heap if self._live.get(one[2]) == one[1]]
            heapq.heapify(self._heap)

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, key: object) -> bool:
        return key in self._live
