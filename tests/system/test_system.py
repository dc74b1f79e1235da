"""The whole system: it starts as declared, every process of it may be killed, and it works again."""

from __future__ import annotations

import asyncio
import itertools
import re
from pathlib import Path
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    Acknowledged,
    AgentRegistry,
    Barriers,
    BreakerConfig,
    Budget,
    BulkheadConfig,
    Bulkheads,
    Cache,
    CircuitBreakers,
    CommandRule,
    ConfigServer,
    ConfigurationInvalidError,
    Consensus,
    CoordinationManager,
    DeadLettered,
    DeadLetterQueue,
    DependencyCycleError,
    Elections,
    ExactArguments,
    FeatureFlags,
    Flag,
    HealthMonitor,
    LanePolicy,
    Leases,
    Metric,
    Metrics,
    MissingDependencyError,
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
    SystemCommandManager,
    TaskPoolConfig,
    TaskPoolManager,
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
    pools={"reports": TaskPoolConfig(max_concurrency=2)},
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
BRANCHES = [line.path for line in SYSTEM.tree.lines() if line.number is None and line.depth]
VICTIMS = [*map(path, NAMES), *BRANCHES]
"""Every process that is declared, but for the top supervisor, above which there is nobody."""


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
    await wait_until(lambda: all(map(st.whereis, VICTIMS)), timeout=60.0)
    while not (await ReadinessBoard.report(path("readiness"))).ready:
        await asyncio.sleep(0.1)


async def exercise(round: str) -> None:
    """Use every service once, with the configuration that was declared."""
    assert (await CircuitBreakers.status(path("breakers"), "bank")).state == "closed"
    assert "mail" in await RetryService.policies(path("retries"))
    assert (await RateLimiter.check(path("limits"), "api", round)).allowed
    assert (await Bulkheads.status(path("bulkheads"), "db")).inside == 0
    await Cache.put(path("cache"), round, 1)
    assert Cache.get(path("cache"), round) == 1
    assert await TaskPoolManager.run(path("task_pools"), "reports", len, round) == len(round)
    token = await ResourceManager.acquire(path("resources"), "gpu")
    await ResourceManager.release(path("resources"), token)
    assert FeatureFlags.enabled("new_path")
    await SignalBus.subscribe(path("signals"), f"{round}.*")
    await SignalBus.publish(path("signals"), Signal(type=f"{round}.done", source="/test"))
    received = await st.receive(SignalReceived, timeout=5.0)
    assert received.signal.type == f"{round}.done"
    await Barriers.arrive(path("barriers"), round, 1)
    ballot = await Consensus.propose(path("consensus"), round, [st.current()])
    await Consensus.vote(path("consensus"), ballot, True)
    assert (await Consensus.result(path("consensus"), ballot)).choice is True
    task = await st.TaskSupervisor.async_(path("tasks"), answer, round)
    assert await task == round
    lease = await Leases.acquire(path("leases"), round, ttl=5.0)
    assert await Leases.release(path("leases"), lease)
    assert (await Elections.stand(path("elections"), round)).leader == st.current()
    await Elections.resign(path("elections"), round)
    assert ConfigServer.current(SystemSettings).value.coordination.buffer == 100
    assert (await Metrics.snapshot(path("metrics"))) is not None
    await SchedulerManager.after(path("scheduler"), 1.0, f"{round} fired")
    assert await st.receive(str, timeout=5.0) == f"{round} fired"
    await exercise_agents(round)


async def answer(value: str) -> str:
    return value


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
    allowed = (await SystemCommandManager.stats(path("commands"))).allowed
    assert allowed == ("df", "free", "iostat", "ps", "uptime", "vmstat")
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


@pytest.mark.suptree_loop("real")
async def test_a_declared_command_runs_in_the_system(runtime):
    rule = CommandRule(arguments=ExactArguments(("hello",)))
    system = System(
        load_configuration(SystemSettings, environ={}),
        declared=Declarations(commands={"echo": rule}),
    )
    await runtime.start(system)

    result = await SystemCommandManager.execute(system.path_of("commands"), "echo", ["hello"])

    assert result.stdout == b"hello\n"


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

    assert len(branches) == 7
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
    assert (await ResourceManager.stats(path("resources"))).budgets["memory"].limit == 4
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


def pids() -> dict[str, st.Pid[Any] | None]:
    return {one: st.whereis(one) for one in VICTIMS}


@pytest.mark.parametrize("victim", VICTIMS)
async def test_each_process_may_be_killed_and_every_service_works_again(runtime, victim):
    await started(runtime)
    before = pids()

    st.exit(before[victim], st.KILL)
    await wait_down(before[victim])
    await settled()

    after = pids()
    assert {one for one in VICTIMS if after[one] != before[one]} == restarted_with(victim)
    await exercise("after")


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(VICTIMS, 2)))
async def test_each_pair_may_be_killed_at_once_and_every_service_works_again(runtime, one, other):
    await started(runtime)
    before = pids()

    for victim in (one, other):
        st.exit(before[victim], st.KILL)
    for victim in (one, other):
        await wait_down(before[victim])
    await settled()

    after = pids()
    changed = {one for one in VICTIMS if after[one] != before[one]}
    assert changed == restarted_with(one) | restarted_with(other)
    await exercise("after")


