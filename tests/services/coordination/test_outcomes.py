"""Every delivery has an outcome, and its sender sees it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    Acknowledged,
    Buffered,
    CoordinationManager,
    DeadLettered,
    DeadLetterQueue,
    Expired,
    LanePolicy,
    Rejected,
    UnknownMessageError,
)
from suptree.testing import wait_down, wait_until

from .helpers import Agent, agent, got, letters, router

pytestmark = pytest.mark.suptree_loop("virtual")  # it moves time by minutes

coordinate = CoordinationManager.coordinate


async def stats() -> Any:
    return await CoordinationManager.stats("router")


# -- acknowledged -------------------------------------------------------------------------


async def test_an_acknowledgement_carries_what_the_receiver_answered(runtime):
    await router()
    await agent("worker")

    outcome = await coordinate("router", "worker", "hello")

    assert outcome == Acknowledged(outcome.id, "worker", "hello", attempts=1)


async def test_a_receiver_may_answer_later_from_another_place(runtime):
    await router()
    await agent("worker")
    waiting = CoordinationManager.coordinate.send_request("router", "worker", ("hold", 7))
    await wait_until(lambda: got("worker"))

    Agent.let_go("worker")

    assert (await waiting).value == 7


async def test_plain_processes_and_machines_receive_messages_too(runtime):
    async def plain() -> None:
        st.register("plain")
        message = await st.receive()
        st.reply(message.sender, message.request * 2)

    await router()
    st.spawn(plain)
    await wait_until(lambda: st.whereis("plain"))

    assert (await coordinate("router", "plain", 21)).value == 42


async def test_via_names_and_pids_are_receivers(runtime):
    await router()
    await st.Registry.start_link(name="reg")
    pid = await st.child(Agent).with_(name=st.via("reg", "key")).start_link()

    by_key = await coordinate("router", st.via("reg", "key"), 1)
    by_pid = await coordinate("router", pid, 2)

    assert (by_key.value, by_pid.value) == (1, 2)


# -- rejected ------------------------------------------------------------------------------


async def test_a_name_that_nobody_ever_had_is_rejected_with_a_hint(runtime):
    await router()
    await agent("worker")

    outcome = await coordinate("router", "wroker", 1)

    assert isinstance(outcome, Rejected)
    assert outcome.why == "no_process"
    assert "worker" in outcome.detail


async def test_a_dead_pid_is_rejected(runtime):
    await router()
    pid = await Agent.start_link()
    await Agent.stop(pid)

    outcome = await coordinate("router", pid, 1)

    assert isinstance(outcome, Rejected)
    assert outcome.why == "no_process"


async def test_a_request_that_the_receiver_does_not_know_is_rejected_and_it_lives_on(runtime):
    class Deaf(st.GenServer):
        @st.call
        def only(self) -> str:
            return "this"

    await router()
    pid = await st.child(Deaf).with_(name="deaf").start_link()

    outcome = await coordinate("router", "deaf", "that")

    assert isinstance(outcome, Rejected)
    assert outcome.why == "refused"
    assert await Deaf.only(pid) == "this"


class Refusing(st.GenServer):
    """Answers with the error that it gets, and lives on."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
        self.got.append(request)
        if isinstance(request, Exception):
            sender.fail(request)
            return st.NoReply()
        return request


