"""`Turnstile`: permits that belong to processes, for use inside a server, in its handlers.

It knows for each `Ticket` which `Permits` it is of, whose it is, and who waits for the
answer.  When its owner ends, a permit or a place in the line is given back, and the next in line
gets its answer.  The tickets are made by the clients, so that one which was cancelled can
give back what it never heard of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from suptree.core import Pid, ReplyTo
from suptree.services.parts.owners import Owners
from suptree.services.parts.permits import Entered, Permits

__all__ = ["Place", "Ticket", "Turnstile"]

K = TypeVar("K")


class Ticket:
    """Who came: made by the client, and equal to itself only."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<Ticket {id(self):#x}>"


class Place(Generic[K]):
    """What a ticket stands for.

    Attributes:
        key: What the server knows `permits` by.
        permits: Of which it has one, or in whose line it stands.
        owner: Whose it is; None: of code outside every process.
        reply_to: The answer that is due while it waits; None: it is inside.
        since: When it came in, or into the line.
    """

    __slots__ = ("key", "owner", "permits", "reply_to", "since")

    def __init__(
        self,
        key: K,
        permits: Permits[Ticket],
        owner: Pid[Any] | None,
        reply_to: ReplyTo | None,
        since: float,
    ) -> None:
        self.key = key
        self.permits = permits
        self.owner = owner
        self.reply_to = reply_to
        self.since = since


class Turnstile(Generic[K]):
    """The tickets of one server; *K* is what the server knows its `Permits` by.

    Args:
        now: The clock.
        let_in: Called with the key, the reply that is due, and the seconds waited for it, for each
            who gets a permit after a wait.
    """

    __slots__ = ("_let_in", "_now", "_owners", "_places", "released")

    def __init__(
        self, now: Callable[[], float], let_in: Callable[[K, ReplyTo, float], object]
    ) -> None:
        self._now = now
        self._let_in = let_in
        self._owners: Owners[Ticket] = Owners()
        self._places: dict[Ticket, Place[K]] = {}
        self.released = 0
        """Permits and places given back because their owner ended."""

    def enter(
        self,
        key: K,
        permits: Permits[Ticket],
        ticket: Ticket,
        sender: ReplyTo,
    ) -> Entered:
        """Somebody comes.  When it has to wait, it is answered through `let_in`."""
        entered = permits.enter(ticket)
        if entered is Entered.REFUSED:
            return entered
        owner = sender.pid
        reply_to = sender if entered is Entered.WAITING else None
        self._places[ticket] = Place(key, permits, owner, reply_to, self._now())
        if owner is not None:
            self._owners.add(owner, ticket)
        return entered

    def leave(self, ticket: Ticket) -> Place[K] | None:
        """Somebody goes, from inside or out of the line; None: it was not there any more."""
        place = self._places.pop(ticket, None)
        if place is None:
            return None
        if place.owner is not None:
            self._owners.discard(place.owner, ticket)
        self.admit(place.permits.leave(ticket))
        return place

    def admit(self, tickets: list[Ticket]) -> None:
        """These hold a permit now: tell them.  Who was cancelled meanwhile passes its own on."""
        waiting = list(tickets)
        while waiting:
            ticket = waiting.pop(0)
            place = self._places[ticket]
            reply_to, place.reply_to = place.reply_to, None
            if reply_to is not None and not reply_to.done():
                waited, place.since = self._now() - place.since, self._now()
                self._let_in(place.key, reply_to, waited)
                continue
            del self._places[ticket]
            if place.owner is not None:
                self._owners.discard(place.owner, ticket)
            waiting += place.permits.leave(ticket)

    def evict(self, permits: Permits[Ticket]) -> list[ReplyTo]:
        """Everybody of *permits* is forgotten; the replies due to those who wait."""
        replies: list[ReplyTo] = []
        for ticket in permits.tickets():
            place = self._places.pop(ticket)
            if place.owner is not None:
                self._owners.discard(place.owner, ticket)
            if place.reply_to is not None:
                replies.append(place.reply_to)
        return replies

    def gone(self, message: object) -> list[Place[K]]:
        """If *message* is the Down of an owner, all that it had is given back; what that was."""
        tickets = self._owners.gone(message)
        self.released += len(tickets)
        # Its places in lines first: what it held is for others.
        tickets.sort(key=lambda ticket: self._places[ticket].reply_to is None)
        places: list[Place[K]] = []
        for ticket in tickets:
            place = self._places.pop(ticket)
            places.append(place)
            self.admit(place.permits.leave(ticket))
        return places

    def owners(self) -> int:
        """How many processes hold something, or wait."""
        return len(self._owners)
