"""How flags stand: what was set over what is declared, as values that a store can keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import msgspec

from suptree.services.flags.declared import START
from suptree.services.flags.errors import FlagStateError
from suptree.services.flags.rollout import is_in

__all__ = [
    "HISTORY_LEN",
    "FlagState",
    "MigrationMove",
    "MoveKind",
    "Override",
    "MigrationProgress",
    "Standing",
]

HISTORY_LEN: Final = 20
"""How many moves of a migration are remembered."""

MoveKind: TypeAlias = Literal["advanced", "rollback", "emergency", "automatic"]


@dataclass(frozen=True, slots=True)
class FlagState:
    """One flag as it stands.

    Attributes:
        name: Its name.
        percentage: How far it is on, 0 to 100.
        allow: Ids for which it is on whatever the percentage.
        deny: Ids for which it is off whatever else holds.
        source: Who says so: `default`, `configured`, `set` by a call, or a `migration`.
        since: Seconds since 1970 (UTC) when that was said; 0 for what is declared.
    """

    name: str
    percentage: float
    allow: frozenset[str]
    deny: frozenset[str]
    source: Literal["default", "configured", "set", "migration"]
    since: float

    def is_on(self, id: str | None = None) -> bool:
        """Whether it is on for *id*; without one, whether it is on for everybody."""
        if id is None:
            return self.percentage >= 100 and not self.deny
        if id in self.deny:
            return False
        return id in self.allow or is_in(self.name, id, self.percentage)


class Override(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was set of one flag; None where nothing was."""

    percentage: float | None = None
    allow: frozenset[str] | None = None
    deny: frozenset[str] | None = None
    since: float = 0.0


class MigrationMove(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step of a migration, forward or back.

    Attributes:
        kind: `advanced`, or by what it went back: a `rollback` by hand, an `emergency`, or
            an `automatic` one.
        old: The stage that it left; "" is the start.
        new: The stage that it came to.
        reason: Why, as it was given.
        by: Who asked: a pid as text, or "" for code outside every process.
        at: Seconds since 1970 (UTC).
    """

    kind: MoveKind
    old: str
    new: str
    reason: str
    by: str
    at: float


class MigrationProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a migration is.

    Attributes:
        stage: The last stage that is enabled; "" is the start.
        since: Seconds since 1970 (UTC) when it came there; 0 if it never moved.
        history: The last `HISTORY_LEN` moves, oldest first.
    """

    stage: str = START
    since: float = 0.0
    history: tuple[MigrationMove, ...] = ()


class Standing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that was set; what a store keeps.

    Names that are not declared (any more) are kept: a deployment may be rolled back.
    """

    flags: dict[str, Override] = {}
    migrations: dict[str, MigrationProgress] = {}

    def to_plain(self) -> Any:
        """As plain data."""
        return msgspec.to_builtins(self, order="deterministic")

    @classmethod
    def from_plain(cls, plain: object) -> Standing:
        """Back from plain data.

        Raises:
            FlagStateError: It is none.
        """
        try:
            return msgspec.convert(plain, cls)
        except msgspec.ValidationError as why:
            raise FlagStateError(
                f"FeatureFlags: what is in the store must be what was put there; got an error: {why}. "
                "Repair it, or delete it to begin with the defaults."
            ) from why
