"""`RateLimiter`: named limits, each for many keys: how much passes, or how many at once.

`check` answers at once, `acquire` waits its turn, `hold` is for a limit of concurrency: its permit
belongs to the process that holds it, and is given back when that ends.  Those who wait are
served first come first served, by one timer; nobody polls, and nobody passes them.

A limiter is exact while the service lives.  After a restart its limits are there again (those of
the constructor, and with a `store` those configured at run time), and every key is as new.

>>> import asyncio, suptree as st
>>> from suptree.services import RateLimiter, SlidingWindow
>>> async def main():
...     async with st.Runtime():
...         limits = await RateLimiter.start_link({"mail": SlidingWindow(limit=2, per=60.0)})
...         return [(await RateLimiter.check(limits, "mail", "ann")).allowed for _ in range(3)]
>>> asyncio.run(main())
[True, True, False]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, get_args

from suptree.core import ReplyTo
from suptree.errors import CallTimeoutError
from suptree.otp import GenServer, NoReply, ServerRef, call, cast
from suptree.services.limits.book import (
    Key,
    Limiter,
    LimiterStats,
    LimitStatus,
    LimitVerdict,
)
from suptree.services.limits.errors import (
    CostTooHighError,
    LimiterKindError,
    LimitError,
    LimitExceededError,
    TooManyKeysError,
    TooManyLimitersError,
    UnknownLimiterError,
)
from suptree.services.limits.events import (
    LIMIT_ALLOWED,
    LIMIT_CLEANED,
    LIMIT_DENIED,
    LIMITER_CONFIGURED,
    LIMITER_REMOVED,
)
from suptree.services.limits.lines import Lines, ServeDue
from suptree.services.limits.rules import Concurrency, Limit, SlidingWindow, TokenBucket
from suptree.services.limits.sweep import Sweep
from suptree.services.parts.checks import check_count, check_name, check_number
from suptree.services.parts.hold import Hold
from suptree.services.parts.permits import Entered
from suptree.services.parts.plain import from_plain, is_mapping, to_plain
from suptree.services.parts.store import Store
from suptree.services.parts.turnstile import Ticket, Turnstile

__all__ = ["LimitsStats", "RateLimiter"]

A = TypeVar("A")

SPACE: Final = "limits"


@dataclass(frozen=True, slots=True)
class _CleanUpDue:
    """Look for idle keys again."""


@dataclass(frozen=True, slots=True)
class _CleanUp:
    """Go on with the clean-up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsStats:
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


