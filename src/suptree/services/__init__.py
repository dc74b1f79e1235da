"""Floor 3: services, each a supervised process (or a few of them) on the runtime below.

A service is a folder, and imports alone: `from suptree.services import SchedulerManager`
opens the folder of that one only.  Services do not know one another; what several of
them stand on is in `parts`: pure values and machines, and the seam of the store.
Whoever composes services is one floor up.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from suptree.services.parts.distribution import Distribution
    from suptree.services.parts.store import Store
    from suptree.services.scheduler import (
        After,
        At,
        Cron,
        CronError,
        Every,
        Job,
        JobFired,
        JobInfo,
        JobNotDurableError,
        JobNotFoundError,
        JobRecordError,
        JobTakenError,
        Run,
        ScheduleError,
        SchedulerError,
        SchedulerFullError,
        SchedulerManager,
        SchedulerStats,
    )
    from suptree.services.store import MemoryStore, StateOwner

__all__ = [
    "After",
    "At",
    "Cron",
    "CronError",
    "Distribution",
    "Every",
    "Job",
    "JobFired",
    "JobInfo",
    "JobNotDurableError",
    "JobNotFoundError",
    "JobRecordError",
    "JobTakenError",
    "MemoryStore",
    "Run",
    "ScheduleError",
    "SchedulerError",
    "SchedulerFullError",
    "SchedulerManager",
    "SchedulerStats",
    "StateOwner",
    "Store",
]

_HOME: Final = {
    "After": "scheduler",
    "At": "scheduler",
    "Cron": "scheduler",
    "CronError": "scheduler",
    "Distribution": "parts.distribution",
    "Every": "scheduler",
    "Job": "scheduler",
    "JobFired": "scheduler",
    "JobInfo": "scheduler",
    "JobNotDurableError": "scheduler",
    "JobNotFoundError": "scheduler",
    "JobRecordError": "scheduler",
    "JobTakenError": "scheduler",
    "MemoryStore": "store",
    "Run": "scheduler",
    "ScheduleError": "scheduler",
    "SchedulerError": "scheduler",
    "SchedulerFullError": "scheduler",
    "SchedulerManager": "scheduler",
    "SchedulerStats": "scheduler",
    "StateOwner": "store",
    "Store": "parts.store",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
