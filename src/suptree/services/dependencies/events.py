"""Telemetry declared by the board of readiness."""

from __future__ import annotations

from typing import Final

from suptree.telemetry import Event

__all__ = ["SERVICE_READINESS_CHANGED", "SERVICE_WAIT_EXPIRED"]

SERVICE_READINESS_CHANGED: Final = Event(
    "suptree.service.readiness.changed",
    measurements={"ready_count": "services that are ready, after the change"},
    metadata={
        "board": "pid of the board",
        "service": "which one",
        "ready": "whether it is ready now, with all that it needs",
        "reasons": "why it is not: the path to each cause, and what that said",
    },
    doc="A service became ready, or ceased to be, by its own word or by that of one it needs.",
)
SERVICE_WAIT_EXPIRED: Final = Event(
    "suptree.service.wait.expired",
    measurements={"timeout_s": "seconds that were waited"},
    metadata={
        "board": "pid of the board",
        "service": "which one",
        "reasons": "why it is not ready",
    },
    doc="Somebody waited for a service to be ready, and it was not in time.",
)
