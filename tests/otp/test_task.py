"""S190 to S195: a function in a process of its own, whose value its owner waits for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.testing import turn, wait_down


async def forever() -> None:
    await st.receive()


def boom() -> None:
    raise ValueError("boom")


async def stubborn() -> str:
    st.trap_exit()
    await st.receive(st.Exit)
    return "said goodbye"


def process_of(pid: st.Pid[Any]) -> Any:
    return pid._process


def mailbox() -> list[Any]:
    """What has come to this process beside what a test took."""
    return list(process_of(st.current()).mailbox)


# -- async_ ----------------------------------------------------------------------------


@pytest.mark.otp("S190")
async def test_a_task_runs_a_function_plain_or_async_with_its_arguments(runtime):
    async def add(a: int, b: int = 0) -> int:
        await asyncio.sleep(1)
        return a + b

    assert await st.Task.async_(add, 1, b=2) == 3
    assert await st.Task.async_(sum, [1, 2, 3]) == 6


@pytest.mark.otp("S190")
async def test_a_task_is_linked_to_its_owner_until_it_has_returned(runtime):
    task = st.Task.async_(stubborn)
    me = process_of(st.current())
    await turn(2)

    assert process_of(task.pid) in me.links
    st.exit(task.pid, "go")
    assert await task == "said goodbye"
    assert not me.links


@pytest.mark.otp("S190")
async def test_a_crash_of_a_task_is_the_end_of_its_owner(runtime):
    async def owner() -> None:
        st.Task.async_(boom)
        await st.receive()

    reason = await wait_down(runtime.spawn(owner))

    assert isinstance(reason, st.Crashed)
    assert reason.type == "ValueError"


@pytest.mark.otp("S190")
async def test_a_crash_of_its_owner_is_the_end_of_a_task(runtime):
    async def owner() -> None:
        st.send(test, st.Task.async_(forever))
        await st.receive()

    test = st.current()
    owns = runtime.spawn(owner)
    task = await st.receive(st.Task)
    down = runtime.down_slot(task.pid)
    st.exit(owns, "enough")

    assert await down == "enough"


@pytest.mark.otp("S190")
async def test_a_task_that_returned_leaves_nothing_in_the_mailbox_of_an_owner_that_traps(runtime):
    assert await st.Task.async_(sum, [1]) == 1

    await turn(3)
    assert mailbox() == []


@pytest.mark.otp("S190")
@pytest.mark.parametrize("verb", ["await_", "yield_", "shutdown"])
async def test_only_the_owner_may_ask_for_the_value(runtime, verb):
    task = st.Task.async_(forever)

    async def thief() -> str:
        with pytest.raises(st.TaskOwnerError, match=f"belongs to {st_repr(task.owner)}"):
            await getattr(st.Task, verb)(task)
        with pytest.raises(st.TaskOwnerError):
            st.Task.ignore(task)
        with pytest.raises(st.TaskOwnerError):
            await task
        with pytest.raises(st.TaskOwnerError):
            await st.Task.await_many([task])
        with pytest.raises(st.TaskOwnerError):
            await st.Task.yield_many([task])
        return "refused"

    assert await st.Task.async_(thief) == "refused"
    assert await st.Task.shutdown(task) is None


def st_repr(pid: object) -> str:
    return repr(pid).replace(".", r"\.")


async def test_a_task_needs_an_owner_that_is_a_process():
    async with st.Runtime() as rt:
        refused: list[BaseException] = []

        async def bare() -> None:
            try:
                st.Task.async_(forever)
            except st.NotInProcessError as error:
                refused.append(error)

        await asyncio.create_task(bare())

        assert len(refused) == 1
        assert len(rt.alive()) == 1


# -- await ----------------------------------------------------------------------------


@pytest.mark.otp("S191")
async def test_await_raises_the_exit_of_a_task_that_ended_without_a_value(runtime):
    crashed, normal = st.Task.async_(boom), st.Task.async_(lambda: st.exit(st.NORMAL))

    with pytest.raises(st.TaskExitError, match="ended without a value") as caught:
        await st.Task.await_(crashed)
    assert caught.value.reason.type == "ValueError"
    assert caught.value.task is crashed
    with pytest.raises(st.TaskExitError) as caught:
        await normal
    assert caught.value.reason is st.NORMAL


@pytest.mark.otp("S191")
async def test_an_await_that_timed_out_leaves_the_task_running_and_drops_its_value(runtime):
    task = st.Task.async_(stubborn)

    with pytest.raises(st.TaskTimeoutError, match=r"no value within 0\.5 s") as caught:
        await st.Task.await_(task, timeout=0.5)
    assert isinstance(caught.value, TimeoutError)
    assert task.pid.is_alive()
    st.exit(task.pid, "go")
    await wait_down(task.pid)

    with pytest.raises(st.TaskError, match="was let go"):
        await task
    assert mailbox() == []


@pytest.mark.otp("S191")
@pytest.mark.suptree_loop("virtual")
async def test_await_waits_five_seconds_unless_told_otherwise_and_a_bare_await_as_long_as_it_takes(
    runtime,
):
    async def slow() -> str:
        await asyncio.sleep(60)
        return "at last"

    begun = runtime.now()
    with pytest.raises(st.TaskTimeoutError):
        await st.Task.await_(st.Task.async_(slow))
    assert runtime.now() - begun == pytest.approx(5.0, abs=0.1)
    assert await st.Task.async_(slow) == "at last"
    assert await st.Task.await_(st.Task.async_(slow), timeout=None) == "at last"


async def test_a_task_may_be_awaited_again_and_by_several_helpers_of_its_owner(runtime):
    async def slow() -> str:
        await asyncio.sleep(1)
        return "value"

    task = st.Task.async_(slow)

    async def helper() -> str:
        return await task

    assert await asyncio.gather(helper(), helper()) == ["value", "value"]
    assert await task == "value"


async def test_a_wait_that_is_cancelled_does_not_lose_the_value(runtime):
    task = st.Task.async_(stubborn)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await task
    st.exit(task.pid, "go")

    assert await task == "said goodbye"


# -- yield ----------------------------------------------------------------------------


@pytest.mark.otp("S192")
async def test_yield_may_be_repeated_until_there_is_a_value(runtime):
    task = st.Task.async_(stubborn)

    assert await st.Task.yield_(task, timeout=0) is None
    assert await st.Task.yield_(task, timeout=0.5) is None
    st.exit(task.pid, "go")
    assert await st.Task.yield_(task) == st.TaskValue("said goodbye")
    assert not process_of(st.current()).watching


@pytest.mark.otp("S192")
async def test_yield_tells_the_exit_of_a_task(runtime):
    task = st.Task.async_(forever)
    st.exit(task.pid, "enough")

    assert await st.Task.yield_(task) == st.TaskExit("enough")


# -- shutdown ---------------------------------------------------------------------------


@pytest.mark.otp("S193")
async def test_shutdown_gives_the_value_that_was_there(runtime):
    task = st.Task.async_(sum, [1, 2])
    await wait_down(task.pid)

    assert await st.Task.shutdown(task) == st.TaskValue(3)


@pytest.mark.otp("S193")
async def test_shutdown_gives_the_exit_of_a_task_that_ended_by_itself(runtime):
    task = st.Task.async_(lambda: st.exit("enough"))
    await wait_down(task.pid)

    assert await st.Task.shutdown(task) == st.TaskExit("enough")


@pytest.mark.otp("S193")
@pytest.mark.parametrize(
    ("reason", "how", "told"),
    [
        (st.SHUTDOWN, 5.0, None),
        (st.SHUTDOWN, "brutal_kill", st.TaskExit(st.SHUTDOWN)),
        (st.KILLED, "brutal_kill", None),
        (st.KILLED, 5.0, st.TaskExit(st.KILLED)),
    ],
)
async def test_shutdown_of_a_task_that_had_ended_as_it_would_end_it_gives_none(
    runtime, reason, how, told
):
    task = st.Task.async_(st.exit, reason)
    await wait_down(task.pid)

    assert await st.Task.shutdown(task, how) == told


@pytest.mark.otp("S193")
async def test_shutdown_that_ended_the_task_gives_none_and_does_not_hit_the_owner(runtime):
    async def owner() -> object:
        task = st.Task.async_(forever)
        told = await st.Task.shutdown(task)
        return told, task.pid.is_alive()

    assert await st.Task.async_(owner) == (None, False)


@pytest.mark.otp("S193")
@pytest.mark.suptree_loop("virtual")
async def test_a_task_that_does_not_end_in_time_is_killed(runtime):
    async def deaf() -> None:
        st.trap_exit()
        while True:
            await st.receive()

    task = st.Task.async_(deaf)
    await turn(2)
    down, begun = runtime.down_slot(task.pid), runtime.now()

    assert await st.Task.shutdown(task, timeout=2.0) == st.TaskExit(st.KILLED)
    assert await down is st.KILLED
    assert runtime.now() - begun == pytest.approx(2.0, abs=0.1)
    assert mailbox() == []


@pytest.mark.otp("S193")
async def test_a_value_that_the_task_gives_on_being_told_to_stop_is_not_lost(runtime):
    assert await st.Task.shutdown(st.Task.async_(stubborn)) is None  # before its first step
    task = st.Task.async_(stubborn)
    await turn(2)

    assert await st.Task.shutdown(task) == st.TaskValue("said goodbye")


@pytest.mark.otp("S193")
async def test_brutal_kill_does_not_ask(runtime):
    task = st.Task.async_(stubborn)
    await turn(2)
    down = runtime.down_slot(task.pid)

    assert await st.Task.shutdown(task, "brutal_kill") is None
    assert await down is st.KILLED


# -- ignore, many -------------------------------------------------------------------------


@pytest.mark.otp("S194")
async def test_ignore_unlinks_the_task_and_lets_it_run_on(runtime):
    task = st.Task.async_(forever)

    assert st.Task.ignore(task) is None
    assert not process_of(st.current()).links
    assert task.pid.is_alive()
    with pytest.raises(st.TaskError, match="was let go"):
        await st.Task.yield_(task)


@pytest.mark.otp("S194")
async def test_ignore_tells_what_the_task_has_come_to(runtime):
    value, exited = st.Task.async_(sum, [4]), st.Task.async_(lambda: st.exit("enough"))
    await wait_down(exited.pid)

    assert st.Task.ignore(value) == st.TaskValue(4)
    assert st.Task.ignore(exited) == st.TaskExit("enough")


async def after(seconds: float, value: str) -> str:
    await asyncio.sleep(seconds)
    return value


@pytest.mark.otp("S194")
@pytest.mark.suptree_loop("virtual")
async def test_await_many_gives_values_in_the_order_of_the_tasks(runtime):
    tasks = [st.Task.async_(after, s, v) for s, v in [(3, "a"), (1, "b"), (2, "c")]]

    assert await st.Task.await_many(tasks) == ["a", "b", "c"]
    assert await st.Task.await_many([]) == []


@pytest.mark.otp("S194")
@pytest.mark.suptree_loop("virtual")
async def test_await_many_raises_the_first_exit_without_waiting_for_the_others(runtime):
    async def late_crash() -> str:
        await asyncio.sleep(1)
        raise ValueError("late")

    slow, crashes = st.Task.async_(after, 60, "never"), st.Task.async_(late_crash)
    begun = runtime.now()

    with pytest.raises(st.TaskExitError) as caught:
        await st.Task.await_many([slow, crashes], timeout=None)
    assert caught.value.task is crashes
    assert runtime.now() - begun == pytest.approx(1.0, abs=0.1)


@pytest.mark.otp("S194")
@pytest.mark.suptree_loop("virtual")
async def test_await_many_has_one_time_for_all(runtime):
    tasks = [st.Task.async_(after, s, "x") for s in (1, 2, 9)]
    begun = runtime.now()

    with pytest.raises(st.TaskTimeoutError) as caught:
        await st.Task.await_many(tasks, timeout=3.0)
    assert caught.value.task is tasks[2]
    assert runtime.now() - begun == pytest.approx(3.0, abs=0.1)


@pytest.mark.otp("S194")
async def test_await_many_fails_with_the_first_task_that_died(runtime):
    later, first = st.Task.async_(st.receive), st.Task.async_(st.receive)
    await turn(2)
    for task, reason in ((first, "first"), (later, "later")):
        st.exit(task.pid, reason)

    with pytest.raises(st.TaskExitError) as caught:
        await st.Task.await_many([later, first])
    assert caught.value.reason == "first"


@pytest.mark.otp("S194")
@pytest.mark.suptree_loop("virtual")
async def test_yield_many_tells_each_task_in_the_order_given(runtime):
    quick, slow = st.Task.async_(after, 1, "q"), st.Task.async_(after, 60, "s")
    exits = st.Task.async_(lambda: st.exit("enough"))

    assert await st.Task.yield_many([slow, exits, quick], timeout=2.0) == [
        (slow, None),
        (exits, st.TaskExit("enough")),
        (quick, st.TaskValue("q")),
    ]
    assert await st.Task.shutdown(slow) is None


# -- callers, start, child ---------------------------------------------------------------------


@pytest.mark.otp("S195")
async def test_the_callers_of_a_task_are_its_caller_and_the_callers_of_that(runtime):
    async def inner() -> Any:
        return process_of(st.current()).callers

    async def outer() -> Any:
        return st.current(), await st.Task.async_(inner)

    outer_pid, callers = await st.Task.async_(outer)

    assert callers == (outer_pid, st.current())


async def test_start_is_linked_to_nobody_and_start_link_to_its_caller(runtime):
    me = process_of(st.current())
    alone, linked = st.Task.start(forever), st.Task.start_link(forever)

    assert list(me.links) == [process_of(linked)]
    assert process_of(alone).callers == (st.current(),)


async def test_the_child_spec_of_a_function_is_temporary():
    spec = st.Task.child(forever)

    assert (spec.restart, spec.shutdown, spec.type) == ("temporary", 5.0, "worker")
    assert spec.with_(restart="transient").restart == "transient"


async def test_a_result_gives_the_value_or_raises_the_exit():
    assert st.TaskValue(3).result() == 3
    with pytest.raises(st.TaskExitError):
        st.TaskExit("enough").result()
