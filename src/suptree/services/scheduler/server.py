"""`SchedulerManager`: every timer of a system, in one process with one timer of its own.

Jobs come at intervals, once, at a time, or by cron; each sends a message to a process, or runs
a function in a supervised task.  They belong to a process, and go when it goes; or to
nobody, and stay.  It refuses jobs of the dead, and never runs a user's code in its own turn.

>>> import asyncio, suptree as st
>>> from suptree.services import SchedulerManager
>>> async def main():
...     async with st.Runtime():
...         await st.child(SchedulerManager).with_(name="scheduler").start_link()
...         await SchedulerManager.every("scheduler", 0.01, "tick")
...         return await st.receive(str)
>>> asyncio.run(main())
'tick'
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Unpack

from suptree.core import Pid, check_delay, current_process
from suptree.errors import BadArgumentError, CrossRuntimeError, NoProcessError
from suptree.near import did_you_mean
from suptree.otp import (
    ChildSpec,
    ServerRef,
    Supervisor,
    TaskSupervisor,
    call,
    cast,
    child,
)
from suptree.services.parts.checks import (
    bad_argument,
    check_count,
    check_flag,
    check_kind,
    check_text,
    is_text,
)
from suptree.services.parts.store import Store
from suptree.services.scheduler.agenda import Entry, Point, time_for
from suptree.services.scheduler.errors import JobNotFoundError, SchedulerError
from suptree.services.scheduler.job import (
    Job,
    JobChanges,
    JobFired,
    JobInfo,
    JobKeywords,
    Started,
)
from suptree.services.scheduler.stats import SchedulerStats
from suptree.services.scheduler.ticking import Ticking
from suptree.services.scheduler.triggers import After, At, Cron, Every, Trigger

__all__ = ["SchedulerManager"]

_WHO: Final = "SchedulerManager"
MOST_LISTED: Final = 10_000


class SchedulerManager(Ticking):
    """The scheduler.

    Args:
        jobs: Those that are always there: a restart has them again without a store.  With one,
            a job goes on as it was kept, unless it is not as it is declared any more.
        tasks: The task supervisor for `Run`s; without one they are refused.
        store: Where jobs outlive the scheduler; without one, only *jobs* do.
        space: Its space in the store; two schedulers need two.
        clock_check: Seconds after which the wall clock is looked at again at the latest,
            while some job follows it: so late may one be after the clock was set forward.
        max_jobs: More are refused.
        wall: Tells the time on the wall; default: that of the loop, see `loop_wall_clock`.
        seed: Makes the jitter the same each time, for tests.
    """

    call_raises = (BadArgumentError, SchedulerError)

    # -- a tree of its own -----------------------------------------------------------------------

    @staticmethod
    def tree(
        *,
        store: Store | None = None,
        name: str = "scheduler",
        jobs: Iterable[Job] = (),
        max_tasks: int | None = 1000,
        max_restarts: int = 3,
        max_seconds: float = 5.0,
        **options: Any,
    ) -> ChildSpec[Any]:
        """The child spec of a scheduler with a task supervisor for its `Run`s.

        Args:
            store: See the class; one that outlives the scheduler.
            name: The name of the scheduler; its tasks are at '<name>.tasks', both under '<name>.sup'.
            jobs: See the class.
            max_tasks: How many runs may go on at once; None: any number.
            max_restarts: Of the two together, within *max_seconds*; more end the tree.
            max_seconds: See *max_restarts*.
            options: As for the class.
        """
        tasks = f"{name}.tasks"
        scheduler = child(SchedulerManager, jobs=tuple(jobs), tasks=tasks, store=store, **options)
        return Supervisor.child(
            [TaskSupervisor.child(name=tasks, max_children=max_tasks), scheduler.with_(name=name)],
            strategy="one_for_one",
            max_restarts=max_restarts,
            max_seconds=max_seconds,
            name=f"{name}.sup",
        )

    # -- making jobs -----------------------------------------------------------------------------

    @staticmethod
    async def every(
        server: ServerRef[SchedulerManager],
        period: float,
        what: object = None,
        *,
        first: float | None = None,
        **options: Unpack[JobKeywords],
    ) -> str:
        """Have *what* come every *period* seconds, on a grid that does not drift.

        Args:
            server: The scheduler.
            period: Seconds.
            what: A message, or a `Run`; None sends a `JobFired`.
            first: Seconds until the first time; default: *period*.
            options: See `Job`; the owner is the current process, unless it says otherwise.

        Returns:
            The id of the job.  One of the same id and owner is replaced.

        Raises:
            ScheduleError: A wrong value.
            JobTakenError, JobNotDurableError, SchedulerFullError: The scheduler refuses it.
            NoProcessError: Its owner, or the scheduler, does not live.
        """
        return await _schedule(server, Every(period, first), what, options)

    @staticmethod
    async def after(
        server: ServerRef[SchedulerManager],
        delay: float,
        what: object = None,
        **options: Unpack[JobKeywords],
    ) -> str:
        """Have *what* come once, in *delay* seconds; else as `every`."""
        return await _schedule(server, After(delay), what, options)

    @staticmethod
    async def at(
        server: ServerRef[SchedulerManager],
        moment: datetime | float,
        what: object = None,
        **options: Unpack[JobKeywords],
    ) -> str:
        """Have *what* come once, at a datetime with a time zone or so many seconds since 1970.

        Else as `every`.  A moment that is more than `grace` seconds over is refused.
        """
        return await _schedule(server, At.time(moment), what, options)

    @staticmethod
    async def cron(
        server: ServerRef[SchedulerManager],
        expression: str,
        what: object = None,
        *,
        tz: str = "UTC",
        **options: Unpack[JobKeywords],
    ) -> str:
        """Have *what* come when *expression* says, by the clocks of *tz*; see `Cron`, else as `every`.

        Raises:
            CronError: It cannot be read, or there is no such time zone.
        """
        return await _schedule(server, Cron(expression, tz), what, options)

    @call(raises=(NoProcessError, CrossRuntimeError))
    async def schedule(self, job: Job) -> str:
        """Add a job as it stands, its owner included; else as `every`."""
        check_kind(_WHO, "job", job, Job, "a Job", "Write Job(trigger=..., what=...).")
        if not job.id:
            job = dataclasses.replace(job, id=self._book.unused_id())
        self._book.check(job)
        self._book.add(job)
        self._arm()
        await self._keeping.save(job.id)
        return job.id

    # -- one job -----------------------------------------------------------------------------------

    @call
    def job(self, id: str) -> JobInfo:
        """How that job stands.  JobNotFoundError if there is none."""
        return self._book.info(self._entry(id), self._moment())

    @call
    def run_now(self, id: str) -> Started:
        """Have the job come now too, paused or not; when it comes by itself stays as it is.

        Returns:
            'started', or what stood in the way: see `Started`.

        Raises:
            JobNotFoundError: There is none.
        """
        entry, moment = self._entry(id), self._moment()
        point = Point(time_for(entry.job, moment), 0.0)
        started = self._dispatch.offer(entry, point, 0, moment)
        self._book.changed(entry)
        self._start_tasks()
        self._arm()
        return started

    @call
    async def pause(self, id: str) -> bool:
        """Have the job not come until `resume`; False if it is paused.  What goes on goes on."""
        changed = self._agenda.pause(self._entry(id))
        await self._keeping.save(id)
        return changed

    @call
    async def resume(self, id: str) -> bool:
        """Have the job come again, on its old grid; False if it was not paused.

        What passed meanwhile is over; a job that comes once is late, see `Misfire`.
        """
        entry, moment = self._entry(id), self._moment()
        changed = self._agenda.resume(entry, moment)
        self._dispatch.go_on(entry, moment)
        self._start_tasks()
        self._arm()
        await self._keeping.save(id)
        return changed

    @call(raises=(NoProcessError, CrossRuntimeError))
    async def update(self, id: str, **changes: Unpack[JobChanges]) -> JobInfo:
        """Change some values of a job; with another trigger it begins anew, now.

        Raises:
            JobNotFoundError: There is none.
            As `every`.
        """
        entry = self._entry(id)
        for name in changes:
            if name not in JobChanges.__annotations__:
                hint = did_you_mean(name, JobChanges.__annotations__)
                raise bad_argument(_WHO, "a change", "a value of a job", name, hint)
        job = dataclasses.replace(entry.job, **changes)
        self._book.check(job)
        self._book.change(entry, job)
        self._arm()
        await self._keeping.save(id)
        return self._book.info(entry, self._moment())

    @call
    async def cancel(self, id: str) -> bool:
        """Forget the job; False if there is none.  A run that goes on goes on."""
        check_text(_WHO, "id", id)
        if not self._book.remove(id, "cancelled"):
            return False
        await self._keeping.save(id)
        return True

    @staticmethod
    def done(server: ServerRef[SchedulerManager], fired: JobFired, *, failed: bool = False) -> None:
        """The run that *fired* began is over; a second word about it changes nothing.

        Raises:
            BadArgumentError: *fired* is not what the job's target got.
        """
        check_kind(_WHO, "fired", fired, JobFired, "the JobFired that came with the job")
        check_count(_WHO, "fired.run", fired.run, least=0)
        check_flag(_WHO, "failed", failed)
        SchedulerManager._done(server, fired.run, failed)

    @cast
    def _done(self, run: int, failed: bool) -> None:
        self._over(run, failed)

    def _entry(self, id: str) -> Entry:
        check_text(_WHO, "id", id)
        entry = self._agenda.entries.get(id)
        if entry is None:
            raise JobNotFoundError(id, self._agenda.entries)
        return entry

    # -- many --------------------------------------------------------------------------------------

    @call
    async def cancel_owner(self, owner: Pid[Any] | str) -> int:
        """Forget all jobs of a process or a label; how many there were."""
        _check_owner(owner)
        ids = self._agenda.ids_of(owner)
        for id in ids:
            self._book.remove(id, "cancelled")
        for id in ids:
            await self._keeping.save(id)
        return len(ids)

    @call
    def jobs(self, owner: Pid[Any] | str | None = None, *, limit: int = 1000) -> list[JobInfo]:
        """How the jobs stand, oldest first: all, or those of an owner; at most *limit*."""
        check_count(_WHO, "limit", limit, least=0)
        if owner is not None:
            _check_owner(owner)
        ids = self._agenda.entries if owner is None else self._agenda.ids_of(owner)
        moment = self._moment()
        chosen = itertools.islice(ids, min(limit, MOST_LISTED))
        return [self._book.info(self._agenda.entries[id], moment) for id in chosen]

    @call
    def next_runs(self, limit: int = 10) -> list[JobInfo]:
        """The jobs that come next, soonest first; at most *limit*."""
        check_count(_WHO, "limit", limit, least=0)
        moment = self._moment()
        upcoming = self._agenda.upcoming(min(limit, MOST_LISTED), moment)
        return [self._book.info(entry, moment) for entry, _ in upcoming]

    @call
    def stats(self) -> SchedulerStats:
        """The numbers of the scheduler."""
        return self._tally.stats(
            jobs=len(self._agenda.entries),
            paused=self._agenda.paused,
            owners=self._agenda.owners(),
            running=len(self._dispatch.runs.open),
        )

    # -- other settings ------------------------------------------------------------------------

    @staticmethod
    async def reconfigure(
        server: ServerRef[SchedulerManager],
        *,
        clock_check: float | None = None,
        max_jobs: int | None = None,
    ) -> None:
        """Go by other settings from now on; what is not given stays as it is.

        No job is removed where *max_jobs* gets smaller: it holds for new ones.

        Raises:
            ValueError: One of them is out of bounds; nothing was changed.
        """
        who = "SchedulerManager.reconfigure"
        if clock_check is not None:
            check_delay(who, "clock_check", clock_check, above_zero=True)
        check_count(who, "max_jobs", max_jobs, optional=True)
        await SchedulerManager._reconfigure(server, clock_check, max_jobs)

    @call
    def _reconfigure(self, clock_check: float | None, max_jobs: int | None) -> None:
        self._book.max_jobs = max_jobs or self._book.max_jobs
        self._clock_check = clock_check or self._clock_check
        self._arm()


def _check_owner(owner: object) -> None:
    if not isinstance(owner, Pid) and not is_text(owner):
        raise bad_argument(_WHO, "owner", "a pid or a label", owner)


async def _schedule(
    server: ServerRef[SchedulerManager], trigger: Trigger, what: object, options: JobKeywords
) -> str:
    for name in options:
        if name not in JobKeywords.__annotations__:
            hint = did_you_mean(name, JobKeywords.__annotations__)
            raise bad_argument(_WHO, "an option", "a value of a job", name, hint)
    if "owner" not in options:
        process = current_process()
        options["owner"] = None if process is None else process.pid
    return await SchedulerManager.schedule(server, Job(trigger=trigger, what=what, **options))
