"""Signals: exits, links and monitors, the half of a runtime that carries them.

Signals are carried out at once where OTP does so (kill, and exits to a process that
does not trap); the others become messages and keep their place in the mailbox.
`Runtime` is the only user; what happens when a process has ended is `reaper.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from suptree.core.delivery import Delivery, Target
from suptree.core.exits import KILL, KILLED, NOPROC, NORMAL
from suptree.core.lifecycle import EXITING, LateLink, LateMonitor, Monitor
from suptree.core.messages import DOWN, EXIT, Down, Exit
from suptree.core.pid import Pid, Ref
from suptree.core.process import Process
from suptree.core.slot import Slot
from suptree.core.stacks import stands_deep
from suptree.errors import NoProcessError

__all__ = ["Signals", "tie"]


class Signals(Delivery):
    """What `Runtime` inherits: exit signals, links, monitors."""

    next_id: Callable[[], int]
    """Gives a number never given out before in this runtime."""

    def exit(self, target: Target, reason: object, sender: Process | None) -> None:
        """Send an exit signal (S2-S7); `KILL` cannot be trapped."""
        process = self.find(target, "exit")
        if process is None:
            dying = _dying(target)
            if dying is not None and reason is KILL:
                dying.doom(KILLED)
            return
        if stands_deep():  # no burial may run out of stack half-way: the run loop has its own
            process.put_off(self._exit, process, sender, reason)
        else:
            self._exit(process, sender, reason)

    def _exit(self, process: Process, sender: Process | None, reason: object) -> None:
        if reason is KILL:
            process.doom(KILLED)
        else:
            self._exit_signal(process, sender, reason, asked=True)

    def exit_from_link(self, dead: Process, process: Process, reason: object) -> None:
        """The reaper's: *dead* was linked to *process* (S8); KILL is an ordinary reason here (S6)."""
        if process.state >= EXITING:
            return
        if process.body.kind == "guest" and getattr(dead.body, "gave_up", False):
            what = f"{dead.name or dead.label} {dead.pid!r}, which gave up,"
            process.body.stop(reason, what)  # type: ignore[attr-defined]  # a GuestBody
        self._exit_signal(process, dead, reason, asked=False)

    def _exit_signal(
        self, process: Process, sender: Process | None, reason: object, *, asked: bool
    ) -> None:
        if process.trap_exit:
            pid = process.pid if sender is None else sender.pid
            process.deliver((EXIT, Exit(pid, reason)))
        elif reason is not NORMAL or (asked and sender is process):
            process.doom(reason)

    def link(self, process: Process, target: Target) -> None:
        """Link *process* with *target* (S8, S10)."""
        other = self.find(target, "link")
        if other is process:
            return
        if other is not None:
            tie(process, other)
            return
        dying = _dying(target)
        if dying is process or (process.links is not None and dying in process.links):
            return  # linked already, and told when its frames have unwound
        if not process.trap_exit or not isinstance(target, Pid):
            raise NoProcessError(target, "link")
        if dying is None:
            process.deliver((EXIT, Exit(target, NOPROC)))
            return
        if process.links is None:
            process.links = {}
        late = process.links[dying] = LateLink(None, process, dying, target, None)
        _watch(late)

    def unlink(self, process: Process, target: Target) -> None:
        """Remove the link; an Exit that is in the mailbox already stays there (S9)."""
        other = self.find(target, "unlink") or _dying(target)
        if other is not None:
            self.unlink_processes(process, other)

    def unlink_processes(self, one: Process, other: Process) -> None:
        """Remove the link between two processes, if there is one."""
        for process, linked in ((one, other), (other, one)):
            late = None if process.links is None else process.links.pop(linked, None)
            if late is not None:
                late.take_back()

    def monitor(self, watcher: Process, target: Target) -> Ref:
        """Have *watcher* told when *target* ends: exactly one Down (S11)."""
        ref = Ref(self.next_id())
        process = self.find(target, "monitor")
        if process is watcher:  # nobody outlives himself: there is nothing to tell
            return ref
        if process is not None:
            monitor = Monitor(ref, watcher, process, target, None)
        elif (dying := _dying(target)) is not None:
            monitor = LateMonitor(ref, watcher, dying, target, None)
        else:
            watcher.deliver((DOWN, Down(ref, target, NOPROC)))
            return ref
        _watch(monitor)
        if watcher.watching is None:
            watcher.watching = {}
        watcher.watching[ref] = monitor
        return ref

    def demonitor(self, watcher: Process, ref: Ref, *, flush: bool = False) -> bool:
        """Remove a monitor; True if it was still there, so that no Down came or will (S12)."""
        monitor = None if watcher.watching is None else watcher.watching.pop(ref, None)
        if monitor is not None:
            monitor.take_back()
        elif flush:
            watcher.mailbox.take(lambda e: e[0] == DOWN and e[1].ref is ref)
        return monitor is not None

    def down_slot(self, pid: Pid[Any], slot: Slot | None = None) -> Slot:
        """A slot that is filled with the exit reason when *pid* has ended; NOPROC if it has already.

        It is *slot* if one is given, which may have been filled with something better by then.
        """
        if slot is None:
            slot = Slot(self.runqueue)
        process = pid._process  # pyright: ignore[reportPrivateUsage]
        if process is None:
            slot.set(NOPROC)
            return slot
        _watch(Monitor(None, None, process, pid, slot))
        return slot

    def forget_down(self, pid: Pid[Any], slot: Slot) -> None:
        """Nobody waits for *slot* of `down_slot` any more."""
        process = pid._process  # pyright: ignore[reportPrivateUsage]
        if process is not None and process.monitors is not None:
            for monitor in process.monitors:
                if monitor.slot is slot:
                    del process.monitors[monitor]
                    return


def tie(one: Process, other: Process) -> None:
    """Link two processes; at most one link is between them (S8)."""
    if one.links is None:
        one.links = {}
    if other.links is None:
        other.links = {}
    one.links[other] = None
    other.links[one] = None


def _watch(monitor: Monitor) -> None:
    """Have it told when its target ends, after those that were there before."""
    process = monitor.target
    if process.monitors is None:
        process.monitors = {}
    process.monitors[monitor] = None


def _dying(target: Target) -> Process | None:
    """Who has that pid and is not alive any more, but has frames that unwind."""
    return target._process if isinstance(target, Pid) else None  # pyright: ignore[reportPrivateUsage]
