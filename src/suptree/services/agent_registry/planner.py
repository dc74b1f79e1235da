"""The planner: which index leads to the fewest agents that a query then has to look at.

Pure.  A plan gives candidates, never fewer than match; each of them is compared with the
whole criteria.  Without an index that helps there is none, and all agents are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import assert_never

from suptree.services.agent_registry.criteria import All, AnyOf, Compare, Criteria, Not, Op
from suptree.services.agent_registry.indexes import HashIndex, Index, OrderedIndex, is_number
from suptree.services.agent_registry.values import Path, dotted, is_scalar

__all__ = ["Plan", "plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to look.

    Attributes:
        cost: How many candidates there are.
        text: The indexes used, for people.
        candidates: Gives the ids, some perhaps more than once.
    """

    cost: int
    text: str
    candidates: Callable[[], Iterable[str]]


def plan(criteria: Criteria, indexes: Mapping[Path, tuple[Index, ...]]) -> Plan | None:
    """The cheapest way to the candidates for *criteria*; None: look at all."""
    match criteria:
        case Compare(path):
            return _cheapest(_by(index, criteria) for index in indexes.get(path, ()))
        case All(parts):
            return _cheapest((*_ranges(parts, indexes), *(plan(part, indexes) for part in parts)))
        case AnyOf(parts):
            plans = [plan(part, indexes) for part in parts]
            known = [each for each in plans if each is not None]
            return _union(known) if len(known) == len(plans) else None
        case Not():
            return None
    assert_never(criteria)


def _cheapest(plans: Iterable[Plan | None]) -> Plan | None:
    known = [each for each in plans if each is not None]
    return min(known, key=lambda each: each.cost) if known else None


def _union(plans: list[Plan]) -> Plan:
    def candidates() -> Iterable[str]:
        return chain.from_iterable(each.candidates() for each in plans)

    names = " + ".join(dict.fromkeys(each.text for each in plans))
    return Plan(sum(each.cost for each in plans), names or "nothing", candidates)


def _by(index: Index, criterion: Compare) -> Plan | None:
    match index:
        case HashIndex():
            return _by_hash(index, criterion)
        case OrderedIndex():
            return _by_order(index, criterion.path, (criterion,))
    assert_never(index)


def _by_hash(index: HashIndex, criterion: Compare) -> Plan | None:
    wanted = criterion.value
    name = f"index {dotted(criterion.path)}"
    if criterion.op is Op.EQ and is_scalar(wanted):
        return Plan(index.count(wanted), name, lambda: index.ids(wanted))
    if criterion.op is Op.IN and all(map(is_scalar, wanted)):
        return Plan(
            sum(map(index.count, wanted)),
            name,
            lambda: chain.from_iterable(map(index.ids, wanted)),
        )
    return None


def _by_order(index: OrderedIndex, path: Path, criteria: Iterable[Compare]) -> Plan | None:
    """One slice of the numbers for all of *criteria*, which are about one path."""
    low, high = 0, len(index)
    used = False
    for criterion in criteria:
        wanted = criterion.value
        if not is_number(wanted):
            continue
        match criterion.op:
            case Op.EQ:
                start, end = index.span(wanted, wanted)
            case Op.GT | Op.GTE:
                start, end = index.span(wanted, None, above=criterion.op is Op.GT)
            case Op.LT | Op.LTE:
                start, end = index.span(None, wanted, below=criterion.op is Op.LT)
            case _:
                continue
        low, high, used = max(low, start), min(high, end), True
    if not used:
        return None
    high = max(low, high)
    return Plan(high - low, f"ordered index {dotted(path)}", lambda: index.ids(low, high))


def _ranges(
    parts: tuple[Criteria, ...], indexes: Mapping[Path, tuple[Index, ...]]
) -> Iterable[Plan | None]:
    """Two bounds of one number are one slice, not two."""
    by_path: dict[Path, list[Compare]] = {}
    for part in _flat(parts):
        by_path.setdefault(part.path, []).append(part)
    for path, several in by_path.items():
        if len(several) > 1:
            for index in indexes.get(path, ()):
                if isinstance(index, OrderedIndex):
                    yield _by_order(index, path, several)


def _flat(parts: tuple[Criteria, ...]) -> Iterable[Compare]:
    for part in parts:
        if isinstance(part, Compare):
            yield part
        elif isinstance(part, All):
            yield from _flat(part.parts)
