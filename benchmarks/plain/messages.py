"""Calls, casts, fan-in and the ring between plain asyncio actors."""

from __future__ import annotations

import asyncio
import time

from benchmarks.plain.actor import INCREMENT, SUSPEND, Actor
from benchmarks.protocol import Ask, Metrics
from benchmarks.worker import Workload

SENDERS, NODES = 100, 1_000


async def call(ask: Ask) -> Metrics:
    return await _calls(ask.n, INCREMENT)


async def call_suspending(ask: Ask) -> Metrics:
    return await _calls(ask.n, SUSPEND)


async def _calls(n: int, message: object) -> Metrics:
    actor = Actor()
    start = time.perf_counter()
    for _ in range(n):
        await actor.call(message)
    took = time.perf_counter() - start
    await actor.stop()
    return {"seconds": took}


async def cast(ask: Ask) -> Metrics:
    actor = Actor()
    start = time.perf_counter()
    for _ in range(ask.n):
        actor.cast(INCREMENT)
    await actor.call()
    took = time.perf_counter() - start
    await actor.stop()
    return {"seconds": took}


async def fan_in(ask: Ask) -> Metrics:
    sink, each = Actor(), ask.n // SENDERS

    async def send() -> None:
        for _ in range(each):
            sink.cast(INCREMENT)

    start = time.perf_counter()
    senders = [asyncio.create_task(send()) for _ in range(SENDERS)]
    await asyncio.gather(*senders)
    assert await sink.call() == each * SENDERS + 1
    took = time.perf_counter() - start
    await sink.stop()
    return {"seconds": took}


class Node:
    """One of a ring: sends the token on, one hop less."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[tuple[int, asyncio.Future[None]]] = asyncio.Queue()
        self.next = self
        self.task = asyncio.create_task(self.run())

    async def run(self) -> None:
        while True:
            left, done = await self.queue.get()
            if left:
                self.next.queue.put_nowait((left - 1, done))
            else:
                done.set_result(None)


async def ring(ask: Ask) -> Metrics:
    nodes = [Node() for _ in range(NODES)]
    for node, following in zip(nodes, nodes[1:] + nodes[:1], strict=True):
        node.next = following
    await asyncio.sleep(0)
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    start = time.perf_counter()
    nodes[0].queue.put_nowait((ask.n, done))
    await done
    took = time.perf_counter() - start
    for node in nodes:
        node.task.cancel()
    await asyncio.gather(*(node.task for node in nodes), return_exceptions=True)
    return {"seconds": took}


WORKLOADS: dict[str, Workload] = {
    "call": call,
    "call_suspending": call_suspending,
    "cast": cast,
    "fan_in": fan_in,
    "ring": ring,
}
