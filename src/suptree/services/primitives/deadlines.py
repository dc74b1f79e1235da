"""`Deadlines`: what is due when, for a server that arms one timer for the earliest of them.

Pure.  A heap with lazy deletion, swept when most of it is stale.

>>> deadlines = Deadlines()
>>> deadlines.set("a", 5.0); deadlines.set("b", 3.0); deadlines.set("b", 9.0)
>>> deadlines.earliest(), deadlines.pop_due(6.0), len(deadlines)
(5.0, ['a'], 1)
"""

from __future__ import annotations

import heapq
from typing import Final

__all__ = ["Deadlines"]

_STALE: Final = 64


class Deadlines:
    """One due time for each key."""

    __slots__ = ("_due", "_heap")

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def set(self, key: str, due: float) -> None:
        """*key* is due then, and not when it was before."""
        self._due[key] = due
        heapq.heappush(self._heap, (due, key))
        if len(self._heap) > 2 * len(self._due) + _STALE:
            self._heap = [(due, key) for key, due in self._due.items()]
            heapq.heapify(self._heap)

    def discard(self, key: str) -> None:
        """*key* is not due any more; no error if it was not."""
        self._due.pop(key, None)

    def earliest(self) -> float | None:
        """When the first is due."""
        heap = self._heap
        while heap and self._due.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def pop_due(self, now: float) -> list[str]:
        """Take out what is due, in the order of their times."""
        due: list[str] = []
        while (earliest := self.earliest()) is not None and earliest <= now:
            _, key = heapq.heappop(self._heap)
            del self._due[key]
            due.append(key)
        return due

    def __len__(self) -> int:
        return len(self._due)
