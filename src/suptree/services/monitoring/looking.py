"""The looks of a `HealthMonitor`: when, how many at a time, what they find, and what follows.

The half of the server that no client calls; `health_monitor.py` is the other one.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from suptree.clock import wall_clock
from suptree.core import (
    NOPROC,
    Down,
    Pid,
    Ref,
    Table,
    Timer,
    demonitor,
    find_runtime,
    monitor,
    safe_repr,
)
from suptree.otp import GenServer
from suptree.services.monitoring.checks import (
    CheckRecord,
    HealthCheck,
)
from suptree.services.monitoring.entries import Entry, Look
from suptree.services.monitoring.errors import (
    UnknownCheckError,
    WatchError,
)
from suptree.services.monitoring.events import (
    AGENT_DIED,
    AGENT_HEALTH_CHANGED,
    CHECK_ABANDONED,
    CHECK_FINISHED,
    CHECK_SUSPENDED,
    VERDICT_CHANGED,
)
from suptree.services.monitoring.health import Finding, Health, Track, finding_of
from suptree.services.monitoring.jobs import Abandoned, Done, Freed, JobNews, Jobs
from suptree.services.monitoring.lanes import Lanes
from suptree.services.monitoring.verdict import Judged, Verdict, Weights, judge
from suptree.services.monitoring.watch import Target, answers, check_seconds
from suptree.services.parts.deadlines import NEVER, Deadlines
from suptree.services.parts.owners import Owners

__all__ = ["Looking"]

_SPACE: Final = "health"
_AGAIN_S: Final = 1.0  # until a name that nobody has is looked for again


@dataclass(frozen=True, slots=True)
class _Due:
    """The timer message: something is on the agenda."""


class Looking(GenServer):
    """The process side of `HealthMonitor`, which documents the arguments."""

    def __init__(
        self,
        checks: Iterable[HealthCheck] = (),
        *,
        table: str | None = None,
        max_concurrent: int = 64,
        max_checks: int = 10_000,
        history: int = 20,
        jitter: float = 0.1,
        keep_dead: float = 300.0,
        max_dead: int = 100,
    ) -> None:
        for name, value in (
            ("max_concurrent", max_concurrent),
            ("max_checks", max_checks),
            ("history", history),
            ("max_dead", max_dead),
        ):
            if value < 1:
                raise WatchError(f"HealthMonitor: {name} must be 1 or more; got {value!r}.")
        if not 0 <= jitter <= 1:
            raise WatchError(f"HealthMonitor: jitter must be from 0 to 1; got {jitter!r}.")
        check_seconds("HealthMonitor", "keep_dead", keep_dead)
        self._max_checks, self._history, self._jitter = max_checks, history, jitter
        self._keep_dead, self._max_dead = keep_dead, max_dead
        self._entries: dict[str, Entry] = {}
        self._by_number: dict[int, Entry] = {}
        self._by_ref: dict[Ref, Entry] = {}
        self._dead: dict[int, Entry] = {}  # in order of death
        self._numbers = count()
        self._agenda: Deadlines[Entry] = Deadlines()
        self._queue: Lanes[int] = Lanes(max_concurrent)
        self._jobs = Jobs(self)
        self._owners: Owners[int] = Owners()
        self._timer: tuple[float, Timer] | None = None
        self._weights = Weights()
        self._health = Health.UNKNOWN  # the verdict that was told last
        self._looks = self._timeouts = self._deaths = self._forgotten = self._verdicts = 0
        self._bus = find_runtime("HealthMonitor").telemetry
        self._finished = self._bus.slot(CHECK_FINISHED)
        self._kept: MutableMapping[str, tuple[HealthCheck, Pid[Any] | None]] = {}
        if table is not None:
            self._kept = Table.lookup(table).setdefault(_SPACE, {})
        self._first = {**_by_name(checks), **self._kept}.values()

    def init(self) -> None:
        """Take up what is configured, and what was registered before a restart."""
        for spec, owner in self._first:
            self._add(spec, owner)
        self._judge()
        self._arm()

    # -- checks come and go ------------------------------------------------------------------

    def _add(self, spec: HealthCheck, owner: Pid[Any] | None) -> None:
        due = find_runtime("HealthMonitor").now()
        due += spec.interval * self._jitter * random.random()
        history: deque[CheckRecord] = deque(maxlen=self._history)
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

    def _forced_answer(self, name: str | None) -> Any:
        if name is None:
            return {
                name: entry.status(stuck=self._jobs.is_stuck(entry.look))
                for name, entry in self._entries.items()
            }
        entry = self._entries.get(name)
        return (
            self._unknown(name)
            if entry is None
            else entry.status(stuck=self._jobs.is_stuck(entry.look))
        )

    def _ended(self, entry: Entry) -> None:
        """A look has ended, or never will: tell those who waited for it."""
        forced, entry.forced = entry.forced, []
        for one in forced:
            one.left.discard(entry.number)
            if not one.left:
                self.reply(one.reply_to, self._forced_answer(one.name))

    # -- messages --------------------------------------------------------------------------

    def handle_info(self, message: object) -> None:
        """Looks are due or have ended, or a process has."""
        match message:
            case _Due():
                self._timer = None
                self._due()
            case JobNews():
                self._told(message)
            case Down(ref=ref, reason=reason) if ref in self._by_ref:
                self._died(self._by_ref[ref], reason)
            case Down():
                for number in self._owners.gone(message):
                    self._remove(self._by_number[number])
                self._judge()
            case _:
                super().handle_info(message)
        self._pump()
        self._arm()

    def _due(self) -> None:
        now = find_runtime("HealthMonitor").now()
        while (entry := self._agenda.take_due(now)) is not None:
            if entry.gone:
                self._forget(entry)
            else:
                after = entry.grid + entry.spec.interval
                if after <= now:  # the clock jumped: no looks for the time that is lost
                    after = now + entry.spec.interval
                self._schedule(entry, after)
                self._begin(entry)

    def _schedule(self, entry: Entry, due: float) -> None:
        entry.grid = due
        self._agenda.set(entry, due)

    def _begin(self, entry: Entry) -> None:
        """Look, as soon as there is a place; a look that hangs on counts as no answer."""
        if entry.spec.process is not None and not isinstance(entry.spec.process, Pid):
            self._follow(entry, entry.spec.process)
            if entry.pid is None:
                self._ended(entry)
                return
        if self._jobs.is_stuck(entry.look):
            found = Finding(Health.UNRESPONSIVE, "its last check is still running")
            self._observe(entry, found, 0.0)
        elif not self._jobs.is_running(entry.look):
            self._queue.put(entry.number, slow=entry.hung)
            self._pump()

    def _pump(self) -> None:
        while (number := self._queue.take()) is not None:
            entry = self._by_number[number]
            spec, timeout = entry.spec, entry.spec.timeout
            entry.looks += 1
            if spec.process is None:
                assert spec.check is not None
                self._jobs.start(entry.look, spec.check, timeout=timeout)
            elif spec.check is None:
                self._jobs.start(entry.look, answers, entry.pid, timeout=timeout, patient=True)
            else:
                self._jobs.start(entry.look, spec.check, entry.pid, timeout=timeout)

    def _told(self, news: JobNews) -> None:
        match self._jobs.told(news):
            case Done(key=Look(number)) as done:
                self._queue.leave(number)
                self._looked(self._by_number[number], done)
            case Freed(key=Look(number) as look, late=True):
                entry = self._by_number.get(number)
                if entry is not None and entry.look == look and not entry.gone:
                    self._begin(entry)  # an answer at last: what does it say now?
            case Abandoned(key=Look(number)):
                entry = self._by_number.get(number)
                subject = "a check that is gone" if entry is None else entry.spec.name
                facts = {"monitor": self.pid, "subject": subject}
                counted = {"abandoned_count": self._jobs.abandoned_count}
                self._bus.emit(CHECK_ABANDONED, counted, facts)
            case _:
                return

    def _looked(self, entry: Entry, done: Done) -> None:
        entry.hung = done.timed_out
        if done.timed_out:
            self._timeouts += 1
            text = f"no answer within {entry.spec.timeout:g} s"
            self._observe(entry, Finding(Health.UNRESPONSIVE, text), done.took_s)
        elif done.error:
            self._observe(entry, Finding(Health.UNHEALTHY, done.error), done.took_s)
        else:
            self._observe(entry, finding_of(done.value), done.took_s)

    def _observe(self, entry: Entry, found: Finding, took_s: float) -> None:
        self._looks += 1
        entry.last = found
        entry.history.append(CheckRecord(wall_clock(), found.health, found.reason, took_s))
        if self._finished.handlers:
            facts = {"monitor": self.pid, "subject": entry.spec.name}
            self._finished.emit(
                {"duration_s": took_s}, {**facts, "status": found.health, "reason": found.reason}
            )
        self._move(entry, entry.track.observe(found, entry.spec.thresholds))
        self._suspend(entry)
        self._ended(entry)

    def _move(self, entry: Entry, track: Track) -> None:
        before, entry.track = entry.track, track
        if track.health is not before.health:
            facts = {"health": track.health, "previous": before.health, "reason": track.reason}
            self._bus.emit(
                AGENT_HEALTH_CHANGED,
                {"changes_count": track.changes_count},
                {"monitor": self.pid, "subject": entry.spec.name, **facts},
            )
            self._weights.remove(before.health, entry.spec.critical)
            self._weights.add(track.health, entry.spec.critical)
            self._judge()

    def _suspend(self, entry: Entry) -> None:
        """Give one that fails again and again a longer pause than its interval."""
        if not entry.is_suspended:
            return
        pause, failures = entry.spec.suspend_for, entry.track.failures
        self._schedule(entry, find_runtime("HealthMonitor").now() + pause)
        facts = {"monitor": self.pid, "subject": entry.spec.name, "reason": entry.track.reason}
        counted = {"failures_count": failures, "pause_s": pause}
        self._bus.emit(CHECK_SUSPENDED, counted, facts)

    # -- death -------------------------------------------------------------------------------

    def _died(self, entry: Entry, reason: object) -> None:
        pid = entry.pid
        self._drop(entry)
        now = find_runtime("HealthMonitor").now()
        if isinstance(entry.spec.process, Pid):
            entry.gone = True
            self._dead[entry.number] = entry
            self._agenda.set(entry, now + self._keep_dead)
            if len(self._dead) > self._max_dead:
                self._forget(next(iter(self._dead.values())))
        self._lost(entry, pid, reason)

    def _lost(self, entry: Entry, pid: Pid[Any] | None, reason: object) -> None:
        self._deaths += 1
        entry.deaths += 1
        facts = {"monitor": self.pid, "subject": entry.spec.name, "pid": pid, "reason": reason}
        self._bus.emit(AGENT_DIED, {"deaths_count": entry.deaths}, facts)
        text = f"it ended: {safe_repr(reason, 200)}"
        entry.last = Finding(Health.DEAD, text)
        entry.history.append(CheckRecord(wall_clock(), Health.DEAD, text, 0.0))
        if not entry.gone:
            self._look_for(entry)
        self._move(entry, entry.track.died(text))
        self._ended(entry)

    def _forget(self, entry: Entry) -> None:
        self._forgotten += 1
        self._remove(entry)
        self._judge()

    def _look_for(self, entry: Entry) -> None:
        """See soon whether somebody has the name."""
        now = find_runtime("HealthMonitor").now()
        self._schedule(entry, now + min(_AGAIN_S, entry.spec.interval))

    def _follow(self, entry: Entry, name: Target) -> None:
        """Watch whoever has the name now."""
        process = find_runtime("HealthMonitor").find(name, "HealthMonitor")
        if process is None:
            if entry.pid is None:
                if entry.track.health is Health.DEAD:
                    self._look_for(entry)
                else:
                    self._lost(entry, None, NOPROC)
        elif process.pid is not entry.pid:
            self._drop(entry)
            self._move(entry, entry.track.reborn())
            self._bind(entry, process.pid)

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

    def _unknown(self, name: str) -> UnknownCheckError:
        return UnknownCheckError(name, self._entries)

    def _arm(self) -> None:
        """One timer, for what is due first."""
        due = self._agenda.next_due()
        if self._timer is not None:
            if self._timer[0] == due:
                return
            self.cancel_timer(self._timer[1])
            self._timer = None
        if due != NEVER:
            delay = max(0.0, due - find_runtime("HealthMonitor").now())
            self._timer = due, self.send_after(delay, _Due())


def _by_name(checks: Iterable[HealthCheck]) -> dict[str, tuple[HealthCheck, Pid[Any] | None]]:
    found: dict[str, tuple[HealthCheck, Pid[Any] | None]] = {}
    for spec in checks:
        if spec.name in found:
            raise WatchError(
                f"HealthMonitor: checks must have names of their own; got {spec.name!r} twice."
            )
        found[spec.name] = spec, None
    return found
