"""The dead-letter queue: bounded, inspected, purged, and given back to the router."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    CoordinationManager,
    DeadLetterQueue,
    LanePolicy,
    LetterNotFoundError,
    MemoryStore,
    RedrivePolicy,
    Rejected,
    StateOwner,
)
from suptree.services.coordination import events
from suptree.services.coordination.letters import Lend
from suptree.services.parts.backoff import RetryPolicy
from suptree.testing import turn, wait_down, wait_until

from .helpers import Agent, agent, got, letters, router

pytestmark = pytest.mark.suptree_loop("virtual")  # it moves time by minutes


async def put(*messages: Any, to: str = "worker") -> None:
    for n, message in enumerate(messages):
        DeadLetterQueue.add("letters", to, message, "why", 1, n)
    await DeadLetterQueue.stats("letters")  # they are all there


async def held() -> list[Any]:
    return [one.message for one in await DeadLetterQueue.letters("letters")]


async def test_letters_are_listed_with_everything_about_them(runtime):
    await letters()
    await put("one")

    [letter] = await DeadLetterQueue.letters("letters")

    assert (letter.number, letter.to, letter.message, letter.reason) == (1, "worker", "one", "why")
    assert letter.given_up_at == runtime.now()
    assert letter.wall_time > 1e9
    assert await DeadLetterQueue.letter("letters", 1) == letter


async def test_the_newest_are_listed_and_those_to_one_receiver(runtime):
    await letters()
    await put("a", "b", "c")
    await put("d", to="other")

    assert [one.message for one in await DeadLetterQueue.letters("letters", limit=2)] == ["c", "d"]
    assert [one.message for one in await DeadLetterQueue.letters("letters", to="other")] == ["d"]
    assert await DeadLetterQueue.letters("letters", limit=0) == []


async def test_a_letter_that_is_not_there_is_an_error_that_says_what_to_do(runtime):
    await letters()

    with pytest.raises(LetterNotFoundError, match="dead letter 7: there is none"):
        await DeadLetterQueue.letter("letters", 7)


async def test_the_oldest_goes_when_there_are_too_many_and_is_counted(runtime):
    dropped: list[Any] = []
    runtime.telemetry.attach(
        "dropped",
        events.DEAD_LETTER_DROPPED,
        lambda _event, _numbers, facts: dropped.append(facts),
    )
    await letters(max_letters=2)
    await put("a", "b", "c")

    assert await held() == ["b", "c"]
    assert (await DeadLetterQueue.stats("letters")).dropped_full == 1
    assert dropped == [{"number": 1, "why": "full"}]


async def test_a_letter_that_is_too_old_goes_and_is_counted(runtime):
    await letters(max_age=100.0)
    await put("a")
    await asyncio.sleep(60.0)
    await put("b")
    await asyncio.sleep(50.0)

    assert await held() == ["b"]
    await asyncio.sleep(60.0)
    assert await held() == []
    assert (await DeadLetterQueue.stats("letters")).dropped_expired == 2


async def test_letters_are_purged_all_or_by_number(runtime):
    await letters()
    await put("a", "b", "c")

    assert await DeadLetterQueue.purge("letters", [2, 99]) == 1
    assert await held() == ["a", "c"]
    assert await DeadLetterQueue.purge("letters") == 2
    assert (await DeadLetterQueue.stats("letters")).purged == 3


async def test_what_the_router_takes_leaves_the_queue_and_is_delivered_in_order(runtime):
    await letters()
    await router(dead_letters="letters")
    await agent("worker")
    await put("a", "b", "c")

    outcomes = await CoordinationManager.redrive("router", "letters")
    await wait_until(lambda: len(got("worker")) == 3)

    assert not any(isinstance(one, Rejected) for one in outcomes.values())
    assert got("worker") == ["a", "b", "c"]
    assert await held() == []
    assert (await DeadLetterQueue.stats("letters")).redriven == 3


async def test_some_letters_are_redriven_and_the_others_stay(runtime):
    await letters()
    await router(dead_letters="letters")
    await agent("worker")
    await put("a", "b")

    await CoordinationManager.redrive("router", "letters", [2])

    assert await held() == ["a"]


async def test_what_the_router_does_not_take_comes_back_and_counts_it(runtime):
    await letters()
    await router(dead_letters="letters")
    await put("a")

    outcomes = await CoordinationManager.redrive("router", "letters")

    assert isinstance(outcomes[1], Rejected)
    [letter] = await DeadLetterQueue.letters("letters")
    assert (letter.message, letter.returns) == ("a", 1)
    assert (await DeadLetterQueue.stats("letters")).on_loan == 0


# -- a redrive that does not come to its end --------------------------------------------------------


async def passes(count: int) -> None:
    """Less than `turn`: it never moves time, and others may be in the middle of something."""
    for _ in range(count):
        await asyncio.sleep(0)


def borrow(*numbers: int) -> Lend:
    return Lend(numbers or None, None, after=0, most=100)


async def test_a_letter_is_out_on_loan_to_one_at_a_time(runtime):
    await letters()
    await put("a", "b")

    first = await st.GenServer.call("letters", borrow(1))
    second = await st.GenServer.call("letters", borrow())

    assert [one.number for one in first.letters] == [1]
    assert [one.number for one in second.letters] == [2]
    assert (await st.GenServer.call("letters", borrow())).letters == ()


async def test_letters_come_back_when_their_borrower_ends(runtime):
    lent: list[Any] = []

    async def borrower() -> None:
        lent.append(await st.GenServer.call("letters", borrow()))
        await st.receive()

    await letters()
    await put("a")
    pid = st.spawn(borrower)
    await wait_until(lambda: lent)
    assert (await DeadLetterQueue.stats("letters")).on_loan == 1

    st.exit(pid, st.KILL)
    await wait_down(pid)

    assert (await DeadLetterQueue.stats("letters")).on_loan == 0
    assert lent[0].over
    assert (await DeadLetterQueue.letter("letters", 1)).returns == 1


@pytest.mark.parametrize("turns", range(10))
async def test_a_redrive_that_is_cancelled_at_any_moment_delivers_no_letter_twice(runtime, turns):
    await letters()
    await router(dead_letters="letters")
    await agent("worker")
    await put(*range(250))
    redriving = asyncio.ensure_future(CoordinationManager.redrive("router", "letters"))
    await passes(turns)

    redriving.cancel()
    await asyncio.gather(redriving, return_exceptions=True)
    await asyncio.sleep(1.0)
    for _ in range(3):  # a lane has room for a hundred
        await CoordinationManager.redrive("router", "letters")
        await asyncio.sleep(1.0)

    assert sorted(got("worker")) == list(range(250))
    stats = await DeadLetterQueue.stats("letters")
    assert (stats.redriven, stats.held, stats.on_loan) == (250, 0, 0)


@pytest.mark.parametrize("turns", range(10))
async def test_letters_of_a_router_that_is_killed_over_them_are_delivered_once(runtime, turns):
    await StateOwner.start_link()
    await letters(store=MemoryStore())
    pid = await router(dead_letters="letters", store=MemoryStore())
    st.unlink(pid)
    await agent("worker")
    await put(*range(90))
    asking = CoordinationManager.redrive.send_request("router", "letters")
    await passes(turns)

    st.exit(pid, st.KILL)
    await asyncio.gather(asking.wait(), return_exceptions=True)
    await router(dead_letters="letters", store=MemoryStore())
    await CoordinationManager.redrive("router", "letters")
    await asyncio.sleep(1.0)

    assert got("worker") == list(range(90))


@pytest.mark.parametrize("turns", range(10))
async def test_letters_of_a_queue_that_is_killed_over_them_are_delivered_once(runtime, turns):
    await StateOwner.start_link()
    pid = await letters(store=MemoryStore())
    st.unlink(pid)
    await router(dead_letters="letters")
    await agent("worker")
    await put(*range(90))
    asking = CoordinationManager.redrive.send_request("router", "letters")
    await passes(turns)

    st.exit(pid, st.KILL)
    await wait_down(pid)
    await asking.wait()
    await letters(store=MemoryStore())
    await CoordinationManager.redrive("router", "letters")
    await asyncio.sleep(1.0)

    assert got("worker") == list(range(90))
    assert await held() == []


async def test_a_queue_that_ends_is_told_to_who_asked_for_a_redrive(runtime):
    queue = await letters()
    st.unlink(queue)
    await router(dead_letters="letters")
    await st.sys.suspend(queue)
    asking = CoordinationManager.redrive.send_request("router", "letters")
    await turn(3)

    st.exit(queue, st.KILL)

    with pytest.raises(st.ServerExitError):
        await asking
    with pytest.raises(st.NoProcessError):
        await CoordinationManager.redrive("router", "letters")
    router_process = st.whereis("router")._process
    assert not router_process.pending


async def test_what_is_purged_while_a_router_takes_it_in_is_either_gone_or_on_its_way(runtime):
    await letters()
    await router(dead_letters="letters")
    await agent("worker")
    await put(*range(50))
    asking = CoordinationManager.redrive.send_request("router", "letters")
    await turn(1)

    purged = await DeadLetterQueue.purge("letters")
    await asking
    await asyncio.sleep(1.0)

    assert purged + len(got("worker")) == 50
    assert await held() == []


async def test_what_is_purged_after_it_was_lent_is_not_taken_in(runtime):
    queue = await letters()
    pid = await router(dead_letters="letters")
    await agent("worker")
    await put(*range(5))
    await st.sys.suspend(queue)
    asking = CoordinationManager.redrive.send_request("router", "letters")
    await CoordinationManager.stats("router")  # it has asked the queue
    await st.sys.suspend(pid)
    await st.sys.resume(queue)

    assert await DeadLetterQueue.purge("letters") == 5
    await st.sys.resume(pid)

    assert await asking == {}
    await asyncio.sleep(1.0)
    assert got("worker") == []


# -- by itself -----------------------------------------------------------------------------------------


async def test_letters_are_sent_again_by_the_router_once_they_are_old_enough(runtime):
    await letters()
    await router(dead_letters="letters", redrive=RedrivePolicy())
    await agent("worker")
    await asyncio.sleep(100.0)
    await put("a")

    await asyncio.sleep(250.0)
    assert got("worker") == []
    await asyncio.sleep(255.0)

    assert got("worker") == ["a"]
    assert await held() == []
    assert (await CoordinationManager.stats("router")).redriven == 1


async def test_a_letter_is_sent_again_so_often_and_then_waits_for_people(runtime):
    await letters()
    await router(
        dead_letters="letters",
        redrive=RedrivePolicy(every=60.0, older_than=60.0, max_redrives=2),
        policy=LanePolicy(retry=RetryPolicy.fixed(delay=0.1, max_attempts=1), breaker=None),
    )
    await agent("worker")
    await CoordinationManager.coordinate("router", "worker", ("crash", 1))

    await asyncio.sleep(3600.0)

    assert got("worker") == [("crash", 1)] * 3
    [letter] = await DeadLetterQueue.letters("letters")
    assert (letter.redrives, letter.returns) == (2, 0)


async def test_a_letter_for_nobody_is_offered_so_often_and_then_waits_for_people(runtime):
    await letters()
    await router(
        dead_letters="letters", redrive=RedrivePolicy(every=60.0, older_than=60.0, max_redrives=2)
    )
    await put("a", to="nobody")

    await asyncio.sleep(3600.0)

    assert (await DeadLetterQueue.letter("letters", 1)).returns == 2
    assert (await CoordinationManager.stats("router")).rejected == 2


async def test_a_letter_without_a_place_in_its_lane_has_not_been_tried(runtime):
    await letters()
    await router(
        dead_letters="letters",
        policy=LanePolicy(buffer=1, expires=3600.0),
        redrive=RedrivePolicy(every=60.0, older_than=60.0, max_redrives=1),
    )
    await agent("worker")
    await put(("hold", 1), 2, 3, 4)

    await asyncio.sleep(600.0)
    assert [(one.message, one.returns) for one in await DeadLetterQueue.letters("letters")] == [
        (3, 0),
        (4, 0),
    ]
    Agent.let_go("worker")
    await asyncio.sleep(120.0)

    assert got("worker") == [("hold", 1), 2, 3, 4]


async def test_what_had_expired_is_never_sent_again_by_itself(runtime):
    await letters()
    await router(dead_letters="letters", redrive=RedrivePolicy(every=60.0, older_than=60.0))
    await agent("worker")
    await CoordinationManager.coordinate("router", "worker", ("hold", 1), wait=0.0, expires=10.0)
    await CoordinationManager.coordinate("router", "worker", 2, wait=0.0, expires=5.0)
    await asyncio.sleep(20.0)
    Agent.let_go("worker")

    await asyncio.sleep(600.0)

    assert got("worker") == [("hold", 1)]
    assert await held() == [2, ("hold", 1)]


async def test_rounds_go_on_when_the_queue_was_away(runtime):
    pid = await letters()
    st.unlink(pid)
    await router(dead_letters="letters", redrive=RedrivePolicy(every=60.0, older_than=0.0))
    await agent("worker")
    await DeadLetterQueue.stop(pid)
    await asyncio.sleep(90.0)
    await letters()
    await put("a")

    await asyncio.sleep(60.0)

    assert got("worker") == ["a"]


# -- custody ------------------------------------------------------------------------------------------------


async def test_letters_outlive_their_queue_in_the_store_with_their_numbers(runtime):
    await StateOwner.start_link()
    pid = await letters(store=MemoryStore(), max_age=100.0)
    st.unlink(pid)
    await put("a", "b")
    await asyncio.sleep(60.0)

    st.exit(pid, st.KILL)
    await wait_down(pid)
    await letters(store=MemoryStore(), max_age=100.0)
    await put("c")

    listed = await DeadLetterQueue.letters("letters")
    assert [(one.number, one.message) for one in listed] == [(1, "a"), (2, "b"), (3, "c")]
    stats = await DeadLetterQueue.stats("letters")
    assert (stats.taken_over, stats.added, stats.held) == (2, 1, 3)
    await asyncio.sleep(41.0)
    assert await held() == ["c"]


async def test_two_queues_do_not_share_their_letters(runtime):
    await StateOwner.start_link()
    await letters(store=MemoryStore())

    with pytest.raises(st.StartError, match="space must be one of its own; got 'dead_letters'"):
        await st.child(DeadLetterQueue, store=MemoryStore()).with_(name="other").start_link()
    other = st.child(DeadLetterQueue, store=MemoryStore(), space="other")
    await other.with_(name="other").start_link()


async def test_each_letter_that_comes_in_and_goes_out_again_is_an_event(runtime):
    seen: list[Any] = []
    runtime.telemetry.attach_many(
        "letters",
        [events.DEAD_LETTER_ADDED, events.DEAD_LETTER_REDRIVEN],
        lambda event, numbers, facts: seen.append((event, numbers, facts)),
    )
    await letters()
    await router(dead_letters="letters")
    await agent("worker")
    await put("a")
    await asyncio.sleep(5.0)
    await CoordinationManager.redrive("router", "letters")

    assert [(numbers, facts) for _, numbers, facts in seen] == [
        ({"letters_count": 1}, {"to": "worker", "number": 1, "reason": "why"}),
        ({"age_s": 5.0}, {"to": "worker", "number": 1}),
    ]


async def test_letters_outlive_the_router(runtime):
    await letters()
    pid = await router(dead_letters="letters")
    await put("a")

    st.exit(pid, st.KILL)
    await wait_down(pid)

    assert await held() == ["a"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max_letters": 0}, "max_letters must be a whole number, 1 or more; got 0"),
        ({"max_age": -1.0}, "max_age must be a finite number, above 0; got -1.0"),
        ({"space": ""}, "space must be a text that is not empty; got ''"),
        ({"store": {}}, "store must keep references, as MemoryStore does; got {}"),
    ],
)
async def test_a_bad_bound_is_refused_at_the_start(runtime, options, text):
    with pytest.raises(st.StartError, match=text):
        await letters(**options)
