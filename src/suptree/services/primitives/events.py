"""Telemetry declared by leases, barriers, elections and votes."""

from __future__ import annotations

from typing import Final

from suptree.telemetry import Event

__all__ = [
    "BALLOT_CLOSED",
    "BALLOT_OPENED",
    "BARRIER_BROKEN",
    "BARRIER_TRIPPED",
    "LEADER_CHANGED",
    "LEASE_ENDED",
    "LEASE_GRANTED",
    "LEASE_WAITER_LEFT",
]

LEASE_GRANTED: Final = Event(
    "suptree.leases.lease.granted",
    measurements={"waited_s": "seconds in the queue", "waiters_count": "who still wait for it"},
    metadata={
        "server": "pid of the server",
        "lease": "its name",
        "holder": "who has it",
        "token": "its fencing token",
    },
    doc="A lease was granted.",
)
LEASE_ENDED: Final = Event(
    "suptree.leases.lease.ended",
    measurements={"held_s": "seconds for which it was held"},
    metadata={
        "server": "pid of the server",
        "lease": "its name",
        "holder": "who had it",
        "token": "its fencing token",
        "cause": "'released', 'expired', 'died', or 'left': the caller did not wait for the answer",
    },
    doc="A lease is held no longer.",
)
LEASE_WAITER_LEFT: Final = Event(
    "suptree.leases.waiter.left",
    measurements={"waited_s": "seconds in the queue"},
    metadata={"server": "pid of the server", "lease": "its name", "holder": "who waited"},
    doc="Somebody who waited for a lease gave up, or died.",
)
BARRIER_TRIPPED: Final = Event(
    "suptree.barriers.barrier.tripped",
    measurements={"parties_count": "how many met", "waited_s": "seconds since the first arrival"},
    metadata={"server": "pid of the server", "barrier": "its name", "generation": "its number"},
    doc="All parties of a barrier have arrived.",
)
BARRIER_BROKEN: Final = Event(
    "suptree.barriers.barrier.broken",
    measurements={"arrived_count": "who waited", "waited_s": "seconds since the first arrival"},
    metadata={
        "server": "pid of the server",
        "barrier": "its name",
        "generation": "its number",
        "cause": "in words",
    },
    doc="A generation of a barrier was given up.",
)
LEADER_CHANGED: Final = Event(
    "suptree.elections.leader.changed",
    measurements={"candidates_count": "who stand, the leader included"},
    metadata={
        "server": "pid of the server",
        "election": "its name",
        "leader": "pid of the new leader, or None",
        "before": "pid of the one before, or None",
        "term": "number of the term",
        "cause": "'elected', 'resigned' or 'died': what the one before, if any, did",
    },
    doc="An election has another leader, or none any more.",
)
BALLOT_OPENED: Final = Event(
    "suptree.consensus.ballot.opened",
    measurements={"participants_count": "who may vote", "quorum_count": "votes that decide"},
    metadata={"server": "pid of the server", "ballot": "its id", "proposer": "who asks, or None"},
    doc="A vote has begun.",
)
BALLOT_CLOSED: Final = Event(
    "suptree.consensus.ballot.closed",
    measurements={
        "votes_count": "votes given",
        "silent_count": "who neither voted nor abstained",
        "duration_s": "seconds since it was opened",
    },
    metadata={
        "server": "pid of the server",
        "ballot": "its id",
        "choice": "what was decided, or None",
        "cause": "'quorum', 'out of reach', 'deadline' or 'withdrawn'",
    },
    doc="A vote is over.",
)
