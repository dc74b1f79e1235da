"""What a routed, acknowledged message costs, in queued calls.

    python -m benchmarks.services.coordination [rounds]

Both are measured in each round, in turn; the figures are medians of processor time.  The
receiver is the same, and so is what it does: a queued call is an untyped call to it, which
always goes through its mailbox.  Goal: at most 4 queued calls.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from typing import Any, Final

import suptree as st
from suptree.services import CoordinationManager, DeadLetterQueue

N: Final = 10_000
GOAL: Final = 4.0


class Echo(st.GenServer):
    """Answers with what it was asked."""

    def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
        return request


async def queued() -> float:
    start = time.process_time()
    for number in range(N):
        await st.GenServer.call("echo", number)
    return time.process_time() - start


async def routed() -> float:
    start = time.process_time()
    for number in range(N):
        await CoordinationManager.coordinate("router", "echo", number)
    return time.process_time() - start


async def many_queued() -> float:
    """Calls to a thousand servers in turn."""
    start = time.process_time()
    for number in range(N):
        await st.GenServer.call(f"echo{number % 1000}", number)
    return time.process_time() - start


async def many_lanes() -> float:
    """Messages to a thousand receivers in turn."""
    start = time.process_time()
    for number in range(N):
        await CoordinationManager.coordinate("router", f"echo{number % 1000}", number)
    return time.process_time() - start


async def measure(rounds: int) -> None:
    """Print the figures."""
    async with st.Runtime():
        await st.child(DeadLetterQueue).with_(name="letters").start_link()
        router = st.child(CoordinationManager, dead_letters="letters")
        await router.with_(name="router").start_link()
        await st.child(Echo).with_(name="echo").start_link()
        for number in range(1000):
            await st.child(Echo).with_(name=f"echo{number}").start_link()
        pairs = {
            "one receiver": (queued, routed),
            "1,000 receivers": (many_queued, many_lanes),
        }
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in pairs}
        for _ in range(rounds + 1):
            for name, (call, message) in pairs.items():
                seconds[name].append((await call(), await message()))
    print(f"medians of {rounds} rounds of {N:,}, processor time")
    for name, values in seconds.items():
        call, message = (statistics.median(side) / N for side in zip(*values[1:], strict=True))
        ratio = message / call
        print(
            f"{name:<16} queued call {call * 1e6:5.2f} µs, routed message {message * 1e6:5.2f} µs: "
            f"{ratio:.2f} queued calls (goal: at most {GOAL:g}, "
            f"{'reached' if ratio <= GOAL else 'NOT reached'})"
        )


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 7))
