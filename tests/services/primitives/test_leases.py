"""Leases: one holder, in the order of asking, for so long, with a token that grows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    Lease,
    LeaseError,
    LeaseLostError,
    LeaseQueueFullError,
    Leases,
    LeaseTimeoutError,
    MemoryStore,
    StateOwner,
)
from suptree.testing import wait_down, wait_mailbox_empty, wait_restarted
from tests.services.primitives.people import Person, hear, people, settle

pytestmark = pytest.mark.suptree_loop("virtual")  # they count seconds, exactly


async def asks(person: Any, leases: Any, what: str = "x", **options: Any) -> None:
    """*person* asks, and is in the queue afterwards."""
    Person.do(person, what, Leases.acquire, leases, "door", **options)
    await wait_mailbox_empty(person)
    await settle()


async def has(person: Any, what: str = "x") -> Any:
    return await Person.result(person, what)


async def holder(leases: Any) -> Any:
    lease = (await Leases.status(leases, "door")).lease
    return None if lease is None else lease.holder


async def test_a_free_lease_is_granted_at_once(runtime):
    leases = await Leases.start_link()

    lease = await Leases.acquire(leases, "door", ttl=5.0)

    assert (lease.name, lease.holder, lease.ttl) == ("door", st.current(), 5.0)
    assert lease.expires_at == runtime.now() + 5.0
    status = await Leases.status(leases, "door")
    assert (status.lease, status.expires_in, status.waiters) == (lease, 5.0, ())


async def test_who_waits_is_served_in_the_order_of_asking(runtime):
    leases = await Leases.start_link()
    lease = await Leases.acquire(leases, "door")
    a, b, c = await people(3)
    for person in (a, b, c):
        await asks(person, leases, ttl=100.0)

    assert (await Leases.status(leases, "door")).waiters == (a, b, c)
    assert await Leases.release(leases, lease)
    for person in (a, b, c):
        assert await holder(leases) == person
        await settle()
        assert await Leases.release(leases, await has(person))
    assert await holder(leases) is None


async def test_tokens_grow_with_every_lease_of_whatever_name(runtime):
    leases = await Leases.start_link()
    tokens = []
    for name in ["a", "b", "a", "a"]:
        async with Leases.hold(leases, name) as lease:
            tokens.append(lease.token)

    assert tokens == sorted(set(tokens))


async def test_a_lease_expires_and_the_next_in_line_has_it(runtime):
    leases = await Leases.start_link()
    before = runtime.now()
    old = await Leases.acquire(leases, "door", ttl=10.0)

    new = await Leases.acquire(leases, "door", ttl=10.0)

    assert runtime.now() - before == pytest.approx(10.0)
    assert new.token > old.token
    assert await Leases.release(leases, old) is False
    with pytest.raises(LeaseLostError, match="has it now") as lost:
        await Leases.renew(leases, old)
    assert lost.value.holder == st.current()
    assert (await Leases.status(leases, "door")).lease == new


async def test_a_renewed_lease_lives_on(runtime):
    leases = await Leases.start_link()
    lease = await Leases.acquire(leases, "door", ttl=10.0)
    for _ in range(5):
        await asyncio.sleep(9.0)
        lease = await Leases.renew(leases, lease)
    renewed = await Leases.renew(leases, lease, ttl=100.0)
    await asyncio.sleep(99.0)

    assert renewed.token == lease.token
    assert (await Leases.status(leases, "door")).lease == renewed
    await asyncio.sleep(2.0)
    assert await holder(leases) is None
    with pytest.raises(LeaseLostError, match="nobody has it"):
        await Leases.renew(leases, renewed)


async def test_a_shorter_renewal_expires_sooner(runtime):
    leases = await Leases.start_link()
    lease = await Leases.acquire(leases, "door", ttl=1000.0)
    await Leases.renew(leases, lease, ttl=1.0)

    await asyncio.sleep(1.5)

    assert await holder(leases) is None


async def test_a_wait_ends_at_its_timeout(runtime):
    leases = await Leases.start_link()
    await Leases.acquire(leases, "door", ttl=100.0)
    before = runtime.now()

    with pytest.raises(LeaseTimeoutError, match="not free within 3 s"):
        await Leases.acquire(leases, "door", timeout=3.0)
    assert runtime.now() - before == pytest.approx(3.0)
    with pytest.raises(LeaseTimeoutError, match="within 0 s"):
        await Leases.acquire(leases, "door", timeout=0)
    assert runtime.now() - before == pytest.approx(3.0)


async def test_a_waiter_that_timed_out_never_wins(runtime):
    """The seed's lock could go to a waiter whose caller had left, and nobody would give it back."""
    leases = await Leases.start_link()
    lease = await Leases.acquire(leases, "door", ttl=100.0)
    with pytest.raises(LeaseTimeoutError):
        await Leases.acquire(leases, "door", timeout=1.0)

    await Leases.release(leases, lease)

    assert await holder(leases) is None
    stats = await Leases.stats(leases)
    assert (stats.held, stats.waiting, stats.granted, stats.left) == (0, 0, 1, 1)


