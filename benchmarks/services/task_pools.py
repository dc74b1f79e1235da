"""What a pool costs: tasks in a pool, beside the same tasks below a bare `TaskSupervisor`.

    python -m benchmarks.services.task_pools [--rounds N] [--tasks N]

Each row alternates both sides, round by round, and prints the medians of processor time for one
task.  A task is started and awaited, one after the other; or many callers do that at once; or a batch
is a stream.  With "one turn" the task waits for a turn of the event loop, as each does that waits for
the network.

Goal: a task that finds its place free costs at most twice the bare one.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import suptree as st
from suptree.services import TaskPoolConfig, TaskPoolManager

Round = Callable[[int], Awaitable[None]]

CALLERS = 100


def nothing(_: int) -> int:
    """A task that is done at once."""
    return 1


async def one_turn(_: int) -> int:
    """A task that waits for one turn of the event loop."""
    await asyncio.sleep(0)
    return 1


def one_by_one(run: Callable[[int], Awaitable[object]]) -> Round:
    """One caller, one task after the other."""

    async def round(tasks: int) -> None:
        for number in range(tasks):
            await run(number)

    return round


def at_once(run: Callable[[int], Awaitable[object]]) -> Round:
    """Many callers, each a process, share the tasks."""

    async def caller(tasks: int) -> None:
        for number in range(tasks):
            await run(number)

    async def round(tasks: int) -> None:
        share = tasks // CALLERS
        callers = [st.Task.async_(caller, share) for _ in range(CALLERS)]
        await st.Task.await_many(callers, timeout=None)

    return round


def streamed(stream: Callable[[range], Any]) -> Round:
    """One stream of all tasks."""

    async def round(tasks: int) -> None:
        async for done in stream(range(tasks)):
            done.result()

    return round


async def row(name: str, bare: Round, ours: Round, rounds: int, tasks: int) -> None:
    """Measure both sides, one after the other in each round."""
    sides: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for side, times in zip((bare, ours), sides, strict=True):
            begin = time.process_time()
            await side(tasks)
            times.append((time.process_time() - begin) / tasks)
    without, with_it = (statistics.median(times) * 1e6 for times in sides)
    added, ratio = with_it - without, with_it / without
    print(f"{name:42} {without:8.2f} us {with_it:8.2f} us {added:+8.2f} us {ratio:7.2f} x")


async def measure(rounds: int, tasks: int) -> None:
    """Print all rows."""
    supervisor = await st.TaskSupervisor.start_link()
    wide = TaskPoolConfig(max_concurrency=1000, timeout=30.0)
    narrow = TaskPoolConfig(max_concurrency=10, timeout=30.0, max_waiting=10_000)
    pools = await TaskPoolManager.start_link({"wide": wide, "narrow": narrow})

    print(f"{'':42} {'bare':>11} {'in a pool':>11} {'added':>11} {'ratio':>9}")
    for word, function in (("nothing", nothing), ("one turn", one_turn)):

        async def bare(number: int, function: Any = function) -> None:
            await (await st.TaskSupervisor.async_nolink(supervisor, function, number))

        async def pooled(number: int, function: Any = function) -> None:
            await TaskPoolManager.run(pools, "wide", function, number)

        async def queued(number: int, function: Any = function) -> None:
            await TaskPoolManager.run(pools, "narrow", function, number)

        def stream(numbers: range, function: Any = function) -> Any:
            return st.TaskSupervisor.stream(
                supervisor, function, numbers, max_concurrency=10, timeout=30.0, link=False
            )

        def batch(numbers: range, function: Any = function) -> Any:
            return TaskPoolManager.execute_batch(pools, "narrow", numbers, function)

        await row(f"{word}: one by one", one_by_one(bare), one_by_one(pooled), rounds, tasks)
        await row(f"{word}: {CALLERS} callers", at_once(bare), at_once(pooled), rounds, tasks)
        await row(
            f"{word}: {CALLERS} callers, 10 places", at_once(bare), at_once(queued), rounds, tasks
        )
        await row(
            f"{word}: a batch of 10 at once", streamed(stream), streamed(batch), rounds, tasks
        )


async def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tasks", type=int, default=5000)
    options = parser.parse_args()
    async with st.Runtime():
        await measure(options.rounds, options.tasks)


if __name__ == "__main__":
    asyncio.run(main())
