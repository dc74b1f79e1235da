"""What the scheduler refuses, and how it says so.

    SchedulerError
    ├── ScheduleError           a value of a job is wrong (also a ValueError)   .field .value
    │   └── CronError           a cron expression or its time zone              .expression
    ├── JobNotFoundError        there is no job of that id                      .id
    ├── JobTakenError           the id is that of somebody else's job           .id .owner
    ├── JobNotDurableError      a durable job must be plain data, and it is not .id .why
    ├── JobRecordError          what the store holds is no job                  .key
    └── SchedulerFullError      it has as many jobs as it may                   .limit

A dead owner is a `NoProcessError`, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import ClassVar

from suptree.core import safe_repr
from suptree.errors import SuptreeError
from suptree.near import COMPARED, ending, meant, near

__all__ = [
    "CronError",
    "JobNotDurableError",
    "JobNotFoundError",
    "JobRecordError",
    "JobTakenError",
    "ScheduleError",
    "SchedulerError",
    "SchedulerFullError",
]


class SchedulerError(SuptreeError):
    """The scheduler refuses."""


class ScheduleError(SchedulerError, ValueError):
    """A value of a job is wrong."""

    who: ClassVar[str] = "job"

    def __init__(self, field: str, must: str, value: object, what_to_do: str = "") -> None:
        super().__init__(field, must, value, what_to_do)
        self.field = field
        self.must = must
        self.value = value
        self.what_to_do = what_to_do

    def __str__(self) -> str:
        got = f"{safe_repr(self.value, 200)}{ending(self.what_to_do)}"
        return f"{self.who}: {self.field} must be {self.must}; got {got}"


class CronError(ScheduleError):
    """A cron expression that cannot be read, or a time zone that does not exist."""

    who = "cron"

    def __init__(self, field: str, must: str, expression: str, what_to_do: str = "") -> None:
        super().__init__(field, must, expression, what_to_do)
        self.expression = expression


class JobNotFoundError(SchedulerError):
    """There is no job of that id; it may be over, or its owner dead."""

    def __init__(self, id: str, known: Iterable[str] = ()) -> None:
        super().__init__(id)
        self.id = id
        self._known = tuple(islice(known, COMPARED))  # among which it is looked for when it is read

    @property
    def near(self) -> str | None:
        """The id that was probably meant, if one is near."""
        return near(self.id, self._known)

    def __str__(self) -> str:
        return f"scheduler: id must be that of a job; got {self.id!r}{meant(self.near)}"


class JobTakenError(SchedulerError):
    """The id is that of a job that belongs to somebody else."""

    def __init__(self, id: str, owner: object) -> None:
        super().__init__(id, owner)
        self.id = id
        self.owner = owner

    def __str__(self) -> str:
        return (
            f"scheduler: id must be unused, or that of a job of the same owner; got {self.id!r}, "
            f"a job of {self.owner!r}. Choose another id, or cancel that job."
        )


class JobNotDurableError(SchedulerError):
    """A job that was to be durable holds something that is no plain data."""

    def __init__(self, id: str, why: str) -> None:
        super().__init__(id, why)
        self.id = id
        self.why = why

    def __str__(self) -> str:
        return (
            f"scheduler: a durable job must be plain data; {self.id!r} is not: {self.why}. "
            "Name its target and owner by a string, and its function by its import path."
        )


class JobRecordError(SchedulerError):
    """What the store holds under a key is no job: the scheduler does not start without it."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(key, why)
        self.key = key
        self.why = why

    def __str__(self) -> str:
        return (
            f"scheduler: the record {self.key!r} of its store must be a job; it is not: {self.why}. "
            "Repair it or delete it; starting without it would forget the job."
        )


class SchedulerFullError(SchedulerError):
    """It has as many jobs as it may have."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"scheduler: it has {self.limit} jobs, as many as it may. "
            "Cancel some, or raise its max_jobs."
        )
