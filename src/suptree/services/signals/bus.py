"""`SignalBus`: carries signals to whoever subscribed to their path.

A supervised process that only decides: what users write (middleware, match functions) runs
in the turn of the publisher.  Each subscription has a lane of its own, so a slow subscriber
delays nobody, and what it cannot take is held, dropped or refused as it said, counted,
and told to the publisher.  The bus refuses what is not a signal, a path or an option.

>>> import asyncio, suptree as st
>>> async def main():
...     async with st.Runtime():
...         bus = await SignalBus.start_link()
...         await SignalBus.subscribe(bus, "shop.order.*")
...         placed = Signal("shop.order.placed", source="/shop", data={"order": 17})
...         published = await SignalBus.publish(bus, placed)
...         received = await st.receive(SignalReceived)
...         return published.counts, received.signal.data
>>> asyncio.run(main())
(Counter({<Outcome.SENT: 'sent'>: 1}), {'order': 17})
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from suptree.clock import wall_clock
from suptree.core import Down, current
from suptree.errors import CallTimeoutError, NoProcessError, ServerExitError
from suptree.otp import GenServer, NoReply, ServerRef, call, cast
from suptree.services.parts.store import Store
from suptree.services.signals import events
from suptree.services.signals.deliveries import TICK, Deliveries, Ending
from suptree.services.signals.errors import (
    ReplayPointError,
    SignalError,
    SignalOptionsError,
    SubscriptionLimitError,
    SubscriptionTakenError,
)
from suptree.services.signals.lane import Lane
from suptree.services.signals.log import SignalLog
from suptree.services.signals.middleware import Middleware, check_middleware
from suptree.services.signals.paths import SignalPath
from suptree.services.signals.publishing import Door, Taken, Vetted, show_after, vet
from suptree.services.signals.router import Match
from suptree.services.signals.saving import Saving
from suptree.services.signals.signal import Signal
from suptree.services.signals.subscription import (
    Delivery,
    Subscriber,
    Subscription,
    check_count,
    check_seconds,
)
from suptree.services.signals.tickets import Ticket
from suptree.services.signals.values import (
    BusHealth,
    BusStats,
    DeadLetter,
    Fault,
    LoggedSignal,
    Outcome,
    Published,
    Receipt,
    Redriven,
    SignalReceived,
    SubscriptionInfo,
)

__all__ = ["SignalBus"]

PAGE: Final = 1000
"""Signals of the log, or subscriptions, that are given in one turn."""
DELIVERIES: Final = 5000
"""So many deliveries make a turn long enough; what is left of a batch has its own."""
LOSS_SHOWS: Final = 60.0
"""Seconds for which a loss makes the bus degraded."""
NEARLY_FULL: Final = 0.8
_EXPIRED: Final = "suptree.signals.expired"


@dataclass(frozen=True, slots=True)
class _Point:
    """From where to where the log is read."""

    after: int
    last: int
    unknown: bool = False
    oldest: str | None = None


class SignalBus(GenServer):
    """A bus of signals.

    Args:
        label: What it is called in telemetry and in the store.
        middleware: What is done to each signal, see `middleware`.
        subscriptions: Those that come with the bus, by name; they are there again after a
            restart of the bus, and wait for their subscribers however long it takes.
        log_entries: How many signals the log keeps; 0 keeps none.
        log_bytes: How many bytes of signals, measured as MessagePack; None: any number.
        log_ttl: For how many seconds; None: for ever.
        max_subscriptions: How many there may be.
        max_dead_letters: How many dead letters are kept; the oldest makes room.
        max_blocked: How many publishers may wait at once.
        store: Where subscriptions by name without a match function are kept, so that they
            come back when the bus does; None keeps none.

    Raises:
        SignalOptionsError: An argument is not as said here.
    """

    def __init__(
        self,
        label: str = "signals",
        *,
        middleware: Iterable[Middleware] = (),
        subscriptions: Iterable[Subscription] = (),
        log_entries: int = 100_000,
        log_bytes: int | None = None,
        log_ttl: float | None = None,
        max_subscriptions: int = 100_000,
        max_dead_letters: int = 10_000,
        max_blocked: int = 1000,
        store: Store | None = None,
    ) -> None:
        who = "SignalBus"
        check_count(who, "log_entries", log_entries, 0)
        if log_bytes is not None:
            check_count(who, "log_bytes", log_bytes, 1)
        if log_ttl is not None:
            check_seconds(who, "log_ttl", log_ttl)
        check_count(who, "max_subscriptions", max_subscriptions, 1)
        check_count(who, "max_dead_letters", max_dead_letters, 1)
        check_count(who, "max_blocked", max_blocked, 0)
        runtime = self._process.runtime
        self.label = label
        self.log = SignalLog(entries=log_entries, max_bytes=log_bytes, ttl=log_ttl)
        self.max_subscriptions = max_subscriptions
        self.max_blocked = max_blocked
        self.deliveries = Deliveries(self, label, max_dead_letters, self._ended)
        self.saving = None if store is None else Saving(store, label)
        self.door = Door(
            check_middleware(who, middleware),
            self.deliveries.router,
            log_bytes is not None,
            runtime,
            label,
        )
        self.published = self.halted = self.unmatched = 0
        self.middleware_faults = self.match_faults = 0
        self._now = runtime.now
        self._published = runtime.telemetry.slot(events.PUBLISHED)
        self._expiry_armed = False
        for subscription in _declared(who, subscriptions):
            self.deliveries.subscribe(subscription, self._now(), declared=True)

    async def init(self) -> None:
        """Take back the subscriptions that the store has kept."""
        if self.saving is not None:
            for subscription in await self.saving.load():
                if subscription.id not in self.deliveries.lanes:
                    self.deliveries.subscribe(subscription, self._now())

    # -- publishing ---------------------------------------------------------------------

    @staticmethod
    async def publish(
        bus: ServerRef[SignalBus], signals: Signal | Iterable[Signal], *, wait: float = 0.0
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
        check_seconds("SignalBus.publish", "wait", wait)
        batch = (signals,) if isinstance(signals, Signal) else tuple(signals)
        for signal in batch:
            if not isinstance(signal, Signal):
                raise TypeError(f"SignalBus.publish: signals must be Signals; got {signal!r}.")
        take = SignalBus._take if wait == 0.0 else SignalBus._take.within(wait + 5.0)
        receipts: list[Receipt] = []
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
        now = self._now()
        ticket = Ticket() if wait and len(self.deliveries.tickets) < self.max_blocked else None
        receipts: list[Receipt] = []
        spent = 0
        for index, signal in enumerate(signals):
            one = None if vetted is None else vetted[index]
            receipt = self._publish(signal if one is None else one.signal, one, ticket, now)
            receipts.append(receipt)
            spent += 1 + len(receipt.outcomes)
            if spent >= DELIVERIES:
                break
        self._arm_expiry()
        if ticket is None or not ticket.waiters:
            return Taken(tuple(receipts))
        ticket.receipts = receipts
        ticket.reply_to = self.sender
        self.deliveries.wait(ticket, now + wait)
        return NoReply()

    def _publish(
        self, signal: Signal, vetted: Vetted | None, ticket: Ticket | None, now: float
    ) -> Receipt:
        faults: tuple[Fault, ...] = ()
        size = 0
        accepted = _NOTHING_ACCEPTED
        if vetted is not None:
            faults, size, accepted = vetted.faults, vetted.size, vetted.accepted
            self._note(faults)
            if vetted.halted is not None:
                self.halted += 1
                if ticket is not None:
                    ticket.outcomes.append([])
                return Receipt(signal, 0, (), vetted.halted, faults)
        self.published += 1
        seq = self.log.last + 1
        self.log.append(seq, signal, wall=wall_clock(), now=now, size=size)
        routes = self.deliveries.router.routes(signal.type)
        waiting = 0 if ticket is None else len(ticket.waiters)
        outcomes = self.deliveries.publish(signal, seq, routes, accepted, ticket, now)
        if not outcomes:
            self.unmatched += 1
        if self._published.handlers:
            blocked = 0 if ticket is None else len(ticket.waiters) - waiting
            self._tell_published(signal, outcomes, blocked)
        return Receipt(signal, seq, tuple(outcomes), None, faults)

    def _tell_published(
        self, signal: Signal, outcomes: list[tuple[str, Outcome]], blocked: int
    ) -> None:
        told = [outcome for _, outcome in outcomes]
        sent = told.count(Outcome.SENT)
        held = told.count(Outcome.BUFFERED) + told.count(Outcome.DISPLACED) + blocked
        self._published.emit(
            {
                "matched_count": len(told),
                "sent_count": sent,
                "held_count": held,
                "lost_count": len(told) - sent - held,
            },
            {"bus": self.label, "type": signal.type, "id": signal.id, "source": signal.source},
        )

    @cast
    def _noted(self, faults: tuple[Fault, ...]) -> None:
        self._note(faults)

    def _note(self, faults: tuple[Fault, ...]) -> None:
        for fault in faults:
            if fault.where == "match":
                self.match_faults += 1
            else:
                self.middleware_faults += 1

    # -- subscribing --------------------------------------------------------------------

    @staticmethod
    async def subscribe(
        bus: ServerRef[SignalBus],
        path: str,
        subscriber: Subscriber | None = None,
        *,
        id: str = "",
        priority: int = 0,
        match: Match | None = None,
        delivery: Delivery | None = None,
    ) -> str:
        """Have signals of *path* brought to *subscriber*, each as a `SignalReceived`.

        To subscribe again under the same id, as a restarted subscriber does, changes the
        options and loses nothing.

        Args:
            bus: A pid or a name.
            path: The types, see `paths`.
            subscriber: A pid, or a name that processes take one after another; default: the
                caller's pid.
            id: Names the subscription; default: `subscriber:path`.
            priority: -100 to 100, see `SignalRouter`.
            match: Asked for each signal, in the turn of the publisher.
            delivery: How; default: sent once, without acknowledgement.

        Returns:
            The id.

        Raises:
            SignalPathError: The path is not written like one.
            SignalOptionsError: Another argument is not as said here.
            SubscriptionTakenError: The id belongs to another subscriber.
            SubscriptionLimitError: The bus has its maximum.
            SubscriptionNotSavedError: It stands, but the store failed.
        """
        subscription = Subscription(
            path,
            current() if subscriber is None else subscriber,
            id,
            priority=priority,
            match=match,
            delivery=Delivery() if delivery is None else delivery,
        )
        refused = await SignalBus._subscribe(bus, subscription)
        if refused is not None:
            raise refused
        return subscription.id

    @call
    def _subscribe(self, subscription: Subscription) -> SignalError | NoReply | None:
        lanes = self.deliveries.lanes
        lane = lanes.get(subscription.id)
        if lane is not None and lane.subscription.subscriber != subscription.subscriber:
            return SubscriptionTakenError(subscription.id, lane.subscription.subscriber)
        if lane is None and len(lanes) >= self.max_subscriptions:
            return SubscriptionLimitError(self.max_subscriptions)
        self.deliveries.subscribe(subscription, self._now())
        if self.saving is None or not self.saving.takes(subscription):
            return None
        self.start_task(self.saving.put(subscription, self.sender, self.reply))
        return NoReply()

    @staticmethod
    async def unsubscribe(bus: ServerRef[SignalBus], id: str) -> bool:
        """End a subscription; what is held for it is discarded.

        Returns:
            Whether there was one.
        """
        _check_id("SignalBus.unsubscribe", id)
        return await SignalBus._unsubscribe(bus, id)

    @call
    def _unsubscribe(self, id: str) -> bool | NoReply:
        lane = self.deliveries.lanes.get(id)
        if lane is None:
            return False
        self.deliveries.end(lane, "unsubscribed", self._now())
        if self.saving is None or not self.saving.takes(lane.subscription):
            return True
        self.start_task(self.saving.delete(id, self.sender, self.reply))
        return NoReply()

    def _ended(self, lane: Lane, reason: Ending) -> None:
        """A lane has ended: nothing of it may come back from the store."""
        if reason == "unsubscribed":
            return  # who asked for that waits for it
        if self.saving is not None and self.saving.takes(lane.subscription):
            self.start_task(self.saving.delete(lane.id))

    # -- acknowledging ------------------------------------------------------------------

    @staticmethod
    def ack(received: SignalReceived) -> None:
        """Say that a signal is dealt with, so that it is not brought again; returns at once."""
        SignalBus._acked(received.bus, received.subscription, received.seq)

    @cast
    def _acked(self, subscription: str, seq: int) -> None:
        self.deliveries.ack(subscription, seq, self._now())

    @staticmethod
    def nack(received: SignalReceived) -> None:
        """Say that a signal could not be dealt with: it is brought again; returns at once."""
        SignalBus._nacked(received.bus, received.subscription, received.seq)

    @cast
    def _nacked(self, subscription: str, seq: int) -> None:
        self.deliveries.nack(subscription, seq, self._now())

    # -- the log ------------------------------------------------------------------------

    @staticmethod
    async def replay(
        bus: ServerRef[SignalBus],
        path: str = "**",
        *,
        since: str | datetime | float | None = None,
        limit: int | None = None,
    ) -> list[LoggedSignal]:
        """Read signals from the log, oldest first.

        The bus gives pages of 1000, and the caller looks through them.  What is published
        meanwhile is not among them.

        Args:
            bus: A pid or a name.
            path: The types, see `paths`.
            since: The id of a signal: those after it.  A time (with a time zone, or in seconds
                since 1970): those published then or later.  None: all.
            limit: So many at most; None: all.

        Raises:
            ReplayPointError: The signal of that id is not in the log.
            SignalPathError: The path is not written like one.
            SignalOptionsError: *since* or *limit* is not as said here.
        """
        who = "SignalBus.replay"
        wanted = SignalPath(path)
        if limit is not None:
            check_count(who, "limit", limit, 1)
        point = await SignalBus._point(bus, _since(who, since))
        if point.unknown:
            assert isinstance(since, str)
            raise ReplayPointError(since, point.oldest)
        after, last = point.after, point.last
        fits: dict[str, bool] = {}
        found: list[LoggedSignal] = []
        read = 0
        while after < last:
            page = await SignalBus._page(bus, after, min(PAGE, last - after))
            for entry in page:
                read += 1
                type = entry.signal.type
                fit = fits.get(type)
                if fit is None:
                    fit = fits[type] = wanted.matches(type)
                if fit:
                    found.append(entry)
                    if len(found) == limit:
                        break
            if not page or len(found) == limit:
                break
            after = page[-1].seq
        SignalBus._replayed(bus, path, read, len(found))
        return found

    @call
    def _point(self, since: str | float | None) -> _Point:
        self._expire()
        log = self.log
        if since is None:
            return _Point(0, log.last)
        if isinstance(since, float):
            return _Point(log.seq_before(since), log.last)
        seq = log.seq_of(since)
        if seq is None:
            return _Point(0, 0, unknown=True, oldest=None if log.oldest is None else log.oldest.id)
        return _Point(seq, log.last)

    @call
    def _page(self, after: int, count: int) -> list[LoggedSignal]:
        return self.log.page(after, count)

    @cast
    def _replayed(self, path: str, read: int, found: int) -> None:
        self._process.runtime.telemetry.emit(
            events.REPLAYED,
            {"read_count": read, "found_count": found},
            {"bus": self.label, "path": path},
        )

    def _expire(self) -> None:
        self.log.expire(self._now(), PAGE)

    def _arm_expiry(self) -> None:
        if self.log.ttl is not None and not self._expiry_armed and len(self.log):
            self._expiry_armed = True
            # Not one timer for each signal: what is too old goes a tenth of its life late.
            late = self.log.ttl / 10
            self.send_after(max(0.001, self.log.next_expiry() - self._now() + late), _EXPIRED)

    # -- dead letters -------------------------------------------------------------------

    @staticmethod
    async def dead_letters(
        bus: ServerRef[SignalBus], *, subscription: str | None = None, limit: int = 100
    ) -> list[DeadLetter]:
        """The dead letters, of one subscription or of all, oldest first; *limit* at most."""
        who = "SignalBus.dead_letters"
        check_count(who, "limit", limit, 1)
        _check_one_or_all(who, subscription)
        return await SignalBus._letters(bus, subscription, limit)

    @call
    def _letters(self, subscription: str | None, limit: int) -> list[DeadLetter]:
        return self.deliveries.dead.find(subscription, None, limit)

    @staticmethod
    async def redrive(
        bus: ServerRef[SignalBus],
        *,
        subscription: str | None = None,
        numbers: Iterable[int] | None = None,
    ) -> Redriven:
        """Send dead letters on their way again, behind what is held, with all their attempts.

        Args:
            bus: A pid or a name.
            subscription: Those of that one; None: of all.
            numbers: Those with these numbers; None: all.
        """
        _check_one_or_all("SignalBus.redrive", subscription)
        chosen = None if numbers is None else frozenset(numbers)
        redriven = kept = after = 0
        while True:
            answer = await SignalBus._redrive(bus, subscription, chosen, after)
            if answer is None:
                return Redriven(redriven, kept)
            after = answer[2]
            redriven += answer[0]
            kept += answer[1]

    @call
    def _redrive(
        self, subscription: str | None, numbers: frozenset[int] | None, after: int
    ) -> tuple[int, int, int] | None:
        letters = self.deliveries.dead.find(subscription, numbers, PAGE, after)
        if not letters:
            return None
        redriven, kept = self.deliveries.redrive(letters, self._now())
        return redriven, kept, letters[-1].number

    @staticmethod
    async def clear_dead_letters(
        bus: ServerRef[SignalBus], *, subscription: str | None = None
    ) -> int:
        """Forget the dead letters of one subscription, or all; returns how many."""
        _check_one_or_all("SignalBus.clear_dead_letters", subscription)
        return await SignalBus._clear(bus, subscription)

    @call
    def _clear(self, subscription: str | None) -> int:
        return self.deliveries.dead.clear(subscription)

    # -- looking after it ---------------------------------------------------------------

    @call
    def stats(self) -> BusStats:
        """What the bus has done, and what it holds."""
        of, totals = self.deliveries, self.deliveries.totals
        return BusStats(
            subscriptions=len(of.lanes),
            published=self.published,
            halted=self.halted,
            unmatched=self.unmatched,
            sent=totals.sent,
            buffered=totals.buffered,
            acked=totals.acked,
            redelivered=totals.redelivered,
            dropped=totals.dropped,
            rejected=totals.rejected,
            gone=totals.gone,
            discarded=totals.discarded,
            dead_lettered=totals.dead_lettered,
            dead_letters=len(of.dead),
            dead_letters_lost=of.dead.lost,
            blocked=len(of.tickets),
            middleware_faults=self.middleware_faults,
            match_faults=self.match_faults,
            store_faults=0 if self.saving is None else self.saving.faults,
            log_len=len(self.log),
            log_bytes=self.log.bytes,
            log_dropped=self.log.dropped,
        )

    @staticmethod
    async def subscriptions(bus: ServerRef[SignalBus]) -> list[SubscriptionInfo]:
        """Every subscription as it is now, in the order in which they were added."""
        found: list[SubscriptionInfo] = []
        while page := await SignalBus._infos(bus, len(found)):
            found += page
        return found

    @call
    def _infos(self, skip: int) -> list[SubscriptionInfo]:
        lanes = list(self.deliveries.lanes.values())[skip : skip + PAGE]
        return [lane.info() for lane in lanes]

    @staticmethod
    async def health(bus: ServerRef[SignalBus], *, timeout: float = 1.0) -> BusHealth:
        """Whether the bus does its work; a bus that is not there is an answer too.

        Args:
            bus: A pid or a name.
            timeout: Seconds within which it must answer.
        """
        try:
            reasons = await SignalBus._troubles.within(timeout)(bus)
        except (NoProcessError, CallTimeoutError, ServerExitError) as error:
            return BusHealth("unhealthy", (str(error),))
        return BusHealth("degraded" if reasons else "healthy", reasons)

    @call
    def _troubles(self) -> tuple[str, ...]:
        reasons: list[str] = []
        of = self.deliveries
        if self._now() - of.totals.last_loss <= LOSS_SHOWS:
            reasons.append("signals were lost within the last minute; see stats")
        full = [lane.id for lane in of.lanes.values() if _is_nearly_full(lane)]
        if full:
            more = f" and {len(full) - 3} more" if len(full) > 3 else ""
            reasons.append(f"nearly full: {', '.join(full[:3])}{more}")
        return tuple(reasons)

    # -- what arrives -------------------------------------------------------------------

    def handle_info(self, message: object) -> None:
        """The timer, and the end of subscribers and publishers."""
        match message:
            case Down():
                self.deliveries.down(message, message.reason, self._now())
            case str() if message == TICK:
                self.deliveries.tick(self._now())
            case str() if message == _EXPIRED:
                self._expiry_armed = False
                self._expire()
                self._arm_expiry()
            case _:
                super().handle_info(message)


_NOTHING_ACCEPTED: Final[frozenset[Any]] = frozenset()


async def _shown(bus: ServerRef[SignalBus], door: Door, receipts: list[Receipt]) -> list[Receipt]:
    """The receipts after the middleware saw them, with what failed in that."""
    shown: list[Receipt] = []
    for receipt in receipts:
        if receipt.halted is None:
            faults = await show_after(door, receipt)
            if faults:
                SignalBus._noted(bus, faults)
                receipt = replace(receipt, faults=receipt.faults + faults)
        shown.append(receipt)
    return shown


def _declared(who: str, given: Iterable[Subscription]) -> list[Subscription]:
    declared: dict[str, Subscription] = {}
    for one in given:
        if not isinstance(one, Subscription) or one.name is None:
            raise SignalOptionsError(who, "subscriptions", "Subscriptions by name", one)
        if one.id in declared:
            raise SignalOptionsError(who, "ids of subscriptions", "unique", one.id)
        declared[one.id] = one
    return list(declared.values())


def _check_id(who: str, id: object) -> None:
    if not isinstance(id, str):
        raise SignalOptionsError(who, "id", "the id of a subscription, a string", id)


def _check_one_or_all(who: str, id: object) -> None:
    if id is not None:
        _check_id(who, id)


def _since(who: str, since: object) -> str | float | None:
    if since is None or isinstance(since, str):
        return since
    if isinstance(since, datetime) and since.utcoffset() is not None:
        return since.timestamp()
    if isinstance(since, (int, float)) and not isinstance(since, bool) and since == since:
        return float(since)
    raise SignalOptionsError(
        who, "since", "an id, a datetime with a time zone, or seconds since 1970", since
    )


def _is_nearly_full(lane: Lane) -> bool:
    return bool(lane.blocked) or len(lane.pending) > NEARLY_FULL * lane.delivery.max_pending
