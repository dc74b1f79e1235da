"""`Inheriting`: goes on with what the router before this one left.  A part of `Router`.

Whoever waited for an outcome was told that the router ended; its message goes on without
it.  What receivers had is still theirs: an answer that came meanwhile is taken now, and one
that is to come is addressed to the new router.  So a message is handed over again only if
its receiver died over it, as ever, or if the old router crashed while it handed it over.
"""

from __future__ import annotations

from suptree.core import CURRENT, Process
from suptree.services.coordination.custody import Custody
from suptree.services.coordination.handing_over import HandingOver
from suptree.services.coordination.lane import ENDED, WAITING, Entry, Lane
from suptree.services.coordination.outcomes import DeadLettered
from suptree.services.parts.deadlines import NEVER

__all__ = ["CRASHED_OVER_IT", "Inheriting"]

CRASHED_OVER_IT = "a router crashed when it took this over"
"""Why what cannot be taken over is dead-lettered: else no router would ever start again."""


class Inheriting(HandingOver):
    """See the module text."""

    def take_over(self, custody: Custody, process: Process, now: float) -> None:
        """Go on with everything in *custody*, in the turns of *process*."""
        lanes = list(custody.lanes.values())
        self.ended = custody.ended
        if custody.unfinished:
            self._set_aside(custody, lanes, now)
            return
        custody.unfinished = True
        self.lanes = custody.lanes
        self.buffered = custody.buffered
        self.buffered.clear()
        for lane in lanes:
            self._inherit(lane, process, now)
        for lane in lanes:  # all of them are whole now, whatever a delivery does to others
            self._resume(lane, process, now)
        custody.unfinished = False

    def _inherit(self, lane: Lane, process: Process, now: float) -> None:
        lane.go_by(self._policies.get(lane.to, self._policy))
        lane.waiting.extend(lane.parked)  # they had a place to wait for; now they have one
        lane.parked.clear()
        lane.used_at = now
        due, lane.due = lane.due, NEVER
        self.deadlines.set(lane, due)
        for entry in lane.waiting:
            entry.state = WAITING
        for entry in lane.entries():
            entry.asker = entry.waiters = None
            entry.due = NEVER
            if entry.context is not None:  # in which this process is the one that sends
                entry.context.run(CURRENT.set, process)
            if entry.state is not ENDED:
                self.stats.taken_over += 1
                self.buffered[entry.id] = entry
            self.deadlines.set(entry, lane.ack_due if entry.state is ENDED else entry.moment())

    def _resume(self, lane: Lane, process: Process, now: float) -> None:
        request = lane.request
        if lane.in_flight is None:
            self._deliver(lane, now)
        elif request is None:  # nobody knows whether it was handed over
            entry, lane.in_flight = lane.in_flight, None
            if entry.state is not ENDED:
                entry.state = WAITING
                lane.waiting.appendleft(entry)
            self._deliver(lane, now)
        elif request.done():
            self.answered(request)
        else:
            request.caller = process

    def _set_aside(self, custody: Custody, lanes: list[Lane], now: float) -> None:
        """Dead-letter all of it, and begin with nothing."""
        custody.lanes, custody.buffered = self.lanes, self.buffered
        for lane in lanes:
            for entry in lane.entries():
                if entry.state is not ENDED:
                    self._lose(entry, now)
        custody.unfinished = False

    def _lose(self, entry: Entry, now: float) -> None:
        self.stats.taken_over += 1
        self.stats.dead_lettered += 1
        entry.state = ENDED
        if self._dead_lettered.handlers:
            self._dead_lettered.emit(
                {"age_s": now - entry.accepted_at, "attempts_count": entry.attempts},
                {"to": entry.lane.to, "id": entry.id, "reason": CRASHED_OVER_IT},
            )
        self._bury(entry, CRASHED_OVER_IT)
        self._remember(
            entry, DeadLettered(entry.id, entry.lane.to, CRASHED_OVER_IT, entry.attempts)
        )
