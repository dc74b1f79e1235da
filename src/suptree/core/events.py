"""Telemetry declared by the core floor."""

from __future__ import annotations

from typing import Final

from suptree.telemetry import Event

__all__ = [
    "MAILBOX_OVERFLOWED",
    "PROCESS_ABANDONED",
    "PROCESS_CRASHED",
    "PROCESS_EXITED",
    "PROCESS_STARTED",
]

PROCESS_STARTED: Final = Event(
    "suptree.process.started",
    measurements={"processes_count": "processes alive in the runtime, this one included"},
    metadata={
        "pid": "the new process",
        "label": "what it runs",
        "parent": "who started it, or None",
    },
    doc="A process was made and its init begins.",
)
PROCESS_EXITED: Final = Event(
    "suptree.process.exited",
    measurements={
        "lifetime_s": "seconds from spawn to death",
        "messages_count": "messages handled in its life",
    },
    metadata={"pid": "who", "label": "what it ran", "reason": "the exit reason"},
    doc="A process has ended and everything it held is released.",
)
PROCESS_CRASHED: Final = Event(
    "suptree.process.crashed",
    measurements={"count": "always 1"},
    metadata={"pid": "who", "label": "what it ran", "reason": "the exit reason"},
    doc="A process ended by itself with a reason that is not normal-ish.",
)
PROCESS_ABANDONED: Final = Event(
    "suptree.process.abandoned",
    measurements={"count": "always 1"},
    metadata={"pid": "who", "label": "what it ran", "stack": "where its code stands, as text"},
    doc="A killed process did not unwind: it was dropped from the tree while its code still runs.",
)
MAILBOX_OVERFLOWED: Final = Event(
    "suptree.mailbox.overflowed",
    measurements={"queue_len": "messages waiting", "limit": "the bound, in user messages"},
    metadata={"pid": "whose mailbox", "label": "what it runs", "policy": "what was done"},
    doc="A bounded mailbox was full when a message came.",
)
