"""Starting, stopping, crashing and memory of suptree's servers."""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable
from typing import Any

import suptree as st
import suptree.core.reports
from benchmarks.ours.system import Counter, supervised
from benchmarks.protocol import Ask, Metrics
from benchmarks.reports import built_reports
from benchmarks.resident import resident_bytes
from benchmarks.worker import Workload

ENOUGH = 10**9
"""Restarts that a supervisor allows here."""


async def spawn_stop(ask: Ask) -> Metrics:
    async def spawn_stops(ask: Ask) -> Metrics:
        start = time.perf_counter()
        for _ in range(ask.n):
            server = await Counter.start_link()
            await Counter.stop(server)
        return {"seconds": time.perf_counter() - start}

    return await supervised(ask, spawn_stops)


async def crowd(ask: Ask) -> Metrics:
    async def start_all_stop_all(ask: Ask) -> Metrics:
        start = time.perf_counter()
        servers = [await Counter.start_link() for _ in range(ask.n)]
        for server in servers:
            await Counter.stop(server)
        return {"seconds": time.perf_counter() - start}

    return await supervised(ask, start_all_stop_all)


async def memory(ask: Ask) -> Metrics:
    async def measure(ask: Ask) -> Metrics:
        return await _memory(ask.n, Counter.start_link)

    return await supervised(ask, measure)


async def memory_supervised(ask: Ask) -> Metrics:
    async def measure(ask: Ask) -> Metrics:
        async def spawn() -> st.Pid[Counter]:
            server = await st.DynamicSupervisor.start_child("crowd", st.child(Counter))
            st.monitor(server)
            return server

        return await _memory(ask.n, spawn)

    return await supervised(ask, measure, [st.DynamicSupervisor.child(name="crowd")])


async def _memory(n: int, spawn: Callable[[], Awaitable[st.Pid[Counter]]]) -> Metrics:
    await Counter.increment(await spawn())
    gc.collect()
    before = resident_bytes()
    servers = [await spawn() for _ in range(n)]
    for server in servers:
        await Counter.increment(server)
    return {"bytes": (resident_bytes() - before) / n}


class Phoenix(Counter):
    """Tells *watcher* when it is up, and crashes when told to."""

    def __init__(self, watcher: st.Pid[Any]) -> None:
        super().__init__()
        st.send(watcher, self.pid)

    @st.cast
    def crash(self) -> None:
        raise RuntimeError("crash")


async def restart(ask: Ask) -> Metrics:
    """The reports of all crashes are built, where a runtime otherwise writes 20 a second and counts the rest."""

    async def crashes(ask: Ask) -> Metrics:
        with built_reports("suptree") as reports:
            await st.Supervisor.start_link(
                [st.child(Phoenix, st.current())], max_restarts=ENOUGH, max_seconds=1.0
            )
            server, latency = await st.receive(), []
            for _ in range(ask.n):
                start = time.perf_counter()
                Phoenix.crash(server)
                server = await st.receive()
                await Phoenix.increment(server)
                latency.append(time.perf_counter() - start)
            assert reports.built >= ask.n, "each crash was reported"
        return {"latency": latency}

    throttle = suptree.core.reports.REPORTS_PER_SECOND
    suptree.core.reports.REPORTS_PER_SECOND = ENOUGH  # type: ignore[misc]
    try:
        return await supervised(ask, crashes)
    finally:
        suptree.core.reports.REPORTS_PER_SECOND = throttle  # type: ignore[misc]


async def storm(ask: Ask) -> Metrics:
    async def crash_all(ask: Ask) -> Metrics:
        me = st.current()
        await st.Supervisor.start_link(
            [st.child(Phoenix, me).with_(id=i) for i in range(ask.n)],
            max_restarts=ask.n,
            max_seconds=600.0,
        )
        first = [await st.receive() for _ in range(ask.n)]
        start = time.perf_counter()
        for server in first:
            Phoenix.crash(server)
        second = [await st.receive() for _ in range(ask.n)]
        took = time.perf_counter() - start
        assert len({*first, *second}) == 2 * ask.n, "each is another one"
        return {"seconds": took}

    return await supervised(ask, crash_all)


WORKLOADS: dict[str, Workload] = {
    "spawn_stop": spawn_stop,
    "crowd": crowd,
    "memory": memory,
    "memory_supervised": memory_supervised,
    "restart": restart,
    "storm": storm,
}
