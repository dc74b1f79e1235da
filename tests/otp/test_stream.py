"""S200 to S202: a task for each item, as many at a time as there are places."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import suptree as st
from suptree.testing import turn, wait_down, wait_until


class Gates:
    """Tasks that end when the test says so."""

    def __init__(self) -> None:
        self.running: list[Any] = []
        self.pulled: list[Any] = []

    def inputs(self, items: Any) -> Iterator[Any]:
        for item in items:
            self.pulled.append(item)
            yield item

    async def work(self, item: Any) -> Any:
        self.running.append(item)
        await st.receive(lambda message: message == "go")
        return f"done {item}"


@pytest.fixture
async def tasks(runtime: st.Runtime) -> st.Pid[Any]:
    return await st.TaskSupervisor.start_link(name="tasks")


def stream(function: Callable[[Any], Any], inputs: Any, **options: Any) -> st.TaskStream[Any]:
    return st.TaskSupervisor.stream("tasks", function, inputs, **options)


async def running() -> list[st.Pid[Any]]:
    return await st.TaskSupervisor.children("tasks")


async def double(number: int) -> int:
    await asyncio.sleep(number % 3)
    return 2 * number


def fails_on(bad: Any) -> Callable[[Any], Any]:
    async def work(item: Any) -> Any:
        await asyncio.sleep(0)
        if item == bad:
            st.exit("bad item")
        return item

    return work


def mailbox() -> list[Any]:
    return list(st.current()._process.mailbox)


# -- results ------------------------------------------------------------------------------


@pytest.mark.otp("S200")
@pytest.mark.suptree_loop("virtual")
async def test_an_ordered_stream_gives_results_in_the_order_of_its_inputs(tasks):
    results = [r async for r in stream(double, range(20), max_concurrency=5)]

    assert results == [st.TaskValue(2 * number) for number in range(20)]


@pytest.mark.otp("S200")
@pytest.mark.suptree_loop("virtual")
async def test_an_unordered_stream_gives_results_as_they_come(tasks):
    async def wait(seconds: int) -> int:
        await asyncio.sleep(seconds)
        return seconds

    results = [r.result() async for r in stream(wait, [3, 1, 2], max_concurrency=3, ordered=False)]

    assert results == [1, 2, 3]


@pytest.mark.otp("S200")
@pytest.mark.suptree_loop("virtual")
async def test_no_more_tasks_run_at_a_time_than_there_are_places(tasks):
    at_once: list[int] = []
    now = 0

    async def work(item: int) -> int:
        nonlocal now
        now += 1
        at_once.append(now)
        await asyncio.sleep(item % 4)
        now -= 1
        return item

    async for _ in stream(work, range(30), max_concurrency=4):
        pass

    assert max(at_once) == 4


async def test_plain_functions_empty_inputs_and_one_place_work_too(tasks):
    assert [r.result() async for r in stream(str, [1, 2], max_concurrency=1)] == ["1", "2"]
    assert [r async for r in stream(str, [])] == []


@pytest.mark.suptree_loop("virtual")
async def test_a_stream_without_a_supervisor_works_the_same(runtime):
    results = [r.result() async for r in st.Task.stream(double, range(9), max_concurrency=3)]

    assert results == [2 * number for number in range(9)]


async def test_ten_thousand_items_leave_nothing(tasks, runtime):
    total = 0
    async for result in stream(lambda n: n, range(10_000), max_concurrency=16):
        total += result.result()

    assert total == sum(range(10_000))
    assert await running() == []
    assert not st.current()._process.owned
    assert mailbox() == []
    assert runtime.ticker.timers.live == 0


# -- back-pressure --------------------------------------------------------------------------


@pytest.mark.otp("S200")
async def test_nothing_starts_before_the_first_result_is_asked_for(tasks):
    gates = Gates()
    stream(gates.work, gates.inputs([1, 2, 3]))
    await turn(3)

    assert gates.pulled == []


@pytest.mark.otp("S200")
async def test_inputs_are_pulled_as_places_get_free(tasks):
    gates = Gates()
    results = stream(gates.work, gates.inputs(range(100)), max_concurrency=3, timeout=None)
    asking = asyncio.ensure_future(anext(results))
    await wait_until(lambda: len(gates.running) == 3)
    assert gates.pulled == [0, 1, 2]

    for pid in await running():
        st.send(pid, "go")
    assert await asking == st.TaskValue("done 0")
    await turn(5)

    # Two results wait to be taken: the one place that is free is not worth more than that.
    assert len(gates.pulled) == 3
    await results.aclose()


@pytest.mark.otp("S200")
@pytest.mark.parametrize("ordered", [True, False])
async def test_a_slow_consumer_holds_the_stream_back(tasks, ordered):
    gates = Gates()
    results = stream(str, gates.inputs(range(1000)), max_concurrency=4, ordered=ordered)
    for _ in range(50):
        await anext(results)
        await turn(10)

    assert len(gates.pulled) <= 50 + 4
    await results.aclose()


@pytest.mark.otp("S200")
async def test_a_slow_first_item_does_not_hold_the_others_back(tasks):
    gates = Gates()
    results = stream(gates.work, gates.inputs(range(6)), max_concurrency=2, timeout=None)
    asking = asyncio.ensure_future(anext(results))
    await wait_until(lambda: len(gates.running) == 2)
    first = (await running())[0]
    for count in range(3, 7):
        others = [pid for pid in await running() if pid is not first]
        st.send(others[0], "go")
        await wait_until(lambda count=count: len(gates.running) == count)

    assert not asking.done()
    for pid in await running():
        st.send(pid, "go")
    rest = [await asking] + [r async for r in results]
    assert rest == [st.TaskValue(f"done {number}") for number in range(6)]


@pytest.mark.otp("S200")
async def test_an_async_input_does_not_hold_back_results_that_are_there(tasks):
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def inputs() -> AsyncIterator[int]:
        while True:
            yield await queue.get()

    results = stream(str, inputs(), max_concurrency=3)
    queue.put_nowait(1)
    assert await anext(results) == st.TaskValue("1")
    queue.put_nowait(2)
    assert await anext(results) == st.TaskValue("2")
    await results.aclose()


@pytest.mark.otp("S200")
async def test_an_async_input_that_ends_ends_the_stream(tasks):
    async def inputs() -> AsyncIterator[int]:
        for number in range(7):
            await asyncio.sleep(0.1)
            yield number

    assert [r.result() async for r in stream(str, inputs(), max_concurrency=2)] == list("0123456")


@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_what_the_input_raises_goes_to_the_consumer_and_ends_the_stream(tasks, kind):
    def plain() -> Iterator[int]:
        yield 1
        raise OSError("input is gone")

    async def later() -> AsyncIterator[int]:
        yield 1
        raise OSError("input is gone")

    gates = Gates()
    results = stream(gates.work, plain() if kind == "plain" else later(), max_concurrency=2)

    with pytest.raises(OSError, match="input is gone"):
        await anext(results)
    assert await running() == []
    with pytest.raises(StopAsyncIteration):
        await anext(results)


# -- failures ------------------------------------------------------------------------------


@pytest.mark.otp("S200")
async def test_a_task_without_a_value_is_the_end_of_a_consumer_that_does_not_trap(tasks, runtime):
    async def consumer() -> None:
        async for _ in stream(fails_on(2), range(5), max_concurrency=2):
            pass

    assert await wait_down(runtime.spawn(consumer)) == "bad item"
    await turn(3)
    assert await running() == []


@pytest.mark.otp("S200")
async def test_a_task_without_a_value_is_a_result_for_a_consumer_that_traps(tasks):
    results = [r async for r in stream(fails_on(1), range(3), max_concurrency=2)]

    assert results == [st.TaskValue(0), st.TaskExit("bad item"), st.TaskValue(2)]
    assert mailbox() == []  # S202


@pytest.mark.otp("S200")
async def test_a_task_without_a_value_is_a_result_without_a_link(tasks, runtime):
    async def consumer() -> Any:
        return [r async for r in stream(fails_on(1), range(3), max_concurrency=2, link=False)]

    assert await st.Task.async_(consumer) == [
        st.TaskValue(0),
        st.TaskExit("bad item"),
        st.TaskValue(2),
    ]


@pytest.mark.otp("S201")
async def test_zip_input_on_exit_names_the_item(tasks):
    results = stream(fails_on(1), range(2), max_concurrency=2, zip_input_on_exit=True)

    assert [r async for r in results] == [st.TaskValue(0), st.TaskExit("bad item", 1)]


@pytest.mark.otp("S201")
@pytest.mark.suptree_loop("virtual")
async def test_a_task_that_is_late_raises_in_the_consumer(tasks, runtime):
    gates = Gates()
    begun = runtime.now()

    with pytest.raises(st.TaskTimeoutError, match=r"no value within 5\.0 s"):
        async for _ in stream(gates.work, range(3), max_concurrency=2):
            pass
    assert runtime.now() - begun == pytest.approx(5.0, abs=0.1)
    assert await running() == []


@pytest.mark.otp("S201")
@pytest.mark.suptree_loop("virtual")
async def test_a_task_that_is_late_is_killed_and_its_item_says_so(tasks, runtime):
    async def work(seconds: int) -> int:
        await asyncio.sleep(seconds)
        return seconds

    async def consumer() -> Any:
        return [
            r
            async for r in stream(
                work, [1, 9, 2], timeout=3.0, on_timeout="kill_task", zip_input_on_exit=True
            )
        ]

    assert await st.Task.async_(consumer) == [
        st.TaskValue(1),
        st.TaskExit("timeout", 9),
        st.TaskValue(2),
    ]


@pytest.mark.otp("S201")
@pytest.mark.suptree_loop("virtual")
async def test_each_task_has_the_time_for_itself(tasks, runtime):
    async def work(item: int) -> int:
        await asyncio.sleep(4)
        return item

    assert [r.result() async for r in stream(work, range(3), max_concurrency=1)] == [0, 1, 2]


# -- leaving early -------------------------------------------------------------------------------


@pytest.mark.otp("S202")
async def test_closing_a_stream_kills_its_tasks_and_waits_for_their_end(tasks):
    gates = Gates()

    async def quick_or_gate(item: int) -> Any:
        return item if item == 0 else await gates.work(item)

    async with stream(quick_or_gate, range(9), max_concurrency=3) as results:
        assert await anext(results) == st.TaskValue(0)
        assert len(await running()) == 2

    assert await running() == []
    assert mailbox() == []
    assert not st.current()._process.owned


@pytest.mark.otp("S202")
async def test_a_break_kills_its_tasks_soon(tasks):
    gates = Gates()

    async def quick_or_gate(item: int) -> Any:
        return item if item == 0 else await gates.work(item)

    async for _ in stream(quick_or_gate, range(9), max_concurrency=3):
        break
    gc.collect()
    await turn(5)

    assert await running() == []
    assert not st.current()._process.owned


@pytest.mark.otp("S202")
@pytest.mark.parametrize("reason", ["bad", st.KILL, st.NORMAL])
async def test_the_end_of_its_consumer_kills_the_tasks(tasks, runtime, reason):
    gates = Gates()
    kept: list[Any] = []

    async def consumer() -> None:
        results = stream(gates.work, range(9), max_concurrency=3)
        kept.append(results)  # not the garbage collector does it
        try:
            async with asyncio.timeout(1):
                await anext(results)
        except TimeoutError:
            st.exit(reason)

    await wait_down(runtime.spawn(consumer))
    await turn(5)

    assert len(gates.running) == 3
    assert await running() == []


@pytest.mark.otp("S202")
@pytest.mark.suptree_loop("virtual")
async def test_a_wait_for_a_result_that_is_cancelled_loses_nothing(tasks):
    async def slow(item: int) -> int:
        await asyncio.sleep(2)
        return item

    results = stream(slow, range(4), max_concurrency=2)
    taken: list[Any] = []
    while len(taken) < 4:
        try:
            async with asyncio.timeout(0.7):
                taken.append((await anext(results)).result())
        except TimeoutError:
            continue

    assert taken == [0, 1, 2, 3]
    await results.aclose()


@pytest.mark.otp("S202")
async def test_a_place_is_free_when_its_task_is_down(tasks):
    ended: list[bool] = []
    pids: list[st.Pid[Any]] = []

    async def work(item: int) -> int:
        ended.extend(pid.is_alive() for pid in pids if pid is not st.current())
        pids.append(st.current())
        return item

    async for _ in stream(work, range(20), max_concurrency=1):
        pass

    assert len(pids) == 20
    assert not any(ended)


async def test_the_death_of_the_supervisor_is_told(tasks, caplog):
    caplog.set_level(logging.CRITICAL)
    gates = Gates()
    results = stream(gates.work, range(9), max_concurrency=2, timeout=None)
    asking = asyncio.ensure_future(anext(results))
    await wait_until(lambda: len(gates.running) == 2)
    st.exit(tasks, st.KILL)

    assert await asking == st.TaskExit(st.KILLED)
    with pytest.raises(st.NoProcessError):
        async for _ in results:
            pass


async def test_only_one_process_takes_the_results(tasks):
    results = stream(str, range(3), max_concurrency=1)
    await anext(results)

    async def thief() -> None:
        with pytest.raises(st.TaskOwnerError):
            await anext(results)

    await st.Task.async_(thief)
    assert [r.result() async for r in results] == ["1", "2"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"max_concurrency": 0}, "max_concurrency must be an int of at least 1"),
        ({"timeout": -1}, "timeout must be"),
        ({"on_timeout": "ignore"}, "on_timeout must be 'exit' or 'kill_task'"),
    ],
)
async def test_wrong_options_are_refused(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        stream(str, [], **options)


@pytest.mark.otp("S202")
async def test_linked_tasks_end_with_the_reason_of_their_consumer(tasks, runtime):
    gates = Gates()

    async def consumer() -> None:
        async with stream(gates.work, range(2), max_concurrency=2) as results:
            await anext(results)

    pid = runtime.spawn(consumer)
    await wait_until(lambda: len(gates.running) == 2)
    refs = [st.monitor(task) for task in await running()]
    st.exit(pid, "bad")

    assert [(await st.receive(st.Down)).reason for _ in refs] == ["bad", "bad"]


@pytest.mark.otp("S202")
async def test_an_end_that_was_not_looked_at_keeps_its_place(tasks):
    gates = Gates()

    begun: list[int] = []

    async def work(item: int) -> Any:
        begun.append(item)
        return await gates.work(item) if item == 1 else item

    async with stream(work, range(9), max_concurrency=3) as results:
        assert await anext(results) == st.TaskValue(0)
        assert begun == [0, 1, 2]
