"""The portal: the way into a runtime from other threads (law 8).

    value = rt.portal.call(Counter.increment, counter, by=2)   # blocks this thread
    rt.portal.send("logger", line)                             # does not
    rt.portal.within(2.0).run(prepare, folder)                 # with a deadline of its own

Everything else of the runtime refuses other threads.  What a thread asks for runs in
the runtime's loop, as a guest, so names and `receive` work there.  A portal tolerates
a closed loop and a closing runtime: both raise RuntimeClosedError, and whoever waits
when the runtime closes is answered with it.  Refused: blocking the loop's own thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from suptree.core.context import CURRENT
from suptree.core.crashes import safe_repr
from suptree.core.log import LOG
from suptree.core.ticker import check_delay
from suptree.errors import RuntimeClosedError, SuptreeError, UsageError

if TYPE_CHECKING:
    from suptree.core.delivery import Target
    from suptree.core.runtime import Runtime

__all__ = ["Portal"]

P = ParamSpec("P")
R = TypeVar("R")

LOOK_EVERY: Final = 1.0  # seconds between looks whether the loop was closed under the waiter


class Portal:
    """Made by the runtime: `rt.portal`.  Its methods may be called from any other thread."""

    def __init__(self, runtime: Runtime, timeout: float | None = None) -> None:
        self._runtime = runtime
        self._timeout = timeout

    @property
    def runtime(self) -> Runtime:
        """The runtime behind it; of its own methods only the portal is for other threads."""
        return self._runtime

    def within(self, timeout: float | None) -> Portal:
        """The same portal, whose `call` and `run` raise TimeoutError after *timeout* seconds."""
        if timeout is not None:
            check_delay("portal.within", "timeout", timeout)
        return Portal(self.runtime, timeout)

    # -- not waiting -------------------------------------------------------------------

    def send(self, target: Target, message: object) -> None:
        """Have *message* sent, and return at once.

        An unknown name or a full mailbox is logged, for nobody waits for it.

        Raises:
            RuntimeClosedError: The runtime is not open.
        """
        self._soon("send", self.runtime.send, target, message)

    def cast(self, client: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Have a cast made, and return at once: ``portal.cast(Counter.reset, counter)``."""
        self._soon("cast", client, *args, **kwargs)

    def _soon(self, doing: str, function: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        runtime = self.runtime

        def do() -> None:
            try:
                function(*args, **kwargs)
            except SuptreeError as error:
                LOG.warning("portal.%s from another thread failed: %s", doing, error)

        context = contextvars.copy_context()
        context.run(CURRENT.set, runtime.root)  # names are looked up in this runtime
        self._post(doing, do, context)

    # -- waiting ------------------------------------------------------------------------

    def call(self, client: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a server and block this thread until it has answered.

        ``portal.call(Counter.increment, counter, by=2)``; the deadline is the client's
        (``Counter.increment.within(0.2)``) and, if it has one, the portal's.

        Raises:
            What the client raises: NoProcessError, ServerExitError, CallTimeoutError, ...
            RuntimeClosedError: The runtime is not open, or closes meanwhile.
            TimeoutError: The portal's own deadline; the work is cancelled.
        """
        value: R = self._wait("call", self._submit("call", client, *args, **kwargs))
        return value

    def run(self, function: Callable[P, Awaitable[R] | R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run *function*, async or plain, as a guest in the runtime's loop; block until it is done.

        Raises:
            What the function raises, and as for `call`.
        """
        value: R = self._wait("run", self._submit("run", function, *args, **kwargs))
        return value

    def submit(
        self, function: Callable[P, Awaitable[R] | R], *args: P.args, **kwargs: P.kwargs
    ) -> concurrent.futures.Future[R]:
        """As `run`, but give a future to wait on; cancelling it cancels the work."""
        return self._submit("submit", function, *args, **kwargs)

    def _submit(
        self, doing: str, function: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> concurrent.futures.Future[Any]:
        if not callable(function):
            raise TypeError(
                f"portal.{doing}: must be given a client such as Counter.increment, or a function; "
                f"got {safe_repr(function, 200)}."
            )
        runtime = self.runtime
        blocks = doing != "submit" and not runtime.closed and not runtime.loop.is_closed()
        if blocks and threading.get_ident() == runtime.thread_id:
            raise UsageError(
                f"portal.{doing}: this is the thread of runtime {runtime.name!r}, which it would "
                "block for ever. Await the call itself."
            )
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        work = _Work(runtime, function, args, kwargs, future)
        self._post(doing, work.begin, contextvars.copy_context())
        return future

    def _post(self, doing: str, callback: Callable[[], None], context: contextvars.Context) -> None:
        runtime = self.runtime
        if runtime.closed:
            raise _closed(runtime, doing)
        try:
            runtime.loop.call_soon_threadsafe(callback, context=context)
        except RuntimeError:  # "Event loop is closed"
            raise _closed(runtime, doing) from None

    def _wait(self, doing: str, future: concurrent.futures.Future[Any]) -> Any:
        runtime = self.runtime
        left = self._timeout
        try:
            while True:
                pause = LOOK_EVERY if left is None else min(LOOK_EVERY, max(0.0, left))
                concurrent.futures.wait((future,), pause)
                if future.done():
                    try:
                        return future.result()
                    except concurrent.futures.CancelledError:
                        raise _closed(runtime, doing) from None
                if runtime.loop.is_closed():
                    raise _closed(runtime, doing)
                if left is not None:
                    left -= pause
                    if left <= 0 and future.cancel():  # else the answer is on its way
                        raise TimeoutError(
                            f"portal.{doing}: not done within {self._timeout} s; it was cancelled."
                        )
        finally:
            future.cancel()


class _Work:
    """One thing that another thread asked for: a guest of the runtime."""

    def __init__(
        self,
        runtime: Runtime,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        future: concurrent.futures.Future[Any],
    ) -> None:
        self.runtime = runtime
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.future = future
        self.task: asyncio.Task[Any] | None = None

    def begin(self) -> None:
        """In the loop's thread: make the task."""
        runtime = self.runtime
        if runtime.closed or runtime.closing:
            self._answer(None, _closed(runtime, "portal"))
            return
        context = contextvars.copy_context()
        context.run(CURRENT.set, None)
        self.task = runtime.make_task(self._run(), context, "portal")
        runtime.portal_tasks.add(self.task)
        self.task.add_done_callback(self._done)
        self.future.add_done_callback(self._cancelled)

    async def _run(self) -> Any:
        label = getattr(self.function, "__qualname__", None) or repr(self.function)
        async with self.runtime.guest(f"portal {label}"):
            result = self.function(*self.args, **self.kwargs)
            if inspect.isawaitable(result):
                result = await _as_awaitable(result)
        return result

    def _done(self, task: asyncio.Task[Any]) -> None:
        self.runtime.portal_tasks.discard(task)
        if task.cancelled():
            self._answer(None, _closed(self.runtime, "portal"))
        else:
            error = task.exception()
            self._answer(None if error is not None else task.result(), error)

    def _answer(self, value: object, error: BaseException | None) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        if error is None:
            self.future.set_result(value)
        else:
            self.future.set_exception(error)

    def _cancelled(self, future: concurrent.futures.Future[Any]) -> None:
        """In any thread: whoever waited does not any more."""
        task = self.task
        if future.cancelled() and task is not None:
            try:
                self.runtime.loop.call_soon_threadsafe(task.cancel)
            except RuntimeError:  # closed: its tasks are gone too
                return


def _closed(runtime: Runtime, doing: str) -> RuntimeClosedError:
    return RuntimeClosedError(
        f"{doing}: runtime {runtime.name!r} is not open, or is closing. Nothing more is done in it."
    )


def _as_awaitable(value: Any) -> Awaitable[Any]:
    return value  # type: ignore[no-any-return]
