"""`OncePer`: which event is the first of its kind within an interval.  Pure and bounded.

>>> once = OncePer(max_keys=1000)
>>> [once.is_first("disk full", 60.0, now) for now in (0.0, 30.0, 60.0)]
[True, False, True]
"""

from __future__ import annotations

from collections.abc import Hashable
from heapq import heappop, heappush

from suptree.services.parts.checks import bad_argument, check_count, check_number

__all__ = ["OncePer"]


class OncePer:
    """Remembers each key for as long as its interval lasts, then forgets it.

    Args:
        max_keys: How many are remembered; for one more, the one that would be forgotten
            first is forgotten early (`evicted`), so that it may come too soon.
        forget_after: The longest interval that is accepted, in seconds: no key is remembered
            for longer.

    Attributes:
        suppressed: Events that were not the first of their kind.
        evicted: Keys that were forgotten early for want of room.
    """

    __slots__ = (
        "_forget_after",
        "_heap",
        "_keys",
        "_max_keys",
        "_number",
        "evicted",
        "suppressed",
    )

    def __init__(self, *, max_keys: int = 10_000, forget_after: float = 300.0) -> None:
        check_count("OncePer", "max_keys", max_keys)
        check_number("OncePer", "forget_after", forget_after, above=0, of="seconds")
        self._max_keys = max_keys
        self._forget_after = forget_after
        self._keys: set[Hashable] = set()
        self._heap: list[tuple[float, int, Hashable]] = []  # until when; one for each key
        self._number = 0  # so that keys are never compared
        self.suppressed = 0
        self.evicted = 0

    def is_first(self, key: Hashable, interval: float, now: float) -> bool:
        """Whether *key* did not come within the last *interval* seconds; then it has now.

        Raises:
            ValueError: *interval* is not more than 0, or longer than `forget_after`.
        """
        if not 0 < interval <= self._forget_after:
            raise bad_argument(
                "OncePer",
                "interval",
                f"more than 0 and at most {self._forget_after} s, after which keys are forgotten",
                interval,
                "Raise forget_after.",
            )
        self.forget(now)
        if key in self._keys:
            self.suppressed += 1
            return False
        if len(self._keys) >= self._max_keys:
            self._forget_one()
            self.evicted += 1
        self._number += 1
        self._keys.add(key)
        heappush(self._heap, (now + interval, self._number, key))
        return True

    def forget(self, now: float) -> None:
        """Forget the keys whose interval is over."""
        while self._heap and self._heap[0][0] <= now:
            self._forget_one()

    def _forget_one(self) -> None:
        self._keys.discard(heappop(self._heap)[2])

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._keys)
