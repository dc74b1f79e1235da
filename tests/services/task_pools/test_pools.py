"""Pools are made, changed and closed at run time, and have their blocking functions run in threads."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    DEFAULT_POOLS,
    MemoryStore,
    StateOwner,
    TaskPoolConfig,
    TaskPoolExistsError,
    TaskPoolFullError,
    TaskPoolManager,
    TaskPoolTimeoutError,
    TooManyTaskPoolsError,
    UnknownTaskPoolError,
)
from suptree.testing import wait_restarted
from tests.services.task_pools.world import Work, conserved, now, service, standing

pytestmark = pytest.mark.suptree_loop("virtual")


# -- made and changed -----------------------------------------------------------------------------


async def test_a_pool_made_at_run_time_is_open_when_create_returns(runtime):
    pools = await service()

    await TaskPoolManager.create(pools, "mail", TaskPoolConfig(max_concurrency=1))

    assert (await TaskPoolManager.status(pools, "mail")).state == "open"
    assert await TaskPoolManager.run(pools, "mail", len, "abc") == 3


async def test_a_pool_that_is_there_and_one_too_many_are_refused(runtime):
    pools = await service(max_pools=len(DEFAULT_POOLS) + 1)

    with pytest.raises(TaskPoolExistsError, match="'general'"):
        await TaskPoolManager.create(pools, "general")
    with pytest.raises(TooManyTaskPoolsError, match="'mail' would be one more"):
        await TaskPoolManager.create(pools, "mail")


async def test_another_bound_of_pools_holds_for_new_ones(runtime):
    pools = await service()

    await TaskPoolManager.reconfigure(pools, max_pools=1)

    with pytest.raises(TooManyTaskPoolsError, match="there may be 1"):
        await TaskPoolManager.create(pools, "mail")
    assert await TaskPoolManager.run(pools, "work", len, "abc") == 3
    with pytest.raises(ValueError, match="max_pools"):
        await TaskPoolManager.reconfigure(pools, max_pools=0)


async def test_more_room_lets_those_who_wait_in_at_once(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=1))
    work = Work()
    callers = [
        st.Task.async_(TaskPoolManager.run, pools, "work", work, number, 5.0) for number in range(3)
    ]
    await standing(pools, 1, 2)
    start = now()

    await TaskPoolManager.update(pools, "work", TaskPoolConfig(max_concurrency=3))
    await standing(pools, 3, 0)

    assert now() == start
    await st.Task.await_many(callers, timeout=60.0)


async def test_less_room_ends_no_task_and_lets_nobody_in_until_it_holds(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=3))
    work = Work()
    callers = [
        st.Task.async_(TaskPoolManager.run, pools, "work", work, number, 5.0) for number in range(5)
    ]
    await standing(pools, 3, 2)
    await TaskPoolManager.update(pools, "work", TaskPoolConfig(max_concurrency=1))

    await st.Task.await_many(callers, timeout=60.0)

    assert now() == pytest.approx(15.0)  # three together, then one after the other
    assert (await standing(pools, 0, 0)).completed == 5


async def test_a_pool_that_is_not_there_cannot_be_updated_and_is_not_closed(runtime):
    pools = await service()

    with pytest.raises(UnknownTaskPoolError, match="did you mean 'work'"):
        await TaskPoolManager.update(pools, "wrok", TaskPoolConfig())
    assert not await TaskPoolManager.close(pools, "wrok")


# -- closed ---------------------------------------------------------------------------------------


async def test_closing_a_pool_refuses_who_waits_and_ends_what_runs(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=1))
    work = Work()
    running = await TaskPoolManager.execute_task(pools, "work", work, "running", 1000.0)
    waiting = st.Task.async_(_why_not, pools)
    await standing(pools, 1, 1)
    while not work.inside:
        await asyncio.sleep(0)

    assert await TaskPoolManager.close(pools, "work")

    assert work.ended == 1  # it is gone when close returns, and it could clean up
    assert await waiting == "closed"
    assert isinstance(await st.Task.yield_(running), st.TaskExit)
    with pytest.raises(UnknownTaskPoolError):
        await TaskPoolManager.status(pools, "work")
    assert (await TaskPoolManager.stats(pools)).owners == 0


async def _why_not(pools: Any) -> str | None:
    try:
        await TaskPoolManager.run(pools, "work", asyncio.sleep, 0)
    except TaskPoolFullError as error:
        return error.why
    return None


async def test_while_a_pool_closes_tasks_are_refused_and_the_others_go_on(runtime):
    pools = await service()

    async def slow() -> None:
        try:
            await asyncio.sleep(1000.0)
        finally:
            await asyncio.sleep(2.0)

    await TaskPoolManager.execute_task(pools, "work", slow)
    await asyncio.sleep(0.1)
    closing = [st.Task.async_(TaskPoolManager.close, pools, "work") for _ in range(2)]
    while (await TaskPoolManager.status(pools, "work")).state != "closing":
        await asyncio.sleep(0)

    assert await _why_not(pools) == "closed"
    with pytest.raises(TaskPoolExistsError):
        await TaskPoolManager.create(pools, "work")
    assert await TaskPoolManager.run(pools, "general", len, "abc") == 3
    assert await st.Task.await_many(closing, timeout=60.0) == [True, True]
    await TaskPoolManager.create(pools, "work")
    assert await _why_not(pools) is None


# -- restarts -------------------------------------------------------------------------------------


async def test_with_a_store_what_was_made_and_changed_at_run_time_is_there_after_a_restart(runtime):
    store = MemoryStore("state")
    own = TaskPoolConfig(max_concurrency=7, overflow="wait")
    above = await st.Supervisor.start_link(
        [
            st.child(StateOwner, "state").with_(name="state"),
            st.child(TaskPoolManager, store=store).with_(name="pools", id="pools"),
        ]
    )
    await TaskPoolManager.create("pools", "mail", own)
    await TaskPoolManager.create("pools", "gone")
    await TaskPoolManager.update("pools", "general", own)
    await TaskPoolManager.close("pools", "gone")
    before = st.whereis("pools")
    assert before is not None

    st.exit(before, st.KILL)
    await wait_restarted(above, "pools", before)
    found = await TaskPoolManager.all("pools")

    assert set(found) == {*DEFAULT_POOLS, "mail"}
    assert found["mail"].config == found["general"].config == own


# -- threads --------------------------------------------------------------------------------------


async def test_in_a_pool_of_threads_a_plain_function_blocks_its_thread_alone(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=2, threads=True, timeout=None))
    release = threading.Event()
    task = await TaskPoolManager.execute_task(pools, "work", release.wait)
    assert await TaskPoolManager.run(pools, "work", threading.get_ident) != threading.get_ident()

    release.set()

    assert await task is True
    assert await TaskPoolManager.run(pools, "work", asyncio.sleep, 0, "async runs in the loop")


async def test_what_a_function_in_a_thread_raises_is_the_tasks_failure(runtime):
    pools = await service(TaskPoolConfig(threads=True))

    with pytest.raises(st.TaskExitError, match="ValueError"):
        await TaskPoolManager.run(pools, "work", int, "no number")
    with pytest.raises(st.TaskExitError, match="BrokenExecutor"):
        await TaskPoolManager.run(pools, "work", _leave_thread)
    assert (await standing(pools, 0, 0)).failed == 2


def _leave_thread() -> None:
    raise SystemExit


@pytest.mark.suptree_loop("asyncio")
async def test_a_thread_that_outlives_its_task_keeps_the_place_and_is_counted(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=1, threads=True, timeout=0.05))
    release = threading.Event()

    with pytest.raises(TaskPoolTimeoutError):
        await TaskPoolManager.run(pools, "work", release.wait)
    status = await standing(pools, 0, 0)
    assert (status.threads, status.timed_out) == (1, 1)
    after = st.Task.async_(TaskPoolManager.run, pools, "work", len, "abc")
    await standing(pools, 0, 1)
    release.set()

    assert await after == 3
    status = await standing(pools, 0, 0)
    assert status.threads == 0
    assert conserved(status)
