"""What a registry can be asked to change, as values: alone, or many in a batch.

Metadata is copied and frozen where an operation is made, in the caller.

>>> Update("a1", {"health_status": "degraded"})
Update(id='a1', changes=mappingproxy({'health_status': 'degraded'}))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from suptree.core import Pid, safe_repr
from suptree.services.agent_registry.entry import AgentEntry
from suptree.services.agent_registry.errors import AgentMetadataError, AgentRegistryError
from suptree.services.agent_registry.values import freeze
from suptree.services.parts.checks import is_text

__all__ = [
    "AgentBatchFailure",
    "AgentBatchResult",
    "OnError",
    "Operation",
    "Register",
    "Replace",
    "Unregister",
    "Update",
]

OnError = Literal["rollback", "stop", "continue"]
"""All or nothing; up to the first failure; or each for itself."""


@dataclass(frozen=True, slots=True)
class Register:
    """Enter the process *pid* as agent *id*."""

    id: str
    pid: Pid[Any]
    metadata: Mapping[str, Any]

    def __post_init__(self) -> None:
        _check_id(self.id)
        if not isinstance(self.pid, Pid):
            got = safe_repr(self.pid, 200)
            raise AgentMetadataError(
                self.id, ("pid",), f"pid must be the pid of a process; got {got}."
            )
        object.__setattr__(self, "metadata", _frozen(self.id, "metadata", self.metadata))


@dataclass(frozen=True, slots=True)
class Update:
    """Merge *changes* into the metadata of agent *id*, nested mappings key by key."""

    id: str
    changes: Mapping[str, Any]

    def __post_init__(self) -> None:
        _check_id(self.id)
        object.__setattr__(self, "changes", _frozen(self.id, "changes", self.changes))


@dataclass(frozen=True, slots=True)
class Replace:
    """Give agent *id* other metadata."""

    id: str
    metadata: Mapping[str, Any]

    def __post_init__(self) -> None:
        _check_id(self.id)
        object.__setattr__(self, "metadata", _frozen(self.id, "metadata", self.metadata))


@dataclass(frozen=True, slots=True)
class Unregister:
    """Take agent *id* out."""

    id: str

    def __post_init__(self) -> None:
        _check_id(self.id)


Operation = Register | Update | Replace | Unregister


@dataclass(frozen=True, slots=True)
class AgentBatchFailure:
    """The operation at *index* was refused."""

    index: int
    operation: Operation
    error: AgentRegistryError


@dataclass(frozen=True, slots=True)
class AgentBatchResult:
    """What became of a batch.

    Attributes:
        done: The entries that were written, or taken out, in order.
        failed: What was refused, and why.
        skipped: What was not tried, after a failure in mode 'stop'.
    """

    done: tuple[AgentEntry, ...]
    failed: tuple[AgentBatchFailure, ...] = ()
    skipped: tuple[Operation, ...] = ()


def _check_id(id: object) -> None:
    if not is_text(id) or not id:
        got = safe_repr(id, 200)
        raise AgentMetadataError(got, ("id",), f"id must be a string that is not empty; got {got}.")


def _frozen(id: str, field: str, metadata: object) -> Mapping[str, Any]:
    if not isinstance(metadata, Mapping):
        raise AgentMetadataError(
            id, (field,), f"{field} must be a mapping; got {safe_repr(metadata, 200)}."
        )
    try:
        frozen: Mapping[str, Any] = freeze(metadata)
    except ValueError as error:
        raise AgentMetadataError(id, (field,), str(error)) from error
    return frozen
