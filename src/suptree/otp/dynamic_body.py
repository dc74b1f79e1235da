"""The process side of `DynamicSupervisor`: children by pid, each for itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, cast

from suptree.core import Pid
from suptree.errors import (
    ChildNotFoundError,
    ChildSpecError,
    MaxChildrenError,
    StartIgnoredError,
    SuptreeError,
)
from suptree.otp.child_spec import ChildSpec, Shutdown, change_arguments
from suptree.otp.children import (
    Child,
    CountChildren,
    GetChildSpec,
    StartChild,
    TerminateChild,
    WhichChildren,
    counts,
)
from suptree.otp.restart import Fate
from suptree.otp.shutdown import stop_together
from suptree.otp.supervising import SupervisingBody

__all__ = ["DynamicBody"]


class DynamicBody(SupervisingBody):
    """The process side.  Running children are in `running`; those to be tried again, here."""

    def __init__(self, make: Callable[[], Any]) -> None:
        super().__init__(make)
        self._restarting: dict[Pid[Any], Child] = {}

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
        self.make()
        self.adopt()

    def adopt(self) -> None:
        """Take the options that the instance says."""
        supervisor = self.instance
        supervisor.check(self.process.label)
        self.window.limit = supervisor.max_restarts
        self.window.period = supervisor.max_seconds
        self.extra = supervisor.extra_arguments

    async def stop_children(self) -> None:
        """All at once, each with its own time (S177)."""
        for child in self._restarting.values():
            self.calm(child)
        children: list[tuple[Pid[Any], Shutdown]] = [
            (pid, child.spec.shutdown) for pid, child in self.running.items()
        ]
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
        template = self.instance.template
        if request.spec is None:
            if template is None:
                raise ChildSpecError(
                    f"{self._who()}: has no template. Use start_child(supervisor, spec)."
                )
            return change_arguments(template, lambda args: args + request.args)
        if template is not None:
            raise ChildSpecError(
                f"{self._who()}: starts children from its template only. Use start_more(supervisor, *args)."
            )
        if request.spec.significant:
            raise ChildSpecError(
                f"{self._who()}: child {request.spec.id!r}: significant must be False: a dynamic supervisor "
                "has no auto_shutdown."
            )
        return request.spec

    def _who(self) -> str:
        return f"{self.process.pid!r} {self.process.label}"

    async def _start_child(self, spec: ChildSpec[Any]) -> Pid[Any]:
        limit = self.instance.max_children
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
        try:
            return self.running.get(pid) or self._restarting[pid]
        except (KeyError, TypeError):  # TypeError: not a pid at all
            raise ChildNotFoundError(self.process.pid, pid) from None

    def reread(self) -> None:
        """New options; the children stay (S158)."""
        self.adopt()
