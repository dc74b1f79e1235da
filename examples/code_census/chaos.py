"""The chaos: kills random processes of the tree, at a steady rate, until it has had enough.

Who owns it: the application, above the tree that it is let loose on, like the hand that
pulls a plug. A kill is counted once the victim is down with reason KILLED, not before.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

import suptree as st

from .job import CREW, DISPLAY, REGISTRY, TASKS, WORKERS, Intensity, Job
from .tree import Census
from .victims import Quota, choose

INTENSITY = Intensity(max_restarts=10_000, max_seconds=5.0)
"""For every supervisor of a tree under chaos: being shot at is no reason to give up."""

ROLE_OF = {
    REGISTRY: "registry",
    "Partition": "registry",  # the process of a registry that holds the entries
    "Collector": "collector",
    "Coordinator": "coordinator",
    CREW: "crew",
    TASKS: "task supervisor",
    WORKERS: "worker supervisor",
    "Worker": "worker",
    "survey": "task",
    DISPLAY: "display",
}
"""The role of a process by its name or label."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a chaos run.

    Attributes:
        seed: Repeats its choices.
        kills: How many landed on each role.
        restarts: How many children supervisors started again.
        enough: Whether the quota was met.
        identical: Whether its rows are, byte for byte, those of a plain run.
    """

    seed: int
    kills: dict[str, int]
    restarts: int
    enough: bool
    identical: bool

    def is_good(self) -> bool:
        return self.enough and self.identical

    def __str__(self) -> str:
        by_role = ", ".join(f"{count} {role}" for role, count in self.kills.items())
        return (
            f"chaos: {sum(self.kills.values()):,} kills landed"
            f"{'' if self.enough else ', too few'}: {by_role}\n"
            f"chaos: {self.restarts:,} restarts by supervisors; seed {self.seed}\n"
            f"identical: {'yes' if self.identical else 'NO'} "
            f"(the rows, sorted, against a plain run without processes)"
        )


class CensusUnderFire(Census):
    """The census, with a killer let loose on it once it is up.

    Attributes:
        landed: The kills so far, by role.
    """

    name = "Census"

    def __init__(self, job: Job, *, rate: float, quota: Quota, seed: int) -> None:
        super().__init__(job)
        self.landed = Counter[str]()
        self._rate = rate
        self._quota = quota
        self._seed = seed
        self._rng = random.Random(seed)
        job.tally.kills_wanted = quota.size

    def announcement(self) -> str:
        """What is going to happen, for people."""
        return (
            f"chaos: {self._rate:g} kills a second until {self._quota.size:,} have landed, "
            f"at least {self._quota.each} on each role; repeat with --seed {self._seed}\n"
            f"chaos: every supervisor allows {INTENSITY} (without chaos: {Intensity()})\n"
            f"chaos: the files are spread over the time this takes, about "
            f"{self._quota.size / self._rate:g} s, and the last few wait for the last kill"
        )

    def outcome(self, *, identical: bool) -> Outcome:
        """What has happened; *identical* is whether the rows are those of a plain run."""
        return Outcome(
            seed=self._seed,
            kills=dict(self.landed.most_common()),
            restarts=self.job.tally.restarts,
            enough=self._quota.is_met(self.landed),
            identical=identical,
        )

    async def start(self) -> Any:
        top = await super().start()
        st.spawn(self._kill_until_enough, label="chaos")
        return top

    async def _kill_until_enough(self) -> None:
        try:
            loop = asyncio.get_running_loop()
            due = loop.time()
            while not self._quota.is_met(self.landed):
                due += 1 / self._rate  # on a grid: one that is late does not delay the next
                await asyncio.sleep(due - loop.time())
                await self._kill_one()
        finally:
            self.job.pace.release()

    async def _kill_one(self) -> None:
        alive = _by_role(st.current().runtime.tree())
        role = choose(self._rng, alive, self.landed, self._quota)
        if role is not None and await _kill(self._rng.choice(alive[role])):
            self.landed[role] += 1
            self.job.tally.kills = self.landed.total()


async def _kill(victim: st.Pid[Any]) -> bool:
    ref = st.monitor(victim)
    st.exit(victim, st.KILL)
    down = await st.receive(lambda message: isinstance(message, st.Down) and message.ref is ref)
    return bool(down.reason is st.KILLED)


def _by_role(todo: list[st.TreeNode]) -> dict[str, list[st.Pid[Any]]]:
    """Who is alive, in the trees of *todo*."""
    alive: dict[str, list[st.Pid[Any]]] = {}
    while todo:
        node = todo.pop()
        todo += node.children
        role = ROLE_OF.get(node.name or node.label)
        if role is not None and node.pid is not None and node.pid.is_alive():
            alive.setdefault(role, []).append(node.pid)
    return alive
