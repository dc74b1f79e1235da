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
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

from suptree.clock import loop_clock
from suptree.core import events
from suptree.core.asyncio_private import TaskHiding, task_hiding
from suptree.core.births import Births
from suptree.core.bodies import GuestBody
from suptree.core.context import OPEN
from suptree.core.delivery import Target
from suptree.core.exits import SHUTDOWN
from suptree.core.info import ProcessInfo, TreeNode, info_of, tree_of
from suptree.core.interrupts import Interrupts
from suptree.core.lifecycle import EXITING
from suptree.core.lifetime import close_runtime, guest, open_runtime
from suptree.core.losses import Losses
from suptree.core.names import Names
from suptree.core.owned import Closers
from suptree.core.pid import Pid
from suptree.core.portal import Portal
from suptree.core.process import Process
from suptree.core.propagation import Propagator, time_left
from suptree.core.reaper import Reaper
from suptree.core.reports import Reporter
from suptree.core.runqueue import RunQueue
from suptree.core.ticker import Ticker
from suptree.core.unwinding import Unwinder
from suptree.errors import (
    ForkedRuntimeError,
    NoProcessError,
    RuntimeClosedError,
    WrongThreadError,
)
from suptree.telemetry import TelemetryBus

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Runtime"]

NO_THREAD: Final = -1


class Runtime(Births):
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


def _after_fork_in_child() -> None:
    for runtimes in OPEN.values():
        for runtime in runtimes:
            runtime.thread_id = NO_THREAD


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
