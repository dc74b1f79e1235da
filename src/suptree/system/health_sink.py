"""What monitors find out about agents is written into the registry of agents."""

from __future__ import annotations

from suptree.errors import NoTableError
from suptree.services import AgentNotFoundError, AgentRegistry, Health, HealthChange, where

__all__ = ["RegistrySink"]


class RegistrySink:
    """A `HealthSink`: each change goes to the agents that the watched process is registered as.

    The dead are in no registry, so their death is not written; a process that is no agent is
    none of its business.

    Args:
        registry: The registered name of the AgentRegistry.
    """

    __slots__ = ("_registry",)

    def __init__(self, registry: str) -> None:
        self._registry = registry

    async def write(self, change: HealthChange) -> None:
        """Set `health_status` of the agents that run in that process."""
        if change.process is None or change.health is Health.DEAD:
            return
        health = {"health_status": change.health.value}
        for entry in AgentRegistry.query(self._registry, where("pid") == change.process):
            try:
                await AgentRegistry.update(self._registry, entry.id, health)
            except AgentNotFoundError:  # it has ended, or left, meanwhile
                continue

    def __repr__(self) -> str:
        return f"RegistrySink({self._registry!r})"
