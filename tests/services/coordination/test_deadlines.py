"""A sender whose own time is short sees an outcome all the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    Acknowledged,
    Broadcast,
    Buffered,
    CoordinationManager,
    LanePolicy,
    Rejected,
)
from suptree.testing import turn

from .helpers import agent, got, router

pytestmark = pytest.mark.suptree_loop("virtual")  # it counts seconds

M = CoordinationManager


class Hurried(st.GenServer):
    """Sends messages in calls whose callers wait for so long."""

    def __init__(self) -> None:
        self.told: list[tuple[float, Any]] = []

    @st.call
    async def send(self, ask: Any) -> Any:
        outcome = await ask()
        self.told.append((self.pid.runtime.now(), outcome))
        return outcome


ASKS = {
    "coordinate": lambda: M.coordinate("router", "slow", 1, wait=5.0),
    "by default": lambda: M.coordinate("router", "slow", 1),
    "delegate": lambda: M.delegate("router", "slow", 1),
    "distribute": lambda: M.distribute("router", ["slow"], 1),
    "broadcast": lambda: M.broadcast("router", ["slow"], 1),
}


@pytest.fixture
async def hurried(runtime: st.Runtime) -> st.Pid[Hurried]:
    runtime.propagator = st.ContextPropagator()
    await router()
    await agent("slow")
    await M.coordinate("router", "slow", ("hold", 0), wait=0.0)
    return await Hurried.start_link()


@pytest.mark.parametrize("seconds", [3.0, 0.5, 0.02, 0.004, 0.0])
@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
async def test_a_sender_with_a_deadline_is_told_before_it_is_over(runtime, hurried, ask, seconds):
    before = runtime.now()

    try:
        outcome = await Hurried.send.within(seconds)(hurried, ask)
    except st.CallTimeoutError:  # its own caller waits for nothing at all
        assert seconds == 0.0
        await turn()
        outcome = (await st.sys.get_state(hurried))["told"][0][1]

    if isinstance(outcome, Broadcast):
        outcome = outcome.outcomes["slow"]
    assert isinstance(outcome, Buffered)
    assert before + 0.8 * seconds - 0.01 <= runtime.now() <= before + seconds


async def test_who_asks_for_an_outcome_with_a_deadline_is_told_before_it_is_over(runtime, hurried):
    told = await M.coordinate("router", "slow", 1, wait=0.0)

    again = await Hurried.send.within(1.0)(hurried, lambda: M.outcome("router", told.id, wait=60.0))

    assert again == told
    assert runtime.now() == pytest.approx(0.95)


async def test_a_sender_that_waits_for_a_place_is_rejected_before_its_deadline_is_over(runtime):
    runtime.propagator = st.ContextPropagator()
    await router(policy=LanePolicy(buffer=1, overflow="wait"))
    await agent("slow")
    for n in range(2):
        await M.coordinate("router", "slow", ("hold", n), wait=0.0)
    hurried = await Hurried.start_link()

    outcome = await Hurried.send.within(1.0)(hurried, lambda: M.coordinate("router", "slow", 2))

    assert isinstance(outcome, Rejected)
    assert outcome.why == "buffer_full"


async def test_a_deadline_that_is_not_near_takes_nothing_from_the_wait(runtime, hurried):
    await Hurried.send.within(60.0)(hurried, lambda: M.coordinate("router", "slow", 1, wait=5.0))

    assert runtime.now() == pytest.approx(5.0)


async def test_who_waits_for_nothing_is_told_in_the_same_moment_and_the_message_goes_on(runtime):
    await router()
    await agent("worker")

    outcome = await M.coordinate("router", "worker", 1, wait=0.0)

    assert outcome == Buffered(outcome.id, "worker", 0, "the receiver has not answered yet")
    assert got("worker") == []
    await asyncio.sleep(0.1)
    assert isinstance(await M.outcome("router", outcome.id), Acknowledged)


@pytest.mark.parametrize(
    ("strategy", "fulfilled"),
    [("best_effort", True), ("at_least_one", False), ("all_or_nothing", False)],
)
async def test_a_broadcast_that_waits_for_nothing_hears_of_no_acknowledgement(
    runtime, strategy, fulfilled
):
    await router()
    await agent("a")
    await agent("b")

    told = await M.broadcast("router", ["a", "b"], 1, strategy=strategy, wait=0.0)

    assert told.fulfilled == fulfilled
    assert [type(outcome) for outcome in told.outcomes.values()] == [Buffered, Buffered]
