"""`Checklist`: what a `HealthMonitor` looks at, how each of it is, and the verdict on all."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, MutableMapping
from itertools import count
from sys import maxsize
from typing import Any, Final

from suptree.core import (
    Pid,
    Ref,
    Table,
    demonitor,
    find_runtime,
    monitor,
)
from suptree.otp import GenServer
from suptree.services.monitoring.checks import (
    CheckRecord,
    CheckStatus,
    HealthCheck,
)
from suptree.services.monitoring.entries import Entry, Forced
from suptree.services.monitoring.errors import (
    UnknownCheckError,
    WatchError,
    wrong,
)
from suptree.services.monitoring.events import (
    AGENT_HEALTH_CHANGED,
    CHECK_FINISHED,
    VERDICT_CHANGED,
)
from suptree.services.monitoring.health import Health, Track
from suptree.services.monitoring.jobs import Jobs
from suptree.services.monitoring.lanes import Lanes
from suptree.services.monitoring.verdict import Judged, Verdict, Weights, judge
from suptree.services.monitoring.watch import check_part, check_seconds
from suptree.services.parts.alarm import Alarm
from suptree.services.parts.checks import checked_all
from suptree.services.parts.deadlines import Deadlines
from suptree.services.parts.owners import Owners

__all__ = ["Checklist"]

_SPACE: Final = "health"


class Checklist(GenServer):
    """The registered checks; see `HealthMonitor` for the arguments."""

    def __init__(
        self,
        checks: Iterable[HealthCheck] = (),
        *,
        table: str | None = None,
        max_concurrency: int = 64,
        max_checks: int = 10_000,
        history: int = 20,
        jitter: float = 0.1,
        keep_dead: float = 300.0,
        max_dead: int = 100,
    ) -> None:
        for name, value in (
            ("max_concurrency", max_concurrency),
            ("max_checks", max_checks),
            ("history", history),
            ("max_dead", max_dead),
        ):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise wrong("HealthMonitor", name, "a whole number, 1 or more", value)
        check_part("HealthMonitor", "jitter", jitter)
        check_seconds("HealthMonitor", "keep_dead", keep_dead)
        self._max_checks, self._history, self._jitter = max_checks, history, jitter
        self._keep_dead, self._max_dead = keep_dead, max_dead
        self._entries: dict[str, Entry] = {}
        self._by_number: dict[int, Entry] = {}
        self._by_ref: dict[Ref, Entry] = {}
        self._dead: dict[int, Entry] = {}  # in order of death
        self._numbers = count()
        self._agenda: Deadlines[Entry] = Deadlines()
        self._queue: Lanes[int] = Lanes(max_concurrency)
        self._jobs = Jobs(self)
        self._owners: Owners[int] = Owners()
        self._alarm = Alarm(self)
        self._weights = Weights()
        self._health = Health.UNKNOWN  # the verdict that was told last
        self._looks: int = 0
        self._timeouts: int = 0
        self._deaths: int = 0
        self._forgotten = self._verdicts = 0
        self._bus = find_runtime("HealthMonitor").telemetry
        self._finished = self._bus.slot(CHECK_FINISHED)
        self._kept: MutableMapping[str, tuple[HealthCheck, Pid[Any] | None]] = {}
        if table is not None:
            self._kept = Table.lookup(table).setdefault(_SPACE, {})
        self._first = {**_by_name(checks), **self._kept}.values()

    # -- checks come and go ------------------------------------------------------------------

    def _add(self, spec: HealthCheck, owner: Pid[Any] | None) -> None:
        due = find_runtime("HealthMonitor").now()
        due += spec.interval * self._jitter * random.random()
        history: deque[CheckRecord] = deque(maxlen=min(self._history, maxsize))
        entry = Entry(next(self._numbers), spec, owner, history, due)
        self._entries[spec.name] = self._by_number[entry.number] = entry
        if owner is not None:
            self._owners.add(owner, entry.number)
        self._agenda.set(entry, due)
        self._weights.add(entry.track.health, spec.critical)
        if isinstance(spec.process, Pid):
            self._bind(entry, spec.process)

    def _remove(self, entry: Entry) -> None:
        del self._entries[entry.spec.name], self._by_number[entry.number]
        self._kept.pop(entry.spec.name, None)
        self._dead.pop(entry.number, None)
        self._agenda.clear(entry)
        self._drop(entry)
        self._weights.remove(entry.track.health, entry.spec.critical)
        if entry.owner is not None:
            self._owners.discard(entry.owner, entry.number)
        self._ended(entry)

    def _bind(self, entry: Entry, pid: Pid[Any]) -> None:
        entry.pid = pid
        entry.ref = monitor(pid)
        self._by_ref[entry.ref] = entry

    def _drop(self, entry: Entry) -> None:
        """End the look that waits or is under way, and the watch of the process."""
        self._queue.leave(entry.number)
        self._jobs.cancel(entry.look)
        if entry.ref is not None:
            del self._by_ref[entry.ref]
            demonitor(entry.ref, flush=True)
            entry.turn += 1
        entry.pid = entry.ref = None

    def _known(self, name: str) -> Entry:
        entry = self._entries.get(name)
        if entry is None:
            raise UnknownCheckError(name, self._entries)
        return entry

    def _status_of(self, entry: Entry) -> CheckStatus:
        return entry.status(stuck=self._jobs.is_stuck(entry.look))

    def _statuses(self, name: str | None) -> dict[str, CheckStatus]:
        """Of the check of that name, or of all."""
        entries = self._entries.values() if name is None else [self._known(name)]
        return {entry.spec.name: self._status_of(entry) for entry in entries}

    def _ended(self, entry: Entry) -> None:
        """A look has ended, or never will: tell those who waited for it."""
        forced, entry.forced = entry.forced, []
        for one in forced:
            one.left.discard(entry.number)
            if not one.left:
                self._answer(one)

    def _answer(self, forced: Forced) -> None:
        try:
            statuses = self._statuses(forced.name)
        except UnknownCheckError as error:  # it was unregistered meanwhile
            self.reply_error(forced.reply_to, error)
        else:
            self.reply(forced.reply_to, statuses)

    def _move(self, entry: Entry, track: Track) -> None:
        before, entry.track = entry.track, track
        if track.health is not before.health:
            facts = {"health": track.health, "previous": before.health, "reason": track.reason}
            self._bus.emit(
                AGENT_HEALTH_CHANGED,
                {"changes_count": track.changes},
                {"monitor": self.pid, "subject": entry.spec.name, **facts},
            )
            self._weights.remove(before.health, entry.spec.critical)
            self._weights.add(track.health, entry.spec.critical)
            self._judge()

    def _forget(self, entry: Entry) -> None:
        self._forgotten += 1
        self._remove(entry)
        self._judge()

    # -- the verdict -------------------------------------------------------------------------

    def _judge(self) -> None:
        """Tell whoever listens, if the verdict is another one."""
        before, self._health = self._health, self._weights.health
        if self._health is before:
            return
        self._verdicts += 1
        event = self._bus.slot(VERDICT_CHANGED)
        if event.handlers:
            found = self._judged()
            facts = {"monitor": self.pid, "health": found.health, "reasons": found.reasons}
            counted = {"checks_count": len(self._entries)}
            event.emit(counted, {**facts, "previous": before})

    def _judged(self) -> Verdict:
        return judge(
            Judged(entry.spec.name, entry.track.health, entry.spec.critical, entry.track.reason)
            for entry in self._entries.values()
        )


def _by_name(checks: Iterable[HealthCheck]) -> dict[str, tuple[HealthCheck, Pid[Any] | None]]:
    found: dict[str, tuple[HealthCheck, Pid[Any] | None]] = {}
    for spec in checked_all("HealthMonitor", "checks", checks, HealthCheck):
        if spec.name in found:
            got = f"{spec.name!r} twice"
            raise WatchError("HealthMonitor", "checks", "of one name each", got)
        found[spec.name] = spec, None
    return found
