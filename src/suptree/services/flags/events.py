"""Telemetry declared by the feature flags."""

from __future__ import annotations

from typing import Final

from suptree.telemetry import Event

__all__ = [
    "FLAG_CHANGED",
    "FLAG_EVALUATED",
    "GUARD_TRIPPED",
    "MIGRATION_ADVANCED",
    "MIGRATION_ROLLED_BACK",
]

FLAG_CHANGED: Final = Event(
    "suptree.flags.flag.changed",
    measurements={"count": "always 1"},
    metadata={
        "flag": "its name",
        "old": "how it stood, a FlagState",
        "new": "how it stands, a FlagState",
        "by": "the pid that asked, as text; '' for code outside every process",
    },
    doc="A flag stands otherwise than before: for whom it is on has changed.",
)
FLAG_EVALUATED: Final = Event(
    "suptree.flags.flag.evaluated",
    measurements={"count": "always 1"},
    metadata={"flag": "its name", "agent": "for which id; None for everybody", "on": "the answer"},
    doc="Somebody asked whether a flag is on; attach here to see which path really runs.",
)
MIGRATION_ADVANCED: Final = Event(
    "suptree.flags.migration.advanced",
    measurements={"stage_count": "stages that are enabled now"},
    metadata={
        "migration": "its name",
        "old": "the stage before",
        "new": "the stage now",
        "by": "who asked",
    },
    doc="The next stage of a migration was enabled.",
)
MIGRATION_ROLLED_BACK: Final = Event(
    "suptree.flags.migration.rolled_back",
    measurements={"stage_count": "stages that are enabled now"},
    metadata={
        "migration": "its name",
        "kind": "'rollback' by hand, 'emergency', or 'automatic'",
        "old": "the stage before",
        "new": "the stage now; '' is the start",
        "reason": "why",
        "by": "who asked",
    },
    doc="A migration went back to an earlier stage.",
)
GUARD_TRIPPED: Final = Event(
    "suptree.flags.guard.tripped",
    measurements={
        "calls_count": "calls reported in the window",
        "failures_count": "those that failed",
        "restarts_count": "restarts reported in the window",
    },
    metadata={
        "migration": "its name",
        "stage": "the stage that is given up",
        "reason": "what was too much",
    },
    doc="What was reported of a stage is worse than its guard allows; it is being rolled back.",
)
