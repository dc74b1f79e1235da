"""S196 to S199 and S203: tasks under a supervisor."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

import suptree as st
from suptree.testing import turn, wait_down, wait_until


async def forever() -> None:
    await st.receive()


def boom() -> None:
    raise ValueError("boom")


def process_of(pid: st.Pid[Any]) -> Any:
    return pid._process


async def supervisor(**options: Any) -> st.Pid[Any]:
    return await st.TaskSupervisor.start_link(name="tasks", **options)


@pytest.mark.otp("S196")
async def test_start_child_runs_a_function_that_survives_its_caller(runtime):
    await supervisor()

    async def caller() -> None:
        st.send(test, await st.TaskSupervisor.start_child("tasks", forever))
        st.exit("enough")

    test = st.current()
    asks = runtime.spawn(caller)
    pid = await st.receive(st.Pid)
    await wait_down(asks)

    assert pid.is_alive()
    assert process_of(pid).callers == (asks,)
    assert await st.TaskSupervisor.children("tasks") == [pid]


@pytest.mark.otp("S196")
async def test_a_task_is_temporary_with_five_seconds_to_stop(runtime):
    sup = await supervisor()
    pid = await st.TaskSupervisor.start_child("tasks", forever)
    spec = process_of(sup).body.running[pid].spec

    assert (spec.restart, spec.shutdown) == ("temporary", 5.0)
    st.exit(pid, "enough")
    await wait_down(pid)
    await turn(3)
    assert await st.TaskSupervisor.children("tasks") == []


@pytest.mark.otp("S196")
async def test_a_restart_runs_the_same_function_with_the_same_arguments(runtime, caplog):
    caplog.set_level(logging.CRITICAL)
    await supervisor()
    runs: list[Any] = []

    def twice(a: int, *, b: int) -> None:
        runs.append((a, b))
        if len(runs) == 1:
            raise ValueError("again")

    await st.TaskSupervisor.start_child("tasks", twice, 1, b=2, restart="transient")
    await wait_until(lambda: len(runs) == 2)
    await turn(3)

    assert runs == [(1, 2), (1, 2)]
    assert await st.TaskSupervisor.children("tasks") == []


@pytest.mark.otp("S197")
async def test_async_is_supervised_and_linked_to_its_caller(runtime):
    sup = await supervisor()
    task = await st.TaskSupervisor.async_("tasks", forever)

    linked = process_of(task.pid).links
    assert set(linked) == {process_of(sup), process_of(st.current())}
    assert process_of(task.pid).lineage[0] is sup  # S195
    assert await st.Task.shutdown(task) is None
    assert await (await st.TaskSupervisor.async_("tasks", sum, [1, 2])) == 3


@pytest.mark.otp("S197")
@pytest.mark.parametrize(
    ("verb", "reason", "lives"),
    [
        ("async_", "bad", False),
        ("async_", st.SHUTDOWN, False),
        ("async_", st.NORMAL, True),
        ("async_nolink", "bad", True),
        ("async_nolink", st.NORMAL, True),
    ],
)
async def test_what_the_end_of_its_caller_does_to_a_task(runtime, verb, reason, lives):
    await supervisor()

    async def caller() -> None:
        st.send(test, await getattr(st.TaskSupervisor, verb)("tasks", forever))
        await st.receive()
        st.exit(reason)

    test = st.current()
    asks = runtime.spawn(caller)
    task = await st.receive(st.Task)
    st.send(asks, "go")
    await wait_down(asks)
    await turn(3)

    assert task.pid.is_alive() is lives


@pytest.mark.otp("S197")
async def test_the_crash_of_a_nolink_task_is_what_await_raises_and_no_more(runtime, caplog):
    caplog.set_level(logging.CRITICAL)
    await supervisor()

    async def caller() -> object:
        task = await st.TaskSupervisor.async_nolink("tasks", boom)
        try:
            await task
        except st.TaskExitError as error:
            return error.reason.type
        return None

    assert await st.Task.async_(caller) == "ValueError"


async def test_code_outside_every_process_may_ask_for_a_task_without_a_link():
    results: list[Any] = []

    async def outside() -> None:
        task = await st.TaskSupervisor.async_nolink("tasks", sum, [1, 2])
        results.append(await task)
        assert task.owner is None
        with pytest.raises(st.NotInProcessError):
            await st.TaskSupervisor.async_("tasks", sum, [1, 2])

    async def inside(ready: asyncio.Event, done: asyncio.Event) -> None:
        async with st.Runtime():
            await supervisor()
            ready.set()
            await done.wait()

    ready, done = asyncio.Event(), asyncio.Event()
    host = asyncio.create_task(inside(ready, done))
    await ready.wait()
    await outside()
    done.set()
    await host

    assert results == [3]


@pytest.mark.otp("S198")
async def test_max_children_refuses_a_task(runtime):
    await supervisor(max_children=1)
    task = await st.TaskSupervisor.async_("tasks", forever)

    for verb in ("start_child", "async_", "async_nolink"):
        with pytest.raises(st.MaxChildrenError):
            await getattr(st.TaskSupervisor, verb)("tasks", forever)
    with pytest.raises(st.MaxChildrenError):
        async for _ in st.TaskSupervisor.stream("tasks", str, [1, 2], max_concurrency=2):
            pass
    assert await st.TaskSupervisor.children("tasks") == [task.pid]


async def test_an_unknown_supervisor_is_refused(runtime):
    with pytest.raises(st.NoProcessError):
        await st.TaskSupervisor.async_("nobody", forever)
    with pytest.raises(st.NoProcessError):
        await anext(st.TaskSupervisor.stream("nobody", str, [1]))


@pytest.mark.otp("S199")
@pytest.mark.parametrize("verb", ["async_", "async_nolink"])
async def test_a_task_whose_caller_died_before_its_start_never_runs(runtime, verb):
    sup = await supervisor()
    runs: list[Any] = []
    ends: list[Any] = []
    runtime.telemetry.attach(
        "ends", "suptree.process.exited", lambda event, numbers, facts: ends.append(facts["reason"])
    )
    await runtime.system(sup, lambda body: body.suspend(), "test")

    async def caller() -> None:
        await getattr(st.TaskSupervisor, verb)("tasks", runs.append, 1)

    asks = runtime.spawn(caller)
    await wait_until(lambda: process_of(sup).mailbox)
    st.exit(asks, "too early")
    await runtime.system(sup, lambda body: body.resume(), "test")
    await turn(5)

    assert runs == []
    assert set(ends) == {"too early", st.Shutdown("too early")}
    assert await st.TaskSupervisor.children("tasks") == []


async def test_a_task_that_its_caller_does_not_wait_to_get_does_not_run_on(runtime):
    sup = await supervisor()
    await runtime.system(sup, lambda body: body.suspend(), "test")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await st.TaskSupervisor.async_("tasks", forever)
    await runtime.system(sup, lambda body: body.resume(), "test")
    await turn(5)

    assert await st.TaskSupervisor.children("tasks") == []


@pytest.mark.otp("S203")
@pytest.mark.suptree_loop("virtual")
async def test_the_end_of_a_task_supervisor_ends_its_tasks_with_shutdown(runtime):
    sup = await supervisor()

    async def deaf() -> None:
        st.trap_exit()
        while True:
            await st.receive()

    good = await st.TaskSupervisor.start_child("tasks", forever)
    bad = await st.TaskSupervisor.start_child("tasks", deaf, shutdown=2.0)
    await turn(2)
    ends = [runtime.down_slot(good), runtime.down_slot(bad)]
    begun = runtime.now()
    await st.TaskSupervisor.stop(sup)

    assert [await end for end in ends] == [st.SHUTDOWN, st.KILLED]
    assert runtime.now() - begun == pytest.approx(2.0, abs=0.1)


async def test_terminate_child_shuts_one_task_down(runtime):
    await supervisor()
    one, two = [await st.TaskSupervisor.start_child("tasks", forever) for _ in range(2)]
    down = runtime.down_slot(one)

    await st.TaskSupervisor.terminate_child("tasks", one)

    assert await down is st.SHUTDOWN
    assert await st.TaskSupervisor.children("tasks") == [two]


async def test_wrong_options_are_refused():
    with pytest.raises(st.SupervisorOptionsError, match="max_children"):
        st.TaskSupervisor.child(max_children=-1)
