"""`Jobs`: users' functions that run beside a server, at most one for each key, each with a timeout.

For use inside a server, in its handlers: the tasks and the timers are the server's.  What
became of a job arrives as a message, `JobNews`, which `told` translates.  The server is
never held up: not by a job that hangs, not by one that goes on after it was cancelled.
That one is *abandoned*: counted, left alone, and no second one begins while it runs.

    start ──► running ──► Done                          it returned, or raised
                  └─────► Done(timed_out)  ──► stuck    its time is over: cancelled, or, if it is
                                           ├─► Freed    patient, left waiting
                                           └─► Abandoned (still there a second after) ──► Freed
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final

from suptree.core import Timer, find_runtime, safe_text, send
from suptree.errors import ProcessExit
from suptree.otp import GenServer

__all__ = ["Abandoned", "Done", "Freed", "JobNews", "Jobs"]

_GRACE_S: Final = 1.0
# What a job may raise without hurting the server.  KeyboardInterrupt is not for us to eat.
_CAUGHT: Final = (
    Exception,
    asyncio.CancelledError,
    ProcessExit,
    SystemExit,
    GeneratorExit,
)


@dataclass(frozen=True, slots=True)
class Done:
    """A job has ended, or has had its time.

    Attributes:
        key: Which.
        value: What it returned.
        error: What it raised, as text; "" if it did not.
        timed_out: Its time was over; it may still run.
        took_s: Seconds.
    """

    key: Hashable
    value: Any
    error: str
    timed_out: bool
    took_s: float


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A job runs on although it was cancelled a second ago."""

    key: Hashable


@dataclass(frozen=True, slots=True)
class Freed:
    """A job that had its time has ended: another one with its key may begin.

    Attributes:
        key: Which.
        late: It came to its end by itself, or long after it was cancelled: it is not
            just the end that cancelling it brought.
    """

    key: Hashable
    late: bool


class _Job:
    __slots__ = ("abandoned", "error", "key", "patient", "since", "stuck", "task", "timer", "value")

    def __init__(self, key: Hashable, patient: bool, since: float) -> None:
        self.key = key
        self.patient = patient
        self.since = since
        self.stuck = self.abandoned = False
        self.value: Any = None
        self.error = "it was cancelled"
        self.task: asyncio.Task[None] | None = None
        self.timer: Timer | None = None


@dataclass(frozen=True, slots=True, eq=False)
class JobNews:
    """The message: something became of a job.  Give it to `Jobs.told`."""

    job: _Job
    ended: bool


class Jobs:
    """The jobs of one server.

    Attributes:
        abandoned: How many were ever abandoned.
    """

    __slots__ = ("_jobs", "_server", "_stuck", "abandoned")

    def __init__(self, server: GenServer) -> None:
        self._server = server
        self._jobs: dict[Hashable, _Job] = {}
        self._stuck = 0
        self.abandoned = 0

    @property
    def running(self) -> int:
        """How many run and still have time."""
        return len(self._jobs) - self._stuck

    @property
    def stuck(self) -> int:
        """How many run although their time is over."""
        return self._stuck

    def is_running(self, key: Hashable) -> bool:
        """Whether the job runs and still has time."""
        job = self._jobs.get(key)
        return job is not None and not job.stuck

    def is_stuck(self, key: Hashable) -> bool:
        """Whether the job runs although its time is over."""
        job = self._jobs.get(key)
        return job is not None and job.stuck

    def start(
        self,
        key: Hashable,
        function: Callable[..., object],
        *arguments: Any,
        timeout: float,
        patient: bool = False,
    ) -> None:
        """Run ``function(*arguments)``, async or plain, beside the server.

        Args:
            key: No job of this key may run.
            timeout: Seconds until it is told as timed out.
            patient: Do not cancel it then: it waits for something that will come.
        """
        assert key not in self._jobs, f"a job {key!r} runs already"
        job = self._jobs[key] = _Job(key, patient, find_runtime("Jobs").now())
        job.timer = self._server.send_after(timeout, JobNews(job, ended=False))
        job.task = self._server.start_task(_run(job, function, arguments), name=f"check {key}")
        pid = self._server.pid

        def ended(_task: object) -> None:
            if pid.is_alive():
                send(pid, JobNews(job, ended=True))

        job.task.add_done_callback(ended)

    def cancel(self, key: Hashable) -> None:
        """Nobody wants to know any more: it is cancelled, and only its end is told, as Freed."""
        job = self._jobs.get(key)
        if job is not None and not job.abandoned:
            job.patient = False
            self._give_up(job)

    def told(self, news: JobNews) -> Done | Abandoned | Freed | None:
        """What *news* mean; None for those that nobody needs."""
        job = news.job
        if self._jobs.get(job.key) is not job:
            return None
        if news.ended:
            return self._ended(job)
        job.timer = None
        if job.stuck:
            job.abandoned = True
            self.abandoned += 1
            return Abandoned(job.key)
        self._give_up(job)
        return Done(job.key, None, "", True, find_runtime("Jobs").now() - job.since)

    def _ended(self, job: _Job) -> Done | Freed:
        del self._jobs[job.key]
        if job.timer is not None:
            self._server.cancel_timer(job.timer)
        if job.stuck:
            self._stuck -= 1
            return Freed(job.key, job.patient or job.abandoned)
        took = find_runtime("Jobs").now() - job.since
        return Done(job.key, job.value, job.error, False, took)

    def _give_up(self, job: _Job) -> None:
        """Its time is over."""
        if job.timer is not None:
            self._server.cancel_timer(job.timer)
            job.timer = None
        if not job.stuck:
            job.stuck = True
            self._stuck += 1
        if not job.patient:
            assert job.task is not None
            job.task.cancel()
            job.timer = self._server.send_after(_GRACE_S, JobNews(job, ended=False))


async def _run(job: _Job, function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    try:
        value = function(*arguments)
        job.value = await value if inspect.isawaitable(value) else value
        job.error = ""
    except _CAUGHT as error:
        job.error = f"{type(error).__name__}: {safe_text(error, 300)}"
