"""How fast the census may go: as fast as it can, or spread over the time of a chaos run.

Who owns it: the caller of the census makes one; each survey task waits for its turn
here before it reads its file. It lives outside the tree, so it outlives whatever is
killed in it.

Why it is there: chaos means little to a system that has nothing left to do. So the
files come due one by one over the time that the kills will take, and the last few are
held back until the kills have landed. A file that is late (its task was killed, the
machine is busy) does not wait at all.

>>> pace = Pace.free()
>>> pace.due("any.py")
0.0
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Self


class Pace:
    """When each file may be surveyed.

    Args:
        paths: All files, in the order in which they are handed out.
        seconds: The time to spread them over; 0 for none.
        held_back: How many of the last files wait until `release`.
    """

    def __init__(self, paths: Sequence[str], *, seconds: float, held_back: int) -> None:
        step = seconds / len(paths) if paths else 0.0
        self._due = {path: index * step for index, path in enumerate(paths)}
        self._due.update(dict.fromkeys(paths[max(0, len(paths) - held_back) :], math.inf))
        self._released = asyncio.Event()
        self._start: float | None = None

    @classmethod
    def free(cls) -> Self:
        """No waiting at all."""
        return cls((), seconds=0.0, held_back=0)

    def due(self, path: str) -> float:
        """Seconds after the first file at which *path* may be surveyed; infinite: at `release`."""
        return self._due.get(path, 0.0)

    def release(self) -> None:
        """Nothing has to wait any longer."""
        self._released.set()

    async def turn(self, path: str) -> None:
        """Return when *path* may be surveyed."""
        now = asyncio.get_running_loop().time()
        self._start = self._start if self._start is not None else now
        delay = self._start + self.due(path) - now
        if delay <= 0:
            return
        try:
            async with asyncio.timeout(delay if math.isfinite(delay) else None):
                await self._released.wait()
        except TimeoutError:
            pass  # its time has come