class Evil(Exception):
    """Its text is code of the user."""

    def __str__(self) -> str:
        raise RuntimeError("this must not reach the router")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        Evil(),
        st.ServerExitError("somebody else", st.KILLED),
        st.MailboxFullError("somebody else", 1),
        st.NoProcessError("somebody else", "call"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("by", ["name", "pid"])
async def test_an_error_that_a_living_receiver_answers_with_is_told_once_and_not_tried_again(
    runtime, error, by
):
    await router()
    pid = await st.child(Refusing).with_(name="refusing").start_link()
    to = "refusing" if by == "name" else pid

    outcome = await coordinate("router", to, error)
    after = await coordinate("router", to, "more")

    assert isinstance(outcome, Rejected)
    assert outcome.why == "refused"
    assert isinstance(after, Acknowledged)
    assert (await st.sys.get_state(pid))["got"] == [error, "more"]


async def test_a_full_lane_rejects_and_says_how_many_wait(runtime):
    await router(policy=LanePolicy(buffer=2))
    await agent("slow")
    for value in range(3):
        await coordinate("router", "slow", ("hold", value), wait=0.0)

    outcome = await coordinate("router", "slow", "one too many")

    assert isinstance(outcome, Rejected)
    assert outcome.why == "buffer_full"
    assert "2 messages wait" in outcome.detail
    assert (await stats()).waiting == 3


# -- buffered --------------------------------------------------------------------------------


async def test_a_sender_that_waits_no_longer_learns_the_position_and_why(runtime):
    await router()
    await agent("slow")

    first = await coordinate("router", "slow", ("hold", 1), wait=0.0)
    second = await coordinate("router", "slow", 2, wait=0.0)
    third = await coordinate("router", "slow", 3, wait=0.5)

    assert [one.position for one in (first, second, third)] == [0, 1, 2]
    assert third.why == "the receiver has not answered yet"


async def test_a_buffered_message_is_delivered_later_and_its_outcome_can_be_asked_for(runtime):
    await router()
    await agent("slow")
    await coordinate("router", "slow", ("hold", 1), wait=0.0)
    buffered = await coordinate("router", "slow", 2, wait=0.0)

    waiting = CoordinationManager.outcome.send_request("router", buffered.id)
    Agent.let_go("slow")

    assert await waiting == Acknowledged(buffered.id, "slow", 2, attempts=1)
    assert await CoordinationManager.outcome("router", buffered.id) == await waiting
    assert got("slow") == [("hold", 1), 2]


async def test_the_outcome_of_a_message_that_still_waits_is_buffered_again(runtime):
    await router()
    await agent("slow")
    buffered = await coordinate("router", "slow", ("hold", 1), wait=0.0)

    assert await CoordinationManager.outcome("router", buffered.id, wait=1.0) == buffered


async def test_the_outcome_of_an_unknown_message_is_an_error_that_says_so(runtime):
    await router()

    with pytest.raises(UnknownMessageError, match="message 99: nothing is known of it"):
        await CoordinationManager.outcome("router", 99)


async def test_an_id_of_a_router_that_has_ended_is_never_that_of_another_message(runtime):
    pid = await router()
    await agent("slow")
    before = await coordinate("router", "slow", ("hold", 1), wait=0.0)
    st.exit(pid, st.KILL)
    await wait_down(pid)
    await router()
    await coordinate("router", "slow", ("hold", 2), wait=0.0)

    with pytest.raises(UnknownMessageError):
        await CoordinationManager.outcome("router", before.id)


async def test_the_history_of_outcomes_is_bounded(runtime):
    await router(history=1)
    await agent("worker")
    await coordinate("router", "worker", ("hold", 0), wait=0.0)
    ids = [(await coordinate("router", "worker", n, wait=0.0)).id for n in (1, 2)]
    Agent.let_go("worker")
    await coordinate("router", "worker", "all before it are done")

    assert (await CoordinationManager.outcome("router", ids[1])).value == 2
    with pytest.raises(UnknownMessageError):
        await CoordinationManager.outcome("router", ids[0])


# -- expired ------------------------------------------------------------------------------------


async def test_a_message_that_waits_too_long_expires_and_its_sender_is_told(runtime):
    await letters()
    await router(dead_letters="letters")
    await agent("slow")
    await coordinate("router", "slow", ("hold", 1), wait=0.0)

    outcome = await coordinate("router", "slow", "late", wait=60.0, expires=2.0)

    assert outcome == Expired(outcome.id, "slow", in_flight=False)
    [letter] = await DeadLetterQueue.letters("letters")
    assert (letter.message, letter.reason) == ("late", "expired")
    Agent.let_go("slow")
    await coordinate("router", "slow", "next")
    assert "late" not in got("slow")


async def test_a_message_that_expires_in_the_receivers_hands_says_that_it_may_be_handled(runtime):
    await router()
    await agent("slow")

    outcome = await coordinate("router", "slow", ("hold", 1), wait=60.0, expires=2.0)

    assert outcome == Expired(outcome.id, "slow", in_flight=True)
    Agent.let_go("slow")
    assert (await coordinate("router", "slow", 2)).value == 2


# -- dead-lettered ----------------------------------------------------------------------------------


async def test_a_message_that_kills_its_receiver_again_and_again_is_dead_lettered(runtime):
    await letters()
    await router(dead_letters="letters")
    await agent("worker")

    outcome = await coordinate("router", "worker", ("crash", 1), wait=60.0)

    assert isinstance(outcome, DeadLettered)
    assert outcome.attempts == 3
    assert isinstance(outcome.reason, st.Crashed)
    assert got("worker") == [("crash", 1)] * 3
    [letter] = await DeadLetterQueue.letters("letters")
    assert (letter.to, letter.message, letter.attempts) == ("worker", ("crash", 1), 3)


async def test_what_waits_for_a_pid_is_dead_lettered_when_it_ends(runtime):
    await letters()
    await router(dead_letters="letters")
    pid = await Agent.start()
    first = await coordinate("router", pid, ("hold", 1), wait=0.0)
    second = CoordinationManager.coordinate.send_request("router", pid, 2)
    await CoordinationManager.stats("router")
    await st.sys.get_state(pid)  # it has begun with the first

    st.exit(pid, st.KILL)

    outcome = await second
    assert outcome == DeadLettered(outcome.id, pid, st.KILLED, attempts=0)
    ended = await CoordinationManager.outcome("router", first.id)
    assert ended == DeadLettered(ended.id, pid, st.KILLED, attempts=1)
    assert (await stats()).lanes == 0
    assert len(await DeadLetterQueue.letters("letters")) == 2


async def test_without_a_queue_dead_letters_are_counted_as_lost(runtime):
    await router()
    pid = await Agent.start()
    buffered = await coordinate("router", pid, ("hold", 1), wait=0.0)

    st.exit(pid, st.KILL)
    await wait_until(lambda: not st.is_alive(pid))
    await CoordinationManager.outcome("router", buffered.id)

    assert (await stats()).letters_lost == 1


# -- whoever sends --------------------------------------------------------------------------------


async def test_letters_that_a_full_queue_refuses_are_counted_as_lost(runtime):
    bound = st.MailboxBound(1, overflow="reject")
    queue = await st.child(DeadLetterQueue).with_(name="letters", bound=bound).start_link()
    await router(policy=LanePolicy(expires=1.0), dead_letters="letters")
    await agent("slow")
    for n in range(4):
        await coordinate("router", "slow", ("hold", n), wait=0.0)
    await st.sys.suspend(queue)

    await asyncio.sleep(2.0)

    assert (await CoordinationManager.stats("router")).letters_lost == 3
    await st.sys.resume(queue)
    assert len(await DeadLetterQueue.letters("letters")) == 1


async def test_a_sender_that_is_cancelled_leaves_its_message_on_its_way(runtime):
    await router()
    await agent("slow")
    await coordinate("router", "slow", ("hold", 1), wait=0.0)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await coordinate("router", "slow", 2)
    Agent.let_go("slow")
    await coordinate("router", "slow", 3)

    assert got("slow") == [("hold", 1), 2, 3]


async def test_a_sender_that_dies_hurts_nobody(runtime):
    async def sender() -> None:
        await coordinate("router", "slow", 2)

    await router()
    await agent("slow")
    await coordinate("router", "slow", ("hold", 1), wait=0.0)
    pid = st.spawn(sender)
    await wait_until(lambda: bool(st.is_alive(pid)))
    await CoordinationManager.stats("router")

    st.exit(pid, st.KILL)
    await wait_down(pid)
    Agent.let_go("slow")

    assert (await coordinate("router", "slow", 3)).value == 3


async def test_a_router_that_dies_answers_everybody_who_waits(runtime):
    pid = await router()
    await agent("slow")
    waiting = CoordinationManager.coordinate.send_request("router", "slow", ("hold", 1))
    await CoordinationManager.stats("router")

    st.exit(pid, st.KILL)

    with pytest.raises(st.ServerExitError):
        await waiting


# -- bad input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"wait": -1}, ValueError, "wait must be a finite number, 0 or more; got -1"),
        ({"wait": "5"}, ValueError, "wait must be a finite number, 0 or more; got '5'"),
        ({"expires": 0}, ValueError, "expires must be a finite number, above 0; got 0"),
        ({"expires": float("nan")}, ValueError, "expires must be a finite number, above 0"),
        ({"wait": 10**400}, ValueError, "wait must be a finite number, 0 or more; got 1000"),
    ],
)
async def test_a_bad_time_is_refused_to_the_sender_and_the_router_goes_on(
    runtime, options, error, text
):
    await router()
    await agent("worker")

    with pytest.raises(error, match=text):
        await coordinate("router", "worker", 1, **options)

    assert (await coordinate("router", "worker", 1)).value == 1


