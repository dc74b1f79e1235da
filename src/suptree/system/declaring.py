"""`declare`: the tree of `System`, from settings and from what its user declares.

At the top it is rest_for_one, with what owns state first; the services fail independently of one
another; of the managers each may rely on those before it; agents come after all of them,
and last who looks after the whole: who says that all is up, and who passes changed settings on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from suptree.otp import ChildSpec, DynamicSupervisor, TaskSupervisor, child
from suptree.services import (
    AgentKeeper,
    AgentRegistry,
    Barriers,
    ConfigServer,
    Configuration,
    Consensus,
    Elections,
    Leases,
    MemoryStore,
    MonitorSupervisor,
    Problem,
    ReadinessBoard,
    StateOwner,
    Store,
    flag_problems,
    platform_metrics,
)
from suptree.system.announcer import Announcer
from suptree.system.declarations import Declarations
from suptree.system.health_sink import RegistrySink
from suptree.system.live import LIVE
from suptree.system.reconfigurer import Reconfigurer
from suptree.system.settings import SystemSettings
from suptree.system.tree import AutoShutdown, Branch, Service, Tree

__all__ = ["ROOT", "check_of", "declare"]

ROOT: Final = "system"
STATE: Final = f"{ROOT}.state"


def declare(
    configuration: Configuration[SystemSettings],
    declared: Declarations,
    store: Store | None = None,
    *,
    auto_shutdown: AutoShutdown = "never",
) -> Tree:
    """The tree of the whole system.

    Args:
        configuration: Its settings.
        declared: What is wanted of the services from the start.
        store: Where services keep what must outlive them; None: in memory, at the state owner.
        auto_shutdown: As for `Supervisor`, of the branch at the top.

    Raises:
        SpecError, DependencyError: The user's own services do not fit into it.
    """
    store = MemoryStore(STATE) if store is None else store
    parts = _Parts(configuration.value, declared, store)
    server = child(ConfigServer, configuration, keep=STATE, check=check_of(declared))
    branches = [
        Service("state", child(StateOwner, STATE)),
        Service("configuration", server, needs=["state"]),
        Service("tasks", parts.tasks(), needs=["state"]),
        parts.services(),
        parts.registry(),
        parts.managers(),
        parts.observation(),
        *declared.services,
        Service("agents", parts.agents(), needs=["managers", "registry", "services"]),
    ]
    looked_after = Tree(
        parts.branch(ROOT, *branches, strategy="rest_for_one", auto_shutdown=auto_shutdown)
    )
    names = {name: looked_after.path_of(name) for name in looked_after.needs()}
    return Tree(
        parts.branch(
            ROOT,
            *branches,
            parts.availability(looked_after, names),
            Service(
                "reconfigurer",
                child(Reconfigurer, names["configuration"], LIVE, names),
                needs=["configuration", "availability"],
            ),
            strategy="rest_for_one",
            auto_shutdown=auto_shutdown,
        )
    )


def check_of(
    declared: Declarations,
) -> Callable[[Configuration[SystemSettings]], Iterable[Problem]]:
    """What a schema cannot know: which flags there are."""
    flags = tuple(declared.flags)

    def check(configuration: Configuration[SystemSettings]) -> list[Problem]:
        source = configuration.entries["flags"].source
        wrong = flag_problems(flags, configuration.value.flags)
        return [Problem("refused", f"flags.{name}", text, source) for name, text in wrong.items()]

    return check


@dataclass(frozen=True, slots=True)
class _Parts:
    """The branches, from what all of them are made of."""

    settings: SystemSettings
    declared: Declarations
    store: Store

    def branch(self, name: str, *children: Service | Branch, **options: Any) -> Branch:
        """A branch with the intensity that the settings say."""
        limits = self.settings.supervision
        return Branch(
            name,
            *children,
            max_restarts=limits.max_restarts,
            max_seconds=limits.max_seconds,
            **options,
        )

    def live(self, name: str, /, **others: Any) -> Service:
        """A service that goes by the settings; *others* are what no setting says."""
        needs = others.pop("needs", ())
        return Service(name, LIVE[name].child(self.settings, **others), needs=needs)

    def tasks(self) -> ChildSpec[Any]:
        """The supervisor of the tasks of services."""
        return TaskSupervisor.child(max_children=self.settings.tasks.max_children)

    def services(self) -> Branch:
        """What fails independently of one another."""
        declared, store = self.declared, self.store
        return self.branch(
            "services",
            self.live("metrics", metrics=(*platform_metrics(), *declared.metrics)),
            self.live("resources", limits=dict(declared.resources), budgets=dict(declared.budgets)),
            self.live("breakers", breakers=dict(declared.breakers), store=store),
            self.live("retries", policies=dict(declared.retries), store=store),
            self.live("limits", limiters=dict(declared.limits), store=store),
            self.live("bulkheads", bulkheads=dict(declared.bulkheads), store=store),
            self.live("cache"),
            self.live(
                "flags",
                flags=tuple(declared.flags),
                migrations=tuple(declared.migrations),
                store=store,
            ),
            self.live("signals", subscriptions=tuple(declared.subscriptions), store=store),
            Service("leases", child(Leases, store=store)),
            Service("barriers", child(Barriers)),
            Service("elections", child(Elections, store=store)),
            Service("consensus", child(Consensus)),
            needs=["state", "configuration", "tasks"],
        )

    def registry(self) -> Branch:
        """The agents by what they can do; the keeper outlives the registry and keeps its table."""
        registry = child(
            AgentRegistry, self.declared.agents, keeper=f"{ROOT}.registry.agent_keeper"
        )
        return self.branch(
            "registry",
            Service("agent_keeper", child(AgentKeeper)),
            Service("agent_registry", registry, needs=["agent_keeper"]),
            strategy="rest_for_one",
            needs=["state"],
        )

    def managers(self) -> Branch:
        """Each may rely on those before it, and restarts with them."""
        custody = MemoryStore(STATE)  # of what is under way, which no other store could keep
        return self.branch(
            "managers",
            self.live("dead_letters", store=custody, needs=["state"]),
            self.live(
                "scheduler",
                jobs=tuple(self.declared.jobs),
                tasks=f"{ROOT}.tasks",
                store=self.store,
                needs=["tasks", "state"],
            ),
            self.live(
                "commands",
                name=f"{ROOT}.managers.commands",
                allowed=dict(self.declared.commands),
                needs=["scheduler"],
            ),
            self.live(
                "coordination",
                policies=dict(self.declared.lanes),
                dead_letters=f"{ROOT}.managers.dead_letters",
                store=custody,
                needs=["scheduler", "commands", "dead_letters", "state"],
            ),
            self.pools(),
            strategy="rest_for_one",
            needs=["services"],
        )

    def pools(self) -> Branch:
        """The task pools, and the supervisor of their tasks: without one the other is wrong."""
        limits = self.settings.supervision
        supervisors = DynamicSupervisor.child(
            max_restarts=limits.max_restarts, max_seconds=limits.max_seconds
        )
        return self.branch(
            "pools",
            Service("pool_supervisors", supervisors),
            self.live(
                "task_pools",
                pools=dict(self.declared.pools),
                supervisor=f"{ROOT}.managers.pools.pool_supervisors",
                store=self.store,
                needs=["pool_supervisors", "state"],
            ),
            strategy="one_for_all",
        )

    def observation(self) -> Branch:
        """Who looks at the others."""
        monitors = MonitorSupervisor.child(
            name=f"{ROOT}.observation.monitors",
            sink=RegistrySink(f"{ROOT}.registry.agent_registry"),
            watch=tuple(self.declared.watch),
        )
        checks = tuple(self.declared.checks)
        return self.branch(
            "observation",
            self.live("health", checks=checks, table=STATE, needs=["state", "configuration"]),
            Service("monitors", monitors, needs=["agent_registry"]),
        )

    def agents(self) -> ChildSpec[Any]:
        """The supervisor of agents."""
        return DynamicSupervisor.child(**msgspec.structs.asdict(self.settings.agents))

    def availability(self, tree: Tree, names: dict[str, str]) -> Branch:
        """Who says that all of *tree* is up."""
        board = f"{ROOT}.availability.readiness"
        return self.branch(
            "availability",
            Service("readiness", child(ReadinessBoard, tree.needs(), table=STATE)),
            Service("announcer", child(Announcer, board, names), needs=["readiness"]),
            strategy="rest_for_one",
            needs=["agents"],
        )
