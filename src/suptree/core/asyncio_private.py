"""The private names of asyncio that suptree uses, in one place, with a probe (law 18).

Hiding the current task while a handler runs in the caller's turn needs the table of
current tasks.  If the probe fails on some future Python, the runtime switches the
direct call off and everything else goes on.
"""

from __future__ import annotations

import asyncio
import asyncio.tasks
import sys
from collections.abc import Callable
from typing import Any, cast

__all__ = ["SwapTask", "awaited_by", "make_swap", "probe"]

SwapTask = Callable[[asyncio.Task[Any] | None], asyncio.Task[Any] | None]
"""Makes another task the current one of the loop and returns the one that was."""


def make_swap(loop: asyncio.AbstractEventLoop) -> SwapTask | None:
    """Return the function that swaps the current task of *loop*, or None if there is no way."""
    swap = getattr(asyncio.tasks, "_swap_current_task", None)
    if swap is not None:  # 3.12+
        return _function_swap(cast("Callable[[Any, Any], Any]", swap), loop)
    table: object = getattr(asyncio.tasks, "_current_tasks", None)
    if sys.version_info < (3, 12) and hasattr(table, "pop"):
        return _table_swap(cast("dict[Any, Any]", table), loop)
    return None


def _function_swap(
    swap_current: Callable[[Any, Any], Any], loop: asyncio.AbstractEventLoop
) -> SwapTask:
    def swap(task: asyncio.Task[Any] | None) -> asyncio.Task[Any] | None:
        try:
            return cast("asyncio.Task[Any] | None", swap_current(loop, task))
        except KeyError:  # 3.12.1 refuses to replace no task by no task
            return None

    return swap


def _table_swap(table: dict[Any, Any], loop: asyncio.AbstractEventLoop) -> SwapTask:
    def swap(task: asyncio.Task[Any] | None) -> asyncio.Task[Any] | None:
        previous: asyncio.Task[Any] | None = table.pop(loop, None)
        if task is not None:
            table[loop] = task
        return previous

    return swap


def probe(loop: asyncio.AbstractEventLoop, swap: SwapTask | None) -> bool:
    """Say whether swapping really hides and restores the current task of *loop*."""
    if swap is None:
        return False
    before = asyncio.current_task(loop)
    hidden = swap(None)
    nested = swap(None)  # a start inside a start hides nothing once more
    swap(nested)
    seen = asyncio.current_task(loop)
    swap(hidden)
    return (
        seen is None
        and nested is None
        and hidden is before
        and asyncio.current_task(loop) is before
    )


def awaited_by(task: asyncio.Task[Any]) -> object:
    """Return what *task* awaits at this moment, or None; for introspection alone."""
    return getattr(task, "_fut_waiter", None)