@pytest.mark.parametrize("to", [17, None, ["worker"], object()])
async def test_what_is_no_receiver_is_refused_to_the_sender_and_the_router_goes_on(runtime, to):
    await router()
    await agent("worker")

    with pytest.raises((st.SuptreeError, TypeError)):
        await coordinate("router", to, 1)

    assert (await coordinate("router", "worker", 1)).value == 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"buffer": -1}, "buffer must be a whole number, 0 or more; got -1"),
        ({"overflow": "drop"}, "overflow must be 'reject', 'drop_oldest' or 'wait'; got 'drop'"),
        ({"while_open": "wait"}, "while_open must be 'buffer' or 'reject'; got 'wait'"),
        ({"ack_timeout": 0}, "ack_timeout must be a finite number, above 0; got 0"),
    ],
)
def test_a_bad_policy_says_what_is_wrong_with_it(options, text):
    with pytest.raises(ValueError, match=text):
        LanePolicy(**options)


async def test_stats_count_each_outcome_and_what_is_there_now(runtime):
    await router(policy=LanePolicy(buffer=1))
    await agent("worker")
    await coordinate("router", "worker", 1)
    await coordinate("router", "nobody", 1)
    buffered = await coordinate("router", "worker", ("hold", 1), wait=0.0)
    held = await stats()
    Agent.let_go("worker")
    await coordinate("router", "worker", 2)
    after = await stats()

    assert (held.accepted, held.acknowledged, held.buffered, held.rejected) == (2, 1, 1, 1)
    assert (held.waiting, held.lanes) == (1, 1)
    assert (after.accepted, after.acknowledged, after.waiting) == (3, 3, 0)
    assert isinstance(
        await CoordinationManager.outcome("router", buffered.id), Acknowledged | Buffered
    )
