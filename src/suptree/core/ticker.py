"""The ticker of one runtime: one loop timer, armed for the earliest timer of all.

Synchronous.  After a stall of the loop the run queue gets one full pass before
timers expire, so that a reply that is there beats its timeout (law 9).
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Callable
from typing import Final

from suptree.core.crashes import safe_repr
from suptree.core.messages import TIMER
from suptree.core.pid import Pid
from suptree.core.process import Process
from suptree.core.propagation import carrying
from suptree.core.runqueue import RunQueue
from suptree.core.slot import Slot
from suptree.core.timers import Timer, Timers
from suptree.errors import BadArgumentError

__all__ = ["Ticker", "check_delay"]

FOREVER: Final = math.inf
LARGEST: Final = sys.float_info.max
RESOLUTION: Final = 2e-9  # asyncio calls back what is due within that of the system's clock
LEAST_ABOVE_ZERO: Final = 1e-6  # less is lost in the rounding of a clock that has run for years


def check_delay(who: str, field: str, value: float, *, above_zero: bool = False) -> float:
    """Return *value* if it is a usable number of seconds; BadArgumentError if not."""
    if value.__class__ is float and LEAST_ABOVE_ZERO <= value < FOREVER:
        return value
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    bad = not number or not abs(value) <= LARGEST  # math.isfinite raises for an int beyond that
    if bad or value < 0 or (above_zero and value < LEAST_ABOVE_ZERO):
        least = f"more than 0, {LEAST_ABOVE_ZERO} at least" if above_zero else "0 or more"
        wanted = f"a finite number of seconds, {least}"
        raise BadArgumentError(who, field, wanted, safe_repr(value, 200))
    return float(value)


class Ticker:
    """Starts, fires and cancels the timers of one runtime."""

    __slots__ = ("_armed_for", "_handle", "_loop", "_next_id", "_runqueue", "now", "timers")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        now: Callable[[], float],
        runqueue: RunQueue,
        next_id: Callable[[], int],
    ) -> None:
        self.now = now
        self.timers = Timers()
        self._loop = loop
        self._runqueue = runqueue
        self._next_id = next_id
        self._handle: asyncio.TimerHandle | None = None
        self._armed_for = FOREVER
        runqueue.expire_after = self.expire_after

    def send_after(
        self,
        owner: Process | None,
        target: object,
        delay: float,
        message: object,
        period: float | None = None,
    ) -> Timer:
        """Start a timer of *owner* that sends *message* to *target*, a process or a name."""
        due = self.now() + delay
        timer = Timer(self._next_id(), due, owner, target, message, period)
        if due < self._armed_for:
            self._arm(due)
        self.timers.add(timer)
        return timer

    def call_after(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Start a timer of the runtime's own."""
        due = self.now() + delay
        timer = Timer(self._next_id(), due, callback=callback)
        if due < self._armed_for:
            self._arm(due)
        self.timers.add(timer)
        return timer

    def cancel(self, timer: Timer) -> float | None:
        """Cancel; returns the seconds that were left, or None if it had fired."""
        if self.timers.cancel(timer):
            left = timer.due - self.now()
            return left if left > 0.0 else 0.0
        return None

    def expire_after(self, slot: Slot, timeout: float) -> None:
        """Expire *slot* unless it is filled within *timeout* seconds."""
        due = self.now() + timeout
        if due < self._armed_for:
            self._arm(due)
        self.timers.add_deadline(due, timeout, slot)

    def close(self) -> None:
        """Disarm."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self, due: float) -> None:
        """Have the loop tick at *due*, or leave everything as it is if there is no room on the stack.

        Whoever starts a timer arms first: one that could not be armed for is not started,
        and a tick too many does no harm.
        """
        old = self._handle
        self._handle = self._loop.call_at(due, self._tick, context=self._runqueue.context)
        self._armed_for = due
        if old is not None:
            old.cancel()

    def _tick(self) -> None:
        armed_for, self._armed_for = self._armed_for, FOREVER
        self._handle = None
        try:
            self._runqueue.drain_first()  # after a stall, messages beat timers (law 9)
            now = self.now()
            if now < armed_for < now + RESOLUTION:
                now = armed_for  # on a clock that stands still it would never come nearer
            for timer in self.timers.expire(now):
                self._fire(timer)
        finally:
            due = self.timers.next_due()
            if due is not None and due < self._armed_for:
                self._arm(due)

    def _fire(self, timer: Timer) -> None:
        if timer.callback is not None:
            timer.callback()
            return
        target = timer.target
        if isinstance(target, str) and timer.owner is not None:
            target = timer.owner.runtime.names.get(target)
        elif isinstance(target, Pid):
            target = target._process  # pyright: ignore[reportPrivateUsage]
        if isinstance(target, Process):
            if timer.carried is None:
                target.deliver((TIMER, timer))
            else:
                target.deliver(carrying((TIMER, timer), timer.carried))
