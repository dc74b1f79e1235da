"""`Lanes`: finds or makes the lane of a receiver, and says why there can be none.  A part of `Router`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from suptree.core import Runtime
from suptree.errors import NoProcessError
from suptree.otp import GenServer
from suptree.services.coordination.endings import Endings, Trouble
from suptree.services.coordination.lane import ENDED, Lane, LaneInfo, LanePolicy, info_of
from suptree.services.coordination.outcomes import Receiver, Rejected
from suptree.services.coordination.stats import CoordinationStats
from suptree.services.parts.breaker import Breaker, BreakerState, Transition
from suptree.services.parts.deadlines import NEVER

__all__ = ["CLOSED", "OPEN", "Lanes", "full", "resting"]

CLOSED: Final = BreakerState.CLOSED
OPEN: Final = BreakerState.OPEN


class Lanes(Endings):
    """See the module text."""

    # -- whether somebody can have a message -------------------------------------------------

    def obstacle(self, to: Receiver) -> Trouble | None:
        """Why *to* could not be handed a message at once or soon; None: `accept` would take it."""
        now = self._now()
        lane = self.lanes.get(to)
        if lane is None:
            return self._trouble_of_lane(to)
        if self._runtime.find(to) is None:
            return "no_process", _nobody(self._runtime, to)
        breaker = lane.breaker
        if breaker is not None and breaker.state is not CLOSED:
            self._changed(lane, breaker.look(now))  # or nobody would ever try it again
            if breaker.state is OPEN:
                return "breaker_open", resting(lane)
        if lane.parked or len(lane.waiting) >= lane.policy.buffer:
            free = lane.in_flight is None and lane.is_empty() and lane.due == NEVER
            return None if free else ("buffer_full", full(lane))
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
            f"{len(self.lanes)} lanes are in use, and there may be no more. Raise `max_lanes`.",
        )

    def load(self, to: Receiver) -> int:
        """How many messages are on their way to *to*."""
        lane = self.lanes.get(to)
        return 0 if lane is None else lane.load()

    # -- a lane -------------------------------------------------------------------------------

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

    def _lets_through(self, lane: Lane, breaker: Breaker) -> bool:
        """Whether a breaker that is not closed would let one message through, as a probe."""
        self._changed(lane, breaker.look(self._now()))
        return breaker.state is not OPEN and lane.due == NEVER

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
                    self._let_in(lane)

    # -- looking, and keeping house -------------------------------------------------------------

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
        lanes = self.lanes.values()
        with_receivers = sum(
            lane.in_flight is not None and lane.in_flight.state is not ENDED for lane in lanes
        )
        return replace(
            self.stats,
            waiting=sum(len(lane.waiting) for lane in lanes) + with_receivers,
            in_flight=with_receivers,
            parked=sum(len(lane.parked) for lane in lanes),
            lanes=len(lanes),
            contexts=contexts,
        )

    def look(self, now: float) -> list[LaneInfo]:
        """Every lane."""
        return [info_of(lane, now) for lane in self.lanes.values()]


def resting(lane: Lane) -> str:
    """What to say of a lane whose breaker is open."""
    return f"{lane.to!r} keeps failing and is left in peace for a while. Try again later."


def full(lane: Lane) -> str:
    """What to say of a lane without a place."""
    return (
        f"{len(lane.waiting)} messages wait for {lane.to!r} already. Send more slowly, "
        "or give its lane a larger buffer."
    )


def _nobody(runtime: Runtime, to: Receiver) -> str:
    hint = runtime.names.hint_for(to) if isinstance(to, str) else None
    return str(NoProcessError(to, "coordinate", hint))
