"""Where suspended code stands: the chain of awaits of a task, as places and as text.

Reads frames and changes nothing.  It sees through coroutines, generators and async
generators that run; what C code awaits (a future, an `asend`) ends the chain.
"""

from __future__ import annotations

import asyncio
import linecache
import os
from types import CoroutineType, FrameType, GeneratorType
from typing import Any, Final, cast

__all__ = ["await_chain", "is_closed", "stack_of"]

_OWN_FILES: Final = os.path.dirname(__file__) + os.sep


def await_chain(coroutine: object) -> list[Any]:
    """The coroutines that wait for one another, outermost first."""
    chain: list[Any] = []
    current: object = coroutine
    while isinstance(current, (CoroutineType, GeneratorType)) and len(chain) < 1_000:
        chain.append(current)
        if isinstance(current, CoroutineType):
            current = current.cr_await
        else:
            current = cast("Any", current).gi_yieldfrom
    return chain


def is_closed(coroutine: Any) -> bool:
    """Say whether a coroutine or generator has no frame left."""
    return _frame_of(coroutine) is None


def stack_of(task: asyncio.Task[Any]) -> str:
    """Where the code of *task* stands, as text, the outermost call first; empty if it is done.

    The frames of the runtime itself are left out.
    """
    frames = [_frame_of(one) for one in await_chain(task.get_coro())]
    return "\n".join(
        _describe(frame)
        for frame in frames
        if frame is not None and not frame.f_code.co_filename.startswith(_OWN_FILES)
    )


def _frame_of(coroutine: Any) -> FrameType | None:
    frame: FrameType | None = (
        coroutine.cr_frame if isinstance(coroutine, CoroutineType) else coroutine.gi_frame
    )
    return frame


def _describe(frame: FrameType) -> str:
    file, line = frame.f_code.co_filename, frame.f_lineno
    text = f'  File "{file}", line {line}, in {frame.f_code.co_name}'
    source = linecache.getline(file, line, frame.f_globals).strip()
    return f"{text}\n    {source}" if source else text
