"""Law 11: to asyncio the async handlers of a server run in one task, whoever steps them.

The first handler of a server runs in its kept task; each later one is stepped in its turn, or
in the turn of its caller, while that task is shown.  None of this may be seen from inside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import pytest

import suptree as st
from suptree.testing import turn, wait_down, wait_until
from suptree.testing.stacks import describe_tasks

VIRTUAL = pytest.mark.suptree_loop("virtual")
Work = Callable[[], Coroutine[Any, Any, Any]]


class Worker(st.GenServer):
    """Runs what it is given, as a call or a cast."""

    @st.call
    async def run(self, work: Work) -> Any:
        return await work()

    @st.cast
    async def go(self, work: Work) -> None:
        await work()

    @st.call
    async def task(self) -> Any:
        return asyncio.current_task()


@pytest.fixture(params=["direct", "queued"])
def runtime_of_choice(request: Any) -> st.Runtime:
    return st.Runtime(direct_call=request.param == "direct")


@pytest.fixture
async def worker(runtime_of_choice: st.Runtime) -> Any:
    """A worker whose kept task is parked."""
    async with runtime_of_choice:
        pid = await Worker.start()
        await Worker.task(pid)
        yield pid


def suspended(pid: st.Pid[Any]) -> bool:
    return bool(pid.runtime.info(pid).stack)


async def test_all_handlers_of_a_server_see_one_task(worker):
    first = await Worker.task(worker)

    async def before_and_after() -> tuple[Any, Any]:
        before = asyncio.current_task()
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        return before, asyncio.current_task()

    assert await Worker.run(worker, before_and_after) == (first, first)
    assert await Worker.task(worker) is first


async def test_the_callers_task_is_current_again_after_a_call(worker):
    mine = asyncio.current_task()
    assert await Worker.task(worker) is not mine
    assert asyncio.current_task() is mine


async def test_a_handler_that_gives_way_goes_on_after_what_was_ready_before(worker):
    story: list[str] = []

    async def work() -> None:
        asyncio.get_running_loop().call_soon(story.append, "ready before")
        await asyncio.sleep(0)
        story.append("went on")

    await Worker.run(worker, work)
    assert story == ["ready before", "went on"]


async def test_a_handler_that_was_resumed_by_the_loop_gives_way_to_it_as_well(worker):
    story: list[str] = []

    async def work() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_soon(future.set_result, None)
        await future
        Worker.go(worker, nothing)  # the run queue has asked for a turn
        loop.call_soon(story.append, "ready before")
        await asyncio.sleep(0)
        story.append("went on")

    await Worker.run(worker, work)
    assert story == ["ready before", "went on"]


async def nothing() -> None:
    """Waits for nothing."""


async def test_what_a_future_was_failed_with_is_raised_where_it_is_awaited(worker):
    async def work() -> str:
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_exception, KeyError("it"))
        try:
            await future
        except KeyError as error:
            return repr(error)
        return "nothing"

    assert await Worker.run(worker, work) == "KeyError('it')"


async def test_a_cancelled_future_is_a_cancelled_error_where_it_is_awaited(worker):
    async def work() -> str:
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.cancel)
        try:
            await future
        except asyncio.CancelledError:
            return "cancelled"
        return "nothing"

    assert await Worker.run(worker, work) == "cancelled"
    assert await Worker.run(worker, work) == "cancelled"


class Odd:
    """Awaiting it yields *value*, which is no future."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, None, None]:
        yield self.value


async def test_what_asyncio_cannot_wait_for_is_its_error_where_it_is_awaited(worker):
    async def work(value: object) -> str:
        try:
            await Odd(value)
        except RuntimeError as error:
            return str(error)
        return "nothing"

    assert await Worker.run(worker, lambda: work(42)) == "Task got bad yield: 42"
    other = asyncio.new_event_loop()
    try:
        foreign = other.create_future()

        async def wait_for_foreign() -> str:
            try:
                await foreign
            except RuntimeError as error:
                return str(error)
            return "nothing"

        assert "attached to a different loop" in await Worker.run(worker, wait_for_foreign)
    finally:
        other.close()

    async def wait_for_oneself() -> str:
        task: Any = asyncio.current_task()
        try:
            await task
        except RuntimeError as error:
            return str(error)
        return "nothing"

    assert "cannot await on itself" in await Worker.run(worker, wait_for_oneself)


async def test_a_handler_that_cancels_its_task_is_cancelled_where_it_suspends_next(worker):
    story: list[str] = []

    async def work(wait: Work) -> str:
        task: Any = asyncio.current_task()
        task.cancel("enough")
        story.append("not at once")
        try:
            await wait()
        except asyncio.CancelledError as error:
            return str(error)
        return "never"

    assert await Worker.run(worker, lambda: work(lambda: asyncio.sleep(0))) == "enough"
    assert await Worker.run(worker, lambda: work(lambda: asyncio.sleep(1))) == "enough"
    assert story == ["not at once"] * 2


async def test_a_handler_that_cancels_its_task_and_is_done_answers_and_the_next_has_another(worker):
    async def work() -> str:
        task: Any = asyncio.current_task()
        task.cancel()
        return "answered"

    old = await Worker.task(worker)
    assert await Worker.run(worker, work) == "answered"
    await wait_until(old.done)
    new = await Worker.task(worker)
    assert new is not old
    assert new.cancelling() == 0


