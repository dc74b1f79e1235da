"""One lane for each receiver: order, restarts, back-pressure, and breakers."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    Acknowledged,
    Buffered,
    CoordinationManager,
    DeadLettered,
    Expired,
    LanePolicy,
    Rejected,
)
from suptree.services.coordination import events
from suptree.services.coordination.lane import Entry, Lane
from suptree.services.parts.backoff import RetryPolicy
from suptree.services.parts.breaker import BreakerConfig
from suptree.testing import turn, wait_until

from .helpers import Agent, agent, got, router

pytestmark = pytest.mark.suptree_loop("virtual")  # it moves time by minutes

coordinate = CoordinationManager.coordinate


async def lane(to: str) -> Any:
    return next(one for one in await CoordinationManager.lanes("router") if one.to == to)


# -- one lane hurts no other -----------------------------------------------------------------


async def test_one_slow_receiver_delays_nobody_else(runtime):
    await router()
    await agent("slow")
    await agent("quick")
    for n in range(50):
        await coordinate("router", "slow", ("hold", n), wait=0.0)
    before = runtime.now()

    outcome = await coordinate("router", "quick", 1)

    assert outcome.value == 1
    assert runtime.now() == before


async def test_twelve_hung_receivers_delay_nobody_else(runtime):
    await router()
    for n in range(12):
        await agent(f"hung{n}")
        await coordinate("router", f"hung{n}", ("hold", n), wait=0.0)
    await agent("quick")
    before = runtime.now()

    assert (await coordinate("router", "quick", 1)).value == 1
    assert runtime.now() == before


async def test_a_receiver_gets_messages_in_the_order_in_which_they_were_accepted(runtime):
    await router()
    await agent("worker")
    sending = [
        CoordinationManager.coordinate.send_request("router", "worker", n) for n in range(100)
    ]

    outcomes = [await one for one in sending]

    assert [one.value for one in outcomes] == list(range(100))
    assert got("worker") == list(range(100))


async def test_a_receiver_has_one_message_at_a_time(runtime):
    await router()
    await agent("slow")
    await coordinate("router", "slow", ("hold", 1), wait=0.0)
    await coordinate("router", "slow", 2, wait=1.0)

    assert got("slow") == [("hold", 1)]
    assert (await lane("slow")).waiting == 1


# -- a receiver that restarts -------------------------------------------------------------------


async def test_messages_to_a_receiver_that_restarts_reach_the_new_one_in_order_and_once(runtime):
    await router()
    await agent("worker")
    sending = [CoordinationManager.coordinate.send_request("router", "worker", ("hold", 0))]
    await wait_until(lambda: got("worker"))
    sending += [
        CoordinationManager.coordinate.send_request("router", "worker", n) for n in range(1, 10)
    ]
    await turn()
    st.exit(st.whereis("worker"), st.KILL)
    await wait_until(lambda: len(got("worker")) == 2)
    Agent.let_go("worker")
    outcomes = [await one for one in sending]

    assert all(isinstance(one, Acknowledged) for one in outcomes)
    assert [one.attempts for one in outcomes] == [2, *[1] * 9]
    assert got("worker") == [("hold", 0), ("hold", 0), *range(1, 10)]


async def test_a_receiver_that_is_away_for_long_gets_its_messages_when_it_is_back(runtime):
    await router(policy=LanePolicy(expires=3600.0))
    pid = await st.child(Agent).with_(name="worker").start_link()
    await coordinate("router", "worker", "hello")
    await Agent.stop(pid)
    sending = [CoordinationManager.coordinate.send_request("router", "worker", n) for n in (1, 2)]
    told = [await one for one in sending]
    await asyncio.sleep(600.0)

    await st.child(Agent).with_(name="worker").start_link()
    outcomes = [await CoordinationManager.outcome("router", one.id, wait=10.0) for one in told]

    assert [type(one) for one in told] == [Buffered, Buffered]
    assert told[0].why == "nobody lives there just now"
    assert [(one.value, one.attempts) for one in outcomes] == [(1, 1), (2, 1)]


async def test_a_message_behind_one_that_kills_is_delivered_all_the_same(runtime):
    await router()
    await agent("worker")
    poison = CoordinationManager.coordinate.send_request("router", "worker", ("crash", 0))
    after = CoordinationManager.coordinate.send_request("router", "worker", 1)

    assert isinstance(await poison, DeadLettered)
    assert (await after).value == 1


async def test_attempts_are_spaced_by_the_back_off_of_the_policy(runtime):
    times: list[float] = []
    runtime.telemetry.attach(
        "times",
        events.RETRIED,
        lambda _event, numbers, _facts: times.append(numbers["delay_s"]),
    )
    retry = RetryPolicy.exponential(first=1.0, jitter=0.0, max_attempts=4, total_time=None)
    await router(policy=LanePolicy(retry=retry, breaker=None))
    await agent("worker")
    before = runtime.now()

    await coordinate("router", "worker", ("crash", 0), wait=60.0)

    assert times == [1.0, 2.0, 4.0]
    assert runtime.now() - before == pytest.approx(7.0)


# -- a full lane, and the back-pressure of it ---------------------------------------------------------


async def test_drop_oldest_dead_letters_the_one_that_waits_longest_and_tells_its_sender(runtime):
    await router(policy=LanePolicy(buffer=2, overflow="drop_oldest"))
    await agent("slow")
    sending = [
        CoordinationManager.coordinate.send_request("router", "slow", ("hold", n)) for n in range(4)
    ]

    outcome = await sending[1]
    assert outcome == DeadLettered(outcome.id, "slow", "overflow", attempts=0)
    for count in (1, 2, 3):
        await wait_until(lambda: len(got("slow")) == count)  # noqa: B023
        Agent.let_go("slow")
    assert [(await sending[n]).value for n in (0, 2, 3)] == [0, 2, 3]


async def test_wait_lets_a_sender_wait_for_a_place(runtime):
    await router(policy=LanePolicy(buffer=1, overflow="wait"))
    await agent("slow")
    sending = [
        CoordinationManager.coordinate.send_request("router", "slow", ("hold", n)) for n in range(4)
    ]
    await turn()
    assert (await lane("slow")).waiting == 3

    for count in (1, 2, 3, 4):
        await wait_until(lambda: len(got("slow")) == count)  # noqa: B023
        Agent.let_go("slow")

    assert [(await one).value for one in sending] == [0, 1, 2, 3]


async def test_without_a_buffer_senders_that_wait_are_served_one_after_the_other(runtime):
    await router(policy=LanePolicy(buffer=0, overflow="wait", expires=600.0))
    await agent("slow")
    before = runtime.now()

    outcomes = await asyncio.gather(
        *(coordinate("router", "slow", ("sleep", 1.0, n), wait=60.0) for n in range(4))
    )

    assert [one.value for one in outcomes] == list(range(4))
    assert runtime.now() - before == pytest.approx(4.0)


async def test_a_message_that_is_tried_again_lets_no_more_senders_into_a_full_buffer(runtime):
    await router(policy=LanePolicy(buffer=1, overflow="wait"))
    pid = await st.child(Agent).with_(name="worker").start_link()
    st.unlink(pid)
    for n in range(2):
        await coordinate("router", "worker", ("hold", n), wait=0.0)
    parked = [
        CoordinationManager.coordinate.send_request("router", "worker", n, wait=3.0)
        for n in range(3)
    ]
    st.exit(pid, st.KILL)

    outcomes = [await one for one in parked]

    assert [one.why for one in outcomes] == ["buffer_full"] * 3
    assert (await lane("worker")).waiting == 2


async def test_a_sender_that_waited_for_a_place_in_vain_is_rejected(runtime):
    await router(policy=LanePolicy(buffer=1, overflow="wait", expires=600.0))
    await agent("slow")
    for n in range(2):
        await coordinate("router", "slow", ("hold", n), wait=0.0)
    before = runtime.now()

    outcome = await coordinate("router", "slow", 2, wait=3.0)

    assert isinstance(outcome, Rejected)
    assert outcome.why == "buffer_full"
    assert runtime.now() - before == pytest.approx(3.0)
    assert (await lane("slow")).waiting == 1


async def test_so_many_may_wait_for_a_place_and_no_more(runtime):
    await router(policy=LanePolicy(buffer=1, overflow="wait", parked=1))
    await agent("slow")
    sending = [
        CoordinationManager.coordinate.send_request("router", "slow", ("hold", n)) for n in range(3)
    ]

    outcome = await coordinate("router", "slow", 3)

    assert isinstance(outcome, Rejected)
    assert not any(one.done() for one in sending[:2])
    for one in sending:
        one.cancel()


async def test_back_pressure_slows_a_sender_down_to_the_speed_of_its_receiver(runtime):
    await router(policy=LanePolicy(buffer=1, overflow="wait", expires=600.0))
    await agent("slow")
    before = runtime.now()

    outcomes = await asyncio.gather(
        *(coordinate("router", "slow", ("sleep", 1.0, n), wait=60.0) for n in range(10))
    )

    assert [one.value for one in outcomes] == list(range(10))
    assert runtime.now() - before == pytest.approx(10.0)


# -- a bounded mailbox at the other end ----------------------------------------------------------------


async def test_a_receiver_with_a_full_mailbox_is_tried_again(runtime):
    await router()
    bound = st.MailboxBound(1, overflow="reject")
    await st.child(Agent).with_(name="narrow", bound=bound).start_link()
    await st.sys.suspend("narrow")
    st.send("narrow", "fills the mailbox")

    waiting = CoordinationManager.coordinate.send_request("router", "narrow", 1)
    await asyncio.sleep(0.5)
    assert not waiting.done()
    await st.sys.resume("narrow")

    assert (await waiting).value == 1


# -- the breaker of a receiver ---------------------------------------------------------------------------


def breaking(**options: Any) -> LanePolicy:
    config = BreakerConfig(failure_threshold=2, reset_timeout=30.0, success_threshold=1)
    retry = RetryPolicy.fixed(delay=0.1, max_attempts=1)
    return LanePolicy(breaker=config, retry=retry, expires=600.0, **options)


async def broken(**options: Any) -> None:
    """A router, and a worker whose breaker is open."""
    await router(policy=breaking(**options))
    await agent("worker")
    for n in range(2):
        await coordinate("router", "worker", ("crash", n))
        await asyncio.sleep(0.2)
    assert (await lane("worker")).breaker == "open"


async def test_a_receiver_that_keeps_failing_is_given_a_rest(runtime):
    await broken()

    outcome = await coordinate("router", "worker", 1)

    assert isinstance(outcome, Buffered)
    assert "its breaker is open" in outcome.why
    assert 1 not in got("worker")


async def test_after_recovery_a_lane_is_emptied_in_order(runtime):
    await broken()
    sending = [
        CoordinationManager.coordinate.send_request("router", "worker", n) for n in range(10)
    ]
    await asyncio.sleep(31.0)

    told = [await one for one in sending]
    outcomes = [await CoordinationManager.outcome("router", one.id) for one in told]

    assert [one.value for one in outcomes] == list(range(10))
    assert got("worker")[2:] == list(range(10))
    assert (await lane("worker")).breaker == "closed"


async def test_a_probe_that_fails_opens_the_breaker_again(runtime):
    await broken()
    probe = CoordinationManager.coordinate.send_request("router", "worker", ("crash", "probe"))
    behind = CoordinationManager.coordinate.send_request("router", "worker", "behind")
    await wait_until(lambda: ("crash", "probe") in got("worker"), timeout=60.0)
    await asyncio.sleep(20.0)

    assert (await lane("worker")).breaker == "open"
    assert "behind" not in got("worker")
    assert isinstance(await probe, Buffered)
    assert isinstance(await behind, Buffered)
    await wait_until(lambda: "behind" in got("worker"), timeout=60.0)


async def test_a_lane_may_reject_while_its_breaker_is_open(runtime):
    await broken(while_open="reject")

    outcome = await coordinate("router", "worker", 1)

    assert isinstance(outcome, Rejected)
    assert outcome.why == "breaker_open"


async def test_a_lane_that_rejects_while_open_takes_a_probe_when_its_time_is_over(runtime):
    await broken(while_open="reject")
    await asyncio.sleep(31.0)

    assert (await coordinate("router", "worker", 1)).value == 1
    assert (await lane("worker")).breaker == "closed"


async def test_a_receiver_that_does_not_answer_in_time_counts_as_failed_and_gets_nothing_twice(
    runtime,
):
    policy = LanePolicy(
        ack_timeout=1.0,
        expires=600.0,
        breaker=BreakerConfig(failure_threshold=1, reset_timeout=5.0, success_threshold=1),
    )
    await router(policy=policy)
    await agent("slow")
    buffered = await coordinate("router", "slow", ("hold", 1), wait=2.0)

    assert (await lane("slow")).breaker == "open"
    await asyncio.sleep(60.0)
    assert got("slow") == [("hold", 1)]
    Agent.let_go("slow")
    assert (await CoordinationManager.outcome("router", buffered.id)).attempts == 1


async def test_a_receiver_that_answers_in_time_has_not_failed_if_its_message_was_old(runtime):
    breaker = BreakerConfig(failure_threshold=1, reset_timeout=30.0, success_threshold=1)
    await router(policy=LanePolicy(ack_timeout=5.0, breaker=breaker))
    await agent("busy")

    outcomes = await asyncio.gather(
        *(coordinate("router", "busy", ("sleep", 1.0, n), expires=1.5) for n in range(2))
    )
    await asyncio.sleep(1.0)

    assert [type(one) for one in outcomes] == [Acknowledged, Expired]
    assert outcomes[1].in_flight
    assert (await lane("busy")).breaker == "closed"


async def test_a_receiver_that_does_not_answer_in_time_has_failed_if_its_message_is_over(runtime):
    breaker = BreakerConfig(failure_threshold=1, reset_timeout=30.0, success_threshold=1)
    await router(policy=LanePolicy(ack_timeout=5.0, breaker=breaker))
    await agent("hung")
    await coordinate("router", "hung", ("hold", 1), expires=1.0)

    await asyncio.sleep(3.9)
    assert (await lane("hung")).breaker == "closed"
    await asyncio.sleep(0.2)
    assert (await lane("hung")).breaker == "open"


async def test_a_receiver_that_hangs_over_a_message_that_had_waited_fails_in_the_same_time(runtime):
    breaker = BreakerConfig(failure_threshold=1, reset_timeout=30.0, success_threshold=1)
    await router(policy=LanePolicy(ack_timeout=5.0, expires=600.0, breaker=breaker))
    await agent("hung")
    asked = [
        CoordinationManager.coordinate.send_request("router", "hung", message, wait=60.0)
        for message in (("sleep", 4.0, 0), ("sleep", 4.0, 1), ("hold", 2))
    ]

    await asyncio.sleep(12.9)
    assert (await lane("hung")).breaker == "closed"
    await asyncio.sleep(0.2)
    assert (await lane("hung")).breaker == "open"
    Agent.let_go("hung")
    assert [(await one).attempts for one in asked] == [1, 1, 1]


@pytest.mark.parametrize("spent", [0, 1])
async def test_a_message_that_nobody_had_read_when_its_receiver_died_is_not_to_blame(
    runtime, spent
):
    await router(policy=LanePolicy(retry=RetryPolicy.fixed(delay=0.1, max_attempts=1)))
    pid = await agent("worker")
    await st.sys.suspend(pid)
    waiting = CoordinationManager.coordinate.send_request("router", "worker", ("hold", 1))
    await CoordinationManager.stats("router")  # it is on its way
    if spent:
        await st.sys.resume(pid)
        await wait_until(lambda: got("worker"))

    st.exit(pid, st.KILL)
    await asyncio.sleep(1.0)
    if not spent:
        Agent.let_go("worker")

    outcome = await waiting
    assert (type(outcome), outcome.attempts) == ([Acknowledged, DeadLettered][spent], 1)


async def test_a_receiver_that_dies_with_unread_messages_has_failed(runtime):
    breaker = BreakerConfig(failure_threshold=2, reset_timeout=30.0)
    retry = RetryPolicy.fixed(delay=0.1, max_attempts=1)
    await router(policy=LanePolicy(retry=retry, breaker=breaker, expires=600.0))
    await agent("worker")
    waiting = CoordinationManager.coordinate.send_request("router", "worker", 1, wait=100.0)
    for _ in range(2):
        pid = st.whereis("worker")
        assert pid is not None
        await st.sys.suspend(pid)
        await asyncio.sleep(1.0)
        st.exit(pid, st.KILL)
        await wait_until(lambda: st.whereis("worker") not in (None, pid))  # noqa: B023
        await st.sys.suspend("worker")
    assert (await lane("worker")).breaker == "open"
    await st.sys.resume("worker")

    assert (await waiting).attempts == 1


async def test_an_absent_receiver_is_no_failure_of_its_breaker(runtime):
    await router(policy=breaking())
    pid = await st.child(Agent).with_(name="worker").start_link()
    await coordinate("router", "worker", 1)
    await Agent.stop(pid)

    await coordinate("router", "worker", 2, wait=20.0)

    assert (await lane("worker")).breaker == "closed"


async def test_each_change_of_a_breaker_is_an_event(runtime):
    seen: list[tuple[Any, Any]] = []
    runtime.telemetry.attach(
        "changes",
        events.BREAKER_CHANGED,
        lambda _event, _numbers, facts: seen.append((facts["before"], facts["after"])),
    )
    await broken()
    await asyncio.sleep(31.0)
    await coordinate("router", "worker", 1)

    assert seen == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]


async def test_one_receivers_breaker_is_not_anothers(runtime):
    await broken()
    await agent("other")

    assert (await coordinate("router", "other", 1)).value == 1
    assert (await lane("other")).breaker == "closed"


# -- keeping house ------------------------------------------------------------------------------------------


async def test_a_lane_that_nobody_uses_is_forgotten(runtime):
    await router(idle_after=10.0)
    await agent("worker")
    pid = await Agent.start_link()
    await coordinate("router", "worker", 1)
    await coordinate("router", pid, 1)
    await Agent.stop(pid)

    await asyncio.sleep(30.0)

    assert await CoordinationManager.lanes("router") == []


async def test_a_lane_with_messages_or_an_open_breaker_is_kept(runtime):
    await router(idle_after=1.0, policy=breaking())
    await agent("slow")
    await agent("worker")
    await coordinate("router", "slow", ("hold", 1), wait=0.0)
    for n in range(2):
        await coordinate("router", "worker", ("crash", n))
        await asyncio.sleep(0.2)

    await asyncio.sleep(10.0)

    assert {one.to for one in await CoordinationManager.lanes("router")} == {"slow", "worker"}


async def test_there_are_so_many_lanes_and_no_more_and_quiet_ones_make_room(runtime):
    await router(max_lanes=2)
    for name in ("a", "b", "c"):
        await agent(name)
    await coordinate("router", "a", ("hold", 1), wait=0.0)
    await coordinate("router", "b", 1)

    assert (await coordinate("router", "c", 1)).value == 1
    await coordinate("router", "c", ("hold", 1), wait=0.0)
    outcome = await coordinate("router", "b", 1)

    assert isinstance(outcome, Rejected)
    assert "there may be no more" in outcome.detail


async def test_a_receiver_can_have_a_policy_of_its_own(runtime):
    await router(policies={"narrow": LanePolicy(buffer=0)})
    await agent("narrow")
    await agent("wide")
    for name in ("narrow", "wide"):
        await coordinate("router", name, ("hold", 1), wait=0.0)

    narrow = await coordinate("router", "narrow", 2, wait=0.0)
    wide = await coordinate("router", "wide", 2, wait=0.0)

    assert (type(narrow), type(wide)) == (Rejected, Buffered)


async def test_what_travels_goes_with_the_message_even_if_it_waits(runtime):
    trace = contextvars.ContextVar("trace", default="none")
    seen: list[str] = []

    class Traced(st.GenServer):
        def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
            seen.append(trace.get())
            return request

    runtime.propagator = st.ContextPropagator(trace)
    await router(policy=LanePolicy(expires=600.0))
    pid = await st.child(Traced).with_(name="traced").start_link()
    trace.set("one")
    await coordinate("router", "traced", 1)
    await Traced.stop(pid)
    trace.set("two")
    await coordinate("router", "traced", 2, wait=0.0)
    trace.set("three")
    last = await coordinate("router", "traced", 3, wait=0.0)
    trace.set("four")
    await st.child(Traced).with_(name="traced").start_link()
    await CoordinationManager.outcome("router", last.id, wait=60.0)

    assert seen == ["one", "two", "three"]


class Helper(st.GenServer):
    """Takes a moment."""

    @st.call
    async def help(self) -> str:
        await asyncio.sleep(0.1)
        return "helped"


class Helped(st.GenServer):
    """Has each message done by a helper."""

    def __init__(self) -> None:
        self.time_left: list[float | None] = []

    async def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
        self.time_left.append(st.time_left())
        return await Helper.help("helper")


class Hurried(st.GenServer):
    """Sends a message in a call whose caller waits for a second."""

    @st.call(timeout=1.0)
    async def send(self, wait: float) -> None:
        with contextlib.suppress(st.CallTimeoutError):
            await coordinate("router", "helped", 1, wait=wait)


@pytest.mark.parametrize("wait", [0.0, 5.0], ids=["told", "gave up"])
async def test_a_message_that_goes_on_without_its_sender_goes_on_without_its_deadline(
    runtime, wait
):
    runtime.propagator = st.ContextPropagator()
    await router()
    await st.child(Helper).with_(name="helper").start_link()
    helped = await st.child(Helped).with_(name="helped").start_link()
    await st.sys.suspend(helped)
    await coordinate("router", "helped", 0, wait=0.0)
    hurried = await Hurried.start_link()
    with contextlib.suppress(st.CallTimeoutError):
        await Hurried.send(hurried, wait)
    await asyncio.sleep(2.0)
    await st.sys.resume(helped)

    await asyncio.sleep(10.0)

    stats = await CoordinationManager.stats("router")
    assert (stats.acknowledged, stats.retried) == (2, 0)
    assert (await st.sys.get_state(helped))["time_left"] == [None, None]


async def test_a_receiver_has_the_deadline_of_a_sender_that_waits(runtime):
    runtime.propagator = st.ContextPropagator()
    await router()
    await st.child(Helper).with_(name="helper").start_link()
    helped = await st.child(Helped).with_(name="helped").start_link()
    hurried = await Hurried.start_link()

    await Hurried.send(hurried, 5.0)

    assert (await st.sys.get_state(helped))["time_left"] == [pytest.approx(1.0)]


async def test_a_retry_under_way_is_not_taken_for_a_receiver_that_is_slow(runtime):
    lane = Lane("worker", LanePolicy(), 0.0)
    lane.in_flight = Entry(1, lane, "hello", None, 0.0, 1.0, 60.0)
    slow = lane.what_holds_it()

    lane.failures = 1

    assert slow == "the receiver has not answered yet"
    assert lane.what_holds_it().startswith("the last attempt found nobody, or failed")
