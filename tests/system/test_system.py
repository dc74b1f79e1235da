"""The whole system: it starts as declared, every process of it may be killed, and it works again."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    Acknowledged,
    AgentRegistry,
    BreakerConfig,
    Budget,
    BulkheadConfig,
    Bulkheads,
    CircuitBreakers,
    ConfigServer,
    ConfigurationInvalidError,
    CoordinationManager,
    DeadLettered,
    DeadLetterQueue,
    Elections,
    FeatureFlags,
    Flag,
    HealthMonitor,
    LanePolicy,
    Leases,
    Metric,
    Metrics,
    MonitorSupervisor,
    RateLimiter,
    ReadinessBoard,
    ResourceLimit,
    ResourceManager,
    RetryPolicy,
    RetryService,
    SchedulerManager,
    Signal,
    SignalBus,
    SignalReceived,
    Subscription,
    TokenBucket,
    load_configuration,
    platform_metrics,
    where,
)
from suptree.system import Branch, Declarations, Service, System, SystemSettings
from suptree.testing import wait_down, wait_until

pytestmark = pytest.mark.suptree_loop("virtual")  # restarts, retries and waits move time

DECLARED = Declarations(
    breakers={"bank": BreakerConfig()},
    retries={"mail": RetryPolicy.fixed(delay=0.1)},
    limits={"api": TokenBucket(rate=10.0, burst=10)},
    bulkheads={"db": BulkheadConfig(limit=2)},
    resources={"gpu": 4},
    flags=(Flag("new_path", default=True),),
)


class Worker(st.GenServer):
    """An agent."""

    def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
        return f"did {request}"


class Frail(st.GenServer):
    """An agent that dies of every message."""

    def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
        raise ValueError(request)


def path(name: str) -> str:
    return SYSTEM.path_of(name)


SYSTEM = System(load_configuration(SystemSettings, environ={}), declared=DECLARED)
NAMES = SYSTEM.tree.start_order()


async def started(runtime: st.Runtime, **options: Any) -> System:
    configuration = load_configuration(
        SystemSettings,
        environ={},
        overrides={"supervision.max_restarts": 100},
    )
    system = System(configuration, declared=DECLARED, **options)
    await runtime.start(system)
    await ReadinessBoard.wait_ready(path("readiness"), "agents", timeout=60.0)
    return system


async def settled() -> None:
    """Until everything is up again: announced by the last of all to start."""
    await wait_until(lambda: all(st.whereis(path(name)) for name in NAMES), timeout=60.0)
    while not (await ReadinessBoard.report(path("readiness"))).ready:
        await asyncio.sleep(0.1)


async def exercise(round: str) -> None:
    """Use every service once, with the configuration that was declared."""
    assert (await CircuitBreakers.status(path("breakers"), "bank")).state == "closed"
    assert "mail" in await RetryService.policies(path("retries"))
    assert (await RateLimiter.check(path("limits"), "api", round)).allowed
    assert (await Bulkheads.status(path("bulkheads"), "db")).inside == 0
    token = await ResourceManager.acquire(path("resources"), "gpu")
    await ResourceManager.release(path("resources"), token)
    assert FeatureFlags.enabled("new_path")
    await SignalBus.subscribe(path("signals"), f"{round}.*")
    await SignalBus.publish(path("signals"), Signal(type=f"{round}.done", source="/test"))
    received = await st.receive(SignalReceived, timeout=5.0)
    assert received.signal.type == f"{round}.done"
    lease = await Leases.acquire(path("leases"), round, ttl=5.0)
    assert await Leases.release(path("leases"), lease)
    assert (await Elections.stand(path("elections"), round)).leader == st.current()
    await Elections.resign(path("elections"), round)
    assert ConfigServer.current(SystemSettings).value.coordination.buffer == 100
    assert (await Metrics.snapshot(path("metrics"))) is not None
    await SchedulerManager.after(path("scheduler"), 1.0, f"{round} fired")
    assert await st.receive(str, timeout=5.0) == f"{round} fired"
    await exercise_agents(round)


async def exercise_agents(round: str) -> None:
    pid = await st.DynamicSupervisor.start_child(path("agents"), st.child(Worker))
    await AgentRegistry.register(
        path("agent_registry"),
        round,
        {"capability": [round], "health_status": "healthy", "node": "n", "resources": {}},
        pid=pid,
    )
    found = AgentRegistry.query(path("agent_registry"), where("capability") == round)
    assert [one.pid for one in found] == [pid]
    outcome = await CoordinationManager.coordinate(path("coordination"), pid, round)
    assert isinstance(outcome, Acknowledged)
    await MonitorSupervisor.start_monitoring(path("monitors"), pid)
    health = await MonitorSupervisor.force_health_check(path("monitors"), pid)
    assert health.health == "healthy"
    assert await DeadLetterQueue.letters(path("dead_letters")) is not None
    assert await HealthMonitor.verdict(path("health")) is not None
    await st.DynamicSupervisor.terminate_child(path("agents"), pid)


# -- as declared ----------------------------------------------------------------------------------


async def test_the_system_starts_in_the_order_of_its_plan_and_every_service_works(runtime):
    system = await started(runtime)

    pids = [st.whereis(system.path_of(name)) for name in system.tree.start_order()]

    assert None not in pids
    await exercise("first")


async def test_state_comes_first_and_agents_after_all_that_they_need():
    order = SYSTEM.tree.start_order()

    assert order[0] == "state"
    assert order.index("agents") > max(
        order.index(name) for name in ("coordination", "agent_registry", "signals")
    )
    assert order.index("dead_letters") < order.index("coordination")


async def test_nothing_is_left_when_the_system_stops(runtime):
    await started(runtime)

    await st.applications().stop("system")

    assert [name for name in NAMES if st.whereis(path(name))] == []


async def test_an_agent_has_a_supervisor(runtime):
    system = await started(runtime)

    pid = await system.start_agent(st.child(Worker))
    st.exit(pid, st.KILL)
    await wait_down(pid)

    infos = await st.DynamicSupervisor.which_children(path("agents"))
    assert len(infos) == 1


async def test_poison_that_kills_one_agent_leaves_the_others_alone(runtime):
    class Frail(Worker):
        def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
            raise RuntimeError("poison")

    system = await started(runtime)
    others = [await system.start_agent(st.child(Worker)) for _ in range(3)]
    await system.start_agent(st.child(Frail).with_(name="frail"))

    for n in range(5):
        await CoordinationManager.coordinate(path("coordination"), "frail", n, wait=60.0)

    assert all(st.is_alive(one) for one in others)
    assert st.whereis("frail") is not None


async def test_a_service_of_the_users_own_stands_in_the_same_tree(runtime):
    own = Branch("shop", Service("till", st.child(Worker), needs=["coordination"]))
    system = System(
        load_configuration(SystemSettings, environ={}), declared=Declarations(services=(own,))
    )
    await runtime.start(system)

    outcome = await CoordinationManager.coordinate(
        system.path_of("coordination"), system.path_of("till"), "a sale"
    )

    assert system.path_of("till") == "system.shop.till"
    assert isinstance(outcome, Acknowledged)


class Once(System):
    """A system that ends when its work is done."""

    auto_shutdown = "any_significant"


async def test_a_system_ends_when_its_significant_service_does(runtime):
    spec = st.child(Worker).with_(restart="transient", significant=True)
    system = Once(SYSTEM.configuration, declared=Declarations(services=[Service("job", spec)]))
    st.monitor(await runtime.start(system, "temporary"))

    await st.GenServer.stop(system.path_of("job"))

    assert (await st.receive(st.Down)).reason is st.SHUTDOWN


def test_every_branch_keeps_to_the_intensity_of_the_settings():
    configuration = load_configuration(
        SystemSettings,
        environ={},
        overrides={"supervision.max_restarts": 17, "supervision.max_seconds": 2.5},
    )

    branches = [line for line in System(configuration).tree.lines() if line.number is None]

    assert len(branches) == 6
    assert all("17 restarts in 2.5 s" in line.what for line in branches)


async def test_metrics_signals_budgets_and_lanes_are_as_declared_after_each_restart(runtime):
    declared = Declarations(
        resources={"agent": ResourceLimit(10, costs={"memory": 2})},
        budgets={"memory": Budget(4)},
        metrics=(Metric.counter("shop.lamp.sold"),),
        subscriptions=(Subscription("shop.*", "till", "sales"),),
        lanes={"frail": LanePolicy(retry=RetryPolicy.fixed(delay=0.1, max_attempts=1))},
    )
    system = System(load_configuration(SystemSettings, environ={}), declared=declared)
    await runtime.start(system)
    for name in ("metrics", "resources", "signals"):
        killed = st.whereis(path(name))
        assert killed is not None
        st.exit(killed, st.KILL)
        await wait_down(killed)
    await settled()

    kept = (await Metrics.snapshot(path("metrics"))).metrics
    assert kept == (*platform_metrics(), Metric.counter("shop.lamp.sold"))
    assert (await ResourceManager.usage(path("resources"))).budgets["memory"].limit == 4
    assert [one.id for one in await SignalBus.subscriptions(path("signals"))] == ["sales"]
    await system.start_agent(st.child(Frail).with_(name="frail"))
    outcome = await CoordinationManager.coordinate(path("coordination"), "frail", "an order")
    assert isinstance(outcome, DeadLettered)
    assert outcome.attempts == 1


class OwnSettings(SystemSettings, frozen=True):
    """Those of the system, and one more."""

    shop: str = "corner"


def test_settings_of_ones_own_stand_beside_those_of_the_system():
    own = load_configuration(OwnSettings, overrides={"shop": "market", "agents.max_children": 7})

    system = System(own)

    assert system.configuration.value.agents.max_children == 7
    assert own.value.shop == "market"


@pytest.mark.parametrize("wrong", [SystemSettings(), {"agents": 1}])
def test_a_configuration_is_what_load_configuration_gives(wrong):
    with pytest.raises(TypeError, match=r"load_configuration\(SystemSettings"):
        System(wrong)


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("SUPTREE_COORDINATION__BUFFER", "7")

    assert System().configuration.value.coordination.buffer == 7


def test_a_wrong_setting_in_the_environment_is_refused_before_anything_starts(monkeypatch):
    monkeypatch.setenv("SUPTREE_COORDINATION__BUFER", "7")

    with pytest.raises(ConfigurationInvalidError, match="did you mean"):
        System()


# -- killed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("victim", NAMES)
async def test_each_process_may_be_killed_and_every_service_works_again(runtime, victim):
    await started(runtime)
    before = {name: st.whereis(path(name)) for name in NAMES}

    st.exit(before[victim], st.KILL)
    await wait_down(before[victim])
    await settled()

    after = {name: st.whereis(path(name)) for name in NAMES}
    assert {name for name in NAMES if after[name] != before[name]} == restarted_with(victim)
    await exercise("after")


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(NAMES, 2)))
async def test_each_pair_may_be_killed_at_once_and_every_service_works_again(runtime, one, other):
    await started(runtime)
    before = {name: st.whereis(path(name)) for name in NAMES}

    for victim in (one, other):
        st.exit(before[victim], st.KILL)
    for victim in (one, other):
        await wait_down(before[victim])
    await settled()

    after = {name: st.whereis(path(name)) for name in NAMES}
    changed = {name for name in NAMES if after[name] != before[name]}
    assert changed == restarted_with(one) | restarted_with(other)
    await exercise("after")


def restarted_with(victim: str) -> set[str]:
    """Who starts again with *victim*, by the strategies of the branches that are declared."""
    lines = list(SYSTEM.tree.lines())
    strategy = {line.path: line.what.partition(",")[0] for line in lines if line.number is None}
    above = path(victim).rpartition(".")[0]
    if strategy[above] == "one_for_one":
        return {victim}
    later = NAMES[NAMES.index(victim) :]
    return {name for name in later if path(name).startswith(above + ".")}
