"""aiometer: `run_all` with `max_at_once`, results in order."""

from __future__ import annotations

import time
from functools import partial
from importlib.metadata import version

import aiometer

from benchmarks.plain.service import AT_A_TIME, Step, plus_one, plus_one_suspending
from benchmarks.protocol import Ask, Metrics
from benchmarks.worker import Workload

VERSION = version("aiometer")


async def _stream(ask: Ask, step: Step) -> Metrics:
    start = time.perf_counter()
    results = await aiometer.run_all(
        [partial(step, item) for item in range(ask.n)], max_at_once=AT_A_TIME
    )
    took = time.perf_counter() - start
    assert sum(results) == ask.n * (ask.n + 1) // 2
    return {"seconds": took}


async def stream(ask: Ask) -> Metrics:
    return await _stream(ask, plus_one)


async def stream_suspending(ask: Ask) -> Metrics:
    return await _stream(ask, plus_one_suspending)


WORKLOADS: dict[str, Workload] = {"stream": stream, "stream_suspending": stream_suspending}
