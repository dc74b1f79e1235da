"""The planner: which index leads to the fewest agents that a query then has to look at.

Pure.  A plan gives candidates, never fewer than match, and says what they still must be
compared with: nothing, where the index has said it all.  Without an index that helps
there is no plan, and all agents are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final, assert_never

from suptree.services.agent_registry.criteria import All, AnyOf, Compare, Criteria, Not, Op
from suptree.services.agent_registry.entry import AgentEntry
from suptree.services.agent_registry.indexes import HashIndex, Index, OrderedIndex, is_number
from suptree.services.agent_registry.values import Path, dotted, is_scalar

__all__ = ["EVERYTHING", "Plan", "plan"]

EVERYTHING: Final = All()
"""The criteria that all agents meet."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to look.

    Attributes:
        cost: How many candidates there are.
        text: The indexes used, for people.
        candidates: Gives them, some perhaps more than once.
        rest: What a candidate still must be compared with.
    """

    cost: int
    text: str
    candidates: Callable[[], Iterable[AgentEntry]]
    rest: Criteria = EVERYTHING


def plan(criteria: Criteria, indexes: Mapping[Path, tuple[Index, ...]]) -> Plan | None:
    """The cheapest way to the candidates for *criteria*; None: look at all."""
    match criteria:
        case Compare(path):
            return _cheapest(_by(index, criteria) for index in indexes.get(path, ()))
        case All():
            return _of_all(_flat(criteria), indexes)
        case AnyOf(parts):
            plans = [plan(part, indexes) for part in parts]
            known = [each for each in plans if each is not None]
            return _union(known, criteria) if len(known) == len(plans) else None
        case Not():
            return None
    assert_never(criteria)


def _of_all(parts: tuple[Criteria, ...], indexes: Mapping[Path, tuple[Index, ...]]) -> Plan | None:
    """The cheapest of the ways for one part; several bounds of one number are one slice."""
    ways: list[tuple[Plan | None, tuple[Criteria, ...]]] = []
    by_path: dict[Path, list[Compare]] = {}
    for part in parts:
        if isinstance(part, Compare):
            by_path.setdefault(part.path, []).append(part)
        else:
            ways.append((plan(part, indexes), (part,)))
    for path, several in by_path.items():
        for index in indexes.get(path, ()):
            if isinstance(index, OrderedIndex):
                ways.append((_by_order(index, path, several), tuple(several)))
            else:
                ways += [(_by_hash(index, each), (each,)) for each in several]
    known = [(way, said) for way, said in ways if way is not None]
    if not known:
        return None
    best, said = min(known, key=lambda each: each[0].cost)
    left = [part for part in parts if not any(part is each for each in said)]
    return Plan(best.cost, best.text, best.candidates, All((*_flat(best.rest), *left)))


def _cheapest(plans: Iterable[Plan | None]) -> Plan | None:
    known = [each for each in plans if each is not None]
    return min(known, key=lambda each: each.cost) if known else None


def _union(plans: list[Plan], criteria: AnyOf) -> Plan:
    def candidates() -> Iterable[AgentEntry]:
        return chain.from_iterable(each.candidates() for each in plans)

    names = " + ".join(dict.fromkeys(each.text for each in plans))
    said_all = all(each.rest == EVERYTHING for each in plans)
    rest = EVERYTHING if said_all else criteria
    return Plan(sum(each.cost for each in plans), names or "nothing", candidates, rest)


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
        return Plan(index.count(wanted), name, lambda: index.find(wanted))
    if criterion.op is Op.IN and all(map(is_scalar, wanted)):
        return Plan(
            sum(map(index.count, wanted)),
            name,
            lambda: chain.from_iterable(map(index.find, wanted)),
        )
    return None


def _by_order(index: OrderedIndex, path: Path, criteria: Iterable[Compare]) -> Plan | None:
    """One slice of the numbers for all of *criteria*, which are about one path."""
    low, high = 0, len(index)
    used = False
    rest: list[Criteria] = []
    for criterion in criteria:
        bounds = _bounds(index, criterion)
        if bounds is None:
            rest.append(criterion)
        else:
            low, high, used = max(low, bounds[0]), min(high, bounds[1]), True
    if not used:
        return None
    high = max(low, high)
    name = f"ordered index {dotted(path)}"
    return Plan(high - low, name, lambda: index.rows(low, high), All(tuple(rest)))


def _bounds(index: OrderedIndex, criterion: Compare) -> tuple[int, int] | None:
    wanted = criterion.value
    if not is_number(wanted):
        return None
    match criterion.op:
        case Op.EQ:
            return index.span(wanted, wanted)
        case Op.GT | Op.GTE:
            return index.span(wanted, None, above=criterion.op is Op.GT)
        case Op.LT | Op.LTE:
            return index.span(None, wanted, below=criterion.op is Op.LT)
        case _:
            return None


def _flat(criteria: Criteria) -> tuple[Criteria, ...]:
    """The parts of an All, and of those in it."""
    if isinstance(criteria, All):
        return tuple(chain.from_iterable(map(_flat, criteria.parts)))
    return (criteria,)
