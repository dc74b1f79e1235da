"""`Leases`: one holder at a time for each name, for so many seconds, in the order of asking.

A process keeps the table and watches holders and waiters: a lease ends by `release`, at
the end of its time, or with its holder; whoever waits, waits in line, and one who gave up
or died never gets it.  Each lease has a fencing token that is larger than every one before.

The leases go with the server: over its restart only the tokens keep them apart, so what
they protect must look at the token.

>>> import asyncio, suptree as st
>>> from suptree.services import Leases
>>> async def main():
...     async with st.Runtime():
...         leases = await Leases.start_link()
...         async with Leases.hold(leases, "printer", ttl=10.0) as lease:
...             return lease.name, lease.ttl
>>> asyncio.run(main())
('printer', 10.0)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Unpack

from suptree.core import Pid, current
from suptree.errors import BadRequestError, CallTimeoutError
from suptree.otp import NoReply, ServerRef, call, cast
from suptree.services.parts.checks import check_count, check_name, check_seconds
from suptree.services.parts.store import Store, checked_store
from suptree.services.primitives import events
from suptree.services.primitives.base import Primitive
from suptree.services.primitives.epochs import first_number
from suptree.services.primitives.errors import LeaseError, LeaseTimeoutError
from suptree.services.primitives.lease_table import (
    Grant,
    Lease,
    LeaseOptions,
    LeaseStats,
    LeaseStatus,
    LeaseTable,
    Waiter,
    check_lease,
    check_ttl,
)

__all__ = ["Leases"]


class Leases(Primitive[tuple[str, object]]):
    """The server; also the client of every one: `Leases.acquire(leases, name)`.

    Args:
        max_waiters: How many may wait for one lease.
        store: Keeps the tokens growing over restarts of the program.
        space: The space in the store.
    """

    refusal = LeaseError

    def __init__(
        self, *, max_waiters: int = 10_000, store: Store | None = None, space: str = "leases"
    ) -> None:
        super().__init__()
        check_count("Leases", "max_waiters", max_waiters)
        self.max_waiters, self.space = max_waiters, space
        self.store = checked_store("Leases", store)

    async def init(self) -> None:
        """Tokens go on above all that there were."""
        number = await first_number(self.store, self.space, self.pid)
        self.table = LeaseTable(number, self.max_waiters)

    # -- clients -------------------------------------------------------------------------

    @staticmethod
    async def acquire(
        leases: ServerRef[Leases],
        name: str,
        *,
        ttl: float = 30.0,
        timeout: float | None = 30.0,
        holder: Pid[Any] | None = None,
    ) -> Lease:
        """Wait in line for the lease, and hold it.

        Args:
            leases: The server.
            name: Which lease.
            ttl: Seconds after which it expires, unless renewed.
            timeout: Seconds to wait; 0: now or never; None: as long as it takes.
            holder: With whose death it ends; default: the current process.

        Raises:
            LeaseTimeoutError: It was not free in time.
            LeaseQueueFullError: Too many wait.
            LeaseError: No live holder.
            BadArgumentError: A wrong name, ttl, timeout or holder.
        """
        check_name("Leases", "name", name)
        check_seconds("Leases", "timeout", timeout, zero=True, optional=True)
        pid = current() if holder is None else holder
        key, settled, wait = object(), False, timeout != 0
        request = Leases._request.within(timeout if wait else Leases.call_timeout)
        try:
            lease = await request(leases, name, ttl, key, pid, wait)
            settled = True
            return lease
        except BadRequestError:  # it is no Leases: there is nothing to leave
            settled = True
            raise
        except CallTimeoutError as late:
            raise LeaseTimeoutError(name, late.timeout) from None
        finally:
            if not settled:  # given up, cancelled or killed: it must not be ours unseen
                Leases._leave(leases, name, key)

    @staticmethod
    @asynccontextmanager
    async def hold(
        leases: ServerRef[Leases],
        name: str,
        **options: Unpack[LeaseOptions],
    ) -> AsyncIterator[Lease]:
        """As `acquire`, and released at the end of the block."""
        lease = await Leases.acquire(leases, name, **options)
        try:
            yield lease
        finally:
            Leases.drop(leases, lease)

    @staticmethod
    def drop(leases: ServerRef[Leases], lease: Lease) -> None:
        """As `release`, without waiting for the answer."""
        check_lease(lease)
        Leases._drop(leases, lease)

    # -- handlers ------------------------------------------------------------------------

    @call
    def renew(self, lease: Lease, ttl: float | None = None) -> Lease:
        """Have the lease expire *ttl* seconds from now; default: as many as before.

        Raises:
            LeaseLostError: It is not held any more.
            BadArgumentError: A wrong ttl, or *lease* is not what `acquire` returned.
        """
        check_lease(lease)
        check_ttl(ttl, optional=True)
        renewed = self.table.renew(lease, ttl, self.now())
        self.due_at(renewed.name, renewed.expires_at)
        return renewed

    @call
    def release(self, lease: Lease) -> bool:
        """Give the lease back; whether it was held until now.

        Raises:
            BadArgumentError: *lease* is not what `acquire` returned.
        """
        check_lease(lease)
        return self._end_of(lease, "released")

    @call
    def status(self, name: str) -> LeaseStatus:
        """Who has the lease, for how long, and who waits."""
        check_name("Leases", "name", name)
        return self.table.status(name, self.now())

    @call
    def stats(self) -> LeaseStats:
        """How many of what."""
        return self.table.stats()

    @call
    def _request(
        self, name: str, ttl: float, key: object, pid: Pid[Any], wait: bool
    ) -> Lease | NoReply:
        self.check_alive("holder", pid)
        check_ttl(ttl)
        sender, now = self.sender, self.now()

        def offer(lease: Lease) -> bool:
            if sender.done() or not pid.is_alive():
                return False
            self.reply(sender, lease)
            return True

        lease = self.table.ask(name, Waiter(key, pid, float(ttl), now, offer), wait, now)
        self.owners.add(pid, (name, key))
        if lease is None:
            return NoReply()
        self._granted(self.table.held[name])
        return lease

    @cast
    def _leave(self, name: str, key: object, cause: str = "left") -> None:
        waiter = self.table.leave(name, key)
        grant = self.table.held.get(name)
        if waiter is not None:
            self._left(name, waiter)
        elif grant is not None and grant.waiter.key is key:
            self._end_of(grant.lease, cause)

    @cast
    def _drop(self, lease: Lease) -> None:
        self._end_of(lease, "released")

    def overdue(self, key: str) -> None:
        """A lease has expired."""
        self._end_of(self.table.held[key].lease, "expired")

    def departed(self, key: tuple[str, object], pid: Pid[Any], reason: object) -> None:
        """A holder or a waiter has ended."""
        self._leave(*key, "died")

    # -- private -------------------------------------------------------------------------

    def _end_of(self, lease: Lease, cause: str) -> bool:
        if not self.table.is_held(lease):
            return False
        ended, granted = self.table.end(lease.name, cause, self.now())
        self.not_due(lease.name)
        self.owners.discard(ended.lease.holder, (lease.name, ended.waiter.key))
        facts = {**ended.lease.facts(), "cause": cause}
        self.emit(events.LEASE_ENDED, {"held_s": self.now() - ended.since}, facts)
        for name, waiter in self.table.take_left():
            self._left(name, waiter)
        if granted is not None:
            self._granted(granted)
        return True

    def _granted(self, grant: Grant) -> None:
        self.due_at(grant.lease.name, grant.lease.expires_at)
        waiters = self.table.waiters(grant.lease.name)
        numbers = {"waited_s": grant.waited, "waiters_count": waiters}
        self.emit(events.LEASE_GRANTED, numbers, grant.lease.facts())

    def _left(self, name: str, waiter: Waiter) -> None:
        self.owners.discard(waiter.holder, (name, waiter.key))
        facts = {"lease": name, "holder": waiter.holder}
        self.emit(events.LEASE_WAITER_LEFT, {"waited_s": self.now() - waiter.since}, facts)
