"""Criteria: which agents a query is about.  Values that are built, printed, planned and compiled (`matching.py`).

`where(path)` and Python's operators build them; `&`, `|` and `~` join them.  Pure.

>>> big = where("resources.memory_available") >= 100
>>> wanted = (where("capability") == "chat") & big & ~(where("health_status") == "unhealthy")
>>> print(wanted)
capability == 'chat' and resources.memory_available >= 100 and not health_status == 'unhealthy'

On a list or a set, `==` and `in_` mean membership (or the whole of it).  What a path does
not lead to equals nothing, is neither above nor below anything, and is `!=` everything.
Values that cannot be compared are neither above nor below one another.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NoReturn, TypeVar

from suptree.near import meant, near
from suptree.services.agent_registry.errors import CriteriaError
from suptree.services.agent_registry.values import (
    Path,
    dotted,
    each_of,
    freeze,
    parse_path,
)

__all__ = ["All", "AnyOf", "Compare", "Criteria", "Criterion", "Not", "Op", "where"]

C = TypeVar("C", bound="Criterion")


class Op(Enum):
    """How a value is compared; the word is the seed's."""

    EQ = "eq"
    NEQ = "neq"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    IN = "in"
    NOT_IN = "not_in"
    EXISTS = "exists"


_SIGNS: Final[Mapping[Op, str]] = {
    Op.EQ: "==",
    Op.NEQ: "!=",
    Op.GT: ">",
    Op.GTE: ">=",
    Op.LT: "<",
    Op.LTE: "<=",
    Op.IN: "in",
    Op.NOT_IN: "not in",
}


class Criterion:
    """Base of the four kinds of criteria: `Compare`, `All`, `AnyOf`, `Not`."""

    __slots__ = ()

    def __and__(self, other: Criterion) -> All:
        return All((*_parts(self, All), *_parts(other, All)))

    def __or__(self, other: Criterion) -> AnyOf:
        return AnyOf((*_parts(self, AnyOf), *_parts(other, AnyOf)))

    def __invert__(self) -> Not:
        return Not(_known(self))

    def __bool__(self) -> NoReturn:
        raise CriteriaError(
            f"a criterion is neither true nor false: {self}. "
            "Join criteria with &, | and ~, each in brackets, not with and, or, not."
        )


@dataclass(frozen=True, slots=True)
class Compare(Criterion):
    """The value at *path* stands in relation *op* to *value*; for IN and NOT_IN a tuple of values."""

    path: Path
    op: Op
    value: Any = None

    def __str__(self) -> str:
        path = dotted(self.path)
        return (
            f"{path} exists" if self.op is Op.EXISTS else f"{path} {_SIGNS[self.op]} {self.value!r}"
        )


@dataclass(frozen=True, slots=True)
class All(Criterion):
    """Every one of *parts* holds; all agents when there is none."""

    parts: tuple[Criteria, ...] = ()

    def __str__(self) -> str:
        return " and ".join(map(_in_brackets, self.parts)) or "everything"


@dataclass(frozen=True, slots=True)
class AnyOf(Criterion):
    """At least one of *parts* holds; no agent when there is none."""

    parts: tuple[Criteria, ...] = ()

    def __str__(self) -> str:
        return " or ".join(map(_in_brackets, self.parts)) or "nothing"


@dataclass(frozen=True, slots=True)
class Not(Criterion):
    """*part* does not hold."""

    part: Criteria

    def __str__(self) -> str:
        return f"not {_in_brackets(self.part)}"


Criteria = Compare | All | AnyOf | Not
"""What a query asks for."""


class where:
    """A path of the metadata, to be compared; `id`, `pid` and `registered_at` mean the entry itself.

    Args:
        path: Keys joined by dots, or the keys one by one when one has a dot in it.

    Raises:
        CriteriaError: An empty path or key.
    """

    __slots__ = ("_path",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, path: str, *more: str) -> None:
        self._path = parse_path((path, *more) if more else path)

    def __eq__(self, value: object) -> Compare:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._compare(Op.EQ, value)

    def __ne__(self, value: object) -> Compare:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._compare(Op.NEQ, value)

    def __gt__(self, value: Any) -> Compare:
        return self._compare(Op.GT, value)

    def __ge__(self, value: Any) -> Compare:
        return self._compare(Op.GTE, value)

    def __lt__(self, value: Any) -> Compare:
        return self._compare(Op.LT, value)

    def __le__(self, value: Any) -> Compare:
        return self._compare(Op.LTE, value)

    def in_(self, values: Collection[Any]) -> Compare:
        """It equals one of *values*, or has one of them in it."""
        return Compare(self._path, Op.IN, self._several("in_", values))

    def not_in(self, values: Collection[Any]) -> Compare:
        """Exactly what `in_` is not."""
        return Compare(self._path, Op.NOT_IN, self._several("not_in", values))

    def has(self, *members: Any) -> All:
        """It has every one of *members* in it: `where("capability").has("chat", "code")`."""
        return All(tuple(self._compare(Op.EQ, member) for member in members))

    def between(self, least: Any, most: Any) -> All:
        """From *least* to *most*, both included."""
        return All((self._compare(Op.GTE, least), self._compare(Op.LTE, most)))

    def exists(self) -> Compare:
        """There is a value, None too."""
        return Compare(self._path, Op.EXISTS)

    def compare(self, op: Op | str, value: Any = None) -> Compare:
        """Compare by the name of an operation: `where("node").compare("eq", "n1")`.

        Raises:
            CriteriaError: There is no such operation.
        """
        words = [each.value for each in Op]
        if not isinstance(op, Op) and op not in words:
            raise CriteriaError(
                f"where: op must be one of {', '.join(words)}; got {op!r}{meant(near(op, words))}"
            )
        op = Op(op)
        if op in (Op.IN, Op.NOT_IN):
            return Compare(self._path, op, self._several(op.value, value))
        return self._compare(op, value)

    def _compare(self, op: Op, value: Any) -> Compare:
        return Compare(self._path, op, freeze(value))

    def _several(self, who: str, values: Any) -> tuple[Any, ...]:
        frozen = freeze(values)
        if not isinstance(frozen, tuple | frozenset):
            raise CriteriaError(
                f"where({dotted(self._path)!r}).{who}: values must be a list, tuple or set; "
                f"got {values!r}. For one value write == or !=."
            )
        return tuple(each_of(frozen))

    def __repr__(self) -> str:
        return f"where({dotted(self._path)!r})"


def _known(part: object) -> Criteria:
    if isinstance(part, Compare | All | AnyOf | Not):
        return part
    raise CriteriaError(
        f"a criterion must be made by where(...); got {part!r}. "
        "Put each comparison in brackets: (where('a') == 1) & (where('b') > 2)."
    )


def _parts(criterion: Criterion, kind: type[All] | type[AnyOf]) -> tuple[Criteria, ...]:
    known = _known(criterion)
    return known.parts if isinstance(known, kind) and known.parts else (known,)


def _in_brackets(part: Criteria) -> str:
    return f"({part})" if isinstance(part, All | AnyOf) else str(part)