class RateLimiter(GenServer):
    """The limits of a system.

    Args:
        limiters: Name -> limit; there again after a restart.
        max_keys: So many keys are kept for each limiter.  When all of them are in use, one more does
            not pass: a key that is forgotten too early would pass twice.
        max_waiting: So many wait for one key.
        cleanup_interval: Seconds between two clean-ups of idle keys.
        max_limiters: So many at most.
        store: Keeps limits that are configured at run time; None: those are lost with the service.

    Raises:
        ValueError: A name, a limit or a bound will not do.
    """

    def __init__(
        self,
        limiters: Mapping[str, Limit] | None = None,
        *,
        max_keys: int = 10_000,
        max_waiting: int = 1000,
        cleanup_interval: float = 300.0,
        max_limiters: int = 1000,
        store: Store | None = None,
    ) -> None:
        check_count("RateLimiter", "max_keys", max_keys)
        check_count("RateLimiter", "max_waiting", max_waiting, least=0)
        check_count("RateLimiter", "max_limiters", max_limiters)
        check_number("RateLimiter", "cleanup_interval", cleanup_interval, above=0)
        self._max_keys = max_keys
        self._max_waiting = max_waiting
        self._max_limiters = max_limiters
        self._cleanup_interval = cleanup_interval
        self._store = store
        runtime = self._process.runtime
        self._now = runtime.now
        self._telemetry = runtime.telemetry
        self._allowed = runtime.telemetry.slot(LIMIT_ALLOWED)
        self._denied = runtime.telemetry.slot(LIMIT_DENIED)
        self._limiters: dict[str, Limiter] = {}
        self._lines = Lines(self, self._passed)
        self._turnstile: Turnstile[Key] = Turnstile(self._now, self._let_in)
        self._sweep = Sweep()
        self._clean_waiters: list[ReplyTo] = []
        for name, limit in (limiters or {}).items():
            _check("RateLimiter", name, limit)
            self._limiters[name] = Limiter(name, limit)

    async def init(self) -> None:
        """Bring back what was configured at run time, and begin to clean up."""
        if self._store is not None:
            for name, data in (await self._store.load(SPACE)).items():
                self._limiters[name] = Limiter(name, _limit_of(data))
        self.send_after(self._cleanup_interval, _CleanUpDue())

    # -- clients: what passes ------------------------------------------------------------------

    @staticmethod
    async def check(
        server: ServerRef[RateLimiter], limiter: str, who: str = "", *, cost: int = 1
    ) -> LimitVerdict:
        """Pass if that is possible at once.  Nobody passes those who wait.

        Args:
            server: The service: pid or name.
            limiter: The name of a TokenBucket or a SlidingWindow.
            who: The key; each has a limit of its own.
            cost: How much passes.

        Returns:
            Whether it passed, and how the key stands.

        Raises:
            UnknownLimiterError: There is no such limiter.
            LimiterKindError: It is a Concurrency; see `hold`.
            CostTooHighError: It could never pass.
            TooManyKeysError: There is no room for another key.
            ValueError: *cost* is no whole number above 0.
        """
        _check_key("RateLimiter.check", who, cost)
        answer: object = await RateLimiter._take(server, limiter, who, cost)
        return answer if isinstance(answer, LimitVerdict) else _right(LimitVerdict, answer)

    @staticmethod
    async def acquire(
        server: ServerRef[RateLimiter],
        limiter: str,
        who: str = "",
        *,
        cost: int = 1,
        timeout: float | None = 5.0,
    ) -> LimitVerdict:
        """Pass, when it is one's turn.

        Args:
            server: The service: pid or name.
            limiter: The name of a TokenBucket or a SlidingWindow.
            who: The key.
            cost: How much passes.
            timeout: Seconds to wait; None: as long as it takes, or the caller of the caller waits.

        Raises:
            LimitExceededError: It could not pass in time, or too many wait.
            LimitError: As `check`.
        """
        _check_key("RateLimiter.acquire", who, cost)
        check_number("RateLimiter.acquire", "timeout", timeout, least=0, optional=True)
        verdict = _right(
            LimitVerdict, await RateLimiter._take(server, limiter, who, cost, timeout == 0)
        )
        if verdict.allowed:
            return verdict
        if timeout == 0:
            raise LimitExceededError(limiter, who, "timeout", verdict.retry_after)
        ticket = Ticket()
        answered = False
        try:
            wait = RateLimiter._wait.within(timeout)
            answer: object = await wait(server, limiter, who, cost, ticket)
            answered = True
        except CallTimeoutError:
            raise LimitExceededError(limiter, who, "timeout", None) from None
        finally:
            if not answered:
                RateLimiter._withdraw(server, ticket)
        return _right(LimitVerdict, answer)

    @staticmethod
    def hold(
        server: ServerRef[RateLimiter],
        limiter: str,
        who: str = "",
        *,
        timeout: float | None = 5.0,
    ) -> Hold:
        """Hold one of the permits of a Concurrency: ``async with RateLimiter.hold(...):``.

        It is given back when the block ends, or the process.  Entering raises what `acquire` does.
        """
        _check_key("RateLimiter.hold", who, 1)
        check_number("RateLimiter.hold", "timeout", timeout, least=0, optional=True)

        return _Permit(server, limiter, who, timeout)

    # -- clients: looking, and changing ---------------------------------------------------------------

    @staticmethod
    async def status(server: ServerRef[RateLimiter], limiter: str, who: str = "") -> LimitStatus:
        """How a key stands.

        Raises:
            UnknownLimiterError: There is no such limiter.
        """
        return _right(LimitStatus, await RateLimiter._status(server, limiter, who))

    @staticmethod
    async def configure(server: ServerRef[RateLimiter], limiter: str, limit: Limit) -> None:
        """Make a limiter, or give one another limit; what has passed lately counts still.

        If it becomes a Concurrency, or is none any more, it begins anew.

        Raises:
            ValueError: *limiter* or *limit* will not do.
            TooManyLimitersError: It would be one more than `max_limiters`.
        """
        _check("RateLimiter.configure", limiter, limit)
        refused, store = await RateLimiter._put(server, limiter, limit)
        if refused is not None:
            raise refused
        if store is not None:
            await store.put(SPACE, limiter, {"kind": type(limit).__name__, **to_plain(limit)})

    @staticmethod
    async def remove(server: ServerRef[RateLimiter], limiter: str) -> bool:
        """Forget a limiter; whether there was one.  Who waits for it is refused."""
        removed, store = await RateLimiter._drop(server, limiter)
        if store is not None:
            await store.delete(SPACE, limiter)
        return removed

    @call
    def limiters(self) -> dict[str, Limit]:
        """All limits by name."""
        return {name: limiter.limit for name, limiter in self._limiters.items()}

    @call
    def stats(self) -> LimitsStats:
        """What the service has done."""
        return LimitsStats(
            limiters={name: limiter.stats() for name, limiter in self._limiters.items()},
            owners=self._lines.owners() + self._turnstile.owners(),
            released=self._lines.released + self._turnstile.released,
            cleaned=self._sweep.cleaned,
        )

    @call
    def trigger_cleanup(self) -> NoReply:
        """Forget idle keys now; how many that were."""
        self._clean_waiters.append(self.sender)
        if not self._sweep.runs:
            self._clean_up()
        return NoReply()

    # -- requests of the functions above -----------------------------------------------------------------

    @call
    def _take(self, name: str, who: str, cost: int, last: bool = True) -> LimitVerdict | LimitError:
        now = self._now()
        key = self._key(name, who, "check", cost, now)
        if not isinstance(key, Key):
            return key
        meter = key.meter
        if meter is None:
            return LimiterKindError(name, "Concurrency", "check")
        if not key.line and meter.take(cost, now):
            self._passed(key, cost, 0.0)
            return key.verdict(meter, True, cost, now)
        if last:
            self._refused(key.limiter, who, cost, "exceeded")
        return key.verdict(meter, False, cost, now)

    @call
    def _wait(
        self, name: str, who: str, cost: int, ticket: Ticket
    ) -> LimitVerdict | LimitError | NoReply:
        now = self._now()
        key = self._key(name, who, "acquire", cost, now)
        if not isinstance(key, Key):
            return key
        meter = key.meter
        if meter is None:
            return LimiterKindError(name, "Concurrency", "acquire")
        if not key.line and meter.take(cost, now):
            self._passed(key, cost, 0.0)
            return key.verdict(meter, True, cost, now)
        if len(key.line) >= self._max_waiting:
            self._refused(key.limiter, who, cost, "line_full")
            return LimitExceededError(name, who, "line_full", meter.wait(cost, now))
        self._lines.join(key, cost, ticket, self.sender, now)
        return NoReply()

    @cast
    def _withdraw(self, ticket: Ticket) -> None:
        waiter = self._lines.leave(ticket, self._now())
        if waiter is not None:
            self._refused(waiter.key.limiter, waiter.key.who, waiter.cost, "gave_up")

    @call
    def _enter(
        self, name: str, who: str, ticket: Ticket, may_wait: bool, last: bool
    ) -> bool | LimitError | NoReply:
        now = self._now()
        key = self._key(name, who, "hold", 1, now)
        if not isinstance(key, Key):
            return key
        permits = key.permits
        if permits is None:
            return LimiterKindError(name, type(key.limiter.limit).__name__, "hold")
        if not may_wait and not permits.is_free():
            if last:
                self._refused(key.limiter, who, 1, "exceeded")
            return False
        permits.max_waiting = self._max_waiting  # it may have been made under another bound
        match self._turnstile.enter(key, permits, ticket, self.sender):
            case Entered.HELD:
                self._passed(key, 1, 0.0)
                return True
            case Entered.WAITING:
                return NoReply()
            case Entered.REFUSED:
                self._refused(key.limiter, who, 1, "line_full")
                return LimitExceededError(name, who, "line_full", None)

    @cast
    def _leave(self, ticket: Ticket) -> None:
        place = self._turnstile.leave(ticket)
        if place is not None and place.reply_to is not None:
            self._refused(place.key.limiter, place.key.who, 1, "gave_up")

    @call
    def _status(self, name: str, who: str) -> LimitStatus | LimitError:
        limiter = self._limiters.get(name)
        if limiter is None:
            return UnknownLimiterError(name, self._limiters)
        now = self._now()
        key = limiter.keys.get(who) or Key(limiter, who, now, self._max_waiting)
        return key.status(now)

    @call
    def _put(self, name: str, limit: Limit) -> tuple[TooManyLimitersError | None, Store | None]:
        known = self._limiters.get(name)
        if known is None and len(self._limiters) >= self._max_limiters:
            return TooManyLimitersError(name, self._max_limiters), None
        if known is not None and isinstance(known.limit, Concurrency) != isinstance(
            limit, Concurrency
        ):
            self._close(known)
            known = None
        if known is None:
            self._limiters[name] = Limiter(name, limit)
        elif known.limit != limit:
            self._change(known, limit)
        facts = {"limiter": name}
        self._telemetry.emit(LIMITER_CONFIGURED, {"limiters_count": len(self._limiters)}, facts)
        return None, self._store

    @call
    def _drop(self, name: str) -> tuple[bool, Store | None]:
        limiter = self._limiters.pop(name, None)
        if limiter is not None:
            self._close(limiter)
            facts = {"limiter": name}
            self._telemetry.emit(LIMITER_REMOVED, {"limiters_count": len(self._limiters)}, facts)
        return limiter is not None, self._store

    def handle_info(self, message: object) -> None:
        """A time has come, or a process has ended."""
        match message:
            case ServeDue():
                self._lines.serve_due(self._now())
            case _CleanUpDue():
                self.send_after(self._cleanup_interval, message)
                if not self._sweep.runs:
                    self._clean_up()
            case _CleanUp():
                self._clean_up()
            case _:
                self._turnstile.gone(message)
                self._lines.gone(message, self._now())

    # -- keys ------------------------------------------------------------------------------------------------

    def _key(self, name: str, who: str, doing: str, cost: int, now: float) -> Key | LimitError:
        limiter = self._limiters.get(name)
        if limiter is None:
            return UnknownLimiterError(name, self._limiters)
        key = limiter.keys.get(who)
        if cost > limiter.limit.limit:
            return CostTooHighError(name, cost, limiter.limit.limit)
        if key is not None:
            return key
        if not limiter.make_room(now, self._max_keys):
            limiter.keys_refused += 1
            self._refused(limiter, who, cost, "keys_full")
            return TooManyKeysError(name, who, self._max_keys)
        key = limiter.keys[who] = Key(limiter, who, now, self._max_waiting)
        return key

    def _passed(self, key: Key, cost: int, waited: float) -> None:
        key.limiter.allowed += 1
        if self._allowed.handlers:
            facts = {"limiter": key.limiter.name, "who": key.who}
            self._allowed.emit({"cost_count": cost, "waited_s": waited}, facts)

    def _refused(self, limiter: Limiter, who: str, cost: int, why: str) -> None:
        limiter.denied += 1
        if self._denied.handlers:
            facts = {"limiter": limiter.name, "who": who, "why": why}
            self._denied.emit({"cost_count": cost}, facts)

    def _change(self, limiter: Limiter, limit: Limit) -> None:
        now = self._now()
        if not isinstance(limit, Concurrency):
            limiter.change(limit, now)
            for key in list(limiter.keys.values()):
                self._lines.serve(key, now)
            return
        limiter.limit = limit
        for key in list(limiter.keys.values()):
            assert key.permits is not None
            self._turnstile.admit(key.permits.resize(limit.limit, self._max_waiting))

    def _close(self, limiter: Limiter) -> None:
        """Nobody waits for it any more, and what is held of it means nothing."""
        for key in limiter.keys.values():
            replies = self._lines.evict(key)
            if key.permits is not None:
                replies += self._turnstile.evict(key.permits)
            for reply_to in replies:
                self.reply(reply_to, LimitExceededError(limiter.name, key.who, "removed", None))

    def _let_in(self, key: Key, reply_to: ReplyTo, waited: float) -> None:
        self._passed(key, 1, waited)
        self.reply(reply_to, True)

    # -- idle keys -----------------------------------------------------------------------

    def _clean_up(self) -> None:
        """Begin a clean-up, or go on with it; the rest waits until the mailbox is done with."""
        if not self._sweep.runs:
            self._sweep.begin(self._limiters.values())
        if not self._sweep.step(self._now()):
            self.send_after(0.0, _CleanUp())
            return
        removed = self._sweep.removed
        kept = sum(len(one.keys) for one in self._limiters.values())
        self._telemetry.emit(LIMIT_CLEANED, {"removed_count": removed, "kept_count": kept}, {})
        for reply_to in self._clean_waiters:
            self.reply(reply_to, removed)
        self._clean_waiters.clear()

    # -- other settings ------------------------------------------------------------------

    @staticmethod
    async def reconfigure(
        server: ServerRef[RateLimiter],
        *,
        max_keys: int | None = None,
        max_waiting: int | None = None,
        max_limiters: int | None = None,
        cleanup_interval: float | None = None,
    ) -> None:
        """Go by other bounds from now on; what is not given stays as it is.

        Nobody who waits is sent away, and no key or limiter is forgotten, where a bound gets
        smaller: it holds for what comes.

        Args:
            max_keys, max_waiting, max_limiters: As for the class.
            cleanup_interval: As for the class; it holds from the next clean-up on.

        Raises:
            ValueError: One of them is out of bounds; nothing was changed.
        """
        who = "RateLimiter.reconfigure"
        check_count(who, "max_keys", max_keys, optional=True)
        check_count(who, "max_waiting", max_waiting, least=0, optional=True)
        check_count(who, "max_limiters", max_limiters, optional=True)
        check_number(who, "cleanup_interval", cleanup_interval, above=0, optional=True)
        await RateLimiter._reconfigure(
            server, max_keys, max_waiting, max_limiters, cleanup_interval
        )

    @call
    def _reconfigure(
        self,
        max_keys: int | None,
        max_waiting: int | None,
        max_limiters: int | None,
        cleanup_interval: float | None,
    ) -> None:
        self._max_keys = max_keys or self._max_keys
        self._max_waiting = self._max_waiting if max_waiting is None else max_waiting
        self._max_limiters = max_limiters or self._max_limiters
        self._cleanup_interval = cleanup_interval or self._cleanup_interval