async def test_a_waiter_that_was_cancelled_never_wins_and_the_next_one_does(runtime):
    leases = await Leases.start_link()
    lease = await Leases.acquire(leases, "door", ttl=100.0)
    (other,) = await people(1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await Leases.acquire(leases, "door", timeout=None)
    await asks(other, leases)

    await Leases.release(leases, lease)

    assert await holder(leases) == other


async def test_a_waiter_that_left_in_this_moment_is_passed_over(runtime):
    leases = await Leases.start_link()
    lease = await Leases.acquire(leases, "door", ttl=100.0)
    left, other = await people(2)
    task = asyncio.ensure_future(Leases.acquire(leases, "door", holder=left))
    await settle()
    await asks(other, leases)

    task.cancel()  # the news of it is still to come
    await Leases.release(leases, lease)

    assert await holder(leases) == other
    assert (await Leases.stats(leases)).granted == 2
    await settle()
    assert task.cancelled()


async def test_a_lease_granted_to_a_caller_that_is_cancelled_in_the_same_moment_is_given_back(
    runtime,
):
    leases = await Leases.start_link()
    lease = await Leases.acquire(leases, "door", ttl=100.0)
    (other,) = await people(1)
    task = asyncio.ensure_future(Leases.acquire(leases, "door", holder=other))
    await settle()

    await Leases.release(leases, lease)  # a direct call: the answer is there, and not yet read
    task.cancel()
    (result,) = await asyncio.gather(task, return_exceptions=True)
    await wait_mailbox_empty(leases)

    seen = isinstance(result, Lease)  # so it is where calls are never direct
    assert await holder(leases) == (other if seen else None)
    assert isinstance(result, Lease | asyncio.CancelledError)


async def test_a_waiter_that_died_never_wins(runtime):
    leases = await Leases.start_link()
    lease = await Leases.acquire(leases, "door", ttl=100.0)
    dead, alive = await people(2)
    await asks(dead, leases)
    await asks(alive, leases)

    st.exit(dead, st.KILL)
    await wait_down(dead)
    await Leases.release(leases, lease)

    assert await holder(leases) == alive
    assert (await Leases.stats(leases)).left == 1


async def test_who_waits_on_behalf_of_one_that_died_waits_no_longer(runtime):
    leases = await Leases.start_link()
    await Leases.acquire(leases, "door", ttl=100.0)
    (dead,) = await people(1)
    task = asyncio.ensure_future(Leases.acquire(leases, "door", timeout=None, holder=dead))
    await settle()

    st.exit(dead, st.KILL)

    with pytest.raises(LeaseError, match="holder must be a live process"):
        await task
    assert (await Leases.status(leases, "door")).waiters == ()


async def test_the_lease_of_a_holder_that_died_goes_to_the_next(runtime):
    leases = await Leases.start_link()
    first, second = await people(2)
    await asks(first, leases, ttl=1000.0)
    await asks(second, leases, ttl=1000.0)

    st.exit(first, st.KILL)
    await wait_down(first)
    await wait_mailbox_empty(leases)

    assert await holder(leases) == second
    assert (await Leases.stats(leases)).died == 1


async def test_one_that_holds_and_waits_for_the_same_lease_dies_once(runtime):
    leases = await Leases.start_link()
    twice, other = await people(2)
    await asks(twice, leases, "held", ttl=1000.0)
    await asks(twice, leases, "wanted")
    await asks(other, leases)

    st.exit(twice, st.KILL)
    await wait_down(twice)
    await wait_mailbox_empty(leases)

    assert await holder(leases) == other
    assert leases.is_alive()


async def test_releasing_what_is_not_held_is_no_crash(runtime):
    """The seed's server crashed on a lock that it did not find."""
    leases = await Leases.start_link()
    unknown = Lease("nothing", st.current(), 7, 1.0, 1.0)

    assert await Leases.release(leases, unknown) is False
    with pytest.raises(LeaseLostError):
        await Leases.renew(leases, unknown)
    lease = await Leases.acquire(leases, "door")
    assert await Leases.release(leases, lease)
    assert await Leases.release(leases, lease) is False
    assert leases.is_alive()


async def test_hold_releases_at_the_end_of_the_block_whatever_happens_in_it(runtime):
    leases = await Leases.start_link()

    with pytest.raises(ZeroDivisionError):
        async with Leases.hold(leases, "door", ttl=1000.0):
            assert await holder(leases) == st.current()
            1 / 0
    await wait_mailbox_empty(leases)

    assert await holder(leases) is None


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"ttl": 0}, "ttl must be a finite number of seconds, above 0"),
        ({"ttl": float("inf")}, "ttl must be a finite number"),
        ({"ttl": "long"}, "ttl must be a finite number"),
        ({"timeout": -1.0}, "timeout must be None or a finite number of seconds, 0 or more"),
        pytest.param({"ttl": 10**400}, "ttl must be a finite number", id="beyond every float"),
        ({"holder": "me"}, "holder must be a pid"),
    ],
)
async def test_a_wrong_request_is_refused(runtime, options, text):
    leases = await Leases.start_link()

    with pytest.raises(st.BadArgumentError, match=text):
        await Leases.acquire(leases, "door", **options)

    assert await holder(leases) is None


