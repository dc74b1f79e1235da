"""Telemetry declared by the configuration service."""

from __future__ import annotations

from typing import Final

from suptree.telemetry import Event

__all__ = ["RELOAD_APPLIED", "RELOAD_REFUSED"]

RELOAD_APPLIED: Final = Event(
    "suptree.configuration.reload.applied",
    measurements={
        "duration_s": "seconds from the first request to now",
        "changes_count": "settings that differ; 0 when all is as before",
        "told_len": "messages sent to subscribers",
    },
    metadata={"paths": "the dotted paths of the settings that differ"},
    doc="The sources were read again, they are right, and hold from now on.",
)
RELOAD_REFUSED: Final = Event(
    "suptree.configuration.reload.refused",
    measurements={
        "duration_s": "seconds from the first request to now",
        "problems_count": "how many things are wrong",
    },
    metadata={
        "reason": "'invalid', the sources are wrong, or 'fixed', they change what cannot change",
        "problems": "each of them as text, with its place; no secrets",
    },
    doc="The sources were read again and refused; everything is as before.",
)
