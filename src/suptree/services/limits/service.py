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

from suptree.otp import NoReply, ServerRef, call
from suptree.services.limits.book import Key, Limiter, LimitStats, LimitStatus
from suptree.services.limits.errors import (
    LimitExceededError,
    TooManyLimitersError,
    UnknownLimiterError,
)
from suptree.services.limits.events import LIMITER_CONFIGURED, LIMITER_REMOVED
from suptree.services.limits.passing import Passing, check_key
from suptree.services.limits.rules import Concurrency, Limit
from suptree.services.limits.state import SPACE, check_limit
from suptree.services.parts.checks import check_count, check_name, check_number
from suptree.services.parts.plain import to_plain
from suptree.services.parts.store import Store

__all__ = ["RateLimiter"]


class RateLimiter(Passing):
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

    @staticmethod
    async def status(server: ServerRef[RateLimiter], limiter: str, who: str = "") -> LimitStatus:
        """How a key stands.

        Raises:
            UnknownLimiterError: There is no such limiter.
        """
        check_key("RateLimiter.status", limiter, who, 1)
        return await RateLimiter._status(server, limiter, who)

    @staticmethod
    async def configure(server: ServerRef[RateLimiter], limiter: str, limit: Limit) -> None:
        """Make a limiter, or give one another limit; what has passed lately counts still.

        If it becomes a Concurrency, or is none any more, it begins anew.

        Raises:
            ValueError: *limiter* or *limit* will not do.
            TooManyLimitersError: It would be one more than `max_limiters`.
        """
        check_limit("RateLimiter.configure", limiter, limit, "limiter")
        store = await RateLimiter._put(server, limiter, limit)
        if store is not None:
            await store.put(SPACE, limiter, {"kind": type(limit).__name__, **to_plain(limit)})

    @staticmethod
    async def remove(server: ServerRef[RateLimiter], limiter: str) -> bool:
        """Forget a limiter; whether there was one.  Who waits for it is refused."""
        check_name("RateLimiter.remove", "limiter", limiter)
        removed, store = await RateLimiter._drop(server, limiter)
        if store is not None:
            await store.delete(SPACE, limiter)
        return removed

    @call
    def limiters(self) -> dict[str, Limit]:
        """All limits by name."""
        return {name: limiter.limit for name, limiter in self._limiters.items()}

    @call
    def stats(self) -> LimitStats:
        """What the service has done."""
        return LimitStats(
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
            self.clean_up()
        return NoReply()

    # -- requests of the functions above ------------------------------------------------

    @call(raises=UnknownLimiterError)
    def _status(self, name: str, who: str) -> LimitStatus:
        limiter = self._limiters.get(name)
        if limiter is None:
            raise UnknownLimiterError(name, self._limiters)
        now = self._now()
        key = limiter.keys.get(who) or Key(limiter, who, now, self._max_waiting)
        return key.status(now)

    @call(raises=TooManyLimitersError)
    def _put(self, name: str, limit: Limit) -> Store | None:
        known = self._limiters.get(name)
        if known is None and len(self._limiters) >= self._max_limiters:
            raise TooManyLimitersError(name, self._max_limiters)
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
        return self._store

    @call
    def _drop(self, name: str) -> tuple[bool, Store | None]:
        limiter = self._limiters.pop(name, None)
        if limiter is not None:
            self._close(limiter)
            facts = {"limiter": name}
            self._telemetry.emit(LIMITER_REMOVED, {"limiters_count": len(self._limiters)}, facts)
        return limiter is not None, self._store

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
                error = LimitExceededError(limiter.name, key.who, "removed", None)
                self.reply_error(reply_to, error)

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
