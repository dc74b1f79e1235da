"""DynamicSupervisor: children on demand, without ids and without an order, up to any number.

    await DynamicSupervisor.start_link(name="agents", max_children=100_000)
    pid = await DynamicSupervisor.start_child("agents", child(Agent, 7))
    await DynamicSupervisor.terminate_child("agents", pid)

Each child has its own spec and is restarted alone.  Starting, ending and finding one
costs the same with a hundred thousand siblings as with none.  With a *template* all
children are alike but for their last arguments (OTP: simple_one_for_one).

It refuses what it cannot honour: strategies, significant children, requests by id.

After Elixir's DynamicSupervisor.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, ClassVar, ParamSpec, TypeVar, cast

from suptree.core import SHUTDOWN, Pid
from suptree.errors import (
    ChildNotFoundError,
    ChildSpecError,
    MaxChildrenError,
    ProcessExit,
    StartIgnoredError,
    SupervisorOptionsError,
    SuptreeError,
)
from suptree.otp.child_spec import ChildSpec, Restart, Shutdown, with_arguments
from suptree.otp.children import (
    Child,
    ChildCounts,
    ChildInfo,
    CountChildren,
    GetChildSpec,
    StartChild,
    TerminateChild,
    WhichChildren,
    ask,
    counts,
)
from suptree.otp.directives import BadReturn, Ignore, ServerRef
from suptree.otp.restart import Fate, check_limits
from suptree.otp.shutdown import stop_together
from suptree.otp.supervising import SupervisingBody
from suptree.otp.supervisor import Supervisor, SupervisorStart, spec_of

__all__ = ["DynamicBody", "DynamicSupervisor"]

P = ParamSpec("P")
S = TypeVar("S")


class DynamicSupervisor:
    """Base class of dynamic supervisors, and one by itself.

    Attributes:
        max_children: How many may be there, restarting ones included; None: any number (S171).
        extra_arguments: Put before the children's own at each start (S173).
        template: The spec of all children; then `start_child` gives way to `start_more`.
        max_restarts: As Supervisor's.
        max_seconds: As Supervisor's.

    Args:
        name: Registered name, when there is no subclass with an ``__init__`` of its own.
    """

    max_children: int | None = None
    extra_arguments: tuple[Any, ...] = ()
    template: ChildSpec[Any] | None = None
    max_restarts: int = 3
    max_seconds: float = 5.0
    spec_defaults: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        *,
        max_children: int | None = None,
        extra_arguments: tuple[Any, ...] | None = None,
        template: ChildSpec[Any] | None = None,
        max_restarts: int | None = None,
        max_seconds: float | None = None,
        name: Any = None,
    ) -> None:
        for option, value in (
            ("max_children", max_children),
            ("extra_arguments", extra_arguments),
            ("template", template),
            ("max_restarts", max_restarts),
            ("max_seconds", max_seconds),
        ):
            if value is not None:
                setattr(self, option, value)

    def __init_subclass__(
        cls,
        *,
        restart: Restart | None = None,
        shutdown: Shutdown | None = None,
        significant: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        if inspect.iscoroutinefunction(cls.init):
            raise TypeError(
                f"{cls.__qualname__}.init must not be async: a supervisor runs no code of its own."
            )
        given = {"restart": restart, "shutdown": shutdown, "significant": significant}
        cls.spec_defaults = {
            **cls.spec_defaults,
            **{key: value for key, value in given.items() if value is not None},
        }

    def init(self) -> Ignore | None:
        """Called in the new process; `Ignore()` starts nothing, and that is no failure."""
        return None

    # -- starting one ---------------------------------------------------------------------

    @classmethod
    def child(cls: Callable[P, S], *args: P.args, **kwargs: P.kwargs) -> ChildSpec[S]:
        """The child spec of this supervisor: type 'supervisor', shutdown 'infinity'.

        Raises:
            SupervisorOptionsError: A given option is wrong.
        """
        return _child(cast("type[DynamicSupervisor]", cls), args, kwargs)

    @classmethod
    async def start_link(cls: Callable[P, S], *args: P.args, **kwargs: P.kwargs) -> Pid[S]:
        """Start it without children, linked to the current process.

        Raises:
            SupervisorOptionsError: An option is wrong; nothing was started.
            StartIgnoredError: Its `init` answered Ignore.
        """
        spec: ChildSpec[S] = _child(cast("type[DynamicSupervisor]", cls), args, kwargs)
        return await spec.start_link()

    @staticmethod
    async def stop(
        supervisor: ServerRef[Any], reason: object = SHUTDOWN, timeout: float | None = None
    ) -> None:
        """Have it stop all its children, told at once, and end with *reason* (S177).

        Raises:
            NoProcessError, ServerExitError, CallTimeoutError: As `GenServer.stop`.
        """
        await Supervisor.stop(supervisor, reason, timeout)

    # -- requests -----------------------------------------------------------------------------

    @staticmethod
    async def start_child(supervisor: ServerRef[Any], spec: ChildSpec[S]) -> Pid[S]:
        """Start a child; its `id` does not matter, and nothing is kept of a failure (S172).

        Raises:
            MaxChildrenError: There are `max_children` already; its init was not called.
            StartIgnoredError: Its init answered Ignore.
            StartError: It failed to start.
            ChildSpecError: *spec* is no child spec; nothing was sent.
        """
        pid: Pid[S] = await ask(supervisor, StartChild(spec_of(spec)), "start_child")
        return pid

    @staticmethod
    async def start_more(supervisor: ServerRef[Any], *args: Any) -> Pid[Any]:
        """Start a child from the template, *args* after the template's own (S160).

        Raises:
            MaxChildrenError, StartIgnoredError, StartError: As `start_child`.
            ChildSpecError: The supervisor has no template.
        """
        pid: Pid[Any] = await ask(supervisor, StartChild(None, args), "start_more")
        return pid

    @staticmethod
    async def terminate_child(supervisor: ServerRef[Any], pid: Pid[Any]) -> None:
        """Stop a child and forget it, whatever its restart type (S175).

        Raises:
            ChildNotFoundError: No child has that pid, or had it before it began restarting.
        """
        await ask(supervisor, TerminateChild(pid), "terminate_child")

    @staticmethod
    async def which_children(supervisor: ServerRef[Any]) -> list[ChildInfo]:
        """The children, in no order that is promised; their ids are None (S170)."""
        return await Supervisor.which_children(supervisor)

    @staticmethod
    async def count_children(supervisor: ServerRef[Any]) -> ChildCounts:
        """How many children there are, of which kind, and how many are not restarting (S176)."""
        return await Supervisor.count_children(supervisor)


def _child(
    cls: type[DynamicSupervisor], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> ChildSpec[Any]:
    options = dict(cls.spec_defaults)
    if cls.__init__ is DynamicSupervisor.__init__:
        kwargs = dict(kwargs)
        options["name"] = kwargs.pop("name", None)
        check(cls.__qualname__, cls(*args, **kwargs))
    return ChildSpec(
        start=DynamicStart(cls, args, kwargs), type="supervisor", modules=(cls,), **options
    )


def check(who: str, supervisor: DynamicSupervisor) -> None:
    """Refuse wrong options.

    Raises:
        SupervisorOptionsError: With the option, what it must be, and what it is.
    """
    check_limits(who, supervisor.max_restarts, supervisor.max_seconds)
    limit: object = supervisor.max_children
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
        raise SupervisorOptionsError(
            f"{who}: max_children must be an int of 0 or more, or None for any number; got {limit!r}."
        )
    extra: object = supervisor.extra_arguments
    if not isinstance(extra, tuple):
        raise SupervisorOptionsError(f"{who}: extra_arguments must be a tuple; got {extra!r}.")
    if supervisor.template is not None:
        with_arguments(spec_of(supervisor.template), ())


class DynamicStart(SupervisorStart):
    """The start function of a dynamic supervisor."""

    __slots__ = ()

    def body(self, extra: tuple[Any, ...]) -> SupervisingBody:
        """The body of one process."""
        return DynamicBody(self.cls, extra + self.args, self.kwargs)


class DynamicBody(SupervisingBody):
    """The process side.  Running children are in `running`; those to be tried again, here."""

    def __init__(self, cls: type[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__()
        self._make = (cls, args, kwargs)
        self._supervisor: DynamicSupervisor
        self._restarting: dict[Pid[Any], Child] = {}

    def subject(self) -> object:
        """The supervisor's instance."""
        return self._supervisor

    def children_of(self) -> list[tuple[Any, Pid[Any] | str | None, str]]:
        """None for an id, pid or 'restarting', and type of each child."""
        return [
            (None, "restarting" if child.restarting else child.pid, child.spec.type)
            for child in self._children()
        ]

    def _children(self) -> list[Child]:
        return [*self.running.values(), *self._restarting.values()]

    async def start_up(self) -> None:
        """Read the options; no child is started."""
        cls, args, kwargs = self._make
        self._supervisor = supervisor = cls(*args, **kwargs)
        match supervisor.init():
            case None:
                pass
            case Ignore():
                raise StartIgnoredError(self.process.label)
            case other:
                raise ProcessExit(BadReturn(other))
        self._adopt()

    def _adopt(self) -> None:
        supervisor = self._supervisor
        check(self.process.label, supervisor)
        self.window.limit = supervisor.max_restarts
        self.window.period = supervisor.max_seconds
        self.extra = supervisor.extra_arguments

    async def stop_children(self) -> None:
        """All at once, each with its own time (S177)."""
        for child in self._restarting.values():
            self.calm(child)
        children = [(pid, child.spec.shutdown) for pid, child in self.running.items()]
        self.running.clear()
        await stop_together(self.process, children, self.stopped, self.give_way)

    # -- a child ended -----------------------------------------------------------------------

    def child_ended(self, child: Child, fate: Fate) -> None:
        """It is forgotten: `running` does not hold it any more."""

    async def restart(self, child: Child, dead: Pid[Any]) -> None:
        """Alone; while that fails it is listed as restarting, under its old pid (S174)."""
        if child.spec.backoff is not None:
            delay = await self._keep(child, dead)
            self.process.runtime.reporter.decided(dead, f"to be restarted in {delay:.3g} s")
        elif self.may_restart(child.spec.id, child.why, dead):
            await self._relaunch(child, dead)

    async def try_again(self, child: Child) -> None:
        """Once more, unless it was terminated meanwhile."""
        old = child.pid
        if not child.restarting or old is None or self.process.runtime.is_ending():
            return
        if self.may_restart(child.spec.id, child.why, None):
            await self._relaunch(child, old)

    async def _relaunch(self, child: Child, old: Pid[Any]) -> None:
        try:
            await self.launch(child)
        except StartIgnoredError:  # S174
            self._forget(child, old)
        except SuptreeError as error:
            self.start_failed(child, error, "its restart failed: to be tried again")
            await self._keep(child, old)
        else:
            self._restarting.pop(old, None)

    async def _keep(self, child: Child, old: Pid[Any]) -> float:
        child.pid = old
        self._restarting[old] = child
        return await self.put_off(child)

    def _forget(self, child: Child, old: Pid[Any]) -> None:
        self.calm(child)
        self._restarting.pop(old, None)

    # -- requests ---------------------------------------------------------------------------------

    async def serve(self, request: Any) -> object:
        """Answer a request about a child."""
        match request:
            case StartChild():
                return await self._start_child(self._spec(request))
            case TerminateChild(id=pid):
                child = self._find(pid)
                self._restarting.pop(pid, None)
                await self.stop(child)
                return None
            case GetChildSpec(id=pid):
                return self._find(pid).spec
            case WhichChildren():
                return [child.info(None) for child in self._children()]
            case CountChildren():
                return dataclasses.replace(counts(self._children()), active=len(self.running))
            case _:
                return NotImplemented

    def _spec(self, request: StartChild) -> ChildSpec[Any]:
        template = self._supervisor.template
        who = f"{self.process.pid!r} {self.process.label}"
        if request.spec is None:
            if template is None:
                raise ChildSpecError(f"{who}: has no template. Use start_child(supervisor, spec).")
            return with_arguments(template, request.args)
        if template is not None:
            raise ChildSpecError(
                f"{who}: starts children from its template only. Use start_more(supervisor, *args)."
            )
        if request.spec.significant:
            raise ChildSpecError(
                f"{who}: child {request.spec.id!r}: significant must be False: a dynamic supervisor "
                "has no auto_shutdown."
            )
        return request.spec

    async def _start_child(self, spec: ChildSpec[Any]) -> Pid[Any]:
        limit = self._supervisor.max_children
        if limit is not None and len(self.running) + len(self._restarting) >= limit:
            raise MaxChildrenError(self.process.pid, limit)
        child = Child(spec)
        try:
            await self.launch(child)
        except StartIgnoredError:
            raise
        except SuptreeError as error:
            self.start_failed(child, error, "start_child failed, nothing is kept")
            raise
        return cast("Pid[Any]", child.pid)

    def _find(self, pid: Any) -> Child:
        child = self.running.get(pid) or self._restarting.get(pid) if isinstance(pid, Pid) else None
        if child is None:
            raise ChildNotFoundError(self.process.pid, pid)
        return child

    # -- code change ----------------------------------------------------------------------------------

    def reread(self, new_class: type | None) -> None:
        """New options; the children stay."""
        supervisor = self._supervisor
        old_class = supervisor.__class__
        if new_class is not None:
            supervisor.__class__ = new_class
        try:
            self._adopt()
        except Exception:
            supervisor.__class__ = old_class
            raise
