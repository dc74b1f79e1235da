"""The looks of a `HealthMonitor`: when, how many at a time, what they find, and what follows.

The half of the server that no client calls; `health_monitor.py` is the other one, and
`checklist.py` what both stand on.
"""

from __future__ import annotations

from typing import Any, Final

from suptree.clock import wall_clock
from suptree.core import (
    NOPROC,
    Down,
    Pid,
    find_runtime,
    safe_repr,
)
from suptree.services.monitoring.checklist import Checklist
from suptree.services.monitoring.checks import (
    CheckRecord,
)
from suptree.services.monitoring.entries import Entry, Look
from suptree.services.monitoring.events import (
    AGENT_DIED,
    CHECK_ABANDONED,
    CHECK_SUSPENDED,
)
from suptree.services.monitoring.health import Finding, Health, finding_of
from suptree.services.monitoring.jobs import Abandoned, Done, Freed, JobNews
from suptree.services.monitoring.watch import Target, answers

__all__ = ["Looking"]

_AGAIN_S: Final = 1.0  # until a name that nobody has is looked for again


class Looking(Checklist):
    """How and when a health monitor looks; the process side of it."""

    def init(self) -> None:
        """Take up what is configured, and what was registered before a restart."""
        for spec, owner in self._first:
            self._add(spec, owner)
        self._judge()
        self._arm()

    # -- messages --------------------------------------------------------------------------

    def handle_info(self, message: object) -> None:
        """Looks are due or have ended, or a process has."""
        match message:
            case _ if self._alarm.rang(message):
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
                counted = {"abandoned_count": self._jobs.abandoned}
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

    def _arm(self) -> None:
        self._alarm.arm(self._agenda.next_due(), find_runtime("HealthMonitor").now())
