"""Stopping children: monitor, unlink, signal, wait, kill.  Shared by both supervisors.

Death is awaited through a monitor, not through the mailbox: the supervisor's mailbox
keeps its order, and a child that unlinked itself cannot hang it (S131).

    shutdown          signal      wait
    seconds           SHUTDOWN    that long, then KILL, then for ever
    'infinity'        SHUTDOWN    for ever
    'brutal_kill'     KILL        for ever; the runtime sees that a killed process ends

`stop_child` stops one child; a Supervisor calls it for one after the other, in reverse
start order.  `stop_together` tells many at once and gives each its own time (S177).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final

from suptree.core import EXITING, KILL, SHUTDOWN, Pid, Process, Slot, Timer
from suptree.otp.child_spec import Shutdown

__all__ = ["stop_child", "stop_together"]

TELL_AT_ONCE: Final = 256

Stopped = Callable[[Pid[Any], object, Shutdown], None]


async def stop_child(supervisor: Process, pid: Pid[Any], shutdown: Shutdown) -> object:
    """Stop *pid* and wait until it is dead.

    Returns:
        Its exit reason; NOPROC if it was dead before.
    """
    down = _tell(supervisor, pid, shutdown)
    if down.done():
        return down.outcome()
    timers = _kill_in_time(supervisor, [(pid, shutdown, down)])
    reason = await down
    for timer in timers:
        supervisor.runtime.ticker.cancel(timer)
    return reason


async def stop_together(
    supervisor: Process,
    children: Iterable[tuple[Pid[Any], Shutdown]],
    stopped: Stopped,
    give_way: Callable[[], Awaitable[None]],
) -> None:
    """Tell all children at once, then wait for all; each has its own time.

    One timer serves all children of one shutdown time, so a hundred thousand of
    them cost one.

    Args:
        supervisor: Whose children they are.
        children: Pids with their shutdown times.
        stopped: Called for each with its exit reason.
        give_way: Awaited now and then, so that others run while many are told.
    """
    slow: list[tuple[Pid[Any], Shutdown, Slot]] = []
    for number, (pid, shutdown) in enumerate(children, 1):
        down = _tell(supervisor, pid, shutdown)
        if down.done():
            stopped(pid, down.outcome(), shutdown)
        else:
            slow.append((pid, shutdown, down))
        if number % TELL_AT_ONCE == 0:
            await give_way()
    timers = _kill_in_time(supervisor, slow)
    for pid, shutdown, down in slow:
        stopped(pid, await down, shutdown)
    for timer in timers:
        supervisor.runtime.ticker.cancel(timer)


def _tell(supervisor: Process, pid: Pid[Any], shutdown: Shutdown) -> Slot:
    """Send the exit signal; the slot is filled with the exit reason at death."""
    runtime = supervisor.runtime
    down = runtime.down_slot(pid)
    process = pid._process
    if process is None:
        return down
    # Unlinked first: an Exit of its would come from no current child and only be ignored (S119).
    runtime.unlink_processes(supervisor, process)
    if shutdown == "brutal_kill":
        runtime.exit(pid, KILL, supervisor)
    elif process.state < EXITING:
        runtime.exit(pid, SHUTDOWN, supervisor)
        if process.escalation is not None:
            # Its frames unwind in the time that its spec gives, not in the runtime's five seconds.
            runtime.ticker.cancel(process.escalation)
            process.escalation = None
    return down


def _kill_in_time(
    supervisor: Process, slow: Iterable[tuple[Pid[Any], Shutdown, Slot]]
) -> list[Timer]:
    """One timer for each shutdown time that occurs.

    They are nobody's: if the supervisor is killed meanwhile, the children, which it has
    unlinked, still end in their time (law 3).
    """
    by_time: dict[float, list[Pid[Any]]] = {}
    for pid, shutdown, _ in slow:
        if not isinstance(shutdown, str):
            by_time.setdefault(shutdown, []).append(pid)
    return [
        supervisor.runtime.ticker.call_after(time, partial(_kill, supervisor, pids))
        for time, pids in by_time.items()
    ]


def _kill(supervisor: Process, pids: Iterable[Pid[Any]]) -> None:
    for pid in pids:
        supervisor.runtime.exit(pid, KILL, supervisor)
