"""What a coroutine waits for between two steps, as `asyncio.Task` looks at it.

A step yields a future that says it is being awaited, or None to give way.  Everything
else is a mistake, which asyncio raises where it was made; in its words, so do we.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from suptree.core.slot import Slot

__all__ = ["UNBEGUN", "cancel_awaited", "error_of", "mistake"]

UNBEGUN: Final = object()
"""In the place of what a coroutine waits for: it has not taken its first step."""


def mistake(waits_for: Any, task: asyncio.Task[Any]) -> str | None:
    """Why *task* cannot wait for what its coroutine yielded; None if it can."""
    blocking = getattr(waits_for, "_asyncio_future_blocking", None)
    if blocking is None:
        return f"Task got bad yield: {waits_for!r}"
    if getattr(waits_for, "_loop", None) is not task.get_loop():
        return f"Task {task!r} got Future {waits_for!r} attached to a different loop"
    if not blocking:
        return f"yield was used instead of yield from in task {task!r} with {waits_for!r}"
    if waits_for is task:
        return f"Task cannot await on itself: {task!r}"
    return None


def cancel_awaited(waits_for: Any, error: BaseException) -> bool:
    """Cancel what is waited for; False if it cannot be: the coroutine is told itself then."""
    return waits_for is not None and bool(waits_for.cancel(*error.args))


def error_of(waited_for: Any) -> BaseException | None:
    """What a future that is done has in the place of a result."""
    if isinstance(waited_for, Slot):  # says so itself, to the one who awaits it
        return None
    try:
        waited_for.result()
    except BaseException as error:
        return error
    return None
