"""`CoordinationManager`: messages between agents, each with an outcome that its sender sees.

The place of raw sends, and of calls to somebody who may be slow, down, or on its way up
again.  A message is handed to its receiver's `handle_call`, and what that answers is the
acknowledgement.  Each receiver has a lane: its messages are in order, wait for it while it
restarts under the same name, and hold up nobody else's.  The manager is a control plane:
it never waits and never runs its users' code.

    coordinate   one message to one receiver
    distribute   to the least loaded of several; another one gets it if that one dies over it
    delegate     down a hierarchy, which remembers the way
    broadcast    to many, with a strategy
    contexts     groups under names

With a store, messages, groups and breakers outlive it, and its successor goes on with them.

Refused: unknown receivers, more than a lane holds, tasks that go in circles.

>>> import asyncio, suptree as st
>>> from suptree.services import CoordinationManager
>>> class Adder(st.GenServer):
...     def handle_call(self, request: tuple[int, int], sender: st.ReplyTo) -> int:
...         return sum(request)
>>> async def main():
...     async with st.Runtime():
...         await st.child(CoordinationManager).with_(name="router").start_link()
...         await st.child(Adder).with_(name="adder").start_link()
...         return await CoordinationManager.coordinate("router", "adder", (1, 2))
>>> asyncio.run(main()).value
3
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from suptree.otp import Reply, Response, call
from suptree.services.coordination.asked import (
    check_class,
    number_asked,
    receiver_asked,
    receivers_asked,
)
from suptree.services.coordination.contexts import Context
from suptree.services.coordination.custody import Custody, claim
from suptree.services.coordination.delegation import Delegation, passed_down, trouble_of
from suptree.services.coordination.endings import Trouble
from suptree.services.coordination.errors import UnknownMessageError
from suptree.services.coordination.gathering import Gathering, Strategy
from suptree.services.coordination.lane import Lane, LaneInfo
from suptree.services.coordination.outcomes import Broadcast, Outcome, Receiver, Rejected
from suptree.services.coordination.redriving import REDRIVE, Redriving
from suptree.services.coordination.server import SWEEP, TICK, WAIT
from suptree.services.coordination.stats import CoordinationStats
from suptree.services.parts.checks import check_word
from suptree.services.parts.later import LATER

__all__ = ["CoordinationManager"]


class CoordinationManager(Redriving):
    """Routes messages; see the module text.

    Args:
        policy: How a receiver's lane is treated.
        policies: Other policies, by receiver.
        dead_letters: The name of the DeadLetterQueue; None: what is given up is counted only.
        redrive: When dead letters are sent again without anybody asking; None: never.
        store: Where messages outlive the router; it must keep references, as `MemoryStore` does.
            None: nowhere.
        space: Its space in the store; two routers need two.
        max_lanes: How many receivers may have a lane at once.
        max_contexts: How many groups there may be.
        idle_after: Seconds after which the lane of a receiver that nobody writes to is forgotten.
        history: How many outcomes of buffered messages are kept for `outcome`.

    Raises:
        ValueError: A number is out of bounds, or a value none of its kind.
        CustodyError: A living router has that space.
    """

    async def init(self) -> None:
        """Go on with what the router before this one left in the store."""
        custody = await claim("CoordinationManager", self._store, self._space, Custody, self.pid)
        process = self._runtime.find(self.pid)
        assert process is not None  # it is this one
        self._contexts.take_over(custody.contexts)
        for context in self._contexts.all():
            self._watch(context)
        self._router.take_over(custody, process, self._runtime.now())
        self._wait_for_round()
        self._arm()

    # -- one receiver --------------------------------------------------------------------------

    @call(timeout=None)
    def coordinate(
        self, to: Receiver, message: object, *, wait: float = WAIT, expires: float | None = None
    ) -> Reply[Outcome]:
        """Deliver *message* to *to*, and say what became of it.

        Args:
            to: A name, a `via`, or a pid.  A name is worth waiting for when it restarts.
            message: The request that its `handle_call` gets.
            wait: Seconds to wait for an outcome; then it is `Buffered`, and goes on without
                the sender.  0.0: tell at once whether it is accepted, so `Buffered` or
                `Rejected`; `outcome` tells later whether it was `Acknowledged`.
            expires: Seconds after which it is given up; default: those of the lane's policy.

        Returns:
            The outcome.

        Raises:
            ValueError: A time is out of bounds.
        """
        router = self._router
        if (
            wait is not WAIT
            or expires is not None
            or type(to) is not str
            or self._runtime.propagator is not None
        ):
            to = receiver_asked(self._runtime, "coordinate", to)
            wait, expires = self._times("coordinate", wait, expires)
        told = router.accept(to, message, self.sender, wait=wait, expires=expires)
        if router.deadlines.soonest < self._timer_due or not self._sweeping:
            self._arm()
        return LATER if told is None else Reply(told)

    @call(timeout=None)
    def outcome(self, id: int, *, wait: float = WAIT) -> Reply[Outcome]:
        """What became of a message that was `Buffered`.

        Args:
            id: Its id.
            wait: Seconds to wait for it; then it is told as `Buffered` again.

        Raises:
            UnknownMessageError: It ended long ago, or never was.
        """
        id = number_asked("outcome", "id", id)
        wait, _ = self._times("outcome", wait, None)
        ended = self._router.ended.get(id)
        if ended is not None:
            return Reply(ended)
        entry = self._router.buffered.get(id)
        if entry is None:
            raise UnknownMessageError(id)
        return self._told(self._router.ask(entry, self.sender, wait))

    @call(timeout=None)
    def delegate(
        self,
        to: Receiver,
        task: object,
        *,
        on: Delegation | None = None,
        wait: float = WAIT,
        expires: float | None = None,
    ) -> Reply[Outcome]:
        """Hand *task* down: *to* gets a `Delegation`, which knows everybody who had it.

        Args:
            on: The delegation that this one passes on.
            to, wait, expires: As for `coordinate`.

        Returns:
            The outcome; `Rejected` as 'cycle' or 'too_deep' if it goes in circles.
        """
        who = "delegate"
        to = receiver_asked(self._runtime, who, to)
        wait, expires = self._times(who, wait, expires)
        if on is not None:
            check_class(who, "on", on, Delegation, "on=task, the delegation that came")
            check_class(who, "on.path", on.path, tuple, "on=task, the delegation that came")
            way = [one for one in on.path if one is not None]
            receivers_asked(self._runtime, who, way, "on.path")
        delegation = passed_down(task, self.sender.pid, to, on)
        trouble = trouble_of(delegation, self._runtime)
        if trouble is not None:
            why, detail = trouble
            return Reply(self._router.reject(to, why, detail))
        return self._told(
            self._router.accept(to, delegation, self.sender, wait=wait, expires=expires)
        )

    # -- several receivers ------------------------------------------------------------------------

    @call(timeout=None)
    def distribute(
        self,
        to: Sequence[Receiver] | Context,
        task: object,
        *,
        wait: float = WAIT,
        expires: float | None = None,
    ) -> Reply[Outcome]:
        """Give *task* to the one of several that has the fewest messages waiting.

        If that one dies over it, or is not there, another one gets it.

        Args:
            to: Receivers, or a context.
            task: The request.
            wait, expires: As for `coordinate`.

        Returns:
            The outcome, which says in `to` who got it.
        """
        wait, expires = self._times("distribute", wait, expires)
        receivers = self._members("distribute", to)
        chosen: Receiver = ""
        trouble: Trouble | None = ("no_receiver", "there is nobody to give it to.")
        while receivers and trouble is not None:
            chosen = min(receivers, key=self._router.load)
            receivers.remove(chosen)
            trouble = self._router.obstacle(chosen)
        if trouble is not None:  # one message, so one rejection, however many were asked
            return Reply(self._router.reject(chosen, *trouble))
        return self._told(
            self._router.accept(
                chosen, task, self.sender, wait=wait, expires=expires, others=tuple(receivers)
            )
        )

    @call(timeout=None)
    def broadcast(
        self,
        to: Sequence[Receiver] | Context,
        message: object,
        *,
        strategy: Strategy = "best_effort",
        wait: float = WAIT,
        expires: float | None = None,
    ) -> Reply[Broadcast]:
        """Deliver *message* to all of several.

        Args:
            to: Receivers, or a context; one that is named twice gets it once.
            message: The request.
            strategy: When it is fulfilled; see `Strategy`.
            wait, expires: As for `coordinate`, for each of them.  Who waits for nothing hears
                of no acknowledgement, so only 'best_effort' is fulfilled then.

        Returns:
            What became of each, and whether the strategy was fulfilled.
        """
        wait, expires = self._times("broadcast", wait, expires)
        check_word("broadcast", "strategy", strategy, get_args(Strategy))
        receivers = self._members("broadcast", to)
        if not receivers:
            return Reply(Broadcast(strategy != "at_least_one", {}))
        gathering = Gathering(self._runtime, self.sender, receivers, strategy)
        if strategy == "all_or_nothing" and (refusals := self._obstacles(receivers)):
            gathering.refuse(refusals)
            return LATER
        for receiver in receivers:
            told = self._router.accept(receiver, message, gathering, wait=wait, expires=expires)
            if told is not None:
                gathering.add(receiver, told)
        self._arm()
        return LATER

    def _obstacles(self, receivers: list[Receiver]) -> dict[Receiver, Rejected]:
        """If one of them cannot take a message, why none of them gets it."""
        found = {to: self._router.obstacle(to) for to in receivers}
        if not any(found.values()):
            if not self._router.lacks_lanes(receivers):
                return {}
            found = dict.fromkeys(receivers, self._router.too_many_lanes())
        other: Trouble = (
            "all_or_nothing",
            "another receiver cannot take it, and it is for all or nobody.",
        )
        return {to: self._router.reject(to, *(trouble or other)) for to, trouble in found.items()}

    def _told(self, outcome: Outcome | None) -> Reply[Outcome]:
        """What a sender gets now, or later."""
        self._arm()
        return LATER if outcome is None else Reply(outcome)

    # -- looking ----------------------------------------------------------------------------------------

    @call
    def lanes(self) -> list[LaneInfo]:
        """Every lane: what waits for whom, and how the receiver does."""
        return self._router.look(self._runtime.now())

    @call
    def stats(self) -> CoordinationStats:
        """What it has done since it was started."""
        return self._router.count(len(self._contexts))

    # -- what comes by itself ---------------------------------------------------------------------------

    def handle_info(self, message: object) -> None:
        """An answer, a moment, or the end of a process that something hangs on."""
        if type(message) is Response:
            if message.tag.__class__ is Lane:
                self._router.answered(message)
            else:
                self._lent(message)
            if self._router.deadlines.soonest < self._timer_due:
                self._arm()
            return
        if message is TICK:
            self._router.tick(self._due())
        elif message is SWEEP:
            self._sweeping = False
            self._router.sweep(self._runtime.now(), self._idle_after)
        elif message is REDRIVE:
            self._begin_round()
        else:
            self._gone(message)
            return
        self._arm()
