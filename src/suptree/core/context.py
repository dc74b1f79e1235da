"""Who am I, and which runtime is meant: the one ContextVar and the one map (law 5).

The ContextVar holds the process whose code runs; every process sets it in its own
context.  Code outside every process (a FastAPI request, a notebook cell) finds the
only runtime open in its running loop, or is told to name one.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from threading import get_ident
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from suptree.core.lifecycle import EXITING
from suptree.errors import AmbiguousRuntimeError, NoRuntimeError, NotInProcessError

if TYPE_CHECKING:
    from suptree.core.process import Process
    from suptree.core.runtime import Runtime

__all__ = ["CURRENT", "OPEN", "current_process", "find_runtime", "require_process"]

CURRENT: ContextVar[Process | None] = ContextVar("suptree_process", default=None)
OPEN: WeakKeyDictionary[asyncio.AbstractEventLoop, list[Runtime]] = WeakKeyDictionary()


def current_process() -> Process | None:
    """The process in whose name this code runs, or None."""
    return CURRENT.get()


def find_runtime(doing: str) -> Runtime:
    """Find the runtime that is meant here: the process's own, or the only one in this loop."""
    process = CURRENT.get()
    if process is not None and not process.runtime.closed:
        return process.runtime
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise NoRuntimeError(
            f"{doing}: no runtime is open in this thread. Use it inside `async with Runtime()`, "
            "or from another thread through `rt.portal`."
        ) from None
    runtimes = OPEN.get(loop, [])
    if len(runtimes) == 1:
        return runtimes[0]
    if not runtimes:
        raise NoRuntimeError(
            f"{doing}: no runtime is open in this event loop. Open one with `async with Runtime()`."
        )
    names = ", ".join(repr(rt.name) for rt in runtimes)
    raise AmbiguousRuntimeError(
        f"{doing}: {len(runtimes)} runtimes are open in this event loop ({names}). "
        f"Say which: `rt.{doing}(...)`."
    )


def require_process(doing: str) -> Process:
    """Return the process whose own code runs here; a bare task beside it is refused (law 7)."""
    process = CURRENT.get()
    if process is None:
        raise NotInProcessError(
            f"{doing}: this code runs outside every process. Use it in a process, "
            "in the body of `async with Runtime()`, or inside `async with rt.guest():`."
        )
    runtime = process.runtime
    if runtime.thread_id != get_ident():
        runtime.check_thread(doing)
    task = asyncio.current_task(runtime.loop)
    if task is not None and task is not process.task:
        raise NotInProcessError(
            f"{doing}: this task runs beside {process.pid!r}, it is not the process itself. "
            "Do it in the process, or make this task a process with spawn or rt.guest()."
        )
    if process.state >= EXITING:
        process.check_not_dead(doing)
    return process
