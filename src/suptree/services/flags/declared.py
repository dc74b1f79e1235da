"""What is declared of feature flags: `Flag`, `Stage`, `Migration`, and `FlagSetting` for files.

Nothing is assumed: a flag says what it is by default, and a migration names its stages in
their order.

>>> NEW_ROUTER = Flag("new_router", default=False, doc="Routes with lanes.")
>>> MIGRATION = Migration("routing", [
...     Stage("shadow", {"new_router": 1}),
...     Stage("half", {"new_router": 50}),
...     Stage("all", {"new_router": True}),
... ])
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec

from suptree.core import safe_repr
from suptree.near import did_you_mean
from suptree.services.flags.errors import FlagDeclarationError
from suptree.services.flags.rollout import Rollout, percentage_of
from suptree.services.parts.checks import check_name, is_text

__all__ = [
    "START",
    "Declared",
    "Flag",
    "FlagSetting",
    "FlagValue",
    "Migration",
    "Stage",
    "flag_problems",
    "settings_of",
]

START: Final = ""
"""The stage of a migration that has not begun, or was rolled back to where it began."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag that is known to the system.

    Args:
        name: Letters, digits, `_`, `.` and `-`.
        default: How far it is on while nobody says otherwise.  There is no default of the
            default: whoever declares a flag decides which of the two paths runs.
        doc: What is behind it.

    Raises:
        FlagDeclarationError: A wrong name or default.
    """

    name: str
    default: Rollout
    doc: str = ""

    def __post_init__(self) -> None:
        _check_name("Flag", self.name)
        _check_rollout(f"Flag {self.name!r}: default", self.default)


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of a migration.

    Args:
        name: Unique in the migration.
        sets: How far flags are on from this stage until a later one says otherwise.

    Raises:
        FlagDeclarationError: A wrong name or value.
    """

    name: str
    sets: Mapping[str, Rollout]

    def __post_init__(self) -> None:
        _check_name("Stage", self.name)
        for flag, rollout in self.sets.items():
            _check_rollout(f"Stage {self.name!r}: {flag!r}", rollout)
        object.__setattr__(self, "sets", MappingProxyType(dict(self.sets)))


@dataclass(frozen=True, slots=True)
class Migration:
    """Flags that are moved together, through stages that are enabled strictly in order.

    The flags that its stages set belong to it: they are not set by hand.

    Args:
        name: Unique among migrations and flags.
        stages: At least one.

    Raises:
        FlagDeclarationError: No stage, or two of one name.
    """

    name: str
    stages: tuple[Stage, ...] = field()

    def __init__(self, name: str, stages: Iterable[Stage]) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "stages", tuple(stages))
        _check_name("Migration", name)
        names = [stage.name for stage in self.stages]
        if not names or len(set(names)) < len(names):
            raise FlagDeclarationError(
                f"Migration {name!r}: stages must be one or more, each of its own name; got {names!r}."
            )

    def position(self, stage: str) -> int | None:
        """How many stages are enabled at *stage*; None if there is none of that name."""
        if stage == START:
            return 0
        return next((i for i, one in enumerate(self.stages, 1) if one.name == stage), None)

    def next_stage(self, reached: int) -> str | None:
        """The one after the first *reached* stages; None after the last."""
        return self.stages[reached].name if reached < len(self.stages) else None

    def flags(self) -> frozenset[str]:
        """The flags that belong to it."""
        return frozenset(flag for stage in self.stages for flag in stage.sets)


