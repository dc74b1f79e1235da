"""Telemetry declared by this floor."""

from __future__ import annotations

from typing import Final

from suptree.telemetry import Event

__all__ = ["SETTINGS_DELAYED", "SETTINGS_PASSED_ON", "SETTINGS_REFUSED"]

SETTINGS_PASSED_ON: Final = Event(
    "suptree.system.settings.passed_on",
    measurements={
        "duration_s": "seconds from the first try to the answer of the service",
        "attempts_count": "tries that it took, 1 or more",
    },
    metadata={"service": "its name in the tree"},
    doc="A service that runs goes by the settings that hold now.",
)
SETTINGS_DELAYED: Final = Event(
    "suptree.system.settings.delayed",
    measurements={
        "attempts_count": "tries so far",
        "retry_after_s": "seconds until the next one",
    },
    metadata={"service": "its name in the tree", "error": "why it did not take them, as text"},
    doc="A service did not answer in time; it is tried again until it does.",
)
SETTINGS_REFUSED: Final = Event(
    "suptree.system.settings.refused",
    measurements={"count": "1"},
    metadata={"service": "its name in the tree", "error": "what it said, as text"},
    doc="A service refused settings that the schema had let pass: it goes on with those it had.",
)
