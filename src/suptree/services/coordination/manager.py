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

import random
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from suptree.core import Pid, Runtime, Timer, current_process, find_runtime
from suptree.errors import MailboxFullError, SuptreeError
from suptree.otp import GenServer, Reply, Response, ServerRef, call
from suptree.services.coordination import events
from suptree.services.coordination.contexts import Context, ContextInfo, Contexts
from suptree.services.coordination.dead_letters import DeadLetterQueue
from suptree.services.coordination.delegation import Delegation, passed_down, trouble_of
from suptree.services.coordination.errors import UnknownMessageError
from suptree.services.coordination.gathering import Gathering, Strategy
from suptree.services.coordination.lane import Entry, LaneInfo, LanePolicy
from suptree.services.coordination.outcomes import Broadcast, Outcome, Receiver, Rejected
from suptree.services.coordination.router import CoordinationStats, Router, Trouble
from suptree.services.parts.checks import check_count, check_number
from suptree.services.parts.deadlines import NEVER
from suptree.services.parts.later import LATER
from suptree.services.parts.owners import Owners

__all__ = ["CoordinationManager"]

WAIT = 5.0
"""Seconds that a sender waits for the outcome unless it says otherwise."""


class _Tick:
    """To itself: something is due."""

    __slots__ = ()


class _Sweep:
    """To itself: some lanes may have been quiet for long."""

    __slots__ = ()


_TICK, _SWEEP = _Tick(), _Sweep()