class _Permit(Hold):
    """The caller's side of one permit."""

    __slots__ = ("_limiter", "_server", "_timeout", "_who")

    def __init__(
        self, server: ServerRef[RateLimiter], limiter: str, who: str, timeout: float | None
    ) -> None:
        self._server = server
        self._limiter = limiter
        self._who = who
        self._timeout = timeout

    async def enter(self, ticket: Ticket) -> None:
        enter = RateLimiter._enter  # pyright: ignore[reportPrivateUsage]
        limiter, who, timeout = self._limiter, self._who, self._timeout
        last = timeout == 0
        if _right(bool, await enter(self._server, limiter, who, ticket, False, last)):
            return
        if last:
            raise LimitExceededError(limiter, who, "timeout", None)
        try:
            wait = enter.within(timeout)
            _right(bool, await wait(self._server, limiter, who, ticket, True, True))
        except CallTimeoutError:
            raise LimitExceededError(limiter, who, "timeout", None) from None

    def leave(self, ticket: Ticket) -> None:
        RateLimiter._leave(self._server, ticket)  # pyright: ignore[reportPrivateUsage]


_KINDS: Final[Mapping[str, Any]] = {kind.__name__: kind for kind in get_args(Limit)}


def _limit_of(data: object) -> Limit:
    """A limit as it was stored."""
    if not is_mapping(data) or data.get("kind") not in _KINDS:
        raise ValueError(f"RateLimiter: stored data must be a limit with its kind; got {data!r}.")
    fields = {key: value for key, value in data.items() if key != "kind"}
    limit: Limit = from_plain(_KINDS[data["kind"]], fields)
    return limit


def _right(kind: type[A], answer: object) -> A:
    """The answer; or raise what it is instead, here, where the caller's code is."""
    if isinstance(answer, kind):
        return answer
    assert isinstance(answer, LimitError)
    raise answer


def _check(who: str, name: object, limit: object) -> None:
    check_name(who, "name", name)
    if not isinstance(limit, (TokenBucket, SlidingWindow, Concurrency)):
        raise ValueError(
            f"{who}: limit of {name!r} must be a TokenBucket, a SlidingWindow or a Concurrency; "
            f"got {limit!r}."
        )


def _check_key(doing: str, who: object, cost: object) -> None:
    check_count(doing, "cost", cost)
    if not isinstance(who, str):
        raise ValueError(f"{doing}: who must be a text; got {who!r}.")
