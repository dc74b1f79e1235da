"""The process side of `Supervisor`: children by id, in start order, and what their ends lead to.

Reads with `restart.py` beside it: that decides, this carries out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from suptree.core import SHUTDOWN, FailedToStartChild, Pid, safe_repr
from suptree.core import Shutdown as ShutdownReason
from suptree.errors import (
    AlreadyStartedError,
    BadRequestError,
    ChildAlreadyPresentError,
    ChildNotFoundError,
    ChildRestartingError,
    ChildRunningError,
    ProcessExit,
    StartIgnoredError,
    SuptreeError,
)
from suptree.otp.child_spec import ChildSpec
from suptree.otp.children import (
    Child,
    CountChildren,
    DeleteChild,
    GetChildSpec,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
    counts,
)
from suptree.otp.plan import Plan, PlanSource, check_significant
from suptree.otp.restart import Fate, affected, ends_supervisor
from suptree.otp.start_order import arrange
from suptree.otp.supervising import SupervisingBody

__all__ = ["SupervisorBody"]


class SupervisorBody(SupervisingBody):
    """See the module text."""

    def __init__(self, make: Callable[[], PlanSource]) -> None:
        super().__init__(make)
        self._plan: Plan
        self._children: dict[Any, Child] = {}

    def children_of(self) -> list[tuple[Any, Pid[Any] | str | None, str]]:
        """Id, pid and type of each child, in start order."""
        return [
            (id, "restarting" if child.restarting else child.pid, child.spec.type)
            for id, child in self._children.items()
        ]

    # -- start and stop ---------------------------------------------------------------------

    async def start_up(self) -> None:
        """Start all children in order; the first that fails stops those before it (S101)."""
        self.make()
        self.adopt()
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

    def adopt(self) -> None:
        """Take the options and specs that the instance says."""
        plan = self._plan = Plan.of(self.process.label, self.instance)
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
        alone = self._plan.strategy == "one_for_one"  # most restarts, and nobody to stop
        for member in (child,) if alone else await self._stop_group(child):
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
        present = self._lookup(spec.id)
        self._check_fits(spec)  # refused before a taken id is, as the BEAM does (S105, S150)
        if present is not None:
            if present.pid is not None:
                raise AlreadyStartedError(f"child {spec.id!r}", present.pid)
            raise ChildAlreadyPresentError(self.process.pid, spec.id)
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
        check_significant(who, spec, self._plan.auto_shutdown)
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

    def _lookup(self, id: Any) -> Child | None:
        try:
            return self._children.get(id)
        except TypeError:  # it cannot be hashed
            return None
        except Exception as error:  # an id with an __eq__ of its own: the mistake of who asks
            raise BadRequestError(
                self.process.pid,
                f"a request about child {safe_repr(id, 200)}",
                f"comparing that id raised {safe_repr(error, 200)}. Use strings, numbers or tuples.",
            ) from None

    def _find(self, id: Any) -> Child:
        child = self._lookup(id)
        if child is None:
            raise ChildNotFoundError(self.process.pid, id)
        return child

    def _find_down(self, id: Any) -> Child:
        child = self._find(id)
        if child.restarting:
            raise ChildRestartingError(self.process.pid, id)
        if child.pid is not None:
            raise ChildRunningError(self.process.pid, id)
        return child

    # -- code change --------------------------------------------------------------------------------

    def reread(self) -> None:
        """New options; known ids keep their process, new ones are down, others stay (S158)."""
        self.adopt()
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
