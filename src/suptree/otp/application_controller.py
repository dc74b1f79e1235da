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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from suptree.core import (
    INFO,
    KILLED,
    LOG,
    NORMAL,
    SHUTDOWN,
    Crashed,
    Exit,
    Pid,
    PlainBody,
    Process,
    Slot,
    SlotExpiredError,
    is_normal,
    receive,
    safe_repr,
)
from suptree.errors import (
    ApplicationAlreadyStartedError,
    ApplicationError,
    ApplicationNotStartedError,
    RuntimeClosedError,
    StartError,
)
from suptree.otp.application import Application, StartType, name_of
from suptree.otp.directives import BadReturn

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
        self._masters: dict[str, _Master] = {}
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
        master = _Master(name, application, type, self._ended)
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

        When one fails, those that this call has started are stopped again.

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
                if not self.is_running(name):
                    await self.start(each, type, env=env if name == target else None)
                    started.append(name)
        except ApplicationError:
            for name in reversed(started):
                if name in self._masters:
                    await self.stop(name)
            raise
        return started

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

    def _ended(self, master: _Master, reason: object) -> None:
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


class _StopRequest:
    """To a master: stop the application."""


class _Master:
    """The process above one application: runs its callbacks and is the parent of its tree.

    Invariant: `top` is set from the end of its start until it is told to stop or has ended.
    """

    def __init__(
        self,
        name: str,
        application: Application,
        type: StartType,
        ended: Callable[[_Master, object], None],
    ) -> None:
        self.name = name
        self.type = type
        self.top: Pid[Any] | None = None
        self.has_started = False
        self.was_told = False
        self.process: Process
        self._application = application
        self._ended = ended
        self._started: Slot
        self._tree: Pid[Any] | None = None
        self._body: object = None
        self._reason: object = None
        self._failure: ApplicationError | None = None

    @property
    def gave_up(self) -> bool:
        """Whether the top supervisor had restarted too often."""
        return bool(getattr(self._body, "gave_up", False))

    async def begin(self, runtime: Runtime) -> Pid[Any]:
        """Start the process and the application."""
        self._started = Slot(runtime.runqueue)
        body = PlainBody(self._live, (), {})
        pid: Pid[Any] = await runtime.start_process(
            body, link=False, label=f"application {self.name}", trap_exit=True
        )
        self.process = cast("Process", body.process)
        runtime.down_slot(pid).add_done_callback(self._is_down)
        top: Pid[Any] = await self._started
        return top

    def tell_to_stop(self) -> Slot:
        """Have it stop; the slot is filled when it is gone."""
        runtime = self.process.runtime
        down = runtime.down_slot(self.process.pid)
        self.was_told = True
        if self.top is not None:
            self.top = None
            self.process.deliver((INFO, _StopRequest()))
        elif not self.has_started:
            self.process.doom(SHUTDOWN)  # it is still starting
        return down

    def _is_down(self, slot: Slot) -> None:
        reason = slot.value if self._reason is None else self._reason
        tree = self._tree
        if tree is None or tree._process is None:
            self._over(reason)
        else:  # The master was killed: its tree, whose parent it was, is ending.
            self.process.runtime.down_slot(tree).add_done_callback(lambda _: self._over(reason))

    def _over(self, reason: object) -> None:
        self._ended(self, reason)
        failure = self._failure or ApplicationError(self.name, reason, self._place("start"))
        self._started.fail(failure)

    # -- in the process ------------------------------------------------------------------------------

    async def _live(self) -> None:
        try:
            tree, state = await self._start()
            await self._phases()
        except ApplicationError as error:
            self._failure = error
            if self._tree is not None:
                await self._stop_tree(self._tree)
            return
        self.top = tree
        self.has_started = True
        self._started.set(tree)
        message = await receive(self._is_news_of(tree))
        self.top = None
        if isinstance(message, Exit):
            self._reason = message.reason
            state = await self._call("prep_stop", state, default=state)
        else:
            state = await self._call("prep_stop", state, default=state)
            await self._stop_tree(tree)
        await self._call("stop", state)

    async def _start(self) -> tuple[Pid[Any], Any]:
        try:
            answer = await _result_of(self._application.start())
        except StartError as error:
            raise ApplicationError(self.name, error.reason, self._place("start")) from error
        except Exception as error:
            raise ApplicationError(self.name, Crashed(error), self._place("start")) from error
        pid, state = _pair(answer)
        tree = None if pid is None else pid._process
        if pid is None or tree is None or tree.parent is not self.process:  # S231
            raise ApplicationError(self.name, BadReturn(answer), self._place("start"))
        self._tree = pid
        self._body = tree.body
        return pid, state

    async def _phases(self) -> None:
        for phase, argument in self._application.start_phases:
            try:
                await _result_of(self._application.start_phase(phase, argument))
            except Exception as error:
                raise ApplicationError(
                    self.name, Crashed(error), self._place(f"start_phase({phase!r})")
                ) from error

    def _is_news_of(self, tree: Pid[Any]) -> Callable[[Any], bool]:
        """What the master waits for; anything else that arrives stays where it is."""

        def matches(message: Any) -> bool:
            return isinstance(message, _StopRequest) or (
                isinstance(message, Exit) and message.pid is tree
            )

        return matches

    async def _stop_tree(self, tree: Pid[Any]) -> None:
        runtime = self.process.runtime
        down = runtime.down_slot(tree)
        runtime.exit(tree, SHUTDOWN, self.process)
        await down

    async def _call(self, callback: str, state: Any, default: Any = None) -> Any:
        """A callback of the end: what it raises is told, and the end goes on."""
        try:
            return await _result_of(getattr(self._application, callback)(state))
        except Exception:
            LOG.exception("%s: failed; the application ends all the same", self._place(callback))
            return default

    def _place(self, function: str) -> str:
        return f"{type(self._application).__qualname__}.{function}"


def _pair(answer: Any) -> tuple[Pid[Any] | None, Any]:
    """A pid, or a pid with a state; (None, None) for anything else."""
    pair: tuple[Any, ...] = answer if answer.__class__ is tuple else (answer, None)
    fine = len(pair) == 2 and pair[0].__class__ is Pid
    return (pair[0], pair[1]) if fine else (None, None)


async def _result_of(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


def _instance(application: Application | type[Application]) -> Application:
    return application() if isinstance(application, type) else application
