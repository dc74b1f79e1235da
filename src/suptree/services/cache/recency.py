"""`Recency`: which entry was used longest ago, exactly, though those who use them only stamp them.

A heap of the numbers that entries had when they were last looked at here.  A number in it is
never larger than the entry's own, so when the smallest one is still right, that entry was
used longest ago; when it is not, it goes back with the right one.  A use so costs its reader one
assignment, and the server one step of the heap, later and at most.  No clock.

>>> recency = Recency()
>>> tea, bread = Entry("tea", 1, 0.0, 9.0), Entry("bread", 2, 0.0, 9.0)
>>> recency.add(tea); recency.add(bread)
>>> tea.used = recency.next()
>>> recency.oldest().key
'bread'
"""

from __future__ import annotations

import heapq
from itertools import count
from typing import Final

from suptree.services.cache.entry import Entry

__all__ = ["Recency"]

_SLACK: Final = 64


class Recency:
    """See the module text.

    Attributes:
        next: Gives the number of the next use.
    """

    __slots__ = ("_heap", "_live", "next")

    def __init__(self) -> None:
        # Invariant: each entry that is not dropped is in the heap once, with a number of its
        # own that is at most its `used`; numbers are unique, so entries are never compared.
        self._heap: list[tuple[int, Entry]] = []
        self._live = 0
        self.next = count().__next__

    def add(self, entry: Entry) -> None:
        """*entry* is there, and used just now."""
        entry.used = self.next()
        self._live += 1
        self._prune()
        heapq.heappush(self._heap, (entry.used, entry))

    def drop(self, entry: Entry) -> None:
        """*entry* is not there any more."""
        entry.used = -1
        self._live -= 1

    def clear(self) -> None:
        """No entry is there any more."""
        self._heap.clear()
        self._live = 0

    def oldest(self) -> Entry | None:
        """The entry that was used longest ago; it stays.  None if there is none."""
        heap = self._heap
        while heap:
            noted, entry = heap[0]
            if entry.used == noted:
                return entry
            if entry.used < 0:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, (entry.used, entry))
        return None

    def _prune(self) -> None:
        if len(self._heap) > 2 * self._live + _SLACK:
            self._heap = [(entry.used, entry) for _, entry in self._heap if entry.used >= 0]
            heapq.heapify(self._heap)

    def __len__(self) -> int:
        """How many entries are there."""
        return self._live
