"""One loop and one task per test: what is left waiting is cancelled, never waited for for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from suptree.testing import VirtualDeadlockError, VirtualLoop
from suptree.testing.runner import TestRunner, loop_factory


@pytest.fixture
def runner() -> Iterator[TestRunner]:
    made = TestRunner(VirtualLoop)
    yield made
    made.close()


async def forever(log: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(1)
        log.append("cleaned up")


def test_all_coroutines_run_in_one_task_and_give_their_results(runner: TestRunner) -> None:
    async def who() -> asyncio.Task[object] | None:
        return asyncio.current_task()

    assert runner.run(who()) is runner.run(who())
    assert runner.run(asyncio.sleep(5, "value")) == "value"


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit(3)])
def test_what_a_coroutine_raises_is_raised(runner: TestRunner, error: BaseException) -> None:
    async def fails() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        runner.run(fails())

    assert caught.value is error
    assert runner.run(asyncio.sleep(0, "goes on")) == "goes on"


def test_ctrl_c_in_a_callback_cancels_the_coroutine_and_its_clean_up_runs(
    runner: TestRunner,
) -> None:
    log: list[str] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    runner.loop.call_later(3, interrupt)
    with pytest.raises(KeyboardInterrupt):
        runner.run(forever(log))

    assert log == ["cleaned up"]
    assert runner.run(asyncio.sleep(0, "goes on")) == "goes on"


def test_deadlock_shows_where_the_coroutine_waited(runner: TestRunner) -> None:
    log: list[str] = []

    with pytest.raises(VirtualDeadlockError) as caught:
        runner.run(forever(log))

    assert log == ["cleaned up"]
    assert "forever" in [entry.name for entry in caught.traceback]
    assert runner.run(asyncio.sleep(0, "goes on")) == "goes on"


def test_coroutine_that_swallows_its_cancel_is_left_to_itself() -> None:
    runner = TestRunner(VirtualLoop)
    swallowed: list[int] = []

    async def stubborn() -> None:
        while len(swallowed) < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed.append(1)

    with pytest.raises(VirtualDeadlockError):
        runner.run(stubborn())
    runner.close()

    assert runner.loop.is_closed()
    assert len(swallowed) == 2


def test_late_cancel_of_the_test_task_does_not_end_it(runner: TestRunner) -> None:
    async def who() -> asyncio.Task[object]:
        task = asyncio.current_task()
        assert task is not None
        return task

    task = runner.run(who())
    task.cancel()

    assert runner.run(asyncio.sleep(1, "goes on")) == "goes on"


def test_leftover_tasks_do_not_count_the_tests_own(runner: TestRunner) -> None:
    async def spawns() -> None:
        asyncio.create_task(asyncio.sleep(60), name="left")

    runner.run(spawns())

    assert [task.get_name() for task in runner.leftover_tasks()] == ["left"]


def test_unknown_kind_of_loop_is_refused() -> None:
    with pytest.raises(
        ValueError, match="loop must be one of virtual, asyncio, uvloop; got 'trio'"
    ):
        loop_factory("trio")
