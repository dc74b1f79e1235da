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

from collections.abc import Hashable
from typing import Generic, TypeVar

from suptree.services.parts.due_heap import DueHeap

__all__ = ["Agenda"]

K = TypeVar("K", bound=Hashable)


class Agenda(Generic[K]):
    """Keys with the time at which each is due; `pop` gives those that are."""

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: DueHeap[K] = DueHeap()

    def set(self, key: K, due: float) -> None:
        """*key* is due at *due*, and no longer when it was before."""
        self._heap.put(key, due)

    def discard(self, key: K) -> None:
        """*key* is not due any more; no error if it never was."""
        self._heap.discard(key)

    def earliest(self) -> float | None:
        """When the first one is due; None: nothing ever is."""
        return self._heap.earliest()

    def pop(self, now: float) -> list[K]:
        """Take out everything that is due at *now*, in the order in which it was due."""
        ready: list[K] = []
        while (due := self._heap.earliest()) is not None and due <= now:
            key = self._heap.pop(now)
            assert key is not None
            ready.append(key)
        return ready

    def __contains__(self, key: object) -> bool:
        return key in self._heap

    def __len__(self) -> int:
        """How many keys are due some time."""
        return len(self._heap)
