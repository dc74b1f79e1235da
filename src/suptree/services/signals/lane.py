"""`Lane`: what one subscription has to get, in order.  Pure: *now* is a parameter.

A signal is *pending* until the subscriber has room for it; with acknowledgements it is
then *sent* until it is acknowledged, and *retrying* between a failed attempt and the
next one.  Sent and retrying ones fill the window of `max_in_flight`; so with a window
of one, nothing overtakes a signal that is tried again.

Who owns it: the bus, which asks what is to be done and does it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Any

from suptree.core import Process
from suptree.services.signals.router import SignalRoute
from suptree.services.signals.signal import Signal
from suptree.services.signals.subscription import Subscription
from suptree.services.signals.values import SignalOutcome, SubscriptionInfo

__all__ = ["Lane", "Parcel"]


class Parcel:
    """One signal on its way to one subscriber.

    Attributes:
        signal: The signal.
        seq: Its number in the bus.
        attempts: How often it was sent.
        due: When its attempt has failed, or the next one begins.
    """

    __slots__ = ("attempts", "due", "seq", "signal")

    def __init__(self, signal: Signal, seq: int) -> None:
        self.signal = signal
        self.seq = seq
        self.attempts = 0
        self.due = math.inf

    def __repr__(self) -> str:
        return f"<Parcel {self.seq}, {self.attempts} attempts>"


class Lane:
    """The signals of one subscription.

    Attributes:
        subscription: Whose and how.
        declared: Whether it came with the bus, and so never ends for an absence.
        route: Its place in the router.
        process: Who gets the signals; None while nobody has the name.
        absent_since: Since when nobody has it.
        armed: When the bus looks after this lane next; inf: when something happens.
        pending: Held.
        blocked: Parcels of publishers that wait for a place, by number.
        drain_at: When the mailbox of the subscriber is looked at again.
    """

    __slots__ = (
        "absent_since",
        "acked",
        "armed",
        "blocked",
        "dead_lettered",
        "declared",
        "delivery",
        "drain_at",
        "dropped",
        "id",
        "late_acks",
        "pending",
        "process",
        "redelivered",
        "rejected",
        "retrying",
        "route",
        "sent",
        "sent_count",
        "subscription",
    )

    route: SignalRoute[Lane]

    def __init__(self, subscription: Subscription, now: float, *, declared: bool = False) -> None:
        self.subscription = subscription
        self.delivery = subscription.delivery
        self.id = subscription.id
        self.declared = declared
        self.process: Process | None = None
        self.absent_since = now
        self.armed = math.inf
        self.drain_at = math.inf
        self.pending: deque[Parcel] = deque()
        self.blocked: dict[int, Any] = {}
        # Invariant: each in order of `due`, since the time from sending to failing, and from
        # failing to sending, is the same for all.
        self.sent: dict[int, Parcel] = {}
        self.retrying: dict[int, Parcel] = {}
        self.sent_count = self.acked = self.redelivered = 0
        self.dropped = self.rejected = self.dead_lettered = self.late_acks = 0

    # -- new ones -----------------------------------------------------------------------

    def is_full(self) -> bool:
        """Whether one more would overflow."""
        return bool(self.blocked) or len(self.pending) >= self.delivery.max_pending

    def hold(self, parcel: Parcel) -> SignalOutcome:
        """Take one more, or do as the overflow policy says."""
        if not self.is_full():
            self.pending.append(parcel)
            return SignalOutcome.BUFFERED
        overflow = self.delivery.overflow
        if overflow == "drop_oldest" and self.pending:
            self.pending.popleft()
            self.pending.append(parcel)
            self.dropped += 1
            return SignalOutcome.DISPLACED
        if overflow in ("drop_oldest", "drop_newest"):
            self.dropped += 1
            return SignalOutcome.DROPPED
        self.rejected += 1
        return SignalOutcome.REJECTED

    # -- on their way -------------------------------------------------------------------

    def has_room(self, process: Process) -> bool:
        """Whether *process*, which is the subscriber, may be sent one more now."""
        if self.delivery.ack:
            return len(self.sent) + len(self.retrying) < self.delivery.max_in_flight
        return len(process.mailbox) < self.delivery.max_in_flight

    def note_sent(self, parcel: Parcel, now: float) -> None:
        """*parcel* was sent, for the first time or again."""
        self.sent_count += 1
        parcel.attempts += 1
        if parcel.attempts > 1:
            self.redelivered += 1
        if self.delivery.ack:
            parcel.due = now + self.delivery.ack_timeout
            self.sent[parcel.seq] = parcel

    def ack(self, seq: int) -> bool:
        """The subscriber has dealt with it; False if nothing waited for that any more."""
        if self.sent.pop(seq, None) is None and self.retrying.pop(seq, None) is None:
            self.late_acks += 1
            return False
        self.acked += 1
        return True

    def fail(self, seq: int, now: float) -> tuple[bool, Parcel | None]:
        """The attempt failed: it will be tried again, or is given up.

        Returns:
            Whether it was on its way, and the parcel if that was the last attempt.
        """
        parcel = self.sent.pop(seq, None)
        if parcel is None:
            return False, None
        if parcel.attempts >= self.delivery.max_attempts:
            self.dead_lettered += 1
            return True, parcel
        parcel.due = now + self.delivery.retry_delay
        self.retrying[seq] = parcel
        return True, None

    def overdue(self, now: float, limit: int) -> list[Parcel]:
        """Fail up to *limit* attempts whose time is over; returns those that were the last."""
        given_up: list[Parcel] = []
        for parcel in _due(self.sent, now, limit):
            _, last = self.fail(parcel.seq, now)
            if last is not None:
                given_up.append(last)
        return given_up

    def again(self, now: float, limit: int) -> list[Parcel]:
        """Up to *limit* parcels whose next attempt is due; they are to be sent now."""
        due = _due(self.retrying, now, limit)
        for parcel in due:
            del self.retrying[parcel.seq]
        return due

    def put_back(self, parcel: Parcel, now: float) -> None:
        """The next attempt could not be made: try again later."""
        parcel.due = now + self.delivery.retry_delay
        self.retrying[parcel.seq] = parcel

    # -- the subscriber comes and goes --------------------------------------------------

    def detach(self, now: float) -> list[Parcel]:
        """The process has ended: what was on its way is pending again, in the old order.

        The oldest one sent is what it most likely died of, so that attempt counts; the
        others cannot be blamed.

        Returns:
            The oldest, if that was its last attempt.
        """
        self.process = None
        self.absent_since = now
        self.drain_at = math.inf
        given_up: list[Parcel] = []
        returned = sorted((*self.sent.values(), *self.retrying.values()), key=_seq)
        blamed = next((parcel for parcel in returned if parcel.seq in self.sent), None)
        for parcel in returned:
            if parcel is blamed:
                if parcel.attempts >= self.delivery.max_attempts:
                    given_up.append(parcel)
            elif parcel.seq in self.sent:
                parcel.attempts -= 1
        self.sent.clear()
        self.retrying.clear()
        self.dead_lettered += len(given_up)
        self.pending.extendleft(p for p in reversed(returned) if p not in given_up)
        return given_up

    def close(self) -> list[Parcel]:
        """It has ended; returns what was on its way or held, oldest first."""
        left = sorted((*self.sent.values(), *self.retrying.values()), key=_seq)
        left += self.pending
        self.sent.clear()
        self.retrying.clear()
        self.pending.clear()
        self.armed = math.inf
        return left

    def change(self, subscription: Subscription) -> None:
        """Take the options of *subscription*; what is held, and what is on its way, stays."""
        self.subscription = subscription
        self.delivery = subscription.delivery
        if not self.delivery.ack:  # nobody will acknowledge what was sent
            self.pending.extendleft(reversed(self.retrying.values()))
            self.sent.clear()
            self.retrying.clear()

    # -- when to look again -------------------------------------------------------------

    def next_due(self, now: float) -> float:
        """When this lane has to be looked after next; inf: never, of itself."""
        due = self.drain_at
        for parcels in (self.sent, self.retrying):
            first = next(iter(parcels.values()), None)
            if first is not None:
                due = min(due, first.due)
        if self.process is None:
            due = min(due, self._next_look(now))
        return due

    def is_given_up(self, now: float) -> bool:
        """Whether nobody has taken the name for too long."""
        absent = self.process is None and not self.declared
        return absent and now >= self.absent_since + self.delivery.absence

    def _next_look(self, now: float) -> float:
        """When to look for the name again: the longer nobody has had it, the less often."""
        ends = math.inf if self.declared else self.absent_since + self.delivery.absence
        if not self.pending:  # who takes the name is found when there is something for it
            return max(ends, now)
        pause = max(self.delivery.retry_delay, min((now - self.absent_since) / 4, 1.0), 0.001)
        return min(max(ends, now), now + pause)

    def info(self) -> SubscriptionInfo:
        """What it looks like now."""
        return SubscriptionInfo(
            id=self.id,
            path=self.subscription.path,
            subscriber=self.subscription.subscriber,
            pid=None if self.process is None else self.process.pid,
            priority=self.subscription.priority,
            ack=self.delivery.ack,
            in_flight=len(self.sent) + len(self.retrying),
            pending=len(self.pending),
            blocked=len(self.blocked),
            sent=self.sent_count,
            acked=self.acked,
            redelivered=self.redelivered,
            dropped=self.dropped,
            rejected=self.rejected,
            dead_lettered=self.dead_lettered,
            late_acks=self.late_acks,
        )

    def __repr__(self) -> str:
        return f"<Lane {self.id!r}, {len(self.sent)} sent, {len(self.pending)} pending>"


def _due(parcels: dict[int, Parcel], now: float, limit: int) -> list[Parcel]:
    return list(_first_due(parcels, now, limit))


def _first_due(parcels: dict[int, Parcel], now: float, limit: int) -> Iterator[Parcel]:
    for number, parcel in enumerate(parcels.values()):
        if number >= limit or parcel.due > now:
            return
        yield parcel


def _seq(parcel: Parcel) -> int:
    return parcel.seq
