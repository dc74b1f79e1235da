"""Who makes trouble: kills any process of the tree, at random, the rarer the more stands on it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

import suptree as st
from suptree.core import Process
from tests.soak.crowd import Scene

__all__ = ["KILLS_PER_SECOND", "Killer"]

KILLS_PER_SECOND: Final = 5.0
TOP: Final = frozenset({"state", "configuration", "tasks"})
"""After one of these, everything is restarted."""


class Killer:
    """Kills for a while; counts what.

    Args:
        scene: Where.
        runtime: Of that system.
    """

    def __init__(self, scene: Scene, runtime: st.Runtime) -> None:
        self._scene = scene
        self._runtime = runtime
        self.kills: Counter[str] = Counter()
        self._deck: list[str] = []
        names = scene.system.tree.start_order()
        crowd = (*scene.named, *scene.senders)
        self._services = [
            name for name in names if name not in TOP and scene.path(name) not in crowd
        ]

    async def rage(self, seconds: float) -> None:
        """Kill now and then, for *seconds*."""
        rng, end = self._scene.rng, self._runtime.now() + seconds
        while (left := end - self._runtime.now()) > 0:
            await asyncio.sleep(min(left, rng.expovariate(KILLS_PER_SECOND)))
            (choose,) = rng.choices(
                (self._agent, self._sender, self._service, self._below, self._top),
                (40, 12, 40, 6, 2),
            )
            self._kill(choose)

    def _kill(self, choose: Callable[[], tuple[str, st.Pid[Any] | None]]) -> None:
        what, pid = choose()
        if pid is None:  # it is being restarted just now
            return
        st.exit(pid, st.KILL if self._scene.rng.random() < 0.8 else "poked")
        self.kills[what] += 1

    def _agent(self) -> tuple[str, st.Pid[Any] | None]:
        scene = self._scene
        if scene.hung and scene.rng.random() < 0.3:
            return "agents", scene.hung.pop()
        if scene.pool and scene.rng.random() < 0.5:
            return "agents", scene.rng.choice(scene.pool)
        return "agents", st.whereis(scene.rng.choice(scene.named))

    def _sender(self) -> tuple[str, st.Pid[Any] | None]:
        return "senders", st.whereis(self._scene.rng.choice(self._scene.senders))

    def _service(self) -> tuple[str, st.Pid[Any] | None]:
        """Each in its turn, in an order that changes: what one holds begins anew every half minute at least."""
        if not self._deck:
            self._deck = self._scene.rng.sample(self._services, len(self._services))
        return "services", st.whereis(self._scene.path(self._deck.pop()))

    def _below(self) -> tuple[str, st.Pid[Any] | None]:
        """Any process below a branch: parts of services that have no name of their own."""
        found = list(self._below_branches())
        return "parts of services, and tasks", self._scene.rng.choice(found) if found else None

    def _below_branches(self) -> Iterator[st.Pid[Any]]:
        for process in self._runtime.processes.values():
            parent = process.parent
            if process.name is None and parent is not None and _is_ours(parent):
                yield process.pid

    def _top(self) -> tuple[str, st.Pid[Any] | None]:
        """A branch, or what everything stands on."""
        tree = self._scene.system.tree
        branches = [line.path for line in tree.lines() if line.number is None and "." in line.path]
        tops = [self._scene.path(name) for name in sorted(TOP)]
        return "branches, and what all stands on", st.whereis(
            self._scene.rng.choice([*branches, *tops])
        )


def _is_ours(process: Process) -> bool:
    return process.name is not None and process.name.startswith("system.")
