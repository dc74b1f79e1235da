"""distribute, delegate, broadcast, and contexts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    Acknowledged,
    Buffered,
    Context,
    ContextExistsError,
    ContextNotFoundError,
    CoordinationManager,
    DeadLettered,
    Delegation,
    LanePolicy,
    Rejected,
)
from suptree.services.coordination import events
from suptree.services.parts.backoff import RetryPolicy
from suptree.services.parts.breaker import BreakerConfig
from suptree.testing import wait_down, wait_until

from .helpers import Agent, agent, got, router

pytestmark = pytest.mark.suptree_loop("virtual")  # it moves time by minutes

NAMES = ["a", "b", "c"]
broadcast = CoordinationManager.broadcast
distribute = CoordinationManager.distribute


async def broadcast_to_all(*arguments: Any) -> Any:
    return await broadcast(*arguments, strategy="all_or_nothing")


async def crew(**options: Any) -> None:
    await router(**options)
    for name in NAMES:
        await agent(name)


# -- distribute ----------------------------------------------------------------------------


async def test_a_task_goes_to_the_one_with_the_fewest_messages(runtime):
    await crew()
    await CoordinationManager.coordinate("router", "a", ("hold", 0), wait=0.0)
    await CoordinationManager.coordinate("router", "b", ("hold", 0), wait=0.0)

    outcome = await distribute("router", NAMES, "task")

    assert (outcome.to, outcome.value) == ("c", "task")


async def test_tasks_spread_over_all_receivers(runtime):
    await crew()
    for n in range(6):
        await distribute("router", NAMES, ("hold", n), wait=0.0)

    assert {one.to: one.waiting for one in await CoordinationManager.lanes("router")} == {
        "a": 1,
        "b": 1,
        "c": 1,
    }


async def test_another_receiver_gets_the_task_of_one_that_dies_over_it(runtime):
    await router()
    await agent("a")
    dying = await Agent.start()
    waiting = CoordinationManager.distribute.send_request("router", [dying, "a"], ("hold", 1))
    await CoordinationManager.stats("router")
    await st.sys.get_state(dying)  # it has begun with the task

    st.exit(dying, st.KILL)
    await wait_until(lambda: got("a"))
    Agent.let_go("a")

    outcome = await waiting
    assert outcome == Acknowledged(outcome.id, "a", 1, attempts=2)


async def test_a_task_that_kills_everybody_ends_as_a_dead_letter(runtime):
    await crew()

    outcome = await distribute("router", NAMES, ("crash", 1), wait=60.0)

    assert isinstance(outcome, DeadLettered)
    assert sum(len(got(name)) for name in NAMES) == 3


async def test_receivers_that_are_not_there_are_passed_over(runtime):
    await crew()

    assert (await distribute("router", ["nobody", "b"], 1)).to == "b"


@pytest.mark.parametrize(
    ("receivers", "why"), [([], "no_receiver"), (["nobody", "nowhere"], "no_process")]
)
async def test_a_task_that_nobody_can_take_is_rejected(runtime, receivers, why):
    await crew()

    outcome = await distribute("router", receivers, 1)

    assert isinstance(outcome, Rejected)
    assert outcome.why == why


async def test_a_task_that_somebody_takes_is_no_rejection_whoever_was_passed_over(runtime):
    await crew()

    await distribute("router", ["nobody", "a"], 1)
    await distribute("router", ["nobody", "nowhere"], 2)

    stats = await CoordinationManager.stats("router")
    assert (stats.accepted, stats.rejected) == (1, 1)


@pytest.mark.parametrize("send", [distribute, broadcast_to_all], ids=["distribute", "broadcast"])
async def test_a_receiver_whose_rest_is_over_is_tried_again_by_a_group(runtime, send):
    breaker = BreakerConfig(failure_threshold=1, reset_timeout=30.0, success_threshold=1)
    await crew(policy=LanePolicy(ack_timeout=1.0, breaker=breaker))
    await CoordinationManager.coordinate("router", "a", ("hold", 1), wait=2.0)
    Agent.let_go("a")
    await asyncio.sleep(31.0)

    await send("router", ["a"], "more")

    assert got("a")[-1] == "more"


async def test_a_lone_name_in_the_place_of_a_list_is_refused_with_a_hint(runtime):
    await crew()

    with pytest.raises(ValueError, match=r"must be a list of receivers, or a Context; got 'a'"):
        await distribute("router", "a", 1)


# -- delegate ----------------------------------------------------------------------------------


class Boss(st.GenServer):
    """Passes what it gets down to the next one, and adds its name to the answer."""

    def __init__(self, name: str, below: str | None) -> None:
        self.name = name
        self.below = below

    async def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
        assert isinstance(request, Delegation)
        if self.below is None:
            return [self.name, request.task]
        outcome = await CoordinationManager.delegate("router", self.below, request.task, on=request)
        match outcome:
            case Acknowledged(value=value):
                return [self.name, *value]
            case _:
                return [self.name, outcome]


async def boss(name: str, below: str | None) -> None:
    await st.child(Boss, name, below).with_(name=name).start_link()


async def test_a_task_goes_down_a_hierarchy_and_the_answer_comes_back_the_same_way(runtime):
    await router()
    await boss("chief", "lead")
    await boss("lead", "worker")
    await boss("worker", None)

    outcome = await CoordinationManager.delegate("router", "chief", "dig")

    assert outcome.value == ["chief", "lead", "worker", "dig"]


async def test_a_delegation_knows_everybody_who_had_it(runtime):
    await router()
    await agent("worker")

    outcome = await CoordinationManager.delegate("router", "worker", "dig")

    assert outcome.value == Delegation("dig", (st.current(), "worker"))


async def test_a_task_that_comes_back_to_who_had_it_is_rejected_with_the_way_it_went(runtime):
    await router()
    await boss("one", "two")
    await boss("two", "one")

    outcome = await CoordinationManager.delegate("router", "one", "dig")

    [_, (_, refusal)] = [outcome.value[0], outcome.value[1:]]
    assert isinstance(refusal, Rejected)
    assert refusal.why == "cycle"
    assert "one -> two -> one" in refusal.detail


async def test_a_task_may_be_passed_down_so_often_and_no_further(runtime):
    await router()
    for n in range(20):
        await boss(f"b{n}", f"b{n + 1}")
    await boss("b20", None)

    outcome = await CoordinationManager.delegate("router", "b0", "dig")

    refusal = outcome.value[-1]
    assert isinstance(refusal, Rejected)
    assert refusal.why == "too_deep"
    assert len(outcome.value) == 17


# -- broadcast -----------------------------------------------------------------------------------


async def test_everybody_gets_a_broadcast_and_the_sender_learns_what_became_of_each(runtime):
    await crew()

    result = await broadcast("router", NAMES, "news")

    assert result.fulfilled
    assert {to: one.value for to, one in result.outcomes.items()} == dict.fromkeys(NAMES, "news")
    assert list(result.outcomes) == NAMES


async def test_one_that_is_named_twice_gets_a_broadcast_once(runtime):
    await crew()

    await broadcast("router", ["a", "a"], 1)

    assert got("a") == [1]


@pytest.mark.parametrize(
    ("strategy", "receivers", "fulfilled"),
    [
        ("best_effort", ["a", "b"], True),
        ("best_effort", ["a", "nobody"], True),
        ("best_effort", ["nobody"], True),
        ("best_effort", [], True),
        ("at_least_one", ["a", "nobody"], True),
        ("at_least_one", ["nobody", "nowhere"], False),
        ("at_least_one", [], False),
        ("all_or_nothing", ["a", "b"], True),
        ("all_or_nothing", ["a", "nobody"], False),
        ("all_or_nothing", [], True),
    ],
)
async def test_a_strategy_says_when_a_broadcast_is_fulfilled(
    runtime, strategy, receivers, fulfilled
):
    await crew()

    result = await broadcast("router", receivers, 1, strategy=strategy)

    assert result.fulfilled is fulfilled


async def test_all_or_nothing_is_handed_to_nobody_if_one_cannot_take_it(runtime):
    await crew(policy=LanePolicy(buffer=0))
    await CoordinationManager.coordinate("router", "c", ("hold", 1), wait=0.0)

    result = await broadcast("router", NAMES, "news", strategy="all_or_nothing")

    assert [one.why for one in result.outcomes.values()] == [
        "all_or_nothing",
        "all_or_nothing",
        "buffer_full",
    ]
    assert [got(name) for name in ("a", "b")] == [[], []]


class Deaf(st.GenServer):
    """Has no `handle_call`."""


async def test_all_or_nothing_is_handed_to_nobody_if_one_could_not_handle_it(runtime):
    await crew()
    await st.child(Deaf).with_(name="deaf").start_link()

    result = await broadcast("router", ["a", "deaf"], "news", strategy="all_or_nothing")

    assert [one.why for one in result.outcomes.values()] == ["all_or_nothing", "refused"]
    assert got("a") == []


async def test_all_or_nothing_is_handed_to_nobody_if_the_lanes_do_not_suffice(runtime):
    await crew(max_lanes=2)

    result = await broadcast("router", NAMES, "news", strategy="all_or_nothing")
    fits = await broadcast("router", NAMES[:2], "news", strategy="all_or_nothing")

    assert [one.why for one in result.outcomes.values()] == ["buffer_full"] * 3
    assert fits.fulfilled
    assert [got(name) for name in NAMES] == [["news"], ["news"], []]


async def test_all_or_nothing_is_handed_to_nobody_if_one_waits_before_its_next_attempt(runtime):
    retry = RetryPolicy.fixed(delay=1.0, max_attempts=3)
    await crew(policy=LanePolicy(buffer=1, retry=retry))
    await CoordinationManager.coordinate("router", "c", ("crash", 1), wait=0.1)

    result = await broadcast("router", NAMES, "news", strategy="all_or_nothing")

    assert [one.why for one in result.outcomes.values()] == [
        "all_or_nothing",
        "all_or_nothing",
        "buffer_full",
    ]
    assert [got(name) for name in ("a", "b")] == [[], []]


async def test_a_slow_receiver_of_a_broadcast_is_told_as_buffered(runtime):
    await crew()
    await CoordinationManager.coordinate("router", "b", ("hold", 1), wait=0.0)

    result = await broadcast("router", NAMES, 1, strategy="at_least_one", wait=1.0)

    assert [type(one) for one in result.outcomes.values()] == [Acknowledged, Buffered, Acknowledged]
    assert result.fulfilled


async def test_an_unknown_strategy_is_refused(runtime):
    await crew()

    with pytest.raises(ValueError, match="strategy must be 'best_effort', 'all_or_nothing' or"):
        await broadcast("router", NAMES, 1, strategy="most")


# -- contexts -------------------------------------------------------------------------------------


async def test_a_context_stands_for_its_members(runtime):
    await crew()
    await CoordinationManager.open_context("router", "crew", ["a", "b"], data={"goal": 1})

    result = await broadcast("router", Context("crew"), 1)
    outcome = await distribute("router", Context("crew"), 2)

    assert list(result.outcomes) == ["a", "b"]
    assert outcome.to in ("a", "b")
    info = await CoordinationManager.context("router", "crew")
    assert (info.members, info.data, info.owner) == (("a", "b"), {"goal": 1}, st.current())


async def test_members_join_and_leave(runtime):
    await crew()
    await CoordinationManager.open_context("router", "crew", ["a", "a"])

    await CoordinationManager.join("router", "crew", "b")
    await CoordinationManager.join("router", "crew", "b")
    after = await CoordinationManager.leave("router", "crew", "a")

    assert after.members == ("b",)
    assert (await CoordinationManager.leave("router", "crew", "stranger")).members == ("b",)


async def test_a_member_that_is_a_pid_leaves_when_it_ends_and_a_name_stays(runtime):
    await crew()
    pid = await Agent.start()
    await CoordinationManager.open_context("router", "crew", ["a", pid])

    st.exit(pid, st.KILL)
    await wait_down(pid)
    st.exit(st.whereis("a"), st.KILL)

    assert (await CoordinationManager.context("router", "crew")).members == ("a",)


async def test_a_context_is_closed_when_its_owner_ends(runtime):
    opened: list[st.Pid[Any]] = []

    async def owner() -> None:
        await CoordinationManager.open_context("router", "crew", ["a"])
        opened.append(st.current())
        await st.receive()

    closed: list[Any] = []
    runtime.telemetry.attach(
        "closed", events.CONTEXT_CLOSED, lambda _event, _numbers, facts: closed.append(facts)
    )
    await crew()
    pid = st.spawn(owner)
    await wait_until(lambda: opened)

    st.exit(pid, st.KILL)
    await wait_down(pid)

    assert await CoordinationManager.contexts("router") == []
    assert closed == [{"context": "crew", "reason": "owner_ended"}]


async def test_a_closed_context_is_gone_and_says_so(runtime):
    await crew()
    await CoordinationManager.open_context("router", "crew", ["a"])
    await CoordinationManager.close_context("router", "crew")

    for refused in (
        CoordinationManager.close_context("router", "crew"),
        CoordinationManager.context("router", "crew"),
        CoordinationManager.join("router", "crew", "a"),
        CoordinationManager.leave("router", "crew", "a"),
        broadcast("router", Context("crew"), 1),
    ):
        with pytest.raises(ContextNotFoundError, match="context 'crew': there is none"):
            await refused


async def test_a_context_that_is_not_there_is_refused_with_a_near_name(runtime):
    await crew()
    await CoordinationManager.open_context("router", "crew", ["a"])

    with pytest.raises(ContextNotFoundError, match="did you mean 'crew'"):
        await CoordinationManager.context("router", "crw")


async def test_a_name_is_used_once(runtime):
    await crew()
    await CoordinationManager.open_context("router", "crew", ["a"])

    with pytest.raises(ContextExistsError, match="it is open already"):
        await CoordinationManager.open_context("router", "crew", ["b"])
    assert (await CoordinationManager.context("router", "crew")).members == ("a",)


async def test_contexts_leave_no_monitor_behind(runtime):
    await crew()
    pid = await Agent.start_link()
    for n in range(50):
        await CoordinationManager.open_context("router", f"c{n}", ["a", pid])
    for n in range(50):
        await CoordinationManager.close_context("router", f"c{n}")

    router_process = st.whereis("router")._process
    assert not router_process.watching


@pytest.mark.parametrize(
    "ask",
    [
        lambda pid: CoordinationManager.close_context("router", 17),
        lambda pid: CoordinationManager.context("router", []),
        lambda pid: CoordinationManager.join("router", [], pid),
        lambda pid: CoordinationManager.leave("router", {}, pid),
        lambda pid: CoordinationManager.open_context("router", []),
        lambda pid: CoordinationManager.open_context("router", "crew", [[]]),
        lambda pid: CoordinationManager.open_context("router", "crew", owner="somebody"),
        lambda pid: CoordinationManager.outcome("router", []),
        lambda pid: CoordinationManager.delegate("router", "a", 1, on="somebody"),
    ],
)
async def test_what_makes_no_sense_is_refused_to_who_says_it_and_every_lane_stays(runtime, ask):
    await crew()
    await CoordinationManager.coordinate("router", "a", ("hold", 1), wait=0.0)

    with pytest.raises((ContextNotFoundError, TypeError, ValueError)):
        await ask(st.whereis("a"))

    assert (await CoordinationManager.stats("router")).waiting == 1
    assert await CoordinationManager.contexts("router") == []
