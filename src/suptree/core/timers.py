"""Timers of one runtime: a heap with lazy deletion, and lanes and a heap for call deadlines.

Synchronous and without a clock: `now` is a parameter.  Every timer has an owner,
and `drop_owner` forgets all of its timers in one call.  Cancelled timers stay in the
heap until they come up, or until they outnumber the live ones.

Deadlines of calls are different: nearly all have the same length, are never
cancelled by name, and there is one per queued call.  They stand in one lane per
length, in order, and a lane drops its answered front whenever it is touched.  Lanes are
few: deadlines of yet other lengths, such as those of a budget that shrinks, have a heap.
Answered slots are dropped from lanes and heap before they outnumber those that wait.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from suptree.core.pid import Ref
from suptree.core.slot import PENDING, Slot

if TYPE_CHECKING:
    from suptree.core.process import Process
    from suptree.core.propagation import Carried

__all__ = ["Timer", "Timers"]

PRUNE_SLACK: Final = 64
LANES_AT_MOST: Final = 64  # all of them are looked at in each tick
CROWDED: Final = 4096  # entries of one lane, or of the heap of deadlines, before they are pruned


class Timer(Ref):
    """One timer, and the reference that its owner holds.

    Attributes:
        due: Seconds on the runtime's clock.
        owner: Who cancels it by dying; None for the runtime's own.
        target: Who gets the message.
        period: Seconds between firings on an absolute grid; None fires once.
        callback: Called instead of sending, for the runtime's own timers.
        carried: What travels with the message (law 15); None while no propagator is attached.
    """

    __slots__ = (
        "active",
        "callback",
        "cancelled",
        "carried",
        "due",
        "message",
        "owner",
        "period",
        "target",
    )

    def __init__(
        self,
        id: int,
        due: float,
        owner: Process | None = None,
        target: object = None,
        message: object = None,
        period: float | None = None,
        callback: Callable[[], None] | None = None,
    ) -> None:
        self._id = id
        self.due = due
        self.active = True
        self.cancelled = False
        self.owner = owner
        self.target = target
        self.message = message
        self.period = period
        self.callback = callback
        self.carried: Carried | None = None


class Timers:
    """The heaps and the lanes of one runtime."""

    __slots__ = ("_crowded", "_heap", "_lanes", "_rare", "_seq", "live")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._lanes: dict[float, deque[tuple[float, Slot]]] = {}
        self._rare: list[tuple[float, int, Slot]] = []  # deadlines of lengths without a lane
        self._crowded = CROWDED
        self._seq = 0
        self.live = 0

    def add(self, timer: Timer) -> None:
        """Start *timer*, and note it with its owner."""
        self._seq += 1
        heapq.heappush(self._heap, (timer.due, self._seq, timer))
        self.live += 1
        owner = timer.owner
        if owner is not None:
            if owner.timers is None:
                owner.timers = {timer}
            else:
                owner.timers.add(timer)

    def cancel(self, timer: Timer) -> bool:
        """Stop *timer*; False if it had fired (or was cancelled) already.

        A timer that fired but whose message was not yet read is marked as cancelled
        too, so that it never delivers (S67).
        """
        timer.cancelled = True
        if not timer.active:
            return False
        timer.active = False
        self.live -= 1
        owner = timer.owner
        if owner is not None and owner.timers is not None:
            owner.timers.discard(timer)
        if len(self._heap) > 2 * self.live + PRUNE_SLACK:
            # In place: `expire` may be walking this very list when a timer's work cancels others.
            self._heap[:] = [entry for entry in self._heap if entry[2].active]
            heapq.heapify(self._heap)
        return True

    def drop_owner(self, owner: Process) -> None:
        """Cancel every timer of *owner*, which has ended."""
        if owner.timers:
            for timer in list(owner.timers):
                self.cancel(timer)
                timer.cancelled = False  # what has fired stays where it is, as of every dead sender
        owner.timers = None

    def add_deadline(self, due: float, timeout: float, slot: Slot) -> None:
        """Expire *slot* at *due*, which is *timeout* seconds from now, unless it is filled before."""
        lane = self._lanes.get(timeout)
        if lane is None:
            if len(self._lanes) >= LANES_AT_MOST:
                self._add_rare(due, slot)
                return
            lane = self._new_lane(timeout)
        while lane and lane[0][1].state is not PENDING:
            lane.popleft()
        lane.append((due, slot))
        if len(lane) > self._crowded:
            self._prune_deadlines()

    def _new_lane(self, timeout: float) -> deque[tuple[float, Slot]]:
        lane = self._lanes[_not_nan(timeout)] = deque()
        return lane

    def _add_rare(self, due: float, slot: Slot) -> None:
        self._seq += 1
        heapq.heappush(self._rare, (_not_nan(due), self._seq, slot))
        if len(self._rare) > self._crowded:
            self._prune_deadlines()

    def _prune_deadlines(self) -> None:
        """Drop answered slots and empty lanes: one slow call at a front must not keep thousands alive.

        It is done again once a lane has twice as many as the longest one is left with.
        """
        self._rare = [entry for entry in self._rare if entry[2].state is PENDING]
        heapq.heapify(self._rare)
        longest = len(self._rare)
        for timeout, lane in list(self._lanes.items()):
            live = [entry for entry in lane if entry[1].state is PENDING]
            if not live:
                del self._lanes[timeout]
            elif len(live) < len(lane):
                lane.clear()
                lane.extend(live)
            longest = max(longest, len(live))
        self._crowded = 2 * longest + CROWDED

    def next_due(self) -> float | None:
        """When the next live timer or deadline is due; None if there is none."""
        heap = self._heap
        while heap and not heap[0][2].active:
            heapq.heappop(heap)
        due = heap[0][0] if heap else None
        for lane in self._lanes.values():
            while lane and lane[0][1].state is not PENDING:
                lane.popleft()
            if lane and (due is None or lane[0][0] < due):
                due = lane[0][0]
        if self._rare:
            return self._next_rare(due)
        return due

    def _next_rare(self, due: float | None) -> float | None:
        rare = self._rare
        while rare and rare[0][2].state is not PENDING:
            heapq.heappop(rare)
        return rare[0][0] if rare and (due is None or rare[0][0] < due) else due

    def expire(self, now: float) -> Iterator[Timer]:
        """Yield what is due, in order; expire due deadlines; put periodic timers on their next grid point."""
        for lane in self._lanes.values():
            while lane and (lane[0][0] <= now or lane[0][1].state is not PENDING):
                lane.popleft()[1].expire()
        rare = self._rare
        while rare and (rare[0][0] <= now or rare[0][2].state is not PENDING):
            heapq.heappop(rare)[2].expire()
        heap = self._heap
        while heap and (heap[0][0] <= now or not heap[0][2].active):
            timer = heapq.heappop(heap)[2]
            if not timer.active:
                continue
            if timer.period is None:
                timer.active = False
                self.live -= 1
                if timer.owner is not None and timer.owner.timers is not None:
                    timer.owner.timers.discard(timer)
            else:
                missed = int((now - timer.due) / timer.period)
                timer.due += (missed + 1) * timer.period
                if timer.due <= now:  # a rounding error would fire it twice for one point
                    timer.due = max(timer.due + timer.period, math.nextafter(now, math.inf))
                self._seq += 1
                heapq.heappush(heap, (timer.due, self._seq, timer))
            yield timer

    def deadlines(self) -> int:
        """Count the pending call deadlines (walks; for introspection and the leak check)."""
        waiting = [slot for lane in self._lanes.values() for _, slot in lane]
        waiting.extend(slot for _, _, slot in self._rare)
        return sum(1 for slot in waiting if slot.state is PENDING)


def _not_nan(seconds: float) -> float:
    """NaN compares with nothing: what stands behind it would never be due."""
    if seconds != seconds:
        raise ValueError("a deadline must be a number of seconds; got NaN.")
    return seconds
