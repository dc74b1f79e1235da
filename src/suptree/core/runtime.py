"""A runtime: the processes of one event loop.  A value you make; a loop may hold several.

It makes processes and tasks (nobody else does), delivers messages and signals, and
has the dead buried.  Everything here is synchronous and belongs to one thread; the
portal is the way in from another one.

>>> import asyncio, suptree
>>> async def main():
...     async with suptree.Runtime() as rt:
...         async def echo():
...             message = await suptree.receive()
...             suptree.send(message[0], message[1])
...         pid = rt.spawn(echo)
...         suptree.send(pid, (suptree.current(), "hello"))
...         return await suptree.receive()
>>> asyncio.run(main())
'hello'
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import os
import random
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, Protocol

from suptree.clock import loop_clock
from suptree.core import events
from suptree.core.asyncio_private import TaskHiding, task_hiding
from suptree.core.bodies import GuestBody, PlainBody
from suptree.core.bounds import reserve_place
from suptree.core.context import CURRENT, OPEN
from suptree.core.crashes import safe_repr
from suptree.core.exits import KILLED, NORMAL, SHUTDOWN
from suptree.core.info import ProcessInfo, TreeNode, info_of, tree_of
from suptree.core.interrupts import Interrupts
from suptree.core.lifecycle import EXITING, IDLE, RESTING, Body
from suptree.core.lifetime import close_runtime, guest, open_runtime
from suptree.core.losses import Losses
from suptree.core.mailbox import BoundedState, MailboxBound
from suptree.core.messages import IDLE_TIMEOUT, INFO, SYSTEM
from suptree.core.names import Names
from suptree.core.owned import Closers
from suptree.core.pid import Pid
from suptree.core.portal import Portal
from suptree.core.process import Process
from suptree.core.propagation import Propagator, carry, time_left
from suptree.core.reaper import Reaper
from suptree.core.reports import Reporter
from suptree.core.room import SHALLOW, require_room
from suptree.core.runqueue import RunQueue
from suptree.core.signals import Signals, Target, tie
from suptree.core.slot import ReplyTo, Slot
from suptree.core.ticker import Ticker
from suptree.core.unwinding import Unwinder
from suptree.errors import (
    AlreadyStartedError,
    CrossRuntimeError,
    ForkedRuntimeError,
    NoProcessError,
    RuntimeClosedError,
    StartTimeoutError,
    WrongThreadError,
)
from suptree.telemetry import TelemetryBus

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Runtime", "Target", "ViaName", "check_function"]

NO_THREAD: Final = -1
ANCESTORS_AT_MOST: Final = 64  # an endless line of spawns must not carry all who came before
NO_ANCESTORS: Final[tuple[Pid[Any], ...]] = ()


class ViaName(Protocol):
    """A name that something else than the runtime keeps, such as a registry's key (OTP: `via`)."""

    def whereis(self, runtime: Runtime) -> Pid[Any] | None:
        """The live process of that name, or None."""
        ...

    def claim(self, process: Process) -> None:
        """Give the name to *process*, which has not run yet; `whereis` said it is free."""
        ...


