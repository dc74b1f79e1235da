"""One server is flooded with casts while other processes of the runtime are probed, and an HTTP server beside it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import suptree as st
from benchmarks.ours.system import Counter, pid, supervised
from benchmarks.probes import PAUSE, HttpProbe, call_latencies
from benchmarks.protocol import Ask, Metrics
from benchmarks.worker import Workload


class Flooded(st.GenServer):
    """Counts what comes, and knows when that is all."""

    def __init__(self, flood: Flood) -> None:
        self.flood = flood

    @st.cast
    def add(self) -> None:
        self.flood.left -= 1


@dataclass(slots=True)
class Flood:
    """What the probes and the flooded server share, outside the mailboxes."""

    left: int

    def is_over(self) -> bool:
        return self.left <= 0


class Ticking(st.GenServer):
    """Has a timer, again and again, and notes how late each firing is."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.tick()

    def tick(self) -> None:
        self.send_after(PAUSE, time.monotonic() + PAUSE)

    def handle_info(self, due: float) -> None:
        self.late.append(max(0.0, time.monotonic() - due))
        self.tick()

    @st.call
    def lates(self) -> list[float]:
        return self.late


async def flood(ask: Ask) -> Metrics:
    """All casts are in the mailbox before the first probe."""
    flood = Flood(ask.n)

    async def probe(ask: Ask) -> Metrics:
        flooded, counter = pid("flooded"), pid("counter")

        async def call() -> None:
            await Counter.increment(counter)

        async with HttpProbe(call) as http:
            calls = st.Task.async_(call_latencies, call, flood.is_over)
            for _ in range(ask.n):
                Flooded.add(flooded)
            ticking = await Ticking.start_link()
            requests = await http.latencies(flood.is_over)
        return {"call": await calls, "http": requests, "timer": await Ticking.lates(ticking)}

    children = [st.child(Flooded, flood), st.child(Counter)]
    names = ("flooded", "counter")
    return await supervised(
        ask, probe, [spec.with_(name=name) for spec, name in zip(children, names, strict=True)]
    )


WORKLOADS: dict[str, Workload] = {"flood": flood}
