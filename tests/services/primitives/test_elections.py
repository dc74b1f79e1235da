"""Elections: one leader, the next in line, terms that grow, and all are told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import ElectionError, Elections, LeaderChanged, MemoryStore, StateOwner
from suptree.testing import wait_down, wait_mailbox_empty, wait_restarted
from tests.services.primitives.people import Person, hear, people, settle


async def stands(elections: Any, *persons: Any) -> None:
    for person in persons:
        await Elections.stand(elections, "chair", candidate=person)


async def leader(elections: Any) -> Any:
    return (await Elections.leader(elections, "chair")).leader


async def news(person: Any) -> list[Any]:
    await settle()
    return [each.leader for each in await Person.news(person)]


async def test_the_first_candidate_leads_and_the_others_stand_in_line(runtime):
    elections = await Elections.start_link()
    a, b, c = await people(3)

    first = await Elections.stand(elections, "chair", candidate=a)
    second = await Elections.stand(elections, "chair", candidate=b)
    await stands(elections, c)

    assert first.leader == second.leader == a
    assert first.term == second.term > 0
    assert await Elections.candidates(elections, "chair") == (a, b, c)


async def test_the_next_in_line_takes_over_when_the_leader_resigns(runtime):
    elections = await Elections.start_link()
    a, b, c = await people(3)
    await stands(elections, a, b, c)
    before = await Elections.leader(elections, "chair")

    assert await Elections.resign(elections, "chair", candidate=a)

    after = await Elections.leader(elections, "chair")
    assert (after.leader, after.term > before.term) == (b, True)
    assert (await news(a), await news(b), await news(c)) == ([a], [b], [b])


async def test_the_next_in_line_takes_over_when_the_leader_dies(runtime):
    elections = await Elections.start_link()
    a, b, c = await people(3)
    await stands(elections, a, b, c)
    before = await Elections.leader(elections, "chair")

    st.exit(a, st.KILL)
    await wait_down(a)
    await wait_mailbox_empty(elections)

    after = await Elections.leader(elections, "chair")
    assert (after.leader, after.term > before.term) == (b, True)
    assert (await news(b), await news(c)) == ([b], [b])


async def test_a_dead_candidate_never_leads(runtime):
    elections = await Elections.start_link()
    a, b, c = await people(3)
    await stands(elections, a, b, c)

    await st.sys.suspend(elections)
    st.exit(a, st.KILL)
    st.exit(b, st.KILL)
    await wait_down(a)
    await wait_down(b)
    await st.sys.resume(elections)
    await wait_mailbox_empty(elections)

    assert await leader(elections) == c
    assert await news(c) == [c]
    assert await Elections.candidates(elections, "chair") == (c,)


async def test_a_leader_that_is_still_unwinding_leads_no_more(runtime):
    elections = await Elections.start_link()

    async def slow_to_go() -> None:
        try:
            await st.receive()
        finally:
            await asyncio.sleep(0.5)

    old = runtime.spawn(slow_to_go)
    await settle()
    (new,) = await people(1)
    await stands(elections, old, new)

    st.exit(old, st.KILL)

    assert await leader(elections) == new
    await wait_down(old)
    await wait_mailbox_empty(elections)
    assert await leader(elections) == new
    assert await news(new) == [new]
    assert await Elections.candidates(elections, "chair") == (new,)


async def test_who_resigns_in_line_changes_nothing_for_the_leader(runtime):
    elections = await Elections.start_link()
    a, b = await people(2)
    await stands(elections, a, b)
    before = await Elections.leader(elections, "chair")

    assert await Elections.resign(elections, "chair", candidate=b)
    assert await Elections.resign(elections, "chair", candidate=b) is False
    assert await Elections.resign(elections, "nothing", candidate=b) is False

    assert await Elections.leader(elections, "chair") == before


async def test_standing_twice_is_standing_once(runtime):
    elections = await Elections.start_link()
    a, b = await people(2)
    await stands(elections, a, b, a)

    assert await Elections.candidates(elections, "chair") == (a, b)


async def test_followers_are_told_and_never_lead(runtime):
    elections = await Elections.start_link()
    a, b, follower = await people(3)
    told = await Elections.follow(elections, "chair", follower=follower)
    await stands(elections, a, b)
    await Elections.resign(elections, "chair", candidate=a)
    await Elections.resign(elections, "chair", candidate=b)

    assert told == LeaderChanged("chair", None, 0)
    assert await news(follower) == [a, b, None]
    first, second, nobody = [each.term for each in await Person.news(follower)]
    assert first < second == nobody  # a term is a leader's
    assert await Elections.unfollow(elections, "chair", follower=follower)
    assert await Elections.unfollow(elections, "chair", follower=follower) is False
    await stands(elections, a)
    assert await news(follower) == [a, b, None]


async def test_whose_own_request_made_the_change_learns_it_from_the_answer(runtime):
    elections = await Elections.start_link()
    (a,) = await people(1)

    Person.do(a, "stood", Elections.stand, elections, "chair")
    await settle()
    Person.do(a, "resigned", Elections.resign, elections, "chair")
    await settle()

    stood = await Person.result(a, "stood")
    assert isinstance(stood, LeaderChanged)
    assert stood.leader == a
    assert await Person.result(a, "resigned") is True
    assert await Person.news(a) == []


@pytest.mark.parametrize("gives_up", ["by a timeout", "by a cancel"])
@pytest.mark.parametrize("request_of", [Elections.stand, Elections.follow])
async def test_who_does_not_wait_for_the_answer_hears_by_message_who_leads(
    runtime, request_of, gives_up
):
    elections = await Elections.start_link()
    (a,) = await people(1)
    await stands(elections, *([a] if request_of is Elections.follow else []))
    await st.sys.suspend(elections)
    asked = asyncio.ensure_future(request_of(elections, "chair"))
    await settle()

    if gives_up == "by a cancel":
        asked.cancel()
    with pytest.raises((st.CallTimeoutError, asyncio.CancelledError)):
        await asked
    await st.sys.resume(elections)

    heard = await st.receive(LeaderChanged, timeout=1.0)
    assert heard == await Elections.leader(elections, "chair")
    assert heard.leader == (a if request_of is Elections.follow else st.current())
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=1.0)


async def test_who_was_not_told_that_it_resigned_hears_of_what_it_follows_and_nothing_else(runtime):
    elections = await Elections.start_link()
    await Elections.stand(elections, "chair")
    await st.sys.suspend(elections)
    for name in ("chair", "nobody's"):
        with pytest.raises(st.CallTimeoutError):
            await Elections.resign(elections, name)
    await st.sys.resume(elections)

    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=1.0)
    assert await leader(elections) is None


async def test_who_resigns_and_follows_is_told_who_leads_now(runtime):
    elections = await Elections.start_link()
    a, b = await people(2)
    await stands(elections, a, b)
    await Elections.follow(elections, "chair", follower=a)

    Person.do(a, "resigned", Elections.resign, elections, "chair")

    assert (await news(a), await news(b)) == ([a, b], [b])
    await Elections.follow(elections, "chair", follower=b)
    await Elections.resign(elections, "chair", candidate=b)
    assert (await news(a), await news(b)) == ([a, b, None], [b, None])


async def test_a_leader_that_only_follows_is_still_watched_for_what_it_follows(runtime):
    elections = await Elections.start_link()
    a, b = await people(2)
    await stands(elections, a, b)
    await Elections.follow(elections, "chair", follower=a)
    await Elections.resign(elections, "chair", candidate=a)

    await Person.stop(a)
    await wait_mailbox_empty(elections)

    stats = await Elections.stats(elections)
    assert (stats.elections, stats.candidates, stats.followers) == (1, 1, 0)
    await Elections.resign(elections, "chair", candidate=b)
    state = await st.sys.get_state(elections)
    assert (state["table"], len(state["owners"])) == ({}, 0)


async def test_terms_grow_over_elections_over_restarts_and_over_programs(runtime):
    await StateOwner.start_link()
    top = await st.Supervisor.start_link(
        [
            st.child(Elections).with_(id="plain", name="plain"),
            st.child(Elections, store=MemoryStore()).with_(id="stored", name="stored"),
        ],
        strategy="one_for_one",
        max_restarts=10,
    )
    for name in ("plain", "stored"):
        terms = []
        for _ in range(3):
            for _ in range(2):
                terms.append((await Elections.stand(name, "chair")).term)
                await Elections.resign(name, "chair")
            old = st.whereis(name)
            st.exit(old, st.KILL)
            await wait_restarted(top, name, old)
        assert terms == sorted(set(terms))


async def test_a_full_mailbox_misses_the_news_and_it_is_counted(runtime):
    elections = await Elections.start_link()
    bound = st.MailboxBound(1, "reject")
    done = runtime.park()

    async def busy() -> None:
        await done

    follower = runtime.spawn(busy, bound=bound)
    await settle()
    await Elections.follow(elections, "chair", follower=follower)
    await stands(elections, *(await people(1)))
    await Elections.resign(elections, "chair", candidate=await leader(elections))

    assert (await Elections.stats(elections)).undelivered == 1
    assert (await Elections.stats(elections)).changes == 2
    done.set(None)


async def test_the_dead_cannot_stand_or_follow(runtime):
    elections = await Elections.start_link()
    (dead,) = await people(1)
    await Person.stop(dead)

    with pytest.raises(ElectionError, match="candidate must be a live process"):
        await Elections.stand(elections, "chair", candidate=dead)
    with pytest.raises(ElectionError, match="follower must be a live process"):
        await Elections.follow(elections, "chair", follower=dead)
    assert (await Elections.stats(elections)).elections == 0


async def test_every_event_of_elections_is_emitted_as_declared(runtime):
    seen = hear(runtime, "suptree.elections")
    elections = await Elections.start_link()
    a, b = await people(2)
    await stands(elections, a, b)
    await Elections.resign(elections, "chair", candidate=a)
    await Person.stop(b)
    await wait_mailbox_empty(elections)

    facts = [(f["before"], f["leader"], f["cause"], f["candidates_count"]) for _, f in seen]
    assert facts == [(None, a, "elected", 1), (a, b, "resigned", 1), (b, None, "died", 0)]
