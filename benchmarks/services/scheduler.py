"""What a tick of the scheduler costs, with few jobs and with many.

    python -m benchmarks.services.scheduler [rounds]

Two schedulers, each in a runtime of its own on a virtual loop: one has 100 jobs, the other 100,000,
and in both the same 50 come in each second.  The rounds of the two alternate, and
the processor time of each is that of the whole: the timer, the scheduler's turn, 50 messages sent and handled.
The rest of the jobs stand at other times, a third of them on cron.

Goal: a tick at 100,000 costs at most 1.5 times one at 100.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

import suptree as st
from suptree.services import Cron, Every, Job, SchedulerManager
from suptree.testing import VirtualLoop

SIZES = (100, 100_000)
DUE = 50
TICKS = 20
"""In each round: one reading of the clock would cost as much as a tick."""
WARM_UP = 2
GOAL = 1.5
"""Times what a tick at the first of SIZES costs."""


class Sink(st.GenServer):
    """Gets the messages."""

    def __init__(self) -> None:
        self.got = 0

    def handle_info(self, message: object) -> None:
        self.got += 1


class Side:
    """A scheduler of one size."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.runner = asyncio.Runner(loop_factory=lambda: VirtualLoop(max_jumps=1e12))
        self.loop = self.runner.get_loop()
        self.wake = asyncio.Event()
        self.ready = self.loop.create_future()
        self.seconds = 0.0
        self.main = self.loop.create_task(self.live())
        self.loop.run_until_complete(self.ready)

    async def live(self) -> None:
        """Hold the runtime open from one round to the next."""
        async with st.Runtime():
            sink = await Sink.start()
            scheduler = await SchedulerManager.start_link(clock_check=3600.0)
            for number in range(self.size):
                await SchedulerManager.schedule(scheduler, job(number, sink))
            self.ready.set_result(None)
            await self.wake.wait()

    def round(self) -> float:
        """Microseconds of one tick, the mean of TICKS."""

        async def ticks() -> float:
            await asyncio.sleep(0.5)
            begun = time.process_time()
            await asyncio.sleep(float(TICKS))
            return time.process_time() - begun

        return self.loop.run_until_complete(ticks()) / TICKS * 1e6

    def close(self) -> None:
        self.wake.set()
        self.loop.run_until_complete(self.main)
        self.runner.close()


def job(number: int, sink: st.Pid[Sink]) -> Job:
    """The first DUE come every second, the others at other times."""
    if number < DUE:
        trigger: Any = Every(1.0)
    elif number % 3:
        trigger = Every(1e6 + number, first=1e6 + number * 7 % 100_003)
    else:
        trigger = Cron(f"{number % 60} {number % 24} 1 1 *")
    return Job(trigger=trigger, what="tick", to=sink)


def measure(sizes: Sequence[int], rounds: int) -> dict[int, list[float]]:
    """Microseconds of a tick in each round, by size."""
    sides = [Side(size) for size in sizes]
    gc.collect()
    gc.freeze()  # what stands there for ever is not what a tick costs
    readings: dict[int, list[float]] = {size: [] for size in sizes}
    try:
        for number in range(WARM_UP + rounds):
            for side in sides if number % 2 else reversed(sides):
                microseconds = side.round()
                if number >= WARM_UP:
                    readings[side.size].append(microseconds)
    finally:
        gc.unfreeze()
        for side in sides:
            side.close()
    return readings


def main(rounds: int = 15) -> float:
    """Measure, print, and return the ratio."""
    readings = measure(SIZES, rounds)
    medians = {size: statistics.median(found) for size, found in readings.items()}
    for size, found in readings.items():
        print(
            f"{size:>7,} jobs, {DUE} due: {medians[size]:7.1f} us a tick "
            f"(least {min(found):.1f}, most {max(found):.1f}, {rounds} rounds)"
        )
    ratio = medians[SIZES[1]] / medians[SIZES[0]]
    print(f"ratio {ratio:.2f}; the goal is at most {GOAL}")
    return ratio


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
