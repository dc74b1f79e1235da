"""Criteria compiled: a function that says of one entry whether it is meant.

Pure.  Compiled once for each query, since it runs once for each agent looked at.

>>> is_meant = compiled(where("node") == "n1")  # doctest: +SKIP
>>> [entry for entry in entries if is_meant(entry)]  # doctest: +SKIP
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, assert_never

from suptree.services.agent_registry.criteria import All, AnyOf, Compare, Criteria, Not, Op
from suptree.services.agent_registry.entry import RESERVED, AgentEntry
from suptree.services.agent_registry.values import MISSING, Path

__all__ = ["Predicate", "compiled"]

Predicate = Callable[[AgentEntry], bool]
Test = Callable[[Any], bool]


def compiled(criteria: Criteria) -> Predicate:
    """The predicate of *criteria*."""
    match criteria:
        case Compare(path, op, wanted):
            return _of_value(path, _test(op, wanted))
        case All(parts):
            return _all(tuple(map(compiled, parts)))
        case AnyOf(parts):
            several = tuple(map(compiled, parts))
            return lambda entry: any(part(entry) for part in several)
        case Not(part):
            holds = compiled(part)
            return lambda entry: not holds(entry)
    assert_never(criteria)


def _all(parts: tuple[Predicate, ...]) -> Predicate:
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2:
        first, second = parts
        return lambda entry: first(entry) and second(entry)
    return lambda entry: all(part(entry) for part in parts)


def _of_value(path: Path, test: Test) -> Predicate:
    if len(path) == 1 and path[0] not in RESERVED:
        (key,) = path
        return lambda entry: test(entry.metadata.get(key, MISSING))
    return lambda entry: test(entry.at(path))


def _test(op: Op, wanted: Any) -> Test:
    match op:
        case Op.EQ:
            return _equals(wanted)
        case Op.NEQ:
            return _not(_equals(wanted))
        case Op.IN:
            return _any_of(tuple(map(_equals, wanted)))
        case Op.NOT_IN:
            return _not(_any_of(tuple(map(_equals, wanted))))
        case Op.EXISTS:
            return lambda value: value is not MISSING
        case Op.GT:
            return _ordered(operator.gt, wanted)
        case Op.GTE:
            return _ordered(operator.ge, wanted)
        case Op.LT:
            return _ordered(operator.lt, wanted)
        case Op.LTE:
            return _ordered(operator.le, wanted)
    assert_never(op)


def _not(test: Test) -> Test:
    return lambda value: not test(value)


def _any_of(tests: tuple[Test, ...]) -> Test:
    return lambda value: any(test(value) for test in tests)


def _equals(wanted: Any) -> Test:
    """Equal, or a member; MISSING equals nothing but itself, which nobody asks for."""

    def equals(value: Any) -> bool:
        if value.__class__ is tuple or value.__class__ is frozenset:
            return any(wanted == each for each in value) or bool(value == wanted)
        return bool(value == wanted)

    return equals


def _ordered(compare: Callable[[Any, Any], Any], wanted: Any) -> Test:
    def ordered(value: Any) -> bool:
        if value is MISSING:
            return False
        try:
            return bool(compare(value, wanted))
        except TypeError:  # they have no order
            return False

    return ordered
