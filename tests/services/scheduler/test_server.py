"""The scheduler as its users meet it: jobs come, go with their owners, and come back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import JobFired, Run, SchedulerManager, StateOwner


class Agent(st.GenServer):
    """Keeps what it gets, and when."""

    def __init__(self) -> None:
        self.got: list[tuple[float, Any]] = []

    def handle_info(self, message: Any) -> None:
        self.got.append((asyncio.get_running_loop().time(), message))

    @st.call
    def seen(self) -> list[tuple[float, Any]]:
        return list(self.got)

    @st.call
    def times(self) -> list[float]:
        return [round(at, 6) for at, _ in self.got]

    @st.call
    async def every(self, period: float, message: Any = "tick", **options: Any) -> str:
        return await SchedulerManager.every("scheduler", period, message, **options)


async def scheduler(**options: Any) -> st.Pid[SchedulerManager]:
    return await st.child(SchedulerManager, **options).with_(name="scheduler").start_link()


async def test_a_periodic_job_comes_on_an_absolute_grid(runtime):
    await scheduler()
    agent = await Agent.start_link()
    await Agent.every(agent, 0.1)

    await asyncio.sleep(1000.05)

    assert len(await Agent.times(agent)) == 10000
    assert (await Agent.times(agent))[-1] == 1000.0
