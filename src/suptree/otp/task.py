"""Task: one function in a process of its own, whose value somebody waits for.

A task is linked to the process that made it: if one crashes, the other goes too.  Under
a `TaskSupervisor` it is supervised as well, and need not be linked.  It runs once and is
never restarted while somebody waits for it.  Only its owner may ask for the value.

>>> import asyncio, suptree
>>> async def main():
...     async with suptree.Runtime():
...         task = suptree.Task.async_(sum, [1, 2, 3])
...         return await task
>>> asyncio.run(main())
6

After Elixir's Task (1.14).  What differs: the value goes to the handle, not through the
mailbox, and a task that returned leaves no `Exit` with an owner that traps exits.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Coroutine, Generator, Iterable
from contextlib import suppress
from typing import Any, Generic, Literal, ParamSpec, TypeVar, Unpack, overload

from suptree.core import (
    KILL,
    KILLED,
    SHUTDOWN,
    Pid,
    Process,
    Runtime,
    Slot,
    SlotExpiredError,
    check_delay,
    current_process,
    find_runtime,
    pack_for_task,
    require_process,
)
from suptree.errors import TaskError, TaskExitError, TaskOwnerError, TaskTimeoutError
from suptree.otp.child_spec import ChildSpec, StartOptions
from suptree.otp.stream import StreamKeywords, StreamOptions, TaskStream, make_stream
from suptree.otp.task_process import Outcome, TaskExit, TaskStart, TaskValue

__all__ = ["Task"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_UNLINKED = StartOptions(link=False)
_LINKED = StartOptions()


class Task(Generic[T_co]):
    """The handle of a running task: ``value = await task``.

    Awaiting it waits as long as the task lives, and may be repeated; `await_` is the
    form with a time limit.

    Attributes:
        pid: The process of the task.
        owner: The process that may ask for the value; None for code outside every process.
    """

    __slots__ = ("_outcome", "_owner", "pid")

    def __init__(self, pid: Pid[Any], owner: Process | None, outcome: Outcome) -> None:
        self.pid = pid
        self._owner = owner
        self._outcome = outcome

    # -- starting ---------------------------------------------------------------------

    @overload
    @staticmethod
    def async_(
        function: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Task[R]: ...
    @overload
    @staticmethod
    def async_(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...
    @staticmethod
    def async_(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Task[Any]:
        """Run ``function(*args, **kwargs)`` in a process linked to this one (S190).

        Args:
            function: Async, or plain and then run in one turn.

        Returns:
            The handle, to be awaited by this process.

        Raises:
            NotInProcessError: The code runs outside every process.
        """
        owner = require_process("Task.async_")
        runtime = owner.runtime
        outcome = Outcome(runtime)
        start = TaskStart(
            function,
            args,
            kwargs,
            outcome=outcome,
            asked=owner,
            linked=True,
            carried=pack_for_task(runtime),
        )
        return Task(start.start(runtime, owner, _LINKED).outcome(), owner, outcome)

    @staticmethod
    def start(function: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> Pid[Any]:
        """Run a function in a process that nobody waits for, and that is linked to nobody."""
        return _start(
            "Task.start",
            current_process(),
            _UNLINKED,
            TaskStart(function, args, kwargs, asked=current_process()),
        )

    @staticmethod
    def start_link(function: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> Pid[Any]:
        """Run a function in a process that nobody waits for, linked to this one.

        Raises:
            NotInProcessError: The code runs outside every process.
        """
        owner = require_process("Task.start_link")
        return _start(
            "Task.start_link", owner, _LINKED, TaskStart(function, args, kwargs, asked=owner)
        )

    @staticmethod
    def child(
        function: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs
    ) -> ChildSpec[Any]:
        """The child spec of a function: temporary, so it runs once unless `with_` says more."""
        return ChildSpec(
            start=TaskStart(function, args, kwargs), restart="temporary", modules=(Task,)
        )

    # -- waiting ------------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, T_co]:
        return self._await(None).__await__()

    @staticmethod
    async def await_(task: Task[R], timeout: float | None = 5.0) -> R:
        """Wait for the value of *task* (S191).

        Args:
            task: A task of this process.
            timeout: Seconds; None waits as long as the task lives.

        Raises:
            TaskExitError: The task ended without a value, NORMAL included.
            TaskTimeoutError: No value in time.  The task runs on, and its value is dropped.
            TaskOwnerError: Another process made the task.
        """
        return await task._await(timeout)

    async def _await(self, timeout: float | None) -> T_co:
        self._check("await")
        told = await self._wait(timeout)
        if told is None:
            self._outcome.drop()
            raise TaskTimeoutError(self, timeout or 0.0)
        value: T_co = self._value_of(told)
        return value

    @staticmethod
    async def yield_(task: Task[R], timeout: float | None = 5.0) -> TaskValue[R] | TaskExit | None:
        """Look after the task for up to *timeout* seconds; may be repeated (S192).

        Returns:
            TaskValue(value), TaskExit(reason), or None if it still runs.

        Raises:
            TaskOwnerError: Another process made the task.
        """
        task._check("yield_")
        return await task._wait(timeout)

    @staticmethod
    async def await_many(tasks: Iterable[Task[R]], timeout: float | None = 5.0) -> list[R]:
        """Wait for the values of all *tasks*, which come in the order given (S194).

        Raises:
            TaskExitError: One ended without a value; the first that did so.
            TaskTimeoutError: Some had no value in time; all values are dropped.
            TaskOwnerError: Another process made one of them.
        """
        tasks = list(tasks)
        failed = await _wait_all(tasks, "await_many", timeout, stop_at_exit=True)
        missing = [task for task in tasks if not task._outcome.done()]
        for task in missing:
            task._outcome.drop()
        if failed is not None:
            failed._value_of(failed._outcome.outcome())  # raises
        if missing:
            raise TaskTimeoutError(missing[0], timeout or 0.0)
        return [task._value_of(task._outcome.outcome()) for task in tasks]

    @staticmethod
    async def yield_many(
        tasks: Iterable[Task[R]], timeout: float | None = 5.0
    ) -> list[tuple[Task[R], TaskValue[R] | TaskExit | None]]:
        """Look after all *tasks* together for up to *timeout* seconds; in the order given (S194).

        Returns:
            Each task with TaskValue(value), TaskExit(reason), or None if it still runs.

        Raises:
            TaskOwnerError: Another process made one of them.
        """
        tasks = list(tasks)
        await _wait_all(tasks, "yield_many", timeout, stop_at_exit=False)
        return [(task, task._outcome.told()) for task in tasks]

    # -- many -----------------------------------------------------------------------------

    @overload
    @staticmethod
    def stream(
        function: Callable[[T], Coroutine[Any, Any, R]],
        inputs: Iterable[T] | AsyncIterable[T],
        /,
        **options: Unpack[StreamKeywords],
    ) -> TaskStream[R]: ...
    @overload
    @staticmethod
    def stream(
        function: Callable[[T], R],
        inputs: Iterable[T] | AsyncIterable[T],
        /,
        **options: Unpack[StreamKeywords],
    ) -> TaskStream[R]: ...
    @staticmethod
    def stream(
        function: Callable[[Any], Any],
        inputs: Iterable[Any] | AsyncIterable[Any],
        /,
        **options: Unpack[StreamKeywords],
    ) -> TaskStream[Any]:
        """One task for each of *inputs*, without a supervisor; see `TaskSupervisor.stream`."""
        return make_stream(_spawn, function, inputs, StreamOptions(**options))

    # -- ending ---------------------------------------------------------------------------

    @staticmethod
    async def shutdown(
        task: Task[R], timeout: float | Literal["brutal_kill"] | None = 5.0
    ) -> TaskValue[R] | TaskExit | None:
        """Unlink the task and end it, with SHUTDOWN first (S193).

        Args:
            task: A task of this process.
            timeout: Seconds that it has before it is killed; 'brutal_kill' kills it at
                once; None waits as long as it takes.

        Returns:
            TaskValue(value) if it was quicker, TaskExit(reason) if it ended for another
            reason, None if SHUTDOWN (or the kill that was asked for) ended it, whoever sent that.
            One that had to be killed in the end is a TaskExit(KILLED).

        Raises:
            TaskOwnerError: Another process made the task.
        """
        task._check("shutdown")
        brutal = timeout == "brutal_kill"
        if timeout is not None and not brutal:
            check_delay("Task.shutdown", "timeout", timeout)  # type: ignore[arg-type]
        task._unlink()
        ours = KILLED if brutal else SHUTDOWN
        told = task._outcome.told()
        if told is None:
            runtime, owner = task.pid.runtime, task._owner
            runtime.exit(task.pid, KILL if brutal else SHUTDOWN, owner)
            told = await task._wait(None if isinstance(timeout, str) else timeout)
            if told is None:
                runtime.exit(task.pid, KILL, owner)
                told = await task._wait(None)
        return None if isinstance(told, TaskExit) and told.reason is ours else told

    @staticmethod
    def ignore(task: Task[R]) -> TaskValue[R] | TaskExit | None:
        """Unlink the task and let it go: it runs on, and its value is dropped (S194).

        Returns:
            What it has come to already, or None.

        Raises:
            TaskOwnerError: Another process made the task.
        """
        task._check("ignore")
        task._unlink()
        told = task._outcome.told()
        if told is None:
            task._outcome.drop()
        return told

    # -- inside ---------------------------------------------------------------------------

    @property
    def owner(self) -> Pid[Any] | None:
        """The process that may ask for the value; None for code outside every process."""
        return None if self._owner is None else self._owner.pid

    def _check(self, doing: str) -> None:
        self.pid.runtime.check_thread(f"Task.{doing}")
        caller = current_process()
        if caller is not self._owner:
            who = "code outside every process" if caller is None else repr(caller.pid)
            raise TaskOwnerError(
                f"Task.{doing}: {self!r} belongs to {self.owner!r}; it was asked by {who}. "
                "Ask in the process that made it, which can send the value on."
            )
        if self._outcome.dropped:
            raise TaskError(
                f"Task.{doing}: {self!r} was let go (ignore, or an await that timed out), "
                "and its value is dropped. Use yield_ to look again and again."
            )

    def _unlink(self) -> None:
        process = self.pid._process
        if process is not None and self._owner is not None:
            self.pid.runtime.unlink_processes(self._owner, process)

    def _value_of(self, told: TaskValue[Any] | TaskExit) -> Any:
        if isinstance(told, TaskExit):
            raise TaskExitError(self, told.reason)
        return told.value

    async def _wait(self, timeout: float | None) -> TaskValue[Any] | TaskExit | None:
        await _wait_for(self.pid.runtime, [self], timeout, stop_at_exit=False)
        return self._outcome.told()

    def __repr__(self) -> str:
        return f"<Task {self.pid!r}>"


def _spawn(runtime: Runtime, owner: Process | None, start: TaskStart) -> Slot:
    return start.start(runtime, owner, _UNLINKED)


def _start(doing: str, parent: Process | None, options: StartOptions, start: TaskStart) -> Pid[Any]:
    runtime = parent.runtime if parent is not None else find_runtime(doing)
    pid: Pid[Any] = start.start(runtime, parent, options).outcome()
    return pid


async def _wait_all(
    tasks: list[Task[Any]], doing: str, timeout: float | None, *, stop_at_exit: bool
) -> Task[Any] | None:
    """Wait until all are done, or, with *stop_at_exit*, return the first that had no value."""
    for task in tasks:
        task._check(doing)
    if not tasks:
        return None
    return await _wait_for(tasks[0].pid.runtime, tasks, timeout, stop_at_exit=stop_at_exit)


async def _wait_for(
    runtime: Runtime, tasks: list[Task[Any]], timeout: float | None, *, stop_at_exit: bool
) -> Task[Any] | None:
    if timeout is not None:
        check_delay("Task", "timeout", timeout)
    waiting = _Waiting(runtime, tasks, stop_at_exit)
    if waiting.is_over() or timeout == 0:
        return waiting.failed
    if timeout is not None:
        runtime.ticker.expire_after(waiting.gate, timeout)
    try:
        with suppress(SlotExpiredError):
            await waiting.gate
    finally:
        waiting.leave()
    return waiting.failed


class _Waiting:
    """One wait for several tasks: the gate opens when it is over."""

    __slots__ = ("_open", "_stop_at_exit", "failed", "gate")

    def __init__(self, runtime: Runtime, tasks: list[Task[Any]], stop_at_exit: bool) -> None:
        self.gate = Slot(runtime.runqueue)
        self.failed: Task[Any] | None = None
        self._stop_at_exit = stop_at_exit
        self._open: dict[Task[Any], Callable[[], object]] = {}
        for task in sorted(tasks, key=lambda task: task._outcome.number):  # the first death first
            if task._outcome.done():
                self._note_exit(task)
            elif task not in self._open:
                self._watch(task)

    def _watch(self, task: Task[Any]) -> None:
        def told() -> None:
            self._open.pop(task, None)
            self._note_exit(task)
            if self.is_over():
                self.gate.set(None)

        self._open[task] = told
        task._outcome.watchers.append(told)

    def _note_exit(self, task: Task[Any]) -> None:
        looks = self._stop_at_exit and self.failed is None
        if looks and isinstance(task._outcome.told(), TaskExit):
            self.failed = task

    def is_over(self) -> bool:
        return not self._open or self.failed is not None

    def leave(self) -> None:
        for task, told in self._open.items():
            if told in task._outcome.watchers:
                task._outcome.watchers.remove(told)
