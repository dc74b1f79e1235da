"""How everybody looks at flags: in the tables of the server, without a message."""

from __future__ import annotations

from typing import Any, Final

from suptree.core import Table, find_runtime
from suptree.services.flags.errors import FlagsNotRunningError, UnknownFlagError
from suptree.services.flags.events import FLAG_EVALUATED
from suptree.services.flags.standing import FlagState, MigrationProgress
from suptree.services.parts.checks import check_name

__all__ = ["TABLE", "FlagReading", "migrations_of"]

TABLE: Final = "feature_flags"


class FlagReading:
    """The part of `FeatureFlags` that sends no message."""

    __slots__ = ()

    @staticmethod
    def enabled(
        flag: str, agent: str | None = None, *, table: str = TABLE, fallback: bool | None = None
    ) -> bool:
        """Whether a flag is on for *agent*; sends no message.

        Args:
            flag: Its name.
            agent: An id, of an agent or of whatever else is served; None: for everybody.
            table: The server's.
            fallback: The answer while the server is being started again; None: raise.

        Raises:
            UnknownFlagError: It is not declared.
            FlagsNotRunningError: No such server runs, and there is no *fallback*.
        """
        runtime = find_runtime("FeatureFlags.enabled")
        flags: Table[str, FlagState] | None = runtime.tables.get(table)
        if flags is None:
            if fallback is None:
                raise FlagsNotRunningError(table)
            return fallback
        try:
            state = flags[flag]
        except (KeyError, TypeError):
            check_name("FeatureFlags", "flag", flag)
            raise UnknownFlagError(flag, flags) from None
        on = state.is_on(agent)
        slot = runtime.telemetry.slot(FLAG_EVALUATED)
        if slot.handlers:
            slot.emit({"count": 1}, {"flag": flag, "agent": agent, "on": on})
        return on

    @staticmethod
    def state(flag: str, *, table: str = TABLE) -> FlagState:
        """A flag as it stands; raises as `enabled` does."""
        check_name("FeatureFlags", "flag", flag)
        flags: Table[str, FlagState] = _shown(table)
        if flag not in flags:
            raise UnknownFlagError(flag, flags)
        return flags[flag]

    @staticmethod
    def list_all(*, table: str = TABLE) -> dict[str, FlagState]:
        """Every flag as it stands, in the order in which they were declared."""
        return dict(_shown(table))

    @staticmethod
    def progress(migration: str, *, table: str = TABLE) -> MigrationProgress:
        """How far a migration is, with its last moves; raises as `enabled` does."""
        check_name("FeatureFlags", "migration", migration)
        migrations: Table[str, MigrationProgress] = _shown(table, migrations_of(table))
        if migration not in migrations:
            raise UnknownFlagError(migration, migrations, "migration")
        return migrations[migration]


def _shown(table: str, part: str | None = None) -> Table[str, Any]:
    found: Table[str, Any] | None = find_runtime("FeatureFlags").tables.get(
        table if part is None else part
    )
    if found is None:
        raise FlagsNotRunningError(table)
    return found


def migrations_of(table: str) -> str:
    """The name of the table of migrations that goes with *table*."""
    return f"{table}.migrations"
