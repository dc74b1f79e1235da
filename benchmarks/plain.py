"""The plain asyncio side: one Task over one Queue per actor, a future for each reply. What one writes without a library.

It is kept generous: calls carry no timeout (asyncio.timeout would cost it more than half of its rate), stopping is a
message, and its "supervisor" is a loop that awaits the task and starts the next.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Coroutine
from typing import Any, Protocol

from benchmarks.rows import Row, in_unit

STOP, INCREMENT, CRASH = object(), object(), object()


class RunLoop(Protocol):
    """`asyncio.run` or `uvloop.run`."""

    def __call__(self, main: Coroutine[Any, Any, float], /) -> float: ...


class Actor:
    """A counter with a mailbox."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[tuple[object, asyncio.Future[int] | None]] = asyncio.Queue()
        self.count = 0
        self.task = asyncio.create_task(self.run())

    async def run(self) -> None:
        while True:
            message, reply = await self.queue.get()
            if message is INCREMENT:
                self.count += 1
                if reply is not None and not reply.done():
                    reply.set_result(self.count)
            elif message is STOP:
                return
            else:
                raise RuntimeError("crash")

    async def call(self) -> int:
        reply: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.queue.put_nowait((INCREMENT, reply))
        return await reply

    def cast(self, message: object) -> None:
        self.queue.put_nowait((message, None))

    async def stop(self) -> None:
        self.cast(STOP)
        await self.task


class Plain:
    """A contestant; holds nothing between samples."""

    name = "asyncio"

    def __init__(self, run_loop: RunLoop) -> None:
        self._run = run_loop

    def measure(self, row: Row) -> float:
        workloads = {
            "call": _calls,
            "cast": _casts,
            "spawn_stop": _spawn_stops,
            "restart": _restarts,
        }
        return in_unit(row, self._run(workloads[row.workload](row.n)))

    def close(self) -> None:
        pass


async def _calls(n: int) -> float:
    actor = Actor()
    start = time.perf_counter()
    for _ in range(n):
        await actor.call()
    took = time.perf_counter() - start
    await actor.stop()
    return took


async def _casts(n: int) -> float:
    actor = Actor()
    start = time.perf_counter()
    for _ in range(n):
        actor.cast(INCREMENT)
    await actor.call()
    took = time.perf_counter() - start
    await actor.stop()
    return took


async def _spawn_stops(n: int) -> float:
    start = time.perf_counter()
    for _ in range(n):
        actor = Actor()
        await actor.stop()
    return time.perf_counter() - start


async def _restarts(n: int) -> float:
    up: asyncio.Queue[Actor] = asyncio.Queue()

    async def keep_alive() -> None:
        while True:
            actor = Actor()
            up.put_nowait(actor)
            try:
                await actor.task
                return
            except RuntimeError:
                pass

    keeper = asyncio.create_task(keep_alive())
    actor, took = await up.get(), []
    for _ in range(n):
        start = time.perf_counter()
        actor.cast(CRASH)
        actor = await up.get()
        await actor.call()
        took.append(time.perf_counter() - start)
    await actor.stop()
    await keeper
    return statistics.median(took)
