"""The private names of asyncio that suptree uses, in one place, with a probe (law 18).

Hiding the current task while a handler runs in the caller's turn, and showing that of
the server while an async one is stepped, needs the table of current tasks.  If the
probe fails on some future Python, the runtime switches both off and everything else
goes on.

Both functions are built-ins with their first argument bound: a Python function here
would cost a tenth of a direct call.
"""

from __future__ import annotations

import asyncio
import asyncio.tasks
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

__all__ = ["TaskHiding", "awaited_by", "hides", "task_hiding"]

Task = asyncio.Task[Any]


class TaskHiding(NamedTuple):
    """How the current task of one loop is hidden for a while.

    Attributes:
        hide: Makes no task the current one; returns the one that was, or None.
        show: Makes the task the current one again; only for what `hide` returned.
    """

    hide: Callable[[], Task | None]
    show: Callable[[Task], object]


def task_hiding(loop: asyncio.AbstractEventLoop) -> TaskHiding | None:
    """Return what hides the current task of *loop*; None if this Python has no way that works."""
    hiding = _made(loop)
    return hiding if hiding is not None and hides(loop, hiding) else None


def _made(loop: asyncio.AbstractEventLoop) -> TaskHiding | None:
    swap: Any = getattr(asyncio.tasks, "_swap_current_task", None)
    if swap is not None:  # 3.12+
        hide = partial(swap, loop, None)
        return TaskHiding(
            hide if _swaps_nothing(swap, loop) else _careful(hide), partial(swap, loop)
        )
    table: Any = getattr(asyncio.tasks, "_current_tasks", None)
    if sys.version_info < (3, 12) and isinstance(table, dict):
        current = cast("dict[Any, Task]", table)
        # setdefault, for unlike __setitem__ it needs no stack: showing must not fail where hiding
        # worked.  What it sets is absent: `hide` has popped it.
        return TaskHiding(partial(current.pop, loop, None), partial(current.setdefault, loop))
    return None


def _swaps_nothing(swap: Any, loop: asyncio.AbstractEventLoop) -> bool:
    """Whether no task can be replaced by no task, which 3.12.1 refuses with a KeyError."""
    task = swap(loop, None) if asyncio.current_task(loop) is not None else None
    try:
        swap(loop, None)
    except KeyError:
        return False
    finally:
        if task is not None:
            swap(loop, task)
    return True


def _careful(hide: Callable[[], Task | None]) -> Callable[[], Task | None]:
    def careful() -> Task | None:
        try:
            return hide()
        except KeyError:
            return None

    return careful


def hides(loop: asyncio.AbstractEventLoop, hiding: TaskHiding) -> bool:
    """Whether hiding really hides, nested too, and showing restores."""
    before = asyncio.current_task(loop)
    hidden = hiding.hide()
    nested = hiding.hide()
    seen = asyncio.current_task(loop)
    if hidden is not None:
        hiding.show(hidden)
    after = asyncio.current_task(loop)
    return seen is None and nested is None and hidden is before and after is before


def awaited_by(task: asyncio.Task[Any]) -> object:
    """Return what *task* awaits at this moment, or None; for introspection alone."""
    return getattr(task, "_fut_waiter", None)
