"""`Job`: one task of a pool, from the moment it is asked for; shared by caller, manager and task.

Made by the caller, so that one that was cancelled can give back a place it never heard
of.  The task notes on it that it began and what came of it: the manager, who is told of the
end by a Down, learns from it how that was, even if it asked too late for the reason.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal

from suptree.core import (
    NORMAL,
    SHUTDOWN,
    Carried,
    Crashed,
    Pid,
    Process,
    Ref,
    ReplyTo,
    attach,
    exit,
    require_process,
)
from suptree.services.task_pools.thread import OneThread

if TYPE_CHECKING:
    from suptree.services.task_pools.pool import Pool

__all__ = ["Job", "JobOutcome", "Work", "label_of", "work"]

JobOutcome = Literal["completed", "failed", "timed_out", "cancelled"]


class Job:
    """One task of a pool.

    Attributes:
        owner: Who asked for it; None for code outside every process.
        deadline: When its caller's caller stops waiting, on the runtime's clock; None: it does not.
        timeout: Seconds that it may run; None: as its pool says, which fills it in.
        pool: Where it runs, or waits.
        reply_to: The answer that is due while it waits; None: it does not.
        since: When it came into the line, or got its place.
        allowed: Seconds that it has, from its place; None: any time.
        due: When its time is over; None: never.
        pid: Its process, once it began.
        ref: The monitor of that.
        void: It is not wanted any more, and must not begin.
        came_to: What came of the function: the task's own note.
        ended_as: Why the manager has it ended; None: it has not.
        thread: What the function runs in, if that is a thread.
    """

    __slots__ = (
        "allowed",
        "came_to",
        "deadline",
        "due",
        "ended_as",
        "owner",
        "pid",
        "pool",
        "ref",
        "reply_to",
        "since",
        "thread",
        "timeout",
        "void",
    )

    pool: Pool

    def __init__(
        self, owner: Pid[Any] | None, deadline: float | None, timeout: float | None = None
    ) -> None:
        self.owner = owner
        self.deadline = deadline
        self.timeout = timeout
        self.reply_to: ReplyTo | None = None
        self.since = 0.0
        self.allowed: float | None = None
        self.due: float | None = None
        self.pid: Pid[Any] | None = None
        self.ref: Ref | None = None
        self.void = False
        self.came_to: JobOutcome | None = None
        self.ended_as: JobOutcome | None = None
        self.thread: OneThread | None = None

    def again(self) -> Job:
        """The same task once more: this one was not started."""
        return Job(self.owner, self.deadline, self.timeout)

    def outcome(self, reason: object) -> JobOutcome:
        """What it has come to, now that its process ended with *reason*."""
        if self.ended_as is not None:
            return self.ended_as
        if self.came_to is not None:
            return self.came_to
        if reason is NORMAL:
            return "completed"
        return "failed" if isinstance(reason, Crashed) else "cancelled"

    def __repr__(self) -> str:
        return f"<Job {id(self):#x} of {self.owner}>"


class Work:
    """What a task of a pool runs: a function for a job.  Called in the task's own process."""

    def __init__(self, job: Job, function: Callable[..., Any]) -> None:
        self._job = job
        self._function = function
        self.__qualname__ = label_of(function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it."""
        return work(self._job, self._function, args, kwargs)


def label_of(function: Callable[..., Any]) -> str:
    """The name of a function, for people."""
    return getattr(function, "__qualname__", None) or type(function).__qualname__


def work(
    job: Job, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Run *function* for *job*, in the process of the task, unless nobody wants that any more."""
    if job.void:
        exit(SHUTDOWN)
    process = require_process("a task of a pool")
    job.pid = process.pid
    if job.due is not None:
        _limit(process, job.due)
    if job.pool.config.threads and not inspect.iscoroutinefunction(function):
        job.thread = OneThread()
        return _note(job, job.thread.run(function, args, kwargs))
    try:
        value = function(*args, **kwargs)
    except Exception:
        job.came_to = "failed"
        raise
    if inspect.iscoroutine(value):
        return _note(job, value)
    job.came_to = "completed"
    return value


async def _note(job: Job, running: Awaitable[Any]) -> Any:
    try:
        value = await running
    except Exception:
        job.came_to = "failed"
        raise
    job.came_to = "completed"
    return value


def _limit(process: Process, due: float) -> None:
    """Have `time_left` tell of the task's own time too, where deadlines travel."""
    propagator = process.runtime.propagator
    if propagator is None or not getattr(propagator, "deadlines", False):
        return
    carried = process.carried
    carrier = None if carried is None else carried.carrier
    attach(process, Carried(propagator, carrier, due))
