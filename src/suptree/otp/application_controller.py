"""Applications: those of one runtime, in the order of their starts, and the process above each.

    await rt.applications.start(Shop())                 its dependencies must run
    await rt.applications.ensure_all_started(Shop())    starts them, too
    await rt.applications.stop(Shop)

Owned by `otp/runtime.py`.  Each application has a master: a process that runs its
callbacks, is the parent of its top supervisor, and sees it out.  When the runtime
closes, all are stopped, last started first, within its stop timeout (S235).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from suptree.core import (
    KILLED,
    LOG,
    NORMAL,
    Pid,
    SlotExpiredError,
    is_normal,
    safe_repr,
)
from suptree.errors import (
    ApplicationAlreadyStartedError,
    ApplicationError,
    ApplicationNotStartedError,
    RuntimeClosedError,
)
from suptree.otp.application import Application, StartType, name_of
from suptree.otp.application_master import Master

if TYPE_CHECKING:
    from suptree.core import Runtime

__all__ = ["ApplicationEnd", "Applications"]

TYPES: Final = ("permanent", "transient", "temporary")
ApplicationRef = Application | type[Application] | str
"""An application, its class, or its name."""


@dataclass(frozen=True, slots=True)
class ApplicationEnd:
    """How an application ended that nobody stopped.

    Attributes:
        application: Its name.
        reason: The exit reason of its top supervisor.
        gave_up: That supervisor had restarted too often.
    """

    application: str
    reason: object
    gave_up: bool

    def is_failure(self) -> bool:
        """Whether something went wrong: too many restarts, or a reason that is not normal-ish."""
        return self.gave_up or not is_normal(self.reason)

    def __str__(self) -> str:
        how = ", its top supervisor gave up" if self.gave_up else ""
        return f"application {self.application} ended{how}: {safe_repr(self.reason, 400)}"


class Applications:
    """The applications of one runtime; see the module text.

    Attributes:
        ended_by: The application whose end ended the runtime (S232), or None.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.ended_by: ApplicationEnd | None = None
        self._runtime = runtime
        self._masters: dict[str, Master] = {}
        self._environments: dict[str, dict[str, Any]] = {}
        runtime.close_hooks.append(self._stop_all)

    # -- starting ----------------------------------------------------------------------------

    async def start(
        self,
        application: Application | type[Application],
        type: StartType = "temporary",
        *,
        env: Mapping[str, Any] | None = None,
    ) -> Pid[Any]:
        """Start an application whose dependencies run (S230).

        Args:
            application: A class stands for its instance without arguments.
            type: What its end does to the runtime (S232): 'permanent' ends it,
                'transient' too unless the reason is NORMAL, 'temporary' is only reported.
            env: Put into its environment first.

        Returns:
            The pid of its top supervisor.

        Raises:
            ApplicationAlreadyStartedError: It runs, or is being started.
            ApplicationNotStartedError: One that it depends on does not run; see `reason`.
            ApplicationError: It failed to start.
        """
        self._check("start", type)
        application = _instance(application)
        name = name_of(application)
        if name in self._masters:
            raise ApplicationAlreadyStartedError(name, "already_started")
        for dependency in application.depends_on:
            if not self.is_running(dependency):
                raise ApplicationNotStartedError(name, name_of(dependency))
        environment = self.load(application)
        environment.update(env or {})
        application._environment = environment
        master = Master(name, application, type, self._ended)
        self._masters[name] = master
        return await master.begin(self._runtime)

    async def ensure_all_started(
        self,
        application: Application | type[Application],
        type: StartType = "temporary",
        *,
        env: Mapping[str, Any] | None = None,
    ) -> list[str]:
        """Start an application after all that it depends on, each unless it runs (S230).

        One that somebody else is starting just now is waited for.  When one fails, those that this call has started are stopped again.

        Args:
            application: See `start`.
            type: Of every application started here.
            env: For *application* alone.

        Returns:
            The names of those that were started, in order.

        Raises:
            ApplicationError: Which failed, and why; also when they depend on one another in a ring.
        """
        self._check("ensure_all_started", type)
        started: list[str] = []
        target = name_of(application)
        try:
            for each in self._in_order(application, ()):
                name = name_of(each)
                await self._settled(name)
                if not self.is_running(name):
                    await self.start(each, type, env=env if name == target else None)
                    started.append(name)
        except ApplicationError:
            for name in reversed(started):
                with suppress(ApplicationNotStartedError):  # it has ended meanwhile
                    await self.stop(name)
            raise
        return started

    async def _settled(self, name: str) -> None:
        """Wait until it runs or does not, when somebody else is starting or stopping it."""
        while (master := self._masters.get(name)) is not None and master.top is None:
            await master.turn()

    def _in_order(
        self, application: Application | type[Application], path: tuple[str, ...]
    ) -> list[Application | type[Application]]:
        name = name_of(application)
        if name in path:
            ring = " -> ".join((*path[path.index(name) :], name))
            raise ApplicationError(name, f"applications depend on one another in a ring: {ring}")
        order: list[Application | type[Application]] = []
        for dependency in application.depends_on:
            order += self._in_order(dependency, (*path, name))
        return [*order, application]

    def _check(self, doing: str, type: str) -> None:
        self._runtime.check_thread(f"Applications.{doing}")
        if self._runtime.closing:
            raise RuntimeClosedError(
                f"Applications.{doing}: {self._runtime!r} is closing. Nothing was started."
            )
        if type not in TYPES:
            raise ValueError(
                f"Applications.{doing}: type must be 'permanent', 'transient' or 'temporary'; "
                f"got {type!r}."
            )

    # -- looking ---------------------------------------------------------------------------------

    def running(self) -> list[str]:
        """The names of those that run, in the order of their starts."""
        return [name for name, master in self._masters.items() if master.top is not None]

    def is_running(self, application: ApplicationRef) -> bool:
        """Whether it runs: it has started, and was not told to stop."""
        master = self._masters.get(name_of(application))
        return master is not None and master.top is not None

    def top(self, application: ApplicationRef) -> Pid[Any]:
        """The pid of its top supervisor.

        Raises:
            ApplicationNotStartedError: It does not run.
        """
        master = self._masters.get(name_of(application))
        if master is None or master.top is None:
            raise ApplicationNotStartedError(name_of(application), name_of(application))
        return master.top

    # -- the environment ---------------------------------------------------------------------------

    def load(self, application: Application | type[Application]) -> dict[str, Any]:
        """Make the environment from the defaults of the class, unless there is one; `start` does so."""
        return self._environments.setdefault(name_of(application), dict(application.env))

    def unload(self, application: ApplicationRef) -> None:
        """Drop the environment of an application that does not run (S235).

        Raises:
            ApplicationAlreadyStartedError: It runs.
        """
        name = name_of(application)
        if name in self._masters:
            raise ApplicationAlreadyStartedError(name, "running")
        self._environments.pop(name, None)

    def get_env(self, application: ApplicationRef, key: str, default: Any = None) -> Any:
        """A value of the environment; it outlives a stop (S235)."""
        return self._environments.get(name_of(application), {}).get(key, default)

    def put_env(self, application: ApplicationRef, key: str, value: Any) -> None:
        """Change a value of the environment; it outlives a stop (S235)."""
        if isinstance(application, str):
            self._environments.setdefault(application, {})[key] = value
        else:
            self.load(application)[key] = value

    # -- ends ------------------------------------------------------------------------------------

    async def stop(self, application: ApplicationRef) -> None:
        """Stop an application (S233); this is never a failure, and it is not started again.

        Raises:
            ApplicationNotStartedError: It does not run.
        """
        self._runtime.check_thread("Applications.stop")
        name = name_of(application)
        master = self._masters.get(name)
        if master is None or master.top is None:
            raise ApplicationNotStartedError(name, name)
        down = master.tell_to_stop()
        await down

    async def _stop_all(self) -> None:
        runtime = self._runtime
        deadline = runtime.now() + runtime.stop_timeout
        for master in reversed(list(self._masters.values())):
            down = master.tell_to_stop()
            if not down.done():
                runtime.ticker.expire_after(down, max(0.0, deadline - runtime.now()))
            try:
                await down
            except SlotExpiredError:
                runtime.overdue.append(master.process.pid)
                LOG.error(
                    "application %s did not stop within %g s and is killed",
                    master.name,
                    runtime.stop_timeout,
                )
                master.process.doom(KILLED)

    def _ended(self, master: Master, reason: object) -> None:
        """Its tree is gone and its callbacks have run (S234)."""
        del self._masters[master.name]
        if master.was_told or not master.has_started:
            return
        end = ApplicationEnd(master.name, reason, master.gave_up)
        ends_runtime = master.type == "permanent" or (
            master.type == "transient" and reason is not NORMAL
        )
        log = LOG.error if end.is_failure() else LOG.info
        log("%s", end)
        if ends_runtime and self.ended_by is None and not self._runtime.closing:
            self.ended_by = end
            self._runtime.stop(reason, f"{end.application}, a {master.type} application,")


def _instance(application: Application | type[Application]) -> Application:
    name_of(application)  # refuses what is no application
    if not isinstance(application, type):
        return application
    try:
        inspect.signature(application).bind()
    except TypeError as why:
        raise ApplicationError(
            name_of(application),
            f"its __init__ needs arguments ({why}); give an instance that has them",
        ) from None
    return application()
