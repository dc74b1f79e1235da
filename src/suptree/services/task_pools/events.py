"""Telemetry declared by the task pools."""

from __future__ import annotations

from typing import Final

from suptree.telemetry import Event

__all__ = [
    "TASK_POOL_CHANGED",
    "TASK_POOL_CLOSED",
    "TASK_POOL_RESTARTED",
    "TASK_POOL_TASK_FINISHED",
    "TASK_POOL_TASK_QUEUED",
    "TASK_POOL_TASK_REJECTED",
    "TASK_POOL_TASK_STARTED",
    "TASK_POOL_TASK_TIMED_OUT",
]

TASK_POOL_TASK_QUEUED: Final = Event(
    "suptree.task_pool.task.queued",
    measurements={
        "running_count": "tasks that have a place",
        "waiting_count": "those that wait for one, this one included",
    },
    metadata={"pool": "its name"},
    doc="There was no place for a task, and it waits for one.",
)
TASK_POOL_TASK_STARTED: Final = Event(
    "suptree.task_pool.task.started",
    measurements={
        "waited_s": "seconds in the line",
        "running_count": "tasks that have a place, this one included",
        "waiting_count": "those that wait for one",
    },
    metadata={"pool": "its name"},
    doc="A task has got its place.",
)
TASK_POOL_TASK_REJECTED: Final = Event(
    "suptree.task_pool.task.rejected",
    measurements={
        "running_count": "tasks that have a place",
        "waiting_count": "those that wait for one",
    },
    metadata={
        "pool": "its name",
        "why": "line_full or closed: refused at once; gave_up: its time in the line was over, or "
        "its caller was cancelled, or has died",
    },
    doc="A task was not started.",
)
TASK_POOL_TASK_FINISHED: Final = Event(
    "suptree.task_pool.task.finished",
    measurements={"duration_s": "seconds from the place it got to its end"},
    metadata={
        "pool": "its name",
        "outcome": "completed, failed, timed_out or cancelled",
    },
    doc="A task has ended, and its place is free.",
)
TASK_POOL_TASK_TIMED_OUT: Final = Event(
    "suptree.task_pool.task.timed_out",
    measurements={"timeout_s": "seconds that it had"},
    metadata={"pool": "its name", "pid": "the task"},
    doc="The time of a task is over: it is being ended.",
)
TASK_POOL_CHANGED: Final = Event(
    "suptree.task_pool.config.changed",
    measurements={"pools_count": "pools that there are, this one included"},
    metadata={"pool": "its name"},
    doc="A pool was made at run time, or got other bounds.",
)
TASK_POOL_CLOSED: Final = Event(
    "suptree.task_pool.config.closed",
    measurements={"pools_count": "pools that are left"},
    metadata={"pool": "its name"},
    doc="A pool was closed, and all of its tasks are gone.",
)
TASK_POOL_RESTARTED: Final = Event(
    "suptree.task_pool.supervisor.restarted",
    measurements={"waiting_count": "those that waited for it"},
    metadata={"pool": "its name"},
    doc="The supervisor of a pool had ended and is up again.",
)
