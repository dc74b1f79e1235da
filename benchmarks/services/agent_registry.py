"""Queries of the registry of agents by index, beside a linear scan of the same agents.

    python -m benchmarks.services.agent_registry [--agents N] [--rounds N]

The goal: at 10,000 agents a query by index is at least 20 times as fast as a linear scan where
it finds few, and writing stays below 100 microseconds for each agent, its indexes included.  The
scan is the plainest there is: one list comprehension, with the comparisons written out in Python.
All times are processor time of this process, so that others on the machine do not count.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

import suptree as st
from suptree.services import AgentDiscovery, AgentEntry, AgentRegistry, where

CAPABILITIES, NODES = 200, 50
Query = Callable[[], list[AgentEntry]]


class Agent(st.GenServer):
    """Lives."""


def metadata(number: int) -> dict[str, Any]:
    """Different enough that each query finds about fifty of ten thousand."""
    return {
        "capability": [f"can{number % CAPABILITIES}", f"may{number % 7}"],
        "health_status": ("healthy", "healthy", "degraded")[number % 3],
        "node": f"n{number % NODES}",
        "resources": {
            "memory_available": number * 7919 % 100_000,
            "cpu_available": number % 16,
            "memory_usage": number % 100 / 100,
        },
    }


def queries(
    agents: st.Pid[AgentRegistry], everybody: list[AgentEntry]
) -> dict[str, tuple[Query, Query]]:
    """Name -> the query by index, and the scan that finds the same."""
    capable, healthy = where("capability") == "can3", where("health_status") == "healthy"
    rich = where("resources.memory_available") >= 99_500
    few = where("resources.memory_available").between(20_000, 20_500)
    return {
        "one capability": (
            lambda: AgentRegistry.query(agents, capable),
            lambda: [e for e in everybody if "can3" in e.metadata["capability"]],
        ),
        "capable and healthy": (
            lambda: AgentDiscovery.find_capable_and_healthy(agents, "can3"),
            lambda: [
                e
                for e in everybody
                if "can3" in e.metadata["capability"] and e.metadata["health_status"] == "healthy"
            ],
        ),
        "much memory": (
            lambda: AgentRegistry.query(agents, rich),
            lambda: [e for e in everybody if e.metadata["resources"]["memory_available"] >= 99_500],
        ),
        "range and healthy": (
            lambda: AgentRegistry.query(agents, few & healthy),
            lambda: [
                e
                for e in everybody
                if 20_000 <= e.metadata["resources"]["memory_available"] <= 20_500
                and e.metadata["health_status"] == "healthy"
            ],
        ),
        "no index helps": (
            lambda: AgentRegistry.query(agents, where("resources.cpu_available") != 3),
            lambda: [e for e in everybody if e.metadata["resources"]["cpu_available"] != 3],
        ),
    }


def timed(query: Query) -> float:
    """Processor seconds of one query, the mean of enough that they take a while."""
    times = 1
    while True:
        start = time.process_time()
        for _ in range(times):
            query()
        took = time.process_time() - start
        if took > 0.02:
            return took / times
        times *= 4


async def measure(number: int, rounds: int) -> None:
    """Fill a registry, then compare, side by side and alternating."""
    async with st.Runtime():
        agents = await AgentRegistry.start_link(max_agents=number)
        pids = [await Agent.start() for _ in range(number)]
        start = time.process_time()
        for n, pid in enumerate(pids):
            await AgentRegistry.register(agents, f"a{n}", metadata(n), pid=pid)
        writing = (time.process_time() - start) / number
        start = time.process_time()
        for n in range(0, number, 10):
            await AgentRegistry.update(agents, f"a{n}", {"resources": {"memory_available": n}})
        updating = (time.process_time() - start) / (number / 10)
        for n in range(0, number, 10):
            await AgentRegistry.replace(agents, f"a{n}", metadata(n))
        everybody = AgentRegistry.query(agents)
        gc.freeze()
        print(f"{number:,} agents, medians of {rounds} rounds, alternating\n")
        print(f"{'query':<22}{'found':>7}{'by index':>12}{'scan':>12}{'ratio':>9}  goal")
        for name, (by_index, scan) in queries(agents, everybody).items():
            assert by_index() == scan(), name
            pairs = [(timed(by_index), timed(scan)) for _ in range(rounds)]
            ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
            goal = "none: it looks at all" if name == "no index helps" else ">= 20"
            print(
                f"{name:<22}{len(by_index()):>7}{ours * 1e6:>9.1f} us{theirs * 1e6:>9.1f} us"
                f"{theirs / ours:>9.1f}  {goal}"
            )
        print(
            f"\nregister: {writing * 1e6:.1f} us each; update: {updating * 1e6:.1f} us (goal: < 100)"
        )
        start = time.process_time()
        for n in range(0, number, 2):
            await AgentRegistry.unregister(agents, f"a{n}")
        print(f"unregister: {(time.process_time() - start) / (number / 2) * 1e6:.1f} us each")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    asyncio.run(measure(options.agents, options.rounds))


if __name__ == "__main__":
    main()
