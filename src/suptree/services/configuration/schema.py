"""A schema, read once: frozen msgspec Structs as a tree of sections and settings.

A field whose type is a Struct is a section; a `dict[str, Struct]` holds sections under
names that are free; a list or tuple of Structs holds them in order; everything else is a
setting.  Refused, with the field named: a Struct that is not frozen, one that contains
itself, a default that does not fit its own type, and types inside a setting in which a
misspelt key would go unnoticed.

>>> class Scheduler(msgspec.Struct, frozen=True):
...     tick: Annotated[float, msgspec.Meta(gt=0)] = 0.5
...     workers: Fixed[int] = 4
>>> section_of(Scheduler).fields["workers"].node
Setting(type=typing.Annotated[int, fixed], fixed=True, secret=False)
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType
from typing import (
    Annotated,
    Any,
    Final,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    is_typeddict,
)

import msgspec

from suptree.services.configuration.convert import NotTheTypeError, to_type
from suptree.services.configuration.errors import ConfigurationSchemaError
from suptree.services.parts.secret import Secret

__all__ = ["Field", "Fixed", "Items", "Named", "Node", "Section", "Setting", "section_of"]

T = TypeVar("T")


class _FixedMark:
    def __repr__(self) -> str:
        return "fixed"


_FIXED: Final = _FixedMark()

Fixed: TypeAlias = Annotated[T, _FIXED]
"""The type of a setting, or section, that cannot change while the system runs: ``Fixed[int]``."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One value."""

    type: Any
    fixed: bool
    secret: bool


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a section: its attribute, what it holds, and its default."""

    attribute: str
    node: Node
    default: Any = msgspec.NODEFAULT

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is msgspec.NODEFAULT


@dataclass(frozen=True, slots=True)
class Section:
    """A Struct; fields by the name that sources write."""

    struct: type[msgspec.Struct]
    fields: Mapping[str, Field]
    fixed: bool
    secret: bool
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """A dict of sections under free names."""

    element: Section
    fixed: bool
    secret: bool
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list or tuple of sections."""

    element: Section
    container: Any
    fixed: bool
    secret: bool
    optional: bool = False


_MAPPINGS: Final = (dict, Mapping)

Node: TypeAlias = Setting | Section | Named | Items


def section_of(schema: type[msgspec.Struct]) -> Section:
    """Read *schema*.

    Raises:
        ConfigurationSchemaError: It cannot be used.
    """
    if not _is_struct(schema):
        raise ConfigurationSchemaError(
            f"configuration: schema must be a frozen msgspec.Struct; got {schema!r}. "
            "Write `class Settings(msgspec.Struct, frozen=True)`."
        )
    return _section(schema, schema.__name__, fixed=False, optional=False, above=())


def _node(kind: Any, where: str, fixed: bool, above: tuple[Any, ...]) -> Node:
    bare, marked = _strip(kind)
    fixed = fixed or marked
    optional = False
    if get_origin(bare) in (Union, types.UnionType) and type(None) in get_args(bare):
        others = [one for one in get_args(bare) if one is not type(None)]
        if len(others) == 1:
            inner, marked = _strip(others[0])
            if _is_struct(inner) or _struct_inside(inner) is not None:
                bare, fixed, optional = inner, fixed or marked, True
    if _is_struct(bare):
        return _section(bare, where, fixed=fixed, optional=optional, above=above)
    struct = _struct_inside(bare)
    if struct is not None:
        element = _section(struct, f"{where}[...]", fixed=fixed, optional=False, above=above)
        if get_origin(bare) in _MAPPINGS:
            return Named(element, fixed, element.secret, optional)
        return Items(element, get_origin(bare), fixed, element.secret, optional)
    inside = list(_types_in(kind))
    for one in inside:
        _check_inside_setting(one, where)
    return Setting(kind, fixed, any(one is Secret for one in inside))


