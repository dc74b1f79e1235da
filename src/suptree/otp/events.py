"""Telemetry declared by the behaviours."""

from __future__ import annotations

from typing import Final

from suptree.telemetry import Event

__all__ = ["CHILD_RESTARTED", "SUPERVISOR_GAVE_UP"]

CHILD_RESTARTED: Final = Event(
    "suptree.supervisor.child.restarted",
    measurements={"restarts_count": "restarts in the window of the supervisor, this one included"},
    metadata={
        "supervisor": "pid of the supervisor",
        "id": "id of the child, or its label where children have no id",
        "reason": "why it ended, or failed to start",
    },
    doc="A supervisor has counted a restart and is about to try it.",
)
SUPERVISOR_GAVE_UP: Final = Event(
    "suptree.supervisor.gave_up",
    measurements={
        "restarts_count": "restarts in the window, the one that was too many included",
        "max_restarts_count": "restarts that it allows",
        "max_seconds_s": "length of the window",
    },
    metadata={"supervisor": "its pid", "id": "id or label of the child", "reason": "why it ended"},
    doc="One restart more than allowed: the supervisor stops its children and ends with SHUTDOWN.",
)
