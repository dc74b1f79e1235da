"""Telemetry declared by the coordination service."""

from __future__ import annotations

from typing import Final

from suptree.telemetry import Event

__all__ = [
    "ACKNOWLEDGED",
    "BREAKER_CHANGED",
    "BUFFERED",
    "CONTEXT_CLOSED",
    "CONTEXT_OPENED",
    "DEAD_LETTERED",
    "DEAD_LETTER_ADDED",
    "DEAD_LETTER_DROPPED",
    "DEAD_LETTER_REDRIVEN",
    "EXPIRED",
    "REJECTED",
    "RETRIED",
]

ACKNOWLEDGED: Final = Event(
    "suptree.coordination.message.acknowledged",
    measurements={
        "duration_s": "seconds from acceptance to the answer",
        "attempts_count": "how often it was delivered",
    },
    metadata={"to": "the receiver", "id": "the id of the message"},
    doc="A receiver has handled a message and answered.",
)
BUFFERED: Final = Event(
    "suptree.coordination.message.buffered",
    measurements={"position_count": "its place in the lane, 1 is next, 0 is with the receiver"},
    metadata={"to": "the receiver", "id": "the id of the message", "why": "what it waits for"},
    doc="A sender was told that its message is accepted and not yet answered.",
)
REJECTED: Final = Event(
    "suptree.coordination.message.rejected",
    measurements={"queue_len": "messages in the lane"},
    metadata={"to": "the receiver", "id": "the id of the message", "why": "a RejectReason"},
    doc="A message was not accepted, or a receiver has answered it with an error.",
)
EXPIRED: Final = Event(
    "suptree.coordination.message.expired",
    measurements={"age_s": "seconds since it was accepted"},
    metadata={
        "to": "the receiver",
        "id": "the id of the message",
        "in_flight": "whether the receiver has it in its mailbox",
    },
    doc="The time of a message was over before it was handled.",
)
DEAD_LETTERED: Final = Event(
    "suptree.coordination.message.dead_lettered",
    measurements={
        "age_s": "seconds since it was accepted",
        "attempts_count": "how often it was delivered",
    },
    metadata={"to": "the receiver", "id": "the id of the message", "reason": "why it was given up"},
    doc="A message was given up after it had been accepted.",
)
RETRIED: Final = Event(
    "suptree.coordination.message.retried",
    measurements={
        "delay_s": "seconds until the next attempt",
        "attempts_count": "how often it was delivered so far",
    },
    metadata={
        "to": "the receiver",
        "id": "the id of the message",
        "reason": "why the attempt failed",
    },
    doc="An attempt has failed, and there will be another one.",
)
BREAKER_CHANGED: Final = Event(
    "suptree.coordination.breaker.changed",
    measurements={"queue_len": "messages in the lane"},
    metadata={
        "to": "the receiver",
        "before": "closed, open or half_open",
        "after": "closed, open or half_open",
        "reason": "why it changed",
    },
    doc="The breaker of a receiver has changed its state.",
)
CONTEXT_OPENED: Final = Event(
    "suptree.coordination.context.opened",
    measurements={"members_count": "how many belong to it"},
    metadata={"context": "its name", "owner": "whose end closes it, or None"},
    doc="A group of receivers was given a name.",
)
CONTEXT_CLOSED: Final = Event(
    "suptree.coordination.context.closed",
    measurements={"members_count": "how many belonged to it"},
    metadata={"context": "its name", "reason": "'closed', or 'owner_ended'"},
    doc="A group of receivers is gone.",
)
DEAD_LETTER_ADDED: Final = Event(
    "suptree.coordination.dead_letter.added",
    measurements={"letters_count": "letters in the queue now"},
    metadata={"to": "whom it was for", "number": "the number of the letter", "reason": "why"},
    doc="The dead-letter queue keeps one letter more.",
)
DEAD_LETTER_REDRIVEN: Final = Event(
    "suptree.coordination.dead_letter.redriven",
    measurements={"age_s": "seconds since it was given up"},
    metadata={"to": "whom it is for", "number": "the number of the letter"},
    doc="A router has taken a letter in again, which leaves the queue.",
)
DEAD_LETTER_DROPPED: Final = Event(
    "suptree.coordination.dead_letter.dropped",
    measurements={"age_s": "seconds since it was given up"},
    metadata={"number": "the number of the letter", "why": "'full' or 'expired'"},
    doc="The dead-letter queue has let a letter go that nobody had asked for.",
)