@pytest.mark.parametrize("wrong", ["door", None])
async def test_what_is_no_lease_is_refused_and_costs_nobody_a_lease(runtime, wrong):
    leases = await Leases.start_link()
    await Leases.acquire(leases, "door")

    for ask in (Leases.release, Leases.renew):
        with pytest.raises(st.BadArgumentError, match="Give back what acquire returned"):
            await ask(leases, wrong)
    assert await holder(leases) == st.current()


async def test_a_dead_holder_is_refused(runtime):
    leases = await Leases.start_link()
    (dead,) = await people(1)
    await Person.stop(dead)

    with pytest.raises(LeaseError, match="must be a live process"):
        await Leases.acquire(leases, "door", holder=dead)


async def test_a_holder_of_another_runtime_is_refused_and_every_lease_stays(runtime):
    leases = await Leases.start_link()
    (person,) = await people(1)
    await Leases.acquire(leases, "door", holder=person)

    async with st.Runtime(name="other"):
        stranger = await Person.start_link()
        with pytest.raises(LeaseError, match="holder must live in this runtime"):
            await Leases.acquire(leases, "window", holder=stranger)

    assert await holder(leases) == person


async def test_outside_every_process_a_holder_must_be_said(runtime):
    leases = await Leases.start_link()
    (person,) = await people(1)

    async def outside() -> Lease:
        return await Leases.acquire(leases, "door", holder=person)

    import contextvars

    task = asyncio.get_running_loop().create_task(outside(), context=contextvars.Context())
    assert (await task).holder == person


