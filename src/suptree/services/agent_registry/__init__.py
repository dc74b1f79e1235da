"""A registry of agents that answers queries: by capability, health, resources, any metadata."""

from suptree.services.agent_registry.criteria import (
    All,
    AnyOf,
    Compare,
    Criteria,
    Criterion,
    Not,
    Op,
    where,
)
from suptree.services.agent_registry.discovery import AgentDiscovery, Utilization
from suptree.services.agent_registry.entry import AgentEntry
from suptree.services.agent_registry.errors import (
    AgentBatchError,
    AgentExistsError,
    AgentMetadataError,
    AgentNotAliveError,
    AgentNotFoundError,
    AgentRegistryError,
    AgentRegistryFullError,
    AgentRegistryNotRunningError,
    CriteriaError,
)
from suptree.services.agent_registry.keeper import AgentKeeper
from suptree.services.agent_registry.operations import (
    AgentBatchFailure,
    AgentBatchResult,
    OnError,
    Operation,
    Register,
    Replace,
    Unregister,
    Update,
)
from suptree.services.agent_registry.registry import AgentRegistry
from suptree.services.agent_registry.schema import AgentSchema
from suptree.services.agent_registry.server import AgentRegistryStats

__all__ = [
    "AgentBatchError",
    "AgentBatchFailure",
    "AgentBatchResult",
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
    "All",
    "AnyOf",
    "Compare",
    "Criteria",
    "CriteriaError",
    "Criterion",
    "Not",
    "OnError",
    "Op",
    "Operation",
    "Register",
    "Replace",
    "Unregister",
    "Update",
    "Utilization",
    "where",
]
