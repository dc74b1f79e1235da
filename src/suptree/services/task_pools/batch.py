"""`TaskBatch`: the results of a batch, one by one, while the pool has its tasks started place by place.

It is the stream of a `TaskSupervisor` whose tasks wait in the line of a pool first.  The consumer
sets the pace: items are taken no faster than results are.  What still waits when the batch is
left leaves the line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeVar

from suptree.core import Pid, Process, Runtime, Slot
from suptree.errors import NoProcessError, ServerExitError
from suptree.otp import (
    Request,
    StreamOptions,
    TaskExit,
    TaskResults,
    TaskStart,
    TaskStream,
    TaskValue,
    make_stream,
    spawner,
)
from suptree.services.task_pools.errors import (
    TaskPoolFullError,
    TaskPoolTimeoutError,
)
from suptree.services.task_pools.job import Job, label_of, work

__all__ = ["BatchOptions", "Desk", "OnTimeout", "TaskBatch"]

R_co = TypeVar("R_co", covariant=True)
OnTimeout = Literal["exit", "kill_task"]


class Desk(Protocol):
    """What a batch asks of the manager."""

    pool: str

    def new_job(self) -> Job:
        """A job of the current process."""
        ...

    async def width(self) -> int:
        """How many tasks may run in the pool at once."""
        ...

    def enter(self, job: Job, resident: bool) -> Request[Any]:
        """Ask for a place; the answer is the supervisor to start it under, or an error."""
        ...

    def enter_again(self, job: Job) -> Request[Any]:
        """Ask once more, outside the consumer's turn."""
        ...

    def began(self, job: Job, pid: Pid[Any]) -> None:
        """It runs."""
        ...

    def leave(self, job: Job) -> None:
        """It is not wanted any more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """The options of a batch, see `TaskPoolManager.execute_batch`; they are checked there."""

    max_concurrency: int | None
    ordered: bool
    on_timeout: OnTimeout
    zip_input_on_exit: bool


class _Item:
    """One item and its job, which changes when it has to be started anew."""

    __slots__ = ("input", "job")

    def __init__(self, input: Any, job: Job) -> None:
        self.input = input
        self.job = job


class _Wait:
    """One item between its request for a place and its start."""

    __slots__ = ("item", "owner", "runtime", "start", "started")

    def __init__(
        self, item: _Item, runtime: Runtime, owner: Process | None, start: TaskStart
    ) -> None:
        self.item = item
        self.runtime = runtime
        self.owner = owner
        self.start = start
        self.started = Slot(runtime.runqueue)


class TaskBatch(TaskResults[R_co]):
    """The results of a batch: `TaskValue(value)` or `TaskExit(reason)` for each item.

    Nothing starts before the first is asked for; from then on it belongs to the process that
    asked.  Leave it with `async with` or `aclose`, which wait until its tasks are gone.
    """

    __slots__ = ("_desk", "_make", "_options", "_stream")

    def __init__(
        self,
        desk: Desk,
        function: Callable[[Any], Any],
        items: Iterable[Any] | AsyncIterable[Any],
        options: BatchOptions,
    ) -> None:
        self._desk = desk
        self._options = options
        self._stream: TaskStream[R_co] | None = None
        feeder = _Feeder(desk)

        def make(options: StreamOptions) -> TaskStream[R_co]:  # knows not `self`: no circle
            paired, act = feeder.pair(items), _Act(function)
            return make_stream(feeder.spawn, act, paired, options, closed=feeder.close)

        self._make = make

    async def __anext__(self) -> TaskValue[R_co] | TaskExit:
        if self._stream is None:
            self._stream = self._make(await self._stream_options())
        result = await anext(self._stream)
        return await self._without_value(result) if isinstance(result, TaskExit) else result

    async def aclose(self) -> None:
        """End what still runs, and wait until it is gone."""
        if self._stream is not None:
            await self._stream.aclose()

    async def _stream_options(self) -> StreamOptions:
        width = await self._desk.width()
        wanted = self._options.max_concurrency
        return StreamOptions(
            max_concurrency=width if wanted is None else min(wanted, width),
            ordered=self._options.ordered,
            timeout=None,  # the manager sees to that, as for each task of the pool
            on_timeout="kill_task",
            zip_input_on_exit=True,
            link=False,
        )

    async def _without_value(self, told: TaskExit) -> TaskExit:
        item: _Item = told.input
        shown = replace(told, input=item.input if self._options.zip_input_on_exit else None)
        job = item.job
        if job.ended_as != "timed_out":
            return shown
        if self._options.on_timeout == "exit":
            await self.aclose()
            raise TaskPoolTimeoutError(self._desk.pool, job.allowed or 0.0)
        return replace(shown, reason="timeout")


class _Act:
    """What each task of the stream runs."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self.__qualname__ = label_of(function)

    def __call__(self, item: _Item) -> Any:
        """Work on one item."""
        return work(item.job, self._function, (item.input,), {})


