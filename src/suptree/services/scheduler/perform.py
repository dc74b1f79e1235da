"""Runs in tasks: how they are started beside the scheduler, and what they run."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from suptree.core import Pid, find_runtime, send, set_label
from suptree.errors import SuptreeError
from suptree.otp import ServerRef, TaskSupervisor
from suptree.services.scheduler.job import Run

__all__ = ["RunEnded", "RunNotStarted", "RunStarted", "ToStart", "perform", "start_each"]

START_TIMEOUT: Final = 5.0
"""Seconds that the task supervisor has to start what is due at one time."""


@dataclass(frozen=True, slots=True)
class ToStart:
    """A run that waits for its task."""

    run: int
    job: str
    what: Run


@dataclass(frozen=True, slots=True)
class RunStarted:
    """To the scheduler: that run has its task."""

    run: int
    pid: Pid[Any]


@dataclass(frozen=True, slots=True)
class RunNotStarted:
    """To the scheduler: that run gets no task."""

    run: int
    why: str


@dataclass(frozen=True, slots=True)
class RunEnded:
    """To the scheduler: the function of that run has returned, or raised."""

    run: int
    failed: bool


async def start_each(scheduler: Pid[Any], tasks: ServerRef[Any], batch: Iterable[ToStart]) -> None:
    """Have the task supervisor start these runs, and tell the scheduler; beside its handlers, which must not wait."""
    now = scheduler.runtime.now
    start_by = now() + START_TIMEOUT  # of all together: one that hangs must not hold up each
    for one in batch:
        try:
            async with asyncio.timeout(max(0.0, start_by - now())):
                pid = await TaskSupervisor.start_child(
                    tasks, perform, scheduler, one.job, one.run, one.what, start_by=start_by
                )
        except (SuptreeError, TimeoutError) as error:
            send(scheduler, RunNotStarted(one.run, f"{type(error).__name__}: {error}"))
        else:
            send(scheduler, RunStarted(one.run, pid))


async def perform(scheduler: Pid[Any], job: str, run: int, what: Run, *, start_by: float) -> None:
    """Run the function of a job, and say that it is over.  What it raises is the crash of this task.

    Args:
        scheduler: Who is told.
        job: Shown as the label of the task.
        run: The number of the run.
        what: The function and its arguments.
        start_by: On the runtime's clock; later the scheduler has given it up, and nothing runs.
    """
    if find_runtime("perform").now() > start_by:
        return
    set_label(f"job {job}")
    try:
        value = what.resolve()(*what.args, **what.kwargs)
        if inspect.isawaitable(value):
            await value
    except Exception:
        send(scheduler, RunEnded(run, failed=True))
        raise
    send(scheduler, RunEnded(run, failed=False))
