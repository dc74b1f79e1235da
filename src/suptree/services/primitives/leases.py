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
from typing import Any

from suptree.core import Pid, current
from suptree.errors import CallTimeoutError
from suptree.otp import NoReply, ServerRef, call, cast
from suptree.services.parts.store import Store
from suptree.services.primitives import events
from suptree.services.primitives.base import Primitive, not_alive, positive
from suptree.services.primitives.epochs import first_number
from suptree.services.primitives.errors import (
    LeaseError,
    LeaseLostError,
    LeaseQueueFullError,
    LeaseTimeoutError,
)
from suptree.services.primitives.lease_table import (
    Grant,
    Lease,
    LeaseStats,
    LeaseStatus,
    LeaseTable,
    Waiter,
)

__all__ = ["Leases"]


class Leases(Primitive[tuple[str, object]]):
    """The server; also the client of every one: `Leases.acquire(leases, name)`.

    Args:
        max_waiters: How many may wait for one lease.
        store: Keeps the tokens growing over restarts of the program.
        space: The space in the store.
    """

    def __init__(
        self, *, max_waiters: int = 10_000, store: Store | None = None, space: str = "leases"
    ) -> None:
        super().__init__()
        self.max_waiters, self.store, self.space = max_waiters, store, space
        self.counts = dict.fromkeys(("granted", "expired", "died", "left"), 0)

    async def init(self) -> None:
        """Tokens go on above all that there were."""
        self.table = LeaseTable(await first_number(self.store, self.space, self.pid))

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
            LeaseError: A wrong ttl, or no live holder.
        """
        pid = current() if holder is None else holder
        key, got = object(), False
        wait = timeout != 0
        request = Leases.request.within(timeout if wait else Leases.call_timeout)
        try:
            lease = await request(leases, name, ttl, key, pid, wait)
            got = True
            return lease
        except CallTimeoutError as late:
            raise LeaseTimeoutError(name, late.timeout) from None
        finally:
            if not got:  # given up, cancelled or killed: it must not be ours unseen
                Leases.leave(leases, name, key)

    @staticmethod
    @asynccontextmanager
    async def hold(
        leases: ServerRef[Leases],
        name: str,
        *,
        ttl: float = 30.0,
        timeout: float | None = 30.0,
        holder: Pid[Any] | None = None,
    ) -> AsyncIterator[Lease]:
        """As `acquire`, and released at the end of the block."""
        lease = await Leases.acquire(leases, name, ttl=ttl, timeout=timeout, holder=holder)
        try:
            yield lease
        finally:
            Leases.drop(leases, lease)

    # -- handlers ------------------------------------------------------------------------

    @call
    def renew(self, lease: Lease, ttl: float | None = None) -> Lease | NoReply:
        """Have the lease expire *ttl* seconds from now; default: as many as before.

        Raises:
            LeaseLostError: It is not held any more.
            LeaseError: A wrong ttl, or *lease* is not what `acquire` returned.
        """
        wrong = _no_lease(lease) or (None if ttl is None else _wrong_ttl(ttl))
        if wrong is not None:
            return self.fail(wrong)
        renewed = self.table.renew(lease.name, lease.token, ttl, self.now())
        if renewed is None:
            holder = self.table.held.get(lease.name)
            now = None if holder is None else holder.lease.holder
            return self.fail(LeaseLostError(lease.name, lease.token, now))
        self.due_at(renewed.name, renewed.expires_at)
        return renewed

    @call
    def release(self, lease: Lease) -> bool | NoReply:
        """Give the lease back; whether it was held until now.

        Raises:
            LeaseError: *lease* is not what `acquire` returned.
        """
        wrong = _no_lease(lease)
        return self._end_of(lease, "released") if wrong is None else self.fail(wrong)

    @call
    def status(self, name: str) -> LeaseStatus:
        """Who has the lease, for how long, and who waits."""
        grant, queue = self.table.held.get(name), self.table.waiting.get(name)
        waiters = () if queue is None else tuple(each.holder for each in queue.values())
        if grant is None:
            return LeaseStatus(None, None, waiters)
        return LeaseStatus(grant.lease, max(0.0, grant.lease.expires_at - self.now()), waiters)

    @call
    def stats(self) -> LeaseStats:
        """How many of what."""
        waiting = sum(map(len, self.table.waiting.values()))
        return LeaseStats(held=len(self.table.held), waiting=waiting, **self.counts)

    @call
    def request(
        self, name: str, ttl: float, key: object, pid: Pid[Any], wait: bool
    ) -> Lease | NoReply:
        """Grant the lease now or later; `acquire` is the client of it."""
        wrong = not_alive(pid, "Leases", "holder", LeaseError) or _wrong_ttl(ttl)
        if wrong is not None:
            return self.fail(wrong)
        sender, now = self.sender, self.now()
        if name in self.table.held and not wait:
            return self.fail(LeaseTimeoutError(name, 0.0))
        if self.table.waiters(name) >= self.max_waiters:
            return self.fail(LeaseQueueFullError(name, self.max_waiters))

        def offer(lease: Lease) -> bool:
            if sender.done() or not pid.is_alive():
                return False
            self.reply(sender, lease)
            return True

        lease = self.table.ask(name, Waiter(key, pid, float(ttl), now, offer), now)
        self.owners.add(pid, (name, key))
        if lease is None:
            return NoReply()
        self._granted(self.table.held[name])
        return lease

    @cast
    def leave(self, name: str, key: object) -> None:
        """Who asked with *key* is not there any more."""
        self._withdraw(name, key, "left")

    @cast
    def drop(self, lease: Lease) -> None:
        """As `release`, without an answer."""
        self._end_of(lease, "released")

    def overdue(self, key: str) -> None:
        """A lease has expired."""
        self._end_of(self.table.held[key].lease, "expired")

    def departed(self, key: tuple[str, object], pid: Pid[Any], reason: object) -> None:
        """A holder or a waiter has ended."""
        self._withdraw(*key, "died")

    # -- private -------------------------------------------------------------------------

    def _withdraw(self, name: str, key: object, cause: str) -> None:
        waiter = self.table.leave(name, key)
        grant = self.table.held.get(name)
        if waiter is not None:
            self._left(name, waiter)
        elif grant is not None and grant.waiter.key is key:
            self._end_of(grant.lease, cause)

    def _end_of(self, lease: Lease, cause: str) -> bool:
        grant = self.table.held.get(lease.name)
        if grant is None or grant.lease.token != lease.token:
            return False
        ended, granted = self.table.end(lease.name, self.now())
        self.not_due(lease.name)
        self.owners.discard(ended.lease.holder, (lease.name, ended.waiter.key))
        if cause in self.counts:
            self.counts[cause] += 1
        facts = _facts(ended.lease)
        self.emit(
            events.LEASE_ENDED, {"held_s": self.now() - ended.since}, {**facts, "cause": cause}
        )
        for name, waiter in self.table.left:
            self._left(name, waiter)
        self.table.left.clear()
        if granted is not None:
            self._granted(granted)
        return True

    def _granted(self, grant: Grant) -> None:
        self.counts["granted"] += 1
        self.due_at(grant.lease.name, grant.lease.expires_at)
        waited = {"waited_s": grant.since - grant.waiter.since}
        waiters = {"waiters_count": self.table.waiters(grant.lease.name)}
        self.emit(events.LEASE_GRANTED, {**waited, **waiters}, _facts(grant.lease))

    def _left(self, name: str, waiter: Waiter) -> None:
        self.counts["left"] += 1
        self.owners.discard(waiter.holder, (name, waiter.key))
        facts = {"lease": name, "holder": waiter.holder}
        self.emit(events.LEASE_WAITER_LEFT, {"waited_s": self.now() - waiter.since}, facts)


def _facts(lease: Lease) -> dict[str, object]:
    return {"lease": lease.name, "holder": lease.holder, "token": lease.token}


def _no_lease(lease: object) -> LeaseError | None:
    if isinstance(lease, Lease):
        return None
    return LeaseError(
        f"Leases: lease must be a Lease; got {lease!r}. Give back what acquire returned."
    )


def _wrong_ttl(ttl: object) -> LeaseError | None:
    if positive(ttl):
        return None
    return LeaseError(
        f"Leases: ttl must be a finite number of seconds above 0; got {ttl!r}. "
        "Renew a lease that is needed for longer."
    )
