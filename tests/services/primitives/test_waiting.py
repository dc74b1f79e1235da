"""Who waits is told when there is something to tell, and nobody asks meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import suptree as st
from suptree.services import Barriers, Consensus, Leases
from suptree.services.primitives.base import Waiters

from .people import Person, people, settle

pytestmark = pytest.mark.suptree_loop("virtual")  # an hour of waiting


async def a_lease(person: Any) -> tuple[st.Pid[Any], Callable[[], Coroutine[Any, Any, Any]]]:
    server = await Leases.start_link()
    lease = await Leases.acquire(server, "door", ttl=4000.0)
    Person.do(person, "x", Leases.acquire, server, "door", timeout=3900.0)
    return server, lambda: Leases.release(server, lease)


async def a_barrier(person: Any) -> tuple[st.Pid[Any], Callable[[], Coroutine[Any, Any, Any]]]:
    server = await Barriers.start_link()
    Person.do(person, "x", Barriers.arrive, server, "gate", 2, timeout=3900.0)
    return server, lambda: Barriers.arrive(server, "gate", 2)


async def a_vote(person: Any) -> tuple[st.Pid[Any], Callable[[], Coroutine[Any, Any, Any]]]:
    server = await Consensus.start_link()
    ballot = await Consensus.propose(server, "tea?", [st.current()], timeout=3900.0)
    Person.do(person, "x", Consensus.result, server, ballot)

    async def vote() -> None:
        await Consensus.vote(server, ballot, True)

    return server, vote


@pytest.mark.parametrize("waiting", [a_lease, a_barrier, a_vote])
async def test_who_waits_for_a_lease_a_barrier_or_a_vote_does_not_poll(
    runtime: st.Runtime, waiting: Any
) -> None:
    (person,) = await people(1)
    server, end = await waiting(person)
    await settle()
    before = runtime.info(server).handled, runtime.info(person).handled

    await asyncio.sleep(3600.0)

    assert (runtime.info(server).handled, runtime.info(person).handled) == before
    assert await Person.result(person, "x") is None
    await end()
    await settle()
    assert await Person.result(person, "x") is not None


def test_one_more_who_waits_costs_the_same_however_many_wait() -> None:
    looked = 0

    class Caller:
        gone = False

        def done(self) -> bool:
            nonlocal looked
            looked += 1
            return self.gone

    waiters = Waiters()
    callers: list[Any] = [Caller() for _ in range(1000)]
    more: list[Any] = [Caller() for _ in range(1000)]
    for caller in callers:
        waiters.add(caller)

    assert waiters.senders == callers
    assert looked < 2 * len(callers)
    for caller, another in zip(callers, more, strict=True):
        caller.gone = True
        waiters.add(another)
    assert [each for each in waiters.senders if each in more] == more
    assert looked < 8 * len(callers)
