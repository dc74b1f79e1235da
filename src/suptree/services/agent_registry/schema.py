"""`AgentSchema`: what the metadata of an agent must have, and which of it is indexed.

A value, checked when it is made; it judges metadata and builds the empty indexes.

>>> AgentSchema().check("a1", {"capability": "chat"})
Traceback (most recent call last):
    ...
suptree.services.agent_registry.errors.AgentMetadataError: AgentRegistry: metadata of agent 'a1': \
health_status, node, resources must be there. Add them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from suptree.core import safe_repr
from suptree.near import meant, near
from suptree.services.agent_registry.entry import RESERVED
from suptree.services.agent_registry.errors import AgentMetadataError, AgentRegistryError
from suptree.services.agent_registry.indexes import HashIndex, Index, OrderedIndex
from suptree.services.agent_registry.values import (
    MISSING,
    Path,
    dotted,
    each_of,
    is_scalar,
    parse_path,
    value_at,
)
from suptree.services.parts.checks import is_text

__all__ = ["HEALTH", "INDEXED", "ORDERED", "REQUIRED", "AgentSchema"]

REQUIRED: Final = ("capability", "health_status", "node", "resources")
INDEXED: Final = ("capability", "health_status", "node")
ORDERED: Final = ("resources.memory_available", "resources.cpu_available", "resources.memory_usage")
HEALTH: Final = ("unknown", "healthy", "degraded", "unhealthy", "unresponsive")


@dataclass(frozen=True, slots=True)
class AgentSchema:
    """What is required, allowed and indexed.

    Args:
        required: Paths that must be there.
        indexed: Paths found by equal values; of lists and sets, by each member.
        ordered: Paths of numbers found by ranges.
        health: What health_status may be; none: anything.
    """

    required: tuple[str, ...] = REQUIRED
    indexed: tuple[str, ...] = INDEXED
    ordered: tuple[str, ...] = ORDERED
    health: tuple[str, ...] = HEALTH
    _required: tuple[Path, ...] = field(init=False, repr=False, compare=False)
    _indexed: tuple[Path, ...] = field(init=False, repr=False, compare=False)
    _ordered: tuple[Path, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("required", "indexed", "ordered", "health"):
            given: Iterable[str] = getattr(self, name)
            if isinstance(given, str):
                raise AgentRegistryError(
                    f"AgentRegistry: {name} must be several strings; got {given!r}. "
                    f"Write ({given!r},)."
                )
            object.__setattr__(self, name, tuple(given))
        for name in ("required", "indexed", "ordered"):
            paths = tuple(parse_path(path) for path in getattr(self, name))
            object.__setattr__(self, f"_{name}", paths)
        for path in (*self.required, *self.indexed, *self.ordered):
            if parse_path(path)[0] in RESERVED:
                raise AgentRegistryError(
                    f"AgentRegistry: {path!r} cannot be required or indexed: it is no metadata."
                )

    def check(self, id: str, metadata: Mapping[str, Any]) -> None:
        """Refuse metadata that this schema does not allow.

        Raises:
            AgentMetadataError: It names every missing field, or the first wrong one.
        """
        reserved = [key for key in RESERVED if key in metadata]
        if reserved:
            raise AgentMetadataError(
                id, reserved, f"{', '.join(reserved)} must not be in it: the entry has that itself."
            )
        missing = [dotted(p) for p in self._required if value_at(metadata, p) is MISSING]
        if missing:
            raise AgentMetadataError(id, missing, f"{', '.join(missing)} must be there. Add them.")
        health = metadata.get("health_status", MISSING)
        fine = health is MISSING or (is_text(health) and health in self.health)
        if self.health and not fine:
            shown = safe_repr(health, 200)
            hint = meant(near(health, self.health) if is_text(health) else None)
            raise AgentMetadataError(
                id,
                ("health_status",),
                f"health_status must be one of {', '.join(self.health)}; got {shown}{hint}",
            )
        for path in self._indexed:
            value = value_at(metadata, path)
            if value is not MISSING and not _hashed(value):
                raise AgentMetadataError(
                    id,
                    (dotted(path),),
                    f"{dotted(path)} is indexed, so it must be a string, a number, bytes, an enum member or "
                    f"None, or a list of those; got {safe_repr(value, 200)}.",
                )
        for path in self._ordered:
            value = value_at(metadata, path)
            if value is not MISSING and not (value is None or isinstance(value, int | float)):
                raise AgentMetadataError(
                    id,
                    (dotted(path),),
                    f"{dotted(path)} is in an ordered index, so it must be a number or None; "
                    f"got {safe_repr(value, 200)}.",
                )

    def indexes(self) -> dict[Path, tuple[Index, ...]]:
        """New and empty ones, by path; a path may be in one of each kind."""
        result: dict[Path, tuple[Index, ...]] = {}
        for path in self._indexed:
            result[path] = (HashIndex(),)
        for path in dict.fromkeys(self._ordered):
            result[path] = (*result.get(path, ()), OrderedIndex())
        return result

    def paths(self) -> tuple[str, ...]:
        """The indexed attributes."""
        return tuple(dotted(path) for path in self.indexes())


def _hashed(value: Any) -> bool:
    return all(map(_plain, each_of(value)))


def _plain(value: object) -> bool:
    # NaN equals nothing, and no index has it
    return is_scalar(value) or (isinstance(value, float) and value != value)
