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
import math
import random
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, Unpack

from suptree.clock import loop_wall_clock
from suptree.core import KILL, Down, Pid, Timer, check_delay, current_process, exit
from suptree.errors import BadArgumentError, CrossRuntimeError, NoProcessError
from suptree.otp import (
    ChildSpec,
    GenServer,
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
    did_you_mean,
    is_text,
)
from suptree.services.parts.store import Store, checked_store
from suptree.services.scheduler.agenda import Agenda, Entry, Moment, Point, time_for
from suptree.services.scheduler.book import Book
from suptree.services.scheduler.errors import JobNotFoundError, SchedulerError
from suptree.services.scheduler.events import CLOCK_SET
from suptree.services.scheduler.job import (
    Job,
    JobChanges,
    JobFired,
    JobInfo,
    JobKeywords,
    Started,
)
from suptree.services.scheduler.perform import RunEnded, RunNotStarted, RunStarted, start_each
from suptree.services.scheduler.stats import SchedulerStats, Tally
from suptree.services.scheduler.triggers import After, At, Cron, Every, Trigger

__all__ = ["SchedulerManager"]

_WHO: Final = "SchedulerManager"
TICK: Final = object()
AT_ONCE: Final = 500
"""Jobs that come in one turn; then others have theirs."""
MOST_LISTED: Final = 10_000


class SchedulerManager(GenServer):
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

    def __init__(
        self,
        *,
        jobs: Iterable[Job] = (),
        tasks: ServerRef[Any] | None = None,
        store: Store | None = None,
        space: str = "scheduler",
        clock_check: float = 30.0,
        max_jobs: int = 1_000_000,
        wall: Callable[[], float] | None = None,
        seed: int | None = None,
    ) -> None:
        check_delay("SchedulerManager", "clock_check", clock_check, above_zero=True)
        runtime = self.pid.runtime
        rng = random.Random(seed)
        self._now = runtime.now
        self._wall = loop_wall_clock(runtime.loop) if wall is None else wall
        self._declared = tuple(jobs)
        self._tasks = tasks
        self._clock_check = clock_check
        self._tally = Tally()
        self._agenda = Agenda(lambda most: rng.uniform(0.0, most))
        self._book = Book(
            self.pid,
            self._agenda,
            self._tally,
            self._moment,
            store=checked_store("SchedulerManager", store),
            space=space,
            write=self._write,
            max_jobs=max_jobs,
            runs_tasks=tasks is not None,
        )
        self._dispatch = self._book.dispatch
        self._keeping = self._book.keeping
        self._timer: Timer | None = None
        self._armed_for = math.inf
        self._clock_set = runtime.telemetry.slot(CLOCK_SET)

    async def init(self) -> None:
        """Take up what the store has, then what is declared and not there yet."""
        for entry, runs in await self._keeping.load():
            await self._book.take_up(entry, runs)
        for job in self._declared:
            await self._book.declare(job)
        self._agenda.note_clock(self._moment())
        self._arm()

    # -- a tree of its own -----------------------------------------------------------------------

    @staticmethod
    def tree(
        *,
        store: Store | None,
        name: str = "scheduler",
        jobs: Iterable[Job] = (),
        max_tasks: int | None = 1000,
        max_restarts: int = 3,
        max_seconds: float = 5.0,
        **options: Any,
    ) -> ChildSpec[Any]:
        """The child spec of a scheduler with a task supervisor for its `Run`s.

        Args:
            store: See the class; one that outlives the scheduler, or None for none.
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
                near = did_you_mean(name, JobChanges.__annotations__)
                raise bad_argument(_WHO, "a change", "a value of a job", name, near)
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

    # -- time goes on ----------------------------------------------------------------------------------

    def handle_info(self, message: object) -> None:
        """The timer, the end of owners and of runs, and what became of tasks to be started."""
        match message:
            case _ if message is TICK:
                self._timer = None
                self._armed_for = math.inf
                self._tick()
            case RunEnded(run, failed):
                self._over(run, failed)
            case RunStarted(run, pid):
                self._task_started(run, pid)
            case RunNotStarted(run, why):
                self._dispatch.not_started(run, why, self._moment())
                self._after_runs()
            case Down():
                self._book.down(message)
                self._dispatch.down(message, self._moment())
                self._after_runs()
            case _:
                super().handle_info(message)

    def _tick(self) -> None:
        moment = self._moment()
        shift = self._agenda.note_clock(moment)
        if abs(shift) >= 1.0 and self._clock_set.handlers:
            self._clock_set.emit({"shift_s": shift}, {"scheduler": self.pid})
        for due in self._agenda.take(moment, AT_ONCE):
            self._dispatch.come(due, moment)
        for run in self._dispatch.runs.overdue(moment.now):
            running = self._dispatch.over(run, "timed_out", moment)
            if running is not None and running.is_task and running.pid is not None:
                exit(running.pid, KILL)
        self._after_runs()

    def _over(self, run: int, failed: bool) -> None:
        self._dispatch.over(run, "failed" if failed else "done", self._moment())
        self._after_runs()

    def _after_runs(self) -> None:
        self._start_tasks()
        self._arm()

    def _arm(self) -> None:
        """Have the timer go off when the next thing is due; one that goes off too early does no harm."""
        moment = self._moment()
        wait = self._agenda.wake_in(moment, self._clock_check)
        deadline = self._dispatch.runs.earliest()
        if deadline is not None:
            left = max(0.0, deadline - moment.now)
            wait = left if wait is None else min(wait, left)
        if wait is None or moment.now + wait >= self._armed_for:
            return
        if self._timer is not None:
            self.cancel_timer(self._timer)
        # Not `send_after`: what travels with the request that is handled is not for every job that
        # comes then (test_a_job_comes_without_the_context_of_whoever_armed_the_timer).
        self._timer = self.pid.runtime.ticker.send_after(self._process, self._process, wait, TICK)
        self._armed_for = moment.now + wait

    def _moment(self) -> Moment:
        return Moment(self._now(), self._wall())

    def _write(self) -> None:
        self.start_task(self._keeping.write(), name="scheduler: write to the store")

    # -- tasks -----------------------------------------------------------------------------------------

    def _start_tasks(self) -> None:
        batch = self._dispatch.to_start
        if batch:
            self._dispatch.to_start = []
            assert self._tasks is not None
            starting = start_each(self.pid, self._tasks, batch)
            self.start_task(starting, name="scheduler: start runs")

    def _task_started(self, run: int, pid: Pid[Any]) -> None:
        running = self._dispatch.runs.open.get(run)
        if running is None:  # it is over: it was quick, or its time was before it began
            if pid.is_alive():
                exit(pid, KILL)
            return
        self._dispatch.runs.in_process(run, pid)
        entry = self._agenda.entries.get(running.job)
        if entry is not None:
            self._book.touch(entry)

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
    if "owner" not in options:
        process = current_process()
        options["owner"] = None if process is None else process.pid
    return await SchedulerManager.schedule(server, Job(trigger=trigger, what=what, **options))
