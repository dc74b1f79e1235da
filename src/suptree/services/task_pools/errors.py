"""Errors of the task pools.

TaskPoolError                  .pool
├── TaskPoolFullError          no place, and none in time      .why .limit .waiting
├── TaskPoolTimeoutError       the task was over its time, and is ended   .timeout
├── UnknownTaskPoolError       there is no such pool
├── TaskPoolExistsError        there is one of that name
└── TooManyTaskPoolsError      one more is refused             .limit
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from suptree.errors import SuptreeError
from suptree.near import did_you_mean

__all__ = [
    "TaskPoolError",
    "TaskPoolExistsError",
    "TaskPoolFullError",
    "TaskPoolTimeoutError",
    "TooManyTaskPoolsError",
    "UnknownTaskPoolError",
]

WhyNot = Literal["line_full", "timeout", "closed"]


class TaskPoolError(SuptreeError):
    """Base of what `TaskPoolManager` raises; *pool* is the name of the pool."""

    pool: str


class TaskPoolFullError(TaskPoolError):
    """The task was not started: there was no place for it.

    Attributes:
        why: "line_full": as many wait as may; "timeout": no place in time; "closed": the pool is
            being closed.
        limit: So many may run at once; None: it is not known any more.
        waiting: How many waited when it was refused; None: it was not refused, but gave up.
    """

    def __init__(
        self, pool: str, why: WhyNot, limit: int | None = None, waiting: int | None = None
    ) -> None:
        super().__init__(pool, why, limit, waiting)
        self.pool = pool
        self.why: WhyNot = why
        self.limit = limit
        self.waiting = waiting

    def __str__(self) -> str:
        match self.why:
            case "line_full":
                said = f"{self.limit} tasks may run at once and {self.waiting} wait, which is all"
            case "timeout":
                said = "no place got free in time"
            case "closed":
                said = "it is being closed"
        return (
            f"task pool {self.pool!r}: {said}. The task was not started: try later, or do "
            "without it."
        )


class TaskPoolTimeoutError(TaskPoolError):
    """The task was over its time, and was ended.

    Attributes:
        timeout: Seconds that it had; less than those of the pool if its caller's caller waits less.
    """

    def __init__(self, pool: str, timeout: float) -> None:
        super().__init__(pool, timeout)
        self.pool = pool
        self.timeout = timeout

    def __str__(self) -> str:
        return (
            f"task pool {self.pool!r}: the task was not done within {self.timeout:g} s and is "
            "ended. Give the pool another timeout, or look at what the task waits for."
        )


class UnknownTaskPoolError(TaskPoolError):
    """There is no pool *pool*."""

    def __init__(self, pool: str, known: Iterable[str] = ()) -> None:
        super().__init__(pool)
        self.pool = pool
        self._hint = did_you_mean(pool, known)

    def __str__(self) -> str:
        return (
            f"task pools: pool must be the name of a pool; got {self.pool!r}{self._hint} "
            "Declare it, or create it first."
        )


class TaskPoolExistsError(TaskPoolError):
    """There is a pool *pool*, which may be about to close."""

    def __init__(self, pool: str) -> None:
        super().__init__(pool)
        self.pool = pool

    def __str__(self) -> str:
        return f"task pools: there is a pool {self.pool!r}. Update it, or close it first."


class TooManyTaskPoolsError(TaskPoolError):
    """One more pool than *limit* is refused."""

    def __init__(self, pool: str, limit: int) -> None:
        super().__init__(pool, limit)
        self.pool = pool
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"task pools: there may be {self.limit}; {self.pool!r} would be one more. "
            "Close some, or raise max_pools."
        )
