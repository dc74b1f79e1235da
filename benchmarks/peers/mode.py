"""mode: a service whose task reads a queue. It has no calls of its own: a future goes with the message."""

from __future__ import annotations

import asyncio
import time
from importlib.metadata import version

import mode

from benchmarks.protocol import Ask, Metrics
from benchmarks.worker import Workload

VERSION = version("mode-streaming")


class Counter(mode.Service):
    """A service over a queue."""

    def __post_init__(self) -> None:
        self.count = 0
        self.inbox: asyncio.Queue[asyncio.Future[int] | None] = asyncio.Queue()

    @mode.Service.task
    async def _work(self) -> None:
        while not self.should_stop:
            reply = await self.inbox.get()
            self.count += 1
            if reply is not None:
                reply.set_result(self.count)

    async def call(self) -> int:
        reply: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.inbox.put_nowait(reply)
        return await reply


async def call(ask: Ask) -> Metrics:
    counter = Counter()
    await counter.start()
    start = time.perf_counter()
    for _ in range(ask.n):
        await counter.call()
    took = time.perf_counter() - start
    await counter.stop()
    return {"seconds": took}


async def cast(ask: Ask) -> Metrics:
    counter = Counter()
    await counter.start()
    start = time.perf_counter()
    for _ in range(ask.n):
        counter.inbox.put_nowait(None)
    assert await counter.call() == ask.n + 1
    took = time.perf_counter() - start
    await counter.stop()
    return {"seconds": took}


async def spawn_stop(ask: Ask) -> Metrics:
    start = time.perf_counter()
    for _ in range(ask.n):
        counter = Counter()
        await counter.start()
        await counter.stop()
    return {"seconds": time.perf_counter() - start}


WORKLOADS: dict[str, Workload] = {"call": call, "cast": cast, "spawn_stop": spawn_stop}
