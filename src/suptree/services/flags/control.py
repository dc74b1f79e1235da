"""`MigrationControl`: watches how the stages of migrations do, and gives up those that do badly.

Whoever runs the new path reports how it went, without waiting: `report`, and `restarted`.
When a `MigrationGuard` finds more errors, more restarts or longer response times than it
allows, the migration goes back by one stage; if that one does badly too, by another.  The
request is repeated until the stage has changed, so none is lost while `FeatureFlags` is down.

What was reported is lost when this server is started again: a window of a minute is full
again in a minute.

>>> guard = MigrationGuard(max_error_rate=0.05)
>>> control = await MigrationControl.start_link(flags, {"routing": guard})
>>> MigrationControl.report(control, "routing", ok=False, duration_s=0.2)
>>> await MigrationControl.readiness(control, "routing")
MigrationReadiness(ready=False, missing=('1 calls in 60 s; 20 say something',), ...)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from suptree.core import Table, check_delay, find_runtime
from suptree.errors import BadArgumentError, MailboxFullError, NoTableError
from suptree.otp import GenServer, ServerRef, call, cast
from suptree.services.flags.declared import START
from suptree.services.flags.errors import FlagDeclarationError, UnknownFlagError
from suptree.services.flags.events import GUARD_TRIPPED
from suptree.services.flags.reading import TABLE, migrations_of
from suptree.services.flags.server import FeatureFlags
from suptree.services.flags.standing import MigrationProgress
from suptree.services.flags.watch import MigrationGuard, Report, Watch
from suptree.services.parts.checks import check_count, check_flag, check_name, check_seconds

__all__ = ["MigrationStats", "MigrationControl", "MigrationReadiness"]

_LOOK: Final = "look"
_WHO: Final = "MigrationControl"


@dataclass(frozen=True, slots=True)
class MigrationReadiness:
    """Whether the next stage of a migration may be enabled.

    Attributes:
        ready: Whether it may.
        missing: What it still waits for, in words.
        report: What is known of the stage that it stands at.
    """

    ready: bool
    missing: tuple[str, ...]
    report: Report


@dataclass(frozen=True, slots=True)
class MigrationStats:
    """What a server has done since it started.

    Attributes:
        reports: Calls and restarts that were reported.
        unknown: Reports of migrations that have no guard; they count for nothing.
        tripped: Stages that were given up.
    """

    reports: int
    unknown: int
    tripped: int


class MigrationControl(GenServer):
    """Watches migrations.

    Args:
        flags: The `FeatureFlags` server that moves them; give its name, so that it is found
            after a restart.
        guards: When a stage is given up, by migration.
        table: The table of that server.
        look_every: Seconds between looks at what no report makes worse: a stage that
            was moved by hand, a request that was lost.

    Raises:
        FlagDeclarationError: A guard is none.
        ValueError: *look_every* is not above 0.
    """

    call_raises = (BadArgumentError,)

    def __init__(
        self,
        flags: ServerRef[FeatureFlags],
        guards: Mapping[str, MigrationGuard],
        *,
        table: str = TABLE,
        look_every: float = 1.0,
    ) -> None:
        check_delay("MigrationControl", "look_every", look_every, above_zero=True)
        for name, guard in guards.items():
            if not isinstance(guard, MigrationGuard):
                raise FlagDeclarationError(
                    f"MigrationControl: the guard of {name!r} must be a MigrationGuard; "
                    f"got {guard!r}."
                )
        self._flags = flags
        self._table = migrations_of(table)
        self._watches = {name: Watch(guard) for name, guard in guards.items()}
        self._seen: dict[str, MigrationProgress] = {}  # where each stood when we last looked
        self._asked: dict[
            str, MigrationProgress
        ] = {}  # where it stood when it was asked to go back
        self._reports = self._unknown = self._tripped = 0
        self.send_interval(look_every, _LOOK)

    def init(self) -> None:
        """See where every migration stands."""
        self._look()

    # -- reporting -------------------------------------------------------------------------

    @staticmethod
    def report(
        control: ServerRef[MigrationControl],
        migration: str,
        *,
        ok: bool,
        duration_s: float | None = None,
    ) -> None:
        """Say how a call on the path of a migration ended; does not wait.

        Args:
            control: The server.
            migration: Its name; one without a guard is counted in `stats`, and no error.
            ok: Whether it succeeded.
            duration_s: Seconds that it took, if it was timed.

        Raises:
            BadArgumentError: *duration_s* is no number of seconds, or another value is wrong.
        """
        check_name(_WHO, "migration", migration)
        check_flag(_WHO, "ok", ok)
        check_seconds(_WHO, "duration_s", duration_s, zero=True, optional=True)
        MigrationControl._record(control, migration, ok, duration_s)

    @staticmethod
    def restarted(control: ServerRef[MigrationControl], migration: str, count: int = 1) -> None:
        """Say that something on the path of a migration was restarted; does not wait.

        Raises:
            BadArgumentError: *count* is no whole number above 0, or *migration* no name.
        """
        check_name(_WHO, "migration", migration)
        check_count(_WHO, "count", count)
        MigrationControl._record_restarts(control, migration, count)

    @cast
    def _record(self, migration: str, ok: bool, duration_s: float | None) -> None:
        watch = self._watch(migration)
        if watch is not None:
            watch.record(ok, duration_s, self._now())
            self._judge(migration, watch)

    @cast
    def _record_restarts(self, migration: str, count: int) -> None:
        watch = self._watch(migration)
        if watch is not None:
            watch.restarted(count, self._now())
            self._judge(migration, watch)

    # -- asking ------------------------------------------------------------------------------

    @call(raises=UnknownFlagError)
    def readiness(self, migration: str) -> MigrationReadiness:
        """Whether the next stage of a migration may be enabled.

        Raises:
            UnknownFlagError: It has no guard.
        """
        check_name(_WHO, "migration", migration)
        watch = self._watches.get(migration)
        if watch is None:
            raise UnknownFlagError(migration, self._watches, "migration")
        self._follow(migration, watch)
        now = self._now()
        missing = tuple(watch.missing(now))
        return MigrationReadiness(not missing, missing, watch.report(now))

    @call
    def stats(self) -> MigrationStats:
        """What the server has done since it started."""
        return MigrationStats(self._reports, self._unknown, self._tripped)

    # -- watching ------------------------------------------------------------------------------

    def handle_info(self, message: Any) -> None:
        """Time to look."""
        if message == _LOOK:
            self._look()
        else:
            super().handle_info(message)

    def _look(self) -> None:
        for name, watch in self._watches.items():
            self._follow(name, watch)
            self._judge(name, watch, again=True)

    def _watch(self, migration: str) -> Watch | None:
        self._reports += 1
        watch = self._watches.get(migration)
        if watch is None:
            self._unknown += 1
        else:
            self._follow(migration, watch)
        return watch

    def _follow(self, migration: str, watch: Watch) -> None:
        """Begin anew if the migration has moved since we last looked, be it away and back."""
        progress, seen = self._progress(migration), self._seen.get(migration)
        if progress is None or progress is seen or progress == seen:
            return
        self._seen[migration] = progress
        *before, last = progress.history or (None,)
        came_from_here = seen is not None and before[-1:] == list(seen.history[-1:])
        forward = came_from_here and last is not None and last.kind == "advanced"
        watch.enter(progress.stage, self._now(), forward=forward)

    def _judge(self, migration: str, watch: Watch, *, again: bool = False) -> None:
        """Give the stage up if it does badly; what was asked before only *again*, at a look."""
        seen = self._seen.get(migration)
        if seen is None or seen.stage == START:
            return
        asked = self._asked.get(migration) is seen
        reason = watch.verdict(self._now()) if again or not asked else None
        if reason is None:
            return
        if not asked:
            self._asked[migration] = seen
            self._tripped += 1
            known = watch.report(self._now())
            numbers = {
                "calls_count": known.calls,
                "failures_count": known.failures,
                "restarts_count": known.restarts,
            }
            facts = {"migration": migration, "stage": seen.stage, "reason": reason}
            find_runtime("MigrationControl").telemetry.emit(GUARD_TRIPPED, numbers, facts)
        try:
            FeatureFlags.give_up(self._flags, migration, seen, reason)
        except MailboxFullError:  # it is asked again at the next look, as one that was lost is
            return

    def _progress(self, migration: str) -> MigrationProgress | None:
        try:
            found: MigrationProgress | None = Table.lookup(self._table).get(migration)
        except NoTableError:  # the server of the flags is being started again
            return None
        return found

    def _now(self) -> float:
        return find_runtime("MigrationControl").now()
