"""What a bus says: to subscribers, to publishers, and to who looks after it.  Values."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import msgspec

from suptree.core import Pid
from suptree.services.signals.signal import Signal
from suptree.services.signals.subscription import Subscriber

__all__ = [
    "BusHealth",
    "BusStats",
    "SignalDeadLetter",
    "SignalFault",
    "HealthStatus",
    "LoggedSignal",
    "SignalOutcome",
    "Published",
    "SignalReceipt",
    "SignalsRedriven",
    "SignalReceived",
    "SubscriptionInfo",
]


class SignalReceived(msgspec.Struct, frozen=True):  # a dataclass costs five times as much to make
    """The message that brings a signal to a subscriber.

    Attributes:
        signal: The signal.
        subscription: The id of the subscription that it comes by.
        seq: Its number in the bus; one that was published later has a higher one.
        attempt: 1, and more if it was brought before and not acknowledged.
        bus: Who brings it.
        ack: Whether it must be acknowledged: `SignalBus.ack(received)`.
    """

    signal: Signal
    subscription: str
    seq: int
    attempt: int
    bus: Pid[Any]
    ack: bool


class SignalOutcome(enum.StrEnum):
    """What became of one signal at one subscription, when it was published."""

    SENT = "sent"
    """It is in the subscriber's mailbox."""
    BUFFERED = "buffered"
    """The bus holds it: the subscriber has its fill, or is being restarted."""
    DISPLACED = "displaced"
    """The bus holds it, and dropped the oldest one that it held, as the overflow policy says."""
    DROPPED = "dropped"
    """It is lost to this subscriber, as the overflow policy says."""
    REJECTED = "rejected"
    """There was no place, or none within the time that the publisher would wait."""
    GONE = "gone"
    """The subscriber has ended, and nobody comes after it."""


@dataclass(frozen=True, slots=True)
class SignalFault:
    """Users' code failed while a signal was published.

    Attributes:
        where: `middleware` or `match`.
        name: Which middleware, or the id of which subscription.
        problem: What it did: `raised ValueError: ...`, `overran its 0.1 s`, ...
    """

    where: Literal["middleware", "match"]
    name: str
    problem: str


