"""A runtime for scripts that are not async: a loop of its own in a thread, and a portal to it.

>>> with BlockingRuntime() as rt:
...     counter = rt.start(Counter, 5)
...     rt.call(Counter.increment, counter, by=2)
7

The thread is not a daemon and is joined: leaving the block stops everything in order.
If a tree in it gives up, waiting calls raise RuntimeClosedError, and the block raises
RuntimeStoppedError with the reason.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from suptree.core import Pid, Portal, safe_repr
from suptree.errors import RuntimeClosedError, UsageError
from suptree.otp.application import Application, StartType
from suptree.otp.runtime import Runtime

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["BlockingRuntime"]

P = ParamSpec("P")
S = TypeVar("S")


class BlockingRuntime(Portal):
    """A portal that owns its runtime, thread and loop.  Use as ``with BlockingRuntime() as rt:``.

    Args:
        loop_factory: Makes the loop, such as `uvloop.new_event_loop`; default asyncio's.
        options: As of `Runtime`.
    """

    def __init__(
        self,
        *,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
        **options: Any,
    ) -> None:
        self._timeout = None
        self._loop_factory = loop_factory
        self._options = options
        self._opened: concurrent.futures.Future[Runtime] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._main, name="suptree BlockingRuntime")
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None

    @property
    def runtime(self) -> Runtime:
        """The runtime behind it."""
        if not self._opened.done():
            raise RuntimeClosedError("BlockingRuntime: not open yet. Use it as a `with` block.")
        return self._opened.result()

    def start(self, server: Callable[P, S], *args: P.args, **kwargs: P.kwargs) -> Pid[S]:
        """Start a server and block until its init is done: ``rt.start(Counter, 5)``.

        It has no parent and lives until the block is left.

        Raises:
            StartError: Its init failed.
        """
        given: Any = server
        if isinstance(given, Application) or (
            isinstance(given, type) and issubclass(given, Application)
        ):
            raise UsageError(
                f"BlockingRuntime.start: {safe_repr(given, 100)} is an application. "
                "Start it with start_application."
            )
        cls: Any = server
        return self.run(cls.start, *args, **kwargs)

    def start_application(
        self,
        application: Application | type[Application],
        type: StartType = "temporary",
        *,
        env: Mapping[str, Any] | None = None,
    ) -> Pid[Any]:
        """Start an application and block until it runs; see `Runtime.start`."""
        return self.run(self.runtime.start, application, type, env=env)

    def whereis(self, name: str) -> Pid[Any] | None:
        """The pid registered as *name*, or None."""
        return self.run(self.runtime.whereis, name)

    # -- the thread -----------------------------------------------------------------------

    def __enter__(self) -> BlockingRuntime:
        if self._thread.ident is not None:
            raise UsageError("BlockingRuntime: it was opened before. Make a new one.")
        self._thread.start()
        try:
            self._opened.result()
        except Exception:
            self._thread.join()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(RuntimeError):  # it has stopped by itself
            self.runtime.loop.call_soon_threadsafe(self._ask_to_stop)
        self._thread.join()
        # The reason why it stopped explains the error that the block saw.
        if self._failure is not None and (error is None or isinstance(error, RuntimeClosedError)):
            raise self._failure

    def _ask_to_stop(self) -> None:
        if self._stop is not None:
            self._stop.set()

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._loop_factory) as runner:
                runner.run(self._serve())
        except Exception as error:
            if self._opened.done():
                self._failure = error
            else:
                self._opened.set_exception(error)

    async def _serve(self) -> None:
        async with Runtime(**self._options) as runtime:
            self._stop = asyncio.Event()
            self._opened.set_result(runtime)
            await self._stop.wait()
