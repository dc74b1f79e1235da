"""The chaos: kills random processes of the tree, at a steady rate, until it has had enough.

Who owns it: the caller, outside the tree, like the hand that pulls a plug. A kill is
counted once the victim is down with reason KILLED, and not before.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from typing import Any

import suptree as st

from .job import COLLECTOR, COORDINATOR, CREW, DISPLAY, REGISTRY, TASKS, WORKERS, Intensity, Job
from .victims import Quota, choose

INTENSITY = Intensity(max_restarts=10_000, max_seconds=5.0)
"""For every supervisor of a tree under chaos: being shot at is no reason to give up."""


async def unleash(job: Job, *, rate: float, quota: Quota, seed: int) -> Counter[str]:
    """Kill *rate* processes a second until *quota* is met; returns the kills of each role."""
    rng, landed = random.Random(seed), Counter[str]()
    loop = asyncio.get_running_loop()
    due = loop.time()
    while not quota.is_met(landed):
        due += 1 / rate  # on a grid: one that is late does not delay the next
        await asyncio.sleep(due - loop.time())
        alive = await _find_victims()
        role = choose(rng, alive, landed, quota)
        if role is not None and await _kill(rng.choice(alive[role])):
            landed[role] += 1
            job.tally.kills = landed.total()
    job.pace.release()
    return landed


async def _kill(victim: st.Pid[Any]) -> bool:
    ref = st.monitor(victim)
    st.exit(victim, st.KILL)
    down = await st.receive(lambda message: isinstance(message, st.Down) and message.ref is ref)
    return down.reason is st.KILLED


async def _find_victims() -> dict[str, list[st.Pid[Any]]]:
    """Who is alive, by role; a role without anyone alive is left out."""
    found = {
        "registry": [st.whereis(REGISTRY)],
        "collector": [st.Registry.whereis(REGISTRY, COLLECTOR.key)],
        "coordinator": [st.Registry.whereis(REGISTRY, COORDINATOR.key)],
        "crew": [st.whereis(CREW)],
        "task supervisor": [st.whereis(TASKS)],
        "worker supervisor": [st.whereis(WORKERS)],
        "worker": await _children(WORKERS),
        "task": await _children(TASKS),
        "display": [st.whereis(DISPLAY)],
    }
    alive = {role: [pid for pid in pids if pid and pid.is_alive()] for role, pids in found.items()}
    return {role: pids for role, pids in alive.items() if pids}


async def _children(supervisor: str) -> list[st.Pid[Any] | None]:
    with suppress(st.errors.SuptreeError):  # it is dead itself at the moment
        return [
            child.pid
            for child in await st.DynamicSupervisor.which_children(supervisor)
            if isinstance(child.pid, st.Pid)
        ]
    return []
