"""What protection costs: breaker, retry, limiter and bulkhead, beside the same call without them.

    python -m benchmarks.services.resilience [--rounds N] [--calls N]

Each row alternates both sides, round by round, and prints the medians of processor time.  There
are two bare sides: a call that waits for nothing, and one that waits as each does that waits for the
network, here for one turn of the event loop.

Goals: a breaker adds less than 10 us to a call, a check of a limit (and taking from it, where nothing
has to be waited for) costs at most 4 direct calls to a server that does nothing, and a limiter with 10,000 keys at most 1.5 times one with a single key.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import suptree as st
from benchmarks.services.alternating import medians
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
Protected = Callable[[], Awaitable[object]]


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
    sides = {
        "without": partial(seconds_per_call, bare, calls),
        "with": partial(seconds_per_call, ours, calls),
    }
    without, with_it = (seconds * 1e6 for seconds in (await medians(sides, rounds)).values())
    added, ratio = with_it - without, with_it / without
    print(f"{name:42} {without:8.2f} us {with_it:8.2f} us {added:+8.2f} us {ratio:7.2f} x")


@dataclass(frozen=True, slots=True)
class Protections:
    """The services that protect, and a server to hold them against."""

    breakers: st.Pid[CircuitBreakers]
    retries: st.Pid[RetryService]
    limits: st.Pid[RateLimiter]
    bulkheads: st.Pid[Bulkheads]
    nothing: st.Pid[Nothing]

    @classmethod
    async def start(cls) -> Protections:
        """Start them, with limits that are never reached but that of `full`."""
        return cls(
            await CircuitBreakers.start_link(
                {
                    "number": BreakerConfig(),
                    "rate": BreakerConfig(failure_rate=0.5, window_calls=100),
                }
            ),
            await RetryService.start_link({"bank": RetryPolicy.exponential()}),
            await RateLimiter.start_link(
                {
                    "bucket": TokenBucket(rate=1e9, burst=10**9),
                    "window": SlidingWindow(limit=10**9, per=60.0),
                    "keys": TokenBucket(rate=1e9, burst=10**9),
                    "full": SlidingWindow(limit=1, per=1e9),
                }
            ),
            await Bulkheads.start_link({"bank": BulkheadConfig()}),
            await Nothing.start_link(),
        )

    def around(self, function: Protected) -> dict[str, Call]:
        """*function* behind each of them."""
        return {
            "breaker": bare(partial(CircuitBreakers.run, self.breakers, "number", function)),
            "breaker by rate": bare(partial(CircuitBreakers.run, self.breakers, "rate", function)),
            "retry": bare(partial(RetryService.run, self.retries, "bank", function)),
            "bulkhead": bare(partial(Bulkheads.run, self.bulkheads, "bank", function)),
        }

    def ask(self, _: int) -> Awaitable[object]:
        """One request to the server that does nothing."""
        return Nothing.ask(self.nothing)

    def check(self, limiter: str) -> Call:
        """Whether one more is within *limiter*."""
        return lambda _: RateLimiter.check(self.limits, limiter)

    def acquire(self, limiter: str) -> Call:
        """One more as soon as *limiter* lets it through, which is at once."""
        return lambda _: RateLimiter.acquire(self.limits, limiter)


def bare(function: Protected) -> Call:
    """*function* as it is."""
    return lambda _: function()


async def measure(rounds: int, calls: int) -> None:
    """Print all rows."""
    protections = await Protections.start()
    whos = [f"customer-{number}" for number in range(10_000)]
    for who in whos:
        await RateLimiter.check(protections.limits, "keys", who)

    print(f"{'':42} {'without':>11} {'with':>11} {'added':>11} {'ratio':>9}")
    for word, function in (("nothing", at_once), ("one turn", one_turn)):
        for name, call in protections.around(function).items():
            title = f"call that waits for {word}: {name}"
            await row(title, bare(function), call, rounds, calls)
    for name in ("bucket", "window", "full"):
        title = f"empty request: check of {name}"
        await row(title, protections.ask, protections.check(name), rounds, calls)
    title = "empty request: acquire from bucket"
    await row(title, protections.ask, protections.acquire("bucket"), rounds, calls)
    await row(
        "check of 1 key: of 10,000 keys",
        protections.check("bucket"),
        lambda number: RateLimiter.check(
            protections.limits, "keys", whos[number * 7919 % len(whos)]
        ),
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
