"""Telemetry declared by the resource manager."""

from __future__ import annotations

from typing import Final

from suptree.telemetry import Event

__all__ = [
    "ALERT_CLEARED",
    "ALERT_RAISED",
    "BACKPRESSURE_CHANGED",
    "READING_FAILED",
    "RESOURCE_ACQUIRED",
    "RESOURCE_DENIED",
    "RESOURCE_EXPIRED",
    "RESOURCE_RELEASED",
]

RESOURCE_ACQUIRED: Final = Event(
    "suptree.resource.acquired",
    measurements={
        "amount_count": "how much",
        "in_use_count": "how much of the type is in use now",
        "wait_s": "seconds that it was waited for",
    },
    metadata={"type": "what", "owner": "the pid with which it ends, or None"},
    doc="A token was given.",
)
RESOURCE_DENIED: Final = Event(
    "suptree.resource.denied",
    measurements={"amount_count": "how much", "wait_s": "seconds that it was waited for"},
    metadata={
        "type": "what",
        "owner": "who was to have it, or None",
        "reason": "limit, budget, pressure, queue, waiting_full, too_large, unknown or timeout",
    },
    doc="A token was refused.",
)
RESOURCE_RELEASED: Final = Event(
    "suptree.resource.released",
    measurements={
        "amount_count": "how much",
        "in_use_count": "how much of the type is in use now",
        "held_s": "seconds that it was held",
    },
    metadata={
        "type": "what",
        "owner": "whose it was, or None",
        "reason": "released, owner_ended, or abandoned: its caller had just been cancelled",
    },
    doc="A token came back.",
)
RESOURCE_EXPIRED: Final = Event(
    "suptree.resource.expired",
    measurements={
        "amount_count": "how much",
        "in_use_count": "how much of the type is in use now",
        "held_s": "seconds that it was held",
    },
    metadata={"type": "what", "owner": "whose it was, or None"},
    doc="A token was taken back because its time was over.",
)
BACKPRESSURE_CHANGED: Final = Event(
    "suptree.resource.backpressure.changed",
    measurements={"ratio": "used part of the fullest budget, 0 to 1 and above"},
    metadata={
        "level": "normal, moderate or severe",
        "previous": "what it was",
        "budget": "the fullest budget",
    },
    doc="The level of pressure has changed.",
)
ALERT_RAISED: Final = Event(
    "suptree.resource.alert.raised",
    measurements={"used_count": "how much is used", "limit_count": "how much there is"},
    metadata={"of": "type or budget", "name": "which"},
    doc="A type or a budget is nearly used up.",
)
ALERT_CLEARED: Final = Event(
    "suptree.resource.alert.cleared",
    measurements={"used_count": "how much is used", "limit_count": "how much there is"},
    metadata={"of": "type or budget", "name": "which"},
    doc="A type or a budget is no longer nearly used up.",
)
READING_FAILED: Final = Event(
    "suptree.resource.reading.failed",
    measurements={"count": "always 1"},
    metadata={"budget": "which", "error": "what was wrong, as text"},
    doc="The reader of a budget raised, took too long, or gave no number; the last reading stands.",
)
