"""`DeadLetters`: signals that could not be brought, kept for who looks after them.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from typing import Literal

from suptree.services.signals.lane import Lane, Parcel
from suptree.services.signals.values import SignalDeadLetter

__all__ = ["DeadLetters"]


class DeadLetters:
    """The last *limit* of them, oldest first.

    Attributes:
        limit: As given; when it is lowered, those that are too many stay, and each new one
            pushes one out.
        last: The number of the newest.
        lost: How many had to make room for others.
    """

    __slots__ = ("_letters", "last", "limit", "lost")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._letters: dict[int, SignalDeadLetter] = {}
        self.last = 0
        self.lost = 0

    def add(
        self, lane: Lane, parcel: Parcel, reason: Literal["attempts", "down", "absent"], at: float
    ) -> None:
        """One more."""
        self.last += 1
        self._letters[self.last] = SignalDeadLetter(
            number=self.last,
            subscription=lane.id,
            subscriber=lane.subscription.subscriber,
            signal=parcel.signal,
            seq=parcel.seq,
            attempts=parcel.attempts,
            reason=reason,
            at=at,
        )
        if len(self._letters) > self.limit:
            del self._letters[next(iter(self._letters))]
            self.lost += 1

    def find(
        self,
        subscription: str | None,
        numbers: Collection[int] | None,
        limit: int,
        after: int = 0,
    ) -> list[SignalDeadLetter]:
        """Up to *limit*, those of the subscription and with the numbers, if any are given.

        Args:
            subscription: Its id; None: all.
            numbers: Which; None: all.
            limit: How many at most.
            after: Only those with a higher number.
        """
        most = min(limit, len(self._letters))  # islice takes no number above sys.maxsize
        return list(islice(self._wanted(subscription, numbers, after), most))

    def remove(self, number: int) -> None:
        """Forget one."""
        del self._letters[number]

    def clear(self, subscription: str | None) -> int:
        """Forget those of the subscription, or all; returns how many."""
        gone = [letter.number for letter in self._wanted(subscription, None, 0)]
        for number in gone:
            del self._letters[number]
        return len(gone)

    def __len__(self) -> int:
        return len(self._letters)

    def _wanted(
        self, subscription: str | None, numbers: Collection[int] | None, after: int
    ) -> Iterator[SignalDeadLetter]:
        for letter in self._letters.values():
            if (
                letter.number > after
                and subscription in (None, letter.subscription)
                and (numbers is None or letter.number in numbers)
            ):
                yield letter
