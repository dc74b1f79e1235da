"""A service that is given what is none of its kind says so when it is started, in words."""

from __future__ import annotations

from typing import Any

import pytest

import suptree as st
from suptree.services import (
    AgentRegistry,
    Bulkheads,
    CircuitBreakers,
    Elections,
    FeatureFlags,
    HealthMonitor,
    Leases,
    Metrics,
    RateLimiter,
    ResourceManager,
    RetryService,
    SchedulerManager,
    SignalBus,
    StateOwner,
    TaskPoolManager,
)

WRONG: list[tuple[type[Any], str, Any, str]] = [
    *(
        (service, "store", 5, "store must be a Store, with async load, put, delete; got 5")
        for service in (
            Bulkheads,
            CircuitBreakers,
            Elections,
            Leases,
            RateLimiter,
            RetryService,
            SchedulerManager,
            SignalBus,
            TaskPoolManager,
        )
    ),
    (Bulkheads, "bulkheads", 5, "a mapping of names to a BulkheadConfig each; got 5"),
    (CircuitBreakers, "breakers", [1], "a mapping of names to a BreakerConfig each"),
    (RateLimiter, "limiters", "per_user", "a mapping of names to a Limit each"),
    (RetryService, "policies", 5, "a mapping of names to a RetryPolicy each"),
    (RetryService, "budget", 5, "budget must be a RetryBudget; got 5"),
    (ResourceManager, "limits", 5, "a mapping of names to a ResourceLimit each"),
    (ResourceManager, "budgets", 5, "a mapping of names to a Budget each"),
    (TaskPoolManager, "pools", ["a"], "a mapping of names to a TaskPoolConfig each"),
    (AgentRegistry, "schema", 5, "None or an AgentSchema; got 5"),
    (AgentRegistry, "keeper", [], "a text that is not empty; got []"),
    (HealthMonitor, "checks", 5, "a list of HealthChecks; got 5"),
    (Metrics, "metrics", ["a"], "a list of Metrics; got ['a']"),
    (SchedulerManager, "jobs", 5, "a list of Jobs; got 5"),
    (SignalBus, "middleware", 5, "a list of Middlewares; got 5"),
    (SignalBus, "subscriptions", "all", "a list of Subscriptions; got 'all'"),
    (StateOwner, "table", [], "a text that is not empty; got []"),
]


@pytest.mark.parametrize(
    ("service", "field", "value", "says"),
    WRONG,
    ids=[f"{one[0].__name__}-{one[1]}" for one in WRONG],
)
async def test_what_is_none_of_its_kind_is_refused_by_name(runtime, service, field, value, says):
    with pytest.raises(st.StartError) as caught:
        await st.child(service, **{field: value}).start_link()

    assert f"{service.__name__}: {field} must be " in str(caught.value)
    assert says in str(caught.value)


async def test_flags_refuse_what_is_no_store(runtime):
    with pytest.raises(st.StartError, match="FeatureFlags: store must be a Store"):
        await st.child(FeatureFlags, [], store=5).start_link()
