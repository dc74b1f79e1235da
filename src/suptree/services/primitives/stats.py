"""How many of what: the statistics of leases, barriers, elections and votes."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BarrierStats", "ConsensusStats", "ElectionStats", "LeaseStats"]


@dataclass(frozen=True, slots=True)
class LeaseStats:
    """Held and waited for now; granted, released, expired, ended by a death, and given up, ever."""

    held: int
    waiting: int
    granted: int
    released: int
    expired: int
    died: int
    left: int


@dataclass(frozen=True, slots=True)
class BarrierStats:
    """Generations that are forming, with how many wait; that met, and that broke, ever."""

    forming: int
    waiting: int
    tripped: int
    broken: int


@dataclass(frozen=True, slots=True)
class ElectionStats:
    """Elections, candidates and followers now; changes of a leader, and news refused by full mailboxes, ever."""

    elections: int
    candidates: int
    followers: int
    changes: int
    undelivered: int


@dataclass(frozen=True, slots=True)
class ConsensusStats:
    """Ballots open and remembered now; decided by quorum, ended without one, forgotten, and requests
    refused by full mailboxes, ever."""

    open: int
    remembered: int
    decided: int
    undecided: int
    forgotten: int
    undelivered: int
