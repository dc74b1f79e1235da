"""An asyncio event loop whose time is virtual: waiting costs nothing, and runs repeat.

A test owns one: the pytest plugin makes it, or `asyncio.Runner(loop_factory=VirtualLoop)`.
Everything in asyncio works, for the class is a `SelectorEventLoop` with another
clock.  When nothing is ready to run, time jumps to the next timer instead of
passing.  The rule, each time that the loop would sleep:

1. **I/O first.**  Descriptors are polled without waiting; what is ready runs.
2. **Work outside is waited for.**  While a job of `run_in_executor` (so
   `to_thread`, `getaddrinfo`, ...), a child process of asyncio or a block of
   `external_work` is under way, the loop really waits.  Time stands still
   meanwhile, unless the wait lasts as long as the next timer asks: a timeout
   around a stuck thread still works, at its real pace.  After one second it
   passes as it does outside.
3. **Strangers get a grace.**  While sockets or pipes are registered (idle
   listeners apart), or threads run that were started since the loop was made,
   the loop really waits up to `grace` seconds for them before each jump.  So a
   request to a server in this process does not time out; one to a slow server
   elsewhere belongs in `external_work`.
4. **Jump** to the next timer.
5. **No timer and nobody outside: deadlock.**  `VirtualDeadlockError` lists the
   pending tasks and where each waits, at once, instead of hanging.

Refused: shuffling the loop's ready list (asyncio promises the order of
`call_soon`; the runtime shuffles its own queue), and signals as a reason to
wait: a process that only waits for a signal is a deadlock here.

>>> async def nap():
...     await asyncio.sleep(3600)
...     return asyncio.get_running_loop().time()
>>> with asyncio.Runner(loop_factory=VirtualLoop) as runner:
...     runner.run(nap())
3600.0
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import itertools
import math
import threading
from collections.abc import Callable, Generator
from typing import Any, TypeVar, TypeVarTuple, Unpack

from suptree.clock import ManualClock, wall_clock
from suptree.errors import SuptreeError
from suptree.testing.idle import IdleSelector
from suptree.testing.stacks import describe_tasks

__all__ = ["VirtualDeadlockError", "VirtualLoop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualDeadlockError(SuptreeError):
    """Nothing can happen in this virtual loop any more, and somebody waits for it.

    Attributes:
        why: What was looked for and not found.
        tasks: One line for each pending task: its name, and where it waits.
    """

    def __init__(self, why: str, tasks: list[str]) -> None:
        super().__init__(why, tasks)
        self.why = why
        self.tasks = tasks

    def __str__(self) -> str:
        waiting = "".join(f"\n  {line}" for line in self.tasks) or " no task at all."
        return f"{self.why} Waiting:{waiting}"


class VirtualLoop(asyncio.SelectorEventLoop):
    """A selector event loop that jumps over the time in which nothing happens.

    Args:
        clock: Holds the virtual time; default: one that starts at 0 and jumps.
            With its `autojump` off, time moves by `loop.clock.advance(...)` alone.
        grace: Real seconds given to strangers before each jump (rule 3).
        patience: Real seconds given to strangers when no timer is armed, before
            their silence counts as a deadlock.
        max_jumps: How often one run may jump before it counts as stuck: a
            periodic timer beside a lost wake-up would spin for ever.
    """

    def __init__(
        self,
        *,
        clock: ManualClock | None = None,
        grace: float = 0.02,
        patience: float = 10.0,
        max_jumps: float = 1_000_000,
    ) -> None:
        self.clock = ManualClock() if clock is None else clock
        self._wall_offset = wall_clock() - self.clock.now()
        self.grace = grace
        self.patience = patience
        self.max_jumps = max_jumps
        self.jumps = 0
        self._work: dict[int, str] = {}
        self._work_numbers = itertools.count()
        self._children: list[asyncio.SubprocessTransport] = []
        self._pool: concurrent.futures.Executor | None = None
        self._pool_threads: set[int] = set()
        self._older_threads = set(threading.enumerate())
        self._turn_waiters: list[asyncio.Future[None]] = []
        self._ripe_waiters: list[asyncio.Future[None]] = []
        self._idle = IdleSelector(self)
        super().__init__(self._idle)
        self._idle.adopt()
        self.slow_callback_duration = math.inf  # in virtual time no callback takes any

    # -- time --------------------------------------------------------------------------

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self.clock.now()

    @property
    def _clock_resolution(self) -> float:
        """What asyncio calls back before it is due: nothing, for time that stands still comes no nearer.

        A process that looks what is due would find nothing, and ask to be called back again.
        """
        return math.ulp(self.clock.now())

    @_clock_resolution.setter
    def _clock_resolution(self, _: float) -> None:
        """Asyncio sets that of the system's clock."""

    def wall_time(self) -> float:
        """Return what a clock on the wall shows, in seconds since 1970: it goes as `time` goes.

        It begins with the real time at which the loop was made.
        """
        return self._wall_offset + self.clock.now()

    def run_forever(self) -> None:
        """Run until `stop()`; the count of jumps begins anew."""
        self.jumps = 0
        super().run_forever()

    async def turn(self) -> None:
        """Wait until the loop has polled once: something else ran, or time jumped.

        For helpers that look at a condition again and again: unlike `sleep(0)`
        it lets time move when everybody else waits.

        Raises:
            VirtualDeadlockError: Nothing else can happen any more.
        """
        waiter = self.create_future()
        self._turn_waiters.append(waiter)
        await waiter

    def is_settled(self) -> bool:
        """Say whether nobody else is ready to run, seen from code that the loop itself has called."""
        return not self._ready  # type: ignore[attr-defined]

    # -- work outside the loop -----------------------------------------------------------

    @contextlib.contextmanager
    def external_work(self, what: str = "external work") -> Generator[None, None, None]:
        """Say that something outside works and will call back: no jump meanwhile.

        Args:
            what: Named by `outside()`, for a reader who wonders why time stands still.
        """
        done = self._begin(what)
        try:
            yield
        finally:
            done()

    def outside(self) -> list[str]:
        """Name the work that time waits for: jobs, child processes, `external_work`."""
        children = [f"child process {one.get_pid()}" for one in self._living_children()]
        return [*self._work.values(), *children, *self._idle.children()]

    def run_in_executor(
        self,
        executor: concurrent.futures.Executor | None,
        func: Callable[[Unpack[Ts]], T],
        *args: *Ts,
    ) -> asyncio.Future[T]:
        """Run *func* in a thread or process, as asyncio does; time waits for it."""
        recorder = _Recorder(self._default_pool() if executor is None else executor)
        future = super().run_in_executor(recorder, func, *args)
        if recorder.job is not None:
            done = self._begin(f"executor job {getattr(func, '__qualname__', func)}")
            # After asyncio's own callback: its wake-up is in the ready list before ours.
            recorder.job.add_done_callback(lambda _: self._call_back(done))
        return future

    def set_default_executor(self, executor: Any) -> None:
        """Set the default executor, as asyncio does."""
        super().set_default_executor(executor)
        self._pool = executor

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        """Shut the default executor down, as asyncio does; time waits for it."""
        with self.external_work("shutdown of the default executor"):
            await super().shutdown_default_executor(*args, **kwargs)

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        """Start a child process, as asyncio does; time waits until it has ended."""
        with self.external_work("start of a child process"):
            transport, protocol = await super().subprocess_exec(*args, **kwargs)
        self._children.append(transport)
        return transport, protocol

    async def subprocess_shell(self, *args: Any, **kwargs: Any) -> Any:
        """Start a shell, as asyncio does; time waits until it has ended."""
        with self.external_work("start of a shell"):
            transport, protocol = await super().subprocess_shell(*args, **kwargs)
        self._children.append(transport)
        return transport, protocol

    # -- for the selector ------------------------------------------------------------------

    def is_busy(self) -> bool:
        """Say whether work outside is known to be under way."""
        return bool(self._work) or bool(self._children and self._living_children())

    def has_strangers(self) -> bool:
        """Say whether threads run that are neither older than the loop nor idle pool workers."""
        return any(
            thread not in self._older_threads and thread.ident not in self._pool_threads
            for thread in threading.enumerate()
        )

    def jump(self, timeout: float) -> None:
        """Move time to the next timer, *timeout* seconds away."""
        self.jumps += 1
        if self.jumps > self.max_jumps:
            self.deadlock(
                f"{self.max_jumps:.0f} jumps in one run and only timers go on. "
                "Somebody waits for what never comes, or max_jumps is too small."
            )
        self.clock.advance_to(self._next_due(timeout))

    def deadlock(self, why: str) -> None:
        """Report to whoever awaits `turn()`, else out of the run of the loop."""
        error = VirtualDeadlockError(
            f"VirtualLoop: stuck at {self.time():.6g} s: {why}", describe_tasks(self)
        )
        waiting = [waiter for waiter in self._turn_waiters if not waiter.done()]
        if not waiting:
            raise error
        for waiter in waiting:
            waiter.set_exception(error)
        self._turn_waiters.clear()

    def ripen(self) -> None:
        """Note that the loop polls: what it found, or the jump, runs before `turned` is asked."""
        self._ripe_waiters += self._turn_waiters
        self._turn_waiters.clear()

    def turned(self) -> bool:
        """Wake whoever awaits `turn()` since before the last poll; say whether anybody did."""
        ripe, self._ripe_waiters = self._ripe_waiters, []
        waiters = [waiter for waiter in ripe if not waiter.done()]
        for waiter in waiters:
            waiter.set_result(None)
        return bool(waiters)

    # -- inside ----------------------------------------------------------------------------

    def _begin(self, what: str) -> Callable[[], None]:
        number = next(self._work_numbers)
        self._work[number] = what

        def done() -> None:
            self._work.pop(number, None)

        return done

    def _call_back(self, done: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # closed: a cancelled job may outlive its loop
            self.call_soon_threadsafe(done)

    def _living_children(self) -> list[asyncio.SubprocessTransport]:
        self._children = [one for one in self._children if one.get_returncode() is None]
        return self._children

    def _default_pool(self) -> concurrent.futures.Executor:
        if self._pool is None:
            self.set_default_executor(
                concurrent.futures.ThreadPoolExecutor(
                    thread_name_prefix="asyncio",
                    initializer=lambda: self._pool_threads.add(threading.get_ident()),
                )
            )
        assert self._pool is not None
        return self._pool

    def _next_due(self, timeout: float) -> float:
        # The head of asyncio's heap says it exactly; now + timeout may miss it by a rounding
        # error, and does not reach it when asyncio clamps the timeout to a day.
        scheduled: list[asyncio.TimerHandle] = getattr(self, "_scheduled", [])
        now = self.time()
        return max(now, scheduled[0].when()) if scheduled else now + timeout


class _Recorder(concurrent.futures.Executor):
    """Stands between asyncio and an executor for one submission, and keeps its job."""

    def __init__(self, executor: concurrent.futures.Executor) -> None:
        self._executor = executor
        self.job: concurrent.futures.Future[Any] | None = None

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Any:
        """Submit to the real executor."""
        self.job = self._executor.submit(fn, *args, **kwargs)
        return self.job
