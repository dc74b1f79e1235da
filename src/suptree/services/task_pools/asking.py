"""The caller's side: how a task is asked for, and given up.  All of it runs in the caller."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from suptree.core import Pid, current_process, time_left
from suptree.errors import CallTimeoutError, NoProcessError, ServerExitError, SuptreeError
from suptree.otp import Request, ServerRef, Task, TaskSupervisor
from suptree.services.parts.checks import check_callable, check_name
from suptree.services.task_pools.errors import TaskPoolFullError
from suptree.services.task_pools.job import Job, Work
from suptree.services.task_pools.server import TaskPoolServer
from suptree.services.task_pools.status import TaskPoolStatus

__all__ = ["Desk", "check_function", "leave", "right", "start_task"]

A = TypeVar("A")

# The requests are the server's own, and this is its client.
_enter = TaskPoolServer._enter  # pyright: ignore[reportPrivateUsage]
_began = TaskPoolServer._began  # pyright: ignore[reportPrivateUsage]
_leave = TaskPoolServer._leave  # pyright: ignore[reportPrivateUsage]
_status = TaskPoolServer._status  # pyright: ignore[reportPrivateUsage]


class Desk:
    """The manager and one pool of it, as a batch sees them.

    Attributes:
        pool: The name of the pool.
    """

    __slots__ = ("_at", "_server", "_timeout", "pool")

    def __init__(self, server: ServerRef[Any], pool: str, timeout: float | None) -> None:
        self._server = server
        # Whom the consumer found there: what is said outside its turn has no runtime to look in.
        self._at: Any = server
        self._timeout = timeout
        self.pool = pool

    def new_job(self) -> Job:
        """A job of the current process."""
        return _new_job(self._timeout)

    async def width(self) -> int:
        """How many tasks may run in the pool at once."""
        status = right(TaskPoolStatus, await _status(self._server, self.pool))
        return status.config.max_concurrency

    def enter(self, job: Job, resident: bool) -> Request[Any]:
        """Ask for a place; the answer is the supervisor to start it under, or an error."""
        asked = _enter.send_request(self._server, self.pool, job, resident)
        self._at = asked.server
        return asked

    def enter_again(self, job: Job) -> Request[Any]:
        """Ask once more, outside the consumer's turn."""
        return _enter.send_request(self._at, self.pool, job, True)

    def began(self, job: Job, pid: Pid[Any]) -> None:
        """It runs."""
        _began(self._at, job, pid)

    def leave(self, job: Job) -> None:
        """It is not wanted any more."""
        leave(self._at, job)


async def start_task(
    server: ServerRef[Any],
    pool: str,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> tuple[Job, Task[Any]]:
    """The task, once it has a place; asked for again when the pool's supervisor dies under it.

    Raises:
        ValueError: *pool* is no name, or *function* cannot be called.
        TaskPoolFullError, UnknownTaskPoolError: There is no place; nothing was started.
    """
    check_name("TaskPoolManager", "pool", pool)
    check_function("TaskPoolManager", function)
    while True:
        job = _new_job(None)
        task: Task[Any] | None = None
        try:
            supervisor = await _place(server, pool, job)
            with suppress(NoProcessError, ServerExitError):  # it has died; another comes
                task = await TaskSupervisor.async_nolink(
                    supervisor, Work(job, function), *args, **kwargs
                )
        finally:
            if task is None:
                leave(server, job)
        if task is not None:
            _began(server, job, task.pid)
            return job, task


def leave(server: ServerRef[Any], job: Job) -> None:
    """It is not wanted any more; if it has not begun it cannot, before the manager hears of it."""
    if job.pid is None:
        job.void = True
    _leave(server, job)


def right(kind: type[A], answer: object) -> A:
    """The answer; or raise what it is instead, here, where the caller's code is."""
    if isinstance(answer, kind):
        return answer
    assert isinstance(answer, SuptreeError)
    raise answer


def check_function(who: str, function: object) -> None:
    """Refuse what cannot be called.

    Raises:
        BadArgumentError: It cannot.
    """
    check_callable(who, "function", function)


async def _place(server: ServerRef[Any], pool: str, job: Job) -> Pid[Any]:
    try:
        answer: Any = await _enter(server, pool, job, False)
    except CallTimeoutError:  # the time of its caller's caller is over
        raise TaskPoolFullError(pool, "timeout") from None
    if isinstance(answer, SuptreeError):
        raise answer
    supervisor: Pid[Any] = answer
    return supervisor


def _new_job(timeout: float | None) -> Job:
    process = current_process()
    if process is None:
        return Job(None, None, timeout)
    left = time_left()
    return Job(process.pid, None if left is None else process.runtime.now() + left, timeout)
