"""Single tasks of a pool: whose they are, how many at once, how they end, what is counted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    DEFAULT_POOLS,
    TaskPoolConfig,
    TaskPoolFullError,
    TaskPoolManager,
    TaskPoolTimeoutError,
    UnknownTaskPoolError,
)
from suptree.testing import wait_down
from tests.services.task_pools.world import Work, conserved, now, service, standing

pytestmark = pytest.mark.suptree_loop("virtual")  # they count seconds, exactly


def boom(what: object = "no") -> None:
    raise ValueError(what)


# -- whose they are -------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [sum, asyncio.sleep], ids=["plain", "async"])
async def test_a_task_that_has_a_place_runs_at_once_and_gives_its_value(runtime, function):
    pools = await service()
    arguments: tuple[Any, ...] = ([3, 4],) if function is sum else (0, 7)

    assert await TaskPoolManager.run(pools, "work", function, *arguments) == 7
    assert (await standing(pools, 0, 0)).completed == 1


async def test_arguments_go_to_the_function_by_place_and_by_name(runtime):
    pools = await service()

    assert await TaskPoolManager.run(pools, "work", int, "ff", base=16) == 255


async def test_a_single_task_is_awaited_by_its_caller_and_by_nobody_else(runtime):
    pools = await service()
    task = await TaskPoolManager.execute_task(pools, "work", asyncio.sleep, 1.0, "value")

    async def steal() -> Any:
        return await task

    with pytest.raises(st.TaskExitError, match="TaskOwnerError"):
        await TaskPoolManager.run(pools, "general", steal)
    assert task.owner == st.current()
    assert await task == "value"


async def test_tasks_are_awaited_together_like_all_tasks(runtime):
    pools = await service()
    tasks = [
        await TaskPoolManager.execute_task(pools, "general", asyncio.sleep, 1.0, number)
        for number in range(5)
    ]

    assert await st.Task.await_many(tasks) == [0, 1, 2, 3, 4]


async def test_the_users_code_runs_in_a_process_of_its_own_below_the_supervisor_of_its_pool(
    runtime,
):
    pools = await service()

    async def who() -> Any:
        return st.current()

    ran_in = await TaskPoolManager.run(pools, "work", who)

    assert ran_in not in (pools, st.current())
    task = await TaskPoolManager.execute_task(pools, "work", asyncio.sleep, 1.0)
    chain = [node.label for node in _above(runtime, task.pid)]
    assert chain[:3] == ["task pool work", "DynamicSupervisor", "TaskPoolManager"]
    await task


def _above(runtime: st.Runtime, pid: st.Pid[Any]) -> list[Any]:
    chain, process = [], pid._process.parent
    while process is not None:
        chain.append(process)
        process = process.parent
    return chain


async def test_a_task_that_fails_is_a_result_and_hurts_neither_caller_nor_pool(runtime):
    pools = await service()

    with pytest.raises(st.TaskExitError) as caught:
        await TaskPoolManager.run(pools, "work", boom)

    assert isinstance(caught.value.reason, st.Crashed)
    assert await TaskPoolManager.run(pools, "work", len, "abc") == 3
    status = await standing(pools, 0, 0)
    assert (status.failed, status.completed) == (1, 1)


# -- how many at once -----------------------------------------------------------------------------


async def test_the_limit_of_a_pool_holds_over_all_callers_and_batches(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=3, timeout=None, wait_timeout=None))
    work = Work()

    async def single(number: int) -> None:
        for _ in range(4):
            await TaskPoolManager.run(pools, "work", work, number)

    async def batch() -> None:
        async for done in TaskPoolManager.execute_batch(pools, "work", range(10), work):
            done.result()

    callers = [st.Task.async_(single, number) for number in range(5)]
    callers += [st.Task.async_(batch) for _ in range(3)]
    await st.Task.await_many(callers, timeout=1000.0)

    assert (work.most, work.ended) == (3, 50)
    assert (await standing(pools, 0, 0)).completed == 50


async def test_pools_do_not_take_places_from_one_another(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=1))
    slow = await TaskPoolManager.execute_task(pools, "work", asyncio.sleep, 10.0)

    assert await TaskPoolManager.run(pools, "general", asyncio.sleep, 0.0, "quick") == "quick"
    await st.Task.shutdown(slow)


async def test_what_is_active_falls_when_tasks_end_and_what_they_came_to_rises(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=4, timeout=5.0))
    fine = await TaskPoolManager.execute_task(pools, "work", asyncio.sleep, 1.0)
    late = await TaskPoolManager.execute_task(pools, "work", asyncio.sleep, 50.0)
    unwanted = await TaskPoolManager.execute_task(pools, "work", asyncio.sleep, 50.0)
    failing = await TaskPoolManager.execute_task(pools, "work", boom)
    await standing(pools, 3, 0)
    await st.Task.shutdown(unwanted)
    await standing(pools, 2, 0)
    await fine
    await standing(pools, 1, 0)
    await st.Task.yield_many([late, failing], timeout=60.0)
    status = await standing(pools, 0, 0)

    assert (status.completed, status.failed) == (1, 1)
    assert (status.timed_out, status.cancelled) == (1, 1)
    assert conserved(status)


async def test_no_process_and_no_monitor_is_left_by_sustained_load(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=5))
    await TaskPoolManager.run(pools, "work", len, "warm")
    await standing(pools, 0, 0)
    before = len(runtime.processes)

    for _ in range(20):
        async for done in TaskPoolManager.execute_batch(pools, "work", [0] * 50, asyncio.sleep):
            done.result()
    for _ in range(200):
        await TaskPoolManager.run(pools, "work", asyncio.sleep, 0)

    status = await standing(pools, 0, 0)
    assert len(runtime.processes) == before
    assert status.completed == 1201
    assert (await TaskPoolManager.stats(pools)).owners == 0


# -- the line -------------------------------------------------------------------------------------


def crowd(pools: Any, count: int, seconds: float = 10.0) -> list[st.Task[Any]]:
    return [
        st.Task.async_(TaskPoolManager.run, pools, "work", asyncio.sleep, seconds, number)
        for number in range(count)
    ]


async def test_so_many_run_so_many_wait_and_the_next_is_rejected_at_once(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=2, max_waiting=2))
    callers = crowd(pools, 4, 2.0)
    await standing(pools, 2, 2)
    start = now()

    with pytest.raises(TaskPoolFullError, match="2 tasks may run at once and 2 wait") as caught:
        await TaskPoolManager.run(pools, "work", asyncio.sleep, 0)

    assert (caught.value.why, now()) == ("line_full", start)
    assert await st.Task.await_many(callers, timeout=60.0) == [0, 1, 2, 3]
    status = await standing(pools, 0, 0)
    assert status.rejected == 1
    assert conserved(status)


async def test_with_overflow_wait_a_caller_is_refused_for_its_own_tasks_only(runtime):
    config = TaskPoolConfig(max_concurrency=1, max_waiting=2, overflow="wait")
    pools = await service(config)
    callers = crowd(pools, 8, 1.0)
    await standing(pools, 1, 7)
    refused = []

    async def greedy() -> None:
        async def one() -> None:
            try:
                await TaskPoolManager.run(pools, "work", asyncio.sleep, 1.0)
            except TaskPoolFullError as error:
                refused.append(error.why)

        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(one())

    await st.Task.async_(greedy)
    await st.Task.await_many(callers, timeout=60.0)

    assert refused == ["line_full"]
    assert conserved(await standing(pools, 0, 0))


async def test_callers_take_turns_however_many_each_has_in_the_line(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=1, wait_timeout=None))
    work = Work()

    async def caller(name: str, count: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(TaskPoolManager.run(pools, "work", work, name))

    ann = st.Task.async_(caller, "ann", 20)
    await standing(pools, 1, 19)
    bob = st.Task.async_(caller, "bob", 2)
    await standing(pools, 1, 21)
    await st.Task.await_many([ann, bob], timeout=100.0)

    assert work.began[:5] == ["ann", "ann", "bob", "ann", "bob"]


async def test_a_batch_in_the_line_does_not_starve_a_single_task(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=2, wait_timeout=None))
    work = Work()

    async def batch() -> None:
        async for _ in TaskPoolManager.execute_batch(pools, "work", range(100), work):
            pass

    running = st.Task.async_(batch)
    await standing(pools, 2, 0)
    start = now()
    await TaskPoolManager.run(pools, "work", work, "single")

    assert now() - start <= 2.0
    await st.Task.shutdown(running)


async def test_who_waits_too_long_is_refused_and_leaves_its_place(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=1, timeout=None, wait_timeout=5.0))
    holder = await TaskPoolManager.execute_task(pools, "work", asyncio.sleep, 1000.0)
    start = now()

    with pytest.raises(TaskPoolFullError, match="no place got free in time") as caught:
        await TaskPoolManager.run(pools, "work", asyncio.sleep, 0)

    assert (caught.value.why, now() - start) == ("timeout", pytest.approx(5.0))
    assert (await standing(pools, 1, 0)).gave_up == 1
    await st.Task.shutdown(holder)


@pytest.mark.parametrize("how", ["killed", "cancelled"])
async def test_a_caller_that_is_gone_frees_its_place_in_the_line(runtime, how):
    pools = await service(TaskPoolConfig(max_concurrency=1))
    holder = await TaskPoolManager.execute_task(pools, "work", asyncio.sleep, 20.0)

    async def come() -> None:
        async with asyncio.timeout(1.0 if how == "cancelled" else None):
            await TaskPoolManager.run(pools, "work", asyncio.sleep, 0)

    victim = st.spawn(come)
    await standing(pools, 1, 1)
    if how == "killed":
        st.exit(victim, st.KILL)
    await wait_down(victim)
    status = await standing(pools, 1, 0)

    assert status.gave_up == 1
    await st.Task.shutdown(holder)
    assert (await TaskPoolManager.stats(pools)).owners == 0


# -- ends -----------------------------------------------------------------------------------------


async def test_a_task_over_its_time_is_cancelled_and_its_caller_told(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=1, timeout=3.0))
    work, start = Work(), now()

    with pytest.raises(TaskPoolTimeoutError, match="not done within 3 s") as caught:
        await TaskPoolManager.run(pools, "work", work, "late", 100.0)

    assert (caught.value.timeout, now() - start) == (3.0, pytest.approx(3.0))
    assert work.ended == 1  # it could clean up
    assert (await standing(pools, 0, 0)).timed_out == 1


async def test_a_task_that_will_not_end_is_killed_and_keeps_its_place_until_it_is_gone(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=1, timeout=3.0))
    start = now()

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(1000.0)
            except asyncio.CancelledError:
                continue

    task = await TaskPoolManager.execute_task(pools, "work", stubborn)
    after = st.Task.async_(TaskPoolManager.run, pools, "work", now)
    told = await st.Task.yield_(task, timeout=None)

    assert isinstance(told, st.TaskExit)
    assert await after - start >= 8.0  # its time, then the grace
    assert (await standing(pools, 0, 0)).timed_out == 1


async def test_a_task_that_traps_exits_is_killed_in_the_end(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=1, timeout=3.0))

    async def deaf() -> None:
        st.trap_exit(True)
        await asyncio.sleep(1000.0)

    with pytest.raises(TaskPoolTimeoutError):
        await TaskPoolManager.run(pools, "work", deaf)
    assert now() == pytest.approx(8.0, abs=1.5)


async def test_a_task_ends_with_its_caller(runtime):
    pools = await service()
    work = Work()

    async def caller() -> None:
        await TaskPoolManager.execute_task(pools, "work", work, "orphan", 1000.0)
        await TaskPoolManager.run(pools, "work", work, "orphan", 1000.0)

    victim = st.spawn(caller)
    await standing(pools, 2, 0)
    while len(work.began) < 2:
        await asyncio.sleep(0)
    st.exit(victim, st.KILL)
    status = await standing(pools, 0, 0)

    assert (status.cancelled, work.ended) == (2, 2)
    assert (await TaskPoolManager.stats(pools)).released == 2


async def test_a_task_outlives_not_even_a_caller_that_ends_well(runtime):
    pools = await service()

    async def caller() -> None:
        await TaskPoolManager.execute_task(pools, "work", asyncio.sleep, 1000.0)

    await wait_down(st.spawn(caller))

    assert (await standing(pools, 0, 0)).cancelled == 1


async def test_a_run_that_is_cancelled_ends_its_task(runtime):
    pools = await service()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await TaskPoolManager.run(pools, "work", asyncio.sleep, 1000.0)

    assert (await standing(pools, 0, 0)).cancelled == 1


@pytest.mark.parametrize("turns", range(12))
async def test_a_caller_cancelled_at_any_moment_leaves_nothing_behind(runtime, turns):
    pools = await service()

    async def caller() -> None:
        asking = asyncio.ensure_future(
            TaskPoolManager.execute_task(pools, "work", asyncio.sleep, 3.0)
        )
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        if not asking.cancelled():
            await st.Task.shutdown(asking.result())

    await st.Task.async_(caller)
    status = await standing(pools, 0, 0)

    assert conserved(status)
    assert (await TaskPoolManager.stats(pools)).owners == 0


# -- deadlines ------------------------------------------------------------------------------------


async def test_the_time_that_is_left_to_its_caller_is_inherited_by_a_task(runtime):
    runtime.propagator = st.ContextPropagator()
    pools = await service(TaskPoolConfig(max_concurrency=2, timeout=30.0))

    class Desk(st.GenServer):
        @st.call
        async def ask(self, pool: str) -> float | None:
            return await TaskPoolManager.run(pools, pool, st.time_left)

        @st.call
        async def wait(self) -> str:
            try:
                await TaskPoolManager.run(pools, "work", asyncio.sleep, 1000.0)
            except TaskPoolTimeoutError as error:
                return f"ended after {error.timeout:g} s"
            return "not ended"

    desk = await Desk.start_link()

    assert await TaskPoolManager.run(pools, "work", st.time_left) == pytest.approx(30.0)
    assert await Desk.ask.within(4.0)(desk, "work") == pytest.approx(4.0)
    with pytest.raises(st.CallTimeoutError):
        await Desk.wait.within(4.0)(desk)
    assert (await standing(pools, 0, 0)).timed_out == 1


# -- refusals -------------------------------------------------------------------------------------


async def test_a_pool_that_is_not_there_is_refused_with_a_near_name(runtime):
    pools = await service()

    with pytest.raises(UnknownTaskPoolError, match="did you mean 'general'"):
        await TaskPoolManager.run(pools, "generel", len, "")


async def test_the_default_pools_are_those_of_the_platform(runtime):
    pools = await TaskPoolManager.start_link()
    found = {name: one.config for name, one in (await TaskPoolManager.all(pools)).items()}

    assert found == dict(DEFAULT_POOLS)
    assert (found["general"].max_concurrency, found["general"].timeout) == (10, 30.0)
    assert found["distributed_computation"].timeout == 60.0
    assert (found["agent_operations"].max_concurrency, found["agent_operations"].timeout) == (
        20,
        30.0,
    )
    assert (found["coordination"].max_concurrency, found["coordination"].timeout) == (15, 15.0)
    assert (found["monitoring"].max_concurrency, found["monitoring"].timeout) == (5, 10.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_concurrency": 0},
        {"max_concurrency": True},
        {"timeout": 0},
        {"timeout": "soon"},
        {"max_waiting": -1},
        {"wait_timeout": float("nan")},
        {"overflow": "drop"},
        {"threads": "yes"},
    ],
    ids=str,
)
def test_a_wrong_bound_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TaskPoolConfig(**wrong)


@pytest.mark.parametrize(
    "ask",
    [
        lambda pools: TaskPoolManager.run(pools, ["work"], len, ""),
        lambda pools: TaskPoolManager.run(pools, "work", "no function"),
        lambda pools: TaskPoolManager.execute_task(pools, None, len, ""),
        lambda pools: TaskPoolManager.status(pools, {}),
        lambda pools: TaskPoolManager.create(pools, "", TaskPoolConfig()),
        lambda pools: TaskPoolManager.create(pools, "new", {"max_concurrency": 2}),
        lambda pools: TaskPoolManager.update(pools, "work", None),
        lambda pools: TaskPoolManager.close(pools, 7),
    ],
)
async def test_a_wrong_argument_is_refused_to_its_caller_and_the_manager_goes_on(runtime, ask):
    pools = await service()

    with pytest.raises(ValueError, match="must be"):
        await ask(pools)

    assert await TaskPoolManager.run(pools, "work", len, "ok") == 2


async def test_a_function_that_is_called_wrongly_fails_in_its_task(runtime):
    pools = await service()

    with pytest.raises(st.TaskExitError, match="TypeError"):
        await TaskPoolManager.run(pools, "work", len)
    assert pools.is_alive()


async def test_a_caller_of_another_runtime_is_refused_and_the_manager_goes_on(runtime):
    pools = await service()

    async with st.Runtime(name="other"):
        with pytest.raises(st.CrossRuntimeError):
            await TaskPoolManager.run(pools, "work", len, "")

    assert await TaskPoolManager.run(pools, "work", len, "ok") == 2
