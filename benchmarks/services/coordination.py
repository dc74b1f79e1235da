"""What a routed, acknowledged message costs, in queued calls.

    python -m benchmarks.services.coordination [rounds]

Both are measured in each round, in turn; the figures are medians of processor time.  The
receiver is the same, and so is what it does: a queued call is an untyped call to it, which
always goes through its mailbox.  The router's messages are in custody of a store, as in a
`System`.  Goal: at most 4 queued calls.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

import suptree as st
from benchmarks.services.alternating import medians
from suptree.services import CoordinationManager, DeadLetterQueue, MemoryStore, StateOwner

N: Final = 10_000
GOAL: Final = 4.0
"""Queued calls that a routed message may cost."""
MANY: Final = 1_000

Side: TypeAlias = Callable[[int], Awaitable[float]]
"""Does it so often, and says how many seconds of the processor one took."""


class Echo(st.GenServer):
    """Answers with what it was asked."""

    def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
        return request


async def start(receivers: int = 0) -> None:
    """A router with its dead letters, one receiver, and so many more."""
    await StateOwner.start_link()
    await st.child(DeadLetterQueue, store=MemoryStore()).with_(name="letters").start_link()
    router = st.child(CoordinationManager, dead_letters="letters", store=MemoryStore())
    await router.with_(name="router").start_link()
    await st.child(Echo).with_(name="echo").start_link()
    for number in range(receivers):
        await st.child(Echo).with_(name=f"echo{number}").start_link()


async def queued(n: int) -> float:
    """Processor seconds of one queued call, the mean of *n*."""
    start = time.process_time()
    for number in range(n):
        await st.GenServer.call("echo", number)
    return (time.process_time() - start) / n


async def routed(n: int) -> float:
    """Processor seconds of one routed message, the mean of *n*."""
    start = time.process_time()
    for number in range(n):
        await CoordinationManager.coordinate("router", "echo", number)
    return (time.process_time() - start) / n


async def many_queued(n: int) -> float:
    """The same of calls to a thousand servers in turn."""
    start = time.process_time()
    for number in range(n):
        await st.GenServer.call(f"echo{number % MANY}", number)
    return (time.process_time() - start) / n


async def many_lanes(n: int) -> float:
    """The same of messages to a thousand receivers in turn."""
    start = time.process_time()
    for number in range(n):
        await CoordinationManager.coordinate("router", f"echo{number % MANY}", number)
    return (time.process_time() - start) / n


async def measure(rounds: int) -> None:
    """Print the figures."""
    pairs: dict[str, tuple[Side, Side]] = {
        "one receiver": (queued, routed),
        "1,000 receivers": (many_queued, many_lanes),
    }
    async with st.Runtime():
        await start(MANY)
        sides = {
            f"{name}, {place}": partial(side, N)
            for name, pair in pairs.items()
            for place, side in enumerate(pair)
        }
        seconds = await medians(sides, rounds, warm_up=1)
        _report(rounds, pairs, seconds)


def _report(rounds: int, names: Iterable[str], seconds: Mapping[str, float]) -> None:
    print(f"medians of {rounds} rounds of {N:,}, processor time")
    for name in names:
        call, message = (seconds[f"{name}, {place}"] for place in range(2))
        ratio = message / call
        print(
            f"{name:<16} queued call {call * 1e6:5.2f} µs, routed message {message * 1e6:5.2f} µs: "
            f"{ratio:.2f} queued calls (goal: at most {GOAL:g}, "
            f"{'reached' if ratio <= GOAL else 'NOT reached'})"
        )


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 7))
