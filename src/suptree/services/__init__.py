"""Floor 3: services, each a supervised process (or a few of them) on the runtime below.

A service is a folder, and imports alone: `from suptree.services import SchedulerManager`
opens the folder of that one only.  Services do not know one another; what several of
them stand on is in `parts`: pure values and machines, and the seam of the store.
Whoever composes services is one floor up.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from suptree.services.coordination import (
        Acknowledged,
        Broadcast,
        Buffered,
        Context,
        ContextExistsError,
        ContextInfo,
        ContextNotFoundError,
        CoordinationError,
        CoordinationManager,
        CoordinationStats,
        DeadLetter,
        DeadLettered,
        DeadLetterQueue,
        DeadLetterStats,
        Delegation,
        Expired,
        LaneInfo,
        LanePolicy,
        LetterNotFoundError,
        Outcome,
        Receiver,
        Rejected,
        RejectReason,
        UnknownMessageError,
    )
    from suptree.services.parts.distribution import Distribution
    from suptree.services.parts.store import Store
    from suptree.services.store import MemoryStore, StateOwner

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
    "Distribution",
    "Expired",
    "LaneInfo",
    "LanePolicy",
    "LetterNotFoundError",
    "MemoryStore",
    "Outcome",
    "Receiver",
    "RejectReason",
    "Rejected",
    "StateOwner",
    "Store",
    "UnknownMessageError",
]

_HOME: Final = {
    "Acknowledged": "coordination",
    "Broadcast": "coordination",
    "Buffered": "coordination",
    "Context": "coordination",
    "ContextExistsError": "coordination",
    "ContextInfo": "coordination",
    "ContextNotFoundError": "coordination",
    "CoordinationError": "coordination",
    "CoordinationManager": "coordination",
    "CoordinationStats": "coordination",
    "DeadLetter": "coordination",
    "DeadLetterQueue": "coordination",
    "DeadLetterStats": "coordination",
    "DeadLettered": "coordination",
    "Delegation": "coordination",
    "Distribution": "parts.distribution",
    "Expired": "coordination",
    "LaneInfo": "coordination",
    "LanePolicy": "coordination",
    "LetterNotFoundError": "coordination",
    "MemoryStore": "store",
    "Outcome": "coordination",
    "Receiver": "coordination",
    "RejectReason": "coordination",
    "Rejected": "coordination",
    "StateOwner": "store",
    "Store": "parts.store",
    "UnknownMessageError": "coordination",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