class Runtime(Signals):
    """The processes of one event loop.  Use as ``async with Runtime() as rt:``.

    Args:
        name: For people, when several runtimes are open.
        direct_call: Whether a call to an idle server runs in the caller's turn, up
            to where its handler suspends; 'random' throws a die per call (testing).
        seed: Shuffles the ready queue, reproducibly (testing); None keeps arrival order.
        keep_frames: `Crashed.exception` keeps its traceback (development: it also
            keeps every local variable alive).
        stop_timeout: Seconds that everything together has to end in order when the
            block is left; what is still there then is killed.
        telemetry: The bus to emit to; default: one of its own.

    Attributes:
        propagator: Says what travels beside messages; None, the default: nothing does.
        next_id: Gives a number never given out before in this runtime.
        can_hide: Whether this Python lets a task be hidden, and another one shown, for a while.
        exited_event: Who listens for the end of processes; the reaper looks here first.
    """

    def __init__(
        self,
        *,
        name: str = "suptree",
        direct_call: bool | Literal["random"] = True,
        seed: int | None = None,
        keep_frames: bool = False,
        stop_timeout: float = 10.0,
        telemetry: TelemetryBus | None = None,
    ) -> None:
        self.name = name
        self.direct_call = direct_call
        self.seed = seed
        self.keep_frames = keep_frames
        self.stop_timeout = stop_timeout
        self._own_bus = telemetry is None
        self.telemetry = TelemetryBus() if telemetry is None else telemetry
        self.telemetry.time_left = time_left
        self.propagator: Propagator | None = None
        self.closing = False
        self.closed = True
        self.os_pid = 0
        self.thread_id = NO_THREAD
        self.processes: dict[int, Process] = {}
        self.names = Names()
        self.losses = Losses()
        self.tables: dict[str, Any] = {}  # named ones
        self.root: Process | None = None
        self.outer: Process | None = None
        self.stop_reason: object = SHUTDOWN
        self.interrupts = Interrupts(self)
        self.interrupt_hook: Callable[[], bool] | None = None
        self.close_hooks: list[Callable[[], Awaitable[object]]] = []
        self.abandoned: list[tuple[Pid[Any], str]] = []
        self.overdue: list[Pid[Any]] = []  # killed because the stop timeout was over
        self.next_id: Callable[[], int] = itertools.count(1).__next__
        self.portal = Portal(self)
        self.portal_tasks: set[asyncio.Task[Any]] = set()
        self.closers = Closers(self)
        self._reaper = Reaper(self)
        self._unwinder = Unwinder(self)
        self.reap = self._reaper.reap
        self.watch_unwinding = self._unwinder.watch
        self.escalate = self._unwinder.escalate
        self._started_event = self.telemetry.slot(events.PROCESS_STARTED)
        self.exited_event = self.telemetry.slot(events.PROCESS_EXITED)
        self._crashed_event = self.telemetry.slot(events.PROCESS_CRASHED)
        self._overflowed_event = self.telemetry.slot(events.MAILBOX_OVERFLOWED)

    # -- opening and closing -------------------------------------------------------

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Bind to *loop* and this thread; called once, by `__aenter__`."""
        rng = None if self.seed is None else random.Random(self.seed)
        random_direct = self.direct_call == "random"
        self.loop = loop
        self.thread_id = get_ident()
        self.os_pid = os.getpid()
        self.now = loop_clock(loop)
        if self._own_bus:
            self.telemetry.clock = self.now
        hiding = task_hiding(loop)
        self.can_hide = hiding is not None
        self.hide_task, self.show_task = hiding or TaskHiding(_hide_nothing, _show_nothing)
        self.runqueue = RunQueue(
            loop,
            direct_call=bool(self.direct_call) and self.can_hide,
            rng=rng if rng is not None or not random_direct else random.Random(0),
            random_direct=random_direct and self.can_hide,
        )
        self.ticker = Ticker(loop, self.now, self.runqueue, self.next_id)
        self.reporter = Reporter(self.now, self.ticker.call_after)
        self.reporter.on_crash = self._crashed
        self.closed = False
        OPEN.setdefault(loop, []).append(self)

    async def __aenter__(self) -> Runtime:
        open_runtime(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await close_runtime(self, error)

    def guest(self, label: str = "guest") -> AbstractAsyncContextManager[Pid[Any]]:
        """Make the current task a process for the length of a block (law 6).

        A guest has a pid and a mailbox and traps exits: monitor, receive, link and
        timers work in it.  Killed, or when a tree that it started gives up, its task
        is cancelled and the block raises RuntimeStoppedError.

        >>> async with rt.guest("request"):
        ...     ref = st.monitor("worker")
        """
        return guest(self, label)

    def stop(self, reason: object = SHUTDOWN, what: str = "a request") -> None:
        """End the block of this runtime in order, as if a tree in it had given up.

        The body of ``async with Runtime()`` is cancelled, and the block raises
        RuntimeStoppedError(reason) after everything has ended.
        """
        self.check_thread("stop")
        if not self.closing and self.root is not None:
            assert isinstance(self.root.body, GuestBody)
            self.root.body.stop(reason, what)

    def is_ending(self) -> bool:
        """Whether the runtime closes, or the host is ending the task that opened it (law 12)."""
        if self.closing or self.root is None or self.root.task is None:
            return True
        return self.root.task.cancelling() > 0 or self.root.task.done()

    def interrupted(self) -> bool:
        """Whether a KeyboardInterrupt just seen is a stop request (law 13)."""
        if self.interrupt_hook is not None and self.interrupt_hook():
            self.stop(SHUTDOWN, "Ctrl-C")
            return True
        return False

    def check_thread(self, doing: str) -> None:
        """Refuse another thread, a forked child, and a closed runtime."""
        if get_ident() == self.thread_id:
            return
        if self.closed:
            raise RuntimeClosedError(
                f"{doing}: runtime {self.name!r} is not open. Nothing was done."
            )
        if os.getpid() != self.os_pid:
            raise ForkedRuntimeError(
                f"{doing}: runtime {self.name!r} belongs to the process that was forked. "
                "Open a runtime of its own in the child, or start children with 'spawn'."
            )
        raise WrongThreadError(
            f"{doing}: runtime {self.name!r} belongs to another thread. "
            "From here, use its portal: rt.portal.send, rt.portal.call or rt.portal.run."
        )

    # -- processes -------------------------------------------------------------------

    def make_task(
        self, coroutine: Coroutine[Any, Any, Any], context: contextvars.Context, name: str
    ) -> asyncio.Task[Any]:
        """Make a task; nobody else does.  Never by the host's task factory (law 11)."""
        return asyncio.Task(coroutine, loop=self.loop, context=context, name=name)

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
            holder = self.whereis(name) if isinstance(name, str) else name.whereis(self)
            if holder is not None:
                slot.fail(AlreadyStartedError(name, holder))
                return slot
        process = self._make(body, parent, link, plain_name, label)
        process.supervised = supervised
        process.trap_exit = trap_exit
        process.callers = callers
        if bound is not None:
            process.bounded = BoundedState(bound)
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
        pid: Pid[Any] = Pid(number, self)
        context = contextvars.copy_context()
        process = Process(pid, self, body, context)
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
            name: Register it; NameTakenError's kin AlreadyStartedError if taken.
            label: For people; default the function's name.
            trap_exit: Exit signals become messages from the first moment on.
            bound: Bound of its mailbox.
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
            holder = self.names.get(name)
            if holder is not None:
                raise AlreadyStartedError(name, holder.pid)
        body = PlainBody(function, args, kwargs)
        process = self._make(body, parent, link, name, label or _name_of(function))
        process.trap_exit = trap_exit
        if bound is not None:
            process.bounded = BoundedState(bound)
        body.begin(process)
        return process.pid

    def exited(self, process: Process, reason: object) -> None:
        """The reaper's last step, if anybody listens: telemetry."""
        self.exited_event.emit(
            {
                "lifetime_s": self.now() - process.started_at,
                "messages_count": process.messages_in,
            },
            {"pid": process.pid, "label": process.label, "reason": reason},
        )

    # -- finding ----------------------------------------------------------------------

    def find(self, target: Target | ViaName, doing: str = "send") -> Process | None:
        """The live process behind a pid, a name or a registry key, or None; checks thread and runtime."""
        if self.thread_id != get_ident():
            self.check_thread(doing)
        if isinstance(target, Pid):
            if target.runtime is not self:
                raise CrossRuntimeError(
                    f"{doing}: {target!r} lives in runtime {target.runtime.name!r}, not {self.name!r}."
                )
            process = target._process  # pyright: ignore[reportPrivateUsage]
        elif isinstance(target, str):
            process = self.names.table.get(target)
        else:
            whereis = getattr(target, "whereis", None)
            if whereis is None:
                raise not_a_target(target, doing)
            pid = whereis(self)
            process = None if pid is None else pid._process  # pyright: ignore[reportPrivateUsage]
        return process if process is not None and process.state < EXITING else None

    def whereis(self, name: str) -> Pid[Any] | None:
        """The pid registered as *name*, or None."""
        self.check_thread("whereis")
        process = self.names.get(name)
        return None if process is None else process.pid

    def registered(self) -> list[str]:
        """The names in use, sorted."""
        return list(self.names)

    def alive(self) -> list[Pid[Any]]:
        """The pids of all live processes, oldest first; the guests are among them."""
        return [p.pid for p in self.processes.values() if p.state < EXITING]

    def info(self, target: Target) -> ProcessInfo:
        """Look at one process: state, mailbox, links, where its code stands.

        Raises:
            NoProcessError: It has ended, or nobody has that name.
        """
        self.check_thread("info")
        process = target._process if isinstance(target, Pid) else self.names.get(target)
        if process is None or process.runtime is not self:
            raise NoProcessError(target, "info")
        return info_of(process)

    def tree(self) -> list[TreeNode]:
        """Every process, each below its parent; guests and parentless ones at the top."""
        self.check_thread("tree")
        return tree_of(self)

    # -- messages ------------------------------------------------------------------------

    def send(self, target: Target | ViaName, message: object) -> None:
        """Send *message*; to a dead pid it is dropped, to an unknown name it raises (S15).

        Raises:
            NoProcessError: No process has that name.
            MailboxFullError: Its bounded mailbox is full, with policy 'reject'.
        """
        process = self.find(target)
        if process is not None:
            if self.propagator is None:
                process.deliver((INFO, message))
            else:
                process.deliver(carry(self, (INFO, message)))
        elif isinstance(target, Pid):
            self.losses.to_dead += 1
        else:
            raise NoProcessError(target, "send", self.names.hint_for(target))

    async def send_wait(self, target: Target, message: object) -> None:
        """Send *message*, waiting for a place in a bounded mailbox, behind those who wait already.

        Raises:
            NoProcessError: No process has that name.
            MailboxFullError: It is the mailbox of the sender itself.
        """
        process = self.find(target, "send_wait")
        bounded = None if process is None else process.bounded
        if process is None or bounded is None or not await reserve_place(process):
            self.send(target, message)
        else:
            bounded.users -= 1
            process.deliver(carry(self, (INFO, message)))

    def reply(self, sender: ReplyTo, value: object) -> None:
        """Answer a call, from any process (S32); a second or late reply is dropped."""
        self.check_thread("reply")
        pending = sender.callee.pending
        if pending is not None:
            pending.discard(sender)
        if not sender.set(value):
            self.losses.late_replies += 1

    def overflowed(self, process: Process, policy: str) -> None:
        """Telemetry of a full mailbox."""
        if self._overflowed_event.handlers and process.bounded is not None:
            self._overflowed_event.emit(
                {"queue_len": len(process.mailbox), "limit": process.bounded.bound.limit},
                {"pid": process.pid, "label": process.label, "policy": policy},
            )

    # -- requests of the runtime itself --------------------------------------------------

    def park(self) -> Slot:
        """A slot that nobody fills: for a caller that is to be unwound at this await."""
        return Slot(self.runqueue)

    def system(self, target: Target, operation: Callable[[Any], object], doing: str) -> Slot:
        """Send a system request; the slot gets what ``operation(body)`` returns or raises."""
        process = self.find(target, doing)
        slot = Slot(self.runqueue)
        if process is None:
            slot.fail(NoProcessError(target, doing))
            return slot
        reply_to = ReplyTo(self.runqueue, process, CURRENT.get())
        if process.pending is None:
            process.pending = set()
        process.pending.add(reply_to)
        process.deliver((SYSTEM, reply_to, operation))
        return reply_to

    # -- idle timeouts of servers -------------------------------------------------------------

    def set_idle_timeout(self, process: Process, seconds: float) -> None:
        """Send TIMEOUT to *process* unless a message comes within *seconds* (S36)."""
        self.clear_idle_timeout(process)
        if process.state >= EXITING:
            return
        process.resting = RESTING
        timer = process.idle_timer = self.ticker.call_after(
            seconds, lambda: self._idle_expired(process, timer)
        )
        timer.message = seconds
        if seconds == 0 and not process.mailbox:
            self.ticker.cancel(timer)
            process.own_mailbox().append((IDLE_TIMEOUT, timer))

    def clear_idle_timeout(self, process: Process) -> None:
        """A message came."""
        timer, process.idle_timer = process.idle_timer, None
        if timer is not None:
            self.ticker.cancel(timer)
        if process.debug is None:
            process.resting = IDLE

    def _idle_expired(self, process: Process, timer: Any) -> None:
        if process.state is RESTING and process.idle_timer is timer:
            process.deliver((IDLE_TIMEOUT, timer))

    # -- crashes ---------------------------------------------------------------------------------

    def _crashed(self, process: Process, reason: object) -> None:
        if self._crashed_event.handlers:
            self._crashed_event.emit(
                {"count": 1}, {"pid": process.pid, "label": process.label, "reason": reason}
            )

    def owned_task_failed(self, process: Process, error: BaseException) -> None:
        """A task that *process* owns raised: an exit signal, as from a linked process."""
        reason = process.reason_of(error)
        if not process.trap_exit:
            process.note_crash(reason)
        self._exit_signal(process, None, reason, asked=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} cannot be pickled: it belongs to one event loop. "
            "Open a runtime of its own in the other process, and send it data."
        )

    def __repr__(self) -> str:
        state = "closed" if self.closed else "closing" if self.closing else "open"
        return f"<Runtime {self.name!r} {state}, {len(self.processes)} processes>"


def _hide_nothing() -> None:
    return None


def _show_nothing(task: asyncio.Task[Any]) -> None:
    return None


def not_a_target(target: object, doing: str) -> TypeError:
    """The error of what is neither pid nor name nor a name of the `ViaName` kind."""
    return TypeError(
        f"{doing}: must go to a pid, a name or via(registry, key); got {safe_repr(target, 200)}. "
        "Look the process up, or give it a name."
    )


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


def _after_fork_in_child() -> None:
    for runtimes in OPEN.values():
        for runtime in runtimes:
            runtime.thread_id = NO_THREAD


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
