"""`LimitsState`: what the process of a `RateLimiter` holds, and what happens there of itself.

The limiters and their keys, the lines, the permits, and the clean-up of idle keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from suptree.core import ReplyTo
from suptree.otp import GenServer
from suptree.services.limits.book import Key, Limiter
from suptree.services.limits.errors import (
    CostTooHighError,
    TooManyKeysError,
    UnknownLimiterError,
)
from suptree.services.limits.events import LIMIT_ALLOWED, LIMIT_CLEANED, LIMIT_DENIED
from suptree.services.limits.lines import Lines
from suptree.services.limits.rules import Concurrency, Limit, SlidingWindow, TokenBucket
from suptree.services.limits.sweep import Sweep
from suptree.services.parts.checks import (
    check_count,
    check_kind,
    check_name,
    check_number,
    checked_by_name,
)
from suptree.services.parts.plain import from_plain, is_mapping
from suptree.services.parts.store import Store, checked_store
from suptree.services.parts.turnstile import Turnstile

__all__ = ["SPACE", "LimitsState", "check_limit"]

SPACE: Final = "limits"
"""The space of the store in which limits of run time are kept."""


@dataclass(frozen=True, slots=True)
class _CleanUpDue:
    """Look for idle keys again."""


@dataclass(frozen=True, slots=True)
class _CleanUp:
    """Go on with the clean-up."""


class LimitsState(GenServer):
    """The state of a rate limiter; see `RateLimiter` for the arguments."""

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
        self._store = checked_store("RateLimiter", store)
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
        for name, limit in checked_by_name("RateLimiter", "limiters", limiters, "Limit").items():
            check_limit("RateLimiter", name, limit)
            self._limiters[name] = Limiter(name, limit)

    async def init(self) -> None:
        """Bring back what was configured at run time, and begin to clean up."""
        if self._store is not None:
            for name, data in (await self._store.load(SPACE)).items():
                self._limiters[name] = Limiter(name, _limit_of(data))
        self.send_after(self._cleanup_interval, _CleanUpDue())

    def handle_info(self, message: object) -> None:
        """A time has come, or a process has ended."""
        if self._lines.serve_due(message, self._now()):
            return
        match message:
            case _CleanUpDue():
                self.send_after(self._cleanup_interval, message)
                if not self._sweep.runs:
                    self.clean_up()
            case _CleanUp():
                self.clean_up()
            case _:
                self._turnstile.gone(message)
                self._lines.gone(message, self._now())

    # -- keys ------------------------------------------------------------------------------------------------

    def _key(self, name: str, who: str, cost: int, now: float) -> Key:
        limiter = self._limiters.get(name)
        if limiter is None:
            raise UnknownLimiterError(name, self._limiters)
        key = limiter.keys.get(who)
        if cost > limiter.limit.limit:
            raise CostTooHighError(name, cost, limiter.limit.limit)
        if key is not None:
            return key
        if not limiter.make_room(now, self._max_keys):
            limiter.keys_refused += 1
            self._refused(limiter, who, cost, "keys_full")
            raise TooManyKeysError(name, who, self._max_keys)
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

    def _let_in(self, key: Key, reply_to: ReplyTo, waited: float) -> None:
        self._passed(key, 1, waited)
        self.reply(reply_to, True)

    # -- idle keys -----------------------------------------------------------------------

    def clean_up(self) -> None:
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


_KINDS: Final[Mapping[str, Any]] = {kind.__name__: kind for kind in get_args(Limit)}


def _limit_of(data: object) -> Limit:
    """A limit as it was stored."""
    if not is_mapping(data) or data.get("kind") not in _KINDS:
        raise ValueError(f"RateLimiter: stored data must be a limit with its kind; got {data!r}.")
    fields = {key: value for key, value in data.items() if key != "kind"}
    limit: Limit = from_plain(_KINDS[data["kind"]], fields)
    return limit


def check_limit(who: str, name: object, limit: object, field: str = "name") -> None:
    """Refuse a name that is none, and what is no limit.

    Raises:
        ValueError: It will not do.
    """
    check_name(who, field, name)
    wanted = "a TokenBucket, a SlidingWindow or a Concurrency"
    check_kind(who, f"limit of {name!r}", limit, (TokenBucket, SlidingWindow, Concurrency), wanted)
