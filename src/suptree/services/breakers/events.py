"""Telemetry declared by the circuit breakers."""

from __future__ import annotations

from typing import Final

from suptree.telemetry import Event

__all__ = [
    "BREAKER_CALL_ENDED",
    "BREAKER_CALL_REJECTED",
    "BREAKER_CONFIGURED",
    "BREAKER_REMOVED",
    "BREAKER_STATE_CHANGED",
]

BREAKER_STATE_CHANGED: Final = Event(
    "suptree.breaker.state.changed",
    measurements={
        "calls_count": "calls in the window that count",
        "failures_count": "failures in the window",
        "slow_count": "slow calls in the window",
    },
    metadata={
        "breaker": "its name",
        "before": "the state that was left: closed, open or half_open",
        "after": "the state now",
        "reason": "failures, failure_rate, slow_rate, reset_timeout, probe_failed, probe_timeout, "
        "probes_succeeded or by_hand",
    },
    doc="A breaker changed its state. To half open: told when the next call, or a look, finds it so.",
)
BREAKER_CALL_REJECTED: Final = Event(
    "suptree.breaker.call.rejected",
    measurements={"count": "always 1"},
    metadata={
        "breaker": "its name",
        "state": "open or half_open",
        "retry_after_s": "seconds until a probe may go through, or None",
    },
    doc="A call was not let through.",
)
BREAKER_CALL_ENDED: Final = Event(
    "suptree.breaker.call.ended",
    measurements={"duration_s": "seconds that the protected call took"},
    metadata={"breaker": "its name", "outcome": "success, failure or ignored"},
    doc="A protected call has ended, and its outcome was recorded.",
)
BREAKER_CONFIGURED: Final = Event(
    "suptree.breaker.config.changed",
    measurements={"breakers_count": "breakers that there are, this one included"},
    metadata={"breaker": "its name"},
    doc="A breaker was made at run time, or got another configuration.",
)
BREAKER_REMOVED: Final = Event(
    "suptree.breaker.config.removed",
    measurements={"breakers_count": "breakers that are left"},
    metadata={"breaker": "its name"},
    doc="A breaker was removed.",
)
