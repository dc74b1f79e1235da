"""`TaskPoolManager`: pools of tasks, each with so many at once, over all who use it.

A task runs in a process of its own, below the supervisor of its pool; it belongs to its
caller, who awaits it, and is ended when that dies.  Who finds no place waits in a bounded
line in which the callers take turns.  A task over its time is cancelled, and killed if it will not
end.  A place is free when the process that had it is gone, and no sooner.

The manager runs nobody's code: it gives out places, and keeps the time.  Its supervisor of
pools stands beside it in a `one_for_all` branch, or, if none is given, below it; either way, when
one of them ends all tasks are ended, their callers learn it at once, and both come again with
the default pools and the declared ones; with a `store` also with those made at run time.  The
supervisor of a single pool is restarted alone: its tasks are gone, who waits goes on waiting.

>>> import asyncio, suptree as st
>>> from suptree.services import TaskPoolManager
>>> async def double(number: int) -> int:
...     return 2 * number
>>> async def main():
...     async with st.Runtime():
...         pools = await TaskPoolManager.start_link()
...         batch = TaskPoolManager.execute_batch(pools, "general", [1, 2, 3], double)
...         return [done.result() async for done in batch]
>>> asyncio.run(main())
[2, 4, 6]
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable
from typing import Any, ParamSpec, TypeVar, overload

from suptree.errors import TaskExitError
from suptree.otp import ServerRef, Task
from suptree.services.parts.checks import check_count, check_name, check_number, check_word
from suptree.services.parts.plain import to_plain
from suptree.services.task_pools.asking import Desk, check_function, leave, right, start_task
from suptree.services.task_pools.batch import BatchOptions, OnTimeout, TaskBatch
from suptree.services.task_pools.config import TaskPoolConfig
from suptree.services.task_pools.errors import TaskPoolTimeoutError
from suptree.services.task_pools.server import SPACE, TaskPoolServer, check_pool
from suptree.services.task_pools.status import TaskPoolStatus

__all__ = ["TaskPoolManager"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class TaskPoolManager(TaskPoolServer):
    """The task pools of a system.

    Args:
        pools: Name -> bounds, beside `DEFAULT_POOLS`; one of the same name takes its place.
        supervisor: The `DynamicSupervisor` of the pools, which stands beside the manager in a
            `one_for_all` branch; None: the manager starts one of its own, below itself.
        store: Keeps what is created and updated at run time; None: it is lost with the manager.
        max_pools: So many at most.

    Raises:
        ValueError: A name or a configuration will not do.
    """

    # -- one task: these run in the caller ---------------------------------------------------------

    @overload
    @staticmethod
    async def run(
        server: ServerRef[TaskPoolManager],
        pool: str,
        function: Callable[P, Coroutine[Any, Any, R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R: ...
    @overload
    @staticmethod
    async def run(
        server: ServerRef[TaskPoolManager],
        pool: str,
        function: Callable[P, R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R: ...
    @staticmethod
    async def run(
        server: ServerRef[TaskPoolManager],
        pool: str,
        function: Callable[..., Any],
        /,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Run ``function(*args, **kwargs)`` in a task of the pool, and wait for its value.

        If the wait is cancelled, so is the task.

        Args:
            server: The manager: pid or name.
            pool: Where it runs.
            function: Async or plain.
            args: Its arguments.
            kwargs: Its arguments by name.

        Raises:
            TaskPoolFullError: There was no place; nothing was started.
            TaskPoolTimeoutError: The task was over its time.
            TaskExitError: It ended without a value; what it raised is in the reason.
            UnknownTaskPoolError: There is no such pool.
        """
        job, task = await start_task(server, pool, function, args, kwargs)
        try:
            return await task
        except TaskExitError as error:
            if job.ended_as == "timed_out":
                raise TaskPoolTimeoutError(pool, job.allowed or 0.0) from error
            raise
        except asyncio.CancelledError:
            leave(server, job)
            raise

    @overload
    @staticmethod
    async def execute_task(
        server: ServerRef[TaskPoolManager],
        pool: str,
        function: Callable[P, Coroutine[Any, Any, R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Task[R]: ...
    @overload
    @staticmethod
    async def execute_task(
        server: ServerRef[TaskPoolManager],
        pool: str,
        function: Callable[P, R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Task[R]: ...
    @staticmethod
    async def execute_task(
        server: ServerRef[TaskPoolManager],
        pool: str,
        function: Callable[..., Any],
        /,
        *args: Any,
        **kwargs: Any,
    ) -> Task[Any]:
        """Start ``function(*args, **kwargs)`` in the pool; returns once it has its place, with the task.

        The task is this process's own: it awaits it, and may use all of `Task`.  A crash of the task
        is what `await` raises, and no more; when this process dies the task is ended.  A task over
        its time raises TaskExitError with the reason ``Shutdown("timeout")``.

        Args:
            server: The manager: pid or name.
            pool: Where it runs.
            function: Async or plain.
            args: Its arguments.
            kwargs: Its arguments by name.

        Raises:
            TaskPoolFullError: There was no place; nothing was started.
            UnknownTaskPoolError: There is no such pool.
        """
        _, task = await start_task(server, pool, function, args, kwargs)
        return task

    # -- many tasks ----------------------------------------------------------------------------------

    @overload
    @staticmethod
    def execute_batch(
        server: ServerRef[TaskPoolManager],
        pool: str,
        items: Iterable[T] | AsyncIterable[T],
        function: Callable[[T], Coroutine[Any, Any, R]],
        /,
        *,
        max_concurrency: int | None = None,
        timeout: float | None = None,
        on_timeout: OnTimeout = "kill_task",
        ordered: bool = True,
        zip_input_on_exit: bool = False,
    ) -> TaskBatch[R]: ...
    @overload
    @staticmethod
    def execute_batch(
        server: ServerRef[TaskPoolManager],
        pool: str,
        items: Iterable[T] | AsyncIterable[T],
        function: Callable[[T], R],
        /,
        *,
        max_concurrency: int | None = None,
        timeout: float | None = None,
        on_timeout: OnTimeout = "kill_task",
        ordered: bool = True,
        zip_input_on_exit: bool = False,
    ) -> TaskBatch[R]: ...
    @staticmethod
    def execute_batch(
        server: ServerRef[TaskPoolManager],
        pool: str,
        items: Iterable[Any] | AsyncIterable[Any],
        function: Callable[[Any], Any],
        /,
        *,
        max_concurrency: int | None = None,
        timeout: float | None = None,
        on_timeout: OnTimeout = "kill_task",
        ordered: bool = True,
        zip_input_on_exit: bool = False,
    ) -> TaskBatch[Any]:
        """One task for each of *items*; iterate over the results, with `async for`.

        Each is TaskValue(value) or TaskExit(reason): an item that fails is a result like any other.
        Items are taken no faster than results are, so endless ones are fine.  The first item is
        refused as a single task is; a batch that has begun is not, it waits for its places.

        Args:
            server: The manager: pid or name.
            pool: Where they run.
            items: What to work on; what taking one raises goes to the consumer, and ends the batch.
            function: Called with one item; async or plain.
            max_concurrency: So many of this batch at once; None, or more: as many as of the pool.
            timeout: Seconds for each task; None: those of the pool.
            on_timeout: "kill_task": TaskExit("timeout") for that item.  "exit": TaskPoolTimeoutError
                in the consumer, which ends the batch.
            ordered: Results in the order of the items, else as they come.
            zip_input_on_exit: A TaskExit has the item in its `input`.

        Raises:
            ValueError: A wrong option.
            TaskPoolFullError, UnknownTaskPoolError: While iterating, as `execute_task`.
        """
        who = "execute_batch"
        check_name(who, "pool", pool)
        check_function(who, function)
        check_count(who, "max_concurrency", max_concurrency, optional=True)
        check_number(who, "timeout", timeout, above=0, optional=True)
        check_word(who, "on_timeout", on_timeout, ("exit", "kill_task"))
        options = BatchOptions(
            max_concurrency=max_concurrency,
            ordered=ordered,
            on_timeout=on_timeout,
            zip_input_on_exit=zip_input_on_exit,
        )
        return TaskBatch(Desk(server, pool, timeout), function, items, options)

    # -- looking, and changing -------------------------------------------------------------------------

    @staticmethod
    async def status(server: ServerRef[TaskPoolManager], pool: str) -> TaskPoolStatus:
        """How the pool stands, and what it has done.

        Raises:
            UnknownTaskPoolError: There is no such pool.
        """
        check_name("TaskPoolManager.status", "pool", pool)
        return right(TaskPoolStatus, await TaskPoolManager._status(server, pool))

    @staticmethod
    async def create(
        server: ServerRef[TaskPoolManager], pool: str, config: TaskPoolConfig | None = None
    ) -> None:
        """Make a pool; returns when it is open.

        Raises:
            ValueError: *pool* or *config* will not do.
            TaskPoolExistsError: There is one of that name.
            TooManyTaskPoolsError: It would be one more than `max_pools`.
            StartError: Its supervisor cannot be started; there is no such pool.
        """
        config = TaskPoolConfig() if config is None else config
        check_pool("TaskPoolManager.create", pool, config)
        refused, store = await TaskPoolManager._create(server, pool, config)
        if refused is not None:
            raise refused
        if store is not None:
            await store.put(SPACE, pool, to_plain(config))

    @staticmethod
    async def update(server: ServerRef[TaskPoolManager], pool: str, config: TaskPoolConfig) -> None:
        """Give a pool other bounds, at once; no task that runs is ended for that.

        Its time holds for tasks that start from now on.

        Raises:
            ValueError: *config* will not do.
            UnknownTaskPoolError: There is no such pool.
        """
        check_pool("TaskPoolManager.update", pool, config)
        refused, store = await TaskPoolManager._update(server, pool, config)
        if refused is not None:
            raise refused
        if store is not None:
            await store.put(SPACE, pool, to_plain(config))

    @staticmethod
    async def close(server: ServerRef[TaskPoolManager], pool: str) -> bool:
        """Close a pool: who waits is refused, what runs is ended; whether there was one.

        Returns when all of its tasks are gone.  A default or declared one is there again after a
        restart of the manager.
        """
        check_name("TaskPoolManager.close", "pool", pool)
        closed, store = await TaskPoolManager._close(server, pool)
        if store is not None:
            await store.delete(SPACE, pool)
        return closed

    @staticmethod
    async def reconfigure(
        server: ServerRef[TaskPoolManager], *, max_pools: int | None = None
    ) -> None:
        """Go by another bound from now on; None: by the one that holds.

        No pool is closed where it gets smaller: it holds for new ones.

        Raises:
            ValueError: *max_pools* is no whole number above 0; nothing was changed.
        """
        check_count("TaskPoolManager.reconfigure", "max_pools", max_pools, optional=True)
        await TaskPoolManager._reconfigure(server, max_pools)
