"""The mixed service: clients that look up, call, cast and set timers, all at once."""

from __future__ import annotations

import time

import suptree as st
from benchmarks.ours.lookups import KEYS, registered_counters
from benchmarks.ours.system import Counter, supervised
from benchmarks.protocol import Ask, Metrics
from benchmarks.worker import Workload

CLIENTS = 100


class Client(st.GenServer):
    """One of many: each step is timed where it waits."""

    @st.call(timeout=600.0)
    async def work(self, first: int, steps: int) -> list[float]:
        latency: list[float] = []
        for i in range(steps):
            start = time.perf_counter()
            await Counter.increment(st.via("registry", (first + i) % KEYS))
            latency.append(time.perf_counter() - start)
            if i % 2 == 0:
                Counter.add(st.via("registry", (first + i + 1) % KEYS))
            if i % 4 == 0:
                self.cancel_timer(self.send_after(60.0, "late"))
        return latency


async def service(ask: Ask) -> Metrics:
    async def serve(ask: Ask) -> Metrics:
        start = time.perf_counter()
        requests = [
            Client.work.send_request(f"client.{i}", 7 * i, ask.n // CLIENTS) for i in range(CLIENTS)
        ]
        latency = [one for request in requests for one in await request]
        return {"seconds": time.perf_counter() - start, "latency": latency}

    clients = [st.child(Client).with_(name=f"client.{i}", id=f"client.{i}") for i in range(CLIENTS)]
    return await supervised(ask, serve, [*registered_counters(), *clients])


WORKLOADS: dict[str, Workload] = {"service": service}
