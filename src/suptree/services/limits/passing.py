"""The side of a rate limiter for those who want to pass: `check`, `acquire` and `hold`."""

from __future__ import annotations

from typing import Any

from suptree.errors import CallTimeoutError
from suptree.otp import NoReply, ServerRef, call, cast
from suptree.services.limits.book import LimitVerdict
from suptree.services.limits.errors import LimiterKindError, LimitError, LimitExceededError
from suptree.services.limits.state import LimitsState
from suptree.services.parts.checks import check_count, check_name, check_number, check_text
from suptree.services.parts.hold import Hold
from suptree.services.parts.permits import Entered
from suptree.services.parts.turnstile import Ticket

__all__ = ["Passing", "check_key"]


class Passing(LimitsState):
    """Passing, or holding a permit: at once, or when it is one's turn."""

    __front__ = "RateLimiter"

    @staticmethod
    async def check(
        server: ServerRef[Passing], limiter: str, who: str = "", *, cost: int = 1
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
        check_key("RateLimiter.check", limiter, who, cost)
        return await Passing._take(server, limiter, who, cost)

    @staticmethod
    async def acquire(
        server: ServerRef[Passing],
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
        check_key("RateLimiter.acquire", limiter, who, cost)
        check_number("RateLimiter.acquire", "timeout", timeout, least=0, optional=True)
        verdict = await Passing._take(server, limiter, who, cost, timeout == 0)
        if verdict.allowed:
            return verdict
        if timeout == 0:
            raise LimitExceededError(limiter, who, "timeout", verdict.retry_after)
        ticket = Ticket()
        answered = False
        try:
            wait = Passing._wait.within(timeout)
            verdict = await wait(server, limiter, who, cost, ticket)
            answered = True
        except CallTimeoutError as late:
            left = verdict.retry_after - late.timeout  # 0 or less: others have passed meanwhile
            retry_after = left if left > 0 else None
            raise LimitExceededError(limiter, who, "timeout", retry_after) from None
        finally:
            if not answered:
                Passing._withdraw(server, ticket)
        if not verdict.allowed:  # not even to wait
            raise LimitExceededError(limiter, who, "line_full", verdict.retry_after)
        return verdict

    @staticmethod
    def hold(
        server: ServerRef[Passing],
        limiter: str,
        who: str = "",
        *,
        timeout: float | None = 5.0,
    ) -> Hold:
        """Hold one of the permits of a Concurrency: ``async with RateLimiter.hold(...):``.

        It is given back when the block ends, or the process.  Entering raises what `acquire` does.
        """
        check_key("RateLimiter.hold", limiter, who, 1)
        check_number("RateLimiter.hold", "timeout", timeout, least=0, optional=True)

        return _Permit(server, limiter, who, timeout)

    # -- requests of the functions above ------------------------------------------------

    # What is refused since it is too much is an ordinary verdict; what is raised is a mistake.

    @call(raises=LimitError)
    def _take(self, name: str, who: str, cost: int, last: bool = True) -> LimitVerdict:
        now = self._now()
        key = self._key(name, who, cost, now)
        meter = key.meter
        if meter is None:
            raise LimiterKindError(name, "Concurrency", "check")
        if not key.line and meter.take(cost, now):
            self._passed(key, cost, 0.0)
            return key.verdict(meter, True, cost, now)
        if last:
            self._refused(key.limiter, who, cost, "exceeded")
        return key.verdict(meter, False, cost, now)

    @call(raises=LimitError)
    def _wait(self, name: str, who: str, cost: int, ticket: Ticket) -> LimitVerdict | NoReply:
        now = self._now()
        key = self._key(name, who, cost, now)
        meter = key.meter
        if meter is None:
            raise LimiterKindError(name, "Concurrency", "acquire")
        if not key.line and meter.take(cost, now):
            self._passed(key, cost, 0.0)
            return key.verdict(meter, True, cost, now)
        if len(key.line) >= self._max_waiting:
            self._refused(key.limiter, who, cost, "line_full")
            return key.verdict(meter, False, cost, now)
        self._lines.join(key, cost, ticket, self.sender, now)
        return NoReply()

    @cast
    def _withdraw(self, ticket: Ticket) -> None:
        waiter = self._lines.leave(ticket, self._now())
        if waiter is not None:
            self._refused(waiter.key.limiter, waiter.key.who, waiter.cost, "gave_up")

    @call(raises=LimitError)
    def _enter(
        self, name: str, who: str, ticket: Ticket, may_wait: bool, last: bool
    ) -> bool | NoReply:
        now = self._now()
        key = self._key(name, who, 1, now)
        permits = key.permits
        if permits is None:
            raise LimiterKindError(name, type(key.limiter.limit).__name__, "hold")
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
                return False

    @cast
    def _leave(self, ticket: Ticket) -> None:
        place = self._turnstile.leave(ticket)
        if place is not None and place.reply_to is not None:
            self._refused(place.key.limiter, place.key.who, 1, "gave_up")


class _Permit(Hold):
    """The caller's side of one permit."""

    __slots__ = ("_limiter", "_server", "_timeout", "_who")

    def __init__(
        self, server: ServerRef[Passing], limiter: str, who: str, timeout: float | None
    ) -> None:
        self._server = server
        self._limiter = limiter
        self._who = who
        self._timeout = timeout

    async def enter(self, ticket: Ticket) -> None:
        enter = Passing._enter  # pyright: ignore[reportPrivateUsage]
        limiter, who, timeout = self._limiter, self._who, self._timeout
        last = timeout == 0
        if await enter(self._server, limiter, who, ticket, False, last):
            return
        if last:
            raise LimitExceededError(limiter, who, "timeout", None)
        try:
            wait = enter.within(timeout)
            entered = await wait(self._server, limiter, who, ticket, True, True)
        except CallTimeoutError:
            raise LimitExceededError(limiter, who, "timeout", None) from None
        if not entered:  # not even into the line
            raise LimitExceededError(limiter, who, "line_full", None)

    def leave(self, ticket: Ticket) -> None:
        Passing._leave(self._server, ticket)  # pyright: ignore[reportPrivateUsage]


def check_key(doing: str, limiter: Any, who: Any, cost: Any) -> None:
    """Refuse the name of a limiter that is none, a key that is no text, and no whole number above 0.

    Raises:
        ValueError: One of them will not do.
    """
    if limiter.__class__ is who.__class__ is str and limiter and cost.__class__ is int and cost > 0:
        return  # as nearly always
    check_name(doing, "limiter", limiter)
    check_text(doing, "who", who)
    check_count(doing, "cost", cost)
