"""`Cache`: results that are kept for a while, so that they need not be made again.

Reading sends no message: it looks into the table of the server, and never gives a value whose
time is over.  `get_or_compute` makes what is not there, in its caller; callers who want the same
key meanwhile wait for that one.  A failure is told to all of them, and never kept.

When there is no room, the value goes that was used longest ago, exactly.  What was deleted or
put while it was being computed is not overwritten by what was known before.  A value is
given by reference to everybody: keep what nobody changes.  All is lost with the server.

>>> import asyncio, suptree as st
>>> from suptree.services import Cache
>>> async def main():
...     async with st.Runtime():
...         cache = await Cache.start_link()
...         await Cache.put(cache, "tea", 3, ttl=60.0)
...         return Cache.get(cache, "tea"), Cache.get(cache, "milk", 0)
>>> asyncio.run(main())
(3, 0)
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import asdict
from typing import Any, Final, TypeVar

from suptree.core import Pid, Table, find_runtime
from suptree.errors import (
    CallTimeoutError,
    MailboxFullError,
    NoProcessError,
    NoRuntimeError,
    RuntimeClosedError,
    ServerExitError,
)
from suptree.otp import GenServer, NoReply, ServerRef, call, cast
from suptree.services.cache.answers import Failure, Joined, Lead, Line, Value
from suptree.services.cache.entry import CacheStats, Entry, Tally
from suptree.services.cache.errors import CacheError, TooManyCacheWaitersError
from suptree.services.cache.events import CACHE_HIT, CACHE_MISSED
from suptree.services.cache.flights import Flight, Flights
from suptree.services.cache.shelf import PORTION, Shelf
from suptree.services.cache.telling import Teller
from suptree.services.parts.alarm import Alarm
from suptree.services.parts.awaited import awaitable
from suptree.services.parts.checks import (
    bad_argument,
    check_callable,
    check_count,
    check_hashable,
    check_seconds,
    check_server,
)
from suptree.services.parts.hold import give_back
from suptree.services.parts.turnstile import Ticket

__all__ = ["Cache"]

R = TypeVar("R")

_LEAD: Final = Lead()
_LINE: Final = Line()
_AWAY: Final = (
    NoProcessError,
    ServerExitError,
    CallTimeoutError,
    MailboxFullError,
    NoRuntimeError,
    RuntimeClosedError,
)


class Cache(GenServer):
    """A cache.  Its table has its registered name, if it has one.

    Args:
        max_entries: So many values at most.
        default_ttl: Seconds for which a value is good unless `put` says otherwise.
        cleanup_interval: Values whose time is over are thrown away so often, in seconds; nobody
            gets one before either.
        max_waiting: So many callers may wait for values that others compute, all keys together.

    Raises:
        BadArgumentError: A number is out of bounds.
    """

    def __init__(
        self,
        *,
        max_entries: int = 100_000,
        default_ttl: float = 300.0,
        cleanup_interval: float = 60.0,
        max_waiting: int = 10_000,
    ) -> None:
        _check_bounds("Cache", max_entries, default_ttl, cleanup_interval, max_waiting)
        runtime = self._process.runtime
        self._now = runtime.now
        self._hit = runtime.telemetry.slot(CACHE_HIT)
        self._missed = runtime.telemetry.slot(CACHE_MISSED)
        self._tally = Tally()
        self._table: Table[Hashable, Entry] = Table(self._process.name)
        teller = Teller(runtime.telemetry, self.pid, self._table)
        self._shelf = Shelf(self._table, self._tally, teller, max_entries)
        self._teller = teller
        self._flights = Flights()
        self._ttl = default_ttl
        self._max_waiting = max_waiting
        self._cleanup_interval = cleanup_interval
        self._cleaned = self._now()
        self._alarm = Alarm(self)

    # -- reading: in the caller, without a message ----------------------------------------------

    @staticmethod
    def get(cache: ServerRef[Cache], key: Hashable, default: Any = None) -> Any:
        """The value of *key*, if it is there and good; else *default*.  Sends no message.

        Args:
            cache: The server: pid or name.
            key: Anything that can be a key of a dict.
            default: The answer when there is no value.

        Raises:
            NoProcessError: There is no such cache.
            BadArgumentError: *key* can be no key, or *cache* is none.

        Emits: `suptree.cache.read.hit`, `.missed`.
        """
        entry = _read("Cache.get", cache, key)
        return default if entry is None else entry.value

    @staticmethod
    async def get_or_compute(
        cache: ServerRef[Cache],
        key: Hashable,
        function: Callable[[], Awaitable[R]],
        *,
        ttl: float | None = None,
        timeout: float | None = 30.0,
    ) -> R:
        """The value of *key*; if there is none, *function* makes it, and it is kept.

        *function* runs here, in the caller.  Who asks for the same key meanwhile waits for it.  When
        the one who computes is cancelled or ends, the next one who waits does it; when it
        fails, all who wait get a copy of the error, with the error as its cause.

        Args:
            cache: The server: pid or name.
            key: Anything that can be a key of a dict.
            function: An async function without arguments.  It must not ask for the same key.
            ttl: Seconds for which the value is good; None: the `default_ttl` of the cache.
            timeout: Seconds to wait at most for a value that somebody else computes; None: as
                long as it takes.

        Raises:
            CallTimeoutError: Somebody else has computed for longer than *timeout*.
            TooManyCacheWaitersError: As many wait as may.
            NotAsyncError: *function* is not async.
            NoProcessError: There is no such cache.
            Exception: What *function* raised.

        Emits: as `get`, and `suptree.cache.value.computed`, `.failed`, `suptree.cache.entry.put`.
        """
        who = "Cache.get_or_compute"
        check_callable(who, "function", function)
        check_seconds(who, "ttl", ttl, optional=True)
        check_seconds(who, "timeout", timeout, zero=True, optional=True)
        entry = _read(who, cache, key)
        if entry is not None:
            found: R = entry.value
            return found
        ticket = Ticket()
        settled = False
        try:
            answer = await Cache._join(cache, key, ticket, False)
            if isinstance(answer, Line):
                answer = await Cache._join.within(timeout)(cache, key, ticket, True)
            if isinstance(answer, Lead):
                value = await _compute(cache, ticket, function)
                with contextlib.suppress(*_AWAY):  # what was made is there, kept or not
                    await Cache._land(cache, ticket, value, ttl)
                settled = True
                return value
            settled = True
        finally:
            if not settled:
                give_back(Cache._leave, cache, ticket, None)
        if isinstance(answer, Failure):
            raise answer.copied()
        assert isinstance(answer, Value)
        shared: R = answer.value
        return shared

    # -- changing -----------------------------------------------------------------------------------

    @staticmethod
    async def put(
        cache: ServerRef[Cache], key: Hashable, value: Any, *, ttl: float | None = None
    ) -> None:
        """Keep *value* under *key*, in place of what was there.

        Args:
            cache: The server: pid or name.
            key: Anything that can be a key of a dict.
            value: Anything; everybody gets the same one, so nobody should change it.
            ttl: Seconds for which it is good; None: the `default_ttl` of the cache.

        Raises:
            BadArgumentError: *key* can be no key, or *ttl* is no number of seconds above 0.

        Emits: `suptree.cache.entry.put`, `.evicted`.
        """
        check_hashable("Cache.put", "key", key)
        check_seconds("Cache.put", "ttl", ttl, optional=True)
        await Cache._put(cache, key, value, ttl)

    @staticmethod
    async def delete(cache: ServerRef[Cache], key: Hashable) -> bool:
        """Forget the value of *key*; whether there was a good one.

        A value that is being computed is not kept either.
        """
        check_hashable("Cache.delete", "key", key)
        return await Cache._delete(cache, key)

    @call
    def clear(self) -> int:
        """Forget everything; how many entries there were.  Nor is kept what is being computed."""
        self._flights.outdate_all()
        return self._shelf.clear()

    @call
    def stats(self) -> CacheStats:
        """How the cache stands, and what it has done since it started."""
        return CacheStats(
            entries=len(self._table),
            computing=len(self._flights),
            waiting=self._flights.waiting,
            **asdict(self._tally),
        )

    @staticmethod
    async def reconfigure(
        cache: ServerRef[Cache],
        *,
        max_entries: int | None = None,
        default_ttl: float | None = None,
        cleanup_interval: float | None = None,
        max_waiting: int | None = None,
    ) -> None:
        """Go by other numbers from now on; None: by the one that holds.

        Values for which there is no room any more go, a portion at a time.  Another
        `default_ttl` holds for what is put from now on, and who waits goes on waiting.

        Raises:
            BadArgumentError: A number is out of bounds; nothing was changed.
        """
        numbers = (max_entries, default_ttl, cleanup_interval, max_waiting)
        _check_bounds("Cache.reconfigure", *numbers, optional=True)
        await Cache._reconfigure(cache, *numbers)

    # -- requests of the functions above ---------------------------------------------------------------

    @call
    def _put(self, key: Hashable, value: Any, ttl: float | None) -> None:
        self._flights.outdate(key)
        self._keep(key, value, ttl)

    @call
    def _delete(self, key: Hashable) -> bool:
        self._flights.outdate(key)
        return self._shelf.delete(key, self._now())

    @call(raises=CacheError)
    def _join(self, key: Hashable, ticket: Ticket, may_wait: bool) -> Joined | NoReply:
        now = self._now()
        entry = self._table.get(key)
        if entry is not None and entry.until > now:  # it came while the request was under way
            self._tally.shared += 1
            return Value(entry.value)
        flight = self._flights.of(key)
        if flight is None:
            self._flights.begin(key, ticket, self.sender.pid, now)
            return _LEAD
        if not may_wait:
            return _LINE
        if self._flights.waiting >= self._max_waiting:
            raise TooManyCacheWaitersError(key, self._max_waiting)
        self._flights.join(flight, ticket, self.sender)
        return NoReply()

    @call
    def _land(self, ticket: Ticket, value: Any, ttl: float | None) -> None:
        flight, wanted = self._flights.land(ticket)
        if flight is None:  # begun with the server before this one
            return
        if wanted:
            self._keep(flight.key, value, ttl)
        self._tally.computed += 1
        self._tally.shared += len(flight.line)
        self._answer(flight, Value(value))
        self._teller.computed(flight, self._now() - flight.since, kept=wanted)

    @cast
    def _leave(self, ticket: Ticket, error: Exception | None) -> None:
        if error is None:
            self._abandon(ticket)
            return
        flight, _ = self._flights.land(ticket)
        if flight is not None:
            self._tally.failed += 1
            self._answer(flight, Failure(error))
            self._teller.failed(flight, self._now() - flight.since, error)

    @call
    def _reconfigure(
        self,
        max_entries: int | None,
        default_ttl: float | None,
        cleanup_interval: float | None,
        max_waiting: int | None,
    ) -> None:
        self._shelf.max_entries = max_entries or self._shelf.max_entries
        self._ttl = default_ttl or self._ttl
        self._cleanup_interval = cleanup_interval or self._cleanup_interval
        self._max_waiting = max_waiting or self._max_waiting
        self._clean()

    def handle_info(self, message: object) -> None:
        """Values may be over, or somebody has ended who computed one or waited for it."""
        if self._alarm.rang(message):
            self._clean()
        for ticket in self._flights.gone(message):
            self._abandon(ticket)

    # -- inside ---------------------------------------------------------------------------------------------

    def _keep(self, key: Hashable, value: Any, ttl: float | None) -> None:
        now = self._now()
        self._shelf.put(Entry(key, value, now, now + (ttl or self._ttl)), now)
        self._arm(now)

    def _answer(self, flight: Flight, answer: Joined) -> None:
        for reply_to in flight.line.values():
            self.reply(reply_to, answer)

    def _abandon(self, ticket: Ticket) -> None:
        """Nothing comes of it: the next in line leads."""
        left = self._flights.leave(ticket)
        if left is None:
            return
        flight, heir = left
        self._tally.failed += 1
        self._teller.failed(flight, self._now() - flight.since, None)
        if heir is not None:
            flight.since = self._now()
            self.reply(heir, _LEAD)

    def _clean(self) -> None:
        now = self._now()
        if self._shelf.clean(now, PORTION):
            self._cleaned = now
            self._arm(now)
        else:
            self._alarm.arm(now, now)  # the rest after who else waits for this server

    def _arm(self, now: float) -> None:
        due = self._shelf.soonest()
        if due is not None:
            self._alarm.arm(max(due, self._cleaned + self._cleanup_interval), now)


# -- the caller's side --------------------------------------------------------------------------------------


def _read(who: str, cache: ServerRef[Cache], key: Hashable) -> Entry | None:
    """The entry of *key* if its value is good; counts, and notes that it was used."""
    server: Any = _server_of(who, cache)
    try:
        entry: Entry | None = server._table[key]
    except Exception:
        check_hashable(who, "key", key)
        entry = None
    tally: Tally = server._tally
    if entry is None:
        tally.missed_absent += 1
        reason = "absent"
    else:
        now = server._now()
        if now < entry.until:
            server._shelf.use(entry)
            tally.hits += 1
            if server._hit.handlers:
                server._hit.emit({"age_s": now - entry.since}, {"cache": server.pid, "key": key})
            return entry
        tally.missed_expired += 1
        reason = "expired"
    if server._missed.handlers:
        server._missed.emit({"count": 1}, {"cache": server.pid, "key": key, "reason": reason})
    return None


def _server_of(who: str, cache: ServerRef[Cache]) -> Cache:
    if cache.__class__ not in (Pid, str):
        check_server(who, "cache", cache)
    runtime = find_runtime(who)
    process = runtime.find(cache, who)
    if process is None:
        hint = runtime.names.hint_for(cache) if isinstance(cache, str) else None
        raise NoProcessError(cache, who, hint)
    if not isinstance(process.server, Cache):
        raise bad_argument(who, "cache", "a Cache", cache)
    return process.server


async def _compute(
    cache: ServerRef[Cache], ticket: Ticket, function: Callable[[], Awaitable[R]]
) -> R:
    try:
        return await awaitable("Cache.get_or_compute", function, function())
    except Exception as error:
        give_back(Cache._leave, cache, ticket, error)  # pyright: ignore[reportPrivateUsage]
        raise


def _check_bounds(
    who: str,
    max_entries: int | None,
    default_ttl: float | None,
    cleanup_interval: float | None,
    max_waiting: int | None,
    *,
    optional: bool = False,
) -> None:
    check_count(who, "max_entries", max_entries, optional=optional)
    check_seconds(who, "default_ttl", default_ttl, optional=optional)
    check_seconds(who, "cleanup_interval", cleanup_interval, optional=optional)
    check_count(who, "max_waiting", max_waiting, optional=optional)
