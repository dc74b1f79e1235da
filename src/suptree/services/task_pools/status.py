"""How a pool stands, and the service as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from suptree.services.task_pools.config import TaskPoolConfig

__all__ = ["PoolState", "TaskPoolStatus", "TaskPoolStats"]

PoolState = Literal["open", "restarting", "closing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPoolStatus:
    """How a pool stands, and what it has done since the service started.

    Always: ``submitted == rejected + gave_up + waiting + started``, and
    ``started == running + completed + failed + timed_out + cancelled``.

    Attributes:
        name: Its name.
        config: Its bounds.
        state: "open"; "restarting": its supervisor has ended and is not up again, so all wait;
            "closing": its tasks are being ended.
        running: Tasks that have a place now.
        threads: Threads that outlived their tasks, since no thread can be ended; each keeps the
            place of its task.
        waiting: Those that wait for a place now.
        submitted: Tasks that were asked for.
        started: Tasks that got a place.
        completed: Tasks that returned a value.
        failed: Tasks that raised.
        timed_out: Tasks that were ended because their time was over.
        cancelled: Tasks that were ended otherwise: their caller died or ended them, their pool was
            closed, its supervisor was killed.
        rejected: Tasks that were refused at once.
        gave_up: Those that waited and got no place: no time left, cancelled, the caller died, or the
            pool was closed.
    """

    name: str
    config: TaskPoolConfig
    state: PoolState
    running: int
    threads: int
    waiting: int
    submitted: int
    started: int
    completed: int
    failed: int
    timed_out: int
    cancelled: int
    rejected: int
    gave_up: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPoolStats:
    """The service as a whole.

    Attributes:
        pools: How many there are.
        running: Tasks that have a place, in all of them.
        waiting: Those that wait for one.
        owners: Processes with a task in a pool, or in a line.
        released: Tasks ended, and places in lines freed, because their caller died.
    """

    pools: int
    running: int
    waiting: int
    owners: int
    released: int
