"""What protection costs: breaker, retry, limiter and bulkhead, beside the same call without them.

    python -m benchmarks.services.resilience [--rounds N] [--calls N]

Each row alternates both sides, round by round, and prints the medians of processor time.  There
are two bare sides: a call that waits for nothing, and one that waits as each does that waits for the
network, here for one turn of the event loop.

Goals: a breaker adds less than 10 us to a call, a check of a limit costs at most 4 direct calls
to a server that does nothing, and a limiter with 10,000 keys at most 1.5 times one with a single key.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from functools import partial

import suptree as st
from suptree.services import (
    BreakerConfig,
    BulkheadConfig,
    Bulkheads,
    CircuitBreakers,
    RateLimiter,
    RetryPolicy,
    RetryService,
    SlidingWindow,
    TokenBucket,
)

Call = Callable[[int], Awaitable[object]]


class Nothing(st.GenServer):
    """The cheapest request there is."""

    @st.call
    def ask(self) -> None:
        return None


async def at_once() -> int:
    """A call that waits for nothing."""
    return 1


async def one_turn() -> int:
    """A call that waits for one turn of the event loop, as each does that waits for the network."""
    await asyncio.sleep(0)
    return 1


async def seconds_per_call(call: Call, calls: int) -> float:
    """Run *call* so often, and say how much of the processor one took, whoever else uses it."""
    begin = time.process_time()
    for number in range(calls):
        await call(number)
    return (time.process_time() - begin) / calls


async def row(name: str, bare: Call, ours: Call, rounds: int, calls: int) -> None:
    """Measure both sides, one after the other in each round."""
    sides: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for call, times in zip((bare, ours), sides, strict=True):
            times.append(await seconds_per_call(call, calls))
    without, with_it = (statistics.median(times) * 1e6 for times in sides)
    added, ratio = with_it - without, with_it / without
    print(f"{name:42} {without:8.2f} us {with_it:8.2f} us {added:+8.2f} us {ratio:7.2f} x")


async def measure(rounds: int, calls: int) -> None:
    """Print all rows."""
    breakers = await CircuitBreakers.start_link(
        {"number": BreakerConfig(), "rate": BreakerConfig(failure_rate=0.5, window_calls=100)}
    )
    retries = await RetryService.start_link({"bank": RetryPolicy.exponential()})
    limits = await RateLimiter.start_link(
        {
            "bucket": TokenBucket(rate=1e9, burst=10**9),
            "window": SlidingWindow(limit=10**9, per=60.0),
            "keys": TokenBucket(rate=1e9, burst=10**9),
            "full": SlidingWindow(limit=1, per=1e9),
        }
    )
    bulkheads = await Bulkheads.start_link({"bank": BulkheadConfig()})
    nothing = await Nothing.start_link()
    whos = [f"customer-{number}" for number in range(10_000)]
    for who in whos:
        await RateLimiter.check(limits, "keys", who)

    def bare(function: Callable[[], Awaitable[object]]) -> Call:
        return lambda _: function()

    def ask(_: int) -> Awaitable[object]:
        return Nothing.ask(nothing)

    def check(limiter: str) -> Call:
        return lambda _: RateLimiter.check(limits, limiter)

    print(f"{'':42} {'without':>11} {'with':>11} {'added':>11} {'ratio':>9}")
    for word, function in (("nothing", at_once), ("one turn", one_turn)):
        protected = {
            "breaker": partial(CircuitBreakers.run, breakers, "number", function),
            "breaker by rate": partial(CircuitBreakers.run, breakers, "rate", function),
            "retry": partial(RetryService.run, retries, "bank", function),
            "bulkhead": partial(Bulkheads.run, bulkheads, "bank", function),
        }
        for name, call in protected.items():
            title = f"call that waits for {word}: {name}"
            await row(title, bare(function), bare(call), rounds, calls)
    for name in ("bucket", "window", "full"):
        await row(f"empty request: check of {name}", ask, check(name), rounds, calls)
    await row(
        "check of 1 key: of 10,000 keys",
        check("bucket"),
        lambda number: RateLimiter.check(limits, "keys", whos[number * 7919 % 10_000]),
        rounds,
        calls,
    )


async def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=5000)
    options = parser.parse_args()
    async with st.Runtime():
        await measure(options.rounds, options.calls)


if __name__ == "__main__":
    asyncio.run(main())
