"""Where suspended code waits: one readable line per task, for reports of deadlocks and leaks.

`Task.get_stack` shows the outermost coroutine alone; these follow the chain of
awaits down to the innermost frame, the one that a reader looks for.
"""

from __future__ import annotations

import asyncio
import gc
import os
from types import CodeType, FrameType
from typing import Any, NamedTuple

from suptree.core import waiting_handler

__all__ = ["Site", "call_site", "describe_task", "describe_tasks", "frames", "is_asyncio", "where"]

_CHAIN = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await"))
_WRAPPERS = frozenset({"async_generator_asend", "async_generator_athrow"})
_SUPTREE = os.path.dirname(os.path.dirname(__file__)) + os.sep
# Where a loop calls back: whoever stands above merely runs the loop.
_STEPS = frozenset({"BaseEventLoop.run_forever", "TestRunner.run"})
_LONGEST = 500  # awaits nest this deep only in a runaway recursion
_QUIET = (os.path.dirname(asyncio.__file__) + os.sep,)  # says nothing about who called


def frames(awaitable: object) -> list[FrameType]:
    """Return the frames of a suspended coroutine, outermost first, down to where it waits."""
    found: list[FrameType] = []
    while len(found) < _LONGEST:
        awaitable = _behind(awaitable)
        for frame_name, next_name in _CHAIN:
            if (frame := getattr(awaitable, frame_name, None)) is not None:
                found.append(frame)
                awaitable = getattr(awaitable, next_name, None)
                break
        else:
            break
    return found


def _behind(awaitable: object) -> object:
    """Look through the wrappers of C that hide what they step (only the collector knows), and
    through the kept task of a server to the handler that waits.
    """
    handler = waiting_handler(awaitable)
    if handler is not None:
        return handler
    if type(awaitable).__name__ not in _WRAPPERS:
        return awaitable
    hidden = (one for one in gc.get_referents(awaitable) if hasattr(one, "ag_frame"))
    return next(hidden, awaitable)


def where(awaitable: object) -> str:
    """Return `file:line in function` of the place where *awaitable* waits.

    The innermost place outside asyncio and suptree, with the function of theirs that it
    waits in.
    """
    chain = frames(awaitable)
    if not chain:
        return "an unknown place"
    innermost = chain[-1]
    told = [one for one in chain if not one.f_code.co_filename.startswith((*_QUIET, _SUPTREE))]
    if not told or told[-1] is innermost:
        return str(_site(innermost))
    return f"{_site(told[-1])}, waiting in {_name(innermost.f_code)}"


def describe_task(task: asyncio.Task[Any]) -> str:
    """Return one line: the name of the task, its coroutine, and where it waits."""
    coro = task.get_coro()
    name = getattr(coro, "__qualname__", type(coro).__name__)
    return f"task {task.get_name()!r} ({name}) at {where(coro)}"


def describe_tasks(loop: asyncio.AbstractEventLoop) -> list[str]:
    """Return one line for each pending task of *loop*, in order of their names."""
    return sorted(describe_task(task) for task in asyncio.all_tasks(loop) if not task.done())


class Site(NamedTuple):
    """One line of code, and the function it stands in."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{_short(self.file)}:{self.line} in {self.function}"


def call_site(frame: FrameType | None, *, skip: tuple[str, ...] = ()) -> Site | None:
    """Return the nearest caller outside asyncio and *skip*; None if there is none.

    Args:
        frame: Where to begin; callers follow.
        skip: Path prefixes of code that is never the one to name.
    """
    quiet = _QUIET + skip
    while frame is not None and frame.f_code.co_qualname not in _STEPS:
        if not frame.f_code.co_filename.startswith(quiet):
            return _site(frame)
        frame = frame.f_back
    return None


def is_asyncio(frame: FrameType | None) -> bool:
    """Say whether *frame* is code of asyncio itself."""
    return frame is not None and frame.f_code.co_filename.startswith(_QUIET)


def _site(frame: FrameType) -> Site:
    return Site(frame.f_code.co_filename, frame.f_lineno, _name(frame.f_code))


def _name(code: CodeType) -> str:
    return code.co_qualname


def _short(path: str) -> str:
    relative = os.path.relpath(path) if os.path.isabs(path) else path
    return path if relative.startswith(os.pardir) else relative
