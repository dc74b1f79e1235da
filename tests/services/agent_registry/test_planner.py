"""The planner: the candidates of one comparison, exactly, where few values make every end count."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

from suptree.services import where
from suptree.services.agent_registry import AgentEntry, AgentSchema
from suptree.services.agent_registry.matching import compiled
from suptree.services.agent_registry.planner import EVERYTHING, plan
from suptree.services.agent_registry.values import freeze
from tests.services.agent_registry.naive import matches

SCHEMA = AgentSchema(required=(), indexed=("tags",), ordered=("n",), health=())
FEW = some.sampled_from([0, 1, 2, 1.5, True, float("nan"), None])
WORDS = some.sampled_from(["a", "b", None, 1, float("nan")])
TAGS = some.one_of(WORDS, some.lists(WORDS, max_size=2))


def filled(metadata: list[dict[str, Any]]) -> tuple[list[AgentEntry], Any]:
    entries = [
        AgentEntry(f"a{n}", None, freeze(each), 0.0, n)  # type: ignore[arg-type]
        for n, each in enumerate(metadata)
    ]
    indexes = SCHEMA.indexes()
    for entry in entries:
        for path, several in indexes.items():
            for index in several:
                index.add(entry.at(path), entry)
    return entries, indexes


def ids(way: Any) -> list[str]:
    """The candidates, when the index has said it all."""
    assert way.rest == EVERYTHING
    return sorted(entry.id for entry in way.candidates())


@settings(max_examples=300, deadline=None)
@given(some.lists(FEW), some.sampled_from(["eq", "gt", "gte", "lt", "lte"]), FEW)
def test_an_ordered_index_leads_to_exactly_the_numbers_asked_for(numbers, op, wanted):
    entries, indexes = filled([{"n": number} for number in numbers])
    criteria = where("n").compare(op, wanted)

    way = plan(criteria, indexes)

    if way is not None:
        found = ids(way)
        assert found == sorted(e.id for e in entries if matches(e, criteria))
        assert way.cost == len(found)


@settings(max_examples=300, deadline=None)
@given(some.lists(FEW), some.lists(some.tuples(some.sampled_from(["gt", "gte", "lt", "lte"]), FEW)))
def test_several_bounds_of_one_number_are_one_slice(numbers, bounds):
    entries, indexes = filled([{"n": number} for number in numbers])
    criteria = where("n").between(float("-inf"), float("inf"))
    for op, wanted in bounds:
        if isinstance(wanted, int | float) and wanted == wanted:
            criteria = criteria & where("n").compare(op, wanted)

    way = plan(criteria, indexes)

    assert way is not None
    assert ids(way) == sorted(e.id for e in entries if matches(e, criteria))


@settings(max_examples=300, deadline=None)
@given(some.lists(TAGS), some.sampled_from(["eq", "in"]), TAGS, some.lists(TAGS, max_size=3))
def test_a_hash_index_leads_to_exactly_those_with_the_value(tags, op, one, several):
    entries, indexes = filled([{"tags": each} for each in tags])
    criteria = where("tags").compare(op, several if op == "in" else one)

    way = plan(criteria, indexes)

    if way is not None:
        assert set(ids(way)) == {e.id for e in entries if matches(e, criteria)}
    else:
        assert (
            isinstance(one, list)
            or any(isinstance(each, list) for each in several)
            or (one != one or any(each != each for each in several))
        )


SMALL = some.sampled_from([0, 1, 2])
JOINED: some.SearchStrategy[Any] = some.recursive(
    some.one_of(
        some.builds(
            lambda path, op, value: where(path).compare(op, value),
            some.sampled_from(["n", "n", "tags", "free"]),
            some.sampled_from(["eq", "neq", "gt", "gte", "lt", "lte"]),
            SMALL,
        ),
        some.builds(lambda values: where("tags").in_(values), some.lists(SMALL, max_size=2)),
    ),
    lambda parts: some.one_of(
        some.builds(lambda a, b: a & b, parts, parts),
        some.builds(lambda a, b: a & b, parts, parts),
        some.builds(lambda a, b: a | b, parts, parts),
        some.builds(lambda a: ~a, parts),
    ),
    max_leaves=8,
)
ROWS = [
    {"n": n, "tags": tags, "free": free}
    for n in (0, 1, 2)
    for tags in (0, 1, [0, 2], [])
    for free in (0, 1, 2)
]


@settings(max_examples=1000, deadline=None)
@given(JOINED)
def test_the_candidates_compared_with_the_rest_are_exactly_those_who_match(criteria):
    """Every combination of few values is there, so that a part which is forgotten shows."""
    entries, indexes = filled(ROWS)

    way = plan(criteria, indexes)

    if way is not None:
        is_meant = compiled(way.rest)
        found = {entry.id for entry in way.candidates() if is_meant(entry)}
        assert found == {entry.id for entry in entries if matches(entry, criteria)}


def test_what_no_index_can_say_is_left_to_a_scan():
    _, indexes = filled([{"tags": ["a"], "n": 1}])

    assert plan(where("tags") != "a", indexes) is None
    assert plan(~(where("n") > 1), indexes) is None
    assert plan(where("free") == 1, indexes) is None
    assert plan(where("n") > "x", indexes) is None
    assert plan((where("tags") == "a") | (where("free") == 1), indexes) is None
