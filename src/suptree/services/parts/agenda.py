"""`Agenda`: what is due when, for a service that waits with one timer for many things.

One time for each key.  Setting, moving and discarding cost a heap push at most, and the
memory is that of the keys that are there, however often they were moved.

>>> due: Agenda[str] = Agenda()
>>> due.set("lease", 5.0)
>>> due.set("retry", 2.0)
>>> due.earliest(), due.pop(now=3.0), due.earliest()
(2.0, ['retry'], 5.0)
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

__all__ = ["Agenda"]

K = TypeVar("K", bound=Hashable)

_SLACK: Final = 64  # dead entries that are not worth a clean-up


class Agenda(Generic[K]):
    """Keys with the time at which each is due; `pop` gives those that are."""

    __slots__ = ("_due", "_heap", "_number")

    def __init__(self) -> None:
        # Invariant: a heap entry is alive if and only if `_due` has its time and number.
        self._due: dict[K, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._number = 0

    def set(self, key: K, due: float) -> None:
        """*key* is due at *due*, and no longer when it was before."""
        self._number += 1
        self._due[key] = due, self._number
        heapq.heappush(self._heap, (due, self._number, key))
        if len(self._heap) > 2 * len(self._due) + _SLACK:
            self._heap = [(due, number, key) for key, (due, number) in self._due.items()]
            heapq.heapify(self._heap)

    def discard(self, key: K) -> None:
        """*key* is not due any more; no error if it never was."""
        self._due.pop(key, None)

    def earliest(self) -> float | None:
        """When the first one is due; None: nothing ever is."""
        heap = self._heap
        while heap and not self._is_alive(heap[0]):
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def pop(self, now: float) -> list[K]:
        """Take out everything that is due at *now*, in the order in which it was due."""
        ready: list[K] = []
        while (due := self.earliest()) is not None and due <= now:
            key = heapq.heappop(self._heap)[2]
            del self._due[key]
            ready.append(key)
        return ready

    def _is_alive(self, entry: tuple[float, int, K]) -> bool:
        due, number, key = entry
        return self._due.get(key) == (due, number)

    def __contains__(self, key: object) -> bool:
        return key in self._due

    def __len__(self) -> int:
        """How many keys are due some time."""
        return len(self._due)
