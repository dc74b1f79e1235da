"""`Flights`: who computes a value, and who waits for the same one; each belongs to a process.

For use inside the server, in its handlers.  One caller leads: it computes, in its own
process.  The others of that key wait in line.  When the leader is cancelled or ends, the
next in line leads.  The tickets are made by the callers, so that one which was cancelled can
take back what it never heard of.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from suptree.core import Pid, ReplyTo
from suptree.services.parts.owners import Owners
from suptree.services.parts.turnstile import Ticket

__all__ = ["Flight", "Flights"]


@dataclass(slots=True, eq=False)
class Flight:
    """One value under way.

    Attributes:
        key: Of the value.
        leader: Who computes it.
        since: Since when.
        line: Who waits, in order, with the reply that is due.
    """

    key: Hashable
    leader: Ticket
    since: float
    line: dict[Ticket, ReplyTo] = field(default_factory=dict[Ticket, ReplyTo])


class Flights:
    """See the module text.

    Attributes:
        waiting: How many wait, for all keys together.
    """

    __slots__ = ("_at", "_by_key", "_owner_of", "_owners", "waiting")

    def __init__(self) -> None:
        self._by_key: dict[Hashable, Flight] = {}
        self._at: dict[Ticket, Flight] = {}
        self._owner_of: dict[Ticket, Pid[Any]] = {}
        self._owners: Owners[Ticket] = Owners()
        self.waiting = 0

    def of(self, key: Hashable) -> Flight | None:
        """The flight that one who wants *key* now joins."""
        return self._by_key.get(key)

    def begin(self, key: Hashable, ticket: Ticket, owner: Pid[Any] | None, now: float) -> None:
        """Somebody computes *key* from now on."""
        flight = self._by_key[key] = Flight(key, ticket, now)
        self._note(ticket, flight, owner)

    def join(self, flight: Flight, ticket: Ticket, sender: ReplyTo) -> None:
        """Somebody waits for the same."""
        flight.line[ticket] = sender
        self.waiting += 1
        self._note(ticket, flight, sender.pid)

    def outdate(self, key: Hashable) -> None:
        """What is under way for *key* is not to be kept; who comes from now on begins anew."""
        self._by_key.pop(key, None)

    def outdate_all(self) -> None:
        """The same for every key."""
        self._by_key.clear()

    def land(self, ticket: Ticket) -> tuple[Flight | None, bool]:
        """The leader of that *ticket* is done, and so is its flight, with all who wait for it.

        Returns:
            The flight, None if *ticket* leads none; and whether its value is still wanted.
        """
        flight = self._at.get(ticket)
        if flight is None or flight.leader is not ticket:
            return None, False
        self._forget(ticket)
        for one in flight.line:
            self._forget(one)
        self.waiting -= len(flight.line)
        return flight, self._unlist(flight)

    def leave(self, ticket: Ticket) -> tuple[Flight, ReplyTo | None] | None:
        """Somebody goes without a value.

        Returns:
            None unless it led.  Else its flight, and the reply that is due to who leads now, who
            leaves in turn if it has gone meanwhile; None: nobody is left, and the flight is over.
        """
        flight = self._at.get(ticket)
        if flight is None:
            return None
        self._forget(ticket)
        if flight.leader is not ticket:
            del flight.line[ticket]
            self.waiting -= 1
            return None
        if flight.line:
            flight.leader = next(iter(flight.line))
            self.waiting -= 1
            return flight, flight.line.pop(flight.leader)
        self._unlist(flight)
        return flight, None

    def gone(self, message: object) -> list[Ticket]:
        """The tickets of the owner whose Down *message* is; those that wait come first."""
        tickets = self._owners.gone(message)
        for ticket in tickets:
            self._owner_of.pop(ticket, None)
        return sorted(tickets, key=lambda ticket: self._at[ticket].leader is ticket)

    def _note(self, ticket: Ticket, flight: Flight, owner: Pid[Any] | None) -> None:
        self._at[ticket] = flight
        if owner is not None:
            self._owner_of[ticket] = owner
            self._owners.add(owner, ticket)

    def _forget(self, ticket: Ticket) -> None:
        self._at.pop(ticket, None)
        owner = self._owner_of.pop(ticket, None)
        if owner is not None:
            self._owners.discard(owner, ticket)

    def _unlist(self, flight: Flight) -> bool:
        listed = self._by_key.get(flight.key) is flight
        if listed:
            del self._by_key[flight.key]
        return listed

    def __len__(self) -> int:
        """How many values are being computed."""
        return len(self._at) - self.waiting
