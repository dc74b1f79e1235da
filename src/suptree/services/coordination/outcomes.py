"""What became of a message: every delivery ends in one of these, and the sender is given it.

    Acknowledged   the receiver handled it and answered; `value` is the answer
    Buffered       accepted, and not answered yet: it stands at `position` of the lane
    Rejected       not accepted; nobody will deliver it
    Expired        nobody handled it within its time
    DeadLettered   accepted, and given up: it is in the dead-letter queue

The last two may come after Buffered, for whoever asks again (`CoordinationManager.outcome`).
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

__all__ = [
    "Acknowledged",
    "Broadcast",
    "Buffered",
    "DeadLettered",
    "Expired",
    "Outcome",
    "Receiver",
    "RejectReason",
    "Rejected",
]

from suptree.core import Pid
from suptree.otp import Via

Receiver: TypeAlias = Pid[Any] | str | Via
"""Who is to get a message: a name, which its next process inherits, or one process."""

RejectReason: TypeAlias = Literal[
    "no_process",
    "buffer_full",
    "breaker_open",
    "refused",
    "cycle",
    "too_deep",
    "no_receiver",
    "all_or_nothing",
]
"""Why a message was not accepted.

no_process: nobody lives there, and nobody of that name was ever delivered to.  buffer_full:
the lane holds as many as it may.  breaker_open: the receiver keeps failing, and its lane
does not buffer.  refused: the receiver does not know such a request, or answered with an error.  cycle, too_deep: a
task came back to one who had delegated it, or went down too far.  no_receiver: an empty
group.  all_or_nothing: another receiver of the broadcast could not take it.
"""


class Acknowledged(NamedTuple):
    """The receiver handled the message and answered."""

    id: int
    to: Receiver
    value: Any
    """What it answered."""
    attempts: int
    """How often it was delivered: more than once if the receiver died over it."""


class Buffered(NamedTuple):
    """The message was accepted, and is in the lane of its receiver.

    `position` 0: the receiver has it, and has not answered yet; 1: it is delivered next.
    """

    id: int
    to: Receiver
    position: int
    why: str
    """What it waits for, for people."""


class Rejected(NamedTuple):
    """The message was not accepted."""

    id: int
    to: Receiver
    why: RejectReason
    detail: str
    """The same for people, with what to do."""


class Expired(NamedTuple):
    """The time of the message was over before it was handled.

    With `in_flight` it is in the receiver's mailbox, and may still be handled.
    """

    id: int
    to: Receiver
    in_flight: bool


class DeadLettered(NamedTuple):
    """The message was given up, and is in the dead-letter queue."""

    id: int
    to: Receiver
    reason: object
    """Why the last attempt failed, or 'overflow'."""
    attempts: int


Outcome: TypeAlias = Acknowledged | Buffered | Rejected | Expired | DeadLettered
"""What became of a message."""


class Broadcast(NamedTuple):
    """What became of one message to many receivers."""

    fulfilled: bool
    """Whether the strategy was met: everything was accepted, everybody or somebody acknowledged."""
    outcomes: dict[Receiver, Outcome]
    """For each receiver, in the order given."""
