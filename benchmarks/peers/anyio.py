"""anyio: a task group and a capacity limiter."""

from __future__ import annotations

import time
from importlib.metadata import version

import anyio

from benchmarks.plain.service import AT_A_TIME, Step, plus_one, plus_one_suspending
from benchmarks.protocol import Ask, Metrics
from benchmarks.worker import Workload

VERSION = version("anyio")


async def _stream(ask: Ask, step: Step) -> Metrics:
    """Places are taken before a task is made, so that no more than the limit exist at a time."""
    places = anyio.Semaphore(AT_A_TIME)
    results = [0] * ask.n

    async def in_place(item: int) -> None:
        try:
            results[item] = await step(item)
        finally:
            places.release()

    start = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for item in range(ask.n):
            await places.acquire()
            tasks.start_soon(in_place, item)
    took = time.perf_counter() - start
    assert sum(results) == ask.n * (ask.n + 1) // 2
    return {"seconds": took}


async def stream(ask: Ask) -> Metrics:
    return await _stream(ask, plus_one)


async def stream_suspending(ask: Ask) -> Metrics:
    return await _stream(ask, plus_one_suspending)


WORKLOADS: dict[str, Workload] = {"stream": stream, "stream_suspending": stream_suspending}
