"""The rows of the services: each is held against a number of suptree's own, most of them of the same sample."""

from __future__ import annotations

from benchmarks.protocol import Ask
from benchmarks.row import Beside, Row
from benchmarks.services import coordination, scheduler

ROUTED, TICK = Ask("routed", 50_000), Ask("tick", 100_000, fresh=True)
BREAKER, LIMITER, EVENT = Ask("breaker", 25_000), Ask("limiter", 50_000), Ask("event", 500_000)


def _row(
    name: str,
    ask: Ask,
    metric: str,
    what: str,
    beside: Beside | None = None,
    rounds: int | None = None,
) -> Row:
    return Row(name, ask, "us", what, metric=metric, beside=beside, rounds=rounds, alone=True)


SERVICES = (
    _row(
        "queued-call",
        ROUTED,
        "call",
        "an untyped call to a server by its name, which goes through its mailbox",
    ),
    _row(
        "routed-message",
        ROUTED,
        "message",
        "a message to the same server through the CoordinationManager, until its sender is told that it is acknowledged",
        Beside("queued-call", coordination.GOAL),
    ),
    _row("one-turn", BREAKER, "bare", "a call that waits for one turn of the loop and succeeds"),
    _row(
        "breaker", BREAKER, "breaker", "the same call behind a closed breaker", Beside("one-turn")
    ),
    _row(
        "empty-request",
        LIMITER,
        "request",
        "a typed call to a server that does nothing, the direct call allowed",
    ),
    _row(
        "limiter-check",
        LIMITER,
        "check",
        "ask a token bucket that lets everything through",
        Beside("empty-request", 4.0),
    ),
    _row(
        "limiter-acquire",
        LIMITER,
        "acquire",
        "take from it, ready to wait, which is not necessary",
        Beside("empty-request", 4.0),
    ),
    _row(
        "publish-1",
        Ask("publish_1", 25_000),
        "each",
        "publish a signal to one subscriber, until it has handled it",
        Beside("empty-request", 10.0),
    ),
    _row(
        "publish-100",
        Ask("publish_100", 100_000),
        "each",
        "the same to 100 subscribers, for each of them",
        Beside("publish-1", 1.0),
    ),
    _row(
        "publish-10000",
        Ask("publish_10000", 200_000),
        "each",
        "the same to 10,000 subscribers, for each of them",
        Beside("publish-1", 1.0),
        rounds=3,
    ),
    _row(
        "tick-100",
        TICK,
        "few",
        f"a second of a scheduler with 100 jobs, {scheduler.DUE} of which are due, until their messages are handled",
        rounds=3,
    ),
    _row(
        "tick-100k",
        TICK,
        "many",
        f"the same with 100,000 jobs, {scheduler.DUE} of which are due",
        Beside("tick-100", scheduler.GOAL),
        rounds=3,
    ),
    _row("empty-function", EVENT, "function", "call a function that does nothing, in a loop"),
    _row(
        "event-0",
        EVENT,
        "handlers-0",
        "emit an event that nobody listens to, in a loop",
        Beside("empty-function", 1.0),
    ),
    _row(
        "event-1",
        EVENT,
        "handlers-1",
        "the same with one handler that does nothing",
        Beside("empty-function"),
    ),
    _row("event-10", EVENT, "handlers-10", "the same with ten of them", Beside("empty-function")),
)