class FlagSetting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A flag as a configuration writes it, when true, false or a percentage does not say all."""

    rollout: bool | float
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


FlagValue: TypeAlias = bool | float | FlagSetting
"""The type of one flag in the schema of a configuration: ``flags: dict[str, FlagValue]``."""


@dataclass(frozen=True, slots=True)
class Declared:
    """Everything that is declared, checked against one another.

    Attributes:
        flags: By name.
        migrations: By name.
        owners: The migration that a flag belongs to, by flag.
        configured: What the configuration says, by flag.
    """

    flags: Mapping[str, Flag]
    migrations: Mapping[str, Migration]
    owners: Mapping[str, str]
    configured: Mapping[str, FlagSetting]

    @classmethod
    def of(
        cls,
        flags: Iterable[Flag],
        migrations: Iterable[Migration],
        settings: Mapping[str, FlagValue],
    ) -> Declared:
        """Check and gather.

        Raises:
            FlagDeclarationError: With what is wrong.
        """
        by_name: dict[str, Flag] = {}
        for flag in flags:
            if flag.name in by_name:
                raise FlagDeclarationError(f"FeatureFlags: flag {flag.name!r} is declared twice.")
            by_name[flag.name] = flag
        owners: dict[str, str] = {}
        moved: dict[str, Migration] = {}
        for migration in migrations:
            name = migration.name
            if name in moved or name in by_name:
                raise FlagDeclarationError(
                    f"FeatureFlags: migration {name!r} must have a name of its own; it is taken."
                )
            moved[name] = migration
            for flag_name in sorted(migration.flags()):
                _check_known(flag_name, by_name, f"migration {name!r}")
                other = owners.setdefault(flag_name, name)
                if other != name:
                    raise FlagDeclarationError(
                        f"FeatureFlags: flag {flag_name!r} must belong to one migration; "
                        f"got {other!r} and {name!r}."
                    )
        return cls(by_name, moved, owners, {}).configured_by(settings)

    def configured_by(self, settings: Mapping[str, FlagValue]) -> Declared:
        """The same, with another configuration.

        Raises:
            FlagDeclarationError: It names a flag that is not declared, or a wrong value.
        """
        configured = settings_of(settings)
        for flag_name in configured:
            _check_known(flag_name, self.flags, "the settings")
        return replace(self, configured=configured)


def settings_of(settings: Mapping[str, FlagValue]) -> dict[str, FlagSetting]:
    """Each as a `FlagSetting`, checked.

    Raises:
        FlagDeclarationError: One of them is none.
    """
    if not isinstance(settings, Mapping):
        raise FlagDeclarationError(
            "FeatureFlags: settings must be values by the name of their flag; "
            f"got {safe_repr(settings, 200)}."
        )
    for name in settings:
        check_name("FeatureFlags", "a name in settings", name)
    return {name: _setting_of(name, value) for name, value in settings.items()}


def flag_problems(flags: Iterable[Flag], settings: Mapping[str, FlagValue]) -> dict[str, str]:
    """What is wrong with what a configuration says of flags, by flag; {} when nothing is.

    >>> flag_problems([Flag("new_router", default=False)], {"new_ruoter": True})
    {'new_ruoter': "is not a declared flag, did you mean 'new_router'?"}
    """
    known = [flag.name for flag in flags]
    problems: dict[str, str] = {}
    for name, value in settings.items():
        if name not in known:
            problems[name] = f"is not a declared flag{did_you_mean(name, known)}"
            continue
        try:
            _setting_of(name, value)
        except FlagDeclarationError as why:
            problems[name] = f"is refused: {why}"
    return problems


def _setting_of(flag: str, value: FlagValue) -> FlagSetting:
    setting = value if isinstance(value, FlagSetting) else FlagSetting(value)
    _check_rollout(f"FeatureFlags: settings: the rollout of {flag!r}", setting.rollout)
    for id in (*setting.allow, *setting.deny):
        if not is_text(id) or not id:
            raise FlagDeclarationError(
                f"FeatureFlags: settings: the ids of {flag!r} must be texts that are not empty; "
                f"got {safe_repr(id, 200)}."
            )
    return setting


def _check_known(flag: str, known: Mapping[str, Flag], where: str) -> None:
    if flag not in known:
        raise FlagDeclarationError(
            f"FeatureFlags: {where} must name declared flags; got {flag!r}{did_you_mean(flag, known)}"
        )


def _check_name(who: str, name: Any) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise FlagDeclarationError(
            f"{who}: name must begin with a letter, and be letters, digits, '_', '.' and '-'; got {name!r}."
        )


def _check_rollout(what: str, rollout: object) -> None:
    if percentage_of(rollout) is None:
        raise FlagDeclarationError(
            f"{what} must be true, false or a percentage from 0 to 100 in steps of 0.01; "
            f"got {safe_repr(rollout, 200)}."
        )
