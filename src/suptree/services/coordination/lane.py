"""`Lane`: the messages on their way to one receiver, and what is known of it.  Values only.

A lane hands over one message at a time, and the next one when that is answered; so what
a receiver gets is in order, and a slow one holds up nobody but those who wrote to it.
"""

from __future__ import annotations

from collections import deque
from contextvars import Context
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Literal, Protocol

from suptree.core import ReplyTo
from suptree.otp import Response
from suptree.services.coordination.asked import check_class
from suptree.services.coordination.outcomes import Outcome, Receiver
from suptree.services.parts.backoff import RetryPolicy
from suptree.services.parts.breaker import Breaker, BreakerConfig, Permit
from suptree.services.parts.checks import check_count, check_number, check_word
from suptree.services.parts.deadlines import NEVER

__all__ = [
    "ENDED",
    "IN_FLIGHT",
    "PARKED",
    "WAITING",
    "Entry",
    "Lane",
    "LaneInfo",
    "LanePolicy",
    "Waiter",
    "info_of",
]

Overflow = Literal["reject", "drop_oldest", "wait"]
"""What a full lane does with one message more.

reject: refuses it, and its sender knows.  drop_oldest: dead-letters the one that waits
longest.  wait: lets the sender wait for a place, as long as it waits for the outcome.
"""


def _retry() -> RetryPolicy:
    return RetryPolicy.exponential(first=0.05, cap=5.0, jitter=0.2, max_attempts=3, total_time=None)


