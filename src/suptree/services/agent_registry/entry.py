"""`AgentEntry`: one registered agent, a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from suptree.core import Pid
from suptree.services.agent_registry.values import Path, value_at

__all__ = ["RESERVED", "AgentEntry"]

RESERVED: Final = ("id", "pid", "registered_at")
"""The first keys of paths that mean the entry and not its metadata."""


@dataclass(frozen=True, slots=True, eq=False)
class AgentEntry:
    """One registered agent.

    Attributes:
        id: Unique among those who are registered.
        pid: Its process.
        metadata: Read-only, nested mappings too: capability, health_status, node, resources, and more.
        registered_at: Seconds since 1970, for people.
        number: Grows with each registration of the registry; answers come in its order.
    """

    id: str
    pid: Pid[Any]
    metadata: Mapping[str, Any]
    registered_at: float
    number: int

    def at(self, path: Path) -> Any:
        """What *path* leads to; MISSING if it leads nowhere."""
        if path[0] in RESERVED and len(path) == 1:
            return getattr(self, path[0])
        return value_at(self.metadata, path)
