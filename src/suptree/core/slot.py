"""Slots: one-shot answers that a task or a supervisor can await.

A slot speaks the future protocol that `asyncio.Task` checks for, but whoever fills
it does not go through the event loop: the waiter is put on the run queue, which
resumes it within the same turn (law 1: only the run loop, at depth 0, steps a
waiter).  A slot has at most one waiter and is filled at most once; later fills are
dropped, which is how a late reply disappears.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Generator
from contextvars import Context
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from suptree.errors import InternalError

if TYPE_CHECKING:
    from suptree.core.pid import Pid
    from suptree.core.process import Process
    from suptree.core.runqueue import RunQueue

__all__ = ["ReplyTo", "Slot", "SlotExpiredError", "Unanswered"]


class SlotState(enum.IntEnum):
    """A slot leaves PENDING once and never comes back."""

    PENDING = 0
    DONE = 1
    FAILED = 2
    EXPIRED = 3
    CANCELLED = 4


PENDING: Final = SlotState.PENDING
DONE: Final = SlotState.DONE
FAILED: Final = SlotState.FAILED
EXPIRED: Final = SlotState.EXPIRED
CANCELLED: Final = SlotState.CANCELLED


class SlotExpiredError(Exception):
    """The deadline of the slot passed; the one who awaits turns it into a speaking error."""


class Slot:
    """A place for one answer."""

    __slots__ = (
        "_asyncio_future_blocking",
        "_callback",
        "_context",
        "_loop",
        "runqueue",
        "state",
        "value",
    )

    def __init__(self, runqueue: RunQueue) -> None:
        self.runqueue = runqueue
        self.state = PENDING
        self.value: Any = None
        self._loop = runqueue.loop
        self._callback: Callable[[Any], object] | None = None
        self._context: Context | None = None
        self._asyncio_future_blocking = False

    # -- filling ------------------------------------------------------------

    def set(self, value: object) -> bool:
        """Fill the slot with a value; False if it was filled, expired or cancelled before."""
        if self.state is not PENDING:
            return False
        self.state = DONE
        self.value = value
        if self._callback is not None:
            queue = self.runqueue
            queue.resuming.append(self)
            if not queue.scheduled:
                queue.schedule()
        return True

    def fail(self, error: BaseException) -> bool:
        """Fill the slot with an error that is raised in the waiter; False as for `set`."""
        return self._end(FAILED, error)

    def expire(self) -> bool:
        """Say that the deadline has passed; False as for `set`."""
        return self._end(EXPIRED, None)

    def cancel(self, msg: object = None) -> bool:
        """Called by `Task.cancel(msg)` of the waiter, which nobody wants the answer any more."""
        return self._end(CANCELLED, msg)

    def _end(self, state: SlotState, value: object) -> bool:
        if self.state is not PENDING:
            return False
        self.state = state
        self.value = value
        if self._callback is not None:
            self.runqueue.resume_later(self)
        return True

    # -- waiting: the future protocol of asyncio ------------------------------

    def __await__(self) -> Generator[Slot, None, Any]:
        if self.state is PENDING:
            self._asyncio_future_blocking = True
            yield self
        if self.state is DONE:
            return self.value
        if self.state is FAILED:
            error, self.value = self.value, None  # or its frames would hold it, through this slot
            try:
                raise error
            finally:
                del error
        return self.outcome()

    result: ClassVar = bool
    """What asyncio calls before it steps the waiter, which takes its answer in `__await__`."""

    def outcome(self) -> Any:
        """Return the value, or raise what the slot was failed with."""
        state = self.state
        if state is DONE:
            return self.value
        if state is FAILED:
            raise self.value
        if state is EXPIRED:
            raise SlotExpiredError
        if state is CANCELLED:  # with its message, by which anyio knows its own
            raise asyncio.CancelledError(*(() if self.value is None else (self.value,)))
        raise InternalError("a slot was read before it was filled")

    def done(self) -> bool:
        """Say whether the slot was filled, has expired or was cancelled."""
        return self.state is not PENDING

    def is_failed(self) -> bool:
        """Say whether it was filled with an error, which `value` is."""
        return self.state is FAILED

    def is_answered(self) -> bool:
        """Say whether it was filled by who had to, with a value or an error."""
        return self.state is DONE or self.state is FAILED

    def add_done_callback(
        self, callback: Callable[[Any], object], *, context: Context | None = None
    ) -> None:
        """Make *callback* the waiter: the run loop calls it in *context* when the slot is filled."""
        if self._callback is not None:
            raise InternalError("a slot has one waiter; wait on several slots with a RequestSet")
        self._callback = callback
        self._context = context
        if self.state is not PENDING:
            self.runqueue.resume_later(self)

    def remove_done_callback(self, callback: Callable[[Any], object]) -> int:
        """Forget the waiter; returns how many were removed, as asyncio's futures do."""
        if self._callback is None:
            return 0
        self._callback = None
        self._context = None
        return 1

    def __reduce__(self) -> NoReturn:
        raise TypeError("a pending answer cannot be pickled")


class ReplyTo(Slot):
    """Where the reply to one call goes (OTP: `From`); give it to `reply(sender, value)`.

    Attributes:
        callee: The process that owes the answer; its death fails the slot.
        caller: The process that waits, or None for code outside every process.
    """

    __slots__ = ("callee", "caller", "limit")

    limit: float
    """Seconds that it may take, for who stands in `RunQueue.unanswered`."""

    def __init__(self, runqueue: RunQueue, callee: Process, caller: Process | None) -> None:
        self.runqueue = runqueue
        self.state = PENDING
        self.value = None
        self._loop = runqueue.loop
        self._callback = None
        self._context = None
        self._asyncio_future_blocking = False
        self.callee = callee
        self.caller = caller

    def cancel(self, msg: object = None) -> bool:
        """The caller was cancelled: the callee owes nothing any more."""
        pending = self.callee.pending
        if pending is not None:
            pending.discard(self)
        return self._end(CANCELLED, msg)

    @property
    def pid(self) -> Pid[Any] | None:
        """The caller's pid, or None for code outside every process."""
        return None if self.caller is None else self.caller.pid

    def __repr__(self) -> str:
        return f"<ReplyTo {self.pid} from {self.callee.pid} {self.state.name.lower()}>"


class Unanswered(tuple[ReplyTo]):
    """What a direct call has instead of a reply: the handler suspends, or it raised.

    Whatever it comes to fills the slot: the answer, the error in its place, or the end of the process.
    """

    __slots__ = ()
