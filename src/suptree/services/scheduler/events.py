"""Telemetry declared by the scheduler."""

from __future__ import annotations

from typing import Final

from suptree.telemetry import Event

__all__ = [
    "CLOCK_SET",
    "JOB_ADDED",
    "JOB_FAILED",
    "JOB_FINISHED",
    "JOB_FIRED",
    "JOB_MISSED",
    "JOB_REMOVED",
    "JOB_SKIPPED",
]

JOB_ADDED: Final = Event(
    "suptree.job.added",
    measurements={"jobs_count": "jobs of the scheduler, this one included"},
    metadata={"job": "its id", "owner": "the process or label that it belongs to, or None"},
    doc="A scheduler has a new job, or one that came back from its store.",
)
JOB_REMOVED: Final = Event(
    "suptree.job.removed",
    measurements={"jobs_count": "jobs that are left"},
    metadata={"job": "its id", "why": "cancelled, replaced, owner_died, or over"},
    doc="A scheduler has forgotten a job.",
)
JOB_FIRED: Final = Event(
    "suptree.job.fired",
    measurements={
        "lag_s": "seconds that it is late",
        "missed_count": "points before it that had no run",
    },
    metadata={"job": "its id", "run": "the number of the run"},
    doc="A job has come: its message was sent, or its task is about to start.",
)
JOB_FINISHED: Final = Event(
    "suptree.job.finished",
    measurements={"duration_s": "seconds that the run took"},
    metadata={
        "job": "its id",
        "run": "the number of the run",
        "outcome": "done, failed, timed_out, or lost with its process",
    },
    doc="A run is over, of a job whose scheduler is told.",
)
JOB_FAILED: Final = Event(
    "suptree.job.failed",
    measurements={"count": "always 1"},
    metadata={"job": "its id", "why": "what stood in the way, in words"},
    doc="A job has come, and its message could not be delivered or its task not be started.",
)
JOB_SKIPPED: Final = Event(
    "suptree.job.skipped",
    measurements={"running_count": "runs that go on", "queue_len": "runs that wait"},
    metadata={"job": "its id"},
    doc="A run was left out because of those before it.",
)
JOB_MISSED: Final = Event(
    "suptree.job.missed",
    measurements={"missed_count": "points without a run", "lag_s": "seconds that the last is late"},
    metadata={"job": "its id", "misfire": "the policy of the job"},
    doc="Points have passed without a run: the loop stalled, the machine slept, or nobody scheduled.",
)
CLOCK_SET: Final = Event(
    "suptree.scheduler.clock_set",
    measurements={"shift_s": "seconds that the wall clock went ahead, negative for back"},
    metadata={"scheduler": "its pid"},
    doc="A scheduler has seen the wall clock jump by a second or more.",
)
