"""An agent that keeps what it gets, a scheduler, and a clock on the wall that can be set."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import suptree as st
from suptree.services import JobFired, SchedulerManager

NAME = "scheduler"


class Agent(st.GenServer):
    """Keeps what it gets, and when."""

    def __init__(self) -> None:
        self.got: list[tuple[float, Any]] = []

    def handle_info(self, message: Any) -> None:
        self.got.append((round(asyncio.get_running_loop().time(), 6), message))

    @st.call
    def seen(self) -> list[Any]:
        return [message for _, message in self.got]

    @st.call
    def times(self) -> list[float]:
        return [at for at, _ in self.got]

    @st.call
    async def apply(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    @st.call
    def done(self, *, failed: bool = False) -> None:
        fired = next(m for _, m in reversed(self.got) if isinstance(m, JobFired))
        SchedulerManager.done(NAME, fired, failed=failed)

    async def every(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await Agent.apply(self, SchedulerManager.every, NAME, *args, **kwargs)


class Wall:
    """The clock on the wall, which goes with the loop's and can be set."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.offset = 1_800_000_000.0

    def __call__(self) -> float:
        return self._now() + self.offset


@pytest.fixture
def wall(runtime: st.Runtime) -> Wall:
    return Wall(runtime.now)


@pytest.fixture
async def scheduler(runtime: st.Runtime, wall: Wall) -> st.Pid[SchedulerManager]:
    await st.TaskSupervisor.start_link(name="tasks", max_children=5)
    spec = st.child(SchedulerManager, tasks="tasks", wall=wall, seed=1).with_(name=NAME)
    return await spec.start_link()


@pytest.fixture
async def agent(runtime: st.Runtime) -> st.Pid[Agent]:
    return await Agent.start()


def stall(seconds: float) -> None:
    """Time passes, and nobody gets to do anything."""
    asyncio.get_running_loop().clock.advance(seconds)  # type: ignore[attr-defined]
