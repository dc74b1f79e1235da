"""Limits as values, and the meters that keep them for one key.  No clock: `now` is a parameter.

`TokenBucket` lets `burst` through at once and `rate` a second in the long run: never more than
``burst + rate * t`` in any `t` seconds.  The timers of an event loop are late by a millisecond or
so, and what a full bucket cannot hold is lost meanwhile: above some hundred a second, those who
wait reach the rate only with a burst of what comes in a few milliseconds.

`SlidingWindow` lets `limit` through in any `per` seconds, wherever they begin: there is no edge
at which twice as many pass.  With a limit up to `precision` each pass is remembered, and a
place is free again exactly `per` seconds later.  With a larger one, passes that lie closer
together than ``per / precision`` are remembered as one, of the time of the last: a place may be
free that much late (1 % of `per`), and never early.

`Concurrency` lets `limit` in at once, each until it leaves; `hold` is for that.

>>> meter = meter_of(SlidingWindow(limit=2, per=10.0), 0.0)
>>> meter.take(1, 9.0), meter.take(1, 9.0), meter.take(1, 11.0), meter.take(1, 19.0)
(True, True, False, True)
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

from suptree.services.parts.checks import check_count, check_number

__all__ = ["Concurrency", "Limit", "Meter", "SlidingWindow", "TokenBucket", "meter_of"]

_SLACK: Final = 1e-9
"""Seconds that floats may be wrong by: what is due so soon is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBucket:
    """`rate` a second, and `burst` at once.

    Raises:
        ValueError: A field is out of bounds.
    """

    rate: float
    burst: int = 1

    def __post_init__(self) -> None:
        check_number("TokenBucket", "rate", self.rate, above=0)
        check_count("TokenBucket", "burst", self.burst)

    @property
    def limit(self) -> int:
        """The most that may pass at once."""
        return self.burst


@dataclass(frozen=True, slots=True, kw_only=True)
class SlidingWindow:
    """`limit` in any `per` seconds.

    Raises:
        ValueError: A field is out of bounds.
    """

    limit: int = 1000
    per: float = 60.0
    precision: int = 100

    def __post_init__(self) -> None:
        check_count("SlidingWindow", "limit", self.limit)
        check_number("SlidingWindow", "per", self.per, above=0)
        check_count("SlidingWindow", "precision", self.precision)


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """`limit` at once.

    Raises:
        ValueError: A field is out of bounds.
    """

    limit: int

    def __post_init__(self) -> None:
        check_count("Concurrency", "limit", self.limit)


Limit = TokenBucket | SlidingWindow | Concurrency


class Meter(Protocol):
    """Keeps a limit of passes for one key."""

    def take(self, cost: int, now: float) -> bool:
        """Let *cost* through, if they may."""
        ...

    def wait(self, cost: int, now: float) -> float:
        """Seconds until *cost* may pass, if nobody else does meanwhile; *cost* is within the limit."""
        ...

    def look(self, now: float) -> tuple[int, float]:
        """How many may pass now; and the seconds until it is as new, if nobody does: 0.0 if it is."""
        ...


def meter_of(limit: TokenBucket | SlidingWindow, now: float) -> Meter:
    """A new meter."""
    if isinstance(limit, TokenBucket):
        return _BucketMeter(limit, now)
    return _WindowMeter(limit)


class _BucketMeter:
    """Tokens, as of some moment."""

    __slots__ = ("_burst", "_rate", "_since", "_tokens")

    def __init__(self, limit: TokenBucket, now: float) -> None:
        self._rate = limit.rate
        self._burst = float(limit.burst)
        self._tokens = self._burst
        self._since = now

    def take(self, cost: int, now: float) -> bool:
        self._fill(now)
        if self._tokens + self._rate * _SLACK < cost:
            return False
        self._tokens -= cost
        return True

    def wait(self, cost: int, now: float) -> float:
        self._fill(now)
        return max(0.0, (cost - self._tokens) / self._rate)

    def look(self, now: float) -> tuple[int, float]:
        self._fill(now)
        tokens, rate = self._tokens, self._rate
        return int(tokens + rate * _SLACK), (self._burst - tokens) / rate

    def _fill(self, now: float) -> None:
        if now > self._since:
            self._tokens = min(self._burst, self._tokens + (now - self._since) * self._rate)
            self._since = now


class _Passes:
    """Some passes that are remembered as one: when the first and the last were, and how many."""

    __slots__ = ("count", "first", "last")

    def __init__(self, now: float, count: int) -> None:
        self.first = now
        self.last = now
        self.count = count


class _WindowMeter:
    """The passes of the last `per` seconds."""

    __slots__ = ("_limit", "_log", "_per", "_together", "_used")

    def __init__(self, limit: SlidingWindow) -> None:
        self._limit = limit.limit
        self._per = limit.per
        self._together = limit.per / limit.precision if limit.limit > limit.precision else 0.0
        self._log: deque[_Passes] = deque()
        self._used = 0

    def take(self, cost: int, now: float) -> bool:
        self._forget(now)
        if self._used + cost > self._limit:
            return False
        self._used += cost
        if self._log and now - self._log[-1].first < self._together:
            newest = self._log[-1]
            newest.last = now
            newest.count += cost
        else:
            self._log.append(_Passes(now, cost))
        return True

    def wait(self, cost: int, now: float) -> float:
        self._forget(now)
        missing = self._used + cost - self._limit
        for passes in self._log:
            if missing <= 0:
                break
            missing -= passes.count
            if missing <= 0:
                return max(0.0, passes.last + self._per - now)
        return 0.0

    def look(self, now: float) -> tuple[int, float]:
        self._forget(now)
        reset_in = max(0.0, self._log[-1].last + self._per - now) if self._log else 0.0
        return self._limit - self._used, reset_in

    def _forget(self, now: float) -> None:
        log = self._log
        while log and log[0].last + self._per <= now + _SLACK:
            self._used -= log.popleft().count
