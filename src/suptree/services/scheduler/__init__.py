"""Jobs at intervals, once, at a time, or by cron: `SchedulerManager`, and the values it works with.

`triggers.py` and `cron.py` say when, `job.py` what; `agenda.py` decides, `dispatch.py` acts, and
`server.py` is the process.  `keeping.py` and `record.py` are its side of the store.
"""

from suptree.services.scheduler.cron import Cron
from suptree.services.scheduler.errors import (
    CronError,
    JobNotDurableError,
    JobNotFoundError,
    JobRecordError,
    JobTakenError,
    ScheduleError,
    SchedulerError,
    SchedulerFullError,
)
from suptree.services.scheduler.job import Job, JobFired, JobInfo, Run
from suptree.services.scheduler.server import SchedulerManager
from suptree.services.scheduler.stats import SchedulerStats
from suptree.services.scheduler.triggers import After, At, Every

__all__ = [
    "After",
    "At",
    "Cron",
    "CronError",
    "Every",
    "Job",
    "JobFired",
    "JobInfo",
    "JobNotDurableError",
    "JobNotFoundError",
    "JobRecordError",
    "JobTakenError",
    "Run",
    "ScheduleError",
    "SchedulerError",
    "SchedulerFullError",
    "SchedulerManager",
    "SchedulerStats",
]
