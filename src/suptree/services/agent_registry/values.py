"""Metadata as a value: frozen, so that nobody changes it behind the indexes, and read by paths.

Pure.  A path is a tuple of keys; `parse_path` reads the dotted form.

>>> metadata = freeze({"capability": ["chat", "code"], "resources": {"memory": 8}})
>>> metadata["capability"], value_at(metadata, ("resources", "memory"))
(('chat', 'code'), 8)
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeGuard, cast

from suptree.services.agent_registry.errors import CriteriaError
from suptree.services.parts.checks import is_text

__all__ = [
    "MISSING",
    "Path",
    "dotted",
    "each_of",
    "freeze",
    "is_scalar",
    "merged",
    "parse_path",
    "value_at",
]

Path = tuple[str, ...]
"""The keys that lead to a value."""

_DEEPEST: Final = 32


class _Missing:
    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""What stands where a path leads nowhere."""


def freeze(value: Any, *, deepest: int = _DEEPEST) -> Any:
    """A copy of *value* in which mappings are read-only, lists tuples and sets frozen sets.

    Raises:
        ValueError: It is nested deeper than 32, as one that contains itself is.
    """
    if not deepest:
        raise ValueError(f"metadata must not be nested deeper than {_DEEPEST}.")
    if _is_mapping(value):
        return MappingProxyType(
            {key: freeze(each, deepest=deepest - 1) for key, each in value.items()}
        )
    if isinstance(value, list | tuple):
        return tuple([freeze(each, deepest=deepest - 1) for each in cast("list[Any]", value)])
    if isinstance(value, set | frozenset):
        return frozenset(cast("set[Any]", value))
    return value


def merged(old: Mapping[str, Any], changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """*old* with *changes*: mappings are merged key by key, everything else is replaced."""
    result = dict(old)
    for key, value in changes.items():
        before = result.get(key)
        if _is_mapping(before) and _is_mapping(value):
            result[key] = merged(before, value)
        else:
            result[key] = value
    return MappingProxyType(result)


def parse_path(text: str | tuple[str, ...]) -> Path:
    """The path that *text* names: keys joined by dots, or the keys themselves.

    Raises:
        CriteriaError: It is empty, or has an empty key.
    """
    path = tuple(text.split(".")) if isinstance(text, str) else tuple(text)
    if not path or not all(isinstance(key, str) and key for key in path):
        raise CriteriaError(
            f"where: path must be keys joined by dots; got {text!r}. "
            "Write it like 'resources.memory'."
        )
    return path


def dotted(path: Path) -> str:
    """The path as people write it."""
    return ".".join(path)


def value_at(value: Any, path: Path) -> Any:
    """What *path* leads to inside *value*; MISSING if it leads nowhere."""
    for key in path:
        if not _is_mapping(value):
            return MISSING
        value = value.get(key, MISSING)
    return value


def each_of(value: Any) -> Iterable[Any]:
    """The members of a list or a set, and of anything else that itself."""
    return cast("Iterable[Any]", value) if isinstance(value, tuple | frozenset) else (value,)


def is_scalar(value: object) -> bool:
    """Whether an index can hold *value*: plain, hashable, equal to itself."""
    if isinstance(value, str) and not isinstance(value, enum.Enum):
        return is_text(value)
    return value is None or (isinstance(value, int | float | bytes | enum.Enum) and value == value)


def _is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    return value.__class__ is MappingProxyType or isinstance(value, Mapping)
