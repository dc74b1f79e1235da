"""A mailbox: one lane, in order of arrival, with a bound for user messages only.

Exits, downs, timers and system requests are never dropped.  A bounded mailbox
declares what happens to the message that is too many:

    'drop_new'   the new message is dropped and counted
    'drop_old'   the oldest user message is dropped and counted; a call so dropped is answered
    'reject'     the sender gets MailboxFullError

Whatever the policy, `await send_wait(...)` waits for a place; under 'reject' a call
does too.  Places are kept for those who wait in the order in which they asked, so
nobody overtakes them.  (Waiting in `send` itself would need an await, and OTP's send
never blocks.)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal, NoReturn

from suptree.core.crashes import safe_repr
from suptree.core.messages import INFO, Envelope
from suptree.core.slot import Slot
from suptree.errors import BadArgumentError, InternalError

__all__ = ["NO_MAIL", "Mailbox", "MailboxBound", "OverflowPolicy"]

OverflowPolicy = Literal["drop_new", "drop_old", "reject"]


@dataclass(frozen=True, slots=True)
class MailboxBound:
    """How many user messages may wait, and what becomes of one too many.

    Args:
        limit: At least 1.
        overflow: See the module text; default 'reject', so that no loss is silent.
    """

    limit: int
    overflow: OverflowPolicy = "reject"

    def __post_init__(self) -> None:
        if not isinstance(self.limit, int) or isinstance(self.limit, bool) or self.limit < 1:
            raise ValueError(
                f"MailboxBound: limit must be an int of at least 1; got {self.limit!r}."
            )
        if self.overflow not in ("drop_new", "drop_old", "reject"):
            raise ValueError(
                "MailboxBound: overflow must be 'drop_new', 'drop_old' or 'reject'; "
                f"got {self.overflow!r}."
            )


class Mailbox(deque[Envelope]):
    """The lane: a deque with selective take."""

    __slots__ = ()

    def take(self, wanted: Callable[[Envelope], bool]) -> Envelope | None:
        """Remove and return the first envelope that is wanted, leaving the order of the rest."""
        for index, envelope in enumerate(self):
            if wanted(envelope):
                del self[index]
                return envelope
        return None

    def take_all(self, wanted: Callable[[Envelope], bool]) -> list[Envelope]:
        """Remove and return every envelope that is wanted, leaving the order of the rest."""
        taken: list[Envelope] = []
        kept: list[Envelope] = []
        for envelope in self:
            (taken if wanted(envelope) else kept).append(envelope)
        if taken:
            self.clear()
            self.extend(kept)
        return taken

    def count_user(self) -> int:
        """Count the messages that the bound counts."""
        return sum(1 for envelope in self if is_user(envelope))


class _NoMail(Mailbox):
    """The mailbox of every process that has never had a message: empty, and it stays so."""

    __slots__ = ()

    def append(self, envelope: Envelope, /) -> NoReturn:
        """Refused: `Process.own_mailbox` makes one."""
        raise InternalError("a message was put into the mailbox of all who have none")

    appendleft = append


NO_MAIL: Final = _NoMail()
"""Stands for a mailbox that nobody has needed yet: a deque is a third of an idle process."""


def is_user(envelope: Envelope) -> bool:
    """Say whether the bound counts this envelope: calls, casts and plain messages."""
    return bool(envelope[0] <= INFO)  # CALL, CAST, INFO: the first three


class BoundedState:
    """What a bounded mailbox needs to know beside the lane; None for an unbounded one.

    Invariant: `users` counts the user messages in the lane and the places kept for
    senders that were woken and have not delivered yet; those come first.
    """

    __slots__ = ("bound", "dropped", "users", "waiting")

    def __init__(self, bound: MailboxBound) -> None:
        if not isinstance(bound, MailboxBound):
            raise BadArgumentError("mailbox", "bound", "a MailboxBound", safe_repr(bound, 200))
        self.bound = bound
        self.users = 0
        self.dropped = 0
        self.waiting: deque[Slot] = deque()

    def took(self, envelope: Envelope) -> None:
        """Note that an envelope left the lane, and keep its place for who waits longest."""
        if is_user(envelope):
            self.release()

    def forget(self, place: Slot) -> None:
        """Whoever waited for *place* does not any more."""
        with suppress(ValueError):  # passed over by `release` already
            self.waiting.remove(place)

    def release(self) -> None:
        """A place is free again."""
        self.users -= 1
        while self.waiting and self.users < self.bound.limit:
            if self.waiting.popleft().set(None):
                self.users += 1
