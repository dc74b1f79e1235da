"""Every event of the task pools is emitted, with what it declares."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import TaskPoolConfig, TaskPoolError, TaskPoolManager
from suptree.services.task_pools import events
from suptree.telemetry import Event
from tests.services.task_pools.world import service, standing

pytestmark = pytest.mark.suptree_loop("virtual")


def listen(runtime: st.Runtime) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    told: list[Any] = []
    runtime.telemetry.strict = True
    runtime.telemetry.attach(
        "test",
        "suptree.task_pool.*",
        lambda event, numbers, facts: told.append(
            (event.name.removeprefix("suptree.task_pool."), dict(numbers), dict(facts))
        ),
    )
    return told


async def test_the_life_of_tasks_is_told(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=1, max_waiting=1, timeout=2.0))
    told = listen(runtime)
    late = await TaskPoolManager.execute_task(pools, "work", asyncio.sleep, 100.0)
    waiting = st.Task.async_(TaskPoolManager.run, pools, "work", len, "abc")
    await standing(pools, 1, 1)
    with pytest.raises(TaskPoolError):
        await TaskPoolManager.run(pools, "work", len, "abc")
    await waiting
    await standing(pools, 0, 0)

    names = [name for name, _, _ in told]
    assert names == [
        "task.started",
        "task.queued",
        "task.rejected",
        "task.timed_out",
        "task.finished",
        "task.started",
        "task.finished",
    ]
    assert told[2][2] == {"pool": "work", "why": "line_full"}
    assert told[3][1] == {"timeout_s": 2.0}
    assert told[3][2]["pid"] == late.pid
    assert told[4][2]["outcome"] == "timed_out"
    assert told[5][1]["waited_s"] == pytest.approx(2.0)
    assert told[6][2]["outcome"] == "completed"


async def test_who_gives_up_in_the_line_is_told(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=1, wait_timeout=1.0))
    holder = await TaskPoolManager.execute_task(pools, "work", asyncio.sleep, 100.0)
    told = listen(runtime)
    with pytest.raises(TaskPoolError):
        await TaskPoolManager.run(pools, "work", len, "abc")

    assert [(name, facts.get("why")) for name, _, facts in told] == [
        ("task.queued", None),
        ("task.rejected", "gave_up"),
    ]
    await st.Task.shutdown(holder)


async def test_what_becomes_of_pools_is_told(runtime):
    pools = await service()
    told = listen(runtime)
    await TaskPoolManager.create(pools, "mail")
    await TaskPoolManager.update(pools, "mail", TaskPoolConfig(max_concurrency=1))
    task = await TaskPoolManager.execute_task(pools, "mail", asyncio.sleep, 100.0)
    supervisor = task.pid._process.parent.pid
    st.exit(supervisor, st.KILL)
    await TaskPoolManager.run(pools, "mail", len, "abc")
    await TaskPoolManager.close(pools, "mail")

    pool_events = [(name, facts["pool"]) for name, _, facts in told if not name.startswith("task.")]
    assert pool_events == [
        ("config.changed", "mail"),
        ("config.changed", "mail"),
        ("supervisor.restarted", "mail"),
        ("config.closed", "mail"),
    ]


async def test_the_restart_of_a_pool_is_told_with_the_name_of_the_pool(runtime):
    pools = await service()
    task = await TaskPoolManager.execute_task(pools, "work", asyncio.sleep, 100.0)
    told: list[object] = []
    runtime.telemetry.attach(
        "test",
        "suptree.supervisor.child.restarted",
        lambda event, numbers, facts: told.append(facts["id"]),
    )
    st.exit(task.pid._process.parent.pid, st.KILL)
    await TaskPoolManager.run(pools, "work", len, "abc")

    assert told == ["task pool work"]


def test_the_events_told_here_are_all_that_are_declared():
    declared = [value.name for value in vars(events).values() if isinstance(value, Event)]

    assert len(declared) == len(events.__all__) == 8
