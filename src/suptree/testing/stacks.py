"""Where suspended code waits: one readable line per task, for reports of deadlocks and leaks.

`Task.get_stack` shows the outermost coroutine alone; these follow the chain of
awaits down to the innermost frame, the one that a reader looks for.
"""

from __future__ import annotations

import asyncio
import os
from types import CodeType, FrameType
from typing import Any

__all__ = ["call_site", "describe_task", "describe_tasks", "innermost_frame", "where"]

_CHAIN = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await"))
_LONGEST = 500  # awaits nest this deep only in a runaway recursion
_QUIET = tuple(
    os.path.dirname(module.__file__ or "") + os.sep for module in (asyncio,)
)  # frames of asyncio itself say nothing about who called


def innermost_frame(awaitable: object) -> FrameType | None:
    """Return the frame in which a suspended coroutine or generator really waits."""
    frame: FrameType | None = None
    for _ in range(_LONGEST):
        for frame_name, next_name in _CHAIN:
            if (here := getattr(awaitable, frame_name, None)) is not None:
                frame, awaitable = here, getattr(awaitable, next_name, None)
                break
        else:
            return frame
    return frame


def where(awaitable: object) -> str:
    """Return `file:line in function` of the place where *awaitable* waits."""
    frame = innermost_frame(awaitable)
    if frame is None:
        return "an unknown place"
    return f"{_short(frame.f_code.co_filename)}:{frame.f_lineno} in {_name(frame.f_code)}"


def describe_task(task: asyncio.Task[Any]) -> str:
    """Return one line: the name of the task, its coroutine, and where it waits."""
    coro = task.get_coro()
    name = getattr(coro, "__qualname__", type(coro).__name__)
    return f"task {task.get_name()!r} ({name}) at {where(coro)}"


def describe_tasks(loop: asyncio.AbstractEventLoop) -> list[str]:
    """Return one line for each pending task of *loop*, in order of their names."""
    return sorted(describe_task(task) for task in asyncio.all_tasks(loop) if not task.done())


def call_site(frame: FrameType | None, *, skip: tuple[str, ...] = ()) -> str:
    """Return `file:line in function` of the nearest caller outside asyncio and *skip*.

    Args:
        frame: Where to begin; callers follow.
        skip: Path prefixes of code that is never the one to name.
    """
    quiet = _QUIET + skip
    while frame is not None:
        if not frame.f_code.co_filename.startswith(quiet):
            return f"{_short(frame.f_code.co_filename)}:{frame.f_lineno} in {_name(frame.f_code)}"
        frame = frame.f_back
    return "an unknown place"


def _name(code: CodeType) -> str:
    return str(getattr(code, "co_qualname", code.co_name))


def _short(path: str) -> str:
    relative = os.path.relpath(path) if os.path.isabs(path) else path
    return path if relative.startswith(os.pardir) else relative
