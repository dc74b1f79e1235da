"""`Book`: the jobs of a scheduler, who holds them, and what of it is in the store.

For use inside the scheduler: the monitors of owners and targets are its own.  Whether a job
is taken, how it stands, and what goes when a process goes is decided here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from suptree.core import Pid
from suptree.errors import CrossRuntimeError, NoProcessError
from suptree.services.parts.owners import Owners
from suptree.services.parts.store import Store
from suptree.services.scheduler.agenda import Agenda, Entry, Moment, time_for
from suptree.services.scheduler.dispatch import Dispatch
from suptree.services.scheduler.errors import (
    JobNotDurableError,
    JobTakenError,
    ScheduleError,
    SchedulerFullError,
)
from suptree.services.scheduler.events import JOB_ADDED, JOB_REMOVED
from suptree.services.scheduler.job import Job, JobInfo, Run
from suptree.services.scheduler.keeping import Keeping, KeptRun
from suptree.services.scheduler.record import same_job, why_not_plain
from suptree.services.scheduler.stats import Tally
from suptree.services.scheduler.triggers import At

__all__ = ["Book"]


class Book:
    """See the module text.

    Args:
        pid: The scheduler.
        agenda: When each job comes.
        tally: Where what is counted is counted.
        moment: Tells the time.
        store: Where jobs are kept, if anywhere, and in which *space*.
        write: Called when `keeping.write` is to be run in a task.
        max_jobs: More are refused.
        runs_tasks: Whether it can have `Run`s.
    """

    def __init__(
        self,
        pid: Pid[Any],
        agenda: Agenda,
        tally: Tally,
        moment: Callable[[], Moment],
        *,
        store: Store | None,
        space: str,
        write: Callable[[], object],
        max_jobs: int,
        runs_tasks: bool,
    ) -> None:
        self._pid = pid
        self._agenda = agenda
        self._tally = tally
        self._moment = moment
        self._write = write
        self.max_jobs = max_jobs
        self._runs_tasks = runs_tasks
        self._numbers = itertools.count(1)
        self._holders: Owners[str] = Owners()
        self.dispatch = Dispatch(pid, agenda, tally, self.changed)
        self.keeping = Keeping(store, space, agenda, moment, self.dispatch.kept_runs)
        self._added = pid.runtime.telemetry.slot(JOB_ADDED)
        self._removed = pid.runtime.telemetry.slot(JOB_REMOVED)

    # -- taking jobs -----------------------------------------------------------------------------

    def check(self, job: Job) -> None:
        """Refuse a job that cannot be.

        Raises:
            CrossRuntimeError, NoProcessError: The process that it goes with, or is for, cannot be watched.
            SchedulerError: See `SchedulerManager.every`.
        """
        for pid in _held_by(job):
            if pid.runtime is not self._pid.runtime:
                raise CrossRuntimeError(f"SchedulerManager: {pid!r} lives in another runtime.")
            if not pid.is_alive():
                raise NoProcessError(pid, "SchedulerManager.schedule")
        present = self._agenda.entries.get(job.id)
        if present is None and len(self._agenda.entries) >= self.max_jobs:
            raise SchedulerFullError(self.max_jobs)
        if present is not None and present.job.owner != job.owner:
            raise JobTakenError(job.id, present.job.owner)
        if isinstance(job.what, Run) and not self._runs_tasks:
            raise ScheduleError(
                "what",
                "a message, as this scheduler has no task supervisor",
                job.what,
                "Start it with tasks=..., or take SchedulerManager.tree.",
            )
        fresh = present is None or present.job.trigger != job.trigger
        if fresh and isinstance(job.trigger, At) and self._is_over(job.trigger, job.grace):
            raise ScheduleError("moment", "in the future", job.trigger.moment)
        if job.durable and (why := why_not_plain(job)) is not None:
            raise JobNotDurableError(job.id, why)

    def _is_over(self, trigger: At, grace: float) -> bool:
        return trigger.moment < self._moment().wall - grace

    def unused_id(self) -> str:
        """An id for a job that came without one."""
        ids = (f"job-{number}" for number in self._numbers)
        return next(id for id in ids if id not in self._agenda.entries)

    def add(self, job: Job) -> None:
        """A job that begins now, in the place of one with the same id.

        What goes on of that one still counts, so that the new one does not overlap it.
        """
        entry = Entry.new(job, self._moment())
        old = self._agenda.entries.get(job.id)
        if old is not None:
            self.remove(job.id, "replaced")
            if job.is_tracked:
                entry.running = old.running
        self._put(entry)

    def change(self, entry: Entry, job: Job) -> None:
        """The same job with other values."""
        id = job.id
        before = _held_by(entry.job)
        self._agenda.change(entry, job, self._moment())
        entry.kept = self.keeping.keeps(job)
        for pid in _held_by(job):
            self._holders.add(pid, id)
        for pid in before - _held_by(job):
            self._holders.discard(pid, id)

    async def declare(self, job: Job) -> None:
        """A job that the scheduler is to have from its start: as it was kept, or new; one whose time is over is over.

        Raises:
            SchedulerError: It cannot be.
        """
        if not job.id:
            raise ScheduleError("id", "given to a job that is declared", job.id)
        kept = self._agenda.entries.get(job.id)
        if kept is not None and same_job(kept.job, job):
            return
        if isinstance(job.trigger, At) and self._is_over(job.trigger, job.grace):
            return
        self.check(job)
        self.add(job)
        await self.keeping.save(job.id)

    async def take_up(self, entry: Entry, runs: tuple[KeptRun, ...]) -> None:
        """A job that was in the store; one whose owner has ended meanwhile has ended with it."""
        if any(not pid.is_alive() for pid in _held_by(entry.job)):
            await self.keeping.save(entry.job.id)
            return
        self.dispatch.take_up(entry, runs)
        self._put(entry)
        self._tally.restored += 1
        if entry.is_over:  # its last run went on, and has ended meanwhile
            self.remove(entry.job.id, "over")

    def _put(self, entry: Entry) -> None:
        id = entry.job.id
        entry.kept = self.keeping.keeps(entry.job)
        self._agenda.put(entry)
        for pid in _held_by(entry.job):
            self._holders.add(pid, id)
        if self._added.handlers:
            self._added.emit(
                {"jobs_count": len(self._agenda.entries)}, {"job": id, "owner": entry.job.owner}
            )

    # -- letting them go ---------------------------------------------------------------------------

    def remove(self, id: str, why: str) -> bool:
        """Forget a job; False if there is none.  What goes on of it goes on."""
        entry = self._agenda.remove(id)
        if entry is None:
            return False
        self.dispatch.forget(entry)
        for pid in _held_by(entry.job):
            self._holders.discard(pid, id)
        if self._removed.handlers:
            self._removed.emit({"jobs_count": len(self._agenda.entries)}, {"job": id, "why": why})
        self.touch(entry)
        return True

    def down(self, message: object) -> None:
        """A process has ended: the jobs that it held go with it."""
        for id in self._holders.gone(message):
            self.remove(id, "owner_died")

    def changed(self, entry: Entry) -> None:
        """Something has changed in the entry, which may be its end."""
        if entry.is_over:
            self.remove(entry.job.id, "over")
        else:
            self.touch(entry)

    def touch(self, entry: Entry) -> None:
        """Have the entry written to the store, soon."""
        if self.keeping.touch(entry):
            self._write()

    # -- how one stands ------------------------------------------------------------------------------

    def info(self, entry: Entry, moment: Moment) -> JobInfo:
        """How that job stands."""
        in_s = None if entry.due is None else entry.due - time_for(entry.job, moment)
        return JobInfo(
            job=entry.job,
            next_run=None if in_s is None else _utc(moment.wall + in_s),
            in_s=in_s,
            paused=entry.paused,
            count=entry.count,
            failures=entry.failures,
            last=entry.last,
            running=len(entry.running),
            queued=len(entry.queue),
            kept=entry.kept,
        )


def _held_by(job: Job) -> set[Pid[Any]]:
    """The processes with which the job goes: its owner, and its target if that is a pid."""
    return {pid for pid in (job.owner, job.to) if isinstance(pid, Pid)}


def _utc(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None  # beyond the year 9999
