"""Batches: results in order or as they come, at the pace of the consumer, within the limit of the pool."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    TaskPoolConfig,
    TaskPoolFullError,
    TaskPoolManager,
    TaskPoolTimeoutError,
    UnknownTaskPoolError,
)
from tests.services.task_pools.world import Work, conserved, now, service, standing

pytestmark = pytest.mark.suptree_loop("virtual")


async def nap(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


def odd_only(number: int) -> int:
    if number % 2 == 0:
        raise ValueError(number)
    return number


async def gather(pools: Any, items: Any, function: Any, **options: Any) -> list[Any]:
    batch = TaskPoolManager.execute_batch(pools, "work", items, function, **options)
    return [done async for done in batch]


async def test_a_batch_gives_the_values_in_the_order_of_its_items(runtime):
    pools = await service()

    assert await gather(pools, [3, 1, 2], nap) == [
        st.TaskValue(3),
        st.TaskValue(1),
        st.TaskValue(2),
    ]


async def test_an_unordered_batch_gives_them_as_they_come(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=3))

    results = await gather(pools, [3, 1, 2], nap, ordered=False)

    assert [done.value for done in results] == [1, 2, 3]


async def test_an_item_that_fails_is_a_result_like_any_other(runtime):
    pools = await service()

    results = await gather(pools, range(4), odd_only, zip_input_on_exit=True)

    assert [isinstance(done, st.TaskValue) for done in results] == [False, True, False, True]
    assert [done.input for done in results if isinstance(done, st.TaskExit)] == [0, 2]
    status = await standing(pools, 0, 0)
    assert (status.completed, status.failed) == (2, 2)


async def test_an_async_input_is_taken_like_a_plain_one(runtime):
    pools = await service()

    async def items() -> AsyncIterator[int]:
        for number in range(5):
            await asyncio.sleep(0.1)
            yield number

    assert [done.value for done in await gather(pools, items(), nap)] == [0, 1, 2, 3, 4]


async def test_back_pressure_reaches_the_input(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=3))
    taken = []

    def endless() -> Iterator[int]:
        number = 0
        while True:
            taken.append(number)
            yield number
            number += 1

    async with TaskPoolManager.execute_batch(pools, "work", endless(), odd_only) as batch:
        for results in range(10):
            await anext(batch)
            await asyncio.sleep(5.0)  # a slow consumer
            assert len(taken) <= results + 4


async def test_a_batch_may_have_less_at_once_than_its_pool(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=10))
    work = Work()

    await gather(pools, range(8), work, max_concurrency=2)

    assert work.most == 2


async def test_nothing_starts_before_the_first_result_is_asked_for(runtime):
    pools = await service()
    TaskPoolManager.execute_batch(pools, "work", range(5), nap)
    await asyncio.sleep(1.0)

    assert (await standing(pools, 0, 0)).submitted == 0


async def test_an_item_over_its_time_is_ended_and_the_batch_goes_on(runtime):
    pools = await service()

    results = await gather(pools, [1.0, 100.0, 2.0], nap, timeout=5.0, zip_input_on_exit=True)

    assert results == [st.TaskValue(1.0), st.TaskExit("timeout", 100.0), st.TaskValue(2.0)]
    assert (await standing(pools, 0, 0)).timed_out == 1


async def test_the_time_of_the_pool_holds_for_a_batch_without_its_own(runtime):
    pools = await service(TaskPoolConfig(timeout=3.0))

    assert await gather(pools, [100.0], nap) == [st.TaskExit("timeout")]
    assert now() == pytest.approx(3.0)


async def test_with_on_timeout_exit_the_consumer_is_told_and_the_batch_is_over(runtime):
    pools = await service()
    batch = TaskPoolManager.execute_batch(
        pools, "work", [100.0, 200.0, 1.0], nap, timeout=5.0, on_timeout="exit"
    )

    with pytest.raises(TaskPoolTimeoutError, match="within 5 s"):
        await anext(batch)
    await standing(pools, 0, 0)
    with pytest.raises(StopAsyncIteration):
        await anext(batch)


async def test_a_batch_that_cannot_begin_is_refused(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=1, max_waiting=0))
    holder = await TaskPoolManager.execute_task(pools, "work", nap, 50.0)

    with pytest.raises(TaskPoolFullError) as caught:
        await gather(pools, range(5), nap)

    assert caught.value.why == "line_full"
    await st.Task.shutdown(holder)


async def test_a_batch_that_has_begun_waits_for_its_places_and_is_not_refused(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=2, max_waiting=0, wait_timeout=1.0))
    batch = TaskPoolManager.execute_batch(pools, "work", [5.0] * 6, nap)
    first = asyncio.ensure_future(anext(batch))
    await standing(pools, 2, 0)
    await asyncio.sleep(1.0)
    assert (await first).value == 5.0
    await TaskPoolManager.execute_task(pools, "work", nap, 20.0)

    assert [done.value async for done in batch] == [5.0] * 5


async def test_a_batch_for_a_pool_that_is_not_there_takes_no_item(runtime):
    pools = await service()
    items = iter([1, 2, 3])

    with pytest.raises(UnknownTaskPoolError):
        await anext(TaskPoolManager.execute_batch(pools, "wrok", items, nap))
    assert list(items) == [1, 2, 3]


@pytest.mark.parametrize("how", ["aclose", "break", "killed"])
async def test_a_batch_that_is_left_ends_its_tasks_and_leaves_the_line(runtime, how):
    pools = await service(TaskPoolConfig(max_concurrency=3, wait_timeout=None))
    holder = await TaskPoolManager.execute_task(pools, "work", nap, 50.0)
    work = Work()

    async def consumer() -> None:
        batch = TaskPoolManager.execute_batch(pools, "work", range(100), work)
        async for _ in batch:
            if how == "killed":
                st.exit(st.KILL)
            break
        if how == "aclose":
            await batch.aclose()
            assert work.inside == 0
        del batch
        await st.receive(str, timeout=5.0)

    pid = st.spawn(consumer)
    while not work.ended:
        await asyncio.sleep(0.1)
    if how == "break":
        gc.collect()
    status = await standing(pools, 1, 0)

    assert work.inside == 0
    assert conserved(status)
    assert (await TaskPoolManager.stats(pools)).owners == 1
    st.exit(pid, st.KILL)
    await st.Task.shutdown(holder)


async def test_a_batch_that_is_left_in_the_line_does_not_wait_for_places(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=1, wait_timeout=None, timeout=None))
    holder = await TaskPoolManager.execute_task(pools, "work", nap, 1000.0)
    work = Work()
    batch = TaskPoolManager.execute_batch(pools, "work", range(5), work)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3.0):
            await anext(batch)
    await standing(pools, 1, 1)
    start = now()

    await batch.aclose()
    status = await standing(pools, 1, 0)

    assert (now(), status.gave_up, work.began) == (start, 1, [])
    await st.Task.shutdown(holder)


async def test_a_batch_by_name_leaves_the_line_where_names_alone_say_no_runtime(runtime):
    pools = await service(TaskPoolConfig(max_concurrency=2, wait_timeout=None, timeout=None))
    st.register("pools", pools)
    holder = await TaskPoolManager.execute_task(pools, "work", nap, 1000.0)

    async def consumer() -> None:
        batch = TaskPoolManager.execute_batch("pools", "work", [1.0] * 9, nap)
        await anext(batch)
        del batch
        gc.collect()
        await st.receive(str)

    async with st.Runtime(name="other"):
        pid = runtime.spawn(consumer)
        await asyncio.sleep(2.0)
        status = await TaskPoolManager.status(pools, "work")

    assert (status.running, status.waiting) == (1, 0)
    st.exit(pid, st.KILL)
    await st.Task.shutdown(holder)


@pytest.mark.parametrize("turns", range(15))
async def test_nothing_of_a_batch_begins_after_it_was_left_at_any_moment(runtime, turns):
    pools = await service()
    work = Work()
    batch = TaskPoolManager.execute_batch(pools, "work", range(5), work)
    asking = asyncio.ensure_future(anext(batch))
    for _ in range(turns):
        await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])

    await batch.aclose()
    began = len(work.began)
    assert work.inside == 0
    await asyncio.sleep(1.0)

    assert len(work.began) == began
    assert conserved(await standing(pools, 0, 0))


async def test_what_taking_an_item_raises_goes_to_the_consumer_and_ends_the_batch(runtime):
    pools = await service()

    def items() -> Iterator[float]:
        yield 100.0
        raise LookupError("no more")

    with pytest.raises(LookupError):
        await gather(pools, items(), nap)
    assert (await standing(pools, 0, 0)).cancelled == 1


@pytest.mark.parametrize(
    "wrong",
    [{"max_concurrency": 0}, {"timeout": -1}, {"on_timeout": "kill"}],
    ids=str,
)
async def test_a_wrong_option_of_a_batch_is_refused_at_once(runtime, wrong):
    pools = await service()

    with pytest.raises(ValueError, match=next(iter(wrong))):
        TaskPoolManager.execute_batch(pools, "work", [], nap, **wrong)
