"""The run queue of one runtime: ready processes, and waiters whose answer has come.

One callback of the event loop drains it.  Nothing per message goes through the
loop.  Two quotas keep it fair: messages per process per turn, and messages per turn
of the loop, after which the selector has its say.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final

from suptree.core.slot import PENDING, ReplyTo, Slot

if TYPE_CHECKING:
    from suptree.core.process import Process

__all__ = ["RunQueue"]

MESSAGES_PER_TURN: Final = 64
MESSAGES_PER_LOOP_TURN: Final = 256
DIRECT_CALLS_PER_LOOP_TURN: Final = 256


class _Shuffled(deque[Any]):
    """A ready queue that gives out a random item: every order that nobody promised is tried."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._rng = rng

    def popleft(self) -> Any:
        self.rotate(-self._rng.randrange(len(self)))
        return super().popleft()


class RunQueue:
    """Who runs next.

    Attributes:
        unanswered: The replies that have a `limit`; those that are still empty at the end
            of the turn get a deadline, most are not.
        direct_budget: How many direct calls may still be made in this turn of the
            loop; 0 while the direct call is off.  At 0 a call queues, which suspends
            the caller, so that a chain of direct calls cannot starve the loop.
        nested: How many async handlers of direct calls are on the stack.
    """

    __slots__ = (
        "_direct",
        "_given_way",
        "_random",
        "_turn_over",
        "_turning",
        "context",
        "direct_budget",
        "expire_after",
        "loop",
        "nested",
        "ready",
        "resuming",
        "scheduled",
        "unanswered",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        direct_call: bool,
        rng: random.Random | None = None,
        random_direct: bool = False,
    ) -> None:
        self.loop = loop
        self.ready: deque[Process] = deque() if rng is None else _Shuffled(rng)
        self.resuming: deque[Slot] = deque()
        self.scheduled = False
        self.context = Context()  # nobody's: what a turn runs enters the context of its process
        self._direct = direct_call
        self._random = rng if random_direct else None
        self.unanswered: list[ReplyTo] = []
        self.expire_after: Callable[[Slot, float], None] = lambda slot, timeout: (
            None
        )  # the ticker's
        self.direct_budget = 0
        self.nested = 0
        self._turn_over = False
        self._turning = False
        self._given_way: deque[tuple[Callable[[], object], Context]] = deque()
        self.refill()

    def refill(self) -> None:
        """Allow direct calls again; with a random mode, a few at a time."""
        if self._random is not None:
            self.direct_budget = self._random.randrange(4)
        else:
            self.direct_budget = DIRECT_CALLS_PER_LOOP_TURN if self._direct else 0

    def end_turn(self) -> None:
        """Somebody has worked for long: let the event loop have its say after this step."""
        self._turn_over = True

    def make_ready(self, process: Process) -> None:
        """Put *process* at the end of the queue."""
        self.ready.append(process)
        if not self.scheduled:
            self.schedule()

    def resume_later(self, slot: Slot) -> None:
        """Have the waiter of *slot* stepped by the run loop."""
        self.resuming.append(slot)
        if not self.scheduled:
            self.schedule()

    def give_way(self, resume: Callable[[], object], context: Context) -> None:
        """Have *resume* called in *context* in the next turn of the event loop (`asyncio.sleep(0)`)."""
        if self._turning:  # what was asked of the loop in this turn comes before the next one
            self._given_way.append((resume, context))
        else:
            self.loop.call_soon(resume, context=context)

    def schedule(self) -> None:
        """Ask the event loop for a turn."""
        self.loop.call_soon(self.drain, context=self.context)
        self.scheduled = True  # only now: call_soon fails at the end of a deep stack

    def wake(self) -> None:
        """Ask for a turn if there is something to do and nobody has asked.

        Whoever put it there stood at the end of its stack and had no room left to ask.
        """
        if not self.scheduled and not self.idle():
            self.schedule()

    def idle(self) -> bool:
        """Whether nothing is ready and nobody is to be resumed."""
        return not self.ready and not self.resuming

    def drain(self) -> None:
        """The turn that `schedule` asked the loop for."""
        self._turn(another_follows=False, given_way=len(self._given_way))

    def drain_first(self) -> None:
        """A turn for whom something else must not overtake; one that was asked for still comes."""
        if not self.idle():
            self._turn(another_follows=self.scheduled, given_way=0)

    def _turn(self, *, another_follows: bool, given_way: int) -> None:
        """Resume those who gave way in the last turn; then waiters and processes, in turn,
        until there are none or the quota is used up.
        """
        self.scheduled = self._turning = (
            True  # who becomes ready meanwhile needs no turn of its own
        )
        self.refill()
        ready = self.ready
        resuming = self.resuming
        budget = MESSAGES_PER_LOOP_TURN
        try:
            for _ in range(given_way):
                resume, context = self._given_way.popleft()
                context.run(resume)
            while budget > 0 and not self._turn_over:
                if resuming:
                    budget -= 1
                    slot = resuming.popleft()
                    callback = slot._callback
                    if callback is not None:  # the waiter may have gone away meanwhile
                        slot._callback = None
                        if slot._context is not None:
                            slot._context.run(callback, slot)
                        else:
                            callback(slot)
                if ready:
                    process = ready.popleft()
                    quota = MESSAGES_PER_TURN if budget > MESSAGES_PER_TURN else budget or 1
                    budget -= process.context.run(process.body.run, quota)
                elif not resuming:
                    break
                if self.direct_budget == 0 and self._direct:
                    self._direct_used_up()
        finally:  # a step may raise SystemExit or KeyboardInterrupt of the host's own task
            self._turn_over = self._turning = False
            self.scheduled = another_follows
            if (ready or resuming or self._given_way) and not another_follows:
                self.schedule()
            if self.unanswered:
                self._set_deadlines()

    def _direct_used_up(self) -> None:
        """Let the loop have its say; or, in random mode, throw the dice for the next calls."""
        if self._random is not None:
            self.refill()
        else:
            self._turn_over = True

    def _set_deadlines(self) -> None:
        unanswered, self.unanswered = self.unanswered, []
        for reply_to in unanswered:
            if reply_to.state is PENDING:
                self.expire_after(reply_to, reply_to.limit)
