"""Floor 3: services, each a supervised process (or a few of them) on the runtime below.

A service is a folder, and imports alone: `from suptree.services import SchedulerManager`
opens the folder of that one only.  Services do not know one another; what several of
them stand on is in `parts`: pure values and machines, and the seam of the store.
Whoever composes services is one floor up.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from suptree.services.agent_registry import (
        AgentDiscovery,
        AgentEntry,
        AgentExistsError,
        AgentKeeper,
        AgentMetadataError,
        AgentNotAliveError,
        AgentNotFoundError,
        AgentRegistry,
        AgentRegistryError,
        AgentRegistryFullError,
        AgentRegistryNotRunningError,
        AgentRegistryStats,
        AgentSchema,
        BatchError,
        BatchFailure,
        BatchResult,
        CriteriaError,
        Register,
        Replace,
        Unregister,
        Update,
        Utilization,
        where,
    )
    from suptree.services.parts.distribution import Distribution
    from suptree.services.parts.store import Store
    from suptree.services.store import MemoryStore, StateOwner

__all__ = [
    "AgentDiscovery",
    "AgentEntry",
    "AgentExistsError",
    "AgentKeeper",
    "AgentMetadataError",
    "AgentNotAliveError",
    "AgentNotFoundError",
    "AgentRegistry",
    "AgentRegistryError",
    "AgentRegistryFullError",
    "AgentRegistryNotRunningError",
    "AgentRegistryStats",
    "AgentSchema",
    "BatchError",
    "BatchFailure",
    "BatchResult",
    "CriteriaError",
    "Distribution",
    "MemoryStore",
    "Register",
    "Replace",
    "StateOwner",
    "Store",
    "Unregister",
    "Update",
    "Utilization",
    "where",
]

_HOME: Final[Mapping[str, str]] = {
    "AgentDiscovery": "agent_registry",
    "AgentEntry": "agent_registry",
    "AgentExistsError": "agent_registry",
    "AgentKeeper": "agent_registry",
    "AgentMetadataError": "agent_registry",
    "AgentNotAliveError": "agent_registry",
    "AgentNotFoundError": "agent_registry",
    "AgentRegistry": "agent_registry",
    "AgentRegistryError": "agent_registry",
    "AgentRegistryFullError": "agent_registry",
    "AgentRegistryNotRunningError": "agent_registry",
    "AgentRegistryStats": "agent_registry",
    "AgentSchema": "agent_registry",
    "BatchError": "agent_registry",
    "BatchFailure": "agent_registry",
    "BatchResult": "agent_registry",
    "CriteriaError": "agent_registry",
    "Distribution": "parts.distribution",
    "MemoryStore": "store",
    "Register": "agent_registry",
    "Replace": "agent_registry",
    "StateOwner": "store",
    "Store": "parts.store",
    "Unregister": "agent_registry",
    "Update": "agent_registry",
    "Utilization": "agent_registry",
    "where": "agent_registry",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
