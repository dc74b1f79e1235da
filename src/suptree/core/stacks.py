"""Where code stands: the chain of awaits of a coroutine, as places and as text.

Reads frames and changes nothing.  It sees through coroutines, generators and async
generators that run; what C code awaits (a future, an `asend`) ends the chain.
"""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Iterable
from types import CoroutineType, FrameType, GeneratorType
from typing import Any, Final, cast

__all__ = [
    "await_chain",
    "describe_frames",
    "frames_below",
    "is_closed",
    "stack_of",
    "stands_deep",
]

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


def stack_of(coroutine: object) -> str:
    """Where a suspended coroutine stands, as text, the outermost call first; empty if it is done."""
    frames = [_frame_of(one) for one in await_chain(coroutine)]
    return describe_frames(frame for frame in frames if frame is not None)


def frames_below(frame: FrameType | None) -> list[FrameType]:
    """The frames that called one another up to *frame*, outermost first."""
    frames: list[FrameType] = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames[::-1]


def describe_frames(frames: Iterable[FrameType]) -> str:
    """Places and source lines as Python prints them; the runtime's own frames are left out."""
    return "\n".join(
        _describe(frame) for frame in frames if not frame.f_code.co_filename.startswith(_OWN_FILES)
    )


def stands_deep() -> bool:
    """Whether a third of the stack is used up: it may be little that is left."""
    try:
        sys._getframe(sys.getrecursionlimit() // 3)
    except ValueError:
        return False
    return True


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
