"""Who waits is told when there is something to tell, and nobody asks meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import suptree as st
from suptree.services import Barriers, Consensus, Leases

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
