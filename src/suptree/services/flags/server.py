"""`FeatureFlags`: flags that are switched while the system runs, and migrations in stages.

Reading sends no message: `FeatureFlags.enabled("new_router", agent_id)` looks into a
table.  Every change goes through the server, one at a time: it is put into the store, then
it holds, then subscribers and telemetry hear of it.  What was set so survives a restart of
the server, with the store that it is given; what was not set is as it is declared.

>>> server = await FeatureFlags.start_link([Flag("new_router", default=False)], store=MemoryStore())
>>> FeatureFlags.enabled("new_router", "agent-7")
False
>>> await FeatureFlags.set_percentage(server, "new_router", 25)
>>> await FeatureFlags.allow(server, "new_router", ["agent-7"])
>>> FeatureFlags.enabled("new_router", "agent-7")
True

Refused: names that are not declared, with the near one; a flag that belongs to a
migration, whose stages move it; stages out of order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, Literal

from suptree.clock import wall_clock
from suptree.core import Table, check_delay, find_runtime
from suptree.errors import BadArgumentError, NotInProcessError
from suptree.otp import GenServer, ServerRef, call, cast
from suptree.services.flags.declared import (
    START,
    Declared,
    Flag,
    FlagValue,
    Migration,
    settings_of,
)
from suptree.services.flags.errors import FlagError, UnknownFlagError
from suptree.services.flags.events import (
    FLAG_CHANGED,
    MIGRATION_ADVANCED,
    MIGRATION_ROLLED_BACK,
)
from suptree.services.flags.messages import FlagChanged, FlagStats, MigrationMoved
from suptree.services.flags.reading import TABLE, FlagReading, migrations_of
from suptree.services.flags.rules import Flags
from suptree.services.flags.standing import FlagState, MigrationProgress, Standing
from suptree.services.parts.checks import (
    bad_argument,
    check_count,
    check_kind,
    check_name,
    check_text,
)
from suptree.services.parts.store import Store, checked_store
from suptree.services.parts.subscribers import Subscribers

__all__ = ["TABLE", "FeatureFlags", "FlagChanged", "FlagStats", "MigrationMoved", "migrations_of"]

EVERYTHING: Final = ""
_WHO: Final = "FeatureFlags"
_STANDING: Final = "standing"
_NONE: Final[Mapping[str, FlagValue]] = {}


class FeatureFlags(FlagReading, GenServer):
    """Holds flags and migrations.

    Args:
        flags: Those that there are.
        migrations: Those that move them together.
        settings: What a configuration says, over the defaults and under what is set.
        store: Keeps what is set; None: it is lost with the server.
        space: The server's space in the store.
        table: The name of the table that is read from, unique in the runtime.
        max_ids: How many ids the lists of one flag may hold together.
        store_timeout: Seconds that the store may take; then the server ends, and starts again
            with what the store has.

    Raises:
        FlagDeclarationError: They do not fit together.
        FlagStateError: What is in the store cannot be used; nothing starts then.
    """

    call_raises = (FlagError, BadArgumentError, NotInProcessError)

    def __init__(
        self,
        flags: Iterable[Flag],
        *,
        migrations: Iterable[Migration] = (),
        settings: Mapping[str, FlagValue] = _NONE,
        store: Store | None = None,
        space: str = "flags",
        table: str = TABLE,
        max_ids: int = 10_000,
        store_timeout: float = 5.0,
    ) -> None:
        check_count("FeatureFlags", "max_ids", max_ids)
        check_delay("FeatureFlags", "store_timeout", store_timeout, above_zero=True)
        self._rules = Flags(Declared.of(flags, migrations, settings), max_ids)
        self._standing = Standing()
        self._store = checked_store("FeatureFlags", store)
        self._space = space
        self._store_timeout = store_timeout
        self._table_name = table
        self._subscribers = Subscribers()
        self._changed = self._refused = 0

    async def init(self) -> None:
        """Take back what was set before."""
        if self._store is not None:
            async with asyncio.timeout(self._store_timeout):
                kept = await self._store.load(self._space)
            if _STANDING in kept:
                self._standing = Standing.from_plain(kept[_STANDING])
                self._rules.check(self._standing)
        # The tables come last: whoever finds them finds what was set.
        self._flags: Table[str, FlagState] = Table(self._table_name)
        self._migrations: Table[str, MigrationProgress] = Table(migrations_of(self._table_name))
        self._show()

    # -- flags -------------------------------------------------------------------------------

    @call
    async def set(self, flag: str, rollout: bool | float) -> FlagState:
        """Say how far a flag is on: true, false, or a percentage.

        Returns:
            The flag as it stands now.

        Raises:
            UnknownFlagError: It is not declared.
            FlagOwnedError: It belongs to a migration.
            FlagValueError: *rollout* is none of these.
        """
        return await self._change(
            flag, lambda now: self._rules.set(self._standing, flag, rollout, now)
        )

    @call
    async def enable(self, flag: str) -> FlagState:
        """Switch a flag on for everybody; see `set`."""
        return await self._change(
            flag, lambda now: self._rules.set(self._standing, flag, True, now)
        )

    @call
    async def disable(self, flag: str) -> FlagState:
        """Switch a flag off, but for the ids that are allowed it; see `set`."""
        return await self._change(
            flag, lambda now: self._rules.set(self._standing, flag, False, now)
        )

    @call
    async def set_percentage(self, flag: str, percentage: float) -> FlagState:
        """Switch a flag on for so many of a hundred ids, 0 to 100 in steps of 0.01; see `set`."""
        return await self._change(
            flag, lambda now: self._rules.set_percentage(self._standing, flag, percentage, now)
        )

    @call
    async def allow(self, flag: str, ids: Collection[str]) -> FlagState:
        """Switch a flag on for these ids, whatever its percentage.

        Raises:
            UnknownFlagError: It is not declared.
            FlagListFullError: Its lists would be too long; nothing was added.
            FlagValueError: An id is no text.
        """
        return await self._list(flag, ids, "allow")

    @call
    async def deny(self, flag: str, ids: Collection[str]) -> FlagState:
        """Switch a flag off for these ids, whatever else holds; raises as `allow` does."""
        return await self._list(flag, ids, "deny")

    @call
    async def unlist(self, flag: str, ids: Collection[str]) -> FlagState:
        """Take these ids from both lists; those that are on none are no error."""
        return await self._list(flag, ids, None)

    @call
    async def reset(self, flag: str) -> FlagState:
        """Forget what was set of a flag: it is as configured, or as declared."""
        return await self._change(flag, lambda now: self._rules.reset(self._standing, flag))

    @call
    async def reset_all(self) -> None:
        """Forget what was set of every flag; migrations stay at their stages."""
        await self._commit(lambda now: self._rules.reset_all(self._standing))

    @call
    async def load(self, settings: Mapping[str, FlagValue]) -> None:
        """Set several flags, their lists included, from a configuration: all of them, or none.

        Raises:
            FlagError: As `set` and `allow`, or a setting is written wrongly; nothing changed.
        """
        await self._commit(lambda now: self._rules.load(self._standing, settings_of(settings), now))

    # -- migrations ----------------------------------------------------------------------------

    @call
    async def advance(self, migration: str, stage: str) -> MigrationProgress:
        """Enable the next stage of a migration, by its name.

        Raises:
            StageOrderError: *stage* is not the next one.
            UnknownFlagError: There is no such migration or stage.
        """
        by = self._by()
        return await self._move(
            migration, lambda now: self._rules.advance(self._standing, migration, stage, by, now)
        )

    @call
    async def rollback(
        self, migration: str, to: str = START, reason: str = ""
    ) -> MigrationProgress:
        """Go back to an earlier stage; "" is the start, before the first one.

        Raises:
            StageOrderError: *to* is not earlier.
            UnknownFlagError: There is no such migration or stage.
        """
        by = self._by()
        return await self._move(
            migration,
            lambda now: self._rules.roll_back(
                self._standing, migration, "rollback", to, reason, by, now
            ),
        )

    @call
    async def emergency_rollback(
        self, reason: str, migration: str | None = None
    ) -> dict[str, MigrationProgress]:
        """Go back to the start, of one migration or of all; no id stays allowed its flags.

        Args:
            reason: Why; it is remembered.
            migration: Its name; None: all that have begun.

        Returns:
            Those that went back, as they stand now.

        Raises:
            FlagValueError: There is no reason.
            UnknownFlagError: There is no such migration.
        """
        by = self._by()
        names: list[str] = []

        def decide(now: float) -> Standing:
            check_text(_WHO, "reason", reason)
            if not reason.strip():
                raise bad_argument(_WHO, "reason", "in words, for an emergency", reason)
            standing = self._standing
            names.extend(self._rules.to_undo(standing) if migration is None else [migration])
            for name in names:
                standing = self._rules.roll_back(
                    standing, name, "emergency", START, reason, by, now
                )
            return standing

        await self._commit(decide, by)
        return {name: self._rules.progress(self._standing, name) for name in names}

    @staticmethod
    def give_up(
        server: ServerRef[FeatureFlags], migration: str, seen: MigrationProgress, reason: str
    ) -> None:
        """Go back by one stage, if the migration still stands as it was *seen*: a guard's request.

        Raises:
            BadArgumentError: A wrong value.
        """
        check_name(_WHO, "migration", migration)
        check_kind(_WHO, "seen", seen, MigrationProgress, "a MigrationProgress")
        check_text(_WHO, "reason", reason)
        FeatureFlags._give_up(server, migration, seen, reason)

    @cast
    async def _give_up(self, migration: str, seen: MigrationProgress, reason: str) -> None:
        known = migration in self._rules.declared.migrations
        if not known or seen.stage == START or self._migrations[migration] != seen:
            return
        to = self._rules.previous(self._standing, migration)
        now = wall_clock()
        new = self._rules.roll_back(
            self._standing, migration, "automatic", to, reason, "guard", now
        )
        await self._hold(new, "guard")

    # -- subscribing -----------------------------------------------------------------------------

    @call
    def subscribe(self, name: str = EVERYTHING) -> None:
        """Have the caller told of changes, as `FlagChanged` and `MigrationMoved`, until it ends.

        Args:
            name: Of a flag or a migration; "" is all of them.

        Raises:
            UnknownFlagError: Neither is declared.
            NotInProcessError: The caller is no process.
        """
        pid = self.sender.pid
        with self._refusals():
            if pid is None:
                raise NotInProcessError("FeatureFlags.subscribe: only a process subscribes.")
            check_text(_WHO, "name", name)
            known = (*self._rules.declared.flags, *self._rules.declared.migrations)
            if name != EVERYTHING and name not in known:
                raise UnknownFlagError(name, known)
        self._subscribers.add(pid, name)

    @call
    def unsubscribe(self, name: str = EVERYTHING) -> None:
        """End the caller's subscription to *name*; no error if there is none."""
        check_text(_WHO, "name", name)
        pid = self.sender.pid
        if pid is not None:
            self._subscribers.discard(pid, name)

    @call
    def stats(self) -> FlagStats:
        """What the server knows of itself."""
        states = self._flags.values()
        return FlagStats(
            len(self._flags),
            self._changed,
            self._refused,
            self._subscribers.told,
            self._subscribers.lost,
            len(self._subscribers),
            tuple(s.name for s in states if not s.is_on() and (s.percentage > 0 or s.allow)),
            tuple(s.name for s in states if s.percentage <= 0 and not s.allow),
            self._rules.undeclared(self._standing),
        )

    def handle_info(self, message: object) -> None:
        """The end of a subscriber."""
        if not self._subscribers.gone(message):
            super().handle_info(message)

    # -- other settings ----------------------------------------------------------------------------

    @call
    def reconfigure(self, *, settings: Mapping[str, FlagValue]) -> None:
        """Have another configuration say how far flags are on: over the defaults, under what is set.

        Args:
            settings: All that it says; what the one before said holds no more.

        Raises:
            FlagDeclarationError: It names a flag that is not declared, or a wrong value; nothing
                was changed.
        """
        declared = self._rules.declared.configured_by(settings)
        self._rules = replace(self._rules, declared=declared)
        self._show_changes("configuration")

    # -- changing ----------------------------------------------------------------------------------

    async def _change(self, flag: str, decide: Callable[[float], Standing]) -> FlagState:
        await self._commit(decide)
        return self._flags[flag]

    async def _list(
        self, flag: str, ids: Collection[str], to: Literal["allow", "deny", None]
    ) -> FlagState:
        return await self._change(
            flag, lambda now: self._rules.list_ids(self._standing, flag, ids, to)
        )

    async def _move(self, migration: str, decide: Callable[[float], Standing]) -> MigrationProgress:
        await self._commit(decide)
        return self._migrations[migration]

    async def _commit(self, decide: Callable[[float], Standing], by: str | None = None) -> None:
        """Decide, keep, and let it hold; a refusal is raised before anything has changed."""
        asked_by = self._by() if by is None else by
        with self._refusals():
            new = decide(wall_clock())
        await self._hold(new, asked_by)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Count what the block refuses."""
        try:
            yield
        except self.call_raises:
            self._refused += 1
            raise

    async def _hold(self, new: Standing, by: str) -> None:
        old = self._standing
        if new == old:
            return
        if self._store is not None:
            async with asyncio.timeout(self._store_timeout):
                await self._store.put(self._space, _STANDING, new.to_plain())
        self._standing = new
        self._show_changes(by)
        for name in self._rules.declared.migrations:
            progress = self._rules.progress(new, name)
            if progress is not self._rules.progress(old, name):
                self._migration_moved(name, progress)

    def _show_changes(self, by: str) -> None:
        before = dict(self._flags)
        self._show()
        for name, was in before.items():
            now = self._flags[name]
            if (was.percentage, was.allow, was.deny) != (now.percentage, now.allow, now.deny):
                self._flag_changed(was, now, by)

    def _show(self) -> None:
        """Bring the tables up to date."""
        for name, state in self._rules.view(self._standing).items():
            if self._flags.get(name) != state:
                self._flags[name] = state
        for name in self._rules.declared.migrations:
            self._migrations[name] = self._rules.progress(self._standing, name)

    # -- telling -----------------------------------------------------------------------------------

    def _flag_changed(self, old: FlagState, new: FlagState, by: str) -> None:
        self._changed += 1
        self._subscribers.tell(FlagChanged(new.name, old, new), EVERYTHING, new.name)
        facts = {"flag": new.name, "old": old, "new": new, "by": by}
        find_runtime("FeatureFlags").telemetry.emit(FLAG_CHANGED, {"count": 1}, facts)

    def _migration_moved(self, name: str, progress: MigrationProgress) -> None:
        move = progress.history[-1]
        self._subscribers.tell(MigrationMoved(name, move), EVERYTHING, name)
        numbers = {"stage_count": self._rules.declared.migrations[name].position(move.new) or 0}
        facts = {"migration": name, "old": move.old, "new": move.new, "by": move.by}
        telemetry = find_runtime("FeatureFlags").telemetry
        if move.kind == "advanced":
            telemetry.emit(MIGRATION_ADVANCED, numbers, facts)
        else:
            more = {"kind": move.kind, "reason": move.reason}
            telemetry.emit(MIGRATION_ROLLED_BACK, numbers, facts | more)

    def _by(self) -> str:
        pid = self.sender.pid
        return "" if pid is None else str(pid)
