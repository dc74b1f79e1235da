"""Coordination primitives: leases, barriers, elections, and consensus by vote."""

from suptree.services.primitives.ballot import ConsensusStats, Decision, VoteRequested
from suptree.services.primitives.barrier_table import Arrival, BarrierStats
from suptree.services.primitives.barriers import Barriers
from suptree.services.primitives.consensus import Consensus
from suptree.services.primitives.elections import Elections, ElectionStats, LeaderChanged
from suptree.services.primitives.errors import (
    AlreadyArrivedError,
    AlreadyVotedError,
    BallotClosedError,
    BallotNotFoundError,
    BarrierBrokenError,
    BarrierError,
    BarrierMismatchError,
    ConsensusError,
    ElectionError,
    LeaseError,
    LeaseLostError,
    LeaseQueueFullError,
    LeaseTimeoutError,
    NotAParticipantError,
    NotAPartyError,
    PrimitiveError,
)
from suptree.services.primitives.lease_table import Lease, LeaseStats, LeaseStatus
from suptree.services.primitives.leases import Leases

__all__ = [
    "AlreadyArrivedError",
    "AlreadyVotedError",
    "Arrival",
    "BallotClosedError",
    "BallotNotFoundError",
    "BarrierBrokenError",
    "BarrierError",
    "BarrierMismatchError",
    "BarrierStats",
    "Barriers",
    "Consensus",
    "ConsensusError",
    "ConsensusStats",
    "Decision",
    "ElectionError",
    "ElectionStats",
    "Elections",
    "LeaderChanged",
    "Lease",
    "LeaseError",
    "LeaseLostError",
    "LeaseQueueFullError",
    "LeaseStats",
    "LeaseStatus",
    "LeaseTimeoutError",
    "Leases",
    "NotAParticipantError",
    "NotAPartyError",
    "PrimitiveError",
    "VoteRequested",
]
