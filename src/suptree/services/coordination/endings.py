"""`Endings`: how a message ends, and who is told.  The lowest part of `Router`.

Everything that a router knows is here: its lanes, the messages whose senders look later,
the moments at which something is to be looked at, and the counts.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TypeAlias

from suptree.core import ReplyTo, Runtime, safe_text
from suptree.services.coordination import events
from suptree.services.coordination.lane import (
    ENDED,
    IN_FLIGHT,
    PARKED,
    WAITING,
    Entry,
    Lane,
    LanePolicy,
    Waiter,
)
from suptree.services.coordination.outcomes import (
    Acknowledged,
    Buffered,
    DeadLettered,
    Expired,
    Outcome,
    Receiver,
    Rejected,
    RejectReason,
)
from suptree.services.coordination.stats import CoordinationStats
from suptree.services.parts.deadlines import NEVER, Deadlines

__all__ = ["Endings", "Trouble"]

Trouble: TypeAlias = tuple[RejectReason, str]
"""Why a receiver cannot have a message: the word, and the same for people."""


class Endings:
    """See the module text, and `Router`.

    Attributes:
        lanes: The lanes, by receiver.
        buffered: Messages whose sender was told to look later, by id.
        ended: What became of those, the last ones.
        stats: What was done so far.
        deadlines: When what is to be looked at.
        next_tick: When `tick` is called next, whatever is due then; its owner sets it.

    Args:
        runtime: Where it lives.
        policy: How lanes are treated.
        policies: Other policies for receivers by name.
        lanes_at_most: How many lanes there may be; quiet ones make room.
        history: How many outcomes of buffered messages are kept for those who ask later.
        bury: Takes an entry that was given up, and why.
        chance: Random numbers from 0 to 1, for jitter.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        policy: LanePolicy,
        policies: Mapping[Receiver, LanePolicy],
        lanes_at_most: int,
        history: int,
        bury: Callable[[Entry, object], None],
        chance: Callable[[], float],
    ) -> None:
        self.lanes: dict[Receiver, Lane] = {}
        self.buffered: dict[int, Entry] = {}
        self.ended: OrderedDict[int, Outcome] = OrderedDict()
        self.stats = CoordinationStats()
        self.deadlines: Deadlines[Entry | Lane | Waiter] = Deadlines()
        self.next_tick = NEVER
        self._new: list[Entry] = []
        self._runtime = runtime
        self._now = runtime.now
        self._reply = runtime.reply
        self._policy = policy
        self._policies = policies
        self._lanes_at_most = lanes_at_most
        self._history = history
        self._bury = bury
        self._chance = chance
        # Not from 1 on: who asks a later router for an outcome would hear of another message
        # (test_an_id_of_a_router_that_has_ended_is_never_that_of_another_message).
        self._next_id = runtime.next_id
        slot = runtime.telemetry.slot
        self._acknowledged = slot(events.ACKNOWLEDGED)
        self._buffered = slot(events.BUFFERED)
        self._rejected = slot(events.REJECTED)
        self._expired = slot(events.EXPIRED)
        self._dead_lettered = slot(events.DEAD_LETTERED)
        self._retried = slot(events.RETRIED)
        self._breaker_changed = slot(events.BREAKER_CHANGED)

    # -- never taken in ----------------------------------------------------------------------

    def reject(
        self, to: Receiver, why: RejectReason, detail: str, lane: Lane | None = None, id: int = 0
    ) -> Rejected:
        """Say no to a message, which gets an id unless it has one."""
        self.stats.rejected += 1
        return self._said_no(to, why, detail, lane, id or self._next_id())

    def _turn_away(self, entry: Entry, why: RejectReason, detail: str) -> None:
        """The sender of a parked message waits no longer for a place; it was never accepted."""
        lane = entry.lane
        take_out(entry)
        self._end(entry, self.reject(lane.to, why, detail, lane, entry.id))

    # -- ends of what was taken in -------------------------------------------------------------

    def _acknowledge(self, entry: Entry, value: object, now: float) -> None:
        self.stats.acknowledged += 1
        if self._acknowledged.handlers:
            self._acknowledged.emit(
                {"duration_s": now - entry.accepted_at, "attempts_count": entry.attempts},
                {"to": entry.lane.to, "id": entry.id},
            )
        outcome = Acknowledged(entry.id, entry.lane.to, value, entry.attempts)
        asker = entry.asker
        if isinstance(asker, ReplyTo) and entry.due == NEVER and entry.waiters is None:
            entry.state = ENDED  # what `_end` does for nearly all messages, without the rest of it
            entry.asker = None
            self._reply(asker, outcome)
        else:
            self._end(entry, outcome)

    def _refused(self, entry: Entry, error: BaseException, now: float) -> None:
        """A living receiver has answered with *error*."""
        if entry.state is ENDED:
            self.deadlines.clear(entry)
            return
        if entry.asker is None:  # nobody is there to be told
            self._give_up(entry, error, now)
            return
        self.stats.refused += 1
        lane = entry.lane
        self._end(entry, self._said_no(lane.to, "refused", safe_text(error), lane, entry.id))

    def _give_up(self, entry: Entry, reason: object, now: float) -> None:
        """Take *entry* out of its lane and dead-letter it."""
        self._take_out(entry)
        self.stats.dead_lettered += 1
        if self._dead_lettered.handlers:
            self._dead_lettered.emit(
                {"age_s": now - entry.accepted_at, "attempts_count": entry.attempts},
                {"to": entry.lane.to, "id": entry.id, "reason": reason},
            )
        self._bury(entry, reason)
        self._end(entry, DeadLettered(entry.id, entry.lane.to, reason, entry.attempts))

    def _expire(self, entry: Entry, now: float) -> None:
        in_flight = entry.state is IN_FLIGHT
        self._take_out(entry)
        self.stats.expired += 1
        if self._expired.handlers:
            self._expired.emit(
                {"age_s": now - entry.accepted_at},
                {"to": entry.lane.to, "id": entry.id, "in_flight": in_flight},
            )
        self._bury(entry, "expired in flight" if in_flight else "expired")
        self._end(entry, Expired(entry.id, entry.lane.to, in_flight))
        if in_flight:  # the message had waited, maybe; the receiver has its full time still
            self.deadlines.set(entry, entry.lane.ack_due)

    def _end(self, entry: Entry, outcome: Outcome) -> None:
        """Tell everybody who waits for it.  The lane may still hold it, in the receiver's hands."""
        entry.state = ENDED
        if entry.due != NEVER:
            self.deadlines.clear(entry)
        asker = entry.asker
        entry.asker = None
        if asker is None:  # it was told to look later
            del self.buffered[entry.id]
            self._remember(entry, outcome)
        elif isinstance(asker, ReplyTo):
            self._reply(asker, outcome)
        else:
            asker.collect(entry, outcome)
        if entry.waiters is not None:
            for waiter in entry.waiters:
                self.deadlines.clear(waiter)
                self._reply(waiter.reply_to, outcome)

    # -- not ended, and told so ------------------------------------------------------------------

    def _look_later(self, entry: Entry) -> Buffered:
        """Nobody waits for *entry* from here on; what to tell who did."""
        entry.asker = None
        self.buffered[entry.id] = entry
        self.stats.buffered += 1
        outcome = standing(entry)
        if self._buffered.handlers:
            self._buffered.emit(
                {"position_count": outcome.position},
                {"to": outcome.to, "id": entry.id, "why": outcome.why},
            )
        return outcome

    # -- inside --------------------------------------------------------------------------------

    def _take_out(self, entry: Entry) -> None:
        """Out of its lane, unless the receiver has it: then the lane waits for the answer."""
        if take_out(entry) and entry.lane.parked:
            self._let_in(entry.lane)

    def _let_in(self, lane: Lane) -> None:
        """There may be a place for the one who waits longest for one; not if an attempt came back."""
        if len(lane.waiting) < lane.policy.buffer:
            entry = lane.parked.popleft()
            self._admit(entry)
            lane.waiting.append(entry)

    def _admit(self, entry: Entry) -> None:
        """A message that was parked is taken in."""
        entry.state = WAITING
        self.stats.accepted += 1

    def _remember(self, entry: Entry, outcome: Outcome) -> None:
        self.ended[entry.id] = outcome
        for _ in range(min(2, len(self.ended) - self._history)):  # 2: the bound was lowered
            self.ended.popitem(last=False)

    def _said_no(
        self, to: Receiver, why: RejectReason, detail: str, lane: Lane | None, id: int
    ) -> Rejected:
        if self._rejected.handlers:
            length = 0 if lane is None else lane.load()
            self._rejected.emit({"queue_len": length}, {"to": to, "id": id, "why": why})
        return Rejected(id, to, why, detail)


def take_out(entry: Entry) -> bool:
    """Out of its lane, unless the receiver has it; whether there is a free place now."""
    lane = entry.lane
    if entry.state is PARKED:
        lane.parked.remove(entry)
    elif entry.state is WAITING and entry in lane.waiting:
        lane.waiting.remove(entry)
        return True
    return False


def standing(entry: Entry) -> Buffered:
    """Where *entry* stands, and what it waits for."""
    lane = entry.lane
    return Buffered(entry.id, lane.to, lane.position(entry), lane.what_holds_it())
