"""Pictures: what a value holds, taken at one moment and compared with another one later.

Looked into: list, tuple, dict, set, frozenset, bytearray, deque, and the fields that an
instance of a dataclass holds itself, unless it is frozen or the field is left out of
comparisons.  Everything else, a subclass too, stands for itself: who passes such a thing
on is taken to share it on purpose.  No code of the user's runs: no attribute is computed,
nothing is compared by an `__eq__` that is not Python's own.

A picture is of the first 2,000 things; a cycle ends where it closes.

>>> things = [1, {"a": (2, [3])}]
>>> before = picture_of(things)
>>> things[1]["a"][1].append(4)
>>> picture_of(things) == before, str(before)
(False, "[1, {'a': (2, [3])}]")
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from types import MemberDescriptorType
from typing import Any, Final

from suptree.core import safe_repr

__all__ = ["Picture", "picture_of"]

_MOST: Final = 2_000
_ATOMS: Final = (int, str, float, bool, type(None), bytes, complex)
_BRACKETS: Final[Mapping[type, Sequence[str]]] = {
    list: "[]",
    tuple: "()",
    set: "{}",
    frozenset: "{}",
    deque: ("deque([", "])"),
    dict: "{}",
}


class Picture:
    """What one value held.

    Attributes:
        can_change: Whether it, or something in it, can be changed in place.
    """

    __slots__ = ("can_change", "kind", "parts")

    def __init__(self, kind: type, parts: Any, can_change: bool) -> None:
        self.kind = kind
        self.parts = parts
        self.can_change = can_change

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Picture) and self.kind is other.kind and self._same(other.parts)

    def _same(self, parts: Any) -> bool:
        return bool(self.parts == parts)

    def __str__(self) -> str:
        if self.kind is dict:
            return "{" + ", ".join(f"{key}: {value}" for key, value in self.parts) + "}"
        if self.kind in _BRACKETS:
            opening, closing = _BRACKETS[self.kind]
            return opening + ", ".join(map(str, self.parts)) + closing
        return f"{self.kind.__qualname__}({', '.join(f'{k}={v}' for k, v in self.parts)})"


class _Atom(Picture):
    """A number, a string, None, the content of a bytearray: equal by value."""

    __slots__ = ()

    def _same(self, parts: Any) -> bool:
        return self.parts is parts or bool(self.parts == parts)  # a nan is itself

    def __str__(self) -> str:
        return repr(self.kind(self.parts)) if self.kind is bytearray else repr(self.parts)


class _Opaque(Picture):
    """Something that is not looked into: equal to itself alone.  It is held."""

    __slots__ = ()

    def _same(self, parts: Any) -> bool:
        return self.parts is parts

    def __str__(self) -> str:
        return safe_repr(self.parts, 60)


class _Members(Picture):
    """The members of a set, whose order means nothing."""

    __slots__ = ()

    def _same(self, parts: Any) -> bool:
        if len(self.parts) != len(parts):
            return False
        left = list(parts)
        for member in self.parts:
            if member not in left:
                return False
            left.remove(member)
        return True


def picture_of(value: object) -> Picture:
    """What *value* holds now."""
    return _Painter().paint(value)


class _Painter:
    """Paints one picture: counts what it has seen, and knows where it is."""

    __slots__ = ("inside", "left")

    def __init__(self) -> None:
        self.left = _MOST
        self.inside: set[int] = set()

    def paint(self, value: object) -> Picture:
        kind = type(value)  # not __class__, which a mock or a proxy makes up
        self.left -= 1
        for atom in _ATOMS:
            if kind is atom:
                return _Atom(kind, value, False)
        if kind is bytearray:
            content: Any = value
            return _Atom(kind, bytes(content[:_MOST]), True)
        if self.left <= 0 or id(value) in self.inside:
            return _Opaque(kind, value, False)
        self.inside.add(id(value))
        try:
            return self._paint_inside(kind, value)
        finally:
            self.inside.discard(id(value))

    def _paint_inside(self, kind: Any, value: Any) -> Picture:
        if kind is list or kind is deque:
            return Picture(kind, self._all(value), True)
        if kind is tuple:
            parts = self._all(value)
            return Picture(kind, parts, any(part.can_change for part in parts))
        if kind is dict:
            pairs: list[tuple[Picture, Picture]] = []
            for key, item in value.items():
                pairs.append((self.paint(key), self.paint(item)))
                if self.left <= 0:
                    break
            return Picture(kind, pairs, True)
        if kind is set or kind is frozenset:
            members = self._all(value)
            # A large set is compared by its size: who takes each of many apart wants no order.
            parts = members if len(members) <= 200 else [_Atom(int, len(value), False)]
            return _Members(kind, parts, kind is set)
        fields = _own_fields(kind, value)
        if fields is None:
            return _Opaque(kind, value, False)
        return Picture(kind, [(name, self.paint(item)) for name, item in fields], True)

    def _all(self, values: Iterable[object]) -> list[Picture]:
        parts: list[Picture] = []
        for value in values:
            parts.append(self.paint(value))
            if self.left <= 0:
                break
        return parts


def _own_fields(kind: Any, value: Any) -> list[tuple[str, object]] | None:
    """The fields that an instance of a dataclass holds; None for anything else, and if it is frozen."""
    namespace: dict[str, Any] = type.__dict__["__dict__"].__get__(kind)
    params = namespace.get("__dataclass_params__")
    if params is None or params.frozen:
        return None
    try:
        held: dict[str, object] = object.__getattribute__(value, "__dict__")
    except AttributeError:  # it has slots
        held = {}
    fields: list[tuple[str, object]] = []
    for field in dataclasses.fields(kind):
        slot = namespace.get(field.name)
        if not field.compare:
            continue
        if field.name in held:
            fields.append((field.name, held[field.name]))
        elif isinstance(slot, MemberDescriptorType):
            try:
                fields.append((field.name, slot.__get__(value)))
            except AttributeError:  # it has not been set
                continue
    return fields
