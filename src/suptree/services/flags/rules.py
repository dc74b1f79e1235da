"""The rules of flags and migrations: what may be made of a standing, and how it looks.

Pure: each rule takes a `Standing` and gives another one, or raises and changes nothing;
`now` is a parameter.  What was set goes over what is configured, and that over the
default; a flag of a migration is what its stages say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from suptree.core import safe_repr
from suptree.services.flags.declared import START, Declared, FlagSetting, Migration
from suptree.services.flags.errors import (
    FlagListFullError,
    FlagOwnedError,
    FlagStateError,
    FlagValueError,
    StageOrderError,
    UnknownFlagError,
)
from suptree.services.flags.rollout import percentage_of
from suptree.services.flags.standing import (
    HISTORY_LEN,
    FlagState,
    MigrationMove,
    MigrationProgress,
    MoveKind,
    Override,
    Standing,
)
from suptree.services.parts.checks import check_name, check_text, is_text

__all__ = ["Flags"]

_WHO: Final = "FeatureFlags"


@dataclass(frozen=True, slots=True)
class Flags:
    """The rules: what is declared, and what may be made of a standing."""

    declared: Declared
    max_ids: int = 10_000

    # -- looking ---------------------------------------------------------------------------

    def view(self, standing: Standing) -> dict[str, FlagState]:
        """Each declared flag as it stands."""
        return {name: self.state(standing, name) for name in self.declared.flags}

    def state(self, standing: Standing, name: str) -> FlagState:
        """One declared flag as it stands."""
        flag = self.declared.flags[name]
        configured = self.declared.configured.get(name)
        override = standing.flags.get(name, _NOTHING_SET)
        percentage, source, since = percentage_of(flag.default), "default", 0.0
        if configured is not None:
            percentage, source = percentage_of(configured.rollout), "configured"
        owner = self.declared.owners.get(name)
        if owner is not None:
            staged = self._staged(standing, self.declared.migrations[owner], name)
            if staged is not None:
                percentage, source = staged, "migration"
                since = standing.migrations[owner].since
        elif override.percentage is not None:
            percentage, source, since = override.percentage, "set", override.since
        assert percentage is not None
        lists = configured or _EMPTY
        allow = frozenset(lists.allow) if override.allow is None else override.allow
        deny = frozenset(lists.deny) if override.deny is None else override.deny
        return FlagState(name, percentage, allow, deny, source, since)  # type: ignore[arg-type]

    def _staged(self, standing: Standing, migration: Migration, flag: str) -> float | None:
        reached = migration.position(self.progress(standing, migration.name).stage) or 0
        for stage in reversed(migration.stages[:reached]):
            if flag in stage.sets:
                return percentage_of(stage.sets[flag])
        return None

    def progress(self, standing: Standing, migration: str) -> MigrationProgress:
        """How far a declared migration is."""
        return standing.migrations.get(migration, _NOT_BEGUN)

    def undeclared(self, standing: Standing) -> tuple[str, ...]:
        """What was set once, of flags and migrations that are not declared."""
        return tuple(
            name
            for name in (*standing.flags, *standing.migrations)
            if name not in self.declared.flags and name not in self.declared.migrations
        )

    def check(self, standing: Standing) -> None:
        """See that a standing fits what is declared.

        Raises:
            FlagStateError: A migration stands at a stage that it does not have.
        """
        for name, progress in standing.migrations.items():
            migration = self.declared.migrations.get(name)
            if migration is not None and migration.position(progress.stage) is None:
                stages = [stage.name for stage in migration.stages]
                raise FlagStateError(
                    f"FeatureFlags: migration {name!r} stands at stage {progress.stage!r} in the store, "
                    f"which must be one of {stages!r}. Declare it, or roll back before it is removed."
                )
        for name, override in standing.flags.items():
            if override.percentage is not None and percentage_of(override.percentage) is None:
                raise FlagStateError(
                    f"FeatureFlags: flag {name!r} is at {override.percentage!r} in the store; "
                    "it must be from 0 to 100."
                )

    # -- flags -------------------------------------------------------------------------------

    def set(self, standing: Standing, name: str, rollout: object, now: float) -> Standing:
        """Say how far a flag is on."""
        self._check_free(name)
        percentage = percentage_of(rollout)
        if percentage is None:
            raise FlagValueError(
                f"FeatureFlags: the rollout of {name!r} must be true, false or a percentage from 0 to 100 "
                f"in steps of 0.01; got {safe_repr(rollout, 200)}."
            )
        return self._override(standing, name, percentage=percentage, since=now)

    def set_percentage(
        self, standing: Standing, name: str, percentage: object, now: float
    ) -> Standing:
        """As `set`, but for true and false."""
        self._check_free(name)
        if isinstance(percentage, bool) or percentage_of(percentage) is None:
            raise FlagValueError(
                f"FeatureFlags: the percentage of {name!r} must be a number from 0 to 100 "
                f"in steps of 0.01; got {safe_repr(percentage, 200)}."
            )
        return self.set(standing, name, percentage, now)

    def list_ids(
        self,
        standing: Standing,
        name: str,
        ids: Collection[str],
        to: Literal["allow", "deny", None],
    ) -> Standing:
        """Put ids on one list, and take them from the other; *to* None takes them from both."""
        self._check_flag(name)
        wanted = _ids(name, ids)
        state = self.state(standing, name)
        allow, deny = state.allow - wanted, state.deny - wanted
        if to == "allow":
            allow |= wanted
        elif to == "deny":
            deny |= wanted
        if len(allow) + len(deny) > max(self.max_ids, len(state.allow) + len(state.deny)):
            raise FlagListFullError(name, self.max_ids)
        return self._override(standing, name, allow=allow, deny=deny)

    def reset(self, standing: Standing, name: str) -> Standing:
        """Forget what was set of one flag."""
        self._check_flag(name)
        left = {other: one for other, one in standing.flags.items() if other != name}
        return Standing(left, standing.migrations)

    def reset_all(self, standing: Standing) -> Standing:
        """Forget what was set of every declared flag; migrations stay where they are."""
        left = {
            name: one for name, one in standing.flags.items() if name not in self.declared.flags
        }
        return Standing(left, standing.migrations)

    def load(self, standing: Standing, settings: Mapping[str, FlagSetting], now: float) -> Standing:
        """Set several flags, lists included: all of them, or none."""
        for name, setting in settings.items():
            standing = self.set(standing, name, setting.rollout, now)
            allow, deny = _ids(name, setting.allow), _ids(name, setting.deny)
            if len(allow) + len(deny) > self.max_ids:
                raise FlagListFullError(name, self.max_ids)
            standing = self._override(standing, name, allow=allow, deny=deny)
        return standing

    # -- migrations ----------------------------------------------------------------------------

    def advance(self, standing: Standing, name: str, stage: str, by: str, now: float) -> Standing:
        """Enable the next stage, which *stage* must be."""
        migration, reached = self._reached(standing, name)
        self._check_stage(migration, stage)
        if stage != migration.next_stage(reached):
            raise self._out_of_order(standing, name, stage)
        return self._move(standing, name, "advanced", stage, "", by, now)

    def roll_back(
        self,
        standing: Standing,
        name: str,
        kind: MoveKind,
        to: str,
        reason: str,
        by: str,
        now: float,
    ) -> Standing:
        """Go back to an earlier stage.  If it is not by hand, the ids that were allowed the flags of
        the stages undone lose that too: they would stay on the path that does not work.
        """
        migration, reached = self._reached(standing, name)
        self._check_stage(migration, to)
        check_text(_WHO, "reason", reason)
        back = migration.position(to)
        assert back is not None
        if back >= reached and not (kind == "emergency" and back == reached):
            raise self._out_of_order(standing, name, to)
        if kind != "rollback":
            undone = (
                migration.stages[back:] if kind == "emergency" else migration.stages[back:reached]
            )
            for flag in sorted({flag for stage in undone for flag in stage.sets}):
                if self.state(standing, flag).allow:
                    standing = self._override(standing, flag, allow=frozenset())
        return self._move(standing, name, kind, to, reason, by, now)

    def to_undo(self, standing: Standing) -> Iterator[str]:
        """The migrations that an emergency concerns: begun, or with ids that are allowed their flags."""
        for name, migration in self.declared.migrations.items():
            states = (self.state(standing, flag) for flag in migration.flags())
            if self.progress(standing, name).stage != START or any(one.allow for one in states):
                yield name

    def previous(self, standing: Standing, name: str) -> str:
        """The stage before the one that a migration stands at; START at the first and the start."""
        migration, reached = self._reached(standing, name)
        return migration.stages[reached - 2].name if reached > 1 else START

    # -- inside ----------------------------------------------------------------------------------

    def _override(self, standing: Standing, name: str, **changes: Any) -> Standing:
        old = standing.flags.get(name, _NOTHING_SET)
        new = msgspec.structs.replace(old, **changes)
        return Standing({**standing.flags, name: new}, standing.migrations)

    def _move(
        self,
        standing: Standing,
        name: str,
        kind: MoveKind,
        to: str,
        reason: str,
        by: str,
        now: float,
    ) -> Standing:
        old = self.progress(standing, name)
        move = MigrationMove(kind, old.stage, to, reason, by, now)
        new = MigrationProgress(to, now, (*old.history, move)[-HISTORY_LEN:])
        return Standing(standing.flags, {**standing.migrations, name: new})

    def _reached(self, standing: Standing, name: str) -> tuple[Migration, int]:
        check_name(_WHO, "migration", name)
        migration = self.declared.migrations.get(name)
        if migration is None:
            raise UnknownFlagError(name, self.declared.migrations, "migration")
        return migration, migration.position(self.progress(standing, name).stage) or 0

    def _out_of_order(self, standing: Standing, name: str, stage: str) -> StageOrderError:
        migration, reached = self._reached(standing, name)
        at = self.progress(standing, name).stage
        return StageOrderError(name, stage, at, migration.next_stage(reached))

    def _check_stage(self, migration: Migration, stage: str) -> None:
        check_text(_WHO, "stage", stage)
        if migration.position(stage) is None:
            raise UnknownFlagError(stage, [one.name for one in migration.stages], "stage")

    def _check_flag(self, name: str) -> None:
        check_name(_WHO, "flag", name)
        if name not in self.declared.flags:
            raise UnknownFlagError(name, self.declared.flags)

    def _check_free(self, name: str) -> None:
        self._check_flag(name)
        owner = self.declared.owners.get(name)
        if owner is not None:
            raise FlagOwnedError(name, owner)


def _ids(flag: str, ids: Collection[str]) -> frozenset[str]:
    # Not any iterable: a generator would run its maker's code in the turn of the server.
    if not isinstance(ids, list | tuple | set | frozenset):
        raise FlagValueError(
            f"FeatureFlags: the ids for {flag!r} must be a list, tuple or set; "
            f"got {safe_repr(ids, 200)}."
        )
    for id in ids:
        if not is_text(id) or not id:
            raise FlagValueError(
                f"FeatureFlags: the ids for {flag!r} must be texts that are not empty; "
                f"got {safe_repr(id, 200)}."
            )
    return frozenset(ids)


_NOTHING_SET: Final = Override()
_NOT_BEGUN: Final = MigrationProgress()
_EMPTY: Final = FlagSetting(False)
