"""`Permits`: so many at once, and a bounded line of those who wait, first come first served.  No clock.

Somebody is known by a ticket, which is any hashable thing of its own.

>>> permits = Permits[str](limit=1, max_waiting=1)
>>> permits.enter("ann"), permits.enter("bob"), permits.enter("cyn")
(<Entered.HELD: 'held'>, <Entered.WAITING: 'waiting'>, <Entered.REFUSED: 'refused'>)
>>> permits.leave("ann")
['bob']
"""

from __future__ import annotations

from enum import StrEnum
from typing import Generic, TypeVar

from suptree.services.parts.checks import check_count

__all__ = ["Entered", "Permits"]

T = TypeVar("T")


class Entered(StrEnum):
    """What became of who came."""

    HELD = "held"
    WAITING = "waiting"
    REFUSED = "refused"


class Permits(Generic[T]):
    """Who holds a permit, and who waits for one.

    Args:
        limit: So many hold one at once.
        max_waiting: So many wait at once; those after them are refused.

    Raises:
        ValueError: One of them is out of bounds.
    """

    __slots__ = ("_holding", "_line", "limit", "max_waiting")

    def __init__(self, limit: int, max_waiting: int = 0) -> None:
        check_count("Permits", "limit", limit)
        check_count("Permits", "max_waiting", max_waiting, least=0)
        self.limit = limit
        self.max_waiting = max_waiting
        # Invariant: nobody waits while there is a permit; `_let_in` ends whatever frees one.
        self._holding: dict[T, None] = {}
        self._line: dict[T, None] = {}  # the first is the next

    def enter(self, ticket: T) -> Entered:
        """Take a permit, or a place in the line; nobody passes those who wait."""
        if self.is_free():
            self._holding[ticket] = None
            return Entered.HELD
        if len(self._line) < self.max_waiting:
            self._line[ticket] = None
            return Entered.WAITING
        return Entered.REFUSED

    def is_free(self) -> bool:
        """Whether `enter` would give a permit at once."""
        return len(self._holding) < self.limit

    def leave(self, ticket: T) -> list[T]:
        """Give a permit, or a place in the line, back; who holds one now for that.

        A ticket that has neither is no error.
        """
        self._line.pop(ticket, None)
        self._holding.pop(ticket, None)
        return self._let_in()

    def resize(self, limit: int, max_waiting: int) -> list[T]:
        """Have other bounds; who holds a permit now for that.  Nobody loses what it has.

        Raises:
            ValueError: One of them is out of bounds.
        """
        check_count("Permits", "limit", limit)
        check_count("Permits", "max_waiting", max_waiting, least=0)
        self.limit = limit
        self.max_waiting = max_waiting
        return self._let_in()

    @property
    def held(self) -> int:
        """How many hold one."""
        return len(self._holding)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._line)

    def tickets(self) -> list[T]:
        """Of everybody, those who hold one first."""
        return [*self._holding, *self._line]

    def __contains__(self, ticket: object) -> bool:
        return ticket in self._holding or ticket in self._line

    def _let_in(self) -> list[T]:
        let_in: list[T] = []
        while self._line and len(self._holding) < self.limit:
            ticket = next(iter(self._line))
            del self._line[ticket]
            self._holding[ticket] = None
            let_in.append(ticket)
        return let_in
