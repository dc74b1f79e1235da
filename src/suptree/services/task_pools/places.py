"""`Places`: who has a place in a pool and who waits for one, from the request for a job to its end.

For use inside the manager, in its handlers: the monitors, the timer and the replies are its own.

A place is given back when the process that had it is gone, and no sooner: the manager watches each,
and each caller.  One timer stands for all that is due: waits, times of tasks, and the grace after.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from suptree.core import KILL, SHUTDOWN, Down, Pid, ReplyTo, Shutdown, exit, monitor, send
from suptree.errors import RuntimeClosedError
from suptree.otp import GenServer
from suptree.services.parts.agenda import Agenda
from suptree.services.parts.alarm import Alarm
from suptree.services.parts.owners import Owners
from suptree.services.task_pools.errors import TaskPoolFullError, WhyNot
from suptree.services.task_pools.job import Job, JobOutcome
from suptree.services.task_pools.pool import Pool
from suptree.services.task_pools.telling import Teller

__all__ = ["Places"]

GRACE: Final = 5.0
"""Seconds that a task has to end once it was told to; then it is killed."""


class _ThreadOver:
    """The thread of a job that had ended before is over."""

    __slots__ = ("job",)

    def __init__(self, job: Job) -> None:
        self.job = job


class Places:
    """The jobs of one manager.

    Args:
        server: The manager.
        tell: Its telemetry.
        freed: Called with the pool when a place in it is free.

    Attributes:
        released: Tasks ended, and places in lines freed, because their caller died.
    """

    __slots__ = (
        "_agenda",
        "_alarm",
        "_freed",
        "_jobs",
        "_now",
        "_owners",
        "_runtime",
        "_server",
        "_tell",
        "_watched",
        "released",
    )

    def __init__(self, server: GenServer, tell: Teller, freed: Callable[[Pool], object]) -> None:
        self._server = server
        self._tell = tell
        self._freed = freed
        self._runtime = server.pid.runtime
        self._now = self._runtime.now
        # Invariant: a job is here while it waits or has a place.  It is on the agenda while it
        # waits, to be refused, then to be ended, then to be killed.
        self._jobs: dict[Job, None] = {}
        self._owners: Owners[Job] = Owners()
        self._watched: dict[Pid[Any], Job] = {}
        self._agenda: Agenda[Job] = Agenda()
        self._alarm = Alarm(server)
        self.released = 0

    def owners(self) -> int:
        """How many callers there are."""
        return len(self._owners)

    # -- in -----------------------------------------------------------------------------------------

    def give(self, pool: Pool, job: Job) -> None:
        """A place for one that did not wait."""
        self._note(pool, job)
        self._start(pool, job, 0.0)

    def wait(self, pool: Pool, job: Job, reply_to: ReplyTo, timeout: float | None) -> None:
        """*job* waits for a place; it is answered with the supervisor to start it under."""
        self._note(pool, job)
        job.reply_to = reply_to
        job.since = self._now()
        pool.line.add(job.owner, job)
        if timeout is not None:
            self._schedule(job, job.since + timeout)
        self._tell.queued(pool)

    def admit(self, pool: Pool) -> None:
        """Places for those who wait, as far as there are any."""
        while pool.closing is None and pool.has_place():
            job = pool.line.next()
            if job is None:
                return
            reply_to, job.reply_to = job.reply_to, None
            assert reply_to is not None
            self._agenda.discard(job)
            self._start(pool, job, self._now() - job.since)
            # A caller that gave up meanwhile drops the answer, and gives the place back.
            self._server.reply(reply_to, pool.supervisor)

    def watch(self, job: Job, pid: Pid[Any]) -> None:
        """*job* runs as *pid*; one that is not known any more is of before a restart."""
        if job not in self._jobs or job.ref is not None:
            return
        if job.came_to is not None and not pid.is_alive():
            self._ended(job, None)
            return
        job.pid = pid
        job.ref = monitor(pid)
        self._watched[pid] = job

    # -- out ----------------------------------------------------------------------------------------

    def drop(self, job: Job) -> None:
        """Nobody wants it any more: out of the line, or to its end."""
        if job not in self._jobs:
            return
        if job.reply_to is None:
            self._end(job, "cancelled")
            return
        job.pool.line.discard(job.owner, job)
        job.reply_to = None
        self._gave_up(job)

    def refuse(self, job: Job, why: WhyNot) -> None:
        """It waits no longer, and is told why."""
        reply_to, pool = job.reply_to, job.pool
        assert reply_to is not None
        pool.line.discard(job.owner, job)
        job.reply_to = None
        self._gave_up(job)
        error = TaskPoolFullError(pool.name, why, pool.config.max_concurrency)
        self._server.reply(reply_to, error)

    def heard(self, message: object) -> None:
        """What a message says: a time is over, a task has ended, a caller has died."""
        if self._alarm.rang(message):
            self._ring()
        elif isinstance(message, _ThreadOver):
            pool = message.job.pool
            pool.threads.pop(message.job, None)
            self._freed(pool)
        elif isinstance(message, Down):
            job = self._watched.get(message.process)  # type: ignore[arg-type]
            if job is not None and job.ref == message.ref:
                self._ended(job, message.reason)
            else:
                self._caller_died(message)

    def _caller_died(self, down: Down) -> None:
        jobs = self._owners.gone(down)
        jobs.sort(key=lambda job: job.reply_to is None)  # lines first: what it held is for others
        self.released += len(jobs)
        for job in jobs:
            self.drop(job)

    def _ring(self) -> None:
        for job in self._agenda.pop(self._now()):
            if job.reply_to is not None:
                self.refuse(job, "timeout")
            elif job.ended_as is not None and job.pid is not None:
                exit(job.pid, KILL)  # it traps exits, and goes on
            else:
                self._tell.timed_out(job.pool, job.allowed or 0.0, job.pid)
                self._end(job, "timed_out")
        self._alarm.arm(self._agenda.earliest(), self._now())

    # -- inside -------------------------------------------------------------------------------------

    def _note(self, pool: Pool, job: Job) -> None:
        job.pool = pool
        self._jobs[job] = None
        if job.owner is not None:
            self._owners.add(job.owner, job)

    def _start(self, pool: Pool, job: Job, waited: float) -> None:
        now = job.since = self._now()
        pool.running[job] = None
        pool.started += 1
        allowed = pool.config.timeout if job.timeout is None else job.timeout
        if job.deadline is not None:
            left = max(0.0, job.deadline - now)
            allowed = left if allowed is None else min(allowed, left)
        if allowed is not None:
            job.allowed = allowed
            job.due = now + allowed
            self._schedule(job, job.due)
        self._tell.started(pool, waited)

    def _schedule(self, job: Job, due: float) -> None:
        self._agenda.set(job, due)
        self._alarm.arm(due, self._now())

    def _end(self, job: Job, why: JobOutcome) -> None:
        """Have it ended: it is cancelled, and killed when its grace is over."""
        if job.pid is None:  # it will not begin any more
            job.void = True
            job.ended_as = why
            self._ended(job, None)
            return
        self.watch(job, job.pid)
        if job in self._jobs and job.ended_as is None and job.came_to is None:
            job.ended_as = why
            self._schedule(job, self._now() + GRACE)
            exit(job.pid, Shutdown("timeout") if why == "timed_out" else SHUTDOWN)

    def _ended(self, job: Job, reason: object) -> None:
        """Its process is gone: so is its place, unless a thread goes on in it."""
        pool = job.pool
        outcome = job.outcome(reason)
        del pool.running[job]
        pool.counts[outcome] += 1
        self._forget(job)
        self._tell.finished(pool, outcome, self._now() - job.since)
        if job.thread is not None and job.thread.is_running():
            pool.threads[job] = None
            job.thread.when_over(self._thread_over(job))
        self._freed(pool)

    def _gave_up(self, job: Job) -> None:
        job.pool.gave_up += 1
        self._forget(job)
        self._tell.rejected(job.pool, "gave_up")

    def _forget(self, job: Job) -> None:
        del self._jobs[job]
        self._agenda.discard(job)
        if job.owner is not None:
            self._owners.discard(job.owner, job)
        if job.ref is not None and job.pid is not None:
            self._watched.pop(job.pid, None)

    def _thread_over(self, job: Job) -> Callable[[], None]:
        loop, server = self._runtime.loop, self._server.pid

        def send_it() -> None:
            try:
                send(server, _ThreadOver(job))
            except RuntimeClosedError:  # the manager is gone with it
                return

        def tell() -> None:
            try:
                loop.call_soon_threadsafe(send_it)
            except RuntimeError:  # the loop is closed
                return

        return tell
