"""Indexed queries against a naive filter, over random agents, changes and criteria."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

import suptree as st
from suptree.services import AgentRegistry, AgentSchema, where
from suptree.services.agent_registry import Criteria
from suptree.services.agent_registry.matching import compiled
from suptree.services.agent_registry.planner import plan
from suptree.services.agent_registry.view import view_of
from suptree.testing import VirtualLoop
from tests.services.agent_registry.naive import matches

SCHEMA = AgentSchema(
    required=(), indexed=("tags", "node", "deep.tag", "n"), ordered=("n", "deep.n"), health=()
)
SCALARS = some.one_of(
    some.none(), some.booleans(), some.integers(-3, 3), some.floats(-3, 3), some.sampled_from("abc")
)
NUMBERS = some.one_of(
    some.none(), some.integers(-3, 3), some.sampled_from([0.5, float("nan"), float("inf"), True])
)
METADATA = some.fixed_dictionaries(
    {},
    optional={
        "tags": some.one_of(SCALARS, some.lists(SCALARS, max_size=3), some.frozensets(SCALARS)),
        "node": SCALARS,
        "n": NUMBERS,
        "deep": some.fixed_dictionaries({}, optional={"tag": SCALARS, "n": NUMBERS}),
        "free": some.one_of(SCALARS, some.lists(SCALARS, max_size=2)),
    },
)
PATHS = some.sampled_from(["tags", "node", "n", "deep.n", "deep.tag", "free", "id", "deep", "no"])
VALUES = some.one_of(SCALARS, NUMBERS, some.lists(SCALARS, max_size=2))
COMPARISONS = some.one_of(
    some.builds(
        lambda path, op, value: where(path).compare(op, value),
        PATHS,
        some.sampled_from(["eq", "neq", "gt", "gte", "lt", "lte", "exists"]),
        VALUES,
    ),
    some.builds(
        lambda path, op, values: where(path).compare(op, values),
        PATHS,
        some.sampled_from(["in", "not_in"]),
        some.lists(VALUES, max_size=3),
    ),
    some.builds(lambda path, a, b: where(path).between(a, b), PATHS, NUMBERS, NUMBERS),
)
CRITERIA: some.SearchStrategy[Any] = some.recursive(
    COMPARISONS,
    lambda parts: some.one_of(
        some.builds(lambda a, b: a & b, parts, parts),
        some.builds(lambda a, b: a | b, parts, parts),
        some.builds(lambda a: ~a, parts),
    ),
    max_leaves=6,
)
IDS = some.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h"])
CHANGES = some.one_of(
    some.tuples(some.just("register"), IDS, METADATA),
    some.tuples(some.just("register"), IDS, METADATA),
    some.tuples(some.just("update"), IDS, METADATA),
    some.tuples(some.just("replace"), IDS, METADATA),
    some.tuples(some.just("unregister"), IDS, some.none()),
    some.tuples(some.just("kill"), IDS, some.none()),
)


class Agent(st.GenServer):
    """Lives until it is killed."""


@settings(max_examples=200, deadline=None)
@given(some.lists(CHANGES, min_size=4, max_size=25), some.lists(CRITERIA, min_size=1, max_size=5))
def test_an_indexed_query_finds_exactly_what_a_naive_filter_finds(changes, questions):
    async def main() -> None:
        async with st.Runtime():
            agents = await AgentRegistry.start_link(SCHEMA)
            for doing, id, metadata in changes:
                await carry_out(agents, doing, id, metadata)
            entries = (await st.sys.get_state(agents))["tables"].entries
            for criteria in questions:
                assert AgentRegistry.query(agents, criteria) == naive(entries, criteria)
                assert_leads_to_all(agents, criteria)
            indexes = (await st.sys.get_state(agents))["tables"].indexes
            fresh = SCHEMA.indexes()
            for path, several in fresh.items():
                for old, new in zip(indexes[path], several, strict=True):
                    for entry in entries.values():
                        new.add(entry.at(path), entry)
                    assert rows(old) == rows(new)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


def assert_leads_to_all(agents: Any, criteria: Criteria) -> None:
    """Also a plan that a query of so few agents would not follow leads to all that match."""
    tables = view_of(agents).tables
    way = plan(criteria, tables.indexes)
    if way is not None:
        candidates = list(way.candidates())
        wanted = {e.id for e in tables.entries.values() if matches(e, criteria)}
        is_meant = compiled(way.rest)
        assert wanted == {e.id for e in candidates if is_meant(e)}
        assert len(candidates) == way.cost


async def carry_out(agents: Any, doing: str, id: str, metadata: Any) -> None:
    try:
        if doing == "register":
            await AgentRegistry.register(agents, id, metadata, pid=await Agent.start())
        elif doing == "kill":
            pid = AgentRegistry.whereis(agents, id)
            if pid is not None:
                st.exit(pid, st.KILL)
        elif doing == "unregister":
            await AgentRegistry.unregister(agents, id)
        else:
            await getattr(AgentRegistry, doing)(agents, id, metadata)
    except st.SuptreeError:  # taken, or not there: nothing happened
        return


def naive(entries: Any, criteria: Criteria) -> list[Any]:
    alive = [entry for entry in entries.values() if entry.pid.is_alive()]
    return sorted((e for e in alive if matches(e, criteria)), key=lambda entry: entry.number)


def rows(index: Any) -> Any:
    if isinstance(index._rows, list):
        return index._rows
    return {value: set(ids) for value, ids in index._rows.items()}
