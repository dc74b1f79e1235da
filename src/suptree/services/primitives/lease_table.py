"""`LeaseTable`: who holds which lease, and who is next.  Pure: no clock, no process.

Invariant: somebody waits for a lease only while another holds it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from suptree.core import Pid

__all__ = ["Grant", "Lease", "LeaseStats", "LeaseStatus", "LeaseTable", "Waiter"]


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to *name*, until it expires or ends.

    Attributes:
        name: What it is about.
        holder: Who has it.
        token: Grows with every lease of the server for ever.  Send it along with whatever
            the lease protects: who gets a smaller one than before knows that it is stale.
        ttl: Seconds for which it was granted, or renewed.
        expires_at: When it expires, by the clock of the runtime.
    """

    name: str
    holder: Pid[Any]
    token: int
    ttl: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class LeaseStatus:
    """A lease as it is now: *lease* is None when it is free; *expires_in* seconds; who waits, first first."""

    lease: Lease | None
    expires_in: float | None
    waiters: tuple[Pid[Any], ...]


@dataclass(frozen=True, slots=True)
class LeaseStats:
    """Held and waited for now; granted, expired, ended by a death, and given up, ever."""

    held: int
    waiting: int
    granted: int
    expired: int
    died: int
    left: int


@dataclass(frozen=True, slots=True, eq=False)
class Waiter:
    """One who asks.

    Attributes:
        key: Made by whoever asks, and used by nobody else.
        offer: Gives the lease; False if nobody is there to take it.
    """

    key: object
    holder: Pid[Any]
    ttl: float
    since: float
    offer: Callable[[Lease], bool]


@dataclass(frozen=True, slots=True)
class Grant:
    """A lease, and for whom it was made."""

    lease: Lease
    waiter: Waiter
    since: float


class LeaseTable:
    """Leases by name, each with a queue."""

    __slots__ = ("held", "left", "number", "waiting")

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.held: dict[str, Grant] = {}
        self.waiting: dict[str, OrderedDict[object, Waiter]] = {}
        self.left: list[tuple[str, Waiter]] = []
        """Found gone when their turn came; whoever reads it clears it."""

    def ask(self, name: str, waiter: Waiter, now: float) -> Lease | None:
        """Grant it if it is free; else *waiter* is the last in the queue."""
        if name not in self.held:
            return self._grant(name, waiter, now).lease
        self.waiting.setdefault(name, OrderedDict())[waiter.key] = waiter
        return None

    def renew(self, name: str, token: int, ttl: float | None, now: float) -> Lease | None:
        """The lease with a new end; None if that one is not held any more."""
        grant = self.held.get(name)
        if grant is None or grant.lease.token != token:
            return None
        ttl = grant.lease.ttl if ttl is None else ttl
        lease = replace(grant.lease, ttl=ttl, expires_at=now + ttl)
        self.held[name] = replace(grant, lease=lease)
        return lease

    def end(self, name: str, now: float) -> tuple[Grant, Grant | None]:
        """The lease is held no longer: it goes to the first in the queue who is still there."""
        ended = self.held.pop(name)
        queue = self.waiting.get(name)
        while queue:
            _, waiter = queue.popitem(last=False)
            if not queue:
                del self.waiting[name]
            granted = self._grant(name, waiter, now)
            if waiter.offer(granted.lease):
                return ended, granted
            del self.held[name]
            self.left.append((name, waiter))
        return ended, None

    def leave(self, name: str, key: object) -> Waiter | None:
        """Who asked with *key* waits no longer; None if it does not wait."""
        queue = self.waiting.get(name)
        waiter = None if queue is None else queue.pop(key, None)
        if queue is not None and not queue:
            del self.waiting[name]
        return waiter

    def waiters(self, name: str) -> int:
        """How many wait."""
        return len(self.waiting.get(name, ()))

    def _grant(self, name: str, waiter: Waiter, now: float) -> Grant:
        self.number += 1
        lease = Lease(name, waiter.holder, self.number, waiter.ttl, now + waiter.ttl)
        grant = self.held[name] = Grant(lease, waiter, now)
        return grant
