"""What the tests of the task pools stand on: a manager, pools, and work that notes who runs at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import TaskPoolConfig, TaskPoolManager, TaskPoolStatus


def now() -> float:
    return asyncio.get_running_loop().time()


async def service(config: TaskPoolConfig | None = None, **options: Any) -> st.Pid[TaskPoolManager]:
    """A manager with the pool 'work'; two tasks at once unless *config* says otherwise."""
    config = config or TaskPoolConfig(max_concurrency=2, timeout=60.0)
    return await TaskPoolManager.start_link({"work": config}, **options)


async def standing(pools: Any, running: int, waiting: int, pool: str = "work") -> TaskPoolStatus:
    """Wait until so many run and so many wait; time does not pass meanwhile."""
    for _ in range(500):
        status = await TaskPoolManager.status(pools, pool)
        if (status.running, status.waiting) == (running, waiting):
            return status
        await asyncio.sleep(0)
    pytest.fail(f"{status.running} running, {status.waiting} waiting")


def conserved(status: TaskPoolStatus) -> bool:
    """Whether every task that was asked for is accounted for, once."""
    ended = status.completed + status.failed + status.timed_out + status.cancelled
    return (
        status.submitted == status.rejected + status.gave_up + status.waiting + status.started
        and status.started == status.running + ended
    )


class Work:
    """Notes how many run at once, at most, and in which order they began."""

    def __init__(self) -> None:
        self.inside = self.most = self.ended = 0
        self.began: list[Any] = []

    async def __call__(self, what: Any = None, seconds: float = 1.0) -> Any:
        self.began.append(what)
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.inside -= 1
            self.ended += 1
        return what
