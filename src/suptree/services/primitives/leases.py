"""`Leases`: one holder at a time for each name, for so many seconds, in the order of asking.

The server watches holders and waiters: a lease ends by `release`, at the end of its time, or
with its holder; who gave up or died never gets it.  Each lease has a fencing token that is
larger than every one before.  Leases go with the server: over its restart only the tokens
keep them apart, so what they protect must look at the token.

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

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Unpack

from suptree.core import Pid, ReplyTo
from suptree.errors import CallTimeoutError
from suptree.otp import NoReply, ServerRef, call, cast
from suptree.services.parts.checks import check_count, check_name
from suptree.services.parts.hold import give_back
from suptree.services.parts.store import Store
from suptree.services.primitives import errors, events
from suptree.services.primitives.arguments import asked_lease, check_lease, check_ttl
from suptree.services.primitives.base import asker, wait_in
from suptree.services.primitives.epochs import Numbered
from suptree.services.primitives.stats import LeaseStats
from suptree.services.primitives.values import Lease, LeaseOptions, LeaseStatus

__all__ = ["Leases"]


@dataclass(slots=True, eq=False)
class _Claim:
    """One in line: the *lease* that it asks for, without a token, and then has; *since* when."""

    sender: ReplyTo
    lease: Lease
    since: float


class Leases(Numbered[tuple[str, object]]):
    """The server; also the client of every one: `Leases.acquire(leases, name)`.

    Args:
        max_waiters: How many may wait for one lease.
        store: Keeps the tokens growing over restarts of the program.
        space: The space in the store.
    """

    refusal = errors.LeaseError
    counted = ("granted", "released", "expired", "died", "left")

    def __init__(
        self, *, max_waiters: int = 10_000, store: Store | None = None, space: str = "leases"
    ) -> None:
        super().__init__(store, space)
        check_count("Leases", "max_waiters", max_waiters)
        self.max_waiters = max_waiters
        # Invariant: there is a line only while its first one holds the lease.
        self.lines: dict[str, OrderedDict[object, _Claim]] = {}

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

        A holder that asks again waits like everybody else, behind itself.

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
        asked, waits = asked_lease(name, ttl, timeout, asker(holder)), timeout != 0
        ask = Leases._ask.within(timeout if waits else Leases.call_timeout)
        try:
            return await wait_in(ask, Leases._leave, leases, name, asked, waits)
        except CallTimeoutError as late:
            raise errors.LeaseTimeoutError(name, late.timeout) from None

    @staticmethod
    @asynccontextmanager
    async def hold(
        leases: ServerRef[Leases], name: str, **options: Unpack[LeaseOptions]
    ) -> AsyncIterator[Lease]:
        """As `acquire`, and released at the end of the block."""
        lease = await Leases.acquire(leases, name, **options)
        try:
            yield lease
        finally:
            give_back(Leases.drop, leases, lease)

    @staticmethod
    def drop(leases: ServerRef[Leases], lease: Lease) -> None:
        """As `release`, without waiting for the answer."""
        check_lease(lease)
        Leases._drop(leases, lease)

    @call
    def renew(self, lease: Lease, ttl: float | None = None) -> Lease:
        """Have the lease expire *ttl* seconds from now; default: as many as before.

        Raises:
            LeaseLostError: It is not held any more.
            BadArgumentError: A wrong ttl, or *lease* is not what `acquire` returned.
        """
        check_ttl(ttl, optional=True)
        claim = self._held(lease)
        if claim is None:
            other = self.status(lease.name).lease
            raise errors.LeaseLostError(lease.name, lease.token, other.holder if other else None)
        ttl = claim.lease.ttl if ttl is None else ttl
        claim.lease = replace(claim.lease, ttl=ttl, expires_at=self.now() + ttl)
        self.due_at(lease.name, claim.lease.expires_at)
        return claim.lease

    @call
    def release(self, lease: Lease) -> bool:
        """Give the lease back; whether it was held until now.

        Raises:
            BadArgumentError: *lease* is not what `acquire` returned.
        """
        held = self._held(lease) is not None
        if held:
            self._end(lease.name, next(iter(self.lines[lease.name])), "released")
        return held

    @call
    def status(self, name: str) -> LeaseStatus:
        """Who has the lease, for how long, and who waits."""
        check_name("Leases", "name", name)
        line = self.lines[name].values() if name in self.lines else ()
        return LeaseStatus.of([claim.lease for claim in line], self.now())

    @call
    def stats(self) -> LeaseStats:
        """How many of what."""
        waiting = sum(len(line) - 1 for line in self.lines.values())
        return LeaseStats(len(self.lines), waiting, **self.counts)

    @call
    def _ask(self, name: str, key: object, asked: Lease, waits: bool) -> Lease | NoReply:
        self.check_alive("holder", asked.holder)
        line = self.lines.setdefault(name, OrderedDict())
        if line and not waits:
            raise errors.LeaseTimeoutError(name, 0.0)
        if len(line) > self.max_waiters:
            raise errors.LeaseQueueFullError(name, self.max_waiters)
        line[key] = _Claim(self.sender, asked, self.now())
        self.owners.add(asked.holder, (name, key))
        if len(line) == 1:
            self._serve(name)
        return NoReply()

    @cast
    def _leave(self, name: str, key: object, cause: str = "left") -> None:
        if key in self.lines.get(name, ()):
            self._end(name, key, cause)

    @cast
    def _drop(self, lease: Lease) -> None:
        self.release(lease)

    def overdue(self, key: str) -> None:
        """A lease has expired."""
        self._end(key, next(iter(self.lines[key])), "expired")

    def departed(self, key: tuple[str, object], pid: Pid[Any], reason: object) -> None:
        """A holder or a waiter has ended."""
        self._leave(*key, "died")

    def _held(self, lease: Lease) -> _Claim | None:
        """The claim that has that lease, if it is not over."""
        check_lease(lease)
        first = next(iter(self.lines.get(lease.name, OrderedDict[object, _Claim]()).values()), None)
        return first if first is not None and first.lease.token == lease.token else None

    def _end(self, name: str, key: object, cause: str) -> None:
        """Out of the line; when it had the lease, the next one has it now."""
        claim = self.lines[name].pop(key)
        lease, seconds = claim.lease, self.now() - claim.since
        self.owners.discard(lease.holder, (name, key))
        self.counts[cause if lease.token else "left"] += 1
        facts = {"lease": name, "holder": lease.holder}
        if lease.token:
            self.not_due(name)
            self.emit(events.LEASE_ENDED, held_s=seconds, token=lease.token, cause=cause, **facts)
            self._serve(name)
        else:
            self.emit(events.LEASE_WAITER_LEFT, waited_s=seconds, **facts)
            self.reply_error(claim.sender, self.dead("holder", lease.holder))

    def _serve(self, name: str) -> None:
        """The first in line who is still there has the lease now."""
        line = self.lines[name]
        while line:
            key, claim = next(iter(line.items()))
            asked, since = claim.lease, claim.since
            if claim.sender.done() or not asked.holder.is_alive():
                self._end(name, key, "left")
                continue
            claim.since = now = self.now()
            token, expires_at = self.next_number(), now + asked.ttl
            claim.lease = Lease(name, asked.holder, token, asked.ttl, expires_at)
            self.due_at(name, expires_at)
            self.counts["granted"] += 1
            self.reply(claim.sender, claim.lease)
            facts = {"lease": name, "holder": asked.holder, "token": token}
            waiters = len(line) - 1
            self.emit(events.LEASE_GRANTED, waited_s=now - since, waiters_count=waiters, **facts)
            return
        del self.lines[name]