class CoordinationManager(GenServer):
    """Routes messages; see the module text.

    Args:
        policy: How a receiver's lane is treated.
        policies: Other policies, by receiver.
        dead_letters: The name of the DeadLetterQueue; None: what is given up is counted only.
        lanes: How many receivers may have a lane at once.
        idle_after: Seconds after which the lane of a receiver that nobody writes to is forgotten.
        history: How many outcomes of buffered messages are kept for `outcome`.

    Raises:
        ValueError: A number is out of bounds.
    """

    def __init__(
        self,
        *,
        policy: LanePolicy | None = None,
        policies: Mapping[Receiver, LanePolicy] | None = None,
        dead_letters: ServerRef[DeadLetterQueue] | None = None,
        lanes: int = 100_000,
        idle_after: float = 60.0,
        history: int = 10_000,
    ) -> None:
        check_count("CoordinationManager", "lanes", lanes)
        check_number("CoordinationManager", "idle_after", idle_after, above=0)
        check_count("CoordinationManager", "history", history, least=0)
        self._runtime: Runtime = find_runtime("CoordinationManager")
        self._dead_letters = dead_letters
        self._idle_after = idle_after
        self._contexts = Contexts()
        self._owners: Owners[tuple[str, Receiver | None]] = Owners()
        self._timer: Timer | None = None
        self._timer_due = NEVER
        self._sweeping = False
        self._sweep_timer: Timer | None = None
        self._router = Router(
            self._runtime,
            policy=policy or LanePolicy(),
            policies=dict(policies or {}),
            lanes_at_most=lanes,
            history=history,
            bury=self._bury,
            chance=random.random,
        )

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
                the sender.  0.0: tell at once whether it is accepted.
            expires: Seconds after which it is given up; default: those of the lane's policy.

        Returns:
            The outcome.

        Raises:
            ValueError: A time is out of bounds.
        """
        if wait != WAIT or expires is not None or to.__class__ is not str:
            try:
                self._check(to, wait, expires)
            except (SuptreeError, ValueError, TypeError) as error:
                return self._refuse(error)
        result = self._router.accept(to, message, self.sender, wait=wait, expires=expires)
        if isinstance(result, Rejected):
            return Reply(result)
        if self._router.deadlines.soonest < self._timer_due or not self._sweeping:
            self._arm()
        return LATER

    @call(timeout=None)
    def outcome(self, id: int, *, wait: float = WAIT) -> Reply[Outcome]:
        """What became of a message that was `Buffered`.

        Args:
            id: Its id.
            wait: Seconds to wait for it; then it is told as `Buffered` again.

        Raises:
            UnknownMessageError: It ended long ago, or never was.
        """
        try:
            ended = self._router.ended.get(id)
            entry = self._router.buffered.get(id)
            check_number("outcome", "wait", wait, least=0)
        except (ValueError, TypeError) as error:
            return self._refuse(error)
        if ended is not None:
            return Reply(ended)
        if entry is None:
            return self._refuse(UnknownMessageError(id))
        self._router.ask(entry, self.sender, wait)
        self._arm()
        return LATER

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
        try:
            if on is not None and not isinstance(on, Delegation):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ValueError(f"delegate: on must be a Delegation or None; got {on!r}.")
            delegation = passed_down(task, self.sender.pid, to, on)
            self._check(to, wait, expires)
            trouble = trouble_of(delegation, self._runtime)
        except (SuptreeError, ValueError, TypeError) as error:
            return self._refuse(error)
        if trouble is not None:
            why, detail = trouble
            return Reply(self._router.reject(to, why, detail))
        result = self._router.accept(to, delegation, self.sender, wait=wait, expires=expires)
        if isinstance(result, Rejected):
            return Reply(result)
        self._arm()
        return LATER

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
        try:
            receivers = self._members(to, wait, expires)
        except (SuptreeError, ValueError, TypeError) as error:
            return self._refuse(error)
        chosen: Receiver = ""
        trouble: Trouble | None = ("no_receiver", "there is nobody to give it to.")
        while receivers and trouble is not None:
            chosen = min(receivers, key=self._router.load)
            receivers.remove(chosen)
            trouble = self._router.obstacle(chosen)
        if trouble is not None:  # one message, so one rejection, however many were asked
            return Reply(self._router.reject(chosen, *trouble))
        result = self._router.accept(
            chosen, task, self.sender, wait=wait, expires=expires, others=tuple(receivers)
        )
        if isinstance(result, Rejected):
            return Reply(result)
        self._arm()
        return LATER

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
            wait, expires: As for `coordinate`, for each of them.

        Returns:
            What became of each, and whether the strategy was fulfilled.
        """
        try:
            receivers = self._members(to, wait, expires)
            _check_strategy(strategy)
        except (SuptreeError, ValueError, TypeError) as error:
            return self._refuse(error)
        if not receivers:
            return Reply(Broadcast(strategy != "at_least_one", {}))
        gathering = Gathering(self._runtime, self.sender, receivers, strategy)
        if strategy == "all_or_nothing" and (refusals := self._obstacles(receivers)):
            gathering.refuse(refusals)
            return LATER
        for receiver in receivers:
            result = self._router.accept(receiver, message, gathering, wait=wait, expires=expires)
            if isinstance(result, Rejected):
                gathering.add(receiver, result)
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

    # -- contexts -----------------------------------------------------------------------------------

    @call
    def open_context(
        self,
        name: str,
        members: Sequence[Receiver] = (),
        *,
        data: object = None,
        owner: Pid[Any] | None = None,
    ) -> Reply[ContextInfo]:
        """Give a group of receivers a name, for `distribute` and `broadcast`.

        A member that is a pid leaves when it ends; one that is a name stays, since it comes back.

        Args:
            name: Unique in this router.
            members: Who belongs to it.
            data: What they share; any value.
            owner: Whose end closes it; default: the caller.

        Raises:
            ContextExistsError: The name is used.
        """
        owner = self.sender.pid if owner is None else owner
        try:
            if owner is not None and not isinstance(owner, Pid):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ValueError(f"open_context: owner must be a pid or None; got {owner!r}.")
            for one in (*members, owner):
                if isinstance(one, Pid):
                    self._runtime.find(one, "open_context")  # raises if it lives elsewhere
            info = self._contexts.open(name, list(members), data, owner)
        except (SuptreeError, ValueError, TypeError) as error:
            return self._refuse(error)
        if owner is not None:
            self._owners.add(owner, (name, None))
        for member in info.members:
            if isinstance(member, Pid):
                self._owners.add(member, (name, member))
        facts = {"context": name, "owner": owner}
        self._runtime.telemetry.emit(
            events.CONTEXT_OPENED, {"members_count": len(info.members)}, facts
        )
        return Reply(info)

    @call
    def close_context(self, name: str) -> Reply[ContextInfo]:
        """Close a context; messages that are on their way stay there.

        Raises:
            ContextNotFoundError: There is none of that name.
        """
        try:
            return Reply(self._close(name, "closed"))
        except (SuptreeError, TypeError) as error:
            return self._refuse(error)

    @call
    def join(self, name: str, member: Receiver) -> Reply[ContextInfo]:
        """Add *member* to a context, unless it belongs to it.

        Raises:
            ContextNotFoundError: There is none of that name.
        """
        try:
            if isinstance(member, Pid):
                self._runtime.find(member, "join")  # raises if it lives elsewhere
            info = self._contexts.change(name, join=member)
        except (SuptreeError, TypeError) as error:
            return self._refuse(error)
        if isinstance(member, Pid):
            self._owners.add(member, (name, member))
        return Reply(info)

    @call
    def leave(self, name: str, member: Receiver) -> Reply[ContextInfo]:
        """Take *member* out of a context, if it belongs to it.

        Raises:
            ContextNotFoundError: There is none of that name.
        """
        try:
            info = self._contexts.change(name, leave=member)
        except (SuptreeError, TypeError) as error:
            return self._refuse(error)
        if isinstance(member, Pid):
            self._owners.discard(member, (name, member))
        return Reply(info)

    @call
    def context(self, name: str) -> Reply[ContextInfo]:
        """One context.

        Raises:
            ContextNotFoundError: There is none of that name.
        """
        try:
            return Reply(self._contexts.get(name))
        except (SuptreeError, TypeError) as error:
            return self._refuse(error)

    @call
    def contexts(self) -> list[ContextInfo]:
        """Every context, the oldest first."""
        return self._contexts.all()

    # -- looking ----------------------------------------------------------------------------------------

    @call
    def lanes(self) -> list[LaneInfo]:
        """Every lane: what waits for whom, and how the receiver does."""
        return self._router.look(self._runtime.now())

    @call
    def stats(self) -> CoordinationStats:
        """What it has done since it was started."""
        return self._router.count(len(self._contexts))

    # -- dead letters -----------------------------------------------------------------------------------

    @staticmethod
    async def redeliver(
        router: ServerRef[CoordinationManager],
        dead_letters: ServerRef[DeadLetterQueue],
        numbers: Collection[int] | None = None,
    ) -> dict[int, Outcome]:
        """Send dead letters again, all or those of *numbers*, in their order.

        What *router* takes leaves the queue; the rest stays.  Runs in the caller.

        Returns:
            For each letter, what *router* said at once.
        """
        process = current_process()
        borrower = None if process is None else process.pid
        loan = object()
        lent = False
        try:
            letters = await DeadLetterQueue.lend(dead_letters, numbers, loan)
            lent = True
        finally:
            if not lent:  # cancelled, maybe with the answer under way
                DeadLetterQueue.withdraw(dead_letters, loan, borrower)
        left = {letter.number: letter for letter in letters}
        outcomes: dict[int, Outcome] = {}
        try:
            for letter in letters:
                said = await CoordinationManager.coordinate(
                    router, letter.to, letter.message, wait=0.0
                )
                outcomes[letter.number] = said
                if not isinstance(said, Rejected):
                    DeadLetterQueue.taken(dead_letters, left.pop(letter.number), borrower)
        finally:
            if left:
                DeadLetterQueue.returned(dead_letters, list(left.values()), borrower)
        return outcomes

    def _bury(self, entry: Entry, reason: object) -> None:
        queue = self._dead_letters
        if queue is None or self._runtime.find(queue, "dead_letters") is None:
            self._router.stats.letters_lost += 1
            return
        try:
            DeadLetterQueue.add(
                queue, entry.lane.to, entry.message, reason, entry.attempts, entry.id
            )
        except MailboxFullError:
            self._router.stats.letters_lost += 1

    # -- what comes by itself ---------------------------------------------------------------------------

    def handle_info(self, message: object) -> None:
        """An answer, a moment, or the end of a process that something hangs on."""
        if isinstance(message, Response):
            self._router.answered(message)
            if self._router.deadlines.soonest < self._timer_due:
                self._arm()
            return
        if message is _TICK:
            # What the timer was started for is due, however the difference was rounded.
            now = max(self._runtime.now(), self._timer_due)
            self._timer, self._timer_due = None, NEVER
            self._router.tick(now)
        elif message is _SWEEP:
            self._sweeping = False
            self._router.sweep(self._runtime.now(), self._idle_after)
        else:
            for name, member in self._owners.gone(message):
                self._left(name, member)
            return
        self._arm()

    def _left(self, name: str, member: Receiver | None) -> None:
        if name not in self._contexts:
            return
        if member is None:
            self._close(name, "owner_ended")
        else:
            self._contexts.change(name, leave=member)

    def _close(self, name: str, reason: str) -> ContextInfo:
        info = self._contexts.close(name)
        if info.owner is not None:
            self._owners.discard(info.owner, (name, None))
        for member in info.members:
            if isinstance(member, Pid):
                self._owners.discard(member, (name, member))
        facts = {"context": name, "reason": reason}
        self._runtime.telemetry.emit(
            events.CONTEXT_CLOSED, {"members_count": len(info.members)}, facts
        )
        return info

    def _arm(self) -> None:
        """One timer, for whatever is due first."""
        deadlines = self._router.deadlines
        if deadlines.soonest < self._timer_due and (due := deadlines.next_due()) < self._timer_due:
            if self._timer is not None:
                self.cancel_timer(self._timer)
            self._timer_due = due
            self._timer = self.send_after(max(0.0, due - self._runtime.now()), _TICK)
        if self._router.lanes and not self._sweeping:
            self._sweeping = True
            self._sweep_timer = self.send_after(self._idle_after, _SWEEP)

    # -- other settings -------------------------------------------------------------------------

    @staticmethod
    async def reconfigure(
        router: ServerRef[CoordinationManager],
        *,
        policy: LanePolicy | None = None,
        lanes: int | None = None,
        idle_after: float | None = None,
        history: int | None = None,
    ) -> None:
        """Go by other settings from now on; what is not given stays as it is.

        No message is lost for that: where a bound gets smaller it holds for what comes.  The
        message that a receiver has keeps its `ack_timeout`, and each message its `expires`.

        Args:
            policy: For the lanes of all receivers that have none of their own.
            lanes, idle_after, history: As for the class.

        Raises:
            ValueError: One of them is out of bounds; nothing was changed.
        """
        who = "CoordinationManager.reconfigure"
        given: object = policy
        if given is not None and not isinstance(given, LanePolicy):
            raise ValueError(f"{who}: policy must be a LanePolicy; got {given!r}.")
        check_count(who, "lanes", lanes, optional=True)
        check_number(who, "idle_after", idle_after, above=0, optional=True)
        check_count(who, "history", history, least=0, optional=True)
        await CoordinationManager._reconfigure(router, policy, lanes, idle_after, history)

    @call
    def _reconfigure(
        self,
        policy: LanePolicy | None,
        lanes: int | None,
        idle_after: float | None,
        history: int | None,
    ) -> None:
        self._router.reconfigure(policy, lanes, history)
        if idle_after is not None and idle_after != self._idle_after:
            self._idle_after = idle_after
            if self._sweeping and self._sweep_timer is not None:
                self.cancel_timer(self._sweep_timer)
                self._sweeping = False
        self._arm()

    # -- checks ---------------------------------------------------------------------------------------------

    def _check(self, to: Receiver, wait: float, expires: float | None) -> None:
        if wait != WAIT:
            check_number("CoordinationManager", "wait", wait, least=0)
        if expires is not None:
            check_number("CoordinationManager", "expires", expires, above=0)
        if to not in self._router.lanes:
            self._runtime.find(to, "coordinate")  # raises if that is no receiver at all

    def _members(
        self, to: Sequence[Receiver] | Context, wait: float, expires: float | None
    ) -> list[Receiver]:
        if isinstance(to, Context):
            members: Sequence[Receiver] = self._contexts.get(to.name).members
        elif isinstance(to, str):
            raise ValueError(
                f"CoordinationManager: to must be a list of receivers, or a Context; got {to!r}. "
                f"Write [{to!r}] or Context({to!r})."
            )
        else:
            members = to
        for one in members:
            self._check(one, wait, expires)
        return list(dict.fromkeys(members))

    def _refuse(self, error: Exception) -> Reply[Any]:
        """Raise *error* in the caller; this server goes on."""
        self.sender.fail(error)
        return LATER


def _check_strategy(strategy: str) -> None:
    known = ("best_effort", "all_or_nothing", "at_least_one")
    if strategy not in known:
        raise ValueError(
            f"broadcast: strategy must be {', '.join(map(repr, known[:-1]))} or {known[-1]!r}; "
            f"got {strategy!r}."
        )
