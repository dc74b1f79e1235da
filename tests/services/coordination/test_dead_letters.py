"""The dead-letter queue: bounded, inspected, purged, and given back to the router."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    CoordinationManager,
    DeadLetterQueue,
    LetterNotFoundError,
    Rejected,
)
from suptree.services.coordination import events
from suptree.testing import turn, wait_down, wait_until

from .helpers import agent, got, letters, router

pytestmark = pytest.mark.suptree_loop("virtual")  # it moves time by minutes


async def put(*messages: Any, to: str = "worker") -> None:
    for n, message in enumerate(messages):
        DeadLetterQueue.add("letters", to, message, "why", 1, n)


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
    await letters(limit=2)
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

    outcomes = await CoordinationManager.redeliver("router", "letters")
    await wait_until(lambda: len(got("worker")) == 3)

    assert not any(isinstance(one, Rejected) for one in outcomes.values())
    assert got("worker") == ["a", "b", "c"]
    assert await held() == []
    assert (await DeadLetterQueue.stats("letters")).redelivered == 3


async def test_some_letters_are_redelivered_and_the_others_stay(runtime):
    await letters()
    await router(dead_letters="letters")
    await agent("worker")
    await put("a", "b")

    await CoordinationManager.redeliver("router", "letters", [2])

    assert await held() == ["a"]


async def test_what_the_router_does_not_take_comes_back_and_counts_it(runtime):
    await letters()
    await router(dead_letters="letters")
    await put("a")

    outcomes = await CoordinationManager.redeliver("router", "letters")

    assert isinstance(outcomes[1], Rejected)
    [letter] = await DeadLetterQueue.letters("letters")
    assert (letter.message, letter.returns) == ("a", 1)
    assert (await DeadLetterQueue.stats("letters")).on_loan == 0


async def test_a_letter_is_out_on_loan_to_one_at_a_time(runtime):
    await letters()
    await put("a", "b")

    first = await DeadLetterQueue.lend("letters", [1])
    second = await DeadLetterQueue.lend("letters")

    assert [one.number for one in first] == [1]
    assert [one.number for one in second] == [2]
    assert await DeadLetterQueue.lend("letters") == []


async def test_letters_come_back_when_their_borrower_ends(runtime):
    lent: list[Any] = []

    async def borrower() -> None:
        lent.extend(await DeadLetterQueue.lend("letters"))
        await st.receive()

    await letters()
    await put("a")
    pid = st.spawn(borrower)
    await wait_until(lambda: lent)
    assert (await DeadLetterQueue.stats("letters")).on_loan == 1

    st.exit(pid, st.KILL)
    await wait_down(pid)

    assert (await DeadLetterQueue.stats("letters")).on_loan == 0
    assert [one.number for one in await DeadLetterQueue.lend("letters")] == [1]


async def test_letters_that_a_cancelled_borrower_never_got_are_not_on_loan(runtime):
    await router(dead_letters="letters")
    queue = await letters()
    DeadLetterQueue.add("letters", "nobody", "m", "lost", 1, 1)
    await st.sys.suspend(queue)
    borrowing = asyncio.ensure_future(CoordinationManager.redeliver("router", "letters"))
    await turn(2)
    borrowing.cancel()
    await asyncio.gather(borrowing, return_exceptions=True)
    await st.sys.resume(queue)

    assert (await DeadLetterQueue.stats("letters")).on_loan == 0
    assert len(await CoordinationManager.redeliver("router", "letters")) == 1


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
        ({"limit": 0}, "limit must be a whole number, 1 or more; got 0"),
        ({"max_age": -1.0}, "max_age must be a finite number, above 0; got -1.0"),
    ],
)
async def test_a_bad_bound_is_refused_at_the_start(runtime, options, text):
    with pytest.raises(st.StartError, match=text):
        await letters(**options)
