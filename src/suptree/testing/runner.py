"""One loop and one task for one async test: its fixtures, its body, their clean-up.

All of a test's coroutines run in the same task, one after the other, so that a
context variable set by a fixture is seen by the test, and the body of an
`async with` that a fixture opens is the test itself (a runtime makes that body a
guest process).  It refuses to hang: when a coroutine is left waiting because the
loop gave up (deadlock, Ctrl-C), it is cancelled, and left to itself after
`GRACE` seconds.

>>> from suptree.testing.loop import VirtualLoop
>>> runner = TestRunner(VirtualLoop)
>>> runner.run(asyncio.sleep(3600, "done"))
'done'
>>> runner.close()
"""

from __future__ import annotations

import asyncio
import importlib
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any, Final, TypeVar

from suptree.errors import UsageError
from suptree.testing.loop import VirtualDeadlockError, VirtualLoop
from suptree.testing.sites import Sites

__all__ = ["LOOPS", "TestRunner", "loop_factory"]

T = TypeVar("T")

LOOPS: Final = ("virtual", "asyncio", "uvloop")
GRACE: Final = 5.0


def loop_factory(kind: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes a loop of *kind*: one of `LOOPS`.

    Raises:
        ValueError: There is no such kind.
        ImportError: uvloop is not installed.
    """
    match kind:
        case "virtual":
            return VirtualLoop
        case "asyncio":
            return asyncio.SelectorEventLoop
        case "uvloop":
            factory: Callable[[], asyncio.AbstractEventLoop]
            factory = importlib.import_module("uvloop").new_event_loop
            return factory
        case _:
            raise ValueError(
                f"suptree_loop: loop must be one of {', '.join(LOOPS)}; got {kind!r}. "
                "Correct the marker, the option --suptree-loop or SUPTREE_TEST_LOOP."
            )


class TestRunner:
    """Runs the coroutines of one test, in one loop and one task.

    Args:
        factory: Makes the loop.
        sites: Told of every task and timer; for the leak check.
    """

    __test__ = False  # pytest: not a test class

    def __init__(
        self, factory: Callable[[], asyncio.AbstractEventLoop], sites: Sites | None = None
    ) -> None:
        self._runner = asyncio.Runner(loop_factory=factory)
        self.loop = self._runner.get_loop()
        if sites is not None:
            sites.watch_loop(self.loop)
        self._driver: asyncio.Task[None] | None = None
        self._job: _Job | None = None
        self._wake = asyncio.Event()
        self._stopping = False

    def run(self, awaitable: Awaitable[T]) -> T:
        """Run *awaitable* in the test's task and return its result, or raise what it raised.

        Raises:
            VirtualDeadlockError: It waits for what can never come.
            UsageError: The test runs: an async fixture was asked for in its body.
        """
        __tracebackhide__ = True
        if self.loop.is_running():
            if asyncio.iscoroutine(awaitable):
                awaitable.close()
            raise UsageError(
                "request.getfixturevalue: an async fixture, such as `runtime`, must be set up before "
                "its test runs. Name it among the arguments of the test, or of one of its fixtures."
            )
        if self._driver is None:
            self._driver = asyncio.Task(self._drive(), loop=self.loop, name="test")
        job = self._job = _Job(awaitable, self.loop.create_future())
        self._wake.set()
        ours = _take_sigint()
        try:
            self.loop.run_until_complete(job.over)
        except VirtualDeadlockError as error:
            self._give_up(job)
            # Told where the coroutine waited, not where the loop noticed.
            place = None if job.error is None else job.error.__traceback__
            raise error.with_traceback(place) from None
        finally:
            if ours is not None and signal.getsignal(signal.SIGINT) is ours:
                signal.signal(signal.SIGINT, signal.default_int_handler)
            if not job.over.done():
                self._give_up(job)
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    def leftover_tasks(self) -> list[asyncio.Task[Any]]:
        """Return the tasks that nobody finished, the test's own apart."""
        return [
            task
            for task in asyncio.all_tasks(self.loop)
            if task is not self._driver and not task.done()
        ]

    def close(self) -> None:
        """End the test's task, cancel what is left, shut executors down, close the loop."""
        self._stopping = True
        self._runner.close()

    async def _drive(self) -> None:
        while not self._stopping:
            try:
                await self._wake.wait()
            except asyncio.CancelledError:  # too late: what was to be cancelled is over
                if self._stopping:
                    raise
                continue
            self._wake.clear()
            job, self._job = self._job, None
            if job is not None:
                await job.perform()

    def _give_up(self, job: _Job) -> None:
        """Cancel what the loop left waiting, so that its clean-up runs."""
        assert self._driver is not None
        self._driver.cancel()
        try:
            self.loop.run_until_complete(_within(GRACE, job.over))
        except (TimeoutError, VirtualDeadlockError):
            return  # it swallows its cancel; closing the loop cancels it once more
        self._driver.uncancel()


class _Job:
    """One coroutine on its way through the test's task, and how it ended."""

    def __init__(self, awaitable: Awaitable[Any], over: asyncio.Future[None]) -> None:
        self.awaitable = awaitable
        self.over = over
        self.result: Any = None
        self.error: BaseException | None = None

    async def perform(self) -> None:
        __tracebackhide__ = True
        try:
            self.result = await self.awaitable
        except BaseException as error:  # pytest's own outcomes are BaseExceptions too
            self.error = error
        finally:
            if not self.over.done():
                self.over.set_result(None)


async def _within(seconds: float, future: asyncio.Future[Any]) -> None:
    async with asyncio.timeout(seconds):
        await asyncio.shield(future)


def _take_sigint() -> Callable[[int, FrameType | None], None] | None:
    """Stand before Python's default handler, so that Ctrl-C ends pytest and not one runtime (law 13)."""
    if threading.current_thread() is not threading.main_thread():
        return None
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return None

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    return interrupt
