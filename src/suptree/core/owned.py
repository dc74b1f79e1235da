"""Owned resources: what a process acquired is closed when it ends, however it ends.

    self.own(connection, Connection.close)

Newest first, before monitors and links are told.  A `close` that is async runs in a
task of the runtime and has five seconds; one that raises is logged, and the process
is dead all the same.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final

from suptree.core.crashes import safe_repr
from suptree.core.log import LOG

if TYPE_CHECKING:
    from suptree.core.process import Process
    from suptree.core.runtime import Runtime

__all__ = ["CLOSE_LIMIT", "Closers"]

CLOSE_LIMIT: Final = 5.0
"""Seconds that an async close has."""


class Closers:
    """Closes what the dead of one runtime owned."""

    __slots__ = ("_runtime", "_tasks")

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._tasks: set[asyncio.Task[Any]] = set()

    def close_all(self, process: Process) -> None:
        """Close everything that *process*, which has ended, owned."""
        owned, process.owned = process.owned, None
        for resource, close in reversed(owned or ()):
            fine, value = process.guard(close, resource)
            if not fine:
                _failed(process, resource, value)
            elif inspect.isawaitable(value):
                self._close_later(process, resource, _awaitable(value))

    def pending(self) -> tuple[asyncio.Task[Any], ...]:
        """The tasks that still close something."""
        return tuple(self._tasks)

    def _close_later(self, process: Process, resource: object, closing: Awaitable[object]) -> None:
        async def close() -> None:
            try:
                async with asyncio.timeout(CLOSE_LIMIT):
                    await closing
            except Exception as error:
                _failed(process, resource, error)

        task = self._runtime.make_task(
            close(), contextvars.copy_context(), f"close {process.label}"
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _failed(process: Process, resource: object, reason: object) -> None:
    LOG.error(
        "%r %s: closing %s failed: %s",
        process.pid,
        process.label,
        safe_repr(resource),
        safe_repr(reason),
    )


def _awaitable(value: Any) -> Any:
    return value
