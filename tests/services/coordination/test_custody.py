"""What a router leaves behind, the next one goes on with."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    Acknowledged,
    Buffered,
    Context,
    CoordinationManager,
    DeadLettered,
    DeadLetterQueue,
    Expired,
    LanePolicy,
    MemoryStore,
    Rejected,
    StateOwner,
    UnknownMessageError,
)
from suptree.services.coordination.inheriting import CRASHED_OVER_IT
from suptree.services.parts.breaker import BreakerConfig
from suptree.testing import turn, wait_down, wait_until

from .helpers import Agent, agent, got, letters, router

pytestmark = pytest.mark.suptree_loop("virtual")  # it moves time by minutes

coordinate = CoordinationManager.coordinate


async def kept_router(**options: Any) -> st.Pid[CoordinationManager]:
    if "state" not in st.current().runtime.tables:
        await StateOwner.start_link()
    pid = await router(store=MemoryStore(), **options)
    st.unlink(pid)
    return pid


async def kill(pid: st.Pid[Any]) -> None:
    st.exit(pid, st.KILL)
    await wait_down(pid)


async def stats() -> Any:
    return await CoordinationManager.stats("router")


async def test_messages_that_wait_are_delivered_by_the_next_router_in_order_and_once(runtime):
    pid = await kept_router()
    await agent("worker")
    await coordinate("router", "worker", ("hold", 0), wait=0.0)
    told = [await coordinate("router", "worker", n, wait=0.0) for n in range(1, 20)]

    await kill(pid)
    await kept_router()
    assert ((await stats()).taken_over, (await stats()).waiting) == (20, 20)
    Agent.let_go("worker")
    outcomes = [await CoordinationManager.outcome("router", one.id) for one in told]

    assert got("worker") == [("hold", 0), *range(1, 20)]
    assert [(one.value, one.attempts) for one in outcomes] == [(n, 1) for n in range(1, 20)]


async def test_an_answer_that_came_while_there_was_no_router_is_not_lost(runtime):
    pid = await kept_router()
    await agent("worker")
    told = await coordinate("router", "worker", ("hold", 1), wait=0.0)
    await coordinate("router", "worker", 2, wait=0.0)
    await wait_until(lambda: got("worker"))

    await kill(pid)
    Agent.let_go("worker")
    await asyncio.sleep(3.0)
    await kept_router()

    outcome = await CoordinationManager.outcome("router", told.id)
    assert outcome == Acknowledged(told.id, "worker", 1, attempts=1)
    await asyncio.sleep(1.0)
    assert got("worker") == [("hold", 1), 2]


async def test_a_receiver_that_died_while_there_was_no_router_gets_its_message_again(runtime):
    pid = await kept_router()
    await agent("worker")
    told = await coordinate("router", "worker", ("hold", 1), wait=0.0)
    await wait_until(lambda: got("worker"))

    await kill(pid)
    st.exit(st.whereis("worker"), st.KILL)
    await asyncio.sleep(1.0)
    await kept_router()
    await wait_until(lambda: len(got("worker")) == 2)
    Agent.let_go("worker")

    assert (await CoordinationManager.outcome("router", told.id)).attempts == 2


async def test_a_sender_that_waited_learns_that_the_router_ended_and_its_message_goes_on(runtime):
    pid = await kept_router()
    await agent("worker")
    await coordinate("router", "worker", ("hold", 0), wait=0.0)
    waiting = coordinate.send_request("router", "worker", 1)
    await turn()

    await kill(pid)
    with pytest.raises(st.ServerExitError) as caught:
        await waiting
    await kept_router()
    Agent.let_go("worker")
    await asyncio.sleep(1.0)

    assert not caught.value.unread
    assert got("worker") == [("hold", 0), 1]


async def test_a_message_that_the_router_had_not_read_was_not_accepted(runtime):
    pid = await kept_router()
    await agent("worker")
    await st.sys.suspend(pid)
    waiting = coordinate.send_request("router", "worker", 1)
    await turn()

    await kill(pid)
    with pytest.raises(st.ServerExitError) as caught:
        await waiting
    await kept_router()
    await asyncio.sleep(1.0)

    assert caught.value.unread
    assert got("worker") == []


async def test_senders_that_waited_for_a_place_have_one_with_the_next_router(runtime):
    policy = LanePolicy(buffer=1, overflow="wait")
    pid = await kept_router(policy=policy)
    await agent("worker")
    for n in range(4):
        coordinate.send_request("router", "worker", ("sleep", 0.1, n))
    await turn()
    assert (await stats()).parked == 2

    await kill(pid)
    await kept_router(policy=policy)
    await asyncio.sleep(2.0)

    assert got("worker") == [("sleep", 0.1, n) for n in range(4)]
    assert ((await stats()).taken_over, (await stats()).acknowledged) == (4, 4)


async def test_outcomes_of_the_router_before_can_still_be_asked_for(runtime):
    pid = await kept_router()
    await agent("worker")
    told = await coordinate("router", "worker", 1, wait=0.0)
    await asyncio.sleep(1.0)

    await kill(pid)
    await kept_router()

    assert (await CoordinationManager.outcome("router", told.id)).value == 1


async def test_a_message_is_not_younger_for_another_router(runtime):
    pid = await kept_router()
    await letters()
    await agent("worker")
    await coordinate("router", "worker", ("hold", 0), wait=0.0)
    told = await coordinate("router", "worker", 1, wait=0.0, expires=10.0)
    await asyncio.sleep(8.0)

    await kill(pid)
    await kept_router(dead_letters="letters")
    before = runtime.now()
    outcome = await CoordinationManager.outcome("router", told.id, wait=60.0)

    assert outcome == Expired(told.id, "worker", in_flight=False)
    assert runtime.now() - before == pytest.approx(2.0)
    [letter] = await DeadLetterQueue.letters("letters")
    assert letter.message == 1


async def test_a_message_that_expired_in_the_receivers_hands_holds_its_lane_for_the_next_router(
    runtime,
):
    pid = await kept_router()
    await agent("worker")
    await coordinate("router", "worker", ("hold", 0), wait=5.0, expires=1.0)
    await coordinate("router", "worker", 1, wait=0.0)

    await kill(pid)
    await kept_router()
    await asyncio.sleep(1.0)
    assert got("worker") == [("hold", 0)]
    assert (await stats()).taken_over == 1
    Agent.let_go("worker")
    await asyncio.sleep(1.0)

    assert got("worker") == [("hold", 0), 1]


async def test_a_breaker_that_is_open_stays_so(runtime):
    policy = LanePolicy(
        ack_timeout=1.0, expires=600.0, breaker=BreakerConfig(failure_threshold=1, reset_timeout=30)
    )
    pid = await kept_router(policy=policy)
    await agent("worker")
    await coordinate("router", "worker", ("hold", 0), wait=2.0)
    Agent.let_go("worker")
    told = await coordinate("router", "worker", 1, wait=0.0)

    await kill(pid)
    await kept_router(policy=policy)
    await asyncio.sleep(10.0)
    [lane] = await CoordinationManager.lanes("router")
    assert (lane.breaker, got("worker")) == ("open", [("hold", 0)])
    await asyncio.sleep(25.0)

    assert (await CoordinationManager.outcome("router", told.id)).value == 1


async def test_the_policy_of_the_new_router_holds_for_what_it_took_over(runtime):
    pid = await kept_router(policy=LanePolicy(buffer=100))
    await agent("worker")
    await coordinate("router", "worker", ("hold", 0), wait=0.0)
    await coordinate("router", "worker", 1, wait=0.0)

    await kill(pid)
    await kept_router(policy=LanePolicy(buffer=1, breaker=None))
    outcome = await coordinate("router", "worker", 2, wait=0.0)

    assert isinstance(outcome, Rejected)
    [lane] = await CoordinationManager.lanes("router")
    assert (lane.breaker, lane.waiting) == ("none", 1)


async def test_what_travels_goes_with_a_message_that_was_taken_over(runtime):
    trace = contextvars.ContextVar("trace", default="none")
    seen: list[str] = []

    class Traced(st.GenServer):
        def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
            seen.append(trace.get())
            return request

    runtime.propagator = st.ContextPropagator(trace)
    pid = await kept_router(policy=LanePolicy(expires=600.0))
    traced = await st.child(Traced).with_(name="traced").start_link()
    await coordinate("router", "traced", 0)
    await Traced.stop(traced)
    trace.set("one")
    told = await coordinate("router", "traced", 1, wait=0.0)
    trace.set("two")

    await kill(pid)
    await kept_router(policy=LanePolicy(expires=600.0))
    await st.child(Traced).with_(name="traced").start_link()

    assert isinstance(await CoordinationManager.outcome("router", told.id, wait=60.0), Acknowledged)
    assert seen == ["none", "one"]


async def test_groups_outlive_the_router_without_those_who_ended(runtime):
    pid = await kept_router()
    await agent("a")
    members = [await Agent.start(), await Agent.start()]
    owner = await Agent.start()
    await CoordinationManager.open_context("router", "crew", ["a", *members], data={"job": 1})
    await CoordinationManager.open_context("router", "passing", ["a"], owner=owner)

    await kill(pid)
    await kill(members[0])
    await kill(owner)
    await kept_router()

    info = await CoordinationManager.context("router", "crew")
    assert (info.members, info.data) == (("a", members[1]), {"job": 1})
    assert [one.name for one in await CoordinationManager.contexts("router")] == ["crew"]
    result = await CoordinationManager.broadcast("router", Context("crew"), "news")
    assert result.fulfilled
    await kill(members[1])
    assert (await CoordinationManager.context("router", "crew")).members == ("a",)


async def test_what_a_router_crashed_over_when_it_took_it_over_is_set_aside(runtime):
    await letters()
    pid = await kept_router(dead_letters="letters")
    await agent("worker")
    await coordinate("router", "worker", ("hold", 0), wait=0.0)
    told = await coordinate("router", "worker", 1, wait=0.0)

    await kill(pid)
    st.Table.lookup("state")["coordination"]["custody"].unfinished = True
    await kept_router(dead_letters="letters")

    outcome = await CoordinationManager.outcome("router", told.id)
    assert outcome == DeadLettered(told.id, "worker", CRASHED_OVER_IT, attempts=0)
    assert [one.message for one in await DeadLetterQueue.letters("letters")] == [("hold", 0), 1]
    after = await stats()
    assert (after.taken_over, after.dead_lettered, after.waiting) == (2, 2, 0)
    Agent.let_go("worker")
    assert (await coordinate("router", "worker", 2)).value == 2


async def test_a_message_is_in_custody_of_the_third_router_too(runtime):
    pid = await kept_router()
    await agent("worker")
    told = await coordinate("router", "worker", ("hold", 0), wait=0.0)
    for _ in range(2):
        await kill(pid)
        pid = await kept_router()
    Agent.let_go("worker")

    assert (await CoordinationManager.outcome("router", told.id)).attempts == 1


async def test_two_routers_do_not_share_their_messages(runtime):
    await kept_router()

    with pytest.raises(st.StartError, match="space must be one of its own; got 'coordination'"):
        await router("other", store=MemoryStore())
    await router("other", store=MemoryStore(), space="other")


async def test_without_a_store_messages_end_with_the_router(runtime):
    pid = await router()
    st.unlink(pid)
    await agent("worker")
    await coordinate("router", "worker", ("hold", 0), wait=0.0)
    told = await coordinate("router", "worker", 1, wait=0.0)

    await kill(pid)
    await router()
    Agent.let_go("worker")
    await asyncio.sleep(1.0)

    assert isinstance(told, Buffered)
    assert got("worker") == [("hold", 0)]
    with pytest.raises(UnknownMessageError):
        await CoordinationManager.outcome("router", told.id)


class Copying:
    """A store that keeps no references."""

    async def load(self, space: str) -> dict[str, object]:
        return {}

    async def put(self, space: str, key: str, value: object) -> None: ...

    async def delete(self, space: str, key: str) -> None: ...


async def test_a_store_that_would_keep_copies_is_refused(runtime):
    with pytest.raises(st.StartError, match="store must keep references, as MemoryStore does"):
        await router(store=Copying())
