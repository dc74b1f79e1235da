"""Time: the one place where suptree reads a clock.

The clock of a runtime is the clock of its event loop, so asyncio's timers and
ours are one, and a test on a virtual loop moves both.  `loop_clock` finds the
fastest function that reads it.  Code without a loop (a span in a script, a
blocking facade) takes a `Clock`: `SystemClock` in production, `ManualClock` in
tests.  `wall_clock` is for timestamps that people read, never for durations.

>>> clock = ManualClock()
>>> clock.advance(2.5)
>>> clock.now()
2.5
"""

from __future__ import annotations

import asyncio
import math
import random
import sys
import time
from collections.abc import Callable
from typing import Protocol

__all__ = [
    "Clock",
    "ManualClock",
    "SystemClock",
    "loop_clock",
    "loop_wall_clock",
    "monotonic",
    "time_here",
    "wall_clock",
]


class Clock(Protocol):
    """Anything that tells monotonic time: it never goes back, and its zero means nothing."""

    def now(self) -> float:
        """Return the time in seconds since a point that only this clock knows."""
        ...


def monotonic() -> float:
    """Return real monotonic seconds: for durations measured where there is no loop."""
    return time.monotonic()


def time_here() -> float:
    """Return the time of the event loop that runs in this thread, or `monotonic` where none does."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return monotonic()


def wall_clock() -> float:
    """Return seconds since 1970 (UTC), for timestamps in reports.

    It jumps when an administrator or NTP sets it: never subtract two readings.
    """
    return time.time()


def loop_clock(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """Return the fastest function that reads the clock of *loop*.

    - A loop with asyncio's own `time` method: `time.monotonic`, which is what
      that method returns after one more call.
    - uvloop: `time.monotonic` too.  Its `loop.time()` is that clock rounded down
      to a millisecond and read once per turn of the loop, so it stands still
      while a callback runs.  A uvloop timer may therefore fire up to a
      millisecond before `time.monotonic` reaches its due time: whoever arms one
      has to look at the clock when it fires, and arm it again if need be.
    - Any other loop, a virtual one above all: its own `time`.

    Args:
        loop: The loop that a runtime belongs to; it need not run.

    Returns:
        A function without arguments that returns seconds, comparable with the
        `when` of `loop.call_at`.
    """
    if "time" in getattr(loop, "__dict__", ()):  # someone replaced it on this very loop
        return loop.time
    uvloop = sys.modules.get("uvloop")  # a uvloop loop exists only if the module was imported
    stock = [asyncio.BaseEventLoop.time]
    if uvloop is not None:
        stock.append(uvloop.Loop.time)
    return time.monotonic if type(loop).time in stock else loop.time


def loop_wall_clock(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """Return the function that tells the time on the wall, in seconds since 1970, as *loop* has it.

    That is `wall_clock`, unless the loop tells its own: on a virtual loop a day that is
    slept through is over on the wall too.
    """
    own: Callable[[], float] | None = getattr(loop, "wall_time", None)
    return wall_clock if own is None else own


class SystemClock:
    """Real monotonic time, shifted by a large random offset.

    The offset makes code that mixes the readings of two clocks fail at once,
    rather than on the day that both have been up for a while.

    Args:
        offset: Seconds added to every reading; default: random, 10,000 to 1,000,000.
    """

    __slots__ = ("_offset",)

    def __init__(self, offset: float | None = None) -> None:
        self._offset = random.uniform(10_000, 1_000_000) if offset is None else offset

    def now(self) -> float:
        """Return the time in seconds."""
        return time.monotonic() + self._offset


class ManualClock:
    """A clock that stands still until it is moved; a virtual loop has one as its face.

    Args:
        start: The first reading, in seconds.
        autojump: For a virtual loop: when everything waits, jump to the next timer
            (default).  Switched off, time moves by `advance` alone.
    """

    __slots__ = ("_now", "autojump")

    def __init__(self, start: float = 0.0, *, autojump: bool = True) -> None:
        self._now = _finite("start", start)
        self.autojump = autojump

    def now(self) -> float:
        """Return the time in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward; what became due runs when its loop next looks.

        Args:
            seconds: How far, >= 0.

        Raises:
            ValueError: *seconds* is negative or not finite.
        """
        if _finite("seconds", seconds) < 0:
            raise ValueError(
                f"ManualClock.advance: seconds must be >= 0; got {seconds!r}. "
                "A monotonic clock never goes back."
            )
        self._now += seconds

    def advance_to(self, when: float) -> None:
        """Move the clock forward to exactly *when*; a moment in the past changes nothing."""
        self._now = max(self._now, _finite("when", when))

    def __repr__(self) -> str:
        return f"<ManualClock {self._now:.6f} s, autojump {'on' if self.autojump else 'off'}>"


def _finite(field: str, value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"ManualClock: {field} must be a finite number of seconds; got {value!r}.")
    return value
