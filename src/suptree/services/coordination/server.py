"""`RouterServer`: the process around a router, its one timer, and what comes to it by itself.

The lowest part of `CoordinationManager`, which adds what clients ask for.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

from suptree.core import Runtime, Timer, find_runtime, time_left
from suptree.errors import MailboxFullError
from suptree.otp import GenServer, ServerRef, call
from suptree.services.coordination.asked import (
    ANSWERS,
    check_class,
    name_asked,
    receiver_asked,
    seconds_asked,
)
from suptree.services.coordination.contexts import Contexts
from suptree.services.coordination.custody import check_store
from suptree.services.coordination.dead_letters import DeadLetterQueue
from suptree.services.coordination.lane import Entry, LanePolicy
from suptree.services.coordination.letters import RedrivePolicy
from suptree.services.coordination.outcomes import Receiver
from suptree.services.coordination.router import Router
from suptree.services.parts.checks import bad_argument, check_count, check_number
from suptree.services.parts.deadlines import NEVER
from suptree.services.parts.owners import Owners
from suptree.services.parts.store import Store

__all__ = ["SWEEP", "TICK", "WAIT", "RouterServer", "within_deadline"]

WAIT: Final = 5.0
"""Seconds that a sender waits for the outcome unless it says otherwise."""
_MARGIN: Final = 0.05
"""Seconds by which a sender learns the outcome before its own deadline, or a tenth of what is left."""
_SHORTEST: Final = 0.005
"""With less time than that nobody waits at all."""


class _Tick:
    """To itself: something is due."""

    __slots__ = ()


class _Sweep:
    """To itself: some lanes may have been quiet for long."""

    __slots__ = ()


TICK: Final = _Tick()
SWEEP: Final = _Sweep()


class RouterServer(GenServer):
    """Routes messages; see `CoordinationManager` for the arguments."""

    __front__ = "CoordinationManager"

    call_raises = ANSWERS

    def __init__(
        self,
        *,
        policy: LanePolicy | None = None,
        policies: Mapping[Receiver, LanePolicy] | None = None,
        dead_letters: ServerRef[DeadLetterQueue] | None = None,
        redrive: RedrivePolicy | None = None,
        store: Store | None = None,
        space: str = "coordination",
        max_lanes: int = 100_000,
        max_contexts: int = 10_000,
        idle_after: float = 60.0,
        history: int = 10_000,
    ) -> None:
        who = "CoordinationManager"
        self._runtime: Runtime = find_runtime(who)
        policy = LanePolicy() if policy is None else policy
        check_class(who, "policy", policy, LanePolicy, "LanePolicy(buffer=500)")
        own: Mapping[Receiver, LanePolicy] = {} if policies is None else policies
        check_class(who, "policies", own, Mapping, "{'mailer': LanePolicy(buffer=500)}")
        for to, one in own.items():
            receiver_asked(self._runtime, who, to, "policies")
            check_class(who, "policies", one, LanePolicy, "{'mailer': LanePolicy(buffer=500)}")
        if dead_letters is not None:
            receiver_asked(self._runtime, who, dead_letters, "dead_letters")
        if redrive is not None:
            check_class(who, "redrive", redrive, RedrivePolicy, "RedrivePolicy(every=300.0)")
            if dead_letters is None:
                raise bad_argument(
                    who,
                    "dead_letters",
                    "given with redrive",
                    None,
                    "Name the queue, or leave both.",
                )
        check_store(who, store)
        check_count(who, "max_lanes", max_lanes)
        check_count(who, "max_contexts", max_contexts)
        check_number(who, "idle_after", idle_after, above=0)
        check_count(who, "history", history, least=0)
        self._dead_letters = dead_letters
        self._redrive = redrive
        self._store = store
        self._space = name_asked(who, "space", space)
        self._idle_after = idle_after
        self._contexts = Contexts(max_contexts)
        self._owners: Owners[tuple[str, Receiver | None]] = Owners()
        self._timer: Timer | None = None
        self._timer_due = NEVER
        self._sweeping = False
        self._sweep_timer: Timer | None = None
        self._router = Router(
            self._runtime,
            policy=policy,
            policies=dict(own),
            lanes_at_most=max_lanes,
            history=history,
            bury=self._bury,
            chance=random.random,
        )

    # -- for what stands on it -----------------------------------------------------------------

    def _bury(self, entry: Entry, reason: object) -> None:
        queue = self._dead_letters
        if queue is None or self._runtime.find(queue, "dead_letters") is None:
            self._router.stats.letters_lost += 1
            return
        try:
            DeadLetterQueue.add(
                queue,
                entry.lane.to,
                entry.message,
                reason,
                entry.attempts,
                entry.id,
                redrives=entry.redrives,
            )
        except MailboxFullError:
            self._router.stats.letters_lost += 1

    def _arm(self) -> None:
        """One timer, for whatever is due first."""
        deadlines = self._router.deadlines
        if deadlines.soonest < self._timer_due and (due := deadlines.next_due()) < self._timer_due:
            if self._timer is not None:
                self.cancel_timer(self._timer)
            self._timer_due = self._router.next_tick = due
            self._timer = self.send_after(max(0.0, due - self._runtime.now()), TICK)
        if self._router.lanes and not self._sweeping:
            self._sweeping = True
            self._sweep_timer = self.send_after(self._idle_after, SWEEP)

    def _due(self) -> float:
        """The timer has come; until when everything is due, however the difference was rounded."""
        now = max(self._runtime.now(), self._timer_due)
        self._timer = None
        self._timer_due = self._router.next_tick = NEVER
        return now

    def _times(self, who: str, wait: float, expires: float | None) -> tuple[float, float | None]:
        """How long a sender waits, and a message may take."""
        if wait is not WAIT:
            wait = seconds_asked(who, "wait", wait, least=0)
        if expires is not None:
            expires = seconds_asked(who, "expires", expires, above=0)
        if self._runtime.propagator is not None:
            wait = within_deadline(wait)
        return wait, expires

    # -- other settings -------------------------------------------------------------------------

    @staticmethod
    async def reconfigure(
        router: ServerRef[Any],
        *,
        policy: LanePolicy | None = None,
        max_lanes: int | None = None,
        idle_after: float | None = None,
        history: int | None = None,
    ) -> None:
        """Go by other settings from now on; what is not given stays as it is.

        No message is lost for that: where a bound gets smaller it holds for what comes.  The
        message that a receiver has keeps its `ack_timeout`, and each message its `expires`.

        Args:
            router: The router.
            policy: For the lanes of all receivers that have none of their own.
            max_lanes, idle_after, history: As for the class.

        Raises:
            BadArgumentError: One of them is out of bounds; nothing was changed.
        """
        who = "CoordinationManager.reconfigure"
        if policy is not None:
            check_class(who, "policy", policy, LanePolicy, "LanePolicy(buffer=500)")
        check_count(who, "max_lanes", max_lanes, optional=True)
        check_number(who, "idle_after", idle_after, above=0, optional=True)
        check_count(who, "history", history, least=0, optional=True)
        await RouterServer._reconfigure(router, policy, max_lanes, idle_after, history)

    @call
    def _reconfigure(
        self,
        policy: LanePolicy | None,
        max_lanes: int | None,
        idle_after: float | None,
        history: int | None,
    ) -> None:
        self._router.reconfigure(policy, max_lanes, history)
        if idle_after is not None and idle_after != self._idle_after:
            self._idle_after = idle_after
            if self._sweeping and self._sweep_timer is not None:
                self.cancel_timer(self._sweep_timer)
                self._sweeping = False
        self._arm()


def within_deadline(wait: float) -> float:
    """*wait*, or less: so that a sender whose own time is over first learns the outcome before."""
    left = time_left()
    if left is None:
        return wait
    most = left - min(_MARGIN, left / 10)
    return wait if wait < most else most if most > _SHORTEST else 0.0
