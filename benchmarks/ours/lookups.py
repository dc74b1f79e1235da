"""Calls through a registry, and streams of tasks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import suptree as st
from benchmarks.ours.system import Counter, supervised
from benchmarks.protocol import Ask, Metrics
from benchmarks.worker import Workload

KEYS, AT_A_TIME = 1_000, 100


async def via(ask: Ask) -> Metrics:
    async def calls(ask: Ask) -> Metrics:
        start = time.perf_counter()
        for i in range(ask.n):
            await Counter.increment(st.via("registry", i % KEYS))
        return {"seconds": time.perf_counter() - start}

    return await supervised(ask, calls, registered_counters())


def registered_counters() -> list[st.ChildSpec[object]]:
    """A registry, and the servers under its keys."""
    registry = st.Registry.child(name="registry")
    servers = [st.child(Counter).with_(name=st.via("registry", key), id=key) for key in range(KEYS)]
    return [registry, *servers]


async def plus_one(item: int) -> int:
    return item + 1


async def plus_one_suspending(item: int) -> int:
    await asyncio.sleep(0)
    return item + 1


async def stream(ask: Ask) -> Metrics:
    return await _stream(ask, plus_one)


async def stream_suspending(ask: Ask) -> Metrics:
    return await _stream(ask, plus_one_suspending)


async def _stream(ask: Ask, task: Callable[[int], Awaitable[int]]) -> Metrics:
    async def consume(ask: Ask) -> Metrics:
        total = 0
        start = time.perf_counter()
        async for done in st.TaskSupervisor.stream(
            "tasks", task, range(ask.n), max_concurrency=AT_A_TIME
        ):
            total += done.result()
        took = time.perf_counter() - start
        assert total == ask.n * (ask.n + 1) // 2
        return {"seconds": took}

    return await supervised(ask, consume, [st.TaskSupervisor.child(name="tasks")])


WORKLOADS: dict[str, Workload] = {
    "via": via,
    "stream": stream,
    "stream_suspending": stream_suspending,
}
