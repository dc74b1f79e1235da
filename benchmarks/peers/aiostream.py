"""aiostream: `stream.map` with `task_limit`."""

from __future__ import annotations

import time
from importlib.metadata import version

from aiostream import stream as streams

from benchmarks.plain.service import AT_A_TIME, Step, plus_one, plus_one_suspending
from benchmarks.protocol import Ask, Metrics
from benchmarks.worker import Workload

VERSION = version("aiostream")


async def _stream(ask: Ask, step: Step) -> Metrics:
    total = 0
    start = time.perf_counter()
    results = streams.map(streams.range(ask.n), step, ordered=True, task_limit=AT_A_TIME)
    async with results.stream() as stream:
        async for value in stream:
            total += value
    took = time.perf_counter() - start
    assert total == ask.n * (ask.n + 1) // 2
    return {"seconds": took}


async def stream(ask: Ask) -> Metrics:
    return await _stream(ask, plus_one)


async def stream_suspending(ask: Ask) -> Metrics:
    return await _stream(ask, plus_one_suspending)


WORKLOADS: dict[str, Workload] = {"stream": stream, "stream_suspending": stream_suspending}
