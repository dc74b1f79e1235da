"""`FairLine`: who waits, so that the callers take turns, however many each has in the line.

>>> line = FairLine[str, int]()
>>> line.add("ann", 1); line.add("ann", 2); line.add("bob", 3)
>>> line.next(), line.next(), line.next(), line.next()
(1, 3, 2, None)
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

__all__ = ["FairLine"]

K = TypeVar("K", bound=Hashable)
T = TypeVar("T", bound=Hashable)


class FairLine(Generic[K, T]):
    """Items by caller; a caller that got its turn goes behind the others.  Each step is O(1)."""

    __slots__ = ("_by_caller", "_size")

    def __init__(self) -> None:
        # Invariant: no caller has an empty line; the first caller is the next.
        self._by_caller: dict[K, dict[T, None]] = {}
        self._size = 0

    def add(self, caller: K, item: T) -> None:
        """*item* waits behind what its caller has in the line already."""
        self._by_caller.setdefault(caller, {})[item] = None
        self._size += 1

    def discard(self, caller: K, item: T) -> None:
        """*item* waits no longer; no error if it did not."""
        items = self._by_caller.get(caller)
        if items is None or item not in items:
            return
        del items[item]
        self._size -= 1
        if not items:
            del self._by_caller[caller]

    def next(self) -> T | None:
        """Take out whose turn it is; None: nobody waits."""
        if not self._size:
            return None
        caller = next(iter(self._by_caller))
        items = self._by_caller.pop(caller)
        item = next(iter(items))
        del items[item]
        self._size -= 1
        if items:
            self._by_caller[caller] = items
        return item

    def count(self, caller: K) -> int:
        """How many *caller* has in the line."""
        return len(self._by_caller.get(caller, ()))

    def __iter__(self) -> Iterator[T]:
        return iter([item for items in self._by_caller.values() for item in items])

    def __len__(self) -> int:
        return self._size