def restarted_with(victim: str) -> set[str]:
    """Who starts again with *victim*, by the strategies of the branches that are declared."""
    lines = list(SYSTEM.tree.lines())
    strategy = {line.path: line.what.partition(",")[0] for line in lines if line.number is None}
    above = victim.rpartition(".")[0]
    order = [line.path for line in lines]
    siblings = [one for one in order if one.rpartition(".")[0] == above]
    later = siblings[siblings.index(victim) :]
    roots = {"one_for_one": [victim], "one_for_all": siblings}.get(strategy[above], later)
    return {one for one in VICTIMS for root in roots if f"{one}.".startswith(f"{root}.")}


def below(runtime: st.Runtime) -> list[tuple[str, st.Pid[Any]]]:
    """Every process under the top supervisor, those that services start for themselves included.

    A name without the number of its start, as the processes of commands have.
    """
    (application,) = [node for node in runtime.tree() if node.label == "application system"]
    left, found = [*application.children[0].children], []
    while left:
        node = left.pop(0)
        name = re.sub(r"\.\d+$", "", str(node.name or node.label))  # some are numbered anew
        found.append((name, node.pid))
        left += node.children
    return found


async def test_whatever_process_is_killed_that_runs_under_the_system_all_of_it_works_again(runtime):
    system = await started(runtime)

    async def grow() -> None:
        """An agent that is monitored, and a task that runs."""
        pid = await system.start_agent(st.child(Worker))
        await MonitorSupervisor.start_monitoring(path("monitors"), pid)
        await st.TaskSupervisor.start_child(path("tasks"), asyncio.sleep, 10_000.0)

    await grow()
    unnamed = {"Worker", "AgentMonitor", "sleep"}
    named = {name for name, _ in below(runtime)} - unnamed
    killed: list[str] = []
    while left := [(name, pid) for name, pid in below(runtime) if name not in killed]:
        name, pid = left[0]
        st.exit(pid, st.KILL)
        await wait_down(pid)
        await wait_until(lambda: named <= {one for one, _ in below(runtime)}, timeout=60.0)
        await settled()
        await exercise(f"r{len(killed)}")
        await grow()
        killed.append(name)

    assert set(VICTIMS) < set(killed)
    others = {"Worker", "AgentMonitor", "Partition", path("monitors") + ".roster"}
    assert others <= set(killed)


async def test_dead_letters_outlive_the_scheduler_and_the_router(runtime):
    await started(runtime)
    DeadLetterQueue.add(path("dead_letters"), "nobody", "a letter", "test", 1, 1)

    for victim in ("scheduler", "coordination"):
        killed = st.whereis(path(victim))
        st.exit(killed, st.KILL)
        await wait_down(killed)
        await settled()

    (letter,) = await DeadLetterQueue.letters(path("dead_letters"))
    assert letter.message == "a letter"


class Gated(st.GenServer):
    """A service whose `init` takes as long as a gate is closed."""

    def __init__(self, gate: asyncio.Event) -> None:
        self.gate = gate

    async def init(self) -> None:
        await self.gate.wait()


async def test_a_service_that_is_still_in_its_init_is_not_ready(runtime):
    gate = asyncio.Event()
    gate.set()
    declared = Declarations(services=[Branch("shop", Service("gated", st.child(Gated, gate)))])
    system = System(load_configuration(SystemSettings, environ={}), declared=declared)
    await runtime.start(system)
    await ReadinessBoard.wait_ready(path("readiness"), "gated")
    gate.clear()

    killed = st.whereis(system.path_of("gated"))
    st.exit(killed, st.KILL)
    await wait_until(lambda: st.whereis(system.path_of("gated")) not in (None, killed))
    await asyncio.sleep(5.0)
    report = await ReadinessBoard.report(path("readiness"))
    gate.set()
    await ReadinessBoard.wait_ready(path("readiness"), "gated", timeout=5.0)

    assert not report.ready
    assert [one.name for one in report.services if not one.ready] == ["gated"]


@pytest.mark.parametrize(
    ("services", "error", "words"),
    [
        (
            [
                Service("a", st.child(Worker), needs=["b"]),
                Service("b", st.child(Worker), needs=["c"]),
                Service("c", st.child(Worker), needs=["a"]),
            ],
            DependencyCycleError,
            "a -> b -> c -> a",
        ),
        (
            [Service("a", st.child(Worker), needs=["coordinaton"])],
            MissingDependencyError,
            "did you mean 'coordination'",
        ),
        ([Branch("b", Service("a", st.child(Worker), needs=["b"]))], DependencyCycleError, "b"),
        ([Service("flags", st.child(Worker))], st.SpecError, "'flags' stands at system"),
    ],
)
def test_services_that_do_not_fit_are_refused_before_anything_starts(services, error, words):
    with pytest.raises(error, match=words):
        System(
            load_configuration(SystemSettings, environ={}),
            declared=Declarations(services=services),
        )


def test_the_tree_that_the_documentation_draws_is_the_one_that_is_declared():
    page = Path(__file__).parents[2] / "docs" / "explanation" / "architecture.md"
    drawn = page.read_text().partition("```\n system\n")[2].partition("```")[0]
    words = re.findall(r"[a-z_]+", drawn)

    lines = [line for line in SYSTEM.tree.lines() if line.depth]
    names = {line.path.rpartition(".")[2] for line in lines}
    strategies = [line.what.partition(",")[0] for line in lines if line.number is None]

    assert list(dict.fromkeys(word for word in words if word in NAMES)) == NAMES
    assert names <= set(words)
    assert [word for word in words if word.startswith(("one_for", "rest_for"))] == strategies
