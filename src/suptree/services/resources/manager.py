"""`ResourceManager`: tokens within limits and budgets, each of which ends with its owner.

One process.  Whoever needs something acquires a token and releases it; a token whose
owner ends is back at once, one with a ttl when that is over.  Whoever gives a timeout waits in
a fair line.  It refuses types that were not declared, what can never be had, and, while
the pressure is severe, the types that are declared to give way.

It runs nobody's code: readers of budgets run in tasks, and who wants to hear of alerts
gets messages.  A restart brings back limits and budgets; the tokens of before it are void, and
what is truly used shows in the readings.

>>> import asyncio, suptree as st
>>> from suptree.services import ResourceManager
>>> async def main():
...     async with st.Runtime():
...         manager = await ResourceManager.start_link({"upload": 2})
...         async with ResourceManager.hold(manager, "upload") as token:
...             return token.amount, (await ResourceManager.usage(manager)).types["upload"].in_use
>>> asyncio.run(main())
(1, 1)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, Literal

from suptree.core import Pid, current_process, find_runtime, send
from suptree.errors import CallTimeoutError, MailboxFullError, NotInProcessError
from suptree.otp import GenServer, NoReply, ServerRef, call, cast
from suptree.services.parts.agenda import Agenda
from suptree.services.parts.alarm import Alarm
from suptree.services.parts.checks import check_count, check_number
from suptree.services.parts.owners import Owners, stranger
from suptree.services.resources.errors import (
    BackPressureError,
    ResourceDeniedError,
    ResourceTimeoutError,
    ResourceTokenError,
    UnknownResourceError,
)
from suptree.services.resources.ledger import Claim, Ledger, Obstacle
from suptree.services.resources.limits import Budget, PressureLevel, ResourceLimit
from suptree.services.resources.readers import take_reading
from suptree.services.resources.records import Held, Reading, Totals, Waiting, Wish
from suptree.services.resources.telling import Teller
from suptree.services.resources.usage import (
    ResourceToken,
    ResourceUsage,
)

__all__ = ["ResourceManager"]

MAX_WAITING: Final = 10_000

_Key = tuple[Literal["ttl", "wait"], int] | tuple[Literal["read"], str]


class ResourceManager(GenServer):
    """Limits what a program holds at a time.

    Args:
        limits: The types: a `ResourceLimit` each, or a number that is its limit.
        budgets: What types draw from, by name; the pressure is that of the fullest.
        default: The limit of each type that is not in *limits*; None refuses those.
        max_waiting: How many may wait at a time; one more is refused.

    Raises:
        StartError: A field is wrong; `reason` has the ValueError or UnknownResourceError.
    """

    def __init__(
        self,
        limits: Mapping[str, ResourceLimit | int] | None = None,
        *,
        budgets: Mapping[str, Budget] | None = None,
        default: ResourceLimit | int | None = None,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        check_count("ResourceManager", "max_waiting", max_waiting, least=0)
        self.max_waiting = max_waiting
        self.budgets = dict(budgets or {})
        self.ledger = Ledger(
            {type: _limit(limit) for type, limit in (limits or {}).items()},
            self.budgets,
            None if default is None else _limit(default),
        )
        self.held: dict[int, Held] = {}
        self.waiting: dict[int, Waiting] = {}
        self.owners: Owners[int] = Owners()
        self.subscribers: Owners[Pid[Any]] = Owners()
        self.subscribed: dict[Pid[Any], None] = {}
        self.due: Agenda[_Key] = Agenda()
        self.alarm = Alarm(self)
        self.readings: dict[str, asyncio.Task[None]] = {}
        self.totals = Totals()

    def init(self) -> None:
        """Take the first readings."""
        self.tell = Teller(self._process.runtime.telemetry)
        for name in self.budgets:
            self._read(name)
        self._arm()

    # -- clients --------------------------------------------------------------------------

    @staticmethod
    async def acquire(
        manager: ServerRef[ResourceManager],
        type: str,
        amount: int = 1,
        *,
        costs: Mapping[str, int] | None = None,
        metadata: Mapping[str, object] | None = None,
        timeout: float = 0.0,
        ttl: float | None = None,
        owner: Pid[Any] | None = None,
    ) -> ResourceToken:
        """A token for *amount* of *type*.

        Args:
            manager: Its pid or name.
            type: A declared one, unless the manager has a default.
            amount: How much, 1 or more.
            costs: What it draws from budgets beside what the type says; in all, not for each unit.
            metadata: Kept in the token, for whoever looks.
            timeout: Seconds to wait for it, first come, first served; 0 does not wait.
            ttl: Seconds after which the token expires; None: as the type says.
            owner: With whom the token ends; None: the process that calls.

        Returns:
            The token, to be given to `release`.

        Raises:
            ResourceDeniedError: There is not enough left; `reason` says of what.
            ResourceTimeoutError: There was not, all the time.
            BackPressureError: The pressure is severe, and the type gives way.
            UnknownResourceError: No such type or budget.
            NotInProcessError: Called outside every process, without owner and ttl: nothing
                would ever give the token back.
            ValueError: A wrong amount or time.
        """
        who = "ResourceManager.acquire"
        check_count(who, "amount", amount)
        check_number(who, "timeout", timeout, least=0)
        check_number(who, "ttl", ttl, above=0, optional=True)
        for name, cost in (costs or {}).items():
            check_count(who, f"costs[{name!r}]", cost, least=0)
        caller = current_process()
        if owner is None and caller is not None:
            owner = caller.pid
        wish = Wish(
            find_runtime(who).next_id(),
            type,
            amount,
            costs or {},
            MappingProxyType(dict(metadata or {})),
            timeout,
            ttl,
            owner,
        )
        try:
            answer: ResourceToken | Exception = await ResourceManager._acquire(manager, wish)
        except (asyncio.CancelledError, CallTimeoutError):
            ResourceManager._abandon(manager, wish.id)
            raise
        if isinstance(answer, Exception):
            raise answer
        return answer

    @staticmethod
    async def release(manager: ServerRef[ResourceManager], token: ResourceToken) -> bool:
        """Give *token* back.

        Returns:
            True; False if it was back already: released before, expired, its owner has
            ended, or the manager was restarted.

        Raises:
            ResourceTokenError: *token* is not what `acquire` returned.
        """
        _check_token(token)
        return await ResourceManager._release(manager, token.id)

    @staticmethod
    @asynccontextmanager
    async def hold(
        manager: ServerRef[ResourceManager],
        type: str,
        amount: int = 1,
        *,
        costs: Mapping[str, int] | None = None,
        metadata: Mapping[str, object] | None = None,
        timeout: float = 0.0,
        ttl: float | None = None,
    ) -> AsyncIterator[ResourceToken]:
        """A token for as long as the block runs; arguments and errors as `acquire`."""
        token = await ResourceManager.acquire(
            manager,
            type,
            amount,
            costs=costs,
            metadata=metadata,
            timeout=timeout,
            ttl=ttl,
        )
        try:
            yield token
        finally:  # a cast: the block may end by a cancel, and must not wait then
            ResourceManager._give_back(token.manager, token.id)

    @call
    def pressure(self) -> PressureLevel:
        """The level of the fullest budget, for callers who can do less."""
        return self.ledger.pressure

    @call
    def usage(self) -> ResourceUsage:
        """Everything that can be looked at."""
        totals = self.totals
        return ResourceUsage(
            pressure=self.ledger.pressure,
            types=self.ledger.types(),
            budgets=self.ledger.budgets(),
            tokens=len(self.held),
            waiting=len(self.waiting),
            subscribers=len(self.subscribed),
            acquired=totals.acquired,
            released=totals.released,
            expired=totals.expired,
            orphaned=totals.orphaned,
            abandoned=totals.abandoned,
            denied=dict(totals.denied),
            readings_failed=totals.readings_failed,
        )

    @call
    def tokens(self, owner: Pid[Any] | None = None) -> list[ResourceToken]:
        """The tokens that are out, oldest first; those of *owner*, or all."""
        if owner is None:
            return [held.token for held in self.held.values()]
        return [self.held[id].token for id in self.owners.keys_of(owner) if id in self.held]

    @cast
    def read_now(self) -> None:
        """Have every budget that has a reader read, beside the usual times."""
        for name in self.budgets:
            self._read(name)
        self._arm()

    @call
    def subscribe(self, subscriber: Pid[Any] | None = None) -> NoReply | None:
        """Send `ResourceAlert` and `PressureChanged` to *subscriber*, while it lives.

        Args:
            subscriber: None: the process that calls.  Twice is once.
        """
        pid = subscriber if subscriber is not None else self.sender.pid
        foreign = stranger("ResourceManager.subscribe", pid)
        if foreign is not None:
            self.sender.fail(foreign)
            return NoReply()
        if pid is not None:
            self.subscribed[pid] = None
            self.subscribers.add(pid, pid)
        return None

    @call
    def unsubscribe(self, subscriber: Pid[Any] | None = None) -> bool:
        """Send it nothing more; False if it was not subscribed."""
        pid = subscriber if subscriber is not None else self.sender.pid
        if pid is None or pid not in self.subscribed:
            return False
        del self.subscribed[pid]
        self.subscribers.discard(pid, pid)
        return True

    # -- acquiring --------------------------------------------------------------------------

    @call(timeout=None)  # the manager answers within the timeout of the wish
    def _acquire(self, wish: Wish) -> Any:
        """A token, the error to raise, or an answer later."""
        foreign = stranger("ResourceManager.acquire", wish.owner)
        if foreign is not None:
            return foreign
        try:
            claim = self.ledger.claim(wish.id, wish.type, wish.amount, wish.costs)
        except UnknownResourceError as error:
            self._note_denied(wish, "unknown", 0.0)
            return error
        if wish.ttl is None:
            wish = replace(wish, ttl=self.ledger.limit_of(claim).ttl)
        if wish.owner is None and wish.ttl is None:
            return _without_owner()
        obstacle = self.ledger.too_large(claim)
        if obstacle is not None:
            return self._refused(wish, obstacle)
        obstacle = self.ledger.obstacle(claim)
        if obstacle is None:
            self.ledger.take(claim)
            token = self._granted(wish, claim, 0.0)
            self._tell()
            self._arm()
            return token
        if wish.timeout == 0 or obstacle.reason == "pressure":
            return self._refused(wish, obstacle)
        if len(self.waiting) >= self.max_waiting:
            return self._refused(wish, replace(obstacle, reason="waiting_full"))
        self._wait(wish, claim)
        return NoReply()

    def _wait(self, wish: Wish, claim: Claim) -> None:
        now = self._now()
        self.ledger.wait(claim)
        self.waiting[wish.id] = Waiting(wish, claim, self.sender, now)
        self.due.set(("wait", wish.id), now + wish.timeout)
        if wish.owner is not None:
            self.owners.add(wish.owner, wish.id)
        self._arm()

    def _granted(self, wish: Wish, claim: Claim, waited: float) -> ResourceToken:
        now = self._now()
        token = ResourceToken(wish.id, wish.type, wish.amount, wish.owner, self.pid, wish.metadata)
        self.held[token.id] = Held(token, claim, now)
        if token.owner is not None:
            self.owners.add(token.owner, token.id)
        if wish.ttl is not None:
            self.due.set(("ttl", token.id), now + wish.ttl)
        self.totals.acquired += 1
        self.tell.acquired(token, self.ledger.in_use(token.type), waited)
        return token

    def _refused(
        self, wish: Wish, obstacle: Obstacle, waited: float | None = None
    ) -> ResourceDeniedError:
        reason = obstacle.reason if waited is None else "timeout"
        self._note_denied(wish, reason, waited or 0.0)
        kind: type[ResourceDeniedError] = ResourceDeniedError
        if waited is not None:
            kind = ResourceTimeoutError
        elif obstacle.reason == "pressure":
            kind = BackPressureError
        return kind(
            wish.type,
            wish.amount,
            reason,
            obstacle.what,
            obstacle.used,
            obstacle.limit,
            waited=waited or 0.0,
        )

    def _note_denied(self, wish: Wish, reason: str, waited: float) -> None:
        self.totals.denied[reason] = self.totals.denied.get(reason, 0) + 1
        self.tell.denied(wish, reason, waited)

    # -- releasing ----------------------------------------------------------------------------

    @call
    def _release(self, id: int) -> bool:
        return self._end(id, "released")

    @cast
    def _give_back(self, id: int) -> None:
        self._end(id, "released")

    @cast
    def _abandon(self, id: int) -> None:
        """The caller of `acquire` was cancelled: it waits no longer, or never got its token."""
        if not self._forget(id):
            self._end(id, "abandoned")

    def _forget(self, id: int) -> bool:
        """The wish waits no longer, and needs no answer."""
        waiting = self._leave(id)
        if waiting is None:
            return False
        self.ledger.withdraw(waiting.claim)
        self._settle()
        return True

    def _leave(self, id: int) -> Waiting | None:
        waiting = self.waiting.pop(id, None)
        if waiting is not None:
            self.due.discard(("wait", id))
            if waiting.wish.owner is not None:
                self.owners.discard(waiting.wish.owner, id)
        return waiting

    def _end(self, id: int, reason: str) -> bool:
        """The token is back, and whoever waited for it has it; False if it was before."""
        if not self._take_back(id, reason):
            return False
        self._settle()
        return True

    def _take_back(self, id: int, reason: str) -> bool:
        held = self.held.pop(id, None)
        if held is None:
            return False
        token = held.token
        self.due.discard(("ttl", id))
        if token.owner is not None:
            self.owners.discard(token.owner, id)
        self.ledger.give_back(held.claim)
        self._note_end(held, reason)
        return True

    def _owner_ended(self, ids: list[int]) -> None:
        """Its wishes first: none of them is to be granted to the dead."""
        for id in ids:
            waiting = self._leave(id)
            if waiting is not None:
                self.ledger.withdraw(waiting.claim)
        for id in ids:
            self._take_back(id, "owner_ended")
        self._settle()

    def _note_end(self, held: Held, reason: str) -> None:
        match reason:
            case "expired":
                self.totals.expired += 1
            case "owner_ended":
                self.totals.orphaned += 1
            case "abandoned":
                self.totals.abandoned += 1
            case _:
                self.totals.released += 1
        in_use = self.ledger.in_use(held.token.type)
        self.tell.ended(held.token, in_use, self._now() - held.since, reason)

    # -- what happens by itself -----------------------------------------------------------------

    def handle_info(self, message: object) -> None:
        """An owner or a subscriber has ended, something is due, or a reading has come in."""
        if self.alarm.rang(message):
            for key in self.due.pop(self._now()):
                self._is_due(key)
            self._arm()
            return
        if isinstance(message, Reading):
            self._was_read(message)
            return
        if ids := self.owners.gone(message):
            self._owner_ended(ids)
        elif gone := self.subscribers.gone(message):
            for pid in gone:
                self.subscribed.pop(pid, None)
        else:
            super().handle_info(message)

    def _is_due(self, key: _Key) -> None:
        match key:
            case ("ttl", int(id)):
                self._end(id, "expired")
            case ("wait", int(id)):
                self._waited_too_long(id)
            case ("read", str(budget)):
                self._read(budget)
            case _:
                raise AssertionError(key)

    def _waited_too_long(self, id: int) -> None:
        waiting = self._leave(id)
        if waiting is None:  # it was served by what was due at the same moment, and came before
            return
        self.ledger.withdraw(waiting.claim)
        obstacle = self.ledger.obstacle(waiting.claim) or Obstacle(
            "queue", waiting.wish.type, self.ledger.in_use(waiting.wish.type), 0
        )
        self.reply(
            waiting.sender, self._refused(waiting.wish, obstacle, self._now() - waiting.since)
        )
        self._settle()

    def _settle(self) -> None:
        """Something has become free, or is used otherwise: serve those who wait, and tell."""
        for claim in self.ledger.serve():
            waiting = self._leave(claim.id)
            assert waiting is not None
            token = self._granted(waiting.wish, claim, self._now() - waiting.since)
            self.reply(waiting.sender, token)
        self._tell()
        self._arm()

    def _tell(self) -> None:
        for news in self.ledger.news():
            self.tell.news(news)
            for subscriber in self.subscribed:
                with suppress(MailboxFullError):  # it asked for this: the others and we go on
                    send(subscriber, news)

    # -- readings -------------------------------------------------------------------------------

    def _read(self, name: str) -> None:
        """Begin a reading, unless one is under way, and plan the next."""
        budget = self.budgets[name]
        if budget.reader is None:
            return
        self.due.set(("read", name), self._now() + budget.every)
        under_way = self.readings.get(name)
        if under_way is None or under_way.done():
            self.readings[name] = self.start_task(self._take(name), name=f"reading of {name}")

    async def _take(self, name: str) -> None:
        """Take one reading; runs beside the manager."""
        send(self.pid, await take_reading(name, self.budgets[name]))

    def _was_read(self, reading: Reading) -> None:
        if reading.used is None:
            self.totals.readings_failed += 1
            self.tell.reading_failed(reading)
            return
        self.ledger.read(reading.budget, reading.used)
        self._settle()

    def _arm(self) -> None:
        self.alarm.arm(self.due.earliest(), self._now())

    def _now(self) -> float:
        return self._process.runtime.now()

    # -- other settings -------------------------------------------------------------------------

    @staticmethod
    async def reconfigure(
        server: ServerRef[ResourceManager], *, max_waiting: int | None = None
    ) -> None:
        """Go by another bound from now on; None: by the one that holds.

        Nobody who waits is sent away where it gets smaller: it holds for who comes.

        Raises:
            ValueError: *max_waiting* is no whole number, 0 or more; nothing was changed.
        """
        check_count(
            "ResourceManager.reconfigure", "max_waiting", max_waiting, least=0, optional=True
        )
        await ResourceManager._reconfigure(server, max_waiting)

    @call
    def _reconfigure(self, max_waiting: int | None) -> None:
        self.max_waiting = self.max_waiting if max_waiting is None else max_waiting


def _limit(limit: ResourceLimit | int) -> ResourceLimit:
    return limit if isinstance(limit, ResourceLimit) else ResourceLimit(limit)


def _check_token(token: object) -> None:
    if not isinstance(token, ResourceToken):
        raise ResourceTokenError(token)


def _without_owner() -> NotInProcessError:
    return NotInProcessError(
        "ResourceManager.acquire: this code runs outside every process, and nothing would ever give "
        "the token back. Give owner= or ttl=, or run it inside `async with rt.guest():`."
    )
