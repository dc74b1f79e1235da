"""Timers of one runtime: a heap with lazy deletion, and lanes for call deadlines.

Synchronous and without a clock: `now` is a parameter.  Every timer has an owner,
and `drop_owner` forgets all of its timers in one call.  Cancelled timers stay in the
heap until they come up, or until they outnumber the live ones.

Deadlines of calls are different: nearly all have the same length, are never
cancelled by name, and there is one per queued call.  They stand in one lane per
length, in order, and a lane drops its answered front whenever it is touched.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from suptree.core.pid import Ref
from suptree.core.slot import PENDING, Slot

if TYPE_CHECKING:
    from suptree.core.process import Process

__all__ = ["Timer", "Timers"]

PRUNE_SLACK = 64


class Timer(Ref):
    """One timer, and the reference that its owner holds.

    Attributes:
        due: Seconds on the runtime's clock.
        owner: Who cancels it by dying; None for the runtime's own.
        target: Who gets the message.
        period: Seconds between firings on an absolute grid; None fires once.
        callback: Called instead of sending, for the runtime's own timers.
    """

    __slots__ = ("active", "callback", "cancelled", "due", "message", "owner", "period", "target")

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


class Timers:
    """The heap and the lanes of one runtime."""

    __slots__ = ("_heap", "_lanes", "_seq", "live")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._lanes: dict[float, deque[tuple[float, Slot]]] = {}
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
        owner.timers = None

    def add_deadline(self, now: float, timeout: float, slot: Slot) -> float:
        """Expire *slot* at now + timeout unless it is filled before; returns when that is."""
        lane = self._lanes.get(timeout)
        if lane is None:
            lane = self._lanes[timeout] = deque()
            if len(self._lanes) > 256:  # lengths computed from a remaining budget never repeat
                self._drop_empty_lanes()
                self._lanes[timeout] = lane
        while lane and lane[0][1].state is not PENDING:
            lane.popleft()
        due = now + timeout
        lane.append((due, slot))
        if len(lane) & 4095 == 0:  # one slow call at the front must not keep thousands alive
            live = [entry for entry in lane if entry[1].state is PENDING]
            lane.clear()
            lane.extend(live)
        return due

    def _drop_empty_lanes(self) -> None:
        for timeout, lane in list(self._lanes.items()):
            while lane and lane[0][1].state is not PENDING:
                lane.popleft()
            if not lane:
                del self._lanes[timeout]

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
        return due

    def expire(self, now: float) -> Iterator[Timer]:
        """Yield what is due, in order; expire due deadlines; put periodic timers on their next grid point."""
        for lane in self._lanes.values():
            while lane and (lane[0][0] <= now or lane[0][1].state is not PENDING):
                lane.popleft()[1].expire()
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
                    timer.due += timer.period
                self._seq += 1
                heapq.heappush(heap, (timer.due, self._seq, timer))
            yield timer

    def deadlines(self) -> int:
        """Count the pending call deadlines (walks; for introspection and the leak check)."""
        return sum(1 for lane in self._lanes.values() for _, slot in lane if slot.state is PENDING)
