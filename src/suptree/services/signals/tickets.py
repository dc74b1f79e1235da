"""Publishers that wait for a place: each one's `Ticket`, until every subscription has answered."""

from __future__ import annotations

import math
from dataclasses import replace

from suptree.core import ReplyTo
from suptree.services.signals.lane import Lane, Parcel
from suptree.services.signals.publishing import Taken
from suptree.services.signals.values import SignalOutcome, SignalReceipt

__all__ = ["Ticket", "Waiter"]


class Waiter:
    """One signal that waits for a place in one lane.

    Attributes:
        ticket: Whose it is.
        parcel: The signal.
        place: Which receipt of the ticket, and which outcome of that.
    """

    __slots__ = ("lane", "number", "parcel", "place", "ticket")

    def __init__(
        self, number: int, ticket: Ticket, lane: Lane, parcel: Parcel, place: tuple[int, int]
    ) -> None:
        self.number = number
        self.ticket = ticket
        self.lane = lane
        self.parcel = parcel
        self.place = place


class Ticket:
    """What a publisher waits for.

    Attributes:
        reply_to: The publisher.
        receipts: Its answer, complete when nothing waits any more.
        waiters: What waits, by number.
        armed: When it has waited long enough.
    """

    __slots__ = ("armed", "outcomes", "receipts", "reply_to", "waiters")

    def __init__(self) -> None:
        self.reply_to: ReplyTo | None = None
        self.armed = math.inf
        self.waiters: dict[int, Waiter] = {}
        self.receipts: list[SignalReceipt] = []
        self.outcomes: list[list[tuple[str, SignalOutcome]]] = []

    def settle(self, waiter: Waiter, outcome: SignalOutcome) -> bool:
        """*waiter* waits no more; True if nothing does."""
        del self.waiters[waiter.number]
        signal, subscription = waiter.place
        self.outcomes[signal][subscription] = (waiter.lane.id, outcome)
        return not self.waiters

    def answer(self) -> Taken:
        """The receipts, with what has become of those that waited."""
        return Taken(
            tuple(
                replace(receipt, outcomes=tuple(outcomes))
                for receipt, outcomes in zip(self.receipts, self.outcomes, strict=True)
            )
        )