async def test_a_full_queue_refuses(runtime):
    leases = await Leases.start_link(max_waiters=1)
    await Leases.acquire(leases, "door", ttl=100.0)
    a, b = await people(2)
    await asks(a, leases)
    await asks(b, leases)

    assert isinstance(await has(b), LeaseQueueFullError)
    assert (await Leases.status(leases, "door")).waiters == (a,)


async def test_tokens_go_on_growing_over_a_restart_of_the_server(runtime):
    top = await st.Supervisor.start_link(
        [st.child(Leases).with_(id="leases", name="leases")], strategy="one_for_one"
    )
    before = await Leases.acquire("leases", "door")
    old = st.whereis("leases")

    st.exit(old, st.KILL)
    await wait_restarted(top, "leases", old)

    assert (await Leases.acquire("leases", "door")).token > before.token


async def test_with_a_store_tokens_grow_over_restarts_of_the_program(runtime):
    await StateOwner.start_link()
    tokens = []
    for _ in range(3):
        leases = await Leases.start_link(store=MemoryStore(), space="locks")
        tokens.append((await Leases.acquire(leases, "door")).token)
        await Leases.stop(leases)

    assert tokens == sorted(set(tokens))
    assert await MemoryStore().load("locks") == {"epoch": 3}


@pytest.mark.parametrize("kept", ["7", 7.5, True, -1, None])
async def test_an_epoch_that_cannot_be_read_is_refused_and_tokens_never_begin_anew(runtime, kept):
    await StateOwner.start_link()
    await MemoryStore().put("locks", "epoch", kept)

    with pytest.raises(st.StartError, match="epoch in space 'locks' must be a whole number"):
        await Leases.start_link(store=MemoryStore(), space="locks")

    assert await MemoryStore().load("locks") == {"epoch": kept}


async def test_a_waiting_call_ends_with_the_server(runtime):
    leases = await Leases.start()
    await Leases.acquire(leases, "door", ttl=100.0)
    (person,) = await people(1)
    await asks(person, leases, timeout=None)

    st.exit(leases, st.KILL)
    await wait_down(leases)
    await settle()

    assert isinstance(await has(person), st.ServerExitError)


async def test_nothing_is_left_of_what_is_over(runtime):
    leases = await Leases.start_link()
    a, b = await people(2)
    for person in (a, b):
        await asks(person, leases, ttl=5.0)
    await asyncio.sleep(20.0)

    state = await st.sys.get_state(leases)
    assert (len(state["owners"]), len(state["deadlines"]), state["timer"]) == (0, 0, None)
    assert state["lines"] == {}


async def test_every_event_of_leases_is_emitted_as_declared(runtime):
    seen = hear(runtime, "suptree.leases")
    leases = await Leases.start_link()
    lease = await Leases.acquire(leases, "door", ttl=10.0)
    with pytest.raises(LeaseTimeoutError):
        await Leases.acquire(leases, "door", timeout=2.0)
    await Leases.release(leases, lease)
    (person,) = await people(1)
    await asks(person, leases, ttl=10.0)
    await asyncio.sleep(11.0)
    await asks(person, leases, ttl=10.0)
    await Person.stop(person)
    await wait_mailbox_empty(leases)

    names = [name.removeprefix("suptree.leases.") for name, _ in seen]
    assert names == [
        "lease.granted",
        "waiter.left",
        *["lease.ended", "lease.granted"] * 2,
        "lease.ended",
    ]
    assert [facts["cause"] for name, facts in seen if name.endswith("ended")] == [
        "released",
        "expired",
        "died",
    ]
    assert seen[1][1]["waited_s"] == pytest.approx(2.0)
    assert seen[2][1]["held_s"] == pytest.approx(2.0)
    stats = await Leases.stats(leases)
    assert (stats.granted, stats.released, stats.expired, stats.died) == (3, 1, 1, 1)
    assert stats.left == 1
