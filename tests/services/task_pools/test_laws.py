"""Whatever callers, tasks, batches and supervisors do: no limit is passed, and everything adds up."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

import suptree as st
from suptree.services import TaskPoolConfig, TaskPoolError, TaskPoolManager
from tests.services.task_pools.world import conserved, service, standing

pytestmark = pytest.mark.suptree_loop("virtual")


class Watch:
    """Counts the user's code that runs, and keeps the most of it."""

    def __init__(self) -> None:
        self.inside = self.most = 0

    async def work(self, plan: tuple[str, float]) -> str:
        how, seconds = plan
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await asyncio.sleep(seconds)
            if how == "fail":
                raise ValueError(how)
            if how == "kill":
                st.exit(st.KILL)
            return how
        finally:
            if how == "linger":
                try:
                    await asyncio.sleep(0.3)
                finally:
                    self.inside -= 1
            else:
                self.inside -= 1


def plan(dice: random.Random) -> tuple[str, float]:
    how = dice.choice(["fine", "fine", "fail", "kill", "linger"])
    return how, dice.choice([0.0, 0.1, 0.5, 1.0, 5.0])


async def caller(pools: Any, watch: Watch, dice: random.Random) -> None:
    for _ in range(dice.randint(1, 6)):
        try:
            match dice.choice(["run", "run", "task", "batch", "impatient", "left"]):
                case "run":
                    await TaskPoolManager.run(pools, "work", watch.work, plan(dice))
                case "task":
                    await TaskPoolManager.execute_task(pools, "work", watch.work, plan(dice))
                    await asyncio.sleep(dice.random())
                case "impatient":
                    async with asyncio.timeout(dice.random()):
                        await TaskPoolManager.run(pools, "work", watch.work, plan(dice))
                case what:
                    plans = [plan(dice) for _ in range(dice.randint(0, 8))]
                    batch = TaskPoolManager.execute_batch(
                        pools, "work", plans, watch.work, ordered=dice.random() < 0.5
                    )
                    async with batch:
                        async for _ in batch:
                            if what == "left":
                                break
        except (TaskPoolError, st.TaskExitError, TimeoutError):
            continue


@pytest.mark.parametrize("seed", range(25))
async def test_no_limit_is_passed_and_every_task_is_accounted_for(runtime, seed):
    dice = random.Random(seed)
    limit = dice.randint(1, 4)
    config = TaskPoolConfig(
        max_concurrency=limit,
        timeout=dice.choice([0.4, 2.0, None]),
        max_waiting=dice.choice([0, 3, 100]),
        overflow=dice.choice(["reject", "wait"]),
        wait_timeout=dice.choice([0.5, 20.0]),
    )
    pools = await service(config)
    watch = Watch()
    callers = [st.spawn(caller, pools, watch, random.Random(dice.random())) for _ in range(12)]

    while any(one.is_alive() for one in callers):
        await asyncio.sleep(dice.random())
        assert conserved(await TaskPoolManager.status(pools, "work"))
        if dice.random() < 0.2:
            st.exit(dice.choice(callers), st.KILL)
        if dice.random() < 0.05:
            children = await st.TaskSupervisor.children(await _supervisor(pools))
            if children:
                st.exit(dice.choice(children), st.SHUTDOWN)
    status = await standing_still(pools)

    assert watch.most <= limit
    assert watch.inside == 0
    assert conserved(status)
    stats = await TaskPoolManager.stats(pools)
    assert (stats.running, stats.waiting, stats.owners) == (0, 0, 0)


async def _supervisor(pools: Any) -> Any:
    state: Any = await st.sys.get_state(pools)
    return state["_pools"]["work"].supervisor


async def standing_still(pools: Any) -> Any:
    """Tasks of callers that have died may still clean up."""
    while (await TaskPoolManager.status(pools, "work")).running:
        await asyncio.sleep(0.1)
    return await standing(pools, 0, 0)
