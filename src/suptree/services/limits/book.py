"""What the rate limiter keeps: its limiters, their keys, and who waits; and what it answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from suptree.core import Pid, ReplyTo
from suptree.services.limits.rules import Concurrency, Limit, Meter, meter_of
from suptree.services.parts.deadlines import NEVER
from suptree.services.parts.permits import Permits
from suptree.services.parts.turnstile import Ticket

__all__ = [
    "SHORTEST",
    "Key",
    "LimitStatus",
    "Limiter",
    "LimiterStats",
    "LimitVerdict",
    "LimitStats",
    "Waiter",
]

_LOOKED_AT: Final = 8
"""Keys that are tried for one that is idle when a new one needs the place."""
SHORTEST: Final = 1e-6
"""Seconds that nobody waits less than: what floats make of 0 must not spin."""


class LimitVerdict(NamedTuple):
    """The answer to `check` and `acquire`.

    Attributes:
        allowed: Whether it passed.
        remaining: How many more may pass now.
        retry_after: Seconds until it might pass; 0.0 when it did.
        reset_in: Seconds until the key is as new, if nobody passes meanwhile.
        limit: The most that may pass at once.
    """

    allowed: bool
    remaining: int
    retry_after: float
    reset_in: float
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitStatus:
    """How one key of a limiter stands.

    Attributes:
        limit: The most that may pass, or be held, at once.
        remaining: How many may pass now.
        reset_in: Seconds until it is as new, if nobody passes meanwhile; None: nobody knows, since
            permits are held.
        waiting: How many wait in its line.
        held: Permits held; of a Concurrency only.
    """

    limit: int
    remaining: int
    reset_in: float | None
    waiting: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LimiterStats:
    """What one limiter has done since it is there.

    Attributes:
        limit: What it keeps.
        keys: How many keys it knows now.
        waiting: How many wait, over all keys.
        held: Permits held, over all keys.
        allowed: How often somebody passed.
        denied: How often somebody did not.
        keys_refused: Those of them for which there was no room for a key.
    """

    limit: Limit
    keys: int
    waiting: int
    held: int
    allowed: int
    denied: int
    keys_refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitStats:
    """What the service has done since it started.

    Attributes:
        limiters: By name.
        owners: Processes that wait or hold something now.
        released: Permits and places in a line given back because their process ended.
        cleaned: Idle keys forgotten by clean-ups.
    """

    limiters: Mapping[str, LimiterStats]
    owners: int
    released: int
    cleaned: int


class Waiter:
    """Somebody in the line of a key."""

    __slots__ = ("cost", "key", "owner", "reply_to", "since")

    def __init__(
        self, key: Key, cost: int, reply_to: ReplyTo, owner: Pid[Any] | None, since: float
    ) -> None:
        self.key = key
        self.cost = cost
        self.reply_to = reply_to
        self.owner = owner
        self.since = since


class Key:
    """One key of a limiter: a meter with a line, or permits."""

    __slots__ = ("due", "limiter", "line", "meter", "permits", "who")

    def __init__(self, limiter: Limiter, who: str, now: float, max_waiting: int) -> None:
        self.limiter = limiter
        self.who = who
        self.line: dict[Ticket, Waiter] = {}  # the first is the next
        self.due = NEVER  # when the next one may pass; see `Deadlines`
        self.meter: Meter | None = None
        self.permits: Permits[Ticket] | None = None
        if isinstance(limiter.limit, Concurrency):
            self.permits = Permits(limiter.limit.limit, max_waiting)
        else:
            self.meter = meter_of(limiter.limit, now)

    def is_idle(self, now: float) -> bool:
        """Whether it may be forgotten, and nobody would notice."""
        if self.permits is not None:
            return not self.permits.held and not self.permits.waiting
        assert self.meter is not None
        return not self.line and self.meter.look(now)[1] <= 0

    def verdict(self, meter: Meter, allowed: bool, cost: int, now: float) -> LimitVerdict:
        """What is said to who came."""
        retry_after = 0.0 if allowed else max(meter.wait(cost, now), SHORTEST)
        remaining, reset_in = meter.look(now)
        return LimitVerdict(allowed, remaining, retry_after, reset_in, self.limiter.limit.limit)

    def status(self, now: float) -> LimitStatus:
        """How it stands at *now*."""
        limit = self.limiter.limit.limit
        if self.permits is not None:
            held = self.permits.held
            return LimitStatus(
                limit=limit,
                remaining=max(0, limit - held),
                reset_in=None if held else 0.0,
                waiting=self.permits.waiting,
                held=held,
            )
        assert self.meter is not None
        remaining, reset_in = self.meter.look(now)
        return LimitStatus(
            limit=limit, remaining=remaining, reset_in=reset_in, waiting=len(self.line)
        )


class Limiter:
    """One named limiter and its keys."""

    __slots__ = ("allowed", "denied", "keys", "keys_refused", "limit", "name")

    def __init__(self, name: str, limit: Limit) -> None:
        self.name = name
        self.limit = limit
        self.keys: dict[str, Key] = {}
        self.allowed = self.denied = self.keys_refused = 0

    def make_room(self, now: float, max_keys: int) -> bool:
        """Whether there is room for one more key; some of the oldest are forgotten for it if idle."""
        for _ in range(_LOOKED_AT):
            if len(self.keys) < max_keys:
                return True
            oldest = self.keys.pop(next(iter(self.keys)))
            if not oldest.is_idle(now):
                self.keys[oldest.who] = oldest  # looked at again when it is its turn
        return len(self.keys) < max_keys

    def change(self, limit: Limit, now: float) -> None:
        """Keep another rate; what has passed lately counts still."""
        used = self.limit.limit
        self.limit = limit
        assert not isinstance(limit, Concurrency)
        for key in self.keys.values():
            assert key.meter is not None
            passed = used - key.meter.look(now)[0]
            key.meter = meter_of(limit, now)
            if passed > 0:
                key.meter.take(min(passed, limit.limit), now)

    def stats(self) -> LimiterStats:
        """What it has done."""
        permits = [key.permits for key in self.keys.values() if key.permits is not None]
        return LimiterStats(
            limit=self.limit,
            keys=len(self.keys),
            waiting=sum(len(key.line) for key in self.keys.values())
            + sum(one.waiting for one in permits),
            held=sum(one.held for one in permits),
            allowed=self.allowed,
            denied=self.denied,
            keys_refused=self.keys_refused,
        )
