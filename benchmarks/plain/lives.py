"""Starting, stopping, crashing and memory of plain asyncio actors."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable

from benchmarks.plain.actor import CRASH, Actor, keep_alive
from benchmarks.protocol import Ask, Metrics
from benchmarks.reports import built_reports, no_reports
from benchmarks.resident import resident_bytes
from benchmarks.worker import Workload


async def spawn_stop(ask: Ask) -> Metrics:
    start = time.perf_counter()
    for _ in range(ask.n):
        actor = Actor()
        await actor.stop()
    return {"seconds": time.perf_counter() - start}


async def crowd(ask: Ask) -> Metrics:
    start = time.perf_counter()
    actors = [Actor() for _ in range(ask.n)]
    await actors[-1].call()  # all have begun
    for actor in actors:
        await actor.stop()
    return {"seconds": time.perf_counter() - start}


async def memory(ask: Ask) -> Metrics:
    async def spawn() -> Actor:
        return Actor()

    return await _memory(ask.n, spawn)


async def memory_supervised(ask: Ask) -> Metrics:
    """Each has a keeper that starts it again, and a callback that tells of its end: a supervisor and a monitor."""
    keepers: set[asyncio.Task[None]] = set()
    ended: list[asyncio.Task[None]] = []
    up: asyncio.Queue[Actor] = asyncio.Queue()

    async def spawn() -> Actor:
        keeper = asyncio.create_task(keep_alive(up))
        keepers.add(keeper)
        keeper.add_done_callback(keepers.discard)
        actor = await up.get()
        actor.task.add_done_callback(ended.append)
        return actor

    return await _memory(ask.n, spawn)


async def _memory(n: int, spawn: Callable[[], Awaitable[Actor]]) -> Metrics:
    warm = await spawn()
    await warm.call()
    gc.collect()
    before = resident_bytes()
    actors = [await spawn() for _ in range(n)]
    for actor in actors:
        await actor.call()
    grown = resident_bytes() - before
    for actor in [warm, *actors]:
        await actor.stop()
    return {"bytes": grown / n}


async def restart(ask: Ask) -> Metrics:
    """The report of each crash is built, and dropped."""
    with built_reports("benchmarks.plain"):
        return await _restarts(ask.n)


async def _restarts(n: int) -> Metrics:
    up: asyncio.Queue[Actor] = asyncio.Queue()
    keeper = asyncio.create_task(keep_alive(up))
    actor, latency = await up.get(), []
    for _ in range(n):
        start = time.perf_counter()
        actor.cast(CRASH)
        actor = await up.get()
        await actor.call()
        latency.append(time.perf_counter() - start)
    await actor.stop()
    await keeper
    return {"latency": latency}


async def storm(ask: Ask) -> Metrics:
    no_reports("benchmarks.plain")
    up: asyncio.Queue[Actor] = asyncio.Queue()
    keepers = [asyncio.create_task(keep_alive(up)) for _ in range(ask.n)]
    first = [await up.get() for _ in range(ask.n)]
    await first[-1].call()
    start = time.perf_counter()
    for actor in first:
        actor.cast(CRASH)
    second = [await up.get() for _ in range(ask.n)]
    took = time.perf_counter() - start
    for actor in second:
        await actor.call()
        await actor.stop()
    await asyncio.gather(*keepers)
    return {"seconds": took}


WORKLOADS: dict[str, Workload] = {
    "spawn_stop": spawn_stop,
    "crowd": crowd,
    "memory": memory,
    "memory_supervised": memory_supervised,
    "restart": restart,
    "storm": storm,
}
