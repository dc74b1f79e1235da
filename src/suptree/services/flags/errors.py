"""What goes wrong with feature flags.

SuptreeError
└── FlagError
    ├── FlagsNotRunningError     nobody has the flags now (also a NoTableError)  .table
    ├── FlagDeclarationError     flags or migrations are declared wrongly
    ├── UnknownFlagError         no such flag, migration or stage          .name, .near
    ├── FlagValueError           no percentage, no id, or no reason
    ├── FlagListFullError        a list of ids is as long as it may be     .flag, .limit
    ├── FlagOwnedError           the stages of a migration say what it is  .flag, .migration
    ├── StageOrderError          stages are enabled in order, one by one   .migration, .stage, .next
    └── FlagStateError           what is in the store cannot be used
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from suptree.errors import NoTableError, SuptreeError
from suptree.near import did_you_mean, near

__all__ = [
    "FlagDeclarationError",
    "FlagError",
    "FlagListFullError",
    "FlagOwnedError",
    "FlagStateError",
    "FlagValueError",
    "FlagsNotRunningError",
    "StageOrderError",
    "UnknownFlagError",
]


class FlagError(SuptreeError):
    """Base of what is wrong with feature flags."""


class FlagDeclarationError(FlagError):
    """Flags, migrations or settings are declared wrongly; their author has to change them."""


class FlagValueError(FlagError):
    """A value that was given is not what it must be."""


class FlagStateError(FlagError):
    """What is in the store cannot be used.  Nothing starts with a guess instead."""


class FlagsNotRunningError(FlagError, NoTableError):
    """No server shows its flags under *table*: it was not started, or is being started again.

    What a server showed ends with it: flags that nobody can change any more are no flags.
    """

    def __init__(self, table: str) -> None:
        super().__init__(table, "no FeatureFlags server shows its flags there")
        self.args = (table,)  # what makes it again

    def __str__(self) -> str:
        return (
            f"FeatureFlags: table must be that of a server that runs; got {self.table!r}. Start "
            "one, or, while it may be starting again, give `enabled` a fallback or ask later."
        )


class UnknownFlagError(FlagError):
    """Nothing of that name is declared."""

    def __init__(
        self, name: str, known: Iterable[str], what: Literal["flag", "migration", "stage"] = "flag"
    ) -> None:
        known = tuple(known)
        super().__init__(name, known, what)
        self.name = name
        self.known = known
        self.what = what
        self.near = near(name, known)

    def __str__(self) -> str:
        hint = did_you_mean(self.name, self.known)
        return f"FeatureFlags: {self.what} must be a declared one; got {self.name!r}{hint}"


class FlagListFullError(FlagError):
    """A flag has as many ids in its lists as it may have; nothing was added."""

    def __init__(self, flag: str, limit: int) -> None:
        super().__init__(flag, limit)
        self.flag = flag
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"FeatureFlags: the lists of {self.flag!r} must hold at most {self.limit} ids together; "
            "they would hold more. Use a percentage for many."
        )


class FlagOwnedError(FlagError):
    """The flag is what the stage of a migration says, and is not set by hand."""

    def __init__(self, flag: str, migration: str) -> None:
        super().__init__(flag, migration)
        self.flag = flag
        self.migration = migration

    def __str__(self) -> str:
        return (
            f"FeatureFlags: {self.flag!r} must be moved by the stages of migration "
            f"{self.migration!r}, which owns it. Advance that, or roll it back."
        )


class StageOrderError(FlagError):
    """The stages of a migration are enabled strictly in order, and rolled back to an earlier one.

    Attributes:
        migration: Its name.
        stage: The one that was asked for.
        current: Where it stands; "" is the start.
        next: The stage that may be enabled now; None: all are.
    """

    def __init__(self, migration: str, stage: str, current: str, next: str | None) -> None:
        super().__init__(migration, stage, current, next)
        self.migration = migration
        self.stage = stage
        self.current = current
        self.next = next

    def __str__(self) -> str:
        stands = repr(self.current) if self.current else "its start"
        ahead = (
            f"the next stage, {self.next!r}," if self.next else "nothing: all stages are enabled,"
        )
        return (
            f"FeatureFlags: migration {self.migration!r} stands at {stands} and must advance to "
            f"{ahead} or roll back to an earlier one; got {self.stage!r}."
        )
