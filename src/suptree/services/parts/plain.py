"""Configurations as plain data, for a `Store`, and back.

A field that is a tuple of exception classes becomes their names, `module:name`; a class that
cannot be found again by that name is refused when it is written, not when it is read.

>>> from suptree.services import RetryPolicy
>>> to_plain(RetryPolicy.fixed(retry_on=(OSError,)))["retry_on"]
('builtins:OSError',)
>>> from_plain(RetryPolicy, to_plain(RetryPolicy.fixed())) == RetryPolicy.fixed()
True
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar, cast

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["from_plain", "is_mapping", "to_plain"]

C = TypeVar("C", bound="DataclassInstance")


def to_plain(config: DataclassInstance) -> dict[str, object]:
    """The fields of *config* as plain data.

    Raises:
        ValueError: A class in it has no name by which it is found again.
    """
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config)}


def from_plain(kind: type[C], data: object) -> C:
    """The configuration that `to_plain` made *data* of.

    Raises:
        ValueError: It is no such data, or a class is not there any more.
    """
    if not is_mapping(data):
        raise ValueError(f"{kind.__name__}: stored data must be a mapping; got {data!r}.")
    fields = {field.name for field in dataclasses.fields(kind)}
    given = {str(key): _live(value) for key, value in data.items()}
    if unknown := given.keys() - fields:
        raise ValueError(f"{kind.__name__}: stored data has unknown fields {sorted(unknown)}.")
    return kind(**given)


def is_mapping(data: object) -> TypeGuard[Mapping[Any, Any]]:
    """Whether *data* is a mapping, of whatever."""
    return isinstance(data, Mapping)


def _is_several(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, (tuple, list))


def _plain(value: Any) -> object:
    if _is_several(value):
        return tuple(_plain(one) for one in value)
    if isinstance(value, type):
        return _name_of(cast("type[Any]", value))
    return value.value if isinstance(value, Enum) else value


def _live(value: Any) -> object:
    if _is_several(value):
        return tuple(_class_at(str(one)) for one in value)
    return value


def _name_of(cls: type[Any]) -> str:
    name = f"{cls.__module__}:{cls.__qualname__}"
    try:
        found: object = _class_at(name)
    except ValueError:
        found = None
    if found is not cls:
        raise ValueError(
            f"store: {cls!r} must be found again by the name {name!r}, and is not. "
            "Move the class to the top of its module."
        )
    return name


def _class_at(name: str) -> type[Any]:
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"store: there is no class {name!r} any more.") from error
    if not isinstance(found, type):
        raise ValueError(f"store: {name!r} must name a class; got {found!r}.")
    return cast("type[Any]", found)