class _Feeder:
    """Gives each item a job, and has its task started when the pool has a place for it.

    Invariant: an item is in `_waits` from its request for a place until its task is started.
    """

    __slots__ = ("_desk", "_made", "_resident", "_waits")

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._made: deque[_Item] = deque()
        self._waits: dict[_Wait, None] = {}
        self._resident = False

    def pair(
        self, items: Iterable[Any] | AsyncIterable[Any]
    ) -> Iterable[_Item] | AsyncIterable[_Item]:
        """The items, each with a job; `spawn` is called for them in the same order."""
        if isinstance(items, AsyncIterable):
            return _Paired(aiter(items), self._pair)
        return map(self._pair, items)

    def _pair(self, input: Any) -> _Item:
        item = _Item(input, self._desk.new_job())
        self._made.append(item)
        return item

    def spawn(self, runtime: Runtime, owner: Process | None, start: TaskStart) -> Slot:
        """Start a task once there is a place; the slot gets its pid."""
        wait = _Wait(self._made.popleft(), runtime, owner, start)
        asked = self._desk.enter(wait.item.job, self._resident)
        self._resident = True  # a batch that has begun is not refused half-way
        self._expect(wait, asked)
        return wait.started

    def close(self) -> None:
        """Nobody wants the rest: those who wait leave the line."""
        waits, self._waits = self._waits, {}
        for wait in waits:
            job = wait.item.job
            self._desk.leave(job)
            if job.pid is not None:  # it has begun just now, and is killed with the others
                wait.started.set(job.pid)
            else:
                wait.started.fail(TaskPoolFullError(self._desk.pool, "closed"))

    def _expect(self, wait: _Wait, asked: Request[Any]) -> None:
        self._waits[wait] = None
        asked.when_done(lambda asked: self._answered(wait, asked))

    def _answered(self, wait: _Wait, asked: Request[Any]) -> None:
        if wait not in self._waits:
            return
        answer: Any = asked.error or asked.result()
        if not isinstance(answer, Exception):
            start = spawner(answer)(wait.runtime, wait.owner, wait.start)
            start.add_done_callback(lambda slot: self._started(wait, slot))
            return
        del self._waits[wait]
        wait.started.fail(answer)

    def _started(self, wait: _Wait, slot: Slot) -> None:
        job = wait.item.job
        try:
            pid: Pid[Any] = slot.outcome()
        except (NoProcessError, ServerExitError):  # the pool's supervisor has died; another comes
            self._desk.leave(job)
            if wait in self._waits:
                wait.item.job = job.again()
                self._expect(wait, self._desk.enter_again(wait.item.job))
            return
        except Exception as error:
            self._waits.pop(wait, None)
            self._desk.leave(job)
            wait.started.fail(error)
            return
        self._waits.pop(wait, None)
        self._desk.began(job, pid)
        wait.started.set(pid)


class _Paired:
    """An async input, paired as it is pulled."""

    __slots__ = ("_pair", "_source")

    def __init__(self, source: AsyncIterator[Any], pair: Callable[[Any], _Item]) -> None:
        self._source = source
        self._pair = pair

    def __aiter__(self) -> AsyncIterator[_Item]:
        return self

    async def __anext__(self) -> _Item:
        return self._pair(await anext(self._source))
