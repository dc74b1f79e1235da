"""`LeaseTable`: who holds which lease, and who is next.  Pure: no clock, no process.

Invariant: somebody waits for a lease only while another holds it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from suptree.core import Pid
from suptree.services.parts.checks import check_kind, check_name, check_seconds
from suptree.services.primitives.errors import (
    LeaseLostError,
    LeaseQueueFullError,
    LeaseTimeoutError,
)

__all__ = [
    "Grant",
    "Lease",
    "LeaseOptions",
    "LeaseStats",
    "LeaseStatus",
    "LeaseTable",
    "Waiter",
    "check_lease",
    "check_ttl",
]


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

    def __post_init__(self) -> None:
        check_name("Lease", "name", self.name)

    def facts(self) -> dict[str, object]:
        """What telemetry says of it."""
        return {"lease": self.name, "holder": self.holder, "token": self.token}


class LeaseOptions(TypedDict, total=False):
    """What may be said of a lease that is asked for; see `Leases.acquire`."""

    ttl: float
    timeout: float | None
    holder: Pid[Any] | None


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

    @property
    def waited(self) -> float:
        """Seconds from the request to the grant."""
        return self.since - self.waiter.since


class LeaseTable:
    """Leases by name, each with a queue."""

    __slots__ = ("_left", "counts", "held", "max_waiters", "number", "waiting")

    def __init__(self, number: int, max_waiters: int) -> None:
        self.number = number
        self.max_waiters = max_waiters
        self.held: dict[str, Grant] = {}
        self.waiting: dict[str, OrderedDict[object, Waiter]] = {}
        self.counts = dict.fromkeys(("granted", "expired", "died", "left"), 0)
        self._left: list[tuple[str, Waiter]] = []  # found gone when their turn came

    def ask(self, name: str, waiter: Waiter, wait: bool, now: float) -> Lease | None:
        """Grant it if it is free; else *waiter* is the last in the queue.

        Raises:
            LeaseTimeoutError: It is held, and *waiter* does not want to wait.
            LeaseQueueFullError: As many wait as may.
        """
        if name not in self.held:
            self.counts["granted"] += 1
            return self._grant(name, waiter, now).lease
        if not wait:
            raise LeaseTimeoutError(name, 0.0)
        if self.waiters(name) >= self.max_waiters:
            raise LeaseQueueFullError(name, self.max_waiters)
        self.waiting.setdefault(name, OrderedDict())[waiter.key] = waiter
        return None

    def renew(self, lease: Lease, ttl: float | None, now: float) -> Lease:
        """The lease with a new end.

        Raises:
            LeaseLostError: That one is not held any more.
        """
        grant = self.held.get(lease.name)
        if grant is None or grant.lease.token != lease.token:
            holder = None if grant is None else grant.lease.holder
            raise LeaseLostError(lease.name, lease.token, holder)
        ttl = grant.lease.ttl if ttl is None else ttl
        renewed = replace(grant.lease, ttl=ttl, expires_at=now + ttl)
        self.held[lease.name] = replace(grant, lease=renewed)
        return renewed

    def end(self, name: str, cause: str, now: float) -> tuple[Grant, Grant | None]:
        """The lease is held no longer: it goes to the first in the queue who is still there.

        Those before that one are `take_left`.
        """
        ended = self.held.pop(name)
        if cause in self.counts:
            self.counts[cause] += 1
        queue = self.waiting.get(name)
        while queue:
            _, waiter = queue.popitem(last=False)
            if not queue:
                del self.waiting[name]
            granted = self._grant(name, waiter, now)
            if waiter.offer(granted.lease):
                self.counts["granted"] += 1
                return ended, granted
            del self.held[name]
            self.counts["left"] += 1
            self._left.append((name, waiter))
        return ended, None

    def take_left(self) -> list[tuple[str, Waiter]]:
        """Who was not there any more when the lease was theirs; told once."""
        left, self._left = self._left, []
        return left

    def leave(self, name: str, key: object) -> Waiter | None:
        """Who asked with *key* waits no longer; None if it does not wait."""
        queue = self.waiting.get(name)
        waiter = None if queue is None else queue.pop(key, None)
        if queue is not None and not queue:
            del self.waiting[name]
        if waiter is not None:
            self.counts["left"] += 1
        return waiter

    # -- looking -------------------------------------------------------------------------

    def is_held(self, lease: Lease) -> bool:
        """Whether that one is held, and not another of its name."""
        grant = self.held.get(lease.name)
        return grant is not None and grant.lease.token == lease.token

    def waiters(self, name: str) -> int:
        """How many wait."""
        return len(self.waiting.get(name, ()))

    def status(self, name: str, now: float) -> LeaseStatus:
        """The lease as it is now."""
        grant, queue = self.held.get(name), self.waiting.get(name)
        waiters = () if queue is None else tuple(each.holder for each in queue.values())
        if grant is None:
            return LeaseStatus(None, None, waiters)
        return LeaseStatus(grant.lease, max(0.0, grant.lease.expires_at - now), waiters)

    def stats(self) -> LeaseStats:
        """How many of what."""
        waiting = sum(map(len, self.waiting.values()))
        return LeaseStats(held=len(self.held), waiting=waiting, **self.counts)

    def _grant(self, name: str, waiter: Waiter, now: float) -> Grant:
        self.number += 1
        lease = Lease(name, waiter.holder, self.number, waiter.ttl, now + waiter.ttl)
        grant = self.held[name] = Grant(lease, waiter, now)
        return grant


def check_lease(lease: object) -> None:
    """Refuse what is no lease."""
    check_kind("Leases", "lease", lease, Lease, "a Lease", "Give back what acquire returned.")


def check_ttl(ttl: object, *, optional: bool = False) -> None:
    """Refuse what is no time for which a lease could be held."""
    advice = "Renew a lease that is needed for longer."
    check_seconds("Leases", "ttl", ttl, optional=optional, advice=advice)
