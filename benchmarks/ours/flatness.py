"""What one operation costs while so many processes live: each has a name, a timer, a supervisor and its link."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from typing import Any

import suptree as st
from benchmarks.ours.lives import ENOUGH
from benchmarks.ours.system import Counter, supervised
from benchmarks.protocol import Ask, Metrics
from benchmarks.worker import Workload

FEW, MANY = 1_000, 10_000
"""Operations that are timed: of starts and restarts, and of the quick ones."""
STRIDE = 7_919
"""A prime: the operations meet the crowd all over, not neighbours that the processor has at hand."""


class Resident(st.GenServer):
    """One of the crowd: named, with a timer; tells *watcher* of a restart."""

    def __init__(self, watcher: st.Pid[Any], number: int) -> None:
        self.send_after(3600.0, "late")
        st.send(watcher, number)

    @st.cast
    def crash(self) -> None:
        raise RuntimeError("crash")


async def flatness(ask: Ask) -> Metrics:
    """Seconds per operation with *n* processes alive; `freeze` moves what lives out of the collector's way first.

    Either way the collector has settled before the first operation. One full collection of 100,000 processes takes as
    long as thousands of operations, and in which of them that of the set-up would fall is luck.
    """

    async def measure(ask: Ask) -> Metrics:
        pids = await _settle(ask.n)
        gc.collect()
        if "freeze" in ask.options:
            gc.freeze()
        try:
            return {
                "spawn": await _spawns(),
                "restart": await _restarts(pids),
                "lookup": _lookups(ask.n),
                "timer": _timers(),
                "monitor": _monitors(pids),
                "dict": _dictionary(pids),
            }
        finally:
            gc.unfreeze()

    crowd = st.DynamicSupervisor.child(name="crowd", max_restarts=ENOUGH)
    return await supervised(ask, measure, [crowd])


async def _settle(n: int) -> list[st.Pid[Resident]]:
    me, pids = st.current(), []
    for number in range(n):
        spec = st.child(Resident, me, number).with_(name=f"resident.{number}")
        pids.append(await st.DynamicSupervisor.start_child("crowd", spec))
        await st.receive()
    return pids


async def _spawns() -> float:
    start = time.perf_counter()
    servers = [await Counter.start_link() for _ in range(FEW)]
    took = time.perf_counter() - start
    for server in servers:
        await Counter.stop(server)
    return took / FEW


async def _restarts(pids: list[st.Pid[Resident]]) -> float:
    numbers = list(_scattered(len(pids), FEW))
    start = time.perf_counter()
    for number in numbers:
        Resident.crash(f"resident.{number}")
        await st.receive()
    return (time.perf_counter() - start) / FEW


def _lookups(n: int) -> float:
    names = [f"resident.{number}" for number in _scattered(n, MANY)]
    start = time.perf_counter()
    for name in names:
        st.whereis(name)
    return (time.perf_counter() - start) / MANY


def _timers() -> float:
    start = time.perf_counter()
    for _ in range(MANY):
        st.cancel_timer(st.send_after(60.0, "late"))
    return (time.perf_counter() - start) / MANY


def _monitors(pids: list[st.Pid[Resident]]) -> float:
    alive = [pids[number] for number in _scattered(len(pids), MANY)]
    start = time.perf_counter()
    for pid in alive:
        st.demonitor(st.monitor(pid))
    return (time.perf_counter() - start) / MANY


def _dictionary(pids: list[st.Pid[Any]]) -> float:
    """What a lookup stands on: a dictionary of as many names, which is in no cache either."""
    table = {f"resident.{number}": pid for number, pid in enumerate(pids)}
    names = [f"resident.{number}" for number in _scattered(len(pids), MANY)]
    start = time.perf_counter()
    for name in names:
        table.get(name)
    return (time.perf_counter() - start) / MANY


def _scattered(n: int, count: int) -> Iterator[int]:
    return (i * STRIDE % n for i in range(count))


WORKLOADS: dict[str, Workload] = {"flatness": flatness}
