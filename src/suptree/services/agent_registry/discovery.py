"""`AgentDiscovery`: the questions about agents that everybody asks (the seed's MABEAM.Discovery).

Reads, as `AgentRegistry.query` does: no message.  Health is `health_status`, resources
are the numbers `memory_available`, `cpu_available`, `memory_usage` and `cpu_usage` in
`resources`, in whatever unit the agents agree on.

>>> AgentDiscovery.find_least_loaded("agents", "chat", 3)  # doctest: +SKIP
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from suptree.otp import ServerRef
from suptree.services.agent_registry.criteria import All, Criteria, where
from suptree.services.agent_registry.entry import AgentEntry
from suptree.services.agent_registry.errors import CriteriaError
from suptree.services.agent_registry.indexes import is_number
from suptree.services.agent_registry.registry import AgentRegistry
from suptree.services.agent_registry.values import Path, each_of

__all__ = ["AgentDiscovery", "Utilization"]

Ref = ServerRef[AgentRegistry]

_HEALTHY: Final = where("health_status") == "healthy"
_MEMORY: Final = "resources.memory_available"
_CPU: Final = "resources.cpu_available"
_USES: Final = ("memory_usage", "cpu_usage")


@dataclass(frozen=True, slots=True)
class Utilization:
    """How much of one resource is used by those agents that say so.

    Attributes:
        agents: How many say so.
        mean, least, most: Of what they say; 0.0 when nobody does.
    """

    agents: int
    mean: float
    least: float
    most: float


class AgentDiscovery:
    """Finds agents by what is usually asked for; every answer is in the order of registration."""

    @staticmethod
    def find_capable_and_healthy(registry: Ref, capability: str) -> list[AgentEntry]:
        """Those that have the capability and are healthy."""
        return AgentRegistry.query(registry, (where("capability") == capability) & _HEALTHY)

    @staticmethod
    def find_with_resources(
        registry: Ref, *, min_memory: float = 0.0, min_cpu: float = 0.0
    ) -> list[AgentEntry]:
        """Healthy ones with at least so much memory and cpu available."""
        return AgentRegistry.query(registry, _enough(min_memory, min_cpu) & _HEALTHY)

    @staticmethod
    def find_capable_with_resources(
        registry: Ref, capability: str, *, min_memory: float = 0.0, min_cpu: float = 0.0
    ) -> list[AgentEntry]:
        """Healthy ones that have the capability, and at least so much memory and cpu available."""
        capable = where("capability") == capability
        return AgentRegistry.query(registry, capable & _enough(min_memory, min_cpu) & _HEALTHY)

    @staticmethod
    def find_by_capabilities(
        registry: Ref, capabilities: Iterable[str], *, healthy: bool = True
    ) -> list[AgentEntry]:
        """Those that have every one of several capabilities.

        Raises:
            CriteriaError: *capabilities* is one string.
        """
        if isinstance(capabilities, str):
            raise CriteriaError(
                f"find_by_capabilities: capabilities must be several; got {capabilities!r}. "
                f"Write [{capabilities!r}]."
            )
        criteria: Criteria = where("capability").has(*capabilities)
        return AgentRegistry.query(registry, criteria & _HEALTHY if healthy else criteria)

    @staticmethod
    def find_by_resource_range(
        registry: Ref, resource: str, least: float, most: float
    ) -> list[AgentEntry]:
        """Those whose *resource*, such as 'memory_usage', is from *least* to *most*, both included."""
        return AgentRegistry.query(registry, where("resources", resource).between(least, most))

    @staticmethod
    def find_least_loaded(registry: Ref, capability: str, n: int = 5) -> list[AgentEntry]:
        """At most *n* healthy ones that have the capability, the least loaded first.

        The load is the mean of memory_usage and cpu_usage, as far as an agent says them;
        those that say neither come last, and who registered first goes first among equals.

        Raises:
            CriteriaError: *n* is below 1.
        """
        if n < 1:
            raise CriteriaError(f"find_least_loaded: n must be at least 1; got {n!r}.")
        capable = AgentDiscovery.find_capable_and_healthy(registry, capability)
        return heapq.nsmallest(n, capable, key=_load)

    @staticmethod
    def count_by_capability(registry: Ref) -> dict[str, int]:
        """Each capability with how many agents have it."""
        return _counts(AgentRegistry.query(registry), ("capability",))

    @staticmethod
    def health_summary(registry: Ref) -> dict[str, int]:
        """Each health status with how many agents are in it."""
        return _counts(AgentRegistry.query(registry), ("health_status",))

    @staticmethod
    def utilization_summary(registry: Ref) -> dict[str, Utilization]:
        """How much memory and cpu is used, over all agents."""
        agents = AgentRegistry.query(registry)
        return {use: _utilization(agents, ("resources", use)) for use in _USES}


def _enough(memory: float, cpu: float) -> All:
    parts = [(_MEMORY, memory), (_CPU, cpu)]
    return All(tuple(where(path) >= least for path, least in parts if least > 0))


def _load(entry: AgentEntry) -> float:
    said = _said(entry.at(("resources", use)) for use in _USES)
    return sum(said) / len(said) if said else float("inf")


def _said(values: Iterable[Any]) -> list[float]:
    return [value for value in values if is_number(value)]


def _utilization(agents: Iterable[AgentEntry], path: Path) -> Utilization:
    said = _said(agent.at(path) for agent in agents)
    if not said:
        return Utilization(0, 0.0, 0.0, 0.0)
    return Utilization(len(said), sum(said) / len(said), min(said), max(said))


def _counts(agents: Iterable[AgentEntry], path: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    for agent in agents:
        for each in dict.fromkeys(each_of(agent.at(path))):
            if isinstance(each, str):
                counts[each] = counts.get(each, 0) + 1
    return counts
