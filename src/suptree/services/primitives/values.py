"""What leases, barriers, elections and votes answer, and what elections and votes send."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from suptree.core import Pid
from suptree.services.parts.checks import check_name

__all__ = [
    "Arrival",
    "Cause",
    "Decision",
    "LeaderChanged",
    "Lease",
    "LeaseOptions",
    "LeaseStatus",
    "VoteRequested",
]

Cause = Literal["quorum", "out of reach", "deadline", "withdrawn"]


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

    @staticmethod
    def of(line: Sequence[Lease], now: float) -> LeaseStatus:
        """Of those in *line* the first has what the others wait for."""
        held = line[0] if line else None
        left = None if held is None else max(0.0, held.expires_at - now)
        return LeaseStatus(held, left, tuple(each.holder for each in line[1:]))


@dataclass(frozen=True, slots=True)
class Arrival:
    """All are there: the *generation*, growing; the place in which this one came, from 0; how many."""

    generation: int
    place: int
    parties: int


@dataclass(frozen=True, slots=True)
class LeaderChanged:
    """Who leads *election*: a pid, or None while nobody stands; and since which term (0: none yet)."""

    election: str
    leader: Pid[Any] | None
    term: int


@dataclass(frozen=True, slots=True)
class VoteRequested:
    """Vote in *ballot*, for one of *choices*, within *timeout* seconds from when it was sent."""

    ballot: str
    proposal: object
    choices: tuple[Hashable, ...]
    timeout: float


@dataclass(frozen=True, slots=True)
class Decision:
    """How a vote ended.

    Attributes:
        ballot: Its id.
        proposal: What was asked.
        choice: The choice that got the quorum; None if none did.
        why: It ended by 'quorum', 'out of reach', 'deadline', or 'withdrawn': the
            proposer died.
        votes: How many for each choice.
        abstained, silent: Who abstained, and who neither did nor voted.
    """

    ballot: str
    proposal: object
    choice: Hashable | None
    why: Cause
    votes: Mapping[Hashable, int]
    abstained: tuple[Pid[Any], ...]
    silent: tuple[Pid[Any], ...]

    @property
    def decided(self) -> bool:
        """Whether a choice got the quorum."""
        return self.why == "quorum"
