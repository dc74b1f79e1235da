"""What telemetry costs: events and spans, with and without listeners, and messages while traced.

    python -m benchmarks.services.telemetry [rounds]

Every row is measured in each round, in turn, so that a slow moment of the machine hits all of
them; the figures are medians of processor time.  Goals: an event that nobody listens to costs as much as one
attribute test (the row above it is that test); a span that nobody listens to well below a
microsecond; a tracer adds no more than five microseconds to a message.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import suptree as st
from benchmarks.services.alternating import Measurement, medians
from suptree.services import (
    Metric,
    RateLimited,
    Sampler,
    Tracer,
)
from suptree.services.observing.metrics_table import MetricsTable
from suptree.telemetry import Event, Span, TelemetryBus

SENT = Event(
    "bench.mail.sent",
    measurements={"size_bytes": "bytes"},
    metadata={"queue": "which"},
    doc="A mail went out.",
)
JOB = Span("bench.job", metadata={"kind": "which"}, doc="One job.")
N = 20_000

Row = Measurement
"""Runs `N` times and gives the seconds."""


def ignore(event: Event, numbers: Mapping[str, float], facts: Mapping[str, object]) -> None:
    """The cheapest handler there is."""


class Empty:
    """What an emitter would test if there were no telemetry: an attribute."""

    handlers = ()


class Server(st.GenServer):
    """Answers calls."""

    def __init__(self) -> None:
        self.count = 0

    @st.call
    def ask(self) -> int:
        self.count += 1
        return self.count

    @st.cast
    def note(self) -> None:
        self.count += 1

    @st.call
    def timers(self) -> float:
        start = time.process_time()
        for _ in range(N):
            self.cancel_timer(self.send_after(100.0, None))
        return time.process_time() - start


def attribute_test() -> float:
    slot = Empty()
    start = time.process_time()
    for number in range(N):
        if slot.handlers:
            print(number)
    return time.process_time() - start


def nothing() -> None:
    """The cheapest function there is."""


def calling_nothing(n: int) -> Callable[[], float]:
    """Calls of an empty function, the yardstick."""

    def run() -> float:
        start = time.process_time()
        for _ in range(n):
            nothing()
        return time.process_time() - start

    return run


def emitting(handlers: int, handler: Any = ignore, n: int = N) -> Callable[[], float]:
    """Events by a kept slot, as hot paths emit them."""
    bus = TelemetryBus()
    for number in range(handlers):
        bus.attach(f"handler {number}", SENT, handler)
    slot = bus.slot(SENT)

    def run() -> float:
        start = time.process_time()
        for number in range(n):
            if slot.handlers:
                slot.emit({"size_bytes": number}, {"queue": "fast"})
        return time.process_time() - start

    return run


def spanning(bus: TelemetryBus) -> Callable[[], float]:
    def run() -> float:
        start = time.process_time()
        for _ in range(N):
            with bus.span(JOB, {"kind": "x"}):
                pass
        return time.process_time() - start

    return run


def bus_with(*, handler: bool = False, tracer: bool = False) -> TelemetryBus:
    bus = TelemetryBus()
    if handler:
        bus.attach("handler", "bench.*", ignore)
    if tracer:
        bus.tracer = Tracer(seed=1)
    return bus


def messaging(what: str, *, traced: bool, in_span: bool = False) -> Row:
    async def run() -> float:
        async with st.Runtime() as rt:
            if traced:
                Tracer(seed=1).install(rt)
            server = await Server.start_link()
            await Server.ask(server)
            span: AbstractContextManager[object] = (
                rt.telemetry.span(JOB, {"kind": "x"}) if in_span else nullcontext()
            )
            with span:
                start = time.process_time()
                if what == "timer":
                    return await Server.timers(server)
                for _ in range(N):
                    if what == "call":
                        await Server.ask(server)
                    else:
                        Server.note(server)
                await Server.ask(server)
                return time.process_time() - start

    return run


def plain(function: Callable[[], float]) -> Row:
    async def run() -> float:
        return function()

    return run


def rows() -> dict[str, Row]:
    """Every row by what it says."""
    sampler = Sampler(ignore, default=RateLimited(1000))
    table = MetricsTable([Metric.counter(SENT, tags=("queue",)), Metric.sum(SENT, "size_bytes")])
    return {
        "an attribute test, in a loop": plain(attribute_test),
        "an empty function, in a loop": plain(calling_nothing(N)),
        "event, no handler": plain(emitting(0)),
        "event, 1 handler": plain(emitting(1)),
        "event, 10 handlers": plain(emitting(10)),
        "event, 1 handler behind a sampler": plain(emitting(1, sampler)),
        "event, counted and summed": plain(emitting(1, table.hear)),
        "span, no handler": plain(spanning(bus_with())),
        "span, 1 handler": plain(spanning(bus_with(handler=True))),
        "span, no handler, traced": plain(spanning(bus_with(tracer=True))),
        "span, 1 handler, traced": plain(spanning(bus_with(handler=True, tracer=True))),
        "call, no tracer": messaging("call", traced=False),
        "call, tracer, outside spans": messaging("call", traced=True),
        "call, tracer, in a span": messaging("call", traced=True, in_span=True),
        "cast, no tracer": messaging("cast", traced=False),
        "cast, tracer, in a span": messaging("cast", traced=True, in_span=True),
        "timer, no tracer": messaging("timer", traced=False),
        "timer, tracer, in a span": messaging("timer", traced=True, in_span=True),
    }


PAIRS = [
    ("event, no handler", "an attribute test, in a loop"),
    ("call, tracer, outside spans", "call, no tracer"),
    ("call, tracer, in a span", "call, no tracer"),
    ("cast, tracer, in a span", "cast, no tracer"),
    ("timer, tracer, in a span", "timer, no tracer"),
]


async def measure(rounds: int) -> dict[str, float]:
    """Median nanoseconds of each row."""
    seconds = await medians(rows(), rounds)
    return {name: value / N * 1e9 for name, value in seconds.items()}


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    found = asyncio.run(measure(rounds))
    print(f"nanoseconds each, medians of {rounds} rounds of {N:,}")
    for name, nanoseconds in found.items():
        print(f"  {name:<36} {nanoseconds:>9,.0f}")
    print("side by side: ratio, and nanoseconds more")
    for one, other in PAIRS:
        ratio, more = found[one] / found[other], found[one] - found[other]
        print(f"  {one + ' / ' + other:<60} {ratio:>6.2f} {more:>+9,.0f}")


if __name__ == "__main__":
    main()
