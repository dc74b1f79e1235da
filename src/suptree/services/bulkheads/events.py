"""Telemetry declared by the bulkheads."""

from __future__ import annotations

from typing import Final

from suptree.telemetry import Event

__all__ = [
    "BULKHEAD_CALL_ADMITTED",
    "BULKHEAD_CALL_ENDED",
    "BULKHEAD_CALL_REJECTED",
    "BULKHEAD_CONFIGURED",
    "BULKHEAD_REMOVED",
]

BULKHEAD_CALL_ADMITTED: Final = Event(
    "suptree.bulkhead.call.admitted",
    measurements={
        "waited_s": "seconds in the line",
        "inside_count": "calls inside, this one included",
        "waiting_count": "calls in the line",
    },
    metadata={"bulkhead": "its name"},
    doc="A call has come in.",
)
BULKHEAD_CALL_ENDED: Final = Event(
    "suptree.bulkhead.call.ended",
    measurements={"inside_s": "seconds that it was inside"},
    metadata={"bulkhead": "its name"},
    doc="A call has left, and its place is free.",
)
BULKHEAD_CALL_REJECTED: Final = Event(
    "suptree.bulkhead.call.rejected",
    measurements={"inside_count": "calls inside", "waiting_count": "calls in the line"},
    metadata={
        "bulkhead": "its name",
        "why": "line_full, or gave_up: its time was over, or it was cancelled, or has ended",
    },
    doc="A call did not come in.",
)
BULKHEAD_CONFIGURED: Final = Event(
    "suptree.bulkhead.config.changed",
    measurements={"bulkheads_count": "bulkheads that there are, this one included"},
    metadata={"bulkhead": "its name"},
    doc="A bulkhead was made at run time, or got other bounds.",
)
BULKHEAD_REMOVED: Final = Event(
    "suptree.bulkhead.config.removed",
    measurements={"bulkheads_count": "bulkheads that are left"},
    metadata={"bulkhead": "its name"},
    doc="A bulkhead was removed.",
)
