"""The runner: one application as a whole program, from its start to an exit code that says how it ended.

    if __name__ == "__main__":
        st.run(Shop())

It owns the event loop (uvloop when that is installed) and SIGINT and SIGTERM (law 13).
The first signal stops everything in order, within `stop_timeout`; a second one kills
everything at once; a third leaves the interpreter.  A loop that is blocked is left from
outside, see `watchdog.py`.  What the codes mean is `ExitCode`.

Refuses to run anywhere but in the main thread, where Python delivers signals.
"""

from __future__ import annotations

import asyncio
import importlib
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import FrameType
from typing import Any, Final, Literal

from suptree.clock import loop_clock
from suptree.core import KILLED, LOG, SHUTDOWN
from suptree.core import Shutdown as ShutdownReason
from suptree.errors import ApplicationError, RuntimeStoppedError, UsageError
from suptree.otp.application import Application
from suptree.otp.child_spec import ChildSpec
from suptree.otp.exit_codes import ExitCode
from suptree.otp.runtime import Runtime
from suptree.otp.watchdog import Watchdog, leave

__all__ = ["run", "run_program"]

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
FORCED: Final[Mapping[signal.Signals, ExitCode]] = {
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
}
TASK_LIMIT: Final = 1.0
THREAD_LIMIT: Final = 2.0
UseUvloop = bool | Literal["auto"]


def run(
    application: Application | type[Application],
    *,
    stop_timeout: float = 10.0,
    uvloop: UseUvloop = "auto",
    env: Mapping[str, Any] | None = None,
    companions: Sequence[ChildSpec[Any]] = (),
    runtime: Runtime | None = None,
    debug: bool = False,
) -> None:
    """Run *application* as the whole program, until it ends or a signal stops it.

    Every application that it depends on is started first, and all of them are
    permanent: when one ends, the program does.

    Args:
        application: A class stands for its instance without arguments.
        stop_timeout: Seconds for an orderly stop; what is left then is killed.
        uvloop: Whether to use it; 'auto' if it is installed.
        env: Put into the environment of *application*.
        companions: Children that run beside it, such as an inspector; they start first,
            stop last, and their end does not matter.
        runtime: A runtime that is not open yet, for its other options; then
            its own `stop_timeout` holds.
        debug: asyncio's debug mode.

    Raises:
        SystemExit: The program ended otherwise than in order; the code is an `ExitCode`.
        UsageError: Called outside the main thread, or inside a running loop.
    """
    code = run_program(
        application,
        stop_timeout=stop_timeout,
        uvloop=uvloop,
        env=env,
        companions=companions,
        runtime=runtime,
        debug=debug,
    )
    if code is not ExitCode.OK:
        raise SystemExit(int(code))


def run_program(
    application: Application | type[Application],
    *,
    stop_timeout: float = 10.0,
    uvloop: UseUvloop = "auto",
    env: Mapping[str, Any] | None = None,
    companions: Sequence[ChildSpec[Any]] = (),
    runtime: Runtime | None = None,
    debug: bool = False,
) -> ExitCode:
    """As `run`, but returns the exit code; leaves the interpreter only when a thread cannot be ended."""
    if threading.current_thread() is not threading.main_thread():
        raise UsageError("run: must be called in the main thread, where Python delivers signals.")
    runtime = Runtime(stop_timeout=stop_timeout) if runtime is None else runtime
    threads_before = set(threading.enumerate())
    executor = ThreadPoolExecutor(thread_name_prefix="suptree")
    loop = _new_loop(uvloop)
    loop.set_default_executor(executor)
    loop.set_debug(debug)
    try:
        with _Program(runtime, loop) as program:
            code = program.run(application, env, companions)
            _end_tasks(loop)
            executor.shutdown(wait=False, cancel_futures=True)
            threads = _end_threads(loop, threads_before)
    finally:
        loop.close()
    if code is not ExitCode.OK:
        LOG.error("exit code %d: the program %s", code, code.explain())
    if threads:
        names = ", ".join(thread.name for thread in threads)
        leave(code or ExitCode.UNCLEAN, f"threads that do not end: {names}")
    return code


