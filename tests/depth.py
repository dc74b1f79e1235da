"""Code that stands near the end of its stack."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Awaitable, Callable

__all__ = ["at_depth", "at_depth_async"]


def at_depth(left: int, function: Callable[[], object]) -> None:
    """Call *function* with about *left* frames of the stack left; no room for it is no error."""

    def go_down(depth: int) -> None:
        if depth > 0:
            go_down(depth - 1)
        else:
            function()

    with contextlib.suppress(RecursionError):
        go_down(_frames_above(left))


async def at_depth_async(left: int, function: Callable[[], Awaitable[object]]) -> None:
    """As `at_depth`, for what has to be awaited."""

    async def go_down(depth: int) -> None:
        if depth > 0:
            await go_down(depth - 1)
        else:
            await function()

    with contextlib.suppress(RecursionError):
        await go_down(_frames_above(left))


def _frames_above(left: int) -> int:
    depth = 0
    frame = sys._getframe(1)
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    return sys.getrecursionlimit() - depth - left
