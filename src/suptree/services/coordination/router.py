"""`Router`: takes messages in, hands them over, and sees what becomes of each.

It belongs to one `CoordinationManager`, in whose turns everything here happens, and it
never waits: a delivery is a request, whose answer comes back as a message, and everything
that waits has a moment in one heap.  It never runs code of its users.

From the bottom up it is: how a message ends (`endings`), the lane of a receiver (`lanes`),
giving it a message and seeing what comes of that (`handing_over`), going on with what an
earlier router left (`inheriting`), and here taking messages in, and their moments.
"""

from __future__ import annotations

import contextvars
from typing import Final

from suptree.core import ReplyTo
from suptree.services.coordination.endings import standing
from suptree.services.coordination.inheriting import Inheriting
from suptree.services.coordination.lane import (
    ENDED,
    PARKED,
    Asker,
    Entry,
    Lane,
    Waiter,
)
from suptree.services.coordination.lanes import CLOSED, OPEN, full, resting
from suptree.services.coordination.outcomes import Buffered, Receiver, Rejected
from suptree.services.parts.deadlines import NEVER
from suptree.services.parts.window import CallOutcome as Counted

__all__ = ["Router"]

_MANY: Final = 256
"""New messages that are kept apart, at most; those that have ended meanwhile are let go."""


class Router(Inheriting):
    """See the module text; the arguments are those of `Endings`."""

    # -- taking in ---------------------------------------------------------------------------

    def accept(
        self,
        to: Receiver,
        message: object,
        asker: ReplyTo | Asker | None,
        *,
        wait: float,
        expires: float | None,
        others: tuple[Receiver, ...] = (),
        redrives: int = 0,
    ) -> Rejected | Buffered | None:
        """Take *message* in for *to* and hand it over if it is its turn, or say why not.

        Returns:
            What to tell the sender now: that it is rejected, or, if nobody waits, where it
            stands.  None: *asker* is told later.
        """
        now = self._now()
        lane = self.lanes.get(to)
        if lane is None:
            made = self._new_lane(to, now)
            if isinstance(made, Rejected):
                return made
            lane = made
        wait_until = now + wait
        expires_at = now + (lane.policy.expires if expires is None else expires)
        entry = Entry(
            self._next_id(),
            lane,
            message,
            asker if wait > 0 else None,
            now,
            wait_until,
            expires_at,
        )
        if others:
            entry.others = others
        if redrives:
            entry.redrives = redrives
        if self._runtime.propagator is not None:
            entry.context = contextvars.copy_context()
        breaker = lane.breaker
        if (
            lane.in_flight is None
            and lane.due == NEVER
            and not lane.waiting
            and not lane.parked
            and (breaker is None or breaker.state is CLOSED or self._lets_through(lane, breaker))
        ):
            self.stats.accepted += 1
            if entry.asker is None:
                self.buffered[entry.id] = entry
            self._hand_over(lane, entry, now)
        else:
            refusal = self._queue(lane, entry, now)
            if refusal is not None:
                return refusal
            self._deliver(lane, now)
        if entry.asker is None:
            self.deadlines.set(entry, entry.moment())
            return self._look_later(entry)
        tick = self.next_tick
        if wait_until < tick or expires_at < tick or lane.ack_due < tick:
            self.deadlines.set(entry, entry.moment())
            return None
        new = self._new  # nearly all of them end before the next tick, and need no moment
        new.append(entry)
        if len(new) > _MANY:
            self._note_new()
        return None

    def _queue(self, lane: Lane, entry: Entry, now: float) -> Rejected | None:
        """Find *entry* a place behind others."""
        policy = lane.policy
        if (
            lane.breaker is not None
            and lane.breaker.state is OPEN
            and policy.while_open == "reject"
        ):
            return self.reject(lane.to, "breaker_open", resting(lane), lane, entry.id)
        if len(lane.waiting) < policy.buffer and not lane.parked:
            pass
        elif policy.overflow == "drop_oldest" and lane.waiting:
            self._give_up(lane.waiting[0], "overflow", now)
        elif (
            policy.overflow == "wait"
            and entry.asker is not None
            and len(lane.parked) < policy.parked
        ):
            entry.state = PARKED
            lane.parked.append(entry)
            return None
        else:
            return self.reject(lane.to, "buffer_full", full(lane), lane, entry.id)
        self.stats.accepted += 1
        if entry.asker is None:
            self.buffered[entry.id] = entry
        lane.waiting.append(entry)
        return None

    def ask(self, entry: Entry, reply_to: ReplyTo, wait: float) -> Buffered | None:
        """Have *reply_to* told what becomes of *entry*, or that it still waits after *wait* seconds.

        Returns:
            Where it stands, if nobody is to wait.
        """
        if wait <= 0:
            return standing(entry)
        waiter = Waiter(entry, reply_to)
        if entry.waiters is None:
            entry.waiters = []
        entry.waiters.append(waiter)
        self.deadlines.set(waiter, self._now() + wait)
        return None

    # -- moments ---------------------------------------------------------------------------------

    def _note_new(self) -> None:
        """Give those of the new messages their moments that have not ended, nor one already."""
        new, self._new = self._new, []
        for entry in new:
            if entry.state is not ENDED and entry.due == NEVER:
                self.deadlines.set(entry, entry.moment())

    def tick(self, now: float) -> None:
        """Do everything that is due."""
        self._note_new()
        while (item := self.deadlines.take_due(now)) is not None:
            if isinstance(item, Lane):
                self._deliver(item, now)
            elif isinstance(item, Entry):
                self._look_at(item, now)
            else:
                self._stop_waiting(item)

    def _look_at(self, entry: Entry, now: float) -> None:
        """*entry* has come to a moment: its own, its sender's or its receiver's."""
        lane = entry.lane
        if entry is lane.in_flight and now >= lane.ack_due:
            self._count_overdue(lane, now)
        if entry.state is ENDED:
            return
        if entry.state is PARKED:
            self._turn_away(entry, "buffer_full", full(lane))
        elif now >= entry.expires_at:
            self._expire(entry, now)
        else:
            if entry.asker is not None and now >= entry.wait_until:
                self._tell(entry.asker, entry)
            self.deadlines.set(entry, entry.moment())

    def _count_overdue(self, lane: Lane, now: float) -> None:
        """The receiver has not answered in time; its answer, if it comes, tells nothing more."""
        lane.ack_due = NEVER
        permit, lane.permit = lane.permit, None
        if permit is not None and lane.breaker is not None:
            self._changed(lane, lane.breaker.record(permit, Counted.FAILURE, now))

    def _tell(self, asker: ReplyTo | Asker, entry: Entry) -> None:
        """The asker waits no longer."""
        outcome = self._look_later(entry)
        if isinstance(asker, ReplyTo):
            self._reply(asker, outcome)
        else:
            asker.collect(entry, outcome)

    def _stop_waiting(self, waiter: Waiter) -> None:
        entry = waiter.entry
        if entry.waiters is not None and waiter in entry.waiters:
            entry.waiters.remove(waiter)
        self._reply(waiter.reply_to, standing(entry))