class _Program:
    """One run: what signals came, and what they do."""

    def __init__(self, runtime: Runtime, loop: asyncio.AbstractEventLoop) -> None:
        self._runtime = runtime
        self._loop = loop
        self._watchdog = Watchdog(loop)
        self._signals: list[signal.Signals] = []
        self._previous: dict[signal.Signals, Any] = {}
        self._is_watched = False

    # -- signals -------------------------------------------------------------------------------

    def __enter__(self) -> _Program:
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                self._previous[number] = signal.signal(number, self._signalled)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._watchdog.done()

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        """A signal came, between two bytecodes of whatever the main thread runs."""
        name = signal.Signals(number)
        self._signals.append(name)
        if len(self._signals) == 1:
            self._watch()
            self._soon(self._stop)
            self._watchdog.warn(
                "%s: stopping in order, within %g s; once more kills everything at once",
                name.name,
                self._runtime.stop_timeout,
            )
        elif len(self._signals) == 2:
            self._watchdog.watch(0.0, FORCED[name])
            self._soon(self._kill)
            self._watchdog.warn("%s once more: killing everything", name.name)
        else:
            leave(FORCED[self._signals[1]], f"{name.name}, the third signal")

    def _soon(self, function: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function)

    def _watch(self) -> None:
        if not self._is_watched:
            self._is_watched = True
            self._watchdog.watch(self._runtime.stop_timeout, ExitCode.UNCLEAN)

    def _stop(self) -> None:
        if not self._runtime.closed:
            name = self._signals[0].name
            self._runtime.stop(ShutdownReason(name), name)

    def _kill(self) -> None:
        for process in list(self._runtime.processes.values()):
            if process.body.kind != "guest":
                process.doom(KILLED)

    # -- the run ------------------------------------------------------------------------------------

    def run(
        self,
        application: Application | type[Application],
        env: Mapping[str, Any] | None,
        companions: Sequence[ChildSpec[Any]],
    ) -> ExitCode:
        """Run the loop until the program is over."""
        asyncio.set_event_loop(self._loop)
        try:
            failure = self._loop.run_until_complete(self._main(application, env, companions))
        finally:
            asyncio.set_event_loop(None)
        return self._verdict(failure)

    async def _main(
        self,
        application: Application | type[Application],
        env: Mapping[str, Any] | None,
        companions: Sequence[ChildSpec[Any]],
    ) -> ExitCode:
        """The root process; returns what went wrong, beside the stop itself."""
        runtime = self._runtime
        try:
            async with runtime:
                runtime.close_hooks.append(self._closing)
                if self._signals:  # it came before there was a runtime
                    self._stop()
                if companions:
                    await runtime.applications.start(_Companions(companions))
                await runtime.applications.ensure_all_started(application, "permanent", env=env)
                await runtime.park()
        except ApplicationError as error:
            LOG.error("%s", "\n".join([str(error), *getattr(error, "__notes__", ())]))
            return ExitCode.START_FAILED
        except RuntimeStoppedError as stopped:
            return self._why(stopped)
        return ExitCode.OK

    async def _closing(self) -> None:
        self._watch()

    def _why(self, stopped: RuntimeStoppedError) -> ExitCode:
        if self._signals:
            return ExitCode.OK
        end = self._runtime.applications.ended_by
        if end is not None:
            return ExitCode.FAILED if end.is_failure() else ExitCode.OK
        fine = stopped.reason is SHUTDOWN or isinstance(stopped.reason, ShutdownReason)
        if not fine:
            LOG.error("%s", stopped)
        return ExitCode.OK if fine else ExitCode.FAILED

    def _verdict(self, failure: ExitCode) -> ExitCode:
        runtime = self._runtime
        if len(self._signals) > 1:
            return FORCED[self._signals[1]]
        if failure is not ExitCode.OK:
            return failure
        if runtime.abandoned:
            return ExitCode.UNCLEAN
        return ExitCode.OVERDUE if runtime.overdue else ExitCode.OK


class _Companions(Application):
    """What runs beside the application; its end is reported and does not matter."""

    name = "companions"

    def __init__(self, companions: Sequence[ChildSpec[Any]]) -> None:
        self._companions = companions

    def children(self) -> Sequence[ChildSpec[Any]]:
        """As given."""
        return self._companions


def _new_loop(uvloop: UseUvloop) -> asyncio.AbstractEventLoop:
    if uvloop not in (True, False, "auto"):
        raise UsageError(f"run: uvloop must be True, False or 'auto'; got {uvloop!r}.")
    if uvloop:
        try:
            made: asyncio.AbstractEventLoop = importlib.import_module("uvloop").new_event_loop()
        except ImportError:
            if uvloop is True:
                raise UsageError(
                    "run: uvloop is not installed. Install suptree[speed], or say uvloop='auto'."
                ) from None
        else:
            return made
    return asyncio.new_event_loop()


def _end_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what the host left, as asyncio.run does, but never wait for ever."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=TASK_LIMIT))
    with suppress(TimeoutError):
        loop.run_until_complete(_end_generators(loop))


async def _end_generators(loop: asyncio.AbstractEventLoop) -> None:
    async with asyncio.timeout(TASK_LIMIT):
        await loop.shutdown_asyncgens()


def _end_threads(
    loop: asyncio.AbstractEventLoop, before: set[threading.Thread]
) -> list[threading.Thread]:
    """Let the threads of this run end; returns those that would keep the interpreter from leaving."""
    ours = [t for t in threading.enumerate() if t not in before and not t.daemon]
    now = loop_clock(loop)
    deadline = now() + THREAD_LIMIT
    for thread in ours:
        thread.join(max(0.0, deadline - now()))
    return [thread for thread in ours if thread.is_alive()]
