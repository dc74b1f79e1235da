"""Messages between agents: lanes, outcomes, groups, dead letters.  See `manager.py`."""

from suptree.services.coordination.contexts import Context, ContextInfo
from suptree.services.coordination.dead_letters import DeadLetterQueue
from suptree.services.coordination.delegation import Delegation
from suptree.services.coordination.errors import (
    ContextExistsError,
    ContextNotFoundError,
    ContextsFullError,
    CoordinationError,
    CustodyError,
    LetterNotFoundError,
    UnknownMessageError,
)
from suptree.services.coordination.lane import LaneInfo, LanePolicy
from suptree.services.coordination.letters import (
    DeadLetter,
    DeadLetterStats,
    RedrivePolicy,
)
from suptree.services.coordination.manager import CoordinationManager
from suptree.services.coordination.outcomes import (
    Acknowledged,
    Broadcast,
    Buffered,
    DeadLettered,
    Expired,
    Outcome,
    Receiver,
    Rejected,
    RejectReason,
)
from suptree.services.coordination.stats import CoordinationStats

__all__ = [
    "Acknowledged",
    "Broadcast",
    "Buffered",
    "Context",
    "ContextExistsError",
    "ContextInfo",
    "ContextNotFoundError",
    "ContextsFullError",
    "CoordinationError",
    "CoordinationManager",
    "CoordinationStats",
    "CustodyError",
    "DeadLetter",
    "DeadLetterQueue",
    "DeadLetterStats",
    "DeadLettered",
    "Delegation",
    "Expired",
    "LaneInfo",
    "LanePolicy",
    "LetterNotFoundError",
    "Outcome",
    "Receiver",
    "RedrivePolicy",
    "RejectReason",
    "Rejected",
    "UnknownMessageError",
]
