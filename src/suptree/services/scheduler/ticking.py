"""`Ticking`: what the process of a scheduler holds, and what happens there as time goes on.

One timer, armed for the next thing that is due.  Messages to targets leave in its turn;
`Run`s are started in tasks, by a task.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from typing import Any, Final

from suptree.clock import loop_wall_clock
from suptree.core import KILL, Down, Pid, Timer, check_delay, exit
from suptree.otp import GenServer, ServerRef
from suptree.services.parts.checks import checked_all
from suptree.services.parts.store import Store, checked_store
from suptree.services.scheduler.agenda import Agenda, Moment
from suptree.services.scheduler.book import Book
from suptree.services.scheduler.events import CLOCK_SET
from suptree.services.scheduler.job import Job
from suptree.services.scheduler.perform import RunEnded, RunNotStarted, RunStarted, start_each
from suptree.services.scheduler.stats import Tally

__all__ = ["Ticking"]

TICK: Final = object()
AT_ONCE: Final = 500
"""Jobs that come in one turn; then others have theirs."""


class Ticking(GenServer):
    """A scheduler without its clients; see `SchedulerManager` for the arguments."""

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
        self._declared = checked_all("SchedulerManager", "jobs", jobs, Job)
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
