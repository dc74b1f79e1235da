"""`HandingOver`: gives each receiver one message at a time, and sees what comes of it.  A part of `Router`."""

from __future__ import annotations

from suptree.core import NOPROC, Pid
from suptree.errors import MailboxFullError, NoProcessError, ServerExitError
from suptree.otp import Response, post_request
from suptree.services.coordination.lane import ENDED, IN_FLIGHT, PARKED, WAITING, Entry, Lane
from suptree.services.coordination.lanes import CLOSED, Lanes
from suptree.services.parts.deadlines import NEVER
from suptree.services.parts.window import CallOutcome as Counted

__all__ = ["HandingOver"]


class HandingOver(Lanes):
    """See the module text."""

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
        if lane.waiting:
            entry = lane.waiting.popleft()
        else:  # without a buffer there is no other place behind the receiver than to be parked
            entry = lane.parked.popleft()
            self._admit(entry)
        if lane.parked:
            self._let_in(lane)
        self._hand_over(lane, entry, now)
        due = lane.ack_due
        if (
            entry is lane.in_flight
            and due < entry.due
            and (entry.due < NEVER or due < self.next_tick)
        ):
            self.deadlines.set(entry, due)

    def _hand_over(self, lane: Lane, entry: Entry, now: float) -> None:
        """Put *entry* into the mailbox of the receiver, who has nothing of this lane."""
        breaker = lane.breaker
        if breaker is not None:
            lane.permit = breaker.permit(now).permit
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

    # -- what comes back -----------------------------------------------------------------------

    def answered(self, response: Response) -> None:
        """A receiver has answered, or there will be no answer."""
        lane: Lane = response.tag
        entry = lane.in_flight
        if entry is None or lane.request is not response:
            return
        now = self._now()
        lane.request = None
        if not response.is_failed():
            self._answered_well(lane, now)
            if entry.state is not ENDED:
                self._acknowledge(entry, response.value, now)
            else:  # expired in the receiver's hands: its sender knows it as that
                self.deadlines.clear(entry)
            if lane.waiting or lane.parked:
                self._deliver(lane, now)
            return
        error = response.value
        if not _is_undelivered(response, error):  # it lives, and said no
            self._answered_well(lane, now)
            self._refused(entry, error, now)
        else:
            self._attempt_failed(lane, entry, error, now)
        self._deliver(lane, now)

    def _answered_well(self, lane: Lane, now: float) -> None:
        """The receiver has nothing of ours any more, and is well."""
        lane.in_flight = None
        lane.ack_due = NEVER
        lane.used_at = now
        if lane.failures:
            lane.failures = 0
            lane.pause = None
        breaker = lane.breaker
        if breaker is not None and (breaker.state is not CLOSED or lane.counts_successes):
            self._count(lane, Counted.SUCCESS, now)

    def _count(self, lane: Lane, outcome: Counted, now: float) -> None:
        """Tell the breaker, unless it was told when the receiver's time was over."""
        permit, lane.permit = lane.permit, None
        if permit is None or lane.breaker is None:
            return
        if outcome is Counted.IGNORED:
            lane.breaker.release(permit)
        else:
            self._changed(lane, lane.breaker.record(permit, outcome, now, now - lane.sent_at))

    # -- an attempt that failed ------------------------------------------------------------------

    def _attempt_failed(self, lane: Lane, entry: Entry, error: BaseException, now: float) -> None:
        """Nobody was there, the mailbox was full, or the receiver died with the message."""
        died = error if isinstance(error, ServerExitError) else None
        if died is None or died.unread:
            entry.attempts -= 1  # nobody has begun with it, so it is not to blame
        lane.in_flight = None
        lane.ack_due = NEVER
        lane.used_at = now
        self._count(lane, Counted.IGNORED if died is None else Counted.FAILURE, now)
        reason = error if died is None else died.reason
        if isinstance(lane.to, Pid) and not isinstance(error, MailboxFullError):
            self._receiver_ended(lane, entry, NOPROC if died is None else reason, now)
            return
        if entry.state is ENDED:  # expired in the receiver's hands
            self.deadlines.clear(entry)
        elif entry.others and self._pass_on(entry, now):
            pass
        elif died is not None and entry.attempts >= (lane.policy.retry.max_attempts or 1):
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
        for one in (*lane.parked, entry, *lane.waiting):  # or those let in would be last
            if one.state is ENDED or (one.others and self._pass_on(one, now)):
                continue
            if one.state is PARKED:
                self._turn_away(one, "no_process", str(NoProcessError(lane.to, "coordinate")))
            else:
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
            if entry.state is PARKED:
                self._admit(entry)
            entry.state = WAITING
            entry.lane = lane
            lane.waiting.append(entry)
            self._deliver(lane, now)
            self.deadlines.set(entry, entry.moment())
            return True
        return False


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
