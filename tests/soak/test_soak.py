"""A supervised system under random kills, floods and timers: what it holds stays flat.

make soak                               30 seconds
SUPTREE_SOAK_SECONDS=1800 make soak     half an hour
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

import suptree as st

SECONDS = float(os.environ.get("SUPTREE_SOAK_SECONDS", "30"))
WORKERS = 50
ENOUGH = 10**9

pytestmark = [pytest.mark.soak, pytest.mark.suptree_loop("real")]


class Worker(st.GenServer):
    def __init__(self, number: int) -> None:
        self.number = number
        self.noted = 0
        self.send_interval(0.05, "tick")

    @st.call
    def note(self) -> int:
        self.noted += 1
        return self.noted

    @st.call
    async def slow(self) -> int:
        await asyncio.sleep(0.001)
        return self.noted

    @st.cast
    def add(self, by: int) -> None:
        self.noted += by

    @st.cast
    def crash(self) -> None:
        raise RuntimeError("boom")

    def handle_info(self, message: object) -> None:
        self.noted += 1


@dataclass(frozen=True, slots=True)
class Held:
    """What the system holds at a quiet moment."""

    processes: int
    timers: int
    tasks: int
    descriptors: int
    objects: int

    @classmethod
    def now(cls, runtime: st.Runtime) -> Held:
        """Count, after the garbage collector has been round."""
        gc.collect()
        return cls(
            processes=len(runtime.alive()),
            timers=runtime.ticker.timers.live,
            tasks=len(asyncio.all_tasks()),
            descriptors=len(list(Path("/proc/self/fd").iterdir())),
            objects=len(gc.get_objects()),
        )


async def trouble(rng: random.Random, number: int) -> None:
    """One thing that may happen to a worker."""
    name = f"worker.{number}"
    chance = rng.random()
    try:
        if chance < 0.05:
            st.exit(name, st.KILL)
        elif chance < 0.1:
            Worker.crash(name)
        elif chance < 0.2:
            for _ in range(1_000):
                Worker.add(name, 1)
        elif chance < 0.6:
            await Worker.slow(name)
        else:
            await Worker.note(name)
    except (st.NoProcessError, st.ServerExitError):
        return  # it was killed by one of the others: what is looked at is what stays behind


async def test_what_a_system_in_trouble_holds_stays_flat(runtime: st.Runtime) -> None:
    logging.getLogger("suptree").setLevel(logging.CRITICAL)
    rng = random.Random(20)
    await st.Supervisor.start_link(
        [st.child(Worker, n).with_(name=f"worker.{n}") for n in range(WORKERS)],
        max_restarts=ENOUGH,
    )
    end = runtime.now() + SECONDS
    seen: list[Held] = []
    while runtime.now() < end:
        rounds = [trouble(rng, rng.randrange(WORKERS)) for _ in range(500)]
        await asyncio.gather(*rounds)
        await asyncio.sleep(0.01)
        if not seen or runtime.now() > end - SECONDS * (1 - 0.1 * len(seen)):
            seen.append(Held.now(runtime))

    first, last = seen[1], seen[-1]
    assert runtime.reporter.total > 0
    assert last.processes == first.processes
    assert WORKERS <= last.timers <= WORKERS + 1  # one counts the crashes of this second
    assert last.descriptors == first.descriptors
    assert last.tasks <= first.tasks + WORKERS  # each keeps one task for its async handlers
    assert last.objects < first.objects * 1.05, seen
