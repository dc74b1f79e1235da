"""Reaping: what happens when a process has ended, in the order of the BEAM.

    name freed -> timers dropped -> owned resources closed, tables handed on
    -> callers answered -> Exit to links -> Down to monitors -> telemetry

A death may kill others through links: that is a work list, never recursion (law 3).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from suptree.core.lifecycle import DEAD, EXITING
from suptree.core.messages import CALL, CAST, INFO
from suptree.core.process import Process
from suptree.errors import ServerExitError, StartError

if TYPE_CHECKING:
    from suptree.core.runtime import Runtime

__all__ = ["Reaper"]


class Reaper:
    """Buries the dead of one runtime, one after the other."""

    __slots__ = ("_busy", "_list", "_runtime")

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._list: deque[tuple[Process, object]] = deque()
        self._busy = False

    def reap(self, process: Process, reason: object) -> None:
        """Bury *process*; deaths that follow from it are buried before this returns, or later
        in the same list if a burial is under way."""
        if process.state < EXITING:
            process.state = EXITING
        process.exit_reason = reason
        self._list.append((process, reason))
        if self._busy:
            return
        self._busy = True
        try:
            while self._list:
                dead, why = self._list.popleft()
                if dead.state is not DEAD:
                    self._bury(dead, why)
        finally:
            self._busy = False

    def _bury(self, process: Process, reason: object) -> None:
        runtime = self._runtime
        process.state = DEAD
        pid = process.pid
        runtime.processes.pop(pid.id, None)
        if process.name is not None:
            runtime.names.free(process)
        if process.timers is not None:
            runtime.ticker.timers.drop_owner(process)
        if process.escalation is not None:
            runtime.ticker.cancel(process.escalation)
            process.escalation = None
        if process.idle_timer is not None:
            runtime.ticker.cancel(process.idle_timer)
            process.idle_timer = None
        if process.owned is not None:
            runtime.closers.close_all(process)
        if process.tables is not None:
            for table in list(process.tables):
                table.owner_died(process)
        pid._process = None  # pyright: ignore[reportPrivateUsage]
        if process.current is not None:
            current, process.current = process.current, None
            if current[0] == CALL and current[1] is not None:
                current[1].fail(ServerExitError(pid, reason))
        if process.pending or process.mailbox or process.bounded is not None:
            self._answer_callers(process, reason)
        slot, process.start_slot = process.start_slot, None
        parent = process.parent
        if slot is not None and parent is not None and parent.trap_exit:
            # The starter learns it from the error; no Exit stays behind (OTP 26+, see semantics).
            runtime.unlink_processes(process, parent)
        if process.links:
            self._tell_links(process, reason)
        if process.monitors is not None:
            self._tell_monitors(process, reason)
        if process.watching is not None:
            for monitor in process.watching.values():
                monitor.take_back()
            process.watching = None
        if slot is not None:
            error = StartError(process.label, reason)
            error.process = pid
            slot.fail(error)
        if process.task is not None:
            process.stop_waiting()
        kind = process.body.kind
        if kind in ("supervisor", "kernel"):
            runtime.reporter.flush(process)
        if runtime.exited_event.handlers:
            runtime.exited(process, reason)
        if kind != "guest":  # whose block still runs, and asks its body why it ends
            process.let_go()

    def _answer_callers(self, process: Process, reason: object) -> None:
        if process.pending:
            for reply_to in process.pending:
                reply_to.fail(ServerExitError(process.pid, reason))
            process.pending = None
        for envelope in process.mailbox:
            if envelope[0] == CALL:
                envelope[1].fail(ServerExitError(process.pid, reason, unread=True))
            elif envelope[0] in (INFO, CAST):
                self._runtime.losses.unread += 1
        process.mailbox.clear()
        if process.bounded is not None:
            for waiting in process.bounded.waiting:
                waiting.set(None)

    def _tell_monitors(self, process: Process, reason: object) -> None:
        monitors, process.monitors = process.monitors, None
        assert monitors is not None
        for monitor in monitors:
            if monitor.slot is not None:
                monitor.slot.set(reason)
            else:
                monitor.tell(reason)

    def _tell_links(self, process: Process, reason: object) -> None:
        links, process.links = process.links, None
        assert links is not None
        for other, late in links.items():
            if late is not None:  # it was not alive when this link was made
                late.take_back()
                continue
            if other.links is not None:
                other.links.pop(process, None)
            self._runtime.exit_from_link(process, other, reason)
