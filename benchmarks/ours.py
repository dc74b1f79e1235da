"""suptree's side: a supervised process calls a supervised server through the typed client, 5 s timeout included."""

from __future__ import annotations

import logging
import statistics
import time
from typing import Any

import suptree as st
from benchmarks.plain import RunLoop
from benchmarks.rows import Row, in_unit

SHARE_SAMPLE = 20_000
"""Calls of the run, apart from the timed ones, that counts how many were direct."""


class Counter(st.GenServer):
    """The server that is called; `watcher` is told when it is up."""

    def __init__(self, watcher: st.Pid[Any] | None = None) -> None:
        self.count = 0
        if watcher is not None:
            st.send(watcher, self.pid)

    @st.call
    def increment(self) -> int:
        self.count += 1
        return self.count

    @st.cast
    def add(self) -> None:
        self.count += 1

    @st.cast
    def crash(self) -> None:
        raise RuntimeError("crash")


class Witness(Counter):
    """A Counter that knows how each call reached it: during a direct call there is no envelope."""

    def __init__(self) -> None:
        super().__init__()
        self.direct = 0

    @st.call
    def increment(self) -> int:
        self.direct += self._process.current is None
        return super().increment()

    @st.call
    def directs(self) -> int:
        return self.direct


class Client(st.GenServer):
    """The process that calls: each workload is a handler of it, and returns seconds."""

    @st.call(timeout=600.0)
    async def calls(self, server: st.Pid[Counter], n: int) -> float:
        start = time.perf_counter()
        for _ in range(n):
            await Counter.increment(server)
        return time.perf_counter() - start

    @st.call(timeout=600.0)
    async def casts(self, server: st.Pid[Counter], n: int) -> float:
        start = time.perf_counter()
        for _ in range(n):
            Counter.add(server)
        await Counter.increment(server)
        return time.perf_counter() - start

    @st.call(timeout=600.0)
    async def spawn_stops(self, n: int) -> float:
        start = time.perf_counter()
        for _ in range(n):
            server = await Counter.start_link()
            await Counter.stop(server)
        return time.perf_counter() - start


class Ours:
    """A contestant; every sample has a runtime of its own."""

    name = "suptree"

    def __init__(self, run_loop: RunLoop) -> None:
        logging.getLogger("suptree").setLevel(
            logging.CRITICAL + 1
        )  # no crash reports, as on every side
        self._run = run_loop
        self.direct_share: dict[str, float] = {}

    def measure(self, row: Row) -> float:
        if row.workload == "call" and row.name not in self.direct_share:
            self.direct_share[row.name] = self._run(_share(row.direct_call))
        return in_unit(row, self._run(_sample(row)))

    def close(self) -> None:
        pass


async def _sample(row: Row) -> float:
    async with st.Runtime(direct_call=row.direct_call):
        if row.workload == "restart":
            return await _restarts(row.n)
        supervisor = await st.Supervisor.start_link(
            [st.child(Counter).with_(name="counter"), st.child(Client).with_(name="client")]
        )
        server = st.whereis("counter")
        match row.workload:
            case "call":
                took = await Client.calls("client", server, row.n)
            case "cast":
                took = await Client.casts("client", server, row.n)
            case _:
                took = await Client.spawn_stops("client", row.n)
        await st.Supervisor.stop(supervisor)
        return took


async def _restarts(n: int) -> float:
    """From the crash of a permanent child to the first answer of the next, seen by the process that waits."""
    supervisor = await st.Supervisor.start_link(
        [st.child(Counter, st.current())], max_restarts=1_000_000, max_seconds=1.0
    )
    server, took = await st.receive(), []
    for _ in range(n):
        start = time.perf_counter()
        Counter.crash(server)
        server = await st.receive()
        await Counter.increment(server)
        took.append(time.perf_counter() - start)
    await st.Supervisor.stop(supervisor)
    return statistics.median(took)


async def _share(direct_call: bool) -> float:
    async with st.Runtime(direct_call=direct_call):
        await st.Supervisor.start_link(
            [st.child(Witness).with_(name="witness"), st.child(Client).with_(name="client")]
        )
        witness = st.whereis("witness")
        await Client.calls("client", witness, SHARE_SAMPLE)
        return await Witness.directs(witness) / SHARE_SAMPLE
