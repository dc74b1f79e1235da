"""`System`: everything that an agent system stands on, as one application.

The tree is declared here, once: production, tests, documentation and `suptree tree --plan`
use this declaration.  At the top it is rest_for_one, with what owns state first; the
services fail independently of one another; of the managers each may rely on those before
it; agents come last, since they need all of it.

>>> import asyncio, suptree as st
>>> from suptree.services import CoordinationManager, ReadinessBoard
>>> from suptree.system import System
>>> async def main():
...     async with st.Runtime() as rt:
...         system = System()
...         await rt.start(system)
...         await ReadinessBoard.wait_ready(system.path_of("readiness"), "coordination")
...         return await CoordinationManager.stats(system.path_of("coordination"))
>>> asyncio.run(main()).accepted
0
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from suptree.core import Pid
from suptree.otp import Application, ChildSpec, DynamicSupervisor, TaskSupervisor, child
from suptree.services import (
    AgentKeeper,
    AgentRegistry,
    AgentSchema,
    Barriers,
    BreakerConfig,
    Budget,
    BulkheadConfig,
    Bulkheads,
    CircuitBreakers,
    ConfigServer,
    Configuration,
    Consensus,
    CoordinationManager,
    DeadLetterQueue,
    Elections,
    FeatureFlags,
    Flag,
    HealthCheck,
    HealthMonitor,
    Job,
    LanePolicy,
    Leases,
    Limit,
    MemoryStore,
    Metric,
    Metrics,
    Migration,
    MonitorSupervisor,
    RateLimiter,
    ReadinessBoard,
    Receiver,
    ResourceLimit,
    ResourceManager,
    RetryPolicy,
    RetryService,
    SchedulerManager,
    SignalBus,
    StateOwner,
    Subscription,
    Watch,
    load_configuration,
    platform_metrics,
)
from suptree.system.announcer import Announcer
from suptree.system.health_sink import RegistrySink
from suptree.system.settings import SystemSettings
from suptree.system.tree import Branch, Service, Tree

__all__ = ["Declarations", "System"]

ROOT: Final = "system"

S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declarations:
    """What a user wants of the services from the start; it is there again after each restart.

    Attributes:
        breakers: Circuit breakers by name.
        retries: Retry policies by name.
        limits: Rate limits by name.
        bulkheads: Bulkheads by name.
        resources: Limits of resources by type.
        budgets: What those types draw from, by name.
        metrics: What is kept beside `platform_metrics()`.
        subscriptions: Who gets which signals, by name.
        lanes: How the messages to single receivers are treated.
        flags: Feature flags.
        migrations: Staged migrations over them.
        jobs: Scheduled jobs.
        checks: Health checks of the system.
        watch: Processes that are to be monitored.
        agents: What the metadata of agents must have.
        services: Services and branches of the user's own, beside those that are here.
    """

    breakers: Mapping[str, BreakerConfig] = field(default_factory=dict[str, BreakerConfig])
    retries: Mapping[str, RetryPolicy] = field(default_factory=dict[str, RetryPolicy])
    limits: Mapping[str, Limit] = field(default_factory=dict[str, Limit])
    bulkheads: Mapping[str, BulkheadConfig] = field(default_factory=dict[str, BulkheadConfig])
    resources: Mapping[str, ResourceLimit | int] = field(
        default_factory=dict[str, "ResourceLimit | int"]
    )
    budgets: Mapping[str, Budget] = field(default_factory=dict[str, Budget])
    metrics: Collection[Metric] = ()
    subscriptions: Collection[Subscription] = ()
    lanes: Mapping[Receiver, LanePolicy] = field(default_factory=dict[Receiver, LanePolicy])
    flags: Collection[Flag] = ()
    migrations: Collection[Migration] = ()
    jobs: Collection[Job] = ()
    checks: Collection[HealthCheck] = ()
    watch: Collection[Watch] = ()
    agents: AgentSchema | None = None
    services: Collection[Service | Branch] = ()


class System(Application):
    """The whole system.

    Args:
        configuration: Its settings; default: the defaults, and the environment.
        declared: What is wanted of the services from the start.

    Raises:
        SpecError, DependencyError: The user's own services do not fit into the tree.
        TypeError: *configuration* is no `Configuration` of `SystemSettings`, or of a class below it.
        ConfigurationInvalidError: The environment sets something wrong.

    Attributes:
        tree: Its declaration.
        configuration: Its settings.
    """

    name = ROOT
    strategy = "rest_for_one"

    def __init__(
        self,
        configuration: Configuration[SystemSettings] | None = None,
        *,
        declared: Declarations | None = None,
    ) -> None:
        if configuration is None:
            configuration = load_configuration(SystemSettings)
        _check_settings(configuration)
        self.configuration = configuration
        settings = configuration.value
        self.max_restarts = settings.supervision.max_restarts
        self.max_seconds = settings.supervision.max_seconds
        self.tree = declare(configuration, declared or Declarations())

    def children(self) -> list[ChildSpec[Any]]:
        """The branches of the tree, in start order."""
        return self.tree.children()

    def path_of(self, service: str) -> str:
        """The registered name of a service: 'coordination' is at 'system.managers.coordination'.

        Raises:
            UnknownServiceError: There is none of that name.
        """
        return self.tree.path_of(service)

    async def start_agent(self, spec: ChildSpec[S]) -> Pid[S]:
        """Start an agent under the supervisor of agents; there is no other way to start one.

        Raises:
            StartError, AlreadyStartedError, MaxChildrenError: It cannot be started.
        """
        return await DynamicSupervisor.start_child(self.path_of("agents"), spec)


def declare(configuration: Configuration[SystemSettings], declared: Declarations) -> Tree:
    """The tree of the whole system."""
    branches = [
        Service("state", child(StateOwner, f"{ROOT}.state")),
        Service("configuration", child(ConfigServer, configuration), needs=["state"]),
        Service("tasks", _tasks(configuration.value), needs=["state"]),
        _services(configuration.value, declared),
        _registry(declared),
        _managers(configuration.value, declared),
        _observation(configuration.value, declared),
        *declared.services,
        Service("agents", _agents(configuration.value), needs=["managers", "registry", "services"]),
    ]
    needs = Tree(_root(configuration.value, branches)).needs()
    board = child(ReadinessBoard, needs, table=f"{ROOT}.state")
    readiness = Branch(
        "availability",
        Service("readiness", board),
        Service(
            "announcer",
            child(Announcer, f"{ROOT}.availability.readiness", _paths(configuration, branches)),
            needs=["readiness"],
        ),
        strategy="rest_for_one",
        needs=["agents"],
    )
    return Tree(_root(configuration.value, [*branches, readiness]))


def _check_settings(configuration: Configuration[SystemSettings]) -> None:
    given: object = configuration
    value: object = configuration.value if isinstance(given, Configuration) else None
    if not isinstance(value, SystemSettings):
        raise TypeError(
            f"System: configuration must be a Configuration of SystemSettings; got {configuration!r}. "
            "Make one with load_configuration(SystemSettings, file=..., overrides=...)."
        )


def _root(settings: SystemSettings, branches: list[Service | Branch]) -> Branch:
    limits = settings.supervision
    return Branch(
        ROOT,
        *branches,
        strategy="rest_for_one",
        max_restarts=limits.max_restarts,
        max_seconds=limits.max_seconds,
    )


def _paths(
    configuration: Configuration[SystemSettings], branches: list[Service | Branch]
) -> dict[str, str]:
    """The registered name of each service."""
    tree = Tree(_root(configuration.value, branches))
    return {name: tree.path_of(name) for name in tree.needs()}


def _store() -> MemoryStore:
    return MemoryStore(f"{ROOT}.state")


def _tasks(settings: SystemSettings) -> ChildSpec[Any]:
    return TaskSupervisor.child(max_children=settings.tasks.max_children)


def _services(settings: SystemSettings, declared: Declarations) -> Branch:
    """What fails independently of one another."""
    store = _store()
    return Branch(
        "services",
        Service("metrics", child(Metrics, (*platform_metrics(), *declared.metrics))),
        Service(
            "resources",
            child(ResourceManager, dict(declared.resources), budgets=dict(declared.budgets)),
        ),
        Service("breakers", child(CircuitBreakers, dict(declared.breakers), store=store)),
        Service("retries", child(RetryService, dict(declared.retries), store=store)),
        Service(
            "limits",
            child(
                RateLimiter,
                dict(declared.limits),
                max_keys=settings.limits.max_keys,
                max_waiting=settings.limits.max_waiting,
                store=store,
            ),
        ),
        Service("bulkheads", child(Bulkheads, dict(declared.bulkheads), store=store)),
        Service(
            "flags",
            child(
                FeatureFlags,
                tuple(declared.flags),
                migrations=tuple(declared.migrations),
                store=store,
            ),
        ),
        Service(
            "signals",
            child(
                SignalBus,
                subscriptions=tuple(declared.subscriptions),
                log_entries=settings.signals.log_entries,
                max_subscriptions=settings.signals.max_subscriptions,
                store=store,
            ),
        ),
        Service("leases", child(Leases, store=store)),
        Service("barriers", child(Barriers)),
        Service("elections", child(Elections, store=store)),
        Service("consensus", child(Consensus)),
        max_restarts=settings.supervision.max_restarts,
        max_seconds=settings.supervision.max_seconds,
        needs=["state", "configuration", "tasks"],
    )


def _registry(declared: Declarations) -> Branch:
    """The agents by what they can do; the keeper outlives the registry and keeps its table."""
    keeper = f"{ROOT}.registry.agent_keeper"
    return Branch(
        "registry",
        Service("agent_keeper", child(AgentKeeper)),
        Service(
            "agent_registry",
            child(AgentRegistry, declared.agents, keeper=keeper),
            needs=["agent_keeper"],
        ),
        strategy="rest_for_one",
        needs=["state"],
    )


def _managers(settings: SystemSettings, declared: Declarations) -> Branch:
    """Each may rely on those before it."""
    coordination = settings.coordination
    policy = LanePolicy(
        buffer=coordination.buffer,
        overflow=coordination.overflow,
        ack_timeout=coordination.ack_timeout,
        expires=coordination.expires,
    )
    return Branch(
        "managers",
        Service(
            "scheduler",
            child(
                SchedulerManager,
                jobs=tuple(declared.jobs),
                tasks=f"{ROOT}.tasks",
                store=_store(),
                clock_check=settings.scheduler.clock_check,
                max_jobs=settings.scheduler.max_jobs,
            ),
            needs=["tasks", "state"],
        ),
        Service(
            "dead_letters",
            child(
                DeadLetterQueue,
                limit=settings.dead_letters.limit,
                max_age=settings.dead_letters.max_age,
                store=_store(),
            ),
            needs=["state"],
        ),
        Service(
            "coordination",
            child(
                CoordinationManager,
                policy=policy,
                policies=dict(declared.lanes),
                dead_letters=f"{ROOT}.managers.dead_letters",
                store=_store(),
                lanes=coordination.lanes,
                idle_after=coordination.idle_after,
                history=coordination.history,
            ),
            needs=["scheduler", "dead_letters", "state"],
        ),
        strategy="rest_for_one",
        max_restarts=settings.supervision.max_restarts,
        max_seconds=settings.supervision.max_seconds,
        needs=["services"],
    )


def _observation(settings: SystemSettings, declared: Declarations) -> Branch:
    """Who looks at the others."""
    sink = RegistrySink(f"{ROOT}.registry.agent_registry")
    monitors = MonitorSupervisor.child(
        name=f"{ROOT}.observation.monitors", sink=sink, watch=tuple(declared.watch)
    )
    return Branch(
        "observation",
        Service(
            "health",
            child(
                HealthMonitor,
                tuple(declared.checks),
                table=f"{ROOT}.state",
                max_concurrent=settings.health.max_concurrent,
                history=settings.health.history,
            ),
            needs=["state"],
        ),
        Service("monitors", monitors, needs=["agent_registry"]),
        max_restarts=settings.supervision.max_restarts,
        max_seconds=settings.supervision.max_seconds,
    )


def _agents(settings: SystemSettings) -> ChildSpec[Any]:
    agents = settings.agents
    return DynamicSupervisor.child(
        max_children=agents.max_children,
        max_restarts=agents.max_restarts,
        max_seconds=agents.max_seconds,
    )
