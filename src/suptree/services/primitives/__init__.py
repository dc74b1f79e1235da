"""Coordination primitives: leases, barriers, elections, and consensus by vote."""

from suptree.services.primitives.barriers import Barriers
from suptree.services.primitives.consensus import Consensus
from suptree.services.primitives.elections import Elections
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
from suptree.services.primitives.leases import Leases
from suptree.services.primitives.stats import (
    BarrierStats,
    ConsensusStats,
    ElectionStats,
    LeaseStats,
)
from suptree.services.primitives.values import (
    Arrival,
    Decision,
    LeaderChanged,
    Lease,
    LeaseStatus,
    VoteRequested,
)

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
