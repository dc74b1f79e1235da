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

import difflib
from collections.abc import Iterable

from suptree.core import safe_repr
from suptree.errors import SuptreeError

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

    def __init__(self, field: str, must: str, value: object, what_to_do: str = "") -> None:
        super().__init__(field, must, value, what_to_do)
        self.field = field
        self.must = must
        self.value = value
        self.what_to_do = what_to_do

    def __str__(self) -> str:
        more = f" {self.what_to_do}" if self.what_to_do else ""
        return f"job: {self.field} must be {self.must}; got {safe_repr(self.value, 200)}.{more}"


class CronError(ScheduleError):
    """A cron expression that cannot be read, or a time zone that does not exist."""

    def __init__(self, field: str, must: str, expression: str, what_to_do: str = "") -> None:
        super().__init__(field, must, expression, what_to_do)
        self.expression = expression

    def __str__(self) -> str:
        more = f" {self.what_to_do}" if self.what_to_do else ""
        return f"cron: {self.field} must be {self.must}; got {safe_repr(self.value, 200)}.{more}"


class JobNotFoundError(SchedulerError):
    """There is no job of that id; it may be over, or its owner dead."""

    def __init__(self, id: str, known: Iterable[str] = ()) -> None:
        near = difflib.get_close_matches(str(id), list(known), n=1)
        self.near = near[0] if near else None
        super().__init__(id, self.near)
        self.id = id

    def __str__(self) -> str:
        hint = f", did you mean {self.near!r}?" if self.near else "."
        return f"scheduler: id must be that of a job; got {self.id!r}{hint}"


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
