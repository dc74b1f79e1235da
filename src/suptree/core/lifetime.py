"""Opening and closing a runtime, and guests: tasks of the host that are processes (law 6).

Closing, in order: hooks (applications stop, last first); whatever is left at the top
of the tree is told to stop, newest first; what is still there when the stop timeout
is over is killed; what does not unwind then is abandoned and reported.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from suptree.core.bodies import GuestBody
from suptree.core.context import CURRENT, OPEN
from suptree.core.exits import KILLED, NORMAL, SHUTDOWN
from suptree.core.lifecycle import EXITING, WAITING
from suptree.core.log import LOG
from suptree.core.owned import CLOSE_LIMIT
from suptree.core.process import Process
from suptree.core.slot import SlotExpiredError
from suptree.errors import ProcessExit, RuntimeStoppedError, UsageError

if TYPE_CHECKING:
    from suptree.core.pid import Pid
    from suptree.core.runtime import Runtime

__all__ = ["close_runtime", "guest", "open_runtime"]

KILL_LIMIT: Final = 3.0


def open_runtime(runtime: Runtime) -> None:
    """Bind to the running loop and make the current task the root guest."""
    if not runtime.closed or runtime.os_pid:
        raise UsageError(f"{runtime!r} was opened before. Make a new Runtime.")
    runtime.attach(asyncio.get_running_loop())
    runtime.outer = CURRENT.get()
    runtime.root = _enter_guest(runtime, "main")
    runtime.interrupts.watch()
    CURRENT.set(runtime.root)


def _enter_guest(runtime: Runtime, label: str) -> Process:
    body = GuestBody()
    process = runtime.make_guest(body, label)
    process.task = asyncio.current_task()
    process.trap_exit = True
    body.begin(process)
    return process


@asynccontextmanager
async def guest(runtime: Runtime, label: str = "guest") -> AsyncIterator[Pid[Any]]:
    """Make the current task a process for the length of the block; see `Runtime.guest`."""
    runtime.check_thread("guest")
    outer = CURRENT.get()
    process = _enter_guest(runtime, label)
    body = process.body  # the runtime may close before the block is left
    assert isinstance(body, GuestBody)
    CURRENT.set(process)
    reason: object = NORMAL
    error: BaseException | None = None
    try:
        yield process.pid
    except (Exception, asyncio.CancelledError, ProcessExit) as raised:
        error = raised
        reason = process.reason_of(raised)
        raise
    finally:
        CURRENT.set(
            outer
        )  # not reset(token): the host may leave in another context than it entered
        verdict = await _verdict(body, error)
        process.finish(reason)
        if verdict is not None:
            raise verdict from None


async def _verdict(body: GuestBody, error: BaseException | None) -> RuntimeStoppedError | None:
    """What the block of a guest raises instead of *error*, if it was we who cancelled its task.

    As a TaskGroup does: our request to cancel is taken back, and a cancellation by
    somebody else at the same time, or another error, goes first.
    """
    task = asyncio.current_task()
    assert task is not None
    if body.stopped_by is None:
        return None
    if not isinstance(error, asyncio.CancelledError):  # our cancel may still be on its way
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
    others = task.uncancel()
    if isinstance(error, asyncio.CancelledError):
        return None if others else RuntimeStoppedError(*body.stopped_by)
    if error is not None:
        return None
    if others:
        raise asyncio.CancelledError
    return RuntimeStoppedError(*body.stopped_by)


async def close_runtime(runtime: Runtime, error: BaseException | None) -> None:
    """End everything in order; raises RuntimeStoppedError in the place of our own cancel."""
    root = runtime.root
    assert root is not None
    runtime.closing = True
    root.state = WAITING if root.state < EXITING else root.state
    verdict: RuntimeStoppedError | None = None
    try:
        assert isinstance(root.body, GuestBody)
        verdict = await _verdict(root.body, error)
        try:
            await _stop_in_order(runtime, root)
        finally:  # also when the host cancels once more, and has no patience left
            await _kill_the_rest(runtime)
    finally:
        _finish_closing(runtime, root)
    if verdict is not None:
        raise verdict from None


async def _stop_in_order(runtime: Runtime, root: Process) -> None:
    deadline = runtime.now() + runtime.stop_timeout
    runtime.runqueue.wake()
    for hook in reversed(runtime.close_hooks):
        try:
            await hook()
        except Exception:
            LOG.exception("%r: a step of its orderly stop failed; the others go on", runtime)
    for process in reversed(_tops(runtime, root)):
        if process.state < EXITING:
            process.parent = root  # adopted: a server that traps exits obeys its parent only
            runtime.exit(process.pid, SHUTDOWN, root)
        await _gone(runtime, process, deadline - runtime.now())


async def _kill_the_rest(runtime: Runtime) -> None:
    rest = [p for p in runtime.processes.values() if p.body.kind != "guest"]
    for process in rest:
        process.doom(KILLED)
    limit = runtime.now() + KILL_LIMIT
    for process in rest:
        await _gone(runtime, process, limit - runtime.now())
    await _settle(runtime)  # whoever called the dead has got its answer
    for task in runtime.portal_tasks:
        task.cancel()
    tasks = {*runtime.closers.pending(), *runtime.portal_tasks}
    if tasks:
        await asyncio.wait(tasks, timeout=CLOSE_LIMIT)
    runtime.reporter.flush()
    await _settle(runtime)


async def _settle(runtime: Runtime) -> None:
    """Let waiters go on that were answered, and the parked tasks of the dead return."""
    await asyncio.sleep(0)
    while not runtime.runqueue.idle():
        runtime.runqueue.wake()
        await asyncio.sleep(0)


def _tops(runtime: Runtime, root: Process) -> list[Process]:
    """Processes without a living parent, or with a guest as parent, oldest first."""
    return [
        p
        for p in runtime.processes.values()
        if p.body.kind != "guest"
        and (p.parent is None or p.parent.body.kind == "guest" or not p.parent.is_alive())
    ]


async def _gone(runtime: Runtime, process: Process, seconds: float) -> None:
    slot = runtime.down_slot(process.pid)
    if slot.done():
        return
    runtime.ticker.expire_after(slot, max(0.0, seconds))
    try:
        await slot
    except SlotExpiredError:
        runtime.overdue.append(process.pid)
        process.doom(KILLED)


def _finish_closing(runtime: Runtime, root: Process) -> None:
    for process in list(runtime.processes.values()):  # the guests
        if process.body.kind != "guest":  # somebody of the host started it while we were closing
            process.doom(KILLED)
        process.finish(NORMAL if process is root else SHUTDOWN)
    runtime.ticker.close()
    runtime.interrupts.done()
    runtime.closed = True
    runtime.thread_id = -1
    OPEN[runtime.loop].remove(runtime)
    CURRENT.set(runtime.outer)
