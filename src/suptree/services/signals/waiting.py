"""`WaitingPublishers`: who waits for places in full lanes, and when each is answered; a part of the bus."""

from __future__ import annotations

import math

from suptree.otp import GenServer
from suptree.services.parts.owners import Owners
from suptree.services.signals.agenda import Agenda
from suptree.services.signals.lane import Lane, Parcel
from suptree.services.signals.tickets import Ticket, Waiter
from suptree.services.signals.totals import Totals
from suptree.services.signals.values import SignalOutcome

__all__ = ["WaitingPublishers"]


class WaitingPublishers:
    """The tickets of one bus, in the order in which they came.

    Args:
        server: The bus, which answers.
        totals: Where the outcomes are counted.
        agenda: Where a ticket stands until its deadline.
    """

    def __init__(self, server: GenServer, totals: Totals, agenda: Agenda[Lane | Ticket]) -> None:
        self._server = server
        self._totals = totals
        self._agenda = agenda
        self._tickets: dict[Ticket, None] = {}
        self._owners: Owners[Ticket] = Owners()
        self._numbers = 0

    def block(self, lane: Lane, parcel: Parcel, ticket: Ticket, place: int) -> None:
        """*parcel* waits for a place in *lane*; it is outcome number *place* of its signal."""
        self._numbers += 1
        waiter = Waiter(self._numbers, ticket, lane, parcel, (len(ticket.outcomes), place))
        lane.blocked[waiter.number] = ticket.waiters[waiter.number] = waiter

    def wait(self, ticket: Ticket, deadline: float) -> None:
        """Its publisher waits until everything has a place, or *deadline*."""
        assert ticket.reply_to is not None
        self._tickets[ticket] = None
        if ticket.reply_to.pid is not None:
            self._owners.add(ticket.reply_to.pid, ticket)
        self._agenda.arm(ticket, deadline)

    def admit(self, lane: Lane, now: float) -> None:
        """Let those take the places of *lane* that are free who have waited longest."""
        while lane.blocked and len(lane.pending) < lane.delivery.max_pending:
            waiter = next(iter(lane.blocked.values()))
            lane.pending.append(waiter.parcel)
            self._settle(waiter, SignalOutcome.BUFFERED, now)

    def dismiss(self, lane: Lane, now: float) -> None:
        """*lane* has ended: nobody waits for it any more."""
        for waiter in list(lane.blocked.values()):
            self._settle(waiter, SignalOutcome.GONE, now)

    def overdue(self, ticket: Ticket, now: float) -> None:
        """The deadline of *ticket* has come; no error if it was answered before."""
        if ticket in self._tickets:
            self._give_up(ticket, now)

    def down(self, message: object, now: float) -> None:
        """If *message* is the Down of a publisher, it waits for nothing any more."""
        for ticket in self._owners.gone(message):
            self._give_up(ticket, now)

    def __len__(self) -> int:
        """How many wait."""
        return len(self._tickets)

    def _give_up(self, ticket: Ticket, now: float) -> None:
        for waiter in list(ticket.waiters.values()):
            self._settle(waiter, SignalOutcome.REJECTED, now)

    def _settle(self, waiter: Waiter, outcome: SignalOutcome, now: float) -> None:
        del waiter.lane.blocked[waiter.number]
        if outcome is SignalOutcome.REJECTED:
            waiter.lane.rejected += 1
        self._totals.note(outcome, now)
        if waiter.ticket.settle(waiter, outcome):
            self._finish(waiter.ticket)

    def _finish(self, ticket: Ticket) -> None:
        del self._tickets[ticket]
        ticket.armed = math.inf
        assert ticket.reply_to is not None
        if ticket.reply_to.pid is not None:
            self._owners.discard(ticket.reply_to.pid, ticket)
        self._server.reply(ticket.reply_to, ticket.answer())