@dataclass(frozen=True, slots=True)
class SignalReceipt:
    """What became of one signal.

    Attributes:
        signal: As it was published, after all middleware; as it was given, if it was halted.
        seq: Its number in the bus; 0 if it was halted.
        outcomes: Subscription and outcome, in the order of delivery.
        halted: Why a middleware stopped it; None if none did.
        faults: What failed on the way.
    """

    signal: Signal
    seq: int
    outcomes: tuple[tuple[str, SignalOutcome], ...] = ()
    halted: str | None = None
    faults: tuple[SignalFault, ...] = ()

    @property
    def matched(self) -> int:
        """How many subscriptions wanted it."""
        return len(self.outcomes)

    @property
    def counts(self) -> Counter[SignalOutcome]:
        """How many subscriptions had which outcome."""
        return Counter(outcome for _, outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class Published:
    """What became of everything that one `publish` was given.

    Attributes:
        receipts: One for each signal, in order.
    """

    receipts: tuple[SignalReceipt, ...]

    @property
    def signals(self) -> tuple[Signal, ...]:
        """The signals as they were published."""
        return tuple(receipt.signal for receipt in self.receipts)

    @property
    def counts(self) -> Counter[SignalOutcome]:
        """How often there was which outcome."""
        return sum((receipt.counts for receipt in self.receipts), Counter[SignalOutcome]())

    @property
    def by_subscription(self) -> Mapping[str, Counter[SignalOutcome]]:
        """For each subscription how often there was which outcome."""
        found: dict[str, Counter[SignalOutcome]] = {}
        for receipt in self.receipts:
            for subscription, outcome in receipt.outcomes:
                found.setdefault(subscription, Counter())[outcome] += 1
        return found

    @property
    def faults(self) -> tuple[SignalFault, ...]:
        """Everything that failed on the way."""
        return tuple(fault for receipt in self.receipts for fault in receipt.faults)


@dataclass(frozen=True, slots=True)
class LoggedSignal:
    """A signal in the log of a bus.

    Attributes:
        seq: Its number.
        at: When it was published, in seconds since 1970; never less than that of the one before.
        signal: The signal.
    """

    seq: int
    at: float
    signal: Signal


@dataclass(frozen=True, slots=True)
class SignalDeadLetter:
    """A signal that could not be brought to a subscriber that must acknowledge it.

    Attributes:
        number: What names it in `redrive`.
        subscription: The id of the subscription.
        subscriber: Whose.
        signal: The signal.
        seq: Its number in the bus.
        attempts: How often it was tried.
        reason: `attempts` (all of them failed), `down` (the subscriber ended) or `absent`
            (nobody took the name).
        at: When, in seconds since 1970.
    """

    number: int
    subscription: str
    subscriber: Subscriber
    signal: Signal
    seq: int
    attempts: int
    reason: Literal["attempts", "down", "absent"]
    at: float


@dataclass(frozen=True, slots=True)
class SignalsRedriven:
    """What `redrive` did: how many are on their way again, and how many stayed dead letters.

    They stay whose subscription is not there, or has no place for them.
    """

    redriven: int
    kept: int


@dataclass(frozen=True, slots=True)
class SubscriptionInfo:
    """One subscription, as it is now.

    Attributes:
        id: Its id.
        path: Which types.
        subscriber: Whose, a pid or a name.
        pid: The process that gets the signals; None while nobody has the name.
        priority: -100 to 100.
        ack: Whether signals must be acknowledged.
        in_flight: Sent and not acknowledged; without *ack* always 0.
        pending: Held by the bus.
        blocked: Signals of publishers that wait for a place.
        sent: How many were put into its mailbox, each attempt counted.
        acked: How many it acknowledged.
        redelivered: How many attempts were not the first one.
        dropped: How many were dropped, as the overflow policy says.
        rejected: How many were rejected.
        dead_lettered: How many became dead letters.
        late_acks: Acknowledgements of what was acknowledged or given up before.
    """

    id: str
    path: str
    subscriber: Subscriber
    pid: Pid[Any] | None
    priority: int
    ack: bool
    in_flight: int
    pending: int
    blocked: int
    sent: int
    acked: int
    redelivered: int
    dropped: int
    rejected: int
    dead_lettered: int
    late_acks: int


@dataclass(frozen=True, slots=True)
class BusStats:
    """A bus, as it is now, and what it did since it started.

    Attributes:
        subscriptions: How many there are.
        published: Signals taken.
        halted: Signals that a middleware stopped.
        unmatched: Signals that nobody wanted.
        sent: Messages put into mailboxes, each attempt counted.
        buffered: Signals that had to be held at first.
        acked: Acknowledgements.
        redelivered: Attempts that were not the first one.
        dropped: Lost to an overflow policy.
        rejected: Refused for want of a place.
        gone: Published to a subscriber that had just ended.
        discarded: Held for a subscription without *ack* that ended, or for one that
            was taken back.
        dead_lettered: Became dead letters.
        dead_letters: Dead letters now.
        dead_letters_lost: Dead letters that had to make room for others.
        blocked: Publishers that wait for a place now.
        middleware_faults: Middleware that raised, overran or returned nonsense.
        match_faults: SignalMatch functions that raised.
        store_faults: What the store could not take.
        log_len: Signals in the log.
        log_bytes: Their size, if the log is bounded by that, else 0.
        log_dropped: Signals that left the log.
    """

    subscriptions: int
    published: int
    halted: int
    unmatched: int
    sent: int
    buffered: int
    acked: int
    redelivered: int
    dropped: int
    rejected: int
    gone: int
    discarded: int
    dead_lettered: int
    dead_letters: int
    dead_letters_lost: int
    blocked: int
    middleware_faults: int
    match_faults: int
    store_faults: int
    log_len: int
    log_bytes: int
    log_dropped: int


HealthStatus: TypeAlias = Literal["healthy", "degraded", "unhealthy"]


@dataclass(frozen=True, slots=True)
class BusHealth:
    """Whether a bus does its work, and why not.

    Attributes:
        status: `unhealthy`: there is no bus, or it does not answer.  `degraded`: it lost
            something within the last minute, or a lane is nearly full.
        reasons: In words; empty when healthy.
    """

    status: HealthStatus
    reasons: tuple[str, ...] = ()
