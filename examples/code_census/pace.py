"""How fast the census may go: as fast as it can, or spread over the time of a chaos run.

Who owns it: the caller of the census makes a `Pace`; each survey task waits for its `turn`
before it reads its file.  The pace lives outside the tree, so it outlives whatever is
killed in it; the waiting is a job of the scheduler, and goes with the task.

Why it is there: chaos means little to a system that has nothing left to do. So the
files come due one by one over the time that the kills will take, and the last few are
held back until the kills have landed. A file that is late (its task was killed, the
machine is busy) does not wait at all.

>>> pace = Pace.free()
>>> pace.due("any.py")
0.0
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import suptree as st
from suptree.services import SchedulerManager

from .names import CHAOS, SCHEDULER


class Pace:
    """When each file may be surveyed.

    Args:
        paths: All files, in the order in which they are handed out.
        seconds: The time to spread them over; 0 for none.
        held_back: How many of the last files wait for the end of the chaos.
    """

    def __init__(self, paths: Sequence[str], *, seconds: float, held_back: int) -> None:
        step = seconds / len(paths) if paths else 0.0
        self._due = {path: index * step for index, path in enumerate(paths)}
        self._due.update(dict.fromkeys(paths[max(0, len(paths) - held_back) :], math.inf))
        self._start: float | None = None

    @classmethod
    def free(cls) -> Self:
        """No waiting at all."""
        return cls((), seconds=0.0, held_back=0)

    def due(self, path: str) -> float:
        """Seconds after the first file at which *path* may be surveyed; infinite: after the chaos."""
        return self._due.get(path, 0.0)

    def wait(self, path: str, now: float) -> float:
        """How long *path* has to wait from *now* on; the first one that asks begins."""
        if self._start is None:
            self._start = now
        return max(0.0, self._start + self.due(path) - now)


@dataclass(frozen=True, slots=True)
class _YourTurn:
    """To a survey: its time has come."""


async def turn(pace: Pace, path: str) -> None:
    """Return when *path* may be surveyed: when *pace* says so, or nobody makes chaos any more."""
    wait = pace.wait(path, st.current().runtime.now())
    if not wait:
        return
    st.monitor(CHAOS)
    if math.isfinite(wait):
        await SchedulerManager.after(SCHEDULER, wait, _YourTurn())
    await st.receive((_YourTurn, st.Down))
