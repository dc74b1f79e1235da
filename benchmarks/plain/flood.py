"""One plain actor is flooded while others of its loop are probed.

As one writes it, an actor over an `asyncio.Queue` does not give way while its queue has messages: `yielding` has it give
way after each one.
"""

from __future__ import annotations

import asyncio
import time

from benchmarks.plain.actor import Actor
from benchmarks.probes import PAUSE, HttpProbe, call_latencies
from benchmarks.protocol import Ask, Metrics
from benchmarks.worker import Workload


class Flooded:
    """Counts its messages; `over` when all have come."""

    def __init__(self, n: int, yielding: bool) -> None:
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.over = False
        for number in range(n):
            self.queue.put_nowait(number)
        self.task = asyncio.create_task(self.run(n, yielding))

    async def run(self, n: int, yielding: bool) -> None:
        count = 0
        while count < n:
            await self.queue.get()
            count += 1
            if yielding:
                await asyncio.sleep(0)
        self.over = True


async def flood(ask: Ask) -> Metrics:
    """All messages are in the queue before the first probe."""
    loop, probed = asyncio.get_running_loop(), Actor()
    late: list[float] = []

    def tick(due: float) -> None:
        late.append(max(0.0, time.monotonic() - due))
        if not flooded.over:
            watch_timer()

    def watch_timer() -> None:
        loop.call_later(PAUSE, tick, time.monotonic() + PAUSE)

    async with HttpProbe(probed.call) as http:
        probes = asyncio.gather(
            call_latencies(probed.call, lambda: flooded.over),
            http.latencies(lambda: flooded.over),
        )
        flooded = Flooded(ask.n, "yielding" in ask.options)
        watch_timer()
        calls, requests = await probes
        await flooded.task
        await asyncio.sleep(2 * PAUSE)  # the last tick
    await probed.stop()
    return {"call": calls, "http": requests, "timer": late}


WORKLOADS: dict[str, Workload] = {"flood": flood}
