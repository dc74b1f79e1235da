"""Messages between agents: lanes, outcomes, groups, dead letters.  See `manager.py`."""

from suptree.services.coordination.contexts import Context, ContextInfo
from suptree.services.coordination.dead_letters import (
    DeadLetter,
    DeadLetterQueue,
    DeadLetterStats,
)
from suptree.services.coordination.delegation import Delegation
from suptree.services.coordination.errors import (
    ContextExistsError,
    ContextNotFoundError,
    CoordinationError,
    LetterNotFoundError,
    UnknownMessageError,
)
from suptree.services.coordination.lane import LaneInfo, LanePolicy
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
from suptree.services.coordination.router import CoordinationStats

__all__ = [
    "Acknowledged",
    "Broadcast",
    "Buffered",
    "Context",
    "ContextExistsError",
    "ContextInfo",
    "ContextNotFoundError",
    "CoordinationError",
    "CoordinationManager",
    "CoordinationStats",
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
    "RejectReason",
    "Rejected",
    "UnknownMessageError",
]
