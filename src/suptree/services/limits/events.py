"""Telemetry declared by the rate limiter."""

from __future__ import annotations

from typing import Final

from suptree.telemetry import Event

__all__ = [
    "LIMITER_CONFIGURED",
    "LIMITER_REMOVED",
    "LIMIT_ALLOWED",
    "LIMIT_CLEANED",
    "LIMIT_DENIED",
]

LIMIT_ALLOWED: Final = Event(
    "suptree.limit.pass.allowed",
    measurements={"cost_count": "what passed", "waited_s": "seconds in the line"},
    metadata={"limiter": "its name", "who": "the key"},
    doc="Somebody passed, or holds a permit now.",
)
LIMIT_DENIED: Final = Event(
    "suptree.limit.pass.denied",
    measurements={"cost_count": "what did not pass"},
    metadata={
        "limiter": "its name",
        "who": "the key",
        "why": "exceeded (it asked only once, and may wait), line_full, keys_full, or gave_up: its time was over, or it was cancelled",
    },
    doc="Somebody did not pass.",
)
LIMITER_CONFIGURED: Final = Event(
    "suptree.limit.limiter.configured",
    measurements={"limiters_count": "limiters that there are, this one included"},
    metadata={"limiter": "its name"},
    doc="A limiter was made at run time, or got another limit.",
)
LIMITER_REMOVED: Final = Event(
    "suptree.limit.limiter.removed",
    measurements={"limiters_count": "limiters that are left"},
    metadata={"limiter": "its name"},
    doc="A limiter was removed.",
)
LIMIT_CLEANED: Final = Event(
    "suptree.limit.keys.cleaned",
    measurements={"removed_count": "idle keys forgotten", "kept_count": "keys that are left"},
    metadata={},
    doc="The keys of all limiters were looked through once, and idle ones forgotten.",
)
