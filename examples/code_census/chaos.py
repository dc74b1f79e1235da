"""The chaos: kills random processes of the tree, at a steady rate, until it has had enough.

Who owns it: the application, beside the tree that it is let loose on, like the hand that
pulls a plug. Its tick is a job of the scheduler, which it kills like everybody else: if
the job is gone with what kept it, it asks the next scheduler for another.

A kill is counted once the victim is down with reason KILLED, not before. Its own end, when
the quota is met, is the sign for the files that were held back.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import suptree as st
from suptree.services import SchedulerManager

from .names import CHAOS, SCHEDULER
from .progress import Tally
from .victims import Quota, choose, role_of

LOOK_AGAIN = 0.01
"""Seconds after which it looks whether there is a scheduler again: then nobody else has a timer."""


@dataclass(frozen=True, slots=True)
class Attack:
    """What is to be done to a tree, and what has been done. It outlives the process that does it.

    Attributes:
        rate: Kills a second.
        quota: How many.
        seed: Repeats the choices.
        landed: The kills so far, by role.
    """

    rate: float
    quota: Quota
    seed: int
    landed: Counter[str] = field(default_factory=Counter[str])

    @property
    def seconds(self) -> float:
        """How long it takes, if there is a victim each time."""
        return self.quota.size / self.rate


@dataclass(frozen=True, slots=True)
class _Kill:
    """From the scheduler: it is time."""


@dataclass(frozen=True, slots=True)
class _Look:
    """To itself: there may be a scheduler again."""


class Chaos(st.GenServer):
    """Carries *attack* out, and tells *tally*; it begins when it is told to."""

    def __init__(self, attack: Attack, tally: Tally) -> None:
        self._attack = attack
        self._tally = tally
        self._rng = random.Random(attack.seed)
        self._scheduler: st.Ref | None = None
        self._victim: tuple[st.Ref, str] | None = None

    @st.cast
    async def begin(self) -> None:
        """Let it loose: everybody has been started."""
        await self._schedule()

    async def handle_info(self, message: object) -> st.Stop | None:
        match message:
            case _Kill():
                self._kill_one()
            case st.Down(ref=ref) if ref is self._scheduler:
                await self._schedule()
            case st.Down(reason=reason):
                return self._is_down(reason)
            case _Look():
                await self._schedule()
            case _:
                super().handle_info(message)
        return None

    async def _schedule(self) -> None:
        self._scheduler = None
        try:
            await SchedulerManager.every(SCHEDULER, 1 / self._attack.rate, _Kill(), id=CHAOS)
        except (st.NoProcessError, st.ServerExitError):
            self.send_after(LOOK_AGAIN, _Look())
        else:
            self._scheduler = st.monitor(SCHEDULER)

    def _kill_one(self) -> None:
        if self._victim is not None:  # the one before is not down yet
            return
        alive = _by_role(self.pid.runtime.tree())
        role = choose(self._rng, alive, self._attack.landed, self._attack.quota)
        if role is not None:
            victim = self._rng.choice(alive[role])
            self._victim = st.monitor(victim), role
            st.exit(victim, st.KILL)

    def _is_down(self, reason: object) -> st.Stop | None:
        assert self._victim is not None
        (_, role), self._victim = self._victim, None
        if reason is st.KILLED:
            self._attack.landed[role] += 1
            self._tally.kills = self._attack.landed.total()
        return st.Stop(st.NORMAL) if self._attack.quota.is_met(self._attack.landed) else None


def _by_role(todo: list[st.TreeNode]) -> dict[str, list[st.Pid[Any]]]:
    """Who is alive, in the trees of *todo*."""
    alive: dict[str, list[st.Pid[Any]]] = {}
    while todo:
        node = todo.pop()
        todo += node.children
        role = role_of(node.name, node.label)
        if role is not None and node.pid is not None and node.pid.is_alive():
            alive.setdefault(role, []).append(node.pid)
    return alive
