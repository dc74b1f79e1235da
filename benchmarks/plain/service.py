"""Lookup, streams and the mixed service in plain asyncio: a dict, a semaphore, and actors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from benchmarks.plain.actor import INCREMENT, Actor
from benchmarks.protocol import Ask, Metrics
from benchmarks.worker import Workload

KEYS, CLIENTS, AT_A_TIME = 1_000, 100, 100
Step: TypeAlias = Callable[[int], Coroutine[Any, Any, int]]


async def via(ask: Ask) -> Metrics:
    registry = {key: Actor() for key in range(KEYS)}
    await registry[KEYS - 1].call()
    start = time.perf_counter()
    for i in range(ask.n):
        await registry[i % KEYS].call()
    took = time.perf_counter() - start
    for actor in registry.values():
        await actor.stop()
    return {"seconds": took}


async def plus_one(item: int) -> int:
    return item + 1


async def plus_one_suspending(item: int) -> int:
    await asyncio.sleep(0)
    return item + 1


async def stream(ask: Ask) -> Metrics:
    return await _stream(ask.n, plus_one)


async def stream_suspending(ask: Ask) -> Metrics:
    return await _stream(ask.n, plus_one_suspending)


async def _stream(n: int, step: Step) -> Metrics:
    places = asyncio.Semaphore(AT_A_TIME)

    async def in_place(item: int) -> int:
        async with places:
            return await step(item)

    start = time.perf_counter()
    results = await asyncio.gather(*(in_place(item) for item in range(n)))
    took = time.perf_counter() - start
    assert sum(results) == n * (n + 1) // 2
    return {"seconds": took}


async def service(ask: Ask) -> Metrics:
    loop = asyncio.get_running_loop()
    registry = {key: Actor() for key in range(KEYS)}
    await registry[KEYS - 1].call()
    latency: list[float] = []

    async def client(first: int) -> None:
        for i in range(ask.n // CLIENTS):
            start = time.perf_counter()
            await registry[(first + i) % KEYS].call()
            latency.append(time.perf_counter() - start)
            if i % 2 == 0:
                registry[(first + i + 1) % KEYS].cast(INCREMENT)
            if i % 4 == 0:
                loop.call_later(60.0, registry[first].cast, INCREMENT).cancel()

    start = time.perf_counter()
    await asyncio.gather(*(asyncio.create_task(client(7 * i)) for i in range(CLIENTS)))
    took = time.perf_counter() - start
    for actor in registry.values():
        await actor.stop()
    return {"seconds": took, "latency": latency}


WORKLOADS: dict[str, Workload] = {
    "via": via,
    "stream": stream,
    "stream_suspending": stream_suspending,
    "service": service,
}
