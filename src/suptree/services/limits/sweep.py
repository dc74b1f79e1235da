"""`Sweep`: forget idle keys, some in each turn, so that nobody waits for a clean-up.  No clock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from suptree.services.limits.book import Key, Limiter

__all__ = ["Sweep"]

_SLICE: Final = 500
"""Keys that are looked at in one turn."""


class Sweep:
    """One clean-up after the other.

    Attributes:
        removed: Keys forgotten by the one that runs, or ran last.
        cleaned: Keys forgotten by all that have ended.
    """

    __slots__ = ("_left", "cleaned", "removed")

    def __init__(self) -> None:
        self._left: list[Key] = []
        self.removed = 0
        self.cleaned = 0

    @property
    def runs(self) -> bool:
        """Whether there are keys left to look at."""
        return bool(self._left)

    def begin(self, limiters: Iterable[Limiter]) -> None:
        """Look at every key that there is now."""
        self._left = [key for limiter in limiters for key in limiter.keys.values()]
        self.removed = 0

    def step(self, now: float) -> bool:
        """Look at some of them; whether that was the last step."""
        some, self._left = self._left[-_SLICE:], self._left[:-_SLICE]
        for key in some:
            keys = key.limiter.keys
            if keys.get(key.who) is key and key.is_idle(now):
                del keys[key.who]
                self.removed += 1
        if self._left:
            return False
        self.cleaned += self.removed
        return True