async def test_a_cancelled_wait_for_a_task_goes_on_when_that_task_has_ended(worker):
    story: list[str] = []

    async def slow_to_go() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(0.001)
            story.append("the inner one has ended")

    async def work() -> str:
        inner = asyncio.ensure_future(slow_to_go())
        await asyncio.sleep(0)
        task: Any = asyncio.current_task()
        asyncio.get_running_loop().call_soon(task.cancel)
        try:
            await inner
        except asyncio.CancelledError:
            story.append("cancelled")
        return "went on"

    assert await Worker.run(worker, work) == "went on"
    assert story == ["the inner one has ended", "cancelled"]


@pytest.mark.parametrize("wait", ["a pass", "a future", "an answer"])
async def test_a_killed_server_unwinds_where_its_handler_stands(worker, wait):
    story: list[str] = []
    other = await Worker.start()
    never = asyncio.Event()

    async def work() -> None:
        try:
            if wait == "a pass":
                while True:
                    await asyncio.sleep(0)
            elif wait == "a future":
                await never.wait()
            else:
                await Worker.run(other, never.wait)
        finally:
            await asyncio.sleep(0.001)  # a clean-up may take its time, and is not cancelled again
            story.append("unwound")

    Worker.go(worker, work)
    await wait_until(lambda: suspended(worker))
    st.exit(worker, st.KILL)

    assert await wait_down(worker) is st.KILLED
    assert story == ["unwound"]
    st.exit(other, st.KILL)
    await wait_down(other)


async def test_a_server_that_is_killed_on_the_stack_unwinds_where_its_handler_suspends(worker):
    story: list[str] = []

    async def work() -> None:
        worker.runtime.exit(worker, st.KILL, None)  # what somebody does whom it calls
        story.append("still on the stack")
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(0.001)
            story.append("unwound")

    with pytest.raises(st.ServerExitError, match="KILLED"):
        await Worker.run(worker, work)
    assert story == ["still on the stack", "unwound"]


async def test_a_server_that_is_killed_on_the_stack_has_still_answered(worker):
    async def work() -> str:
        worker.runtime.exit(worker, st.KILL, None)  # what somebody does whom it calls
        return "answered"

    assert await Worker.run(worker, work) == "answered"
    assert not worker.is_alive()


async def test_a_handler_that_ignores_its_end_is_closed_after_the_grace(worker):
    story: list[str] = []

    async def work() -> None:
        try:
            while True:
                try:
                    await asyncio.sleep(0.01)
                except asyncio.CancelledError:
                    story.append("ignored")
        finally:
            story.append("closed")

    Worker.go(worker, work)
    await wait_until(lambda: suspended(worker))
    st.exit(worker, st.KILL)

    assert await wait_down(worker, timeout=10) is st.KILLED
    assert story == ["ignored", "closed"]


async def test_a_crash_in_a_later_step_is_reported_with_its_message(worker, caplog):
    async def work() -> None:
        await asyncio.sleep(0)
        raise ValueError("late")

    with pytest.raises(st.ServerExitError) as caught:
        await Worker.run(worker, work)
    assert repr(caught.value.reason) == "Crashed(ValueError: late)"
    assert "last message: call run(" in caplog.text


async def test_a_suspended_handler_can_be_seen(worker):
    never = asyncio.Event()

    async def stands_here() -> None:
        await never.wait()

    Worker.go(worker, stands_here)
    await wait_until(lambda: suspended(worker))

    assert "in stands_here" in worker.runtime.info(worker).stack
    told = [line for line in describe_tasks(asyncio.get_running_loop()) if "Worker" in line]
    assert len(told) == 1
    assert "stands_here" in told[0]
    st.exit(worker, st.KILL)
    await wait_down(worker)


async def test_a_wait_for_another_server_is_in_the_wait_chain(worker):
    other = await Worker.start()
    never = asyncio.Event()
    Worker.go(worker, lambda: Worker.run.within(None)(other, never.wait))
    await wait_until(lambda: suspended(worker))

    assert worker.runtime.info(worker).waiting_for is other
    for pid in (worker, other):
        st.exit(pid, st.KILL)
        await wait_down(pid)


async def test_a_chain_of_calls_from_handler_to_handler_is_never_too_long(runtime):
    class Link(st.GenServer):
        def __init__(self, following: st.Pid[Link] | None) -> None:
            self.following = following

        @st.call
        async def depth(self) -> int:
            return 0 if self.following is None else 1 + await Link.depth(self.following)

    link: st.Pid[Link] | None = None
    for _ in range(500):
        link = await Link.start_link(link)
        await Link.depth.within(60.0)(link)  # each has its parked task then
    assert link is not None
    assert await Link.depth(link) == 499


@VIRTUAL
async def test_a_call_timeout_meets_a_handler_that_was_called_directly(runtime):
    pid = await Worker.start()
    await Worker.task(pid)

    with pytest.raises(st.CallTimeoutError, match="running run"):
        await Worker.run.within(2.0)(pid, lambda: asyncio.sleep(3))
    assert runtime.now() == 2.0
    assert await Worker.run(pid, lambda: asyncio.sleep(0, "alive")) == "alive"
    await turn()


async def test_messages_wait_while_a_handler_is_suspended(worker):
    story: list[int] = []

    async def one(number: int) -> None:
        await asyncio.sleep(0 if number % 2 else 0.001)
        story.append(number)

    for number in range(6):
        Worker.go(worker, lambda number=number: one(number))
    await Worker.task(worker)
    assert story == list(range(6))


async def test_the_exit_of_a_handler_is_no_cycle_for_the_collector(runtime):
    import gc

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("once")

    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            pid = await Worker.start()
            await Worker.task(pid)
            with pytest.raises(st.ServerExitError):
                await Worker.run(pid, fail)
            await wait_down(pid)
        await turn(5)
        alive = [one for one in gc.get_objects() if type(one) is Worker]
        assert alive == []
    finally:
        gc.enable()
