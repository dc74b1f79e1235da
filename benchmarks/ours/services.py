"""The services: what each adds, beside what it is added to, both in one sample and in turn.

The programs in `benchmarks.services` measure; here their figures become metrics, in processor seconds of one operation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.ours.system import supervised
from benchmarks.protocol import Ask, Metrics
from benchmarks.services import coordination, resilience, scheduler, signals, telemetry
from benchmarks.services.alternating import Measurement, medians
from benchmarks.stats import median
from benchmarks.worker import Workload

TURNS = 5
"""How often the sides of one sample take turns."""
FEW_JOBS = 100
"""What the scheduler with n jobs is held against."""


async def routed(ask: Ask) -> Metrics:
    """A routed message, beside a queued call to the same receiver."""

    async def measure(ask: Ask) -> Metrics:
        await coordination.start()
        each = _each(ask)
        return await _in_turn(
            {
                "call": partial(coordination.queued, each),
                "message": partial(coordination.routed, each),
            }
        )

    return await supervised(ask, measure)


async def breaker(ask: Ask) -> Metrics:
    """A call behind a breaker, beside the bare one; both wait for one turn of the loop."""
    return await _protected(
        ask,
        lambda protections: {
            "bare": resilience.bare(resilience.one_turn),
            "breaker": protections.around(resilience.one_turn)["breaker"],
        },
    )


async def limiter(ask: Ask) -> Metrics:
    """A limiter that lets everything through, beside a server that does nothing."""
    return await _protected(
        ask,
        lambda protections: {
            "request": protections.ask,
            "check": protections.check("bucket"),
            "acquire": protections.acquire("bucket"),
        },
    )


async def _protected(
    ask: Ask, calls: Callable[[resilience.Protections], dict[str, resilience.Call]]
) -> Metrics:
    async def measure(ask: Ask) -> Metrics:
        each = _each(ask)
        protections = await resilience.Protections.start()
        return await _in_turn(
            {
                name: partial(resilience.seconds_per_call, call, each)
                for name, call in calls(protections).items()
            }
        )

    return await supervised(ask, measure)


def publish(subscribers: int) -> Workload:
    """A signal to so many subscribers, until all have handled it; *n* is how often one gets it, in all."""

    async def workload(ask: Ask) -> Metrics:
        async def measure(ask: Ask) -> Metrics:
            count = max(1, _each(ask) // subscribers)
            found = await _in_turn({"each": await signals.publishing(subscribers, count)})
            return {"each": found["each"] / subscribers}

        return await supervised(ask, measure)

    return workload


def tick(ask: Ask) -> Metrics:
    """A tick of a scheduler with *n* jobs, beside that of one with few; as many are due."""
    few, many = scheduler.measure((FEW_JOBS, ask.n), TURNS).values()
    return {"few": median(few) / 1e6, "many": median(many) / 1e6}


async def event(ask: Ask) -> Metrics:
    """An event with 0, 1 and 10 handlers, beside the call of an empty function."""
    each = _each(ask)
    loops = {
        "function": telemetry.calling_nothing(each),
        **{f"handlers-{n}": telemetry.emitting(n, n=each) for n in (0, 1, 10)},
    }
    seconds = await _in_turn({name: telemetry.plain(loop) for name, loop in loops.items()})
    return {name: value / each for name, value in seconds.items()}


def _each(ask: Ask) -> int:
    return max(1, ask.n // TURNS)


async def _in_turn(measurements: dict[str, Measurement]) -> dict[str, float]:
    return await medians(measurements, TURNS)


WORKLOADS: dict[str, Workload] = {
    "routed": routed,
    "breaker": breaker,
    "limiter": limiter,
    "publish_1": publish(1),
    "publish_100": publish(100),
    "publish_10000": publish(10_000),
    "tick": tick,
    "event": event,
}
