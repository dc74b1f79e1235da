"""`Following`: how an `AgentMonitor` looks at one process, and finds the next one of its name."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from suptree.clock import wall_clock
from suptree.core import (
    Pid,
    Ref,
    ReplyTo,
    Timer,
    demonitor,
    find_runtime,
    monitor,
    safe_repr,
)
from suptree.otp import GenServer
from suptree.services.monitoring.events import (
    AGENT_DIED,
    AGENT_HEALTH_CHANGED,
    CHECK_ABANDONED,
    CHECK_FINISHED,
    MONITOR_REBOUND,
    SINK_WRITE_FAILED,
)
from suptree.services.monitoring.health import Finding, Health, Track, finding_of
from suptree.services.monitoring.jobs import Abandoned, Done, Freed, JobNews, Jobs
from suptree.services.monitoring.watch import (
    HealthSink,
    MonitorStatus,
    Watch,
    answers,
    check_seconds,
)
from suptree.services.monitoring.writer import HealthWriter
from suptree.telemetry import Event

__all__ = ["CheckDue", "FindDue", "Following"]

_FIRST_LOOK_S: Final = 0.02  # for a name; doubled each time
_LAST_LOOK_S: Final = 5.0
_UNSEEN: Final = Finding(Health.UNKNOWN)


@dataclass(frozen=True, slots=True)
class CheckDue:
    """The timer message: it is time to look."""


@dataclass(frozen=True, slots=True)
class FindDue:
    """The timer message: look whether somebody has the name."""


class Following(GenServer):
    """The process side of `AgentMonitor`, which documents the arguments."""

    def __init__(
        self,
        watch: Watch,
        *,
        sink: HealthSink | None = None,
        write_timeout: float = 5.0,
        home: str | None = None,
    ) -> None:
        check_seconds("AgentMonitor", "write_timeout", write_timeout)
        self._watch = watch
        self._home = home
        self._jobs = Jobs(self)
        self._writer = None
        if sink is not None:
            self._writer = HealthWriter(self, self._jobs, sink, write_timeout, self._write_failed)
        self._agent: Pid[Any] | None = None
        self._ref: Ref | None = None
        self._track = Track()
        self._last = _UNSEEN
        self._checked_at: float | None = None
        self._timer: Timer | None = None  # of the next look at the agent, or for the name
        self._lost_at = 0.0
        self._finds = 0
        self._ending = False
        self._waiters: list[ReplyTo] = []
        self._checks = self._failures = self._timeouts = 0
        self._deaths = self._rebinds = 0
        self._bus = find_runtime("AgentMonitor").telemetry
        self._finished = self._bus.slot(CHECK_FINISHED)

    # -- looking -------------------------------------------------------------------------

    def _look(self) -> None:
        """Begin a look, unless one is under way; one that hangs on counts as no answer."""
        self._again()
        if self._watch.by_name:
            self._follow()
        agent = self._agent
        if agent is None or self._jobs.is_running(agent):
            return
        self._checks += 1
        if self._jobs.is_stuck(agent):
            self._observe(Finding(Health.UNRESPONSIVE, "its last check is still running"), 0.0)
            return
        check, timeout = self._watch.check, self._watch.timeout
        if check is None:  # asked once, however long it takes: no heap of questions in its mailbox
            self._jobs.start(agent, answers, agent, timeout=timeout, patient=True)
        else:
            self._jobs.start(agent, check, agent, timeout=timeout)

    def _again(self) -> None:
        """Arm the next look, and only one."""
        if self._timer is not None:
            self.cancel_timer(self._timer)
        wait = self._watch.interval * (1 - self._watch.jitter * random.random())
        self._timer = self.send_after(wait, CheckDue())

    def _told(self, news: JobNews) -> None:
        told = self._jobs.told(news)
        if self._writer is not None and self._writer.told(told):
            return
        match told:
            case Done() as done:
                self._looked(done)
            case Freed(key=agent, late=late):
                if late and agent is self._agent:  # an answer at last: what does it say now?
                    self._look()
            case Abandoned():
                self._tell(CHECK_ABANDONED, {"abandoned_count": self._jobs.abandoned})
            case None:
                return

    def _looked(self, done: Done) -> None:
        if done.timed_out:
            self._timeouts += 1
            text = f"no answer within {self._watch.timeout:g} s"
            self._observe(Finding(Health.UNRESPONSIVE, text), done.took_s)
        elif done.error:
            self._observe(Finding(Health.UNHEALTHY, done.error), done.took_s)
        else:
            self._observe(finding_of(done.value), done.took_s)

    def _observe(self, found: Finding, took_s: float) -> None:
        """Take one look into account."""
        self._last = found
        self._checked_at = wall_clock()
        self._failures += found.health.is_down
        if self._finished.handlers:
            facts = {"monitor": self.pid, "subject": self._watch.target}
            self._finished.emit(
                {"duration_s": took_s}, {**facts, "status": found.health, "reason": found.reason}
            )
        self._move(self._track.observe(found, self._watch.thresholds))
        self._answer()

    def _move(self, track: Track) -> None:
        before, self._track = self._track, track
        if track.changes != before.changes:
            facts = {"health": track.health, "previous": before.health, "reason": track.reason}
            self._tell(AGENT_HEALTH_CHANGED, {"changes_count": track.changes}, facts)
        self._write()

    def _answer(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            self.reply(waiter, self._status())

    # -- death, and the next process of a name -----------------------------------------------

    def _bind(self, agent: Pid[Any]) -> None:
        self._agent = agent
        self._ref = monitor(agent)
        self._finds = 0
        self._look()

    def _died(self, reason: object) -> None:
        agent, self._agent, self._ref = self._agent, None, None
        self._jobs.cancel(agent)
        self._lost_at = find_runtime("AgentMonitor").now()
        self._lost(agent, reason)

    def _lost(self, agent: Pid[Any] | None, reason: object) -> None:
        """Nobody is there: that is written once."""
        if self._timer is not None:
            self.cancel_timer(self._timer)
            self._timer = None
        self._deaths += 1
        facts = {"pid": agent, "reason": reason}
        self._tell(AGENT_DIED, {"deaths_count": self._deaths}, facts)
        if not self._watch.by_name:
            self._begin_end()
        self._move(self._track.died(f"it ended: {safe_repr(reason, 200)}"))
        self._answer()
        if self._watch.by_name:
            self._find_again()

    def _find_again(self) -> None:
        """Look for the next process of the name, ever more rarely, until it is too late."""
        if self._agent is not None or self._find():
            return
        limit = self._watch.rebind_within
        left = math.inf if limit is None else self._lost_at + limit - find_runtime("Monitor").now()
        if left <= 0:
            self._begin_end()
            self._write()
            return
        wait = min(_FIRST_LOOK_S * 2 ** min(self._finds, 20), _LAST_LOOK_S, left)
        self._finds += 1
        self._timer = self.send_after(wait, FindDue())

    def _find(self) -> bool:
        """Whether somebody has the name; it is watched from now on."""
        runtime = find_runtime("AgentMonitor")
        process = runtime.find(self._watch.target, "AgentMonitor")
        if process is None:
            return False
        if self._deaths:
            self._rebinds += 1
            facts = {"pid": process.pid}
            self._tell(MONITOR_REBOUND, {"gap_s": runtime.now() - self._lost_at}, facts)
        self._track = self._track.reborn()
        self._bind(process.pid)
        return True

    def _follow(self) -> None:
        """The name may have gone to another process while the old one lives on."""
        runtime = find_runtime("AgentMonitor")
        process = runtime.find(self._watch.target, "AgentMonitor")
        if process is None or self._agent is None or process.pid is self._agent:
            return
        if self._ref is not None:
            demonitor(self._ref, flush=True)
        self._jobs.cancel(self._agent)
        self._rebinds += 1
        self._tell(MONITOR_REBOUND, {"gap_s": 0.0}, {"pid": process.pid})
        self._track = self._track.reborn()
        self._agent = process.pid
        self._ref = monitor(process.pid)

    # -- writing -----------------------------------------------------------------------------

    def _write(self) -> None:
        if self._writer is not None:
            track = self._track
            self._writer.want(self._watch.target, self._agent, track.health, track.reason)

    def _write_failed(self, error: str) -> None:
        assert self._writer is not None
        counted = {"failures_count": self._writer.failures}
        self._tell(SINK_WRITE_FAILED, counted, {"error": error})

    def _begin_end(self) -> None:
        """Nothing is left to watch."""
        self._ending = True
        if self._writer is not None:
            self._writer.hurry()

    # -- showing -------------------------------------------------------------------------------

    def _status(self) -> MonitorStatus:
        track, writer = self._track, self._writer
        return MonitorStatus(
            target=self._watch.target,
            process=self._agent,
            health=track.health,
            reason=track.reason,
            written=Health.UNKNOWN if writer is None else writer.written,
            last=self._last,
            checked_at=self._checked_at,
            checks=self._checks,
            failures=self._failures,
            timeouts=self._timeouts,
            abandoned=self._jobs.abandoned,
            stuck=self._jobs.stuck,
            changes=track.changes,
            flaps=track.flaps,
            deaths=self._deaths,
            rebinds=self._rebinds,
            writes=0 if writer is None else writer.writes,
            write_failures=0 if writer is None else writer.failures,
        )

    def _tell(
        self, event: Event, numbers: Mapping[str, float], facts: Mapping[str, object] | None = None
    ) -> None:
        slot = self._bus.slot(event)
        if slot.handlers:
            slot.emit(
                numbers, {"monitor": self.pid, "subject": self._watch.target, **(facts or {})}
            )
