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
...             return token.amount, (await ResourceManager.stats(manager)).types["upload"].in_use
>>> asyncio.run(main())
(1, 1)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from suptree.core import Pid, current, current_process, find_runtime
from suptree.errors import CallTimeoutError, CrossRuntimeError, NotInProcessError
from suptree.otp import NoReply, ServerRef, call, cast
from suptree.services.parts.checks import (
    check_count,
    check_kind,
    check_name,
    check_number,
    check_process,
)
from suptree.services.parts.hold import give_back
from suptree.services.parts.owners import stranger
from suptree.services.resources.errors import (
    ResourceDeniedError,
    ResourceTokenError,
    UnknownResourceError,
)
from suptree.services.resources.lending import Lending
from suptree.services.resources.limits import PressureLevel
from suptree.services.resources.records import Wish
from suptree.services.resources.usage import ResourceStats, ResourceToken

__all__ = ["ResourceManager"]


class ResourceManager(Lending):
    """Limits what a program holds at a time.

    Args:
        limits: The types: a `ResourceLimit` each, or a number that is its limit.
        budgets: What types draw from, by name; the pressure is that of the fullest.
        default: The limit of each type that is not in *limits*; None refuses those.
        max_waiting: How many may wait at a time; one more is refused.

    Raises:
        StartError: A field is wrong; `reason` has the ValueError or UnknownResourceError.
    """

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
            ResourceDeniedError: There is not enough left; `why` says of what.
            ResourceTimeoutError: There was not, all the time.
            BackPressureError: The pressure is severe, and the type gives way.
            UnknownResourceError: No such type or budget.
            NotInProcessError: Called outside every process, without owner and ttl: nothing
                would ever give the token back.
            ValueError: A wrong amount or time.
        """
        who = "ResourceManager.acquire"
        check_name(who, "type", type)
        check_count(who, "amount", amount)
        check_number(who, "timeout", timeout, least=0)
        check_number(who, "ttl", ttl, above=0, optional=True)
        if costs is not None:
            check_kind(who, "costs", costs, Mapping, "a mapping, budget -> cost")
        if metadata is not None:
            check_kind(who, "metadata", metadata, Mapping, "a mapping")
        check_process(who, "owner", owner, optional=True)
        for name, cost in (costs or {}).items():
            check_name(who, "a budget of costs", name)
            check_count(who, f"costs[{name!r}]", cost, least=0)
        caller = current_process()
        if owner is None and caller is not None:
            owner = caller.pid
        wish = Wish(
            find_runtime(who).next_id(),
            type,
            amount,
            dict(costs or {}),
            MappingProxyType(dict(metadata or {})),
            timeout,
            ttl,
            owner,
        )
        try:
            answer: ResourceToken | ResourceDeniedError = await ResourceManager._acquire(
                manager, wish
            )
        except (asyncio.CancelledError, CallTimeoutError):
            ResourceManager._abandon(manager, wish.id)
            raise
        if isinstance(answer, ResourceDeniedError):
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
            give_back(ResourceManager._give_back, token.manager, token.id)

    @call
    def pressure(self) -> PressureLevel:
        """The level of the fullest budget, for callers who can do less."""
        return self.ledger.pressure

    @call
    def stats(self) -> ResourceStats:
        """Everything that can be looked at."""
        totals = self.totals
        return ResourceStats(
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

    @cast
    def read_now(self) -> None:
        """Have every budget that has a reader read, beside the usual times."""
        for name in self.budgets:
            self._read(name)
        self._arm()

    @staticmethod
    async def tokens(
        manager: ServerRef[ResourceManager], owner: Pid[Any] | None = None
    ) -> list[ResourceToken]:
        """The tokens that are out, oldest first; those of *owner*, or all.

        Raises:
            ValueError: *owner* is no pid.
        """
        check_process("ResourceManager.tokens", "owner", owner, optional=True)
        return await ResourceManager._tokens(manager, owner)

    @staticmethod
    async def subscribe(
        manager: ServerRef[ResourceManager], subscriber: Pid[Any] | None = None
    ) -> None:
        """Send `ResourceAlert` and `PressureChanged` to *subscriber*, while it lives.

        Args:
            manager: Its pid or name.
            subscriber: None: the process that calls.  Twice is once.

        Raises:
            NotInProcessError: Called outside every process, without *subscriber*.
            ValueError: *subscriber* is no pid.
        """
        check_process("ResourceManager.subscribe", "subscriber", subscriber, optional=True)
        await ResourceManager._subscribe(manager, current() if subscriber is None else subscriber)

    @staticmethod
    async def unsubscribe(
        manager: ServerRef[ResourceManager], subscriber: Pid[Any] | None = None
    ) -> bool:
        """Send it nothing more; False if it was not subscribed.  Arguments and errors as `subscribe`."""
        check_process("ResourceManager.unsubscribe", "subscriber", subscriber, optional=True)
        pid = current() if subscriber is None else subscriber
        return await ResourceManager._unsubscribe(manager, pid)

    # -- requests of the functions above ------------------------------------------------

    # The manager answers within the timeout of the wish.  A refusal for want of room is a value,
    # made into an error by the caller: it has to be cheap.

    @call(timeout=None, raises=(UnknownResourceError, CrossRuntimeError, NotInProcessError))
    def _acquire(self, wish: Wish) -> Any:
        """A token, a ResourceDeniedError, or either later."""
        foreign = stranger("ResourceManager.acquire", wish.owner)
        if foreign is not None:
            raise foreign
        try:
            claim = self.ledger.claim(wish.id, wish.type, wish.amount, wish.costs)
        except UnknownResourceError:
            self._note_denied(wish, "unknown", 0.0)
            raise
        if wish.ttl is None:
            wish = replace(wish, ttl=self.ledger.limit_of(claim).ttl)
        if wish.owner is None and wish.ttl is None:
            raise _without_owner()
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

    @call
    def _tokens(self, owner: Pid[Any] | None) -> list[ResourceToken]:
        if owner is None:
            return [held.token for held in self.held.values()]
        return [self.held[id].token for id in self.owners.keys_of(owner) if id in self.held]

    @call(raises=CrossRuntimeError)
    def _subscribe(self, pid: Pid[Any]) -> None:
        foreign = stranger("ResourceManager.subscribe", pid)
        if foreign is not None:
            raise foreign
        self.subscribed[pid] = None
        self.subscribers.add(pid, pid)

    @call
    def _unsubscribe(self, pid: Pid[Any]) -> bool:
        if pid not in self.subscribed:
            return False
        del self.subscribed[pid]
        self.subscribers.discard(pid, pid)
        return True

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


def _check_token(token: object) -> None:
    if not isinstance(token, ResourceToken) or not isinstance(token.id, int):
        raise ResourceTokenError(token)


def _without_owner() -> NotInProcessError:
    return NotInProcessError(
        "ResourceManager.acquire: this code runs outside every process, and nothing would ever give "
        "the token back. Give owner= or ttl=, or run it inside `async with rt.guest():`."
    )
