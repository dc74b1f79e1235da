"""Batches: all or nothing for real, or up to the first failure, or each for itself."""

from __future__ import annotations

from typing import Any

import pytest

import suptree as st
from suptree.services import (
    AgentBatchError,
    AgentExistsError,
    AgentMetadataError,
    AgentNotAliveError,
    AgentNotFoundError,
    AgentRegistry,
    AgentRegistryError,
    AgentRegistryFullError,
    Register,
    Replace,
    Unregister,
    Update,
    where,
)
from suptree.testing import wait_mailbox_empty
from tests.services.agent_registry.agents import Agent, metadata


async def filled(*ids: str, **options: Any) -> st.Pid[AgentRegistry]:
    agents = await AgentRegistry.start_link(**options)
    for id in ids:
        await AgentRegistry.register(agents, id, metadata(), pid=await Agent.start())
    return agents


async def all_of(agents: Any) -> Any:
    """Everything that a failed batch must leave as it was."""
    state = await st.sys.get_state(agents)
    tables = state["tables"]
    rows = [
        list(index._rows)
        if isinstance(index._rows, list)
        else {k: set(v) for k, v in index._rows.items()}
        for several in tables.indexes.values()
        for index in several
    ]
    owners = {pid: set(held[1]) for pid, held in state["owners"]._held.items()}
    return list(tables.entries.items()), rows, owners


async def test_a_batch_does_its_operations_in_order_each_upon_those_before(runtime):
    agents = await filled("a")
    pid = await Agent.start()

    result = await AgentRegistry.batch(
        agents,
        [
            Register("b", pid, metadata()),
            Update("b", {"node": "n2"}),
            Unregister("a"),
            Register("a", pid, metadata("code")),
            Replace("a", metadata("sing")),
        ],
    )

    assert [entry.id for entry in result.done] == ["b", "b", "a", "a", "a"]
    assert result.failed == ()
    assert AgentRegistry.lookup(agents, "b").metadata["node"] == "n2"
    assert AgentRegistry.whereis(agents, "a") == pid
    assert [e.id for e in AgentRegistry.query(agents, where("capability") == "sing")] == ["a"]
    assert AgentRegistry.query(agents, where("capability") == "code") == []
    await Agent.stop(pid)
    await wait_mailbox_empty(agents)
    assert AgentRegistry.count(agents) == 0


DOING = {
    "duplicate": (lambda dead, pid: Register("a", pid, metadata()), AgentExistsError),
    "dead": (lambda dead, pid: Register("z", dead, metadata()), AgentNotAliveError),
    "missing fields": (lambda dead, pid: Register("z", pid, {}), AgentMetadataError),
    "unknown": (lambda dead, pid: Update("nobody", {}), AgentNotFoundError),
    "taken out before": (lambda dead, pid: Update("c", {}), AgentNotFoundError),
    "made before": (lambda dead, pid: Register("n", pid, metadata()), AgentExistsError),
    "wrong health": (lambda dead, pid: Update("n", {"health_status": "x"}), AgentMetadataError),
    "full": (lambda dead, pid: Register("one too many", pid, metadata()), AgentRegistryFullError),
}


@pytest.mark.parametrize("failing", DOING)
async def test_a_batch_that_fails_in_the_middle_leaves_no_trace(runtime, failing):
    """Tables, indexes, order, watched processes and events are as if it had never been."""
    agents = await filled("a", "b", "c", max_agents=3)
    dead = await Agent.start()
    await Agent.stop(dead)
    pid = await Agent.start()
    make, error = DOING[failing]
    before = await all_of(agents)
    heard: list[str] = []
    runtime.telemetry.attach(
        "test", "suptree.agent_registry.agent.*", lambda event, *_: heard.append(event.name)
    )

    with pytest.raises(
        AgentBatchError, match="nothing was done, since operation 4 failed"
    ) as caught:
        await AgentRegistry.batch(
            agents,
            [
                Unregister("c"),
                Register("n", pid, metadata("code")),
                Update("a", {"node": "n7", "resources": {"memory_available": 1}}),
                Replace("b", metadata("sing")),
                make(dead, pid),
                Unregister("a"),
            ],
        )

    assert caught.value.index == 4
    assert isinstance(caught.value.error, error)
    assert await all_of(agents) == before
    assert heard == []


async def test_stop_keeps_what_was_done_and_skips_the_rest(runtime):
    agents = await filled("a", "b", "c")

    result = await AgentRegistry.batch(
        agents, [Unregister("a"), Unregister("x"), Unregister("b")], on_error="stop"
    )

    assert [entry.id for entry in result.done] == ["a"]
    assert [(f.index, f.operation, type(f.error)) for f in result.failed] == [
        (1, Unregister("x"), AgentNotFoundError)
    ]
    assert result.skipped == (Unregister("b"),)
    assert [e.id for e in AgentRegistry.query(agents)] == ["b", "c"]


async def test_continue_does_each_for_itself(runtime):
    agents = await filled("a", "b", "c")

    result = await AgentRegistry.batch(
        agents, [Unregister("a"), Unregister("x"), Unregister("b")], on_error="continue"
    )

    assert [entry.id for entry in result.done] == ["a", "b"]
    assert [f.index for f in result.failed] == [1]
    assert result.skipped == ()


@pytest.mark.parametrize("mode", ["stop", "continue"])
async def test_a_long_batch_is_done_in_parts_with_the_right_numbers(runtime, mode):
    agents = await filled("a")
    pid = await Agent.start()
    operations = [Register(f"n{i}", pid, metadata()) for i in range(450)]
    operations[300] = Unregister("nobody")

    result = await AgentRegistry.batch(agents, operations, on_error=mode)

    assert [f.index for f in result.failed] == [300]
    done = 300 if mode == "stop" else 449
    assert len(result.done) == done
    assert len(result.done) + len(result.failed) + len(result.skipped) == 450
    assert AgentRegistry.count(agents) == done + 1


@pytest.mark.parametrize(
    ("operations", "mode", "text"),
    [
        ([], "rolback", "did you mean 'rollback'"),
        ([Unregister("x")] * 6, "rollback", "at most 5 operations; got 6"),
        (["x"], "rollback", "operation must be a Register"),
    ],
)
async def test_a_wrong_batch_is_refused(runtime, operations, mode, text):
    agents = await filled("a", max_batch=5)

    with pytest.raises(AgentRegistryError, match=text):
        await AgentRegistry.batch(agents, operations, on_error=mode)

    assert AgentRegistry.count(agents) == 1


async def test_events_of_a_batch_come_when_it_is_done(runtime):
    agents = await filled("a")
    pid = await Agent.start()
    runtime.telemetry.strict = True
    heard: list[Any] = []
    runtime.telemetry.attach(
        "test",
        "suptree.agent_registry.*",
        lambda event, numbers, facts: heard.append((event.name.split(".", 2)[2], dict(numbers))),
    )

    await AgentRegistry.batch(agents, [Register("b", pid, metadata()), Unregister("a")])
    await AgentRegistry.batch(agents, [Unregister("x"), Unregister("b")], on_error="continue")

    assert [name for name, _ in heard] == [
        "agent.registered",
        "agent.unregistered",
        "batch.applied",
        "operation.refused",
        "agent.unregistered",
        "batch.applied",
    ]
    assert heard[2][1] == {"done_count": 2, "failed_count": 0, "skipped_count": 0}
    assert heard[5][1] == {"done_count": 1, "failed_count": 1, "skipped_count": 0}
