"""What the task pools tell the telemetry; near to nothing while nobody listens."""

from __future__ import annotations

from typing import Any

from suptree.core import Pid, Runtime
from suptree.services.task_pools.events import (
    TASK_POOL_CHANGED,
    TASK_POOL_CLOSED,
    TASK_POOL_RESTARTED,
    TASK_POOL_TASK_FINISHED,
    TASK_POOL_TASK_QUEUED,
    TASK_POOL_TASK_REJECTED,
    TASK_POOL_TASK_STARTED,
    TASK_POOL_TASK_TIMED_OUT,
)
from suptree.services.task_pools.job import JobOutcome
from suptree.services.task_pools.pool import Pool

__all__ = ["Teller"]


class Teller:
    """Emits the events of one manager."""

    __slots__ = ("_finished", "_queued", "_rejected", "_started", "_telemetry")

    def __init__(self, runtime: Runtime) -> None:
        self._telemetry = runtime.telemetry
        self._queued = runtime.telemetry.slot(TASK_POOL_TASK_QUEUED)
        self._started = runtime.telemetry.slot(TASK_POOL_TASK_STARTED)
        self._rejected = runtime.telemetry.slot(TASK_POOL_TASK_REJECTED)
        self._finished = runtime.telemetry.slot(TASK_POOL_TASK_FINISHED)

    def queued(self, pool: Pool) -> None:
        """A job waits."""
        if self._queued.handlers:
            self._queued.emit(_numbers(pool), {"pool": pool.name})

    def started(self, pool: Pool, waited: float) -> None:
        """A job has got a place."""
        if self._started.handlers:
            self._started.emit({"waited_s": waited, **_numbers(pool)}, {"pool": pool.name})

    def rejected(self, pool: Pool, why: str) -> None:
        """A job will not be started."""
        if self._rejected.handlers:
            self._rejected.emit(_numbers(pool), {"pool": pool.name, "why": why})

    def finished(self, pool: Pool, outcome: JobOutcome, duration: float) -> None:
        """A job has ended."""
        if self._finished.handlers:
            self._finished.emit({"duration_s": duration}, {"pool": pool.name, "outcome": outcome})

    def timed_out(self, pool: Pool, timeout: float, pid: Pid[Any] | None) -> None:
        """The time of a job is over."""
        facts = {"pool": pool.name, "pid": pid}
        self._telemetry.emit(TASK_POOL_TASK_TIMED_OUT, {"timeout_s": timeout}, facts)

    def changed(self, pool: Pool, pools: int) -> None:
        """A pool is new, or has other bounds."""
        self._telemetry.emit(TASK_POOL_CHANGED, {"pools_count": pools}, {"pool": pool.name})

    def closed(self, pool: Pool, pools: int) -> None:
        """A pool is closed."""
        self._telemetry.emit(TASK_POOL_CLOSED, {"pools_count": pools}, {"pool": pool.name})

    def restarted(self, pool: Pool) -> None:
        """The supervisor of a pool is up again."""
        numbers = {"waiting_count": len(pool.line)}
        self._telemetry.emit(TASK_POOL_RESTARTED, numbers, {"pool": pool.name})


def _numbers(pool: Pool) -> dict[str, float]:
    return {"running_count": len(pool.running), "waiting_count": len(pool.line)}
