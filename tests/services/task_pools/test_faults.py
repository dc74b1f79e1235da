"""Who dies, and what becomes of the tasks: nothing is orphaned, every wait ends, all of it comes again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import DEFAULT_POOLS, TaskPoolConfig, TaskPoolManager
from suptree.testing import wait_down, wait_until
from tests.services.task_pools.world import Work, conserved, now, service, standing

pytestmark = pytest.mark.suptree_loop("virtual")

CONFIG = TaskPoolConfig(max_concurrency=2, timeout=None)


async def branch(config: TaskPoolConfig = CONFIG) -> str:
    """The manager and the supervisor of its pools, as a system has them."""
    await st.Supervisor.start_link(
        [
            st.DynamicSupervisor.child(name="supervisors").with_(id="supervisors"),
            st.child(TaskPoolManager, {"work": config}, supervisor="supervisors").with_(
                name="pools", id="pools"
            ),
        ],
        strategy="one_for_all",
    )
    return "pools"


def there(name: str) -> st.Pid[Any]:
    pid = st.whereis(name)
    assert pid is not None
    return pid


async def stubborn(work: Work) -> None:
    """Takes two seconds to clean up."""
    try:
        await work("stubborn", 1000.0)
    finally:
        work.inside += 1
        await asyncio.sleep(2.0)
        work.inside -= 1


@pytest.mark.parametrize("victim", ["pools", "supervisors"])
async def test_when_the_manager_dies_its_tasks_end_and_are_gone_before_there_are_new_places(
    runtime, victim
):
    pools = await branch()
    work = Work()
    running = [await TaskPoolManager.execute_task(pools, "work", stubborn, work) for _ in range(2)]
    waiting = st.Task.async_(_outcome, TaskPoolManager.run(pools, "work", work))
    await standing(pools, 2, 1)
    while work.inside < 2:
        await asyncio.sleep(0)
    manager, old, at = there("pools"), there(victim), now()

    st.exit(old, st.KILL)
    await wait_down(old)
    await wait_until(lambda: st.whereis("pools") not in (None, manager), timeout=60.0)
    first = await TaskPoolManager.run(pools, "work", lambda: work.inside)

    assert first == 0
    assert [isinstance(await st.Task.yield_(one), st.TaskExit) for one in running] == [True, True]
    assert await waiting == "ServerExitError"
    assert now() - at < 10.0
    assert set(await TaskPoolManager.all(pools)) == {*DEFAULT_POOLS, "work"}


async def _outcome(asking: Any) -> str:
    try:
        await asking
    except st.SuptreeError as error:
        return type(error).__name__
    return "done"


async def test_the_pools_stand_in_the_tree_under_their_paths(runtime):
    await branch()

    assert there("pools.general")._process.parent is there("supervisors")._process


async def test_a_manager_with_a_supervisor_of_its_own_takes_it_and_the_tasks_along(runtime):
    st.trap_exit(True)
    pools = await service(CONFIG)
    work = Work()
    task = await TaskPoolManager.execute_task(pools, "work", work, "running", 1000.0)
    while not work.inside:
        await asyncio.sleep(0)

    st.exit(pools, st.KILL)
    told = await st.Task.yield_(task, timeout=None)

    assert isinstance(told, st.TaskExit)
    assert work.ended == 1
    await st.receive(st.Exit)


async def test_a_killed_pool_supervisor_comes_back_by_supervision_and_who_waits_goes_on(runtime):
    pools = await branch(TaskPoolConfig(max_concurrency=1, timeout=None))
    task = await TaskPoolManager.execute_task(pools, "work", asyncio.sleep, 1000.0)
    other = await TaskPoolManager.execute_task(pools, "general", asyncio.sleep, 5.0, "other")
    waiting = st.Task.async_(TaskPoolManager.run, pools, "work", len, "abc")
    await standing(pools, 1, 1)
    manager, old = there("pools"), there("pools.work")

    st.exit(old, st.KILL)

    assert await waiting == 3
    assert isinstance(await st.Task.yield_(task), st.TaskExit)
    assert there("pools.work") != old
    assert there("pools") == manager
    assert await other == "other"
    status = await standing(pools, 0, 0)
    assert (status.cancelled, status.completed, status.state) == (1, 1, "open")


async def test_a_batch_goes_on_under_the_new_supervisor_of_its_pool(runtime):
    pools = await branch()
    work = Work()
    results = []

    async def consumer() -> None:
        async for done in TaskPoolManager.execute_batch(pools, "work", range(10), work):
            results.append(done)

    consuming = st.Task.async_(consumer)
    while len(work.began) < 3:
        await asyncio.sleep(0.1)
    st.exit(there("pools.work"), st.KILL)
    await st.Task.await_(consuming, timeout=60.0)

    assert len(results) == 10
    assert 1 <= sum(isinstance(done, st.TaskExit) for done in results) <= 2
    assert sorted(set(work.began)) == list(range(10))


@pytest.mark.parametrize("turns", range(15))
async def test_a_supervisor_that_dies_at_any_moment_of_a_start_costs_no_task_twice(runtime, turns):
    pools = await branch()
    ran = []

    async def caller() -> str:
        return await _outcome(TaskPoolManager.run(pools, "work", ran.append, 1))

    asking = st.Task.async_(caller)
    for _ in range(turns):
        await asyncio.sleep(0)
    st.exit(there("pools.work"), st.KILL)
    outcome = await asking

    assert (outcome, len(ran)) in [("done", 1), ("TaskExitError", 0), ("TaskExitError", 1)]
    assert conserved(await standing(pools, 0, 0))


async def test_a_pool_that_cannot_be_started_is_refused_to_its_creator_and_the_manager_goes_on(
    runtime,
):
    pools = await branch()
    manager = there("pools")
    st.register("pools.mail", st.spawn(asyncio.sleep, 1000.0))

    with pytest.raises(st.SuptreeError, match=r"pools\.mail"):
        await TaskPoolManager.create(pools, "mail")

    assert there("pools") == manager
    assert "mail" not in await TaskPoolManager.all(pools)
    assert await TaskPoolManager.run(pools, "work", len, "abc") == 3


async def test_pools_that_die_too_often_take_the_branch_along_which_comes_again(runtime):
    pools = await branch()
    manager = there("pools")

    for _ in range(6):
        victim = st.whereis("pools.work")
        if victim is None:
            break
        st.exit(victim, st.KILL)
        await wait_down(victim)
        await asyncio.sleep(0.01)
    await wait_until(lambda: st.whereis("pools") not in (None, manager), timeout=60.0)

    assert await TaskPoolManager.run(pools, "work", len, "abc") == 3


async def test_a_task_killed_before_its_first_step_gives_its_place_back(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=1))
    task = await TaskPoolManager.execute_task(pools, "work", asyncio.sleep, 1000.0)
    st.exit(task.pid, st.KILL)

    assert isinstance(await st.Task.yield_(task), st.TaskExit)
    assert (await standing(pools, 0, 0)).cancelled == 1
    assert await TaskPoolManager.run(pools, "work", len, "abc") == 3
