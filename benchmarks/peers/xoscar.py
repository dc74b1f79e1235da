"""xoscar: actors of the main pool; a call awaits the method of a reference, a cast is `tell`."""

from __future__ import annotations

import asyncio
import time
from importlib.metadata import version

import xoscar

from benchmarks.protocol import Ask, Metrics
from benchmarks.worker import Workload

VERSION = version("xoscar")


class Counter(xoscar.Actor):
    """The actor that is called."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def increment(self) -> int:
        self.count += 1
        return self.count

    async def increment_suspending(self) -> int:
        await asyncio.sleep(0)
        self.count += 1
        return self.count


class Client(xoscar.Actor):
    """The actor that calls."""

    async def calls(self, counter: xoscar.ActorRefType[Counter], n: int) -> float:
        start = time.perf_counter()
        for _ in range(n):
            await counter.increment()
        return time.perf_counter() - start

    async def calls_suspending(self, counter: xoscar.ActorRefType[Counter], n: int) -> float:
        start = time.perf_counter()
        for _ in range(n):
            await counter.increment_suspending()
        return time.perf_counter() - start

    async def casts(self, counter: xoscar.ActorRefType[Counter], n: int) -> float:
        start = time.perf_counter()
        for _ in range(n):
            await counter.increment.tell()
        assert await counter.increment() == n + 1
        return time.perf_counter() - start

    async def spawn_stops(self, n: int) -> float:
        start = time.perf_counter()
        for _ in range(n):
            await xoscar.destroy_actor(await xoscar.create_actor(Counter, address=self.address))
        return time.perf_counter() - start


async def _with_actors(workload: str, n: int) -> Metrics:
    pool = await xoscar.create_actor_pool("127.0.0.1", n_process=0)
    async with pool:
        address = pool.external_address
        counter = await xoscar.create_actor(Counter, address=address)
        client = await xoscar.create_actor(Client, address=address)
        arguments = (n,) if workload == "spawn_stops" else (counter, n)
        return {"seconds": await getattr(client, workload)(*arguments)}


async def call(ask: Ask) -> Metrics:
    return await _with_actors("calls", ask.n)


async def call_suspending(ask: Ask) -> Metrics:
    return await _with_actors("calls_suspending", ask.n)


async def cast(ask: Ask) -> Metrics:
    return await _with_actors("casts", ask.n)


async def spawn_stop(ask: Ask) -> Metrics:
    return await _with_actors("spawn_stops", ask.n)


WORKLOADS: dict[str, Workload] = {
    "call": call,
    "call_suspending": call_suspending,
    "cast": cast,
    "spawn_stop": spawn_stop,
}
