"""Supervisor: children in an order, restarted by a strategy.

As a class, with its children and options in one place:

>>> class Shop(Supervisor):
...     strategy = "rest_for_one"
...     def __init__(self, shelves: int) -> None:
...         self.shelves = shelves
...     def children(self) -> list[ChildSpec[Any]]:
...         return [child(Ledger).with_(name="ledger"), child(Till, self.shelves)]

or in place: ``await Supervisor.start_link([child(Ledger), child(Till, 3)], strategy="one_for_all")``.

Children start in order and stop in reverse order, one by one.  What is restarted, and
when it has been too often, is a table in `restart.py`.  Refused before anything starts:
wrong options, wrong specs, the same id twice.

After OTP's supervisor (OTP 25) and Elixir's Supervisor (defaults: 3 restarts in 5 s).
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, ParamSpec, TypeVar, cast

from suptree.core import (
    SHUTDOWN,
    FailedToStartChild,
    Pid,
    Process,
    Runtime,
    Slot,
    safe_repr,
)
from suptree.core import Shutdown as ShutdownReason
from suptree.errors import (
    AlreadyStartedError,
    ChildAlreadyPresentError,
    ChildNotFoundError,
    ChildRestartingError,
    ChildRunningError,
    ChildSpecError,
    ProcessExit,
    StartIgnoredError,
    SupervisorOptionsError,
    SuptreeError,
)
from suptree.otp.child_spec import ChildSpec, Restart, Shutdown, StartOptions, child, closest
from suptree.otp.children import (
    Child,
    ChildCounts,
    ChildInfo,
    CountChildren,
    DeleteChild,
    GetChildSpec,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
    ask,
    counts,
)
from suptree.otp.directives import BadReturn, Ignore, ServerRef
from suptree.otp.gen_server import GenServer
from suptree.otp.restart import (
    AutoShutdown,
    Fate,
    Strategy,
    affected,
    check_options,
    ends_supervisor,
)
from suptree.otp.start_order import START_ORDERS, StartOrder, arrange
from suptree.otp.supervising import SupervisingBody

__all__ = ["Supervisor", "SupervisorBody", "SupervisorStart"]

P = ParamSpec("P")
S = TypeVar("S")


class Supervisor:
    """Base class of supervisors, and a supervisor of given children by itself.

    Class arguments are the defaults of its own child spec, as for servers:
    ``class Shop(Supervisor, restart="transient")``.

    Attributes:
        strategy: 'one_for_one', 'one_for_all' or 'rest_for_one' (S113-S115).
        max_restarts: Restarts allowed in `max_seconds`; 0 gives up at the first (S120).
        max_seconds: Length of the window, exact monotonic seconds.
        auto_shutdown: 'never', 'any_significant' or 'all_significant' (S140-S142).
        start_order: 'listed', or 'dependencies' for an order from `ChildSpec.depends_on`.

    Args:
        children: What it starts, when there is no subclass that says so.
        name: Registered name, when there is no subclass with an ``__init__`` of its own.
    """

    strategy: Strategy = "one_for_one"
    max_restarts: int = 3
    max_seconds: float = 5.0
    auto_shutdown: AutoShutdown = "never"
    start_order: StartOrder = "listed"
    spec_defaults: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        children: Iterable[ChildSpec[Any] | type[Any]] = (),
        *,
        strategy: Strategy | None = None,
        max_restarts: int | None = None,
        max_seconds: float | None = None,
        auto_shutdown: AutoShutdown | None = None,
        start_order: StartOrder | None = None,
        name: Any = None,
    ) -> None:
        self._given = list(children)
        for option, value in (
            ("strategy", strategy),
            ("max_restarts", max_restarts),
            ("max_seconds", max_seconds),
            ("auto_shutdown", auto_shutdown),
            ("start_order", start_order),
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
        for callback in ("init", "children"):
            if inspect.iscoroutinefunction(getattr(cls, callback)):
                raise TypeError(
                    f"{cls.__qualname__}.{callback} must not be async: a supervisor runs no code "
                    "of its own. Do what takes time in the init of a child."
                )
        given = {"restart": restart, "shutdown": shutdown, "significant": significant}
        cls.spec_defaults = {
            **cls.spec_defaults,
            **{key: value for key, value in given.items() if value is not None},
        }

    # -- callbacks -----------------------------------------------------------------------

    def init(self) -> Ignore | None:
        """Called first, in the new process; `Ignore()` starts nothing, and that is no failure."""
        return None

    def children(self) -> Sequence[ChildSpec[Any] | type[Any]]:
        """The children in start order; a class alone stands for ``child(cls)`` (S159)."""
        return self._given

    # -- starting one --------------------------------------------------------------------

    @classmethod
    def child(cls: Callable[P, S], *args: P.args, **kwargs: P.kwargs) -> ChildSpec[S]:
        """The child spec of this supervisor: type 'supervisor', shutdown 'infinity'.

        Raises:
            SupervisorOptionsError: A given option is wrong.
            ChildSpecError: A given child is wrong.
        """
        return _child(cast("type[Supervisor]", cls), args, kwargs)

    @classmethod
    async def start_link(cls: Callable[P, S], *args: P.args, **kwargs: P.kwargs) -> Pid[S]:
        """Start it, linked to the current process, and wait until all children are up (S100).

        Raises:
            StartError: A child failed; `reason` is ``Shutdown(FailedToStartChild(id, reason))``.
            SpecError: Options or specs are wrong; nothing was started.
            StartIgnoredError: Its `init` answered Ignore.
        """
        spec: ChildSpec[S] = _child(cast("type[Supervisor]", cls), args, kwargs)
        return await spec.start_link()

    @staticmethod
    async def stop(
        supervisor: ServerRef[Any], reason: object = SHUTDOWN, timeout: float | None = None
    ) -> None:
        """Have it stop its children, in reverse order, and end with *reason* (S133).

        Raises:
            NoProcessError, ServerExitError, CallTimeoutError: As `GenServer.stop`.
        """
        await GenServer.stop(supervisor, reason, timeout)

    # -- requests ---------------------------------------------------------------------------

    @staticmethod
    async def start_child(supervisor: ServerRef[Any], spec: ChildSpec[S]) -> Pid[S]:
        """Add a child, last in start order, and start it (S150).

        Raises:
            AlreadyStartedError: A child of that id has a process; see `pid`.
            ChildAlreadyPresentError: A child of that id is down or restarting.
            StartIgnoredError: Its init answered Ignore; the spec is kept unless temporary.
            StartError: It failed to start; nothing is kept.
            ChildSpecError: Its spec does not fit this supervisor.
        """
        pid: Pid[S] = await ask(supervisor, StartChild(spec_of(spec)), "start_child")
        return pid

    @staticmethod
    async def terminate_child(supervisor: ServerRef[Any], id: Any) -> None:
        """Stop a child, and keep its spec unless it is temporary; fine if it is down (S151).

        Raises:
            ChildNotFoundError: No child has that id.
        """
        await ask(supervisor, TerminateChild(id), "terminate_child")

    @staticmethod
    async def restart_child(supervisor: ServerRef[Any], id: Any) -> Pid[Any]:
        """Start a child that is down; a failure is not tried again and does not count (S152).

        Raises:
            ChildRunningError, ChildRestartingError, ChildNotFoundError: It is not down.
            StartIgnoredError: Its init answered Ignore.
            StartError: It failed to start and stays down.
        """
        pid: Pid[Any] = await ask(supervisor, RestartChild(id), "restart_child")
        return pid

    @staticmethod
    async def delete_child(supervisor: ServerRef[Any], id: Any) -> None:
        """Forget a child that is down (S153).

        Raises:
            ChildRunningError, ChildRestartingError, ChildNotFoundError: It is not down.
        """
        await ask(supervisor, DeleteChild(id), "delete_child")

    @staticmethod
    async def which_children(supervisor: ServerRef[Any]) -> list[ChildInfo]:
        """The children, newest first, that is in reverse start order (S154)."""
        children: list[ChildInfo] = await ask(supervisor, WhichChildren(), "which_children")
        return children

    @staticmethod
    async def count_children(supervisor: ServerRef[Any]) -> ChildCounts:
        """How many children there are, of which kind, and how many live (S155)."""
        counted: ChildCounts = await ask(supervisor, CountChildren(), "count_children")
        return counted

    @staticmethod
    async def get_childspec(supervisor: ServerRef[Any], id: Any) -> ChildSpec[Any]:
        """The whole spec of a child (S156).

        Raises:
            ChildNotFoundError: No child has that id.
        """
        spec: ChildSpec[Any] = await ask(supervisor, GetChildSpec(id), "get_childspec")
        return spec

    @staticmethod
    def check_childspecs(
        children: Iterable[ChildSpec[Any] | type[Any]],
        *,
        auto_shutdown: AutoShutdown = "never",
        start_order: StartOrder = "listed",
    ) -> None:
        """Do the checks of a start without starting anything (S158).

        Raises:
            ChildSpecError: With what is wrong.
        """
        _checked("check_childspecs", children, auto_shutdown, start_order)


# -- checks before anything is started ---------------------------------------------------------


def _child(cls: type[Supervisor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> ChildSpec[Any]:
    options = dict(cls.spec_defaults)
    if cls.__init__ is Supervisor.__init__:
        kwargs = dict(kwargs)
        options["name"] = kwargs.pop("name", None)
    if cls is Supervisor:  # given in place: refuse it where it is written
        Plan.of(cls.__qualname__, cls(*args, **kwargs))
    return ChildSpec(
        start=SupervisorStart(cls, args, kwargs), type="supervisor", modules=(cls,), **options
    )


def spec_of(value: object) -> ChildSpec[Any]:
    """A spec, or a class that stands for its spec (S159)."""
    if isinstance(value, ChildSpec):
        return cast("ChildSpec[Any]", value)
    if isinstance(value, type) and hasattr(value, "child"):
        return child(value)
    raise ChildSpecError(
        f"a child must be a ChildSpec or a behaviour's class; got {safe_repr(value, 200)}. "
        "Write child(Server, ...)."
    )


def _checked(
    who: str, children: Iterable[object], auto_shutdown: AutoShutdown, start_order: StartOrder
) -> list[ChildSpec[Any]]:
    specs = [spec_of(value) for value in children]
    seen: set[Any] = set()
    for spec in specs:
        if spec.id in seen:  # S103
            raise ChildSpecError(
                f"{who}: two children have the id {spec.id!r}. Give one another with "
                ".with_(id=...)."
            )
        seen.add(spec.id)
        _check_significant(who, spec, auto_shutdown)
    return arrange(who, specs, start_order)


def _check_significant(who: str, spec: ChildSpec[Any], auto_shutdown: AutoShutdown) -> None:
    if spec.significant and auto_shutdown == "never":  # S105
        raise ChildSpecError(
            f"{who}: child {spec.id!r}: significant must be False while auto_shutdown is 'never'. "
            "Set the supervisor's auto_shutdown to 'any_significant' or 'all_significant'."
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What a supervisor instance says, checked: options, and specs in start order."""

    strategy: Strategy
    max_restarts: int
    max_seconds: float
    auto_shutdown: AutoShutdown
    specs: list[ChildSpec[Any]]

    @classmethod
    def of(cls, who: str, supervisor: Supervisor) -> Plan:
        """Read and check it.

        Raises:
            SpecError: An option or a spec is wrong.
            ProcessExit: `children` returned what is no list of children.
        """
        strategy, auto_shutdown = supervisor.strategy, supervisor.auto_shutdown
        max_restarts, max_seconds = supervisor.max_restarts, supervisor.max_seconds
        check_options(who, strategy, max_restarts, max_seconds, auto_shutdown)
        if supervisor.start_order not in START_ORDERS:
            raise SupervisorOptionsError(
                f"{who}: start_order must be {closest(supervisor.start_order, START_ORDERS)}"
            )
        children: object = supervisor.children()
        if not isinstance(children, (list, tuple)):
            raise ProcessExit(BadReturn(children))
        specs = _checked(who, cast("list[object]", children), auto_shutdown, supervisor.start_order)
        return cls(strategy, max_restarts, max_seconds, auto_shutdown, specs)


