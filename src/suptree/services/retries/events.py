"""Telemetry declared by retries."""

from __future__ import annotations

from typing import Final

from suptree.telemetry import Event

__all__ = [
    "RETRY_CANCELLED",
    "RETRY_CONFIGURED",
    "RETRY_FAILED",
    "RETRY_SCHEDULED",
    "RETRY_SUCCEEDED",
]

RETRY_SCHEDULED: Final = Event(
    "suptree.retry.attempt.scheduled",
    measurements={"attempt_count": "attempts that failed so far", "delay_s": "seconds to wait"},
    metadata={"policy": "name of the policy, or of the function", "error": "what it failed with"},
    doc="An attempt failed, and another one is made after a wait.",
)
RETRY_SUCCEEDED: Final = Event(
    "suptree.retry.run.succeeded",
    measurements={"attempts_count": "attempts made", "duration_s": "seconds from the first one"},
    metadata={"policy": "name of the policy, or of the function"},
    doc="What was tried has succeeded in the end.",
)
RETRY_FAILED: Final = Event(
    "suptree.retry.run.failed",
    measurements={"attempts_count": "attempts made", "duration_s": "seconds from the first one"},
    metadata={
        "policy": "name of the policy, or of the function",
        "error": "the last error",
        "why": "attempts, total_time, deadline, budget, or not_retried: an error not worth it",
    },
    doc="What was tried has failed, and is not tried again.",
)
RETRY_CANCELLED: Final = Event(
    "suptree.retry.run.cancelled",
    measurements={"attempts_count": "attempts made", "duration_s": "seconds from the first one"},
    metadata={"policy": "name of the policy, or of the function"},
    doc="The one who retried was cancelled, or its process ended.",
)
RETRY_CONFIGURED: Final = Event(
    "suptree.retry.policy.configured",
    measurements={"policies_count": "policies that there are, this one included"},
    metadata={"policy": "its name"},
    doc="A policy was made at run time, or replaced.",
)
