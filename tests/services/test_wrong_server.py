"""A request that came to the wrong server names what its user called, and nothing private."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    AgentRegistry,
    Barriers,
    ConnectionPool,
    Consensus,
    CoordinationManager,
    Elections,
    Leases,
    RateLimiter,
    ResourceManager,
    SchedulerManager,
    Signal,
    SignalBus,
)
from tests.services.agent_registry.agents import metadata


async def hold_permit() -> None:
    async with RateLimiter.hold("leases", "x"):
        pass


async def hold_lease() -> None:
    async with Leases.hold("limits", "x"):
        pass


ASKED: dict[str, Callable[[], Awaitable[Any]]] = {
    "RateLimiter.check": lambda: RateLimiter.check("leases", "x"),
    "RateLimiter.acquire": lambda: RateLimiter.acquire("leases", "x"),
    "a request of RateLimiter": hold_permit,
    "RateLimiter.status": lambda: RateLimiter.status("leases", "x"),
    "Leases.acquire": lambda: Leases.acquire("limits", "x"),
    "Leases.hold": hold_lease,
    "Leases.status": lambda: Leases.status("limits", "x"),
    "Barriers.arrive": lambda: Barriers.arrive("leases", "x", 2),
    "Elections.stand": lambda: Elections.stand("leases", "x"),
    "Consensus.propose": lambda: Consensus.propose("leases", "x", [st.current()]),
    "Consensus.vote": lambda: Consensus.vote("leases", "x", True),
    "ResourceManager.acquire": lambda: ResourceManager.acquire("leases", "x"),
    "SchedulerManager.every": lambda: SchedulerManager.every("leases", 1.0, "x"),
    "SignalBus.publish": lambda: SignalBus.publish("leases", Signal("a.b", source="/x")),
    "SignalBus.subscribe": lambda: SignalBus.subscribe("leases", "a.b", st.current()),
    "CoordinationManager.coordinate": lambda: CoordinationManager.coordinate("leases", "x", 1),
    "ConnectionPool.checkout": lambda: ConnectionPool.checkout("leases"),
    "AgentRegistry.register": lambda: AgentRegistry.register("leases", "x", metadata()),
}


@pytest.mark.parametrize(("asked", "ask"), ASKED.items(), ids=ASKED)
async def test_a_wrong_server_is_refused_in_the_words_of_its_caller(runtime, asked, ask):
    await st.child(Leases).with_(name="leases").start_link()
    await st.child(RateLimiter, {}).with_(name="limits").start_link()

    with pytest.raises(st.BadRequestError) as caught:
        await ask()

    owner = asked.rpartition(" ")[2].partition(".")[0]
    kind = "an" if owner[0] in "AE" else "a"
    assert caught.value.request == asked
    assert f", not {kind} {owner}. Send" in str(caught.value)
    assert caught.value.__context__ is None  # no clean-up has failed on top of it


class Till(st.GenServer):
    """Asks another server, which is of another kind, from a handler."""

    @st.call
    async def total(self, other: str) -> int:
        return await Till.total(other, other)


async def test_a_request_made_in_a_handler_is_named_and_not_the_handler(runtime):
    await st.child(Leases).with_(name="leases").start_link()
    till = await Till.start_link()

    with pytest.raises(st.ServerExitError, match=r"cannot take Till\.total"):
        await Till.total(till, "leases")


async def test_a_keyword_that_a_request_does_not_take_is_answered_with_the_near_one(runtime):
    await st.child(CoordinationManager).with_(name="router").start_link()

    with pytest.raises(st.BadRequestError, match="'timeout', did you mean 'wait'"):
        await CoordinationManager.coordinate("router", "x", 1, timeout=1.0)  # type: ignore[call-arg]
    with pytest.raises(st.BadRequestError, match="'expire', did you mean 'expires'"):
        await CoordinationManager.coordinate("router", "x", 1, expire=1.0)  # type: ignore[call-arg]
