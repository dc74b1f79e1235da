"""The side of a bus for publishers: `SignalBus.publish`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from suptree.clock import wall_clock
from suptree.core import safe_repr
from suptree.otp import NoReply, ServerRef, call, cast
from suptree.services.signals.bus_state import BusState
from suptree.services.signals.publishing import Door, Taken, Vetted, show_after, vet
from suptree.services.signals.signal import Signal
from suptree.services.signals.subscription import check_seconds
from suptree.services.signals.tickets import Ticket
from suptree.services.signals.values import Published, SignalFault, SignalOutcome, SignalReceipt

__all__ = ["Publishing"]

NO_WAIT: Final = 0.0
"""Seconds to wait for a place, unless somebody says otherwise."""
DELIVERIES: Final = 5000
"""So many deliveries make a turn long enough; what is left of a batch has its own."""


class Publishing(BusState):
    """Publishing: in the turn of the publisher what users wrote, in that of the bus the rest."""

    __front__ = "SignalBus"

    @staticmethod
    async def publish(
        bus: ServerRef[Publishing], signals: Signal | Iterable[Signal], *, wait: float = NO_WAIT
    ) -> Published:
        """Publish one signal, or many in order.

        It runs the middleware and match functions of the bus, and does not wait for
        subscribers; unless *wait* says so, and only for subscriptions that overflow by
        `block`.

        Args:
            bus: A pid or a name.
            signals: One, or any number.
            wait: Seconds to wait for a place in subscriptions that block, for each 5000
                deliveries; what found none by then is rejected.

        Returns:
            What became of each signal at each subscription.

        Raises:
            TypeError: Something is not a Signal.
            SignalFormatError: The log is bounded by bytes, and the data of a signal is nothing
                that MessagePack can say.  Nothing was published.
            NoProcessError: There is no bus.
        """
        if wait is not NO_WAIT:
            check_seconds("SignalBus.publish", "wait", wait)
        batch = (signals,) if isinstance(signals, Signal) else _signals_of(signals)
        take = Publishing._take if wait == 0.0 else Publishing._take.within(wait + 5.0)
        receipts: list[SignalReceipt] = []
        vetted: tuple[Vetted, ...] | None = None
        door: Door | None = None
        while len(receipts) < len(batch):
            rest = batch[len(receipts) :] if receipts else batch
            checked = None if vetted is None else vetted[len(receipts) :]
            taken = await take(bus, rest, checked, wait)
            if taken.door is not None:
                door = taken.door
                vetted = tuple([await vet(door, signal) for signal in batch])
            else:
                receipts += taken.receipts
        if door is not None and door.middleware:
            receipts = await _shown(bus, door, receipts)
        return Published(tuple(receipts))

    @call
    def _take(
        self, signals: tuple[Signal, ...], vetted: tuple[Vetted, ...] | None, wait: float
    ) -> Taken | NoReply:
        """Publish as much of a batch as makes one turn, or say what has to be done before."""
        if vetted is None and not self.door.is_open():
            return Taken(door=self.door)
        now = self.now()
        ticket = Ticket() if wait and len(self.deliveries.publishers) < self.max_blocked else None
        receipts: list[SignalReceipt] = []
        spent = 0
        for index, signal in enumerate(signals):
            one = None if vetted is None else vetted[index]
            receipt = self._publish(signal if one is None else one.signal, one, ticket, now)
            receipts.append(receipt)
            spent += 1 + len(receipt.outcomes)
            if spent >= DELIVERIES:
                break
        self.arm_expiry()
        if ticket is None or not ticket.waiters:
            return Taken(tuple(receipts))
        ticket.receipts = receipts
        ticket.reply_to = self.sender
        self.deliveries.publishers.wait(ticket, now + wait)
        return NoReply()

    def _publish(
        self, signal: Signal, vetted: Vetted | None, ticket: Ticket | None, now: float
    ) -> SignalReceipt:
        faults: tuple[SignalFault, ...] = ()
        size = 0
        accepted = _NOTHING_ACCEPTED
        if vetted is not None:
            faults, size, accepted = vetted.faults, vetted.size, vetted.accepted
            self._note(faults)
            if vetted.halted is not None:
                self.halted += 1
                if ticket is not None:
                    ticket.outcomes.append([])
                return SignalReceipt(signal, 0, (), vetted.halted, faults)
        self.published += 1
        seq = self.log.last + 1
        self.log.append(seq, signal, wall=wall_clock(), now=now, size=size)
        routes = self.deliveries.router.routes(signal.type)
        waiting = 0 if ticket is None else len(ticket.waiters)
        outcomes = self.deliveries.publish(signal, seq, routes, accepted, ticket, now)
        if not outcomes:
            self.unmatched += 1
        if self.published_slot.handlers:
            blocked = 0 if ticket is None else len(ticket.waiters) - waiting
            self._tell_published(signal, outcomes, blocked)
        return SignalReceipt(signal, seq, tuple(outcomes), None, faults)

    def _tell_published(
        self, signal: Signal, outcomes: list[tuple[str, SignalOutcome]], blocked: int
    ) -> None:
        told = [outcome for _, outcome in outcomes]
        sent = told.count(SignalOutcome.SENT)
        held = told.count(SignalOutcome.BUFFERED) + told.count(SignalOutcome.DISPLACED) + blocked
        self.published_slot.emit(
            {
                "matched_count": len(told),
                "sent_count": sent,
                "held_count": held,
                "lost_count": len(told) - sent - held,
            },
            {"bus": self.label, "type": signal.type, "id": signal.id, "source": signal.source},
        )

    @cast
    def _noted(self, faults: tuple[SignalFault, ...]) -> None:
        self._note(faults)

    def _note(self, faults: tuple[SignalFault, ...]) -> None:
        for fault in faults:
            if fault.where == "match":
                self.match_faults += 1
            else:
                self.middleware_faults += 1


def _signals_of(signals: Any) -> tuple[Signal, ...]:
    if isinstance(signals, (str, bytes)):
        raise TypeError(
            f"SignalBus.publish: signals must be a Signal, or several; got {safe_repr(signals, 200)}. "
            f"Write Signal({safe_repr(signals, 200)}, source=..., data=...)."
        )
    try:
        many = iter(signals)
    except TypeError:
        many = iter([signals])
    batch: tuple[Any, ...] = tuple(many)
    for signal in batch:
        if not isinstance(signal, Signal):
            raise TypeError(
                f"SignalBus.publish: signals must be Signals; got {safe_repr(signal, 200)}. "
                "Write Signal(type, source=..., data=...)."
            )
    return batch


_NOTHING_ACCEPTED: Final[frozenset[Any]] = frozenset()


async def _shown(
    bus: ServerRef[Publishing], door: Door, receipts: list[SignalReceipt]
) -> list[SignalReceipt]:
    """The receipts after the middleware saw them, with what failed in that."""
    shown: list[SignalReceipt] = []
    for receipt in receipts:
        if receipt.halted is None:
            faults = await show_after(door, receipt)
            if faults:
                Publishing._noted(bus, faults)
                receipt = replace(receipt, faults=receipt.faults + faults)
        shown.append(receipt)
    return shown
