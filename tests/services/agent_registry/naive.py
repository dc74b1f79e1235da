"""What criteria mean, written down once more, as plainly as can be: the model of the tests."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, assert_never

from suptree.services.agent_registry import AgentEntry, All, AnyOf, Compare, Criteria, Not, Op
from suptree.services.agent_registry.values import MISSING


def matches(entry: AgentEntry, criteria: Criteria) -> bool:
    """Whether *entry* is one of those that *criteria* are about."""
    match criteria:
        case Compare(path, op, wanted):
            return _holds(entry.at(path), op, wanted)
        case All(parts):
            return all(matches(entry, part) for part in parts)
        case AnyOf(parts):
            return any(matches(entry, part) for part in parts)
        case Not(part):
            return not matches(entry, part)
    assert_never(criteria)


def _holds(value: Any, op: Op, wanted: Any) -> bool:
    match op:
        case Op.EQ:
            return _equals(value, wanted)
        case Op.NEQ:
            return not _equals(value, wanted)
        case Op.IN:
            return any(_equals(value, one) for one in wanted)
        case Op.NOT_IN:
            return not any(_equals(value, one) for one in wanted)
        case Op.EXISTS:
            return value is not MISSING
        case Op.GT:
            return _ordered(operator.gt, value, wanted)
        case Op.GTE:
            return _ordered(operator.ge, value, wanted)
        case Op.LT:
            return _ordered(operator.lt, value, wanted)
        case Op.LTE:
            return _ordered(operator.le, value, wanted)
    assert_never(op)


def _equals(value: Any, wanted: Any) -> bool:
    if isinstance(value, tuple | frozenset):
        return any(wanted == each for each in value) or bool(value == wanted)
    return value is not MISSING and bool(value == wanted)


def _ordered(compare: Callable[[Any, Any], Any], value: Any, wanted: Any) -> bool:
    if value is MISSING:
        return False
    try:
        return bool(compare(value, wanted))
    except TypeError:  # they have no order
        return False
