"""A stream of tasks: one task for each item of an input, so many at a time, results to iterate over.

    async for done in TaskSupervisor.stream("tasks", fetch, urls, max_concurrency=8):
        print(done.result())

The consumer sets the pace.  The input is pulled when there is a place for another task,
and no faster than results are taken; an input that is async is pulled beside the
consumer, so that results which are there never wait for it.

A stream that is left early kills what still runs: at once when its process ends, when it
is closed (`async with` or `aclose`, which wait until all is gone), and soon after a mere
`break`.  It uses no mailbox and leaves nothing in one.

Made by `task_supervisor.py`; after Elixir's Task.Supervisor.async_stream (1.14).
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, TypeVar, cast

from suptree.core import (
    EXITING,
    KILL,
    NORMAL,
    Pid,
    Process,
    Runtime,
    Slot,
    Timer,
    check_delay,
    current_process,
    find_runtime,
    pack_for_task,
)
from suptree.errors import TaskOwnerError, TaskTimeoutError, UsageError
from suptree.otp.task_process import Outcome, TaskExit, TaskStart, TaskValue
from suptree.otp.task_results import TaskResults

__all__ = ["Spawn", "StreamKeywords", "StreamOptions", "TaskStream", "make_stream"]

R_co = TypeVar("R_co", covariant=True)
Result = TaskValue[Any] | TaskExit
Spawn = Callable[[Runtime, Process | None, TaskStart], Slot]
"""Starts a task; the slot gets its pid."""


class StreamKeywords(TypedDict, total=False):
    """The keyword arguments of a stream, see `TaskSupervisor.stream`."""

    max_concurrency: int | None
    ordered: bool
    timeout: float | None
    on_timeout: Literal["exit", "kill_task"]
    zip_input_on_exit: bool
    link: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOptions:
    """The same with defaults, checked."""

    max_concurrency: int | None = None
    ordered: bool = True
    timeout: float | None = 5.0
    on_timeout: Literal["exit", "kill_task"] = "exit"
    zip_input_on_exit: bool = False
    link: bool = True

    def __post_init__(self) -> None:
        number = self.max_concurrency
        if number is not None and (
            not isinstance(number, int) or isinstance(number, bool) or number < 1
        ):
            raise ValueError(
                f"stream: max_concurrency must be an int of at least 1, or None; got {number!r}."
            )
        if self.timeout is not None:
            check_delay("stream", "timeout", self.timeout)
        if self.on_timeout not in ("exit", "kill_task"):
            raise ValueError(
                f"stream: on_timeout must be 'exit' or 'kill_task'; got {self.on_timeout!r}."
            )


class TaskStream(TaskResults[R_co]):
    """The results of a stream: `TaskValue(value)` or `TaskExit(reason)` for each item.

    Nothing starts before the first result is asked for; from then on the stream belongs
    to the process that asked.
    """

    __slots__ = ("_engine", "_make")

    def __init__(self, make: Callable[[], _Engine]) -> None:
        self._make = make
        self._engine: _Engine | None = None

    async def __anext__(self) -> TaskValue[R_co] | TaskExit:
        if self._engine is None:
            self._engine = self._make()
        result = await self._engine.next()
        if result is None:
            raise StopAsyncIteration
        return result

    async def aclose(self) -> None:
        """Kill what still runs, and wait until it is gone."""
        if self._engine is not None:
            await self._engine.aclose()

    def __del__(self) -> None:
        engine = self._engine
        if engine is not None and not engine.closed:
            with suppress(RuntimeError):  # the loop is closed, and the tasks with it
                engine.runtime.loop.call_soon_threadsafe(engine.close)


class _Item:
    """One item of the input and its task."""

    __slots__ = ("input", "is_late", "number", "outcome", "pid", "timer")

    def __init__(self, number: int, input: Any, outcome: Outcome) -> None:
        self.number = number
        self.input = input
        self.outcome = outcome
        self.pid: Pid[Any] | None = None
        self.timer: Timer | None = None
        self.is_late = False


class _Input:
    """The input, plain or async.  Invariant: at most one pull is under way."""

    __slots__ = ("_async", "_plain", "_runtime", "is_over", "pull")

    def __init__(self, runtime: Runtime, source: Iterable[Any] | AsyncIterable[Any]) -> None:
        self._runtime = runtime
        self._plain: Iterator[Any] | None = None
        self._async: AsyncIterator[Any] | None = None
        self.pull: asyncio.Task[Any] | None = None
        self.is_over = False
        if isinstance(source, AsyncIterable):
            self._async = aiter(source)
        else:
            self._plain = iter(source)

    def take(self, give: Callable[[Any], None], failed: Callable[[BaseException], None]) -> None:
        """Have *give* called with the next item, now or later, unless it is over."""
        if self._plain is None:
            self._pull(give, failed)
            return
        try:
            item = next(self._plain)
        except StopIteration:
            self.is_over = True
        else:
            give(item)

    def _pull(self, give: Callable[[Any], None], failed: Callable[[BaseException], None]) -> None:
        source = cast("AsyncIterator[Any]", self._async)

        async def pull() -> Any:
            return await anext(source)

        def pulled(task: asyncio.Task[Any]) -> None:
            self.pull = None
            if task.cancelled():
                failed(asyncio.CancelledError())
                return
            error = task.exception()
            if error is None:
                give(task.result())
                return
            self.is_over = True
            failed(error)

        self.pull = self._runtime.make_task(pull(), copy_context(), "input of a stream")
        self.pull.add_done_callback(pulled)


class _Engine:
    """Keeps the places filled and hands results out.

    What ends is looked at one by one, in the order of the ends and at the pace of the
    consumer, and only then is its place free: so it is told by the results that were
    taken which items have started.

    Invariant: an item is in `_running` from before its task starts until that is down.
    Invariant: `_ends` holds what ended and was not looked at; `_results`, of an ordered
    stream, what was and waits for its turn.
    """

    def __init__(
        self,
        spawn: Spawn,
        function: Callable[[Any], Any],
        source: Iterable[Any] | AsyncIterable[Any],
        options: StreamOptions,
        closed: Callable[[], object] | None,
    ) -> None:
        self.runtime = find_runtime("stream")
        self.runtime.check_thread("stream")
        self.closed = False
        self._owner = current_process()
        self._carried = pack_for_task(self.runtime)
        self._spawn = spawn
        self._function = function
        self._input = _Input(self.runtime, source)
        self._options = options
        self._tell_closed = closed
        self._places = options.max_concurrency or os.cpu_count() or 1
        self._running: dict[int, _Item] = {}
        self._ends: deque[tuple[int, Result]] = deque()
        self._results: dict[int, Result] = {}
        self._taken = 0
        self._handed = 0
        self._error: BaseException | None = None
        self._gate: Slot | None = None
        if self._owner is not None:
            self._owner.owned = [*(self._owner.owned or ()), (self, _Engine.close)]

    # -- the consumer's side ------------------------------------------------------------------

    async def next(self) -> Result | None:
        """The next result; None at the end."""
        if current_process() is not self._owner:
            raise TaskOwnerError("stream: only the process that took its first result may go on.")
        while not self.closed:
            if self._error is not None:
                error, self._error = self._error, None
                await self.aclose()
                raise error
            result = self._results.pop(self._handed, None)
            if result is None:
                await self._fill_places()
                if self._ends:
                    result = self._look()
                    if result is None:  # not its turn, but a place is free
                        continue
            if result is not None:
                self._handed += 1
                return result
            if not self._running and self._input.is_over and self._error is None:
                self.close()
            elif self._error is None:
                await self._news()
        return None

    async def _fill_places(self) -> None:
        try:
            self._fill()
        except BaseException:  # what the input raised; it is the consumer's
            await self.aclose()
            raise

    def _fill(self) -> None:
        source = self._input
        while (
            not source.is_over and source.pull is None and self._error is None and self._places > 0
        ):
            source.take(self._begin, self._input_failed)

    def _look(self) -> Result | None:
        """Look at the next end: its place is free; the result if it is its turn."""
        number, result = self._ends.popleft()
        self._places += 1
        if self._options.ordered and number != self._handed:
            self._results[number] = result
            return None
        return result

    async def _news(self) -> None:
        if self._gate is not None:
            raise UsageError(
                "stream: it is being waited for already. One consumer takes the results."
            )
        self._gate = Slot(self.runtime.runqueue)
        try:
            await self._gate
        finally:
            self._gate = None

    def _wake(self) -> None:
        if self._gate is not None:
            self._gate.set(None)

    # -- one task after the other -----------------------------------------------------------------

    def _begin(self, value: Any) -> None:
        outcome = Outcome(self.runtime)
        item = _Item(self._taken, value, outcome)
        self._taken += 1
        self._places -= 1
        self._running[item.number] = item
        outcome.watchers.append(lambda: self._ended(item))
        start = TaskStart(
            self._function,
            (value,),
            {},
            outcome=outcome,
            asked=self._owner,
            carried=self._carried,
        )
        started = self._spawn(self.runtime, self._owner, start)
        started.add_done_callback(lambda slot: self._started(item, slot))
        self._wake()

    def _started(self, item: _Item, slot: Slot) -> None:
        try:
            item.pid = slot.outcome()
        except Exception as error:  # max_children, or the supervisor is gone (S198)
            self._running.pop(item.number, None)
            self._fail(error)
            return
        if self.closed:
            self._kill(item)
        elif item.number in self._running and self._options.timeout is not None:
            item.timer = self.runtime.ticker.call_after(
                self._options.timeout, lambda: self._late(item)
            )

    def _late(self, item: _Item) -> None:
        item.is_late = True
        if self._options.on_timeout == "exit":
            self._fail(TaskTimeoutError(item.pid, self._options.timeout or 0.0))
        self._kill(item)

    def _ended(self, item: _Item) -> None:
        """The task has a value or is down; the two happen in one turn (S202)."""
        self._running.pop(item.number, None)
        if item.timer is not None:
            self.runtime.ticker.cancel(item.timer)
        told = item.outcome.told()
        assert told is not None
        if not self.closed:
            if isinstance(told, TaskExit):
                told = self._without_value(item, told)
            self._ends.append((item.number, told))
        self._wake()

    def _without_value(self, item: _Item, told: TaskExit) -> TaskExit:
        reason = "timeout" if item.is_late else told.reason
        owner = self._owner
        hits = self._options.link and not item.is_late and reason is not NORMAL
        if hits and owner is not None and not owner.trap_exit:
            owner.doom(reason)  # as a link would
        return TaskExit(reason, item.input if self._options.zip_input_on_exit else None)

    # -- ends ----------------------------------------------------------------------------------

    def _input_failed(self, error: BaseException) -> None:
        if isinstance(error, StopAsyncIteration):
            self._wake()
        else:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._error is None and not self.closed:
            self._error = error
        self._wake()

    def _kill(self, item: _Item) -> None:
        if item.pid is not None:
            self.runtime.exit(item.pid, KILL, self._owner)

    def close(self) -> None:
        """Kill what still runs (S202)."""
        if self.closed:
            return
        self.closed = True
        owner = self._owner
        if owner is not None and owner.owned is not None:
            owner.owned = [entry for entry in owner.owned if entry[0] is not self]
        if self._input.pull is not None:
            self._input.pull.cancel()
        if not self.runtime.closed:
            for item in list(self._running.values()):
                self._end(item)
            if self._tell_closed is not None:
                self._tell_closed()
        self._ends.clear()
        self._results.clear()
        self._wake()

    def _end(self, item: _Item) -> None:
        """Kill it; a linked one ends as by its link, with the reason of its owner, if that is ending."""
        owner = self._owner
        if self._options.link and owner is not None and owner.state >= EXITING:
            reason = owner.exit_reason
            process = None if item.pid is None else item.pid._process
            if process is not None and not process.trap_exit and reason is not NORMAL:
                process.doom(reason)
                return
        self._kill(item)

    async def aclose(self) -> None:
        """`close`, and wait until all is gone."""
        self.close()
        while self._running or self._input.pull is not None:
            await self._news()


def make_stream(
    spawn: Spawn,
    function: Callable[[Any], Any],
    source: Iterable[Any] | AsyncIterable[Any],
    options: StreamOptions,
    *,
    closed: Callable[[], object] | None = None,
) -> TaskStream[Any]:
    """A stream; nothing of it runs yet.

    Args:
        spawn: Starts each task.
        function: Called with one item, in the task.
        source: The items.
        options: See `TaskSupervisor.stream`.
        closed: Called when the stream is over or left.  What *spawn* has not started by then is
            not wanted: its slot is to be failed, or the end of the stream waits for it.
    """
    return TaskStream(lambda: _Engine(spawn, function, source, options, closed))
