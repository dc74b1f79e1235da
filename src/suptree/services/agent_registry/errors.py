"""What the registry of agents refuses.

AgentRegistryError
├── AgentRegistryNotRunningError  nobody has its tables now: not started, or being restarted  .registry
├── AgentRegistryFullError        as many agents as it may hold                               .limit
├── AgentExistsError              a live process holds the id                                 .id .pid
├── AgentNotFoundError            nobody is registered under the id                           .id
├── AgentNotAliveError            the process to register has ended                           .id .pid
├── AgentMetadataError            fields are missing, or hold what they may not               .id .fields
├── AgentBatchError               one operation failed, so none was done                      .index .operation .error
└── CriteriaError                 a criterion that means nothing
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from suptree.core import Pid
from suptree.errors import SuptreeError
from suptree.near import COMPARED, meant, near

if TYPE_CHECKING:  # it is made of these errors
    from suptree.services.agent_registry.operations import Operation

__all__ = [
    "AgentExistsError",
    "AgentMetadataError",
    "AgentNotAliveError",
    "AgentNotFoundError",
    "AgentRegistryError",
    "AgentRegistryFullError",
    "AgentRegistryNotRunningError",
    "AgentBatchError",
    "CriteriaError",
    "near",
]


class AgentRegistryError(SuptreeError):
    """Base of what the registry of agents refuses."""


class AgentRegistryNotRunningError(AgentRegistryError):
    """There are no tables to read: *registry* was not started, has ended, or is being restarted."""

    def __init__(self, registry: object) -> None:
        super().__init__(registry)
        self.registry = registry

    def __str__(self) -> str:
        return (
            f"AgentRegistry {self.registry!r}: there is no table to read: it is not running, or is "
            "being started again. Name a running registry, or ask again in a moment."
        )


class AgentRegistryFullError(AgentRegistryError):
    """It holds as many agents as it may."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"AgentRegistry: holds {self.limit} agents, which is its limit. "
            "Unregister some, or start it with a higher max_agents."
        )


class AgentExistsError(AgentRegistryError):
    """A live process, *pid*, is registered under *id*."""

    def __init__(self, id: str, pid: Pid[Any]) -> None:
        super().__init__(id, pid)
        self.id = id
        self.pid = pid

    def __str__(self) -> str:
        return (
            f"AgentRegistry: agent {self.id!r} is registered already, by {self.pid!r}. "
            "Update it, or choose another id."
        )


class AgentNotFoundError(AgentRegistryError):
    """Nobody alive is registered under *id*."""

    def __init__(self, id: str, known: Iterable[str] = ()) -> None:
        super().__init__(id)
        self.id = id
        self._known = tuple(islice(known, COMPARED))  # among which it is looked for when it is read

    def __str__(self) -> str:
        return (
            f"AgentRegistry: no agent {self.id!r}{meant(near(self.id, self._known))} "
            "Register it first; an agent that has ended is removed."
        )


class AgentNotAliveError(AgentRegistryError):
    """The process that was to be registered has ended."""

    def __init__(self, id: str, pid: Pid[Any]) -> None:
        super().__init__(id, pid)
        self.id = id
        self.pid = pid

    def __str__(self) -> str:
        return (
            f"AgentRegistry: the process of agent {self.id!r} must be alive; {self.pid!r} has ended. "
            "Register the process that runs now."
        )


class AgentMetadataError(AgentRegistryError):
    """Some *fields* of the metadata are missing, or hold what they may not."""

    def __init__(self, id: str, fields: Iterable[str], trouble: str) -> None:
        super().__init__(id, tuple(fields), trouble)
        self.id = id
        self.fields = tuple(fields)
        self.trouble = trouble

    def __str__(self) -> str:
        return f"AgentRegistry: metadata of agent {self.id!r}: {self.trouble}"


class AgentBatchError(AgentRegistryError):
    """The operation at *index* was refused with *error*: none of the batch was done."""

    def __init__(self, index: int, operation: Operation, error: AgentRegistryError) -> None:
        super().__init__(index, operation, error)
        self.index = index
        self.operation = operation
        self.error = error

    def __str__(self) -> str:
        return f"AgentRegistry.batch: nothing was done, since operation {self.index} failed: {self.error}"


class CriteriaError(AgentRegistryError, ValueError):
    """A criterion, or a path in it, that means nothing."""
