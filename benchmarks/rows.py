"""The rows of the table, as values: what is measured, in which unit, and what has to be reached.

A row reads one metric of the answer to its ask; rows with the same ask share the sample. Contestants implement
workloads by name, and none of them is known here but by name.
"""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.protocol import Ask
from benchmarks.row import Figure, Row
from benchmarks.service_rows import SERVICES

CALLS, CASTS, SPAWNS, CRASHES, SERVICE = 40_000, 100_000, 10_000, 500, 40_000
STREAMS = ("aiostream", "aiometer", "anyio")

MESSAGES = (
    Row(
        "call",
        Ask("call", CALLS),
        "k/s",
        "one supervised process calls another, one after another; the direct call is allowed",
        Figure(beam=2.0, python=6.0),
    ),
    Row(
        "call-queued",
        Ask("call", CALLS, ("queued",)),
        "k/s",
        "the same through the mailbox, the direct call off",
        Figure(beam=0.7, python=2.5),
    ),
    Row(
        "call-suspending",
        Ask("call_suspending", CALLS // 2),
        "k/s",
        "ping-pong of async handlers: the one called gives way to the loop once before it answers",
        Figure(python=1.5),
    ),
    Row(
        "cast",
        Ask("cast", CASTS),
        "k/s",
        "one process casts to one server, then waits for the last",
        Figure(beam=0.4, python=1.5),
    ),
    Row(
        "fan-in",
        Ask("fan_in", CASTS),
        "k/s",
        "100 processes cast to one server, until it has handled all",
        Figure(beam=0.8, python=1.3),
    ),
    Row(
        "ring",
        Ask("ring", CASTS),
        "k/s",
        "a token goes round 1,000 processes, a message from each to the next",
        Figure(beam=0.8, python=5.0),
    ),
)
LIVES = (
    Row(
        "spawn-stop",
        Ask("spawn_stop", SPAWNS),
        "k/s",
        "start a linked server and stop it in order, 10,000 one after another",
        Figure(beam=1.2, python=2.5),
    ),
    Row(
        "spawn-stop-100k",
        Ask("crowd", 100_000, fresh=True),
        "k/s",
        "start 100,000, which all live at once, then stop them all",
        Figure(beam=1.2, python=2.5),
        rounds=3,
    ),
    Row(
        "memory",
        Ask("memory", 100_000, fresh=True),
        "bytes",
        "resident bytes per idle server at 100,000: spawned, and called once",
        Figure(beam=0.6, python=0.4, among=("asyncio", "asyncio+uvloop")),
        metric="bytes",
        rounds=3,
    ),
    Row(
        "memory-supervised",
        Ask("memory_supervised", 100_000, fresh=True),
        "bytes",
        "the same under a dynamic supervisor, each with a spec, a link and a monitor",
        metric="bytes",
        rounds=3,
    ),
    Row(
        "restart-p50",
        Ask("restart", CRASHES),
        "us",
        "from sending the crash to the reply of the next process, its crash report built: half are faster",
        Figure(beam=0.7),
        metric="latency",
        percent=50,
    ),
    Row(
        "restart-p99",
        Ask("restart", CRASHES),
        "us",
        "the same: 99 of 100 are faster",
        Figure(beam=0.7),
        metric="latency",
        percent=99,
    ),
    Row(
        "storm",
        Ask("storm", 10_000),
        "k/s",
        "10,000 children of one supervisor crash at once, until all are back",
        Figure(beam=10.0, python=3.0),
        rounds=3,
    ),
)
TIMES = (
    Row(
        "timer",
        Ask("timer", 50_000),
        "k/s",
        "start a timer and cancel it",
        Figure(beam=1.2, python=3.0),
    ),
    Row(
        "timer-late-p50",
        Ask("timer_late", 10_000),
        "us",
        "10,000 timers that are due within one second: how late half of them are at most",
        metric="late",
        percent=50,
        rounds=3,
    ),
    Row(
        "timer-late-p99",
        Ask("timer_late", 10_000),
        "us",
        "the same: how late 99 of 100 are at most",
        metric="late",
        percent=99,
        rounds=3,
    ),
    Row(
        "armed",
        Ask("armed", 100_000, fresh=True),
        "k/s",
        "start 100,000 processes, each of which arms a timer",
        metric="arm",
        rounds=3,
    ),
    Row(
        "armed-fired",
        Ask("armed", 100_000, fresh=True),
        "k/s",
        "the 100,000 timers are due at one moment: from then until each process has handled its own",
        metric="fire",
        rounds=3,
    ),
)
LOOKUPS = (
    Row(
        "via",
        Ask("via", CALLS),
        "k/s",
        "look one of 1,000 servers up in a registry by its key, and call it",
        Figure(beam=1.0, judge="elixir"),
    ),
    Row(
        "via-queued",
        Ask("via", CALLS, ("queued",)),
        "k/s",
        "the same, the direct call off",
    ),
    Row(
        "stream",
        Ask("stream", 10_000),
        "k/s",
        "a supervised task for each of 10,000 items, 100 at a time, results in order",
        Figure(beam=1.5, python=5.0, judge="elixir", among=STREAMS),
    ),
    Row(
        "stream-suspending",
        Ask("stream_suspending", 10_000),
        "k/s",
        "the same with tasks that give way to the loop once",
    ),
)


def _service(mode: str, *options: str) -> tuple[Row, ...]:
    ask = Ask("service", SERVICE, options)
    off = ", the direct call off" if "queued" in options else ""
    return (
        Row(
            f"service{mode}",
            ask,
            "k/s",
            f"100 clients at once look up and call; every second step casts, every fourth sets a timer{off}",
        ),
        Row(
            f"service-p50{mode}",
            ask,
            "us",
            f"latency of its calls: half are faster{off}",
            metric="latency",
            percent=50,
        ),
        Row(
            f"service-p99{mode}",
            ask,
            "us",
            f"latency of its calls: 99 of 100 are faster{off}",
            metric="latency",
            percent=99,
        ),
    )


SERVICE_ROWS = _service("") + _service("-queued", "queued")
TELEMETRY = tuple(
    Row(
        f"{name}-telemetry",
        Ask(workload, n, ("telemetry",)),
        "k/s",
        f"`{name}` with one handler attached to every event",
        alone=True,
    )
    for name, workload, n in (
        ("call", "call", CALLS),
        ("cast", "cast", CASTS),
        ("spawn-stop", "spawn_stop", SPAWNS),
    )
)
FAMILIES: dict[str, tuple[Row, ...]] = {
    "Messages": MESSAGES,
    "Lives": LIVES,
    "Timers": TIMES,
    "Lookups and streams": LOOKUPS,
    "A mixed service": SERVICE_ROWS,
    "Telemetry": TELEMETRY,
    "Services": SERVICES,
}
ROWS: tuple[Row, ...] = tuple(row for family in FAMILIES.values() for row in family)


def selected(names: Iterable[str]) -> list[Row]:
    """The rows of these names, with those that they are held against."""
    wanted, waiting, by_name = set[str](), list(names), {row.name: row for row in ROWS}
    while waiting:
        name = waiting.pop()
        row = by_name.get(name)
        if row is not None and name not in wanted:
            wanted.add(name)
            waiting += [row.beside.row] if row.beside else []
    return [row for row in ROWS if row.name in wanted]
