"""`Router`: takes messages in, hands them over, and sees what becomes of each.

It belongs to one `CoordinationManager`, in whose turns everything here happens, and it
never waits: a delivery is a request, whose answer comes back as a message, and everything
that waits has a moment in one heap.  It never runs code of its users.
"""

from __future__ import annotations

import contextvars
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from suptree.core import NOPROC, Pid, ReplyTo, Runtime, safe_text
from suptree.errors import MailboxFullError, NoProcessError, ServerExitError
from suptree.otp import GenServer, Response, post_request
from suptree.services.coordination import events
from suptree.services.coordination.lane import (
    ENDED,
    IN_FLIGHT,
    PARKED,
    WAITING,
    Asker,
    Entry,
    Lane,
    LaneInfo,
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
from suptree.services.parts.breaker import BreakerState, Transition
from suptree.services.parts.deadlines import NEVER, Deadlines
from suptree.services.parts.window import CallOutcome as Counted

__all__ = ["CoordinationStats", "Router"]

CLOSED: Final = BreakerState.CLOSED
OPEN: Final = BreakerState.OPEN

Trouble: TypeAlias = tuple[RejectReason, str]
"""Why a receiver cannot have a message: the word, and the same for people."""


@dataclass(slots=True)
class CoordinationStats:
    """What a router has done since it was started.  All but the last three only ever grow.

    Attributes:
        accepted: Messages taken in.
        acknowledged: Messages that were answered.
        buffered: Times that a sender was told to look later.
        rejected: Messages that were not taken in, or that the receiver refused.
        expired: Messages whose time was over.
        dead_lettered: Messages given up for another reason.
        retried: Attempts that failed and were followed by another.
        letters_lost: Dead letters that no queue was there to take.
        waiting: Messages in lanes now, those with receivers included.
        lanes: Lanes now.
        contexts: Contexts now.
    """

    accepted: int = 0
    acknowledged: int = 0
    buffered: int = 0
    rejected: int = 0
    expired: int = 0
    dead_lettered: int = 0
    retried: int = 0
    letters_lost: int = 0
    waiting: int = 0
    lanes: int = 0
    contexts: int = 0


class Router:
    """See the module text.

    Attributes:
        lanes: The lanes, by receiver.
        buffered: Messages whose sender was told to look later, by id.
        ended: What became of those, the last ones.
        stats: What was done so far.
        deadlines: When what is to be looked at.

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
        self._runtime = runtime
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
    ) -> Rejected | Entry:
        """Take *message* in for *to* and hand it over if it is its turn, or say why not."""
        now = self._runtime.now()
        lane = self.lanes.get(to)
        if lane is None:
            made = self._new_lane(to, now)
            if isinstance(made, Rejected):
                return made
            lane = made
        policy = lane.policy
        entry = Entry(
            self._next_id(),
            lane,
            message,
            asker,
            now,
            now + wait,
            now + (policy.expires if expires is None else expires),
        )
        if others:
            entry.others = others
        if self._runtime.propagator is not None:
            entry.context = contextvars.copy_context()
        if (
            lane.in_flight is None
            and not lane.waiting
            and not lane.parked
            and self._is_open_way(lane, now)
        ):
            self._hand_over(lane, entry, now)
        else:
            refusal = self._queue(lane, entry, now)
            if refusal is not None:
                return refusal
            self._deliver(lane, now)
        self.stats.accepted += 1
        lane.used_at = now
        self.deadlines.set(entry, entry.moment())
        return entry

    def obstacle(self, to: Receiver) -> Trouble | None:
        """Why *to* could not be handed a message at once or soon; None: `accept` would take it."""
        now = self._runtime.now()
        lane = self.lanes.get(to)
        if lane is None:
            return self._trouble_of_lane(to)
        if self._runtime.find(to) is None:
            return "no_process", _nobody(self._runtime, to)
        breaker = lane.breaker
        if breaker is not None and breaker.state is not CLOSED:
            self._changed(lane, breaker.look(now))  # or nobody would ever try it again
            if breaker.state is OPEN:
                return "breaker_open", _resting(lane)
        if lane.parked or len(lane.waiting) >= lane.policy.buffer:
            free = lane.in_flight is None and lane.is_empty() and lane.due == NEVER
            return None if free else ("buffer_full", _full(lane))
        return None

    def lacks_lanes(self, receivers: Collection[Receiver]) -> bool:
        """Whether there are too few lanes for each of *receivers* to have one at the same time."""
        if len(self.lanes) + len(receivers) <= self._lanes_at_most:
            return False
        wanted = set(receivers)
        busy = sum(to not in wanted and not lane.is_quiet() for to, lane in self.lanes.items())
        return busy + len(wanted) > self._lanes_at_most

    def too_many_lanes(self) -> Trouble:
        """What to say when there are."""
        return (
            "buffer_full",
            f"{len(self.lanes)} lanes are in use, and there may be no more. Raise `lanes`.",
        )

    def load(self, to: Receiver) -> int:
        """How many messages are on their way to *to*."""
        lane = self.lanes.get(to)
        return 0 if lane is None else lane.load()

    def _new_lane(self, to: Receiver, now: float) -> Lane | Rejected:
        trouble = self._trouble_of_lane(to)
        if trouble is not None:
            return self.reject(to, *trouble)
        if len(self.lanes) >= self._lanes_at_most:
            self.sweep(now, 0.0)
        lane = self.lanes[to] = Lane(to, self._policies.get(to, self._policy), now)
        return lane

    def _trouble_of_lane(self, to: Receiver) -> Trouble | None:
        """Why there can be no lane for *to*, which has none."""
        process = self._runtime.find(to)
        if process is None:
            return "no_process", _nobody(self._runtime, to)
        server = process.server
        if isinstance(server, GenServer) and type(server).handle_call is GenServer.handle_call:
            detail = (
                f"{to!r} is a {type(server).__name__}, which would crash: it has no handle_call. "
                "Write one, and return from it what the sender is to get."
            )
            return "refused", detail
        return self.too_many_lanes() if self.lacks_lanes((to,)) else None

    def _is_open_way(self, lane: Lane, now: float) -> bool:
        """Whether an empty lane would hand a message over at once."""
        breaker = lane.breaker
        if breaker is None or breaker.state is CLOSED:
            return lane.due == NEVER
        self._changed(lane, breaker.look(now))
        return breaker.state is not OPEN and lane.due == NEVER

    def _queue(self, lane: Lane, entry: Entry, now: float) -> Rejected | None:
        """Find *entry* a place behind others."""
        policy = lane.policy
        resting = lane.breaker is not None and lane.breaker.state is OPEN
        if resting and policy.while_open == "reject":
            return self.reject(lane.to, "breaker_open", _resting(lane), lane, entry.id)
        if len(lane.waiting) < policy.buffer and not lane.parked:
            lane.waiting.append(entry)
            return None
        if policy.overflow == "drop_oldest" and lane.waiting:
            self._give_up(lane.waiting[0], "overflow", now)
            lane.waiting.append(entry)
            return None
        if (
            policy.overflow == "wait"
            and entry.asker is not None
            and len(lane.parked) < policy.parked
        ):
            entry.state = PARKED
            lane.parked.append(entry)
            return None
        return self.reject(lane.to, "buffer_full", _full(lane), lane, entry.id)

    def reject(
        self, to: Receiver, why: RejectReason, detail: str, lane: Lane | None = None, id: int = 0
    ) -> Rejected:
        """Say no to a message, which gets an id unless it has one."""
        if not id:
            id = self._next_id()
        self.stats.rejected += 1
        if self._rejected.handlers:
            length = 0 if lane is None else lane.load()
            self._rejected.emit({"queue_len": length}, {"to": to, "id": id, "why": why})
        return Rejected(id, to, why, detail)

    # -- handing over --------------------------------------------------------------------------

    def _deliver(self, lane: Lane, now: float) -> None:
        """Hand the first message of *lane* to its receiver, if it may have one now."""
        if lane.in_flight is not None or lane.is_empty() or (lane.due > now and lane.due != NEVER):
            return
        self.deadlines.clear(lane)
        breaker = lane.breaker
        if breaker is not None and breaker.state is not CLOSED:
            self._changed(lane, breaker.look(now))
            after = breaker.retry_after(now)
            if after is None or after > 0:
                wait = lane.policy.ack_timeout if after is None else after
                self.deadlines.set(lane, now + wait)
                return
        # Without a buffer there is no other place behind the receiver than to be parked.
        entry = lane.waiting.popleft() if lane.waiting else lane.parked.popleft()
        if lane.parked:
            _unpark(lane)
        self._hand_over(lane, entry, now)

    def _hand_over(self, lane: Lane, entry: Entry, now: float) -> None:
        """Put *entry* into the mailbox of the receiver, who has nothing of this lane."""
        if lane.breaker is not None:
            lane.permit = lane.breaker.permit(now).permit
        entry.state = IN_FLIGHT
        entry.attempts += 1
        lane.in_flight = entry
        lane.sent_at = now
        lane.ack_due = now + lane.policy.ack_timeout
        context = entry.context
        try:
            if context is None:
                lane.request = post_request(lane.to, entry.message, tag=lane)
            else:
                lane.request = context.copy().run(_post, lane, entry)
        except MailboxFullError as error:
            self._attempt_failed(lane, entry, error, now)

    def answered(self, response: Response) -> None:
        """A receiver has answered, or there will be no answer."""
        lane: Lane = response.tag
        entry = lane.in_flight
        if entry is None or lane.request is not response:
            return
        now = self._runtime.now()
        lane.request = None
        if not response.is_failed():
            self._settled(lane, Counted.SUCCESS, now)
            self._acknowledge(entry, response.value, now)
            if lane.waiting or lane.parked:
                self._deliver(lane, now)
            return
        error = response.value
        if not _is_undelivered(response, error):  # it lives, and said no
            self._settled(lane, Counted.SUCCESS, now)
            self._refused(entry, error, now)
        else:
            self._attempt_failed(lane, entry, error, now)
        self._deliver(lane, now)

    def _settled(self, lane: Lane, outcome: Counted, now: float) -> None:
        """The receiver has nothing of ours any more."""
        lane.in_flight = None
        lane.ack_due = NEVER
        lane.used_at = now
        permit, lane.permit = lane.permit, None
        breaker = lane.breaker
        if outcome is Counted.SUCCESS:
            lane.failures = 0
            lane.pause = None
            if breaker is None or (breaker.state is CLOSED and not lane.counts_successes):
                return
        if permit is not None and lane.breaker is not None:
            if outcome is Counted.IGNORED:
                lane.breaker.release(permit)
            else:
                transition = lane.breaker.record(permit, outcome, now, now - lane.sent_at)
                if transition is not None:
                    self._changed(lane, transition)

    def _attempt_failed(self, lane: Lane, entry: Entry, error: BaseException, now: float) -> None:
        """Nobody was there, the mailbox was full, or the receiver died over the message."""
        never_handed = isinstance(error, (NoProcessError, MailboxFullError))
        if never_handed:
            entry.attempts -= 1
        self._settled(lane, Counted.IGNORED if never_handed else Counted.FAILURE, now)
        reason = error.reason if isinstance(error, ServerExitError) else error
        if isinstance(lane.to, Pid) and not isinstance(error, MailboxFullError):
            gone = NOPROC if isinstance(error, NoProcessError) else reason
            self._receiver_ended(lane, entry, gone, now)
            return
        expired = entry.state is ENDED  # in the receiver's hands
        if expired:
            self.deadlines.clear(entry)
        elif entry.others and self._pass_on(entry, now):
            pass
        elif entry.attempts >= (lane.policy.retry.max_attempts or 1):
            self._give_up(entry, reason, now)
        else:
            entry.state = WAITING
            lane.waiting.appendleft(entry)
        lane.failures += 1
        lane.pause = lane.policy.retry.delay(lane.failures, lane.pause, self._chance)
        self.deadlines.set(lane, now + lane.pause)
        if entry.state is WAITING and entry.lane is lane:
            self.deadlines.set(entry, entry.moment())
            self.stats.retried += 1
            if self._retried.handlers:
                self._retried.emit(
                    {"delay_s": lane.pause, "attempts_count": entry.attempts},
                    {"to": lane.to, "id": entry.id, "reason": reason},
                )

    def _receiver_ended(self, lane: Lane, entry: Entry, reason: object, now: float) -> None:
        """A pid never comes back: its lane goes, and so does what is in it."""
        self.lanes.pop(lane.to, None)
        self.deadlines.clear(lane)
        for one in (entry, *lane.waiting, *lane.parked):
            if one.state is not ENDED and not (one.others and self._pass_on(one, now)):
                self._give_up(one, reason, now)
        lane.waiting.clear()
        lane.parked.clear()

    def _pass_on(self, entry: Entry, now: float) -> bool:
        """Give *entry* to another of the receivers that may have it; False: none can take it."""
        while entry.others:
            to = min(entry.others, key=self.load)
            entry.others = tuple(one for one in entry.others if one != to)
            if self.obstacle(to) is not None:
                continue
            found = self.lanes.get(to)
            lane = self._new_lane(to, now) if found is None else found
            if not isinstance(lane, Lane):
                continue
            entry.state = WAITING
            entry.lane = lane
            lane.waiting.append(entry)
            self._deliver(lane, now)
            self.deadlines.set(entry, entry.moment())
            return True
        return False

    # -- how a message ends ----------------------------------------------------------------------

    def _acknowledge(self, entry: Entry, value: object, now: float) -> None:
        if entry.state is ENDED:  # expired in the receiver's hands: its sender knows it as that
            self.deadlines.clear(entry)
            return
        self.stats.acknowledged += 1
        if self._acknowledged.handlers:
            self._acknowledged.emit(
                {"duration_s": now - entry.accepted_at, "attempts_count": entry.attempts},
                {"to": entry.lane.to, "id": entry.id},
            )
        self._end(entry, Acknowledged(entry.id, entry.lane.to, value, entry.attempts))

    def _refused(self, entry: Entry, error: BaseException, now: float) -> None:
        if entry.state is ENDED:
            self.deadlines.clear(entry)
            return
        if entry.asker is None:  # nobody is there to be told
            self._give_up(entry, error, now)
        else:
            self._end(
                entry, self.reject(entry.lane.to, "refused", safe_text(error), entry.lane, entry.id)
            )

    def _give_up(self, entry: Entry, reason: object, now: float) -> None:
        """Take *entry* out of its lane and dead-letter it."""
        _take_out(entry)
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
        _take_out(entry)
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
        self.deadlines.clear(entry)
        asker, entry.asker = entry.asker, None
        if asker is None:  # it was told to look later
            del self.buffered[entry.id]
            self.ended[entry.id] = outcome
            for _ in range(min(2, len(self.ended) - self._history)):  # 2: the bound was lowered
                self.ended.popitem(last=False)
        elif isinstance(asker, ReplyTo):
            self._runtime.reply(asker, outcome)
        else:
            asker.collect(entry, outcome)
        if entry.waiters is not None:
            for waiter in entry.waiters:
                self.deadlines.clear(waiter)
                self._runtime.reply(waiter.reply_to, outcome)

    # -- moments ---------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Do everything that is due."""
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
        over = entry.state is ENDED
        if over or now >= entry.expires_at:
            if not over:
                self._expire(entry, now)
            return
        if entry.asker is not None and now >= entry.wait_until:
            self._tell_to_look_later(entry, now)
        if entry.state is not ENDED:
            self.deadlines.set(entry, entry.moment())

    def _count_overdue(self, lane: Lane, now: float) -> None:
        """The receiver has not answered in time; its answer, if it comes, tells nothing more."""
        lane.ack_due = NEVER
        permit, lane.permit = lane.permit, None
        if permit is not None and lane.breaker is not None:
            self._changed(lane, lane.breaker.record(permit, Counted.FAILURE, now))

    def _tell_to_look_later(self, entry: Entry, now: float) -> None:
        """The asker waits no longer; a parked message was never accepted, so it goes."""
        lane = entry.lane
        if entry.state is PARKED:
            _take_out(entry)
            self._end(entry, self.reject(lane.to, "buffer_full", _full(lane), lane, entry.id))
            return
        outcome = Buffered(entry.id, lane.to, lane.position(entry), lane.what_holds_it())
        self.stats.buffered += 1
        if self._buffered.handlers:
            self._buffered.emit(
                {"position_count": outcome.position},
                {"to": lane.to, "id": entry.id, "why": outcome.why},
            )
        asker, entry.asker = entry.asker, None
        self.buffered[entry.id] = entry
        if isinstance(asker, ReplyTo):
            self._runtime.reply(asker, outcome)
        elif asker is not None:
            asker.collect(entry, outcome)

    def _stop_waiting(self, waiter: Waiter) -> None:
        entry = waiter.entry
        if entry.waiters is not None and waiter in entry.waiters:
            entry.waiters.remove(waiter)
        lane = entry.lane
        outcome = Buffered(entry.id, lane.to, lane.position(entry), lane.what_holds_it())
        self._runtime.reply(waiter.reply_to, outcome)

    def ask(self, entry: Entry, reply_to: ReplyTo, wait: float) -> None:
        """Have *reply_to* told what becomes of *entry*, or that it still waits after *wait* seconds."""
        waiter = Waiter(entry, reply_to)
        if entry.waiters is None:
            entry.waiters = []
        entry.waiters.append(waiter)
        self.deadlines.set(waiter, self._runtime.now() + wait)

    # -- looking, and keeping house -----------------------------------------------------------------

    def sweep(self, now: float, idle_after: float) -> int:
        """Forget the lanes that had nothing to do for *idle_after* seconds; returns how many."""
        quiet = [
            lane.to
            for lane in self.lanes.values()
            if lane.is_quiet() and now - lane.used_at >= idle_after
        ]
        for to in quiet:
            self.deadlines.clear(self.lanes.pop(to))
        return len(quiet)

    def count(self, contexts: int) -> CoordinationStats:
        """What was done so far."""
        waiting = sum(lane.load() for lane in self.lanes.values())
        return replace(self.stats, waiting=waiting, lanes=len(self.lanes), contexts=contexts)

    def look(self, now: float) -> list[LaneInfo]:
        """Every lane."""
        return [_info(lane, now) for lane in self.lanes.values()]

    def reconfigure(
        self, policy: LanePolicy | None, lanes_at_most: int | None, history: int | None
    ) -> None:
        """Go by other bounds from now on; None: by those that hold.  Nothing is lost for that."""
        self._lanes_at_most = lanes_at_most or self._lanes_at_most
        self._history = self._history if history is None else history
        if policy is None or policy == self._policy:
            return
        self._policy = policy
        for lane in self.lanes.values():
            if lane.to not in self._policies:
                lane.go_by(policy)
                while lane.parked and len(lane.waiting) < policy.buffer:
                    _unpark(lane)

    def _changed(self, lane: Lane, transition: Transition | None) -> None:
        if transition is None:
            return
        if transition.after is CLOSED:  # what waits is handed over now, in order
            self.deadlines.clear(lane)
        if self._breaker_changed.handlers:
            facts = {"before": transition.before.value, "after": transition.after.value}
            self._breaker_changed.emit(
                {"queue_len": lane.load()},
                {"to": lane.to, **facts, "reason": transition.reason.value},
            )


def _take_out(entry: Entry) -> None:
    """Out of its lane, unless the receiver has it: then the lane goes on waiting for the answer."""
    lane = entry.lane
    if entry.state is PARKED:
        lane.parked.remove(entry)
    elif entry.state is WAITING and entry in lane.waiting:
        lane.waiting.remove(entry)
        if lane.parked:
            _unpark(lane)


def _unpark(lane: Lane) -> None:
    """There may be a place for the one who waits longest for one; not if an attempt came back."""
    if len(lane.waiting) < lane.policy.buffer:
        entry = lane.parked.popleft()
        entry.state = WAITING
        lane.waiting.append(entry)


def _is_undelivered(response: Response, error: BaseException) -> bool:
    """Whether nobody was there, there was no place, or the receiver ended over it.

    Else the error is what a living receiver answered with `fail`, whatever it is: it may
    pass on what it got from somebody else who ended.
    """
    if isinstance(error, NoProcessError):
        return response.callee is response.caller  # see `post_request`
    if isinstance(error, MailboxFullError):
        return error.target is response.callee.pid
    return isinstance(error, ServerExitError) and error.server is response.callee.pid


def _post(lane: Lane, entry: Entry) -> Response:
    return post_request(lane.to, entry.message, tag=lane, awaited=entry.is_awaited())


def _nobody(runtime: Runtime, to: Receiver) -> str:
    hint = runtime.names.hint_for(to) if isinstance(to, str) else None
    return str(NoProcessError(to, "coordinate", hint))


def _resting(lane: Lane) -> str:
    return f"{lane.to!r} keeps failing and is left in peace for a while. Try again later."


def _full(lane: Lane) -> str:
    return (
        f"{len(lane.waiting)} messages wait for {lane.to!r} already. Send more slowly, "
        "or give its lane a larger buffer."
    )


def _info(lane: Lane, now: float) -> LaneInfo:
    held: Sequence[Entry] = [*lane.waiting, *lane.parked]
    if lane.in_flight is not None:
        held = [lane.in_flight, *held]
    return LaneInfo(
        to=lane.to,
        waiting_count=len(lane.waiting) + len(lane.parked),
        in_flight=None if lane.in_flight is None else lane.in_flight.id,
        in_flight_s=0.0 if lane.in_flight is None else now - lane.sent_at,
        breaker="none" if lane.breaker is None else lane.breaker.state.value,
        failures_count=lane.failures,
        oldest_s=max((now - entry.accepted_at for entry in held), default=0.0),
    )
