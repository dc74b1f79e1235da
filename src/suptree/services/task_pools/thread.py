"""`OneThread`: a thread for one call, which can be told from outside when it is over.

Not asyncio's own pool of threads: that is as small as the processors are few, and its threads
keep the program from ending.  No thread can be ended: this one runs to its end, whoever waits.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, ParamSpec, TypeVar

__all__ = ["OneThread"]

P = ParamSpec("P")
R = TypeVar("R")


class OneThread(concurrent.futures.Executor):
    """An executor of one call."""

    def __init__(self) -> None:
        self._call: concurrent.futures.Future[Any] | None = None

    async def run(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """The value of ``function(*args, **kwargs)``, which runs in the thread, in this context."""
        loop = asyncio.get_running_loop()
        context = copy_context()
        return await loop.run_in_executor(self, lambda: context.run(function, *args, **kwargs))

    def submit(
        self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> concurrent.futures.Future[R]:
        """Start the thread: the event loop asks for it."""
        call: concurrent.futures.Future[R] = concurrent.futures.Future()
        self._call = call

        def main() -> None:
            if not call.set_running_or_notify_cancel():
                return
            try:
                value = fn(*args, **kwargs)
            except Exception as error:
                call.set_exception(error)
            except SystemExit:  # it ends the thread and no more: who waits must hear of it
                call.set_exception(concurrent.futures.BrokenExecutor("it ended its thread"))
            else:
                call.set_result(value)

        threading.Thread(target=main, name="suptree task pool", daemon=True).start()
        return call

    def is_running(self) -> bool:
        """Whether the call is under way."""
        return self._call is not None and not self._call.done()

    def when_over(self, tell: Callable[[], object]) -> None:
        """Call *tell*, in whatever thread, once the call is over."""
        assert self._call is not None
        self._call.add_done_callback(lambda _: tell())
