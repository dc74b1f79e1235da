"""Births: how processes of one runtime come to be, the half of a runtime that makes them.

A process is made, named and linked before a line of its code runs; its init runs inline as far as
it goes.  `Runtime` is the only user; how a process ends is `reaper.py`.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, cast

from suptree.core.bodies import PlainBody
from suptree.core.context import CURRENT
from suptree.core.crashes import safe_repr
from suptree.core.delivery import ViaName
from suptree.core.exits import KILLED, NORMAL
from suptree.core.lifecycle import EXITING, Body
from suptree.core.mailbox import BoundedState, MailboxBound
from suptree.core.names import check_name
from suptree.core.pid import Pid
from suptree.core.process import Process
from suptree.core.room import SHALLOW, require_room
from suptree.core.signals import Signals, tie
from suptree.core.slot import Slot
from suptree.errors import AlreadyStartedError, RuntimeClosedError, StartTimeoutError

if TYPE_CHECKING:
    from suptree.core.runtime import Runtime
    from suptree.telemetry import Slot as EventSlot

__all__ = ["Births", "check_function"]

ANCESTORS_AT_MOST: Final = 64  # an endless line of spawns must not carry all who came before
NO_ANCESTORS: Final[tuple[Pid[Any], ...]] = ()


class Births(Signals):
    """What `Runtime` inherits: starting and spawning."""

    now: Callable[[], float]
    closed: bool
    processes: dict[int, Process]
    hide_task: Callable[[], asyncio.Task[Any] | None]
    show_task: Callable[[asyncio.Task[Any]], object]
    _started_event: EventSlot

    def start_process(
        self,
        body: Body,
        *,
        parent: Process | None = None,
        link: bool = True,
        name: str | ViaName | None = None,
        label: str = "",
        supervised: bool = False,
        trap_exit: bool = False,
        bound: MailboxBound | None = None,
        callers: tuple[Pid[Any], ...] = (),
        timeout: float | None = None,
    ) -> Slot:
        """Make a process and run its init, inline as far as it goes.

        Args:
            body: What it does; one body makes one process.
            parent: Who starts it; ancestors and, with *link*, a link come from it.
            link: Whether it is linked to *parent*, before init runs (S16).
            name: Registered before init runs (S24).
            label: For people.
            supervised: Whether *parent* is a supervisor that will account for a crash.
            trap_exit: Whether exit signals become messages.
            bound: Bound of the mailbox.
            callers: Who asked for the work (`$callers`, tasks).
            timeout: Seconds for init; it is killed then (S23).

        Returns:
            A slot, maybe filled already: the Pid, or StartError and its kin.
        """
        slot = Slot(self.runqueue)
        plain_name: str | None = None
        if name is not None:
            plain_name = name if isinstance(name, str) else None
            runtime = cast("Runtime", self)
            holder = self.whereis(name) if isinstance(name, str) else name.whereis(runtime)
            if holder is not None:
                slot.fail(AlreadyStartedError(name, holder))
                return slot
        bounded = None if bound is None else BoundedState(bound)
        process = self._make(body, parent, link, plain_name, label)
        process.supervised = supervised
        process.trap_exit = trap_exit
        process.callers = callers
        process.bounded = bounded
        process.start_slot = slot
        if name is not None and plain_name is None:
            try:
                name.claim(process)  # type: ignore[union-attr]
                process.alias = name  # type: ignore[assignment]
            except Exception as error:  # an unknown registry, or one that restarts
                process.start_failed(NORMAL, error)
                return slot
        hidden = self.hide_task()
        try:
            process.context.run(body.begin, process)
        finally:
            if hidden is not None:
                self.show_task(hidden)
        if process.state is EXITING and process.task is None:  # killed by its own init's doing
            process.finish(process.exit_reason)
        if timeout is not None and not slot.done():
            process.escalation = self.ticker.call_after(
                timeout, lambda: self._start_expired(process, slot, timeout)
            )
        return slot

    def spawn(
        self,
        function: Callable[..., Any],
        *args: Any,
        link: bool = False,
        name: str | None = None,
        label: str | None = None,
        trap_exit: bool = False,
        bound: MailboxBound | None = None,
        **kwargs: Any,
    ) -> Pid[Any]:
        """Start a plain process that runs ``function(*args, **kwargs)``; it begins on a later turn.

        Args:
            function: Async, with a task of its own, or plain, run in one turn.
            link: Link it to the current process, atomically (S16).
            name: Register it.
            label: For people; default the function's name.
            trap_exit: Exit signals become messages from the first moment on.
            bound: Bound of its mailbox.

        Raises:
            AlreadyStartedError: The name is taken.
            BadArgumentError: A wrong name or bound.
            TypeError: *function* cannot be called.
        """
        if self.thread_id != get_ident():
            self.check_thread("spawn")
        if not callable(function):
            check_function("spawn", function)
        parent = CURRENT.get()
        if parent is not None and parent.runtime is not self:
            parent = None
        if parent is not None and parent.state >= EXITING:
            parent.check_not_dead("spawn")
        if name is not None:
            check_name("spawn", name)
            holder = self.names.get(name)
            if holder is not None:
                raise AlreadyStartedError(name, holder.pid)
        bounded = None if bound is None else BoundedState(bound)
        body = PlainBody(function, args, kwargs)
        process = self._make(body, parent, link, name, label or _name_of(function))
        process.trap_exit = trap_exit
        process.bounded = bounded
        body.begin(process)
        return process.pid

    def _make(
        self, body: Body, parent: Process | None, link: bool, name: str | None, label: str
    ) -> Process:
        if self.closed:
            raise RuntimeClosedError(
                f"start: runtime {self.name!r} is closed. Nothing was started."
            )
        try:
            sys._getframe(SHALLOW)
        except ValueError:
            pass
        else:  # what is entered below could not be taken back at the end of a stack
            require_room("start")
        number = self.next_id()
        runtime = cast("Runtime", self)
        pid: Pid[Any] = Pid(number, runtime)
        context = contextvars.copy_context()
        process = Process(pid, runtime, body, context)
        context.run(CURRENT.set, process)
        pid._process = process  # pyright: ignore[reportPrivateUsage]
        process.label = label
        process.started_at = self.now()
        self.processes[number] = process
        if parent is not None:
            process.lineage = parent.child_lineage or _child_lineage(parent)
            if link:
                process.parent = parent
                tie(process, parent)
        if name is not None:
            self.names.register(name, process)
        if self._started_event.handlers:
            self._started_event.emit(
                {"processes_count": len(self.processes)},
                {"pid": pid, "label": label, "parent": None if parent is None else parent.pid},
            )
        return process

    def make_guest(self, body: Body, label: str) -> Process:
        """A process whose code is a task of the host; it keeps the host's context."""
        process = self._make(body, CURRENT.get(), False, None, label)
        process.lineage = NO_ANCESTORS
        return process

    def _start_expired(self, process: Process, slot: Slot, timeout: float) -> None:
        if slot.done():
            return
        parent = process.parent
        if parent is not None:
            self.unlink_processes(process, parent)
        slot.fail(StartTimeoutError(process.label, timeout))
        process.doom(KILLED)


def check_function(doing: str, function: object) -> None:
    """Refuse what cannot be called, where it is given."""
    if callable(function):
        return
    hint = ""
    if asyncio.iscoroutine(function):
        function.close()
        name = getattr(function, "__name__", "f")
        hint = f" Give {name} and its arguments, not {name}(...): the process makes the call."
    raise TypeError(f"{doing}: must be given a function; got {safe_repr(function, 200)}.{hint}")


def _child_lineage(parent: Process) -> tuple[Pid[Any], ...]:
    """The ancestors of a child, nearest first (S26); shared by all children of *parent*."""
    lineage = (parent.pid, *parent.lineage[: ANCESTORS_AT_MOST - 1])
    parent.child_lineage = lineage
    return lineage


def _name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", None) or type(function).__qualname__
