"""The rest of a coroutine whose first step was taken by somebody else.

`go_on` is what a task awaits then: it waits for what the coroutine waits for, hands on
what comes of it, a cancellation too, and from then on stands aside.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, Final

__all__ = ["UNBEGUN", "go_on", "rest_behind"]

UNBEGUN: Final = object()
"""In the place of what a coroutine waits for: it has not taken its first step."""


@types.coroutine
def go_on(
    coroutine: Coroutine[Any, Any, Any],
    waits_for: Any,
    cancelled: asyncio.CancelledError | None = None,
) -> Generator[Any, Any, Any]:
    """Await the rest of *coroutine*.

    Args:
        waits_for: What its last step yielded: a future, or None if it gives way.
        cancelled: Its task was cancelled since; what it waits for is, as asyncio does it.
    """
    error: BaseException | None = cancelled
    while True:
        if error is None or _cancel(waits_for, error):
            try:
                yield waits_for
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as thrown:
                error = thrown
            else:
                return (yield from coroutine)
        try:
            waits_for = coroutine.throw(error)
        except StopIteration as stop:
            return stop.value
        finally:
            error = None  # or its traceback would hold this frame, and this frame the error


_GO_ON: Final = go_on.__code__


def _cancel(waits_for: Any, error: BaseException) -> bool:
    """Cancel what is waited for; False if it cannot be: the coroutine is told at once then."""
    cancel = getattr(waits_for, "cancel", None)
    return cancel is not None and bool(cancel(*error.args))


def rest_behind(generator: types.GeneratorType[Any, Any, Any]) -> object:
    """The coroutine that this `go_on` stands before; None if it is something else."""
    frame = generator.gi_frame
    return frame.f_locals["coroutine"] if frame is not None and frame.f_code is _GO_ON else None
