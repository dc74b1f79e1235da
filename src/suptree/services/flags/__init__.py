"""Feature flags: switched while the system runs, by percentage, by id, and in stages.

`FeatureFlags` holds flags and migrations; `MigrationControl` gives up stages that do badly.
"""

from suptree.services.flags.control import MigrationControl, MigrationReadiness, MigrationStats
from suptree.services.flags.declared import (
    START,
    Flag,
    FlagSetting,
    FlagValue,
    Migration,
    Stage,
    flag_problems,
)
from suptree.services.flags.errors import (
    FlagDeclarationError,
    FlagError,
    FlagListFullError,
    FlagOwnedError,
    FlagsNotRunningError,
    FlagStateError,
    FlagValueError,
    StageOrderError,
    UnknownFlagError,
)
from suptree.services.flags.messages import FlagChanged, FlagStats, MigrationMoved
from suptree.services.flags.rollout import bucket
from suptree.services.flags.server import FeatureFlags
from suptree.services.flags.standing import FlagState, MigrationMove, MigrationProgress
from suptree.services.flags.watch import MigrationGuard, Report

__all__ = [
    "START",
    "MigrationStats",
    "FeatureFlags",
    "Flag",
    "FlagChanged",
    "FlagDeclarationError",
    "FlagError",
    "FlagListFullError",
    "FlagOwnedError",
    "FlagSetting",
    "FlagState",
    "FlagStateError",
    "FlagValue",
    "FlagValueError",
    "FlagStats",
    "FlagsNotRunningError",
    "MigrationGuard",
    "Migration",
    "MigrationControl",
    "MigrationMoved",
    "MigrationMove",
    "MigrationProgress",
    "MigrationReadiness",
    "Report",
    "Stage",
    "StageOrderError",
    "UnknownFlagError",
    "bucket",
    "flag_problems",
]
