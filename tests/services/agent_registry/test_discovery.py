"""Discovery: the contract of each question that everybody asks."""

from __future__ import annotations

from typing import Any

import pytest

import suptree as st
from suptree.services import AgentDiscovery, AgentRegistry, CriteriaError, Utilization
from tests.services.agent_registry.agents import Agent, metadata

ROWS = [  # id, capability, health, memory available, cpu available, memory usage, cpu usage
    ("a", ["chat", "code"], "healthy", 100, 1.0, 0.9, 0.1),
    ("b", ["chat"], "healthy", 50, 4.0, 0.2, 0.2),
    ("c", "code", "degraded", 400, 2.0, 0.1, 0.0),
    ("d", ["code", "chat", "sing"], "unhealthy", 10, 0.5, 0.5, 0.5),
    ("e", ["code"], "healthy", 200, 0.5, 0.3, None),
    ("f", ["chat"], "healthy", None, None, None, None),
]


@pytest.fixture
async def agents(runtime):
    agents = await AgentRegistry.start_link()
    for id, capability, health, memory, cpu, memory_usage, cpu_usage in ROWS:
        resources = {
            "memory_available": memory,
            "cpu_available": cpu,
            "memory_usage": memory_usage,
            "cpu_usage": cpu_usage,
        }
        await AgentRegistry.register(
            agents, id, metadata(capability, health, resources=resources), pid=await Agent.start()
        )
    return agents


def ids(entries: list[Any]) -> str:
    return "".join(entry.id for entry in entries)


async def test_capable_and_healthy(agents):
    assert ids(AgentDiscovery.find_capable_and_healthy(agents, "chat")) == "abf"
    assert ids(AgentDiscovery.find_capable_and_healthy(agents, "sing")) == ""


async def test_with_resources(agents):
    assert ids(AgentDiscovery.find_with_resources(agents)) == "abef"
    assert ids(AgentDiscovery.find_with_resources(agents, min_memory=100)) == "ae"
    assert ids(AgentDiscovery.find_with_resources(agents, min_memory=50, min_cpu=1)) == "ab"


async def test_capable_with_resources(agents):
    found = AgentDiscovery.find_capable_with_resources(agents, "code", min_memory=50, min_cpu=0.5)
    assert ids(found) == "ae"


async def test_by_several_capabilities(agents):
    assert ids(AgentDiscovery.find_by_capabilities(agents, ["chat", "code"])) == "a"
    assert ids(AgentDiscovery.find_by_capabilities(agents, ["chat", "code"], healthy=False)) == "ad"
    with pytest.raises(CriteriaError, match="must be several"):
        AgentDiscovery.find_by_capabilities(agents, "chat")


async def test_by_resource_range_includes_both_ends(agents):
    assert ids(AgentDiscovery.find_by_resource_range(agents, "memory_available", 50, 200)) == "abe"
    assert ids(AgentDiscovery.find_by_resource_range(agents, "memory_usage", 0.15, 0.25)) == "b"
    assert ids(AgentDiscovery.find_by_resource_range(agents, "cpu_usage", 0, 0.1)) == "ac"


async def test_the_least_loaded_come_first_and_those_that_say_nothing_last(agents):
    assert ids(AgentDiscovery.find_least_loaded(agents, "chat")) == "baf"
    assert ids(AgentDiscovery.find_least_loaded(agents, "chat", 1)) == "b"
    assert ids(AgentDiscovery.find_least_loaded(agents, "code")) == "ea"
    with pytest.raises(CriteriaError, match="at least 1"):
        AgentDiscovery.find_least_loaded(agents, "chat", 0)


async def test_counts_and_summaries(agents):
    assert AgentDiscovery.count_by_capability(agents) == {"chat": 4, "code": 4, "sing": 1}
    assert AgentDiscovery.health_summary(agents) == {"healthy": 4, "degraded": 1, "unhealthy": 1}
    used = AgentDiscovery.utilization_summary(agents)
    assert used["memory_usage"].agents == 5
    assert used["memory_usage"].mean == pytest.approx(0.4)
    assert (used["memory_usage"].least, used["memory_usage"].most) == (0.1, 0.9)
    assert used["cpu_usage"] == Utilization(4, 0.2, 0.0, 0.5)


async def test_an_empty_registry_answers_with_nothing(runtime):
    agents = await AgentRegistry.start_link()

    assert AgentDiscovery.find_capable_and_healthy(agents, "chat") == []
    assert AgentDiscovery.find_least_loaded(agents, "chat") == []
    assert AgentDiscovery.count_by_capability(agents) == {}
    assert AgentDiscovery.health_summary(agents) == {}
    assert AgentDiscovery.utilization_summary(agents)["cpu_usage"] == Utilization(0, 0.0, 0.0, 0.0)
    assert st.is_alive(agents)
