"""`Bulkheads`: so many calls to one thing at once, a bounded line of those who wait, and no more.

What is slow then fills its own bulkhead, and not the whole system.  The call runs in its
caller; its place belongs to the process that makes it, and is free when that ends.  Those who
wait come in first come first served.

Bulkheads given to the constructor are there again after a restart, and with a `store` those
configured at run time; calls that are inside by then are not counted any more.

>>> import asyncio, suptree as st
>>> from suptree.services import BulkheadConfig, BulkheadFullError, Bulkheads
>>> async def main():
...     async with st.Runtime():
...         config = BulkheadConfig(limit=1, max_waiting=0)
...         bulkheads = await Bulkheads.start_link({"bank": config})
...         async with Bulkheads.guard(bulkheads, "bank"):
...             try:
...                 await Bulkheads.run(bulkheads, "bank", asyncio.sleep, 1.0)
...             except BulkheadFullError as error:
...                 return error.why
>>> asyncio.run(main())
'line_full'
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Final, NamedTuple, ParamSpec, TypeVar

from suptree.core import ReplyTo
from suptree.errors import CallTimeoutError
from suptree.otp import GenServer, NoReply, ServerRef, call, cast
from suptree.services.bulkheads.entry import BulkheadConfig, BulkheadStats, BulkheadStatus, Entry
from suptree.services.bulkheads.errors import (
    BulkheadError,
    BulkheadFullError,
    TooManyBulkheadsError,
    UnknownBulkheadError,
)
from suptree.services.bulkheads.events import (
    BULKHEAD_CALL_ADMITTED,
    BULKHEAD_CALL_ENDED,
    BULKHEAD_CALL_REJECTED,
    BULKHEAD_CONFIGURED,
    BULKHEAD_REMOVED,
)
from suptree.services.parts.awaited import awaitable
from suptree.services.parts.checks import (
    check_callable,
    check_count,
    check_kind,
    check_name,
    checked_by_name,
)
from suptree.services.parts.hold import Hold
from suptree.services.parts.permits import Entered
from suptree.services.parts.plain import from_plain, to_plain
from suptree.services.parts.store import Store, checked_store
from suptree.services.parts.turnstile import Place, Ticket, Turnstile

__all__ = ["Bulkheads"]

P = ParamSpec("P")
R = TypeVar("R")

SPACE: Final = "bulkheads"


class _Inside(Enum):
    """There was room."""

    INSIDE = "inside"


class _Line(NamedTuple):
    """There is no room just now; one may wait so long."""

    timeout: float | None


class _Full(NamedTuple):
    """There is no room, and none in the line either: so ordinary that it is a value."""

    limit: int
    waiting: int


_Place = _Inside | _Line | _Full
_INSIDE: Final = _Inside.INSIDE


class Bulkheads(GenServer):
    """The bulkheads of a system.

    Args:
        bulkheads: Name -> configuration; there again after a restart.
        store: Keeps those that are configured at run time; None: they are lost with the service.
        max_bulkheads: So many at most.

    Raises:
        ValueError: A name or a configuration will not do.
    """

    def __init__(
        self,
        bulkheads: Mapping[str, BulkheadConfig] | None = None,
        *,
        store: Store | None = None,
        max_bulkheads: int = 1000,
    ) -> None:
        check_count("Bulkheads", "max_bulkheads", max_bulkheads)
        self._store = checked_store("Bulkheads", store)
        self._limit = max_bulkheads
        runtime = self._process.runtime
        self._now = runtime.now
        self._telemetry = runtime.telemetry
        self._admitted = runtime.telemetry.slot(BULKHEAD_CALL_ADMITTED)
        self._ended = runtime.telemetry.slot(BULKHEAD_CALL_ENDED)
        self._rejected = runtime.telemetry.slot(BULKHEAD_CALL_REJECTED)
        self._turnstile: Turnstile[Entry] = Turnstile(self._now, self._let_in)
        self._entries: dict[str, Entry] = {}
        for name, config in checked_by_name(
            "Bulkheads", "bulkheads", bulkheads, "BulkheadConfig"
        ).items():
            _check("Bulkheads", name, config)
            self._entries[name] = Entry(name, config)

    async def init(self) -> None:
        """Bring back what was configured at run time."""
        if self._store is not None:
            for name, data in (await self._store.load(SPACE)).items():
                self._entries[name] = Entry(name, from_plain(BulkheadConfig, data))

    # -- calls: these run in the caller ----------------------------------------------------------

    @staticmethod
    async def run(
        server: ServerRef[Bulkheads],
        name: str,
        function: Callable[P, Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Call ``function(*args, **kwargs)`` here, in the caller, when there is room for it.

        Args:
            server: The service: pid or name.
            name: The bulkhead.
            function: An async function; what it raises is raised.
            args: Its arguments.
            kwargs: Its arguments by name.

        Raises:
            BulkheadFullError: There was no room; the call was not made.
            UnknownBulkheadError: There is no such bulkhead.
            NotAsyncError: *function* is not async.
        """
        check_callable("Bulkheads.run", "function", function)
        async with Bulkheads.guard(server, name):
            return await awaitable("Bulkheads.run", function, function(*args, **kwargs))

    @staticmethod
    def guard(server: ServerRef[Bulkheads], name: str) -> Hold:
        """Have a block inside: ``async with Bulkheads.guard("bulkheads", "bank"): ...``; as `run`."""
        check_name("Bulkheads.guard", "name", name)
        return _Guard(server, name)

    # -- looking, and changing ----------------------------------------------------------------------

    @staticmethod
    async def status(server: ServerRef[Bulkheads], name: str) -> BulkheadStatus:
        """How the bulkhead stands.

        Raises:
            UnknownBulkheadError: There is no such bulkhead.
        """
        check_name("Bulkheads.status", "name", name)
        return await Bulkheads._status(server, name)

    @call
    def all(self) -> dict[str, BulkheadStatus]:
        """How all of them stand, by name."""
        return {name: entry.status() for name, entry in self._entries.items()}

    @call
    def stats(self) -> BulkheadStats:
        """What the service as a whole has done."""
        return BulkheadStats(
            bulkheads=len(self._entries),
            owners=self._turnstile.owners(),
            released=self._turnstile.released,
        )

    @staticmethod
    async def configure(server: ServerRef[Bulkheads], name: str, config: BulkheadConfig) -> None:
        """Make a bulkhead, or give one other bounds; nobody inside has to leave for that.

        Raises:
            ValueError: *name* or *config* will not do.
            TooManyBulkheadsError: It would be one more than `max_bulkheads`.
        """
        _check("Bulkheads.configure", name, config)
        store = await Bulkheads._put(server, name, config)
        if store is not None:
            await store.put(SPACE, name, to_plain(config))

    @staticmethod
    async def remove(server: ServerRef[Bulkheads], name: str) -> bool:
        """Forget a bulkhead; whether there was one.  Who waits for it is refused."""
        check_name("Bulkheads.remove", "name", name)
        removed, store = await Bulkheads._drop(server, name)
        if store is not None:
            await store.delete(SPACE, name)
        return removed

    @staticmethod
    async def reconfigure(
        server: ServerRef[Bulkheads], *, max_bulkheads: int | None = None
    ) -> None:
        """Go by another bound from now on; None: by the one that holds.

        No bulkhead is removed where it gets smaller: it holds for new ones.

        Raises:
            ValueError: *max_bulkheads* is no whole number above 0; nothing was changed.
        """
        check_count("Bulkheads.reconfigure", "max_bulkheads", max_bulkheads, optional=True)
        await Bulkheads._reconfigure(server, max_bulkheads)

    @call
    def _reconfigure(self, max_bulkheads: int | None) -> None:
        self._limit = max_bulkheads or self._limit

    # -- requests of the functions above ---------------------------------------------------------------

    @call(raises=BulkheadError)
    def _enter(self, name: str, ticket: Ticket, may_wait: bool) -> _Place | NoReply:
        entry = self._entries.get(name)
        if entry is None:
            raise UnknownBulkheadError(name, self._entries)
        permits = entry.permits
        if not may_wait and not permits.is_free():
            return _Line(entry.config.timeout)
        match self._turnstile.enter(entry, permits, ticket, self.sender):
            case Entered.HELD:
                self._tell_admitted(entry, 0.0)
                return _INSIDE
            case Entered.WAITING:
                return NoReply()
            case Entered.REFUSED:
                entry.rejected += 1
                self._tell_rejected(entry, "line_full")
                return _Full(permits.limit, permits.waiting)

    @cast
    def _leave(self, ticket: Ticket) -> None:
        place = self._turnstile.leave(ticket)
        if place is not None:
            self._left(place)

    @call(raises=UnknownBulkheadError)
    def _status(self, name: str) -> BulkheadStatus:
        entry = self._entries.get(name)
        if entry is None:
            raise UnknownBulkheadError(name, self._entries)
        return entry.status()

    @call(raises=TooManyBulkheadsError)
    def _put(self, name: str, config: BulkheadConfig) -> Store | None:
        entry = self._entries.get(name)
        if entry is None:
            if len(self._entries) >= self._limit:
                raise TooManyBulkheadsError(name, self._limit)
            self._entries[name] = Entry(name, config)
        else:
            entry.config = config
            self._turnstile.admit(entry.permits.resize(config.limit, config.max_waiting))
        facts = {"bulkhead": name}
        self._telemetry.emit(BULKHEAD_CONFIGURED, {"bulkheads_count": len(self._entries)}, facts)
        return self._store

    @call
    def _drop(self, name: str) -> tuple[bool, Store | None]:
        entry = self._entries.pop(name, None)
        if entry is not None:
            for reply_to in self._turnstile.evict(entry.permits):
                self.reply_error(reply_to, BulkheadFullError(name, "removed", None, None))
            facts = {"bulkhead": name}
            self._telemetry.emit(BULKHEAD_REMOVED, {"bulkheads_count": len(self._entries)}, facts)
        return entry is not None, self._store

    def handle_info(self, message: object) -> None:
        """A process has ended: its places are free."""
        for place in self._turnstile.gone(message):
            self._left(place)

    # -- inside ---------------------------------------------------------------------------------------------

    def _left(self, place: Place[Entry]) -> None:
        if place.reply_to is not None:
            place.key.gave_up += 1
            self._tell_rejected(place.key, "gave_up")
        elif self._ended.handlers:
            inside = self._now() - place.since
            self._ended.emit({"inside_s": inside}, {"bulkhead": place.key.name})

    def _let_in(self, entry: Entry, reply_to: ReplyTo, waited: float) -> None:
        self._tell_admitted(entry, waited)
        self.reply(reply_to, _INSIDE)

    def _tell_admitted(self, entry: Entry, waited: float) -> None:
        entry.admitted += 1
        if self._admitted.handlers:
            numbers = {"waited_s": waited, **_numbers(entry)}
            self._admitted.emit(numbers, {"bulkhead": entry.name})

    def _tell_rejected(self, entry: Entry, why: str) -> None:
        if self._rejected.handlers:
            self._rejected.emit(_numbers(entry), {"bulkhead": entry.name, "why": why})


class _Guard(Hold):
    """The caller's side of one call."""

    __slots__ = ("_name", "_server")

    def __init__(self, server: ServerRef[Bulkheads], name: str) -> None:
        self._server = server
        self._name = name

    async def enter(self, ticket: Ticket) -> None:
        enter = Bulkheads._enter  # pyright: ignore[reportPrivateUsage]
        place = await enter(self._server, self._name, ticket, False)
        if isinstance(place, _Line):
            try:
                place = await enter.within(place.timeout)(self._server, self._name, ticket, True)
            except CallTimeoutError:
                raise BulkheadFullError(self._name, "timeout", None, None) from None
        if isinstance(place, _Full):
            raise BulkheadFullError(self._name, "line_full", place.limit, place.waiting)

    def leave(self, ticket: Ticket) -> None:
        Bulkheads._leave(self._server, ticket)  # pyright: ignore[reportPrivateUsage]


def _numbers(entry: Entry) -> dict[str, float]:
    return {"inside_count": entry.permits.held, "waiting_count": entry.permits.waiting}


def _check(who: str, name: object, config: object) -> None:
    check_name(who, "name", name)
    check_kind(who, f"config of {name!r}", config, BulkheadConfig, "a BulkheadConfig")
