"""Timers of plain asyncio: `loop.call_later` and its handles."""

from __future__ import annotations

import asyncio
import time

from benchmarks.plain.actor import INCREMENT, Actor
from benchmarks.protocol import Ask, Metrics
from benchmarks.schedule import PAIRS_PER_TURN, accurate_delays, common_due
from benchmarks.worker import Workload


async def timer(ask: Ask) -> Metrics:
    loop, actor = asyncio.get_running_loop(), Actor()
    start = time.perf_counter()
    for _ in range(ask.n // PAIRS_PER_TURN):
        for _ in range(PAIRS_PER_TURN):
            loop.call_later(60.0, actor.cast, INCREMENT).cancel()
        await asyncio.sleep(0)
    took = time.perf_counter() - start
    await actor.stop()
    return {"seconds": took}


class Clock:
    """An actor that notes how late each message is, and tells when all have come."""

    def __init__(self, expected: int) -> None:
        self.queue: asyncio.Queue[float] = asyncio.Queue()
        self.late: list[float] = []
        self.task = asyncio.create_task(self.run(expected))

    async def run(self, expected: int) -> None:
        for _ in range(expected):
            due = await self.queue.get()
            self.late.append(max(0.0, time.monotonic() - due))


async def timer_late(ask: Ask) -> Metrics:
    loop, clock = asyncio.get_running_loop(), Clock(ask.n)
    start = time.monotonic()
    for delay in accurate_delays(ask.n):
        due = start + delay
        loop.call_later(due - time.monotonic(), clock.queue.put_nowait, due)
    await clock.task
    return {"late": clock.late}


async def armed(ask: Ask) -> Metrics:
    """Each actor has a timer of its own, due when all of them are."""
    loop = asyncio.get_running_loop()
    left, done = ask.n, loop.create_future()

    async def live(due: float) -> None:
        nonlocal left
        mailbox: asyncio.Queue[str] = asyncio.Queue()
        loop.call_later(due - time.monotonic(), mailbox.put_nowait, "tick")
        await mailbox.get()
        left -= 1
        if not left:
            done.set_result(time.monotonic())

    async def arm(n: int, due: float) -> tuple[list[asyncio.Task[None]], float]:
        start = time.monotonic()
        tasks = [asyncio.create_task(live(due)) for _ in range(n)]
        await asyncio.sleep(0)
        return tasks, time.monotonic() - start

    due = time.monotonic() + common_due(ask.n)
    tasks, took = await arm(ask.n, due)
    began = max(due, time.monotonic())
    fired = await done
    await asyncio.gather(*tasks)
    return {"arm": took, "fire": fired - began}


WORKLOADS: dict[str, Workload] = {"timer": timer, "timer_late": timer_late, "armed": armed}