# -- the process ---------------------------------------------------------------------------------


class SupervisorStart:
    """The start function of a supervisor: a class and its arguments."""

    __slots__ = ("args", "cls", "kwargs", "label")

    def __init__(self, cls: type[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.cls = cls
        self.args = args
        self.kwargs = kwargs
        self.label = cls.__qualname__

    def start(
        self,
        runtime: Runtime,
        parent: Process | None,
        options: StartOptions,
        extra: tuple[Any, ...] = (),
    ) -> Slot:
        """Make the process and start its children."""
        return runtime.start_process(
            self.body(extra),
            parent=parent,
            link=options.link,
            name=options.name,
            label=options.label or self.label,
            supervised=options.supervised,
            trap_exit=True,
            bound=options.bound,
            timeout=options.timeout,
        )

    def body(self, extra: tuple[Any, ...]) -> SupervisingBody:
        """The body of one process."""
        return SupervisorBody(self.cls, extra + self.args, self.kwargs)


class SupervisorBody(SupervisingBody):
    """The process side: children by id, in start order."""

    def __init__(
        self, cls: type[Supervisor], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        super().__init__()
        self._make: tuple[Any, ...] = (cls, args, kwargs)
        self._supervisor: Supervisor
        self._plan: Plan
        self._children: dict[Any, Child] = {}

    def subject(self) -> object:
        """The supervisor's instance."""
        return self._supervisor

    def children_of(self) -> list[tuple[Any, Pid[Any] | str | None, str]]:
        """Id, pid and type of each child, in start order."""
        return [
            (id, "restarting" if child.restarting else child.pid, child.spec.type)
            for id, child in self._children.items()
        ]

    # -- start and stop ---------------------------------------------------------------------

    async def start_up(self) -> None:
        """Start all children in order; the first that fails stops those before it (S101)."""
        cls, args, kwargs = self._make
        self._supervisor = supervisor = cls(*args, **kwargs)
        match supervisor.init():
            case None:
                pass
            case Ignore():
                raise StartIgnoredError(self.process.label)
            case other:
                raise ProcessExit(BadReturn(other))
        self._adopt(Plan.of(self.process.label, supervisor))
        self._children = {spec.id: Child(spec) for spec in self._plan.specs}
        for member in list(self._children.values()):
            try:
                await self.launch(member)
            except StartIgnoredError:
                self._ignored(member)
            except SuptreeError as error:
                self.start_failed(member, error, "its supervisor does not start either")
                await self.stop_children()
                raise ProcessExit(
                    ShutdownReason(FailedToStartChild(member.spec.id, member.why))
                ) from None

    def _adopt(self, plan: Plan) -> None:
        self._plan = plan
        self.window.limit = plan.max_restarts
        self.window.period = plan.max_seconds

    def _ignored(self, child: Child) -> None:
        """Init answered Ignore: no process, and the spec stays unless temporary (S102)."""
        self.calm(child)
        if child.spec.restart == "temporary":
            self._children.pop(child.spec.id, None)

    async def stop_children(self) -> None:
        """One after the other, in reverse start order (S131)."""
        for member in reversed(list(self._children.values())):
            await self.stop(member)

    # -- a child ended ------------------------------------------------------------------------

    async def restart(self, child: Child, dead: Pid[Any]) -> None:
        """Now, or with a back-off later: its group goes down now in either case."""
        if child.spec.backoff is None:
            if self.may_restart(child.spec.id, child.why, dead):
                await self._restart_group(child)
            return
        await self._stop_group(child)
        delay = await self.put_off(child)
        self.process.runtime.reporter.decided(dead, f"to be restarted in {delay:.3g} s")

    async def try_again(self, child: Child) -> None:
        """The strategy goes on from the child that failed (S125)."""
        wanted = child.restarting and self._children.get(child.spec.id) is child
        if not wanted or self.process.runtime.is_ending():
            return
        if self.may_restart(child.spec.id, child.why, None):
            await self._restart_group(child)

    async def _restart_group(self, child: Child) -> None:
        """Stop those that go with it, then start them all (S113-S117)."""
        for member in await self._stop_group(child):
            try:
                await self.launch(member)
            except StartIgnoredError:  # S126
                self.calm(member)
            except SuptreeError as error:  # those after it stay down (S125)
                self.start_failed(member, error, "its restart failed: to be tried again")
                await self.put_off(member)
                return

    async def _stop_group(self, child: Child) -> list[Child]:
        """Stop the affected children; those to be started again are returned, in start order."""
        children = self._children
        group = [
            children[id] for id in affected(children.keys(), child.spec.id, self._plan.strategy)
        ]
        for member in reversed(group):
            await self.stop(member)
            if member.spec.restart == "temporary":  # S117
                del children[member.spec.id]
        return [member for member in group if member.spec.restart != "temporary"]

    def child_ended(self, child: Child, fate: Fate) -> None:
        """A transient child keeps its spec, a temporary one goes (S111); the supervisor may end."""
        if fate is Fate.FORGET:
            del self._children[child.spec.id]
        others = (
            other.pid is not None or other.restarting
            for other in self._children.values()
            if other.spec.significant
        )
        if ends_supervisor(self._plan.auto_shutdown, child.spec.significant, others):
            self.end(SHUTDOWN)

    # -- requests ---------------------------------------------------------------------------------

    async def serve(self, request: Any) -> object:
        """Answer a request about a child."""
        match request:
            case StartChild(spec=ChildSpec() as spec):
                return await self._start_child(spec)
            case TerminateChild(id=id):
                child = self._find(id)
                await self.stop(child)
                if child.spec.restart == "temporary":
                    del self._children[id]
                return None
            case RestartChild(id=id):
                return await self._restart_child(self._find_down(id))
            case DeleteChild(id=id):
                self._find_down(id)
                del self._children[id]
                return None
            case GetChildSpec(id=id):
                return self._find(id).spec
            case WhichChildren():
                return [child.info(id) for id, child in reversed(self._children.items())]
            case CountChildren():
                return counts(self._children.values())
            case _:
                return NotImplemented

    async def _start_child(self, spec: ChildSpec[Any]) -> Pid[Any]:
        present = self._children.get(spec.id)
        if present is not None:
            if present.pid is not None:
                raise AlreadyStartedError(f"child {spec.id!r}", present.pid)
            raise ChildAlreadyPresentError(self.process.pid, spec.id)
        self._check_fits(spec)
        child = self._children[spec.id] = Child(spec)
        try:
            await self.launch(child)
        except StartIgnoredError:
            self._ignored(child)
            raise
        except SuptreeError as error:
            del self._children[spec.id]
            self.start_failed(child, error, "start_child failed, its spec is not kept")
            raise
        return cast("Pid[Any]", child.pid)

    def _check_fits(self, spec: ChildSpec[Any]) -> None:
        who = self.process.name or self.process.label
        _check_significant(who, spec, self._plan.auto_shutdown)
        known = [child.spec for child in self._children.values()]
        arrange(who, [*(_independent(other) for other in known), spec], "listed")

    async def _restart_child(self, child: Child) -> Pid[Any]:
        try:
            await self.launch(child)
        except StartIgnoredError:
            raise
        except SuptreeError as error:
            self.start_failed(child, error, "restart_child failed, it stays down")
            raise
        return cast("Pid[Any]", child.pid)

    def _find(self, id: Any) -> Child:
        try:
            return self._children[id]
        except (KeyError, TypeError):  # TypeError: an id that cannot be hashed
            raise ChildNotFoundError(self.process.pid, id) from None

    def _find_down(self, id: Any) -> Child:
        child = self._find(id)
        if child.restarting:
            raise ChildRestartingError(self.process.pid, id)
        if child.pid is not None:
            raise ChildRunningError(self.process.pid, id)
        return child

    # -- code change --------------------------------------------------------------------------------

    def reread(self, new_class: type | None) -> None:
        """New options; known ids keep their process, new ones are down, others stay (S158)."""
        supervisor = self._supervisor
        old_class = supervisor.__class__
        if new_class is not None:
            supervisor.__class__ = new_class
        try:
            self._adopt(Plan.of(self.process.label, supervisor))
        except Exception:
            supervisor.__class__ = old_class
            raise
        old = self._children
        self._children = {spec.id: _renewed(old.get(spec.id), spec) for spec in self._plan.specs}
        for id, left in old.items():
            self._children.setdefault(id, left)


def _renewed(child: Child | None, spec: ChildSpec[Any]) -> Child:
    """The same process under a new spec."""
    new = Child(spec)
    if child is None:
        return new
    child.spec, child.options = spec, new.options
    return child


def _independent(spec: ChildSpec[Any]) -> ChildSpec[Any]:
    """Without what it depends on, which was checked when it was added."""
    return spec.with_(depends_on=()) if spec.depends_on else spec
