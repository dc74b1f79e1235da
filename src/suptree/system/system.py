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

from typing import Any, TypeVar

from suptree.core import Pid
from suptree.otp import Application, ChildSpec, DynamicSupervisor
from suptree.services import (
    Change,
    ConfigServer,
    Configuration,
    ConfigurationInvalidError,
    Problem,
    Store,
    load_configuration,
)
from suptree.system.declarations import Declarations
from suptree.system.declaring import ROOT, check_of, declare
from suptree.system.reconfigurer import Reconfigurer
from suptree.system.settings import SystemSettings

__all__ = ["System"]

S = TypeVar("S")


class System(Application):
    """The whole system.

    A class below it whose `auto_shutdown` is 'any_significant' ends when a significant
    service at the top of the tree does: one that is declared with `significant=True`.

    Args:
        configuration: Its settings; default: the defaults, and the environment.
        declared: What is wanted of the services from the start.
        store: Where services keep what was set at run time: flags, jobs, leases, subscriptions,
            limits, breakers and their like.  Default: in memory, at a process that starts first
            and does nothing else; that ends with the program.

    Raises:
        SpecError, DependencyError: The user's own services do not fit into the tree.
        TypeError: *configuration* is no `Configuration` of `SystemSettings`, or of a class below
            it, *declared* no `Declarations`, or *store* no `Store`.
        ConfigurationInvalidError: The environment sets something wrong, or the settings name
            a flag that is not declared.

    Attributes:
        tree: Its declaration.
        configuration: The settings that it starts with.
    """

    name = ROOT
    strategy = "rest_for_one"

    def __init__(
        self,
        configuration: Configuration[SystemSettings] | None = None,
        *,
        declared: Declarations | None = None,
        store: Store | None = None,
    ) -> None:
        if configuration is None:
            configuration = load_configuration(SystemSettings)
        _check_settings(configuration)
        _check_declared(declared)
        _check_store(store)
        declared = declared or Declarations()
        self._check = check_of(declared)
        if problems := self.problems(configuration):
            raise ConfigurationInvalidError(problems)
        self.configuration = configuration
        settings = configuration.value
        self.max_restarts = settings.supervision.max_restarts
        self.max_seconds = settings.supervision.max_seconds
        self.tree = declare(configuration, declared, store, auto_shutdown=self.auto_shutdown)

    def children(self) -> list[ChildSpec[Any]]:
        """The branches of the tree, in start order."""
        return self.tree.children()

    def problems(self, configuration: Configuration[SystemSettings]) -> tuple[Problem, ...]:
        """What is wrong with settings that fit the schema: flags that are not declared; () if nothing."""
        return tuple(self._check(configuration))

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

    async def reload(self) -> tuple[Change, ...]:
        """Read the settings again from their sources, and have every service go by them.

        All of it holds, or nothing does.  When this returns, each service that runs has what
        changed; one that is down reads it when it starts.  It waits up to 30 s for services
        that are busy; they are told all the same if that is not enough.

        Returns:
            What changed.

        Raises:
            ConfigurationInvalidError: The sources are wrong; with all that is.
            ConfigurationFixedError: They change what is fixed; with all of that.
            CallTimeoutError, NoProcessError, ServerExitError: A server that is needed for it was
                busy, or went down: ask `ConfigServer.current` what holds.
        """
        changes = await ConfigServer.reload(self.path_of("configuration"))
        await Reconfigurer.settled(self.path_of("reconfigurer"))
        return changes


def _check_settings(configuration: Configuration[SystemSettings]) -> None:
    given: object = configuration
    value: object = configuration.value if isinstance(given, Configuration) else None
    if not isinstance(value, SystemSettings):
        raise TypeError(
            f"System: configuration must be a Configuration of SystemSettings; got a {type(given).__name__}. "
            "Make one with load_configuration(SystemSettings, file=..., overrides=...); "
            "what is declared is given by name, declared=Declarations(...)."
        )


def _check_declared(declared: object) -> None:
    if declared is not None and not isinstance(declared, Declarations):
        raise TypeError(
            f"System: declared must be Declarations; got a {type(declared).__name__}. "
            "Write declared=Declarations(breakers=..., limits=...)."
        )


def _check_store(store: object) -> None:
    if store is None:
        return
    names = ("load", "put", "delete")
    missing = [name for name in names if not callable(getattr(store, name, None))]
    if missing:
        raise TypeError(
            f"System: store must be a Store, with async {', '.join(missing)}; got a {type(store).__name__}. "
            "See suptree.services.Store for what each of them does."
        )
