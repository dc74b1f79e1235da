"""What runs in the task of a run: the user's function, with a word to the scheduler when it is over."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from suptree.core import Pid, find_runtime, send, set_label
from suptree.services.scheduler.job import Run

__all__ = ["RunEnded", "perform"]


@dataclass(frozen=True, slots=True)
class RunEnded:
    """To the scheduler: the function of that run has returned, or raised."""

    run: int
    failed: bool


async def perform(scheduler: Pid[Any], job: str, run: int, what: Run, *, start_by: float) -> None:
    """Run the function of a job.  What it raises is the crash of this task.

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