def _section(
    struct: Any, where: str, *, fixed: bool, optional: bool, above: tuple[Any, ...]
) -> Section:
    if struct in above:
        raise ConfigurationSchemaError(
            f"configuration: {where} must not contain itself; got {struct!r} inside {struct!r}."
        )
    config = (get_origin(struct) or struct).__struct_config__
    if not config.frozen or config.array_like:
        raise ConfigurationSchemaError(
            f"configuration: {where} must be a frozen Struct read from a table; got {struct!r}. "
            "Write `class ...(msgspec.Struct, frozen=True)`: who holds it must not change it."
        )
    try:
        infos = msgspec.structs.fields(struct)
    except NameError as why:
        raise ConfigurationSchemaError(
            f"configuration: the types of {where} must be names of its module; got {why}."
        ) from why
    fields: dict[str, Field] = {}
    for info in infos:
        here = f"{where}.{info.name}"
        node = _node(info.type, here, fixed, (*above, struct))
        default = info.default
        if info.default_factory is not msgspec.NODEFAULT:
            default = info.default_factory()
        if default is not msgspec.NODEFAULT and isinstance(node, Setting):
            default = _fitting(default, node, here)
        fields[info.encode_name] = Field(info.name, node, default)
    secret = any(field.node.secret for field in fields.values())
    return Section(struct, MappingProxyType(fields), fixed, secret, optional)


def _fitting(default: object, setting: Setting, where: str) -> object:
    try:
        return to_type(default, setting.type)
    except NotTheTypeError as why:
        raise ConfigurationSchemaError(
            f"configuration: the default of {where} must be {why.expected}; "
            f"got {'***' if setting.secret else repr(default)}."
        ) from None


def _strip(kind: Any) -> tuple[Any, bool]:
    """Without `Annotated`, and whether it said that it is fixed."""
    if get_origin(kind) is Annotated:
        return get_args(kind)[0], _FIXED in kind.__metadata__
    return kind, False


def _is_struct(kind: Any) -> bool:
    origin = get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, msgspec.Struct)


def _struct_inside(kind: Any) -> Any:
    """The Struct that a dict by names, a list or a tuple of any length holds; None for other types."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in _MAPPINGS and args[0] is str:
        inner = args[1]
    elif origin in (list, Sequence) or (origin is tuple and args[1:] == (Ellipsis,)):
        inner = args[0]
    else:
        return None
    return inner if _is_struct(inner) else None


def _types_in(kind: Any) -> Iterator[Any]:
    """Every class that *kind* is made of."""
    origin = get_origin(kind)
    if origin is None:
        yield kind
    elif origin is Annotated:
        yield from _types_in(get_args(kind)[0])
    else:
        if isinstance(origin, type) and origin is not types.UnionType:
            yield origin
        for one in get_args(kind):
            if isinstance(one, type) or get_origin(one) is not None:
                yield from _types_in(one)


def _check_inside_setting(one: Any, where: str) -> None:
    kind = cast("type[Any]", one)
    if not isinstance(one, type) or issubclass(kind, Secret | PurePath):
        return
    if issubclass(kind, msgspec.Struct):
        if not (kind.__struct_config__.forbid_unknown_fields and kind.__struct_config__.frozen):
            raise ConfigurationSchemaError(
                f"configuration: {where} holds {kind.__name__} where a section cannot be; it must be "
                "declared with frozen=True, forbid_unknown_fields=True."
            )
    elif dataclasses.is_dataclass(kind) or is_typeddict(kind):
        raise ConfigurationSchemaError(
            f"configuration: {where} must not hold the dataclass or TypedDict {kind.__name__}: a "
            "misspelt key in it would go unnoticed. Write a msgspec.Struct."
        )
    elif isinstance(msgspec.inspect.type_info(kind), msgspec.inspect.CustomType):
        raise ConfigurationSchemaError(
            f"configuration: {where} must be of a type that text can become; got {kind!r}."
        )
