"""`Lanes`: who waits for one of a number of places, and who has one.  Pure.

There is a quick lane and a slow one.  Those that hung the last time wait in the slow
lane, and have at most half of the places: however many hang, there is room for the others.

>>> lanes = Lanes(places=4)
>>> for key in (1, 2, 3): lanes.put(key, slow=True)
>>> lanes.put(4, slow=False)
>>> [lanes.take() for _ in range(4)]
[4, 1, 2, None]
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["Lanes"]

K = TypeVar("K", bound=Hashable)


class Lanes(Generic[K]):
    """Keys that wait, and keys that have a place; each is there once at most.

    Args:
        places: How many there are; half of them, at least one, are for the slow lane.
    """

    __slots__ = ("_places", "_running", "_slow_places", "_waiting")

    def __init__(self, places: int) -> None:
        self.resize(places)
        quick: OrderedDict[K, None] = OrderedDict()  # a dict is slow where its first one goes
        slow: OrderedDict[K, None] = OrderedDict()
        self._waiting = quick, slow
        self._running: dict[K, bool] = {}

    def put(self, key: K, *, slow: bool) -> None:
        """*key* waits, last in its lane; nothing happens if it waits or runs already."""
        if key not in self:
            self._waiting[slow][key] = None

    def take(self) -> K | None:
        """Who may go now, and has a place until `leave`; None if nobody may."""
        if len(self._running) >= self._places:
            return None
        for slow, lane in enumerate(self._waiting):
            free = not slow or sum(self._running.values()) < self._slow_places
            if lane and free:
                key, _ = lane.popitem(last=False)
                self._running[key] = bool(slow)
                return key
        return None

    def leave(self, key: K) -> None:
        """*key* needs no place, now or later; no error if it did not."""
        self._running.pop(key, None)
        for lane in self._waiting:
            lane.pop(key, None)

    def resize(self, places: int) -> None:
        """Have another number of places; who has one keeps it."""
        self._places = places
        self._slow_places = max(1, places // 2)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting))

    def __contains__(self, key: object) -> bool:
        return key in self._running or any(key in lane for lane in self._waiting)
