"""`Dispatch`: what happens when a job has come: a message, or a task to be started; and when its run is over.

The scheduler's hands.  Synchronous, and no user's code runs in it: what is to be started is
left in `to_start`, for a task of the scheduler.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from suptree.core import NORMAL, Down, Pid, send
from suptree.errors import MailboxFullError
from suptree.services.scheduler.agenda import Agenda, Due, Entry, Moment, Point, time_for
from suptree.services.scheduler.events import (
    JOB_FAILED,
    JOB_FINISHED,
    JOB_FIRED,
    JOB_MISSED,
    JOB_SKIPPED,
)
from suptree.services.scheduler.job import JobFired, Run, RunOutcome, Started
from suptree.services.scheduler.keeping import KeptRun
from suptree.services.scheduler.perform import ToStart
from suptree.services.scheduler.runs import Running, Runs
from suptree.services.scheduler.stats import Tally

__all__ = ["Dispatch"]


class Dispatch:
    """See the module text.

    Args:
        pid: The scheduler.
        agenda: Its jobs.
        tally: Where everything is counted.
        changed: Called with each entry of which something changed.

    Attributes:
        runs: The runs that go on.
        to_start: Runs that need a task.
    """

    def __init__(
        self,
        pid: Pid[Any],
        agenda: Agenda,
        tally: Tally,
        changed: Callable[[Entry], object],
    ) -> None:
        self._runtime = pid.runtime
        self._agenda = agenda
        self._tally = tally
        self._changed = changed
        self.runs = Runs()
        self.to_start: list[ToStart] = []
        slot = self._runtime.telemetry.slot
        self._fired = slot(JOB_FIRED)
        self._finished = slot(JOB_FINISHED)
        self._failed = slot(JOB_FAILED)
        self._skipped = slot(JOB_SKIPPED)
        self._missed = slot(JOB_MISSED)

    # -- a job has come -------------------------------------------------------------------------

    def come(self, due: Due, moment: Moment) -> None:
        """Run what is due, and count what was missed."""
        entry, points, missed, late = due
        if missed:
            self._tally.missed += missed
            if self._missed.handlers:
                self._missed.emit(
                    {"missed_count": missed, "lag_s": late},
                    {"job": entry.job.id, "misfire": entry.job.misfire},
                )
        for point in points:
            if self.offer(entry, point, missed, moment) == "started":
                self._tally.lag.record(max(0.0, point.late))
            missed = 0
        self._changed(entry)

    def offer(self, entry: Entry, point: Point, missed: int, moment: Moment) -> Started:
        """Run it, or keep or leave it out because of the runs that go on."""
        job = entry.job
        busy = len(entry.running)
        if busy and job.overlap == "queue" and len(entry.queue) < job.max_queued:
            entry.queue.append((point.at, missed))
            self._tally.queued += 1
            return "queued"
        if busy and (job.overlap != "allow" or busy >= job.max_running):
            self._tally.skipped += 1
            if self._skipped.handlers:
                self._skipped.emit(
                    {"running_count": busy, "queue_len": len(entry.queue)}, {"job": job.id}
                )
            return "skipped"
        return self._begin(entry, point, missed, moment)

    def _begin(self, entry: Entry, point: Point, missed: int, moment: Moment) -> Started:
        job = entry.job
        run = self._runtime.next_id()
        if isinstance(job.what, Run):
            self._track(entry, run, moment, is_task=True)
            until = math.inf if job.timeout is None else moment.now + job.timeout
            self.to_start.append(ToStart(run, job.id, job.what, until))
        else:
            message = job.what
            if message is None or job.is_tracked:
                due = point.at if job.trigger.wall else moment.wall - (moment.now - point.at)
                message = JobFired(job.id, run, entry.count + 1, due, point.late, missed, job.what)
            pid, why = self._deliver(entry, message)
            if pid is None:
                self._tally.failures += 1
                entry.ended("failed")
                self._tell_failed(job.id, why)
                return "failed"
            if job.is_tracked:
                self._track(entry, run, moment, is_task=False)
                self.runs.in_process(run, pid)
        entry.count += 1
        self._tally.runs += 1
        if self._fired.handlers:
            self._fired.emit(
                {"lag_s": point.late, "missed_count": missed}, {"job": job.id, "run": run}
            )
        return "started"

    def _track(self, entry: Entry, run: int, moment: Moment, *, is_task: bool) -> None:
        entry.running[run] = None
        self.runs.begin(Running(run, entry.job.id, moment.now, is_task), entry.job.timeout)

    def _deliver(self, entry: Entry, message: object) -> tuple[Pid[Any] | None, str]:
        """Send the message; who got it, or None and why nobody did."""
        target = entry.job.to
        assert target is not None
        process = self._runtime.find(target, "SchedulerManager")
        if process is None:
            return None, f"nobody lives at {target!r}"
        try:
            send(process.pid, message)
        except MailboxFullError as error:
            return None, str(error)
        return process.pid, ""

    def _tell_failed(self, job: str, why: str) -> None:
        if self._failed.handlers:
            self._failed.emit({"count": 1}, {"job": job, "why": why})

    # -- a run is over ---------------------------------------------------------------------------

    def over(self, run: int, outcome: RunOutcome, moment: Moment) -> Running | None:
        """That run is over, and the next one that waits begins; None if that was known."""
        running = self.runs.end(run)
        if running is None:
            return None
        if outcome != "done":
            self._tally.failures += 1
            self._tally.timed_out += outcome == "timed_out"
        if self._finished.handlers:
            self._finished.emit(
                {"duration_s": moment.now - running.began},
                {"job": running.job, "run": run, "outcome": outcome},
            )
        entry = self._agenda.entries.get(running.job)
        if entry is not None and run in entry.running:
            del entry.running[run]
            entry.ended(outcome)
            self.go_on(entry, moment)
            self._changed(entry)
        return running

    def go_on(self, entry: Entry, moment: Moment) -> None:
        """Begin runs that wait, until one goes on."""
        while entry.queue and not entry.running and not entry.paused:
            at, missed = entry.queue.popleft()
            self._tally.queued -= 1
            late = max(0.0, time_for(entry.job, moment) - at)
            self._begin(entry, Point(at, late), missed, moment)

    def not_started(self, run: int, why: str, moment: Moment) -> None:
        """Its task could not be started."""
        running = self.runs.open.get(run)
        if running is not None:
            self._tell_failed(running.job, why)
            self.over(run, "failed", moment)

    def down(self, message: Down, moment: Moment) -> None:
        """A process has ended: so have the runs in it."""
        for running in self.runs.gone(message):
            done = running.is_task and message.reason is NORMAL
            self.over(running.run, "done" if done else "lost", moment)

    def forget(self, entry: Entry) -> None:
        """The job is gone: nothing that waits begins; what goes on goes on."""
        self._tally.queued -= len(entry.queue)
        entry.queue.clear()

    # -- for the store ---------------------------------------------------------------------------

    def kept_runs(self, entry: Entry) -> tuple[KeptRun, ...]:
        """The runs of the entry that go on in some process."""
        found = (self.runs.open[run] for run in entry.running if run in self.runs.open)
        return tuple(
            KeptRun(one.run, one.pid, one.began, one.is_task)
            for one in found
            if one.pid is not None
        )

    def take_up(self, entry: Entry, kept: tuple[KeptRun, ...]) -> None:
        """Runs that went on before the scheduler was started again, and still do."""
        for one in kept:
            if one.pid.is_alive():
                entry.running[one.run] = None
                running = Running(one.run, entry.job.id, one.began, one.is_task)
                self.runs.begin(running, entry.job.timeout)
                self.runs.in_process(one.run, one.pid)
