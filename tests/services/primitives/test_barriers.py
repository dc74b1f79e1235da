"""Barriers: all go on together, or all learn that they will not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    AlreadyArrivedError,
    Arrival,
    BarrierBrokenError,
    BarrierMismatchError,
    Barriers,
    NotAPartyError,
)
from suptree.testing import wait_down, wait_mailbox_empty
from tests.services.primitives.people import Person, hear, people, settle

pytestmark = pytest.mark.suptree_loop("virtual")  # they count seconds, exactly


async def comes(person: Any, barriers: Any, parties: Any, what: str = "x", **options: Any) -> None:
    Person.do(person, what, Barriers.arrive, barriers, "gate", parties, **options)
    await settle()


async def got(*persons: Any, what: str = "x") -> list[Any]:
    await settle()
    return [await Person.result(person, what) for person in persons]


async def nothing_is_left(barriers: Any) -> None:
    state = await st.sys.get_state(barriers)
    assert state["forming"] == {}
    assert (len(state["owners"]), len(state["deadlines"])) == (0, 0)


async def test_all_go_on_when_the_last_one_arrives(runtime):
    barriers = await Barriers.start_link()
    a, b, c = await people(3)
    await comes(a, barriers, 3)
    await comes(b, barriers, 3)

    assert await got(a, b) == [None, None]
    assert await Barriers.waiting(barriers, "gate") == (a, b)
    await comes(c, barriers, 3)
    assert await got(a, b, c) == [Arrival(1, 0, 3), Arrival(1, 1, 3), Arrival(1, 2, 3)]
    await nothing_is_left(barriers)


async def test_a_barrier_of_one_does_not_wait(runtime):
    barriers = await Barriers.start_link()

    assert await Barriers.arrive(barriers, "gate", 1) == Arrival(1, 0, 1)
    assert await Barriers.arrive(barriers, "gate", [st.current()]) == Arrival(2, 0, 1)


async def test_a_barrier_is_used_again_generation_by_generation(runtime):
    barriers = await Barriers.start_link()
    a, b = await people(2)
    for generation in (1, 2, 3):
        for person in (a, b):
            await comes(person, barriers, 2)
        assert [each.generation for each in await got(a, b)] == [generation] * 2


async def test_named_parties_meet_and_nobody_else_takes_a_place(runtime):
    barriers = await Barriers.start_link()
    a, b, stranger = await people(3)
    await comes(a, barriers, [a, b])
    await comes(stranger, barriers, [a, b])

    (refused,) = await got(stranger)
    assert isinstance(refused, NotAPartyError)
    assert refused.party == stranger
    await comes(b, barriers, (b, a))
    assert await got(a, b) == [Arrival(1, 0, 2), Arrival(1, 1, 2)]


async def test_a_party_that_waits_cannot_arrive_again(runtime):
    barriers = await Barriers.start_link()
    (a,) = await people(1)
    await comes(a, barriers, 2)
    await comes(a, barriers, 2, "again")

    (again,) = await got(a, what="again")
    assert isinstance(again, AlreadyArrivedError)
    assert await Barriers.waiting(barriers, "gate") == (a,)


async def test_who_says_other_parties_is_refused(runtime):
    barriers = await Barriers.start_link()
    a, b = await people(2)
    await comes(a, barriers, 3)
    await comes(b, barriers, 2)

    (refused,) = await got(b)
    assert isinstance(refused, BarrierMismatchError)
    assert (refused.parties, refused.given) == (3, 2)


async def test_after_the_timeout_all_who_wait_are_told_and_the_next_generation_begins(runtime):
    barriers = await Barriers.start_link()
    a, b, c = await people(3)
    before = runtime.now()
    await comes(a, barriers, 3, timeout=50.0)
    await comes(b, barriers, 3, timeout=10.0)
    await asyncio.sleep(10.5)

    broken = await got(a, b)
    assert [type(each) for each in broken] == [BarrierBrokenError] * 2
    assert "not all arrived in time" in str(broken[0])
    await nothing_is_left(barriers)
    for person in (a, b, c):
        await comes(person, barriers, 3)
    assert [each.generation for each in await got(a, b, c)] == [2, 2, 2]
    assert runtime.now() - before == pytest.approx(10.5)


@pytest.mark.parametrize("named", [False, True])
async def test_the_death_of_one_who_waits_breaks_it_for_all(runtime, named):
    barriers = await Barriers.start_link()
    a, b, c = await people(3)
    parties = [a, b, c] if named else 3
    await comes(a, barriers, parties)
    await comes(b, barriers, parties)

    st.exit(b, st.KILL)
    await wait_down(b)

    (broken,) = await got(a)
    assert isinstance(broken, BarrierBrokenError)
    assert "died" in broken.why
    await nothing_is_left(barriers)


async def test_the_death_of_a_named_party_that_has_not_arrived_breaks_it(runtime):
    barriers = await Barriers.start_link()
    a, b = await people(2)
    await comes(a, barriers, [a, b])

    st.exit(b, st.KILL)
    await wait_down(b)

    assert [type(each) for each in await got(a)] == [BarrierBrokenError]
    await comes(a, barriers, [a, b])
    assert "died" in (await got(a))[0].why  # at once: it can never be complete
    await nothing_is_left(barriers)


async def test_the_last_arrival_does_not_trip_a_barrier_with_the_dead(runtime):
    barriers = await Barriers.start_link()
    a, b, c = await people(3)
    await comes(a, barriers, 3)
    await comes(b, barriers, 3)
    await st.sys.suspend(barriers)
    Person.do(c, "x", Barriers.arrive, barriers, "gate", 3, timeout=5.0)
    await settle()
    st.exit(b, st.KILL)  # its Down comes after the arrival of c
    await wait_down(b)

    await st.sys.resume(barriers)

    (broken,) = await got(a)
    assert isinstance(broken, BarrierBrokenError)
    assert await got(c) == [None]
    await asyncio.sleep(6.0)
    assert [type(each) for each in await got(c)] == [BarrierBrokenError]
    await nothing_is_left(barriers)


async def test_those_who_died_in_this_moment_do_not_complete_a_barrier(runtime):
    barriers = await Barriers.start_link()
    a, b, c = await people(3)
    dead = [
        asyncio.ensure_future(Barriers.arrive(barriers, "gate", 3, party=each)) for each in (a, b)
    ]
    await settle()
    await st.sys.suspend(barriers)
    task = asyncio.ensure_future(Barriers.arrive(barriers, "gate", 3, timeout=5.0, party=c))
    await settle()
    for each in (a, b):  # their Downs come after the arrival of c
        st.exit(each, st.KILL)
        await wait_down(each)

    await st.sys.resume(barriers)

    for each in dead:
        with pytest.raises(BarrierBrokenError, match="died"):
            await each
    assert await Barriers.waiting(barriers, "gate") == (c,)
    with pytest.raises(BarrierBrokenError, match="in time"):
        await task
    await nothing_is_left(barriers)


async def test_who_gives_up_waiting_has_not_arrived_and_may_come_again(runtime):
    barriers = await Barriers.start_link()
    a, b = await people(2)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await Barriers.arrive(barriers, "gate", 3)
    await nothing_is_left(barriers)
    await comes(a, barriers, 3)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await Barriers.arrive(barriers, "gate", 3, timeout=2.0)
    await comes(b, barriers, 3)
    await asyncio.sleep(5.0)  # the deadline of the one who left does not count

    assert await got(a, b) == [None, None]
    assert (await Barriers.arrive(barriers, "gate", 3)).place == 2
    await nothing_is_left(barriers)


async def test_one_who_left_in_this_moment_does_not_complete_a_barrier(runtime):
    barriers = await Barriers.start_link()
    a, b = await people(2)
    task = asyncio.ensure_future(Barriers.arrive(barriers, "gate", 2, party=a))
    await settle()

    other = asyncio.ensure_future(Barriers.arrive(barriers, "gate", 2, party=b))
    task.cancel()  # the news of it comes after the arrival of the other
    await settle()

    assert not other.done()
    assert await Barriers.waiting(barriers, "gate") == (b,)
    assert (await Barriers.arrive(barriers, "gate", 2)).place == 1
    assert (await other).place == 0
    assert task.cancelled()


async def test_one_who_left_in_this_moment_may_come_again(runtime):
    barriers = await Barriers.start_link()
    a, b = await people(2)
    await comes(b, barriers, 4)
    task = asyncio.ensure_future(Barriers.arrive(barriers, "gate", 4, party=a))
    await settle()

    again = asyncio.ensure_future(Barriers.arrive(barriers, "gate", 4, timeout=5.0, party=a))
    task.cancel()  # the news of it comes after the second arrival
    await settle()

    assert task.cancelled()
    assert await Barriers.waiting(barriers, "gate") == (b, a)
    with pytest.raises(BarrierBrokenError, match="in time"):
        await again


async def test_what_is_no_party_is_refused_and_leaves_the_others_waiting(runtime):
    barriers = await Barriers.start_link()
    (a,) = await people(1)
    await comes(a, barriers, 2)

    for wrong in ("me", [], {}):  # the last two have no hash
        with pytest.raises(st.BadArgumentError, match="party must be a pid"):
            await Barriers.arrive(barriers, "gate", 2, party=wrong)
    await wait_mailbox_empty(barriers)

    assert await Barriers.waiting(barriers, "gate") == (a,)


@pytest.mark.parametrize(
    ("parties", "options", "text"),
    [
        (0, {}, "number of at least 1"),
        (True, {}, "number of at least 1"),
        ([], {}, "or pids"),
        (["a"], {}, "or pids"),
        (2, {"timeout": 0}, "timeout must be"),
        (2, {"timeout": float("inf")}, "timeout must be"),
        (2, {"party": "me"}, "party must be a pid"),
    ],
)
async def test_a_wrong_arrival_is_refused(runtime, parties, options, text):
    barriers = await Barriers.start_link()

    with pytest.raises(st.BadArgumentError, match=text):
        await Barriers.arrive(barriers, "gate", parties, **options)
    await nothing_is_left(barriers)


async def test_a_waiting_arrival_ends_with_the_server(runtime):
    barriers = await Barriers.start()
    (a,) = await people(1)
    await comes(a, barriers, 2)

    st.exit(barriers, st.KILL)
    await wait_down(barriers)

    assert [type(each) for each in await got(a)] == [st.ServerExitError]


async def test_every_event_of_barriers_is_emitted_as_declared(runtime):
    seen = hear(runtime, "suptree.barriers")
    barriers = await Barriers.start_link()
    (a,) = await people(1)
    await comes(a, barriers, 2)
    await asyncio.sleep(2.0)
    await Barriers.arrive(barriers, "gate", 2)
    await comes(a, barriers, 2, timeout=3.0)
    await asyncio.sleep(4.0)
    await wait_mailbox_empty(barriers)

    (tripped, first), (broken, second) = seen
    assert tripped.endswith("barrier.tripped")
    assert (first["parties_count"], first["waited_s"]) == (2, pytest.approx(2.0))
    assert broken.endswith("barrier.broken")
    assert (second["arrived_count"], second["waited_s"]) == (1, pytest.approx(3.0))
    stats = await Barriers.stats(barriers)
    assert (stats.forming, stats.waiting, stats.tripped, stats.broken) == (0, 0, 1, 1)
