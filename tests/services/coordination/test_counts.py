"""Each count of a router, and of a dead-letter queue, moves when it should and at nothing else."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    CoordinationManager,
    DeadLetterQueue,
    DeadLetterStats,
    LanePolicy,
    Rejected,
)
from suptree.services.coordination.stats import CoordinationStats
from suptree.services.parts.backoff import RetryPolicy

from .helpers import Agent, agent, letters, router

pytestmark = pytest.mark.suptree_loop("virtual")  # it moves time by minutes

M = CoordinationManager

Act = Callable[[], Awaitable[Any]]


async def refused() -> None:
    await M.coordinate("router", "worker", ("refuse", 1))


async def expired() -> None:
    await M.coordinate("router", "worker", ("hold", 1), expires=1.0)
    Agent.let_go("worker")


async def crashed() -> None:
    await M.coordinate("router", "worker", ("crash", 1))


async def parked_in_vain() -> None:
    await M.coordinate("router", "narrow", ("hold", 1), wait=0.0)
    assert isinstance(await M.coordinate("router", "narrow", 2, wait=1.0), Rejected)
    Agent.let_go("narrow")


async def parked_by_a_pid_that_ends() -> None:
    pid = await Agent.start()
    asked = [M.coordinate.send_request("alone", pid, ("hold", n)) for n in range(2)]
    await asyncio.sleep(0.1)
    assert (await M.stats("alone")).parked == 1
    st.exit(pid, st.KILL)
    outcomes = [await one for one in asked]
    assert (outcomes[1].why, outcomes[0].attempts) == ("no_process", 1)


async def parked_and_served() -> None:
    asked = [M.coordinate.send_request("router", "narrow", ("sleep", 0.1, n)) for n in range(3)]
    await asyncio.sleep(0.05)
    assert (await M.stats("router")).parked == 2
    for one in asked:
        await one


async def parked_until_it_expires() -> None:
    await M.coordinate("router", "narrow", ("hold", 1), wait=0.0)
    outcome = await M.coordinate("router", "narrow", 2, wait=5.0, expires=1.0)
    assert isinstance(outcome, Rejected)
    Agent.let_go("narrow")


async def redriven() -> None:
    DeadLetterQueue.add("letters", "worker", 1, "why")
    await M.redrive("router", "letters")
    await asyncio.sleep(0.1)


async def group() -> None:
    await M.open_context("router", "crew", ["worker"])


ACTS: dict[str, tuple[Act, dict[str, int]]] = {
    "a message": (lambda: M.coordinate("router", "worker", 1), {"accepted": 1, "acknowledged": 1}),
    "one that is told later": (
        lambda: M.coordinate("router", "worker", ("sleep", 1.0, 1), wait=0.0),
        {"accepted": 1, "buffered": 1, "acknowledged": 1},
    ),
    "one for nobody": (lambda: M.coordinate("router", "nobody", 1), {"rejected": 1}),
    "one that is refused": (refused, {"accepted": 1, "refused": 1}),
    "one that takes too long": (expired, {"accepted": 1, "expired": 1}),
    "poison": (crashed, {"accepted": 1, "retried": 1, "dead_lettered": 1}),
    "a place in vain": (
        parked_in_vain,
        {"accepted": 1, "buffered": 1, "acknowledged": 1, "rejected": 1},
    ),
    "a place until it is too late": (
        parked_until_it_expires,
        {"accepted": 1, "buffered": 1, "acknowledged": 1, "rejected": 1},
    ),
    "a place in time": (parked_and_served, {"accepted": 3, "acknowledged": 3}),
    "a dead letter": (
        redriven,
        {"accepted": 1, "redriven": 1, "buffered": 1, "acknowledged": 1},
    ),
    "a group": (group, {"contexts": 1}),
    "all or nothing": (
        lambda: M.broadcast("router", ["worker", "nobody"], 1, strategy="all_or_nothing"),
        {"rejected": 2},
    ),
    "a look": (lambda: M.lanes("router"), {}),
}


async def counts(name: str = "router") -> dict[str, int]:
    found = dataclasses.asdict(await M.stats(name))
    del found["lanes"]
    return found


@pytest.mark.parametrize(("act", "expected"), ACTS.values(), ids=ACTS)
async def test_what_is_done_moves_these_counts_and_no_other(runtime, act, expected):
    await letters()
    await router(
        dead_letters="letters",
        policy=LanePolicy(retry=RetryPolicy.fixed(delay=0.1, max_attempts=2), breaker=None),
        policies={"narrow": LanePolicy(buffer=0, overflow="wait")},
    )
    await agent("worker")
    await agent("narrow")
    before = await counts()

    await act()
    await asyncio.sleep(2.0)

    after = await counts()
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == (
        expected
    )


async def test_a_sender_that_waits_for_a_place_by_a_pid_that_ends_is_rejected(runtime):
    await router("alone", policy=LanePolicy(buffer=0, overflow="wait"))

    await parked_by_a_pid_that_ends()

    after = await counts("alone")
    assert (after["accepted"], after["dead_lettered"], after["rejected"]) == (1, 1, 1)
    assert (after["letters_lost"], after["waiting"], after["parked"]) == (1, 0, 0)


async def test_what_is_there_now_is_counted_by_where_it_is(runtime):
    await router(policy=LanePolicy(buffer=1, overflow="wait"))
    await agent("worker")
    for n in range(3):
        M.coordinate.send_request("router", "worker", ("hold", n))
    await asyncio.sleep(0.1)

    there = await M.stats("router")
    assert (there.waiting, there.in_flight, there.parked, there.lanes) == (2, 1, 1, 1)
    assert there.accepted == 2


async def test_a_message_that_is_over_is_counted_once_though_its_receiver_has_it(runtime):
    await router()
    await agent("worker")
    await M.coordinate("router", "worker", ("hold", 1), expires=1.0)

    there = await M.stats("router")
    assert (there.expired, there.waiting, there.in_flight) == (1, 0, 0)
    Agent.let_go("worker")
    await asyncio.sleep(0.1)
    assert (await M.stats("router")).acknowledged == 0


LETTERS: dict[str, tuple[Callable[[], Any], dict[str, int]]] = {
    "one more": (
        lambda: DeadLetterQueue.add("letters", "worker", 1, "why"),
        {"added": 1, "held": 1},
    ),
    "one too many": (
        lambda: [DeadLetterQueue.add("letters", "worker", n, "why") for n in range(2)],
        {"added": 2, "held": 1, "dropped_full": 1},
    ),
    "purged": (lambda: DeadLetterQueue.purge("letters"), {"purged": 2, "held": -2}),
    "redriven": (
        lambda: M.redrive("router", "letters"),
        {"redriven": 2, "held": -2},
    ),
    "listed": (lambda: DeadLetterQueue.letters("letters"), {}),
    "old": (lambda: asyncio.sleep(150.0), {"dropped_expired": 2, "held": -2}),
}


@pytest.mark.parametrize(("act", "expected"), LETTERS.values(), ids=LETTERS)
async def test_what_is_done_with_letters_moves_these_counts_and_no_other(runtime, act, expected):
    await letters(max_letters=3, max_age=100.0)
    await router(dead_letters="letters")
    await agent("worker")
    for n in range(2):
        DeadLetterQueue.add("letters", "worker", n, "why")
    before = dataclasses.asdict(await DeadLetterQueue.stats("letters"))

    done = act()
    if done is not None and not isinstance(done, list):
        await done
    stats = await DeadLetterQueue.stats("letters")

    after = dataclasses.asdict(stats)
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == (
        expected
    )
    gone = stats.redriven + stats.purged + stats.dropped_full + stats.dropped_expired
    assert stats.added + stats.taken_over == gone + stats.held


@pytest.mark.parametrize("kind", [CoordinationStats, DeadLetterStats])
def test_every_count_is_explained(kind):
    for one in dataclasses.fields(kind):
        assert f"    {one.name}: " in (inspect.getdoc(kind) or "")
