"""Unwinding: a killed process whose frames take their time, and what is done about it (law 3).

exit signal other than kill   cancel, 5 s of grace, then as for a kill
kill                          cancel, 1 s of grace, then close the coroutine
still there                   abandoned: dropped from the tree, counted, reported with its stack

While its runtime closes a killed process has 0.75 s, so that a program which is out of
time leaves within a second, with the last steps of thousands of others still to be done.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from suptree.core.events import PROCESS_ABANDONED
from suptree.core.exits import KILLED
from suptree.core.lifecycle import EXITING
from suptree.core.log import LOG
from suptree.core.process import Process
from suptree.core.stacks import await_chain, is_closed, stack_of

if TYPE_CHECKING:
    from suptree.core.runtime import Runtime

__all__ = ["Unwinder"]

EXIT_GRACE: Final = 5.0
KILL_GRACE: Final = 1.0
LAST_GRACE: Final = 0.75


class Unwinder:
    """Watches the processes of one runtime that are EXITING in a task."""

    __slots__ = ("_abandoned_event", "_runtime")

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._abandoned_event = runtime.telemetry.slot(PROCESS_ABANDONED)

    def watch(self, process: Process) -> None:
        """*process* was told to unwind: look again after its grace."""
        if process.escalation is not None:
            self._runtime.ticker.cancel(process.escalation)
        killed = process.exit_reason is KILLED
        grace = EXIT_GRACE
        if killed:
            grace = LAST_GRACE if self._runtime.closing else KILL_GRACE
        process.escalation = self._runtime.ticker.call_after(
            grace,
            lambda: self._close(process) if killed else self.escalate(process),
        )

    def escalate(self, process: Process) -> None:
        """A kill, or the end of the first grace, while it is still unwinding.

        Nothing more is done to a guest: its task belongs to the host, and was told (law 6).
        """
        if process.state is not EXITING or process.exit_reason is KILLED:
            return
        if process.body.kind == "guest":
            return
        process.exit_reason = KILLED
        if process.task is not None and not process.task.done():
            process.task.cancel()
            self.watch(process)

    def _close(self, process: Process) -> None:
        process.escalation = None
        if process.state is not EXITING:
            return
        task = process.task
        if task is None or task.done():
            process.finish(KILLED)
            return
        coroutine: Any = process.begun() or task.get_coro()
        stack = stack_of(coroutine)
        frames = await_chain(coroutine)
        fine, _ = process.guard(coroutine.close)
        process.job = None
        # Not our exception to show: it says "coroutine ignored GeneratorExit" or that it is closed.
        task.add_done_callback(_retrieve)
        task.cancel()
        # One that awaited while it was closed is still suspended, though nobody resumes it.
        if not fine or any(not is_closed(frame) for frame in frames):
            self._abandon(process, stack)
        process.finish(KILLED)

    def _abandon(self, process: Process, stack: str) -> None:
        """Drop it from the tree, count it, say where it stands."""
        self._runtime.abandoned.append((process.pid, stack))
        LOG.critical(
            "%r %s did not end when it was killed and is abandoned. It stood at:\n%s\n"
            "Let CancelledError and GeneratorExit through, and await nothing after them for long.",
            process.pid,
            process.label,
            stack,
        )
        if self._abandoned_event.handlers:
            self._abandoned_event.emit(
                {"count": 1}, {"pid": process.pid, "label": process.label, "stack": stack}
            )


def _retrieve(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