def _breaker() -> BreakerConfig:
    return BreakerConfig(failure_threshold=5, reset_timeout=30.0, success_threshold=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LanePolicy:
    """How the messages to one receiver are treated.

    Attributes:
        buffer: How many may wait behind the one that the receiver has.
        overflow: What becomes of one more; see `Overflow`.
        parked: How many senders may wait for a place, under 'wait'.
        retry: The waits between attempts, and how often a message is delivered to a
            receiver that dies over it (3 times).  While nobody lives there, or when the
            receiver died before it had begun with the message, nothing counts.
        ack_timeout: Seconds after which a receiver that has not answered counts as failed.
            The message is not sent again: the receiver may still be at it.
        expires: Seconds after which a message that was not handled is given up.
        breaker: When a receiver is given a rest; None: never.  Its deaths with a message in
            hand and unread ones count, and answers that take longer than `ack_timeout`.
        while_open: Whether the lane of such a receiver buffers, or rejects.

    Raises:
        ValueError: A field is out of bounds.
    """

    buffer: int = 100
    overflow: Overflow = "reject"
    parked: int = 1000
    retry: RetryPolicy = field(default_factory=_retry)
    ack_timeout: float = 5.0
    expires: float = 60.0
    breaker: BreakerConfig | None = field(default_factory=_breaker)
    while_open: Literal["buffer", "reject"] = "buffer"

    def __post_init__(self) -> None:
        who = "LanePolicy"
        check_class(who, "retry", self.retry, RetryPolicy, "RetryPolicy.fixed(max_attempts=3)")
        if self.breaker is not None:
            check_class(who, "breaker", self.breaker, BreakerConfig, "BreakerConfig()")
        check_count(who, "buffer", self.buffer, least=0)
        check_count(who, "parked", self.parked, least=0)
        check_number(who, "ack_timeout", self.ack_timeout, above=0)
        check_number(who, "expires", self.expires, above=0)
        check_word(who, "overflow", self.overflow, ("reject", "drop_oldest", "wait"))
        check_word(who, "while_open", self.while_open, ("buffer", "reject"))
        if self.retry.max_attempts is None:
            raise ValueError(f"{who}: retry must have max_attempts; got None. Say how often.")


class EntryState(IntEnum):
    """A message is parked only under 'wait'; it goes back to WAITING when an attempt has failed."""

    PARKED = 0
    WAITING = 1
    IN_FLIGHT = 2
    ENDED = 3


PARKED: Final = EntryState.PARKED
WAITING: Final = EntryState.WAITING
IN_FLIGHT: Final = EntryState.IN_FLIGHT
ENDED: Final = EntryState.ENDED


class Asker(Protocol):
    """Who is told what became of a message to one of many: a broadcast."""

    def done(self) -> bool:
        """Whether nobody waits for it any more."""
        ...

    def collect(self, entry: Entry, outcome: Outcome) -> None:
        """Take the outcome."""
        ...


class Entry:
    """One message.

    Attributes:
        id: Its number, unique in the runtime, growing.
        lane: Where it stands now.
        message: What the receiver gets.
        asker: Who waits for the outcome; None: nobody any more.
        wait_until: Until when the asker waits.
        expires_at: When it is given up.
        accepted_at: When it was accepted.
        attempts: How often it was delivered.
        others: Receivers that may get it instead, if this one dies over it.
        context: What travels with it, if anything does.
        redrives: How often it was a dead letter before.
        waiters: Those who asked for its outcome later.
        due: When it needs to be looked at; see `Deadlines`.

    One is made for each message: what most of them do not need is an attribute of the class.
    """

    state: EntryState = WAITING
    attempts = 0
    others: tuple[Receiver, ...] = ()
    context: Context | None = None
    redrives = 0
    waiters: list[Waiter] | None = None
    due = NEVER

    def __init__(
        self,
        id: int,
        lane: Lane,
        message: object,
        asker: ReplyTo | Asker | None,
        now: float,
        wait_until: float,
        expires_at: float,
    ) -> None:
        self.id = id
        self.lane = lane
        self.message = message
        self.asker = asker
        self.accepted_at = now
        self.wait_until = wait_until
        self.expires_at = expires_at

    def is_awaited(self) -> bool:
        """Whether somebody has waited for its outcome from the start, and still does."""
        return self.asker is not None and not self.asker.done()

    def moment(self) -> float:
        """When it needs to be looked at next."""
        due = self.expires_at if self.state is not ENDED else NEVER
        if self.asker is not None and self.wait_until < due:
            due = self.wait_until
        if self.state is IN_FLIGHT and self.lane.ack_due < due:
            due = self.lane.ack_due
        return due


class Waiter:
    """One who asked for the outcome of a message that it had been told was buffered."""

    __slots__ = ("due", "entry", "reply_to")

    def __init__(self, entry: Entry, reply_to: ReplyTo) -> None:
        self.entry = entry
        self.reply_to = reply_to
        self.due = NEVER


class Lane:
    """The way to one receiver.

    Attributes:
        to: The receiver.
        policy: How its messages are treated.
        breaker: Its breaker, if the policy has one.
        counts_successes: Whether that asks for what went well, too, while it is closed.
        waiting: The messages behind the one in flight, in order.
        parked: Those of senders that wait for a place, in order.
        in_flight: The one that the receiver has.
        request: Its request.
        permit: The leave of the breaker for it.
        sent_at: When it was delivered.
        ack_due: When the receiver counts as failed, unless it has answered.
        failures: Attempts in a row that found nobody, or failed.
        pause: The last wait between two attempts.
        due: When the next attempt may be made; see `Deadlines`.
        used_at: When it last had something to do.
    """

    __slots__ = (
        "ack_due",
        "breaker",
        "counts_successes",
        "due",
        "failures",
        "in_flight",
        "parked",
        "pause",
        "permit",
        "policy",
        "request",
        "sent_at",
        "to",
        "used_at",
        "waiting",
    )

    def __init__(self, to: Receiver, policy: LanePolicy, now: float) -> None:
        self.to = to
        self.breaker = None if policy.breaker is None else Breaker(policy.breaker)
        self.policy = policy
        self.counts_successes = _counts_successes(policy.breaker)
        self.waiting: deque[Entry] = deque()
        self.parked: deque[Entry] = deque()
        self.in_flight: Entry | None = None
        self.request: Response | None = None
        self.permit: Permit | None = None
        self.sent_at = now
        self.ack_due = NEVER
        self.failures = 0
        self.pause: float | None = None
        self.due = NEVER
        self.used_at = now

    def go_by(self, policy: LanePolicy) -> None:
        """Treat what comes by *policy* from now on.

        Nothing that it holds goes for that.  A breaker with other numbers keeps its state, and
        begins to count anew.
        """
        before, self.policy = self.policy, policy
        config = policy.breaker
        if config == before.breaker:
            return
        if self.breaker is None or config is None:
            self.breaker = None if config is None else Breaker(config)
            self.permit = None
        else:
            self.breaker.configure(config)
        self.counts_successes = _counts_successes(config)

    def entries(self) -> list[Entry]:
        """Everything in it, the one that the receiver has first."""
        first = [] if self.in_flight is None else [self.in_flight]
        return [*first, *self.waiting, *self.parked]

    def load(self) -> int:
        """How many messages it holds."""
        return len(self.waiting) + len(self.parked) + (self.in_flight is not None)

    def is_empty(self) -> bool:
        """Whether nothing waits behind the one in flight, if there is one."""
        return not self.waiting and not self.parked

    def position(self, entry: Entry) -> int:
        """The place of *entry*: 1 is delivered next, 0 is with the receiver."""
        if entry is self.in_flight:
            return 0
        if entry.state is PARKED:
            return len(self.waiting) + self.parked.index(entry) + 1
        return self.waiting.index(entry) + 1

    def is_quiet(self) -> bool:
        """Whether nothing would be lost with it: no message, and no breaker that is not closed."""
        return not self.load() and (self.breaker is None or self.breaker.state == "closed")

    def what_holds_it(self) -> str:
        """Why the next message waits, for people."""
        if self.in_flight is not None:
            if self.failures:
                return "the last attempt found nobody, or failed; another one is under way"
            return "the receiver has not answered yet"
        if self.breaker is not None and self.breaker.state == "open":
            return "the receiver keeps failing: its breaker is open"
        return "nobody lives there just now" if self.failures else "it is its turn next"


def _counts_successes(config: BreakerConfig | None) -> bool:
    return config is not None and (config.failure_rate, config.slow_after) != (None, None)


@dataclass(frozen=True, slots=True)
class LaneInfo:
    """A lane as people see it.

    Attributes:
        to: The receiver.
        waiting: Messages that wait, parked ones included.
        in_flight: The id of the message that the receiver has; None: it has none.
        in_flight_s: Seconds since it was delivered; 0.0 without one.
        breaker: 'closed', 'open', 'half_open', or 'none'.
        failures: Attempts in a row that failed or found nobody.
        oldest_s: Seconds since the oldest of its messages was accepted; 0.0 without one.
    """

    to: Receiver
    waiting: int
    in_flight: int | None
    in_flight_s: float
    breaker: str
    failures: int
    oldest_s: float


def info_of(lane: Lane, now: float) -> LaneInfo:
    """*lane* as people see it."""
    return LaneInfo(
        to=lane.to,
        waiting=len(lane.waiting) + len(lane.parked),
        in_flight=None if lane.in_flight is None else lane.in_flight.id,
        in_flight_s=0.0 if lane.in_flight is None else now - lane.sent_at,
        breaker="none" if lane.breaker is None else lane.breaker.state.value,
        failures=lane.failures,
        oldest_s=max((now - entry.accepted_at for entry in lane.entries()), default=0.0),
    )
