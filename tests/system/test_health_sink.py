"""RegistrySink: what the monitors find of an agent stands in the registry, and is written on change only."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import AgentRegistry, Health, MonitorSupervisor, where
from suptree.system.health_sink import RegistrySink
from tests.services.agent_registry.agents import Agent, metadata

pytestmark = pytest.mark.suptree_loop("virtual")


async def watched(runtime: st.Runtime, check: Any) -> tuple[st.Pid[Agent], list[str]]:
    """An agent of two names in a registry, looked at each second; and what is written of it."""
    await st.Supervisor.start_link(
        [
            st.child(AgentRegistry).with_(name="registry"),
            MonitorSupervisor.child(name="monitors", sink=RegistrySink("registry")),
            st.child(Agent).with_(name="agent", restart="temporary"),
        ]
    )
    pid: Any = runtime.whereis("agent")
    for id in ("ann", "bob"):
        await AgentRegistry.register("registry", id, metadata(), pid=pid)
    written: list[str] = []
    runtime.telemetry.attach(
        "written",
        "suptree.agent_registry.agent.updated",
        lambda *heard: written.append(heard[2]["agent_id"]),
    )
    await MonitorSupervisor.start_monitoring(
        "monitors", pid, check, interval=1.0, fall=1, rise=1, jitter=0.0
    )
    return pid, written


def health_of(id: str) -> object:
    return AgentRegistry.lookup("registry", id).metadata["health_status"]


async def test_health_is_written_to_every_agent_of_the_process_on_change_only(runtime):
    answers = iter([Health.HEALTHY] * 5 + [Health.DEGRADED] * 5 + [Health.HEALTHY] * 20)
    _, written = await watched(runtime, lambda _: next(answers))

    await asyncio.sleep(7.5)
    assert (health_of("ann"), health_of("bob")) == ("degraded", "degraded")
    await asyncio.sleep(10.0)

    assert (health_of("ann"), health_of("bob")) == ("healthy", "healthy")
    assert written == ["ann", "bob"] * 3


async def test_the_dead_are_in_no_registry_and_their_death_is_no_failed_write(runtime):
    pid, _ = await watched(runtime, lambda _: Health.HEALTHY)
    await asyncio.sleep(1.5)
    st.exit(pid, st.KILL)
    await asyncio.sleep(5.0)

    assert AgentRegistry.query("registry", where("node") == "n1") == []
    assert MonitorSupervisor.monitor_count("monitors") == 0


async def test_a_process_that_is_no_agent_is_none_of_its_business(runtime):
    _, written = await watched(runtime, lambda _: Health.HEALTHY)
    await asyncio.sleep(1.5)
    written.clear()
    await MonitorSupervisor.start_monitoring("monitors", runtime.spawn(st.receive))
    await asyncio.sleep(1.5)

    assert written == []
    assert MonitorSupervisor.stats("monitors").write_failures == 0
