"""Processes of another runtime cannot be watched: every service says so, and goes on as it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    AgentRegistry,
    Barriers,
    Consensus,
    CoordinationManager,
    Elections,
    HealthCheck,
    HealthMonitor,
    Leases,
    Metrics,
    ReadinessBoard,
    ResourceManager,
    SchedulerManager,
    SignalBus,
)
from suptree.system import Declarations, System
from tests.services.agent_registry.agents import metadata

Ask = Callable[[Callable[[str], str], Any], Awaitable[Any]]


async def fine() -> bool:
    return True


ASKS: dict[str, Ask] = {
    "agent_registry": lambda at, pid: AgentRegistry.register(
        at("agent_registry"), "x", metadata(), pid=pid
    ),
    "acquire": lambda at, pid: ResourceManager.acquire(at("resources"), "upload", owner=pid),
    "resources": lambda at, pid: ResourceManager.subscribe(at("resources"), pid),
    "readiness": lambda at, pid: ReadinessBoard.ready(at("readiness"), "coordination", pid=pid),
    "scheduler": lambda at, pid: SchedulerManager.every(at("scheduler"), 1.0, "x", to=pid),
    "signals": lambda at, pid: SignalBus.subscribe(at("signals"), "a.b", pid),
    "agent": lambda at, pid: HealthMonitor.register_agent(at("health"), "x", pid),
    "check": lambda at, pid: HealthMonitor.register_check(
        at("health"), HealthCheck("x", fine), owner=pid
    ),
    "leases": lambda at, pid: Leases.acquire(at("leases"), "x", holder=pid),
    "elections": lambda at, pid: Elections.stand(at("elections"), "x", candidate=pid),
    "barriers": lambda at, pid: Barriers.arrive(at("barriers"), "x", 2, party=pid),
    "consensus": lambda at, pid: Consensus.propose(at("consensus"), "x", [pid]),
    "coordination": lambda at, pid: CoordinationManager.coordinate(at("coordination"), pid, "x"),
    "context": lambda at, pid: CoordinationManager.open_context(at("coordination"), "x", [pid]),
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
async def test_a_process_of_another_runtime_is_refused_and_every_service_goes_on(ask):
    async with st.Runtime(name="other"):
        stranger = await Metrics.start_link()
        async with st.Runtime(name="main") as runtime:
            system = System(declared=Declarations(resources={"upload": 1}))
            await runtime.start(system)
            before = {name: runtime.whereis(name) for name in runtime.registered()}

            with pytest.raises(st.SuptreeError, match=r"runtime") as refusal:
                await ask(system.path_of, stranger)

            assert not isinstance(refusal.value, st.ServerExitError)
            assert {name: runtime.whereis(name) for name in runtime.registered()} == before
