"""`Job`: what is to happen, when, and what if it is late or still busy; a value.

What happens is a message to a process, or a function run in a supervised task (`Run`):
the scheduler never runs anybody's code in its own turn.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, TypedDict

from suptree.core import Pid, ViaName
from suptree.near import meant, near
from suptree.services.parts.checks import is_server, is_text
from suptree.services.scheduler.errors import ScheduleError
from suptree.services.scheduler.message import check_message
from suptree.services.scheduler.triggers import Every, Trigger, check_seconds

__all__ = [
    "Job",
    "JobChanges",
    "JobFired",
    "JobInfo",
    "JobKeywords",
    "JobOptions",
    "Misfire",
    "Overlap",
    "Owner",
    "Run",
    "RunOutcome",
    "Started",
    "Target",
]

Overlap: TypeAlias = Literal["skip", "queue", "allow"]
"""A run is due while the last one goes on: leave it out, keep it until that is over, or run both."""
Misfire: TypeAlias = Literal["skip", "once", "all"]
"""Points were missed: leave them out, have one run for all of them, or one for each."""
Owner: TypeAlias = Pid[Any] | str | None
"""A process, with which the job goes; a label; or nobody."""
Target: TypeAlias = Pid[Any] | str | ViaName
Started: TypeAlias = Literal["started", "queued", "skipped", "failed"]
"""What came of a point: it runs (or its message is sent), waits for the run before it, was left out, or could not be."""
RunOutcome: TypeAlias = Literal["done", "failed", "timed_out", "lost"]
"""How a run ended; it is lost if the process that had it ended without a word."""

MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class JobFired:
    """A job has come: what its target gets that has no message of its own, or has to say when it is done.

    Attributes:
        job: The id of the job.
        run: The number of this run, unique in the runtime; `SchedulerManager.done` needs it.
        count: It is the count-th run of this job, from 1.
        due: When it was due, in seconds since 1970.
        late_s: Seconds that it is late.
        missed: Points before this one that had no run, since the last one that had.
        message: The message of the job, None if it has none.
    """

    job: str
    run: int
    count: int
    due: float
    late_s: float
    missed: int
    message: Any = None


@dataclass(frozen=True, slots=True)
class Run:
    """A function, to be run in a task of the scheduler's task supervisor.

    Args:
        function: Async or plain; or where it is to be found, as 'package.module:function'.
        args: Its positional arguments.
        kwargs: Its arguments by name.

    >>> Run(print, ("midnight",))
    Run(function=<built-in function print>, args=('midnight',), kwargs={})
    """

    function: Callable[..., object] | str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        args: object = self.args
        if not isinstance(args, tuple | list):  # a text would be taken for its letters
            raise ScheduleError("args", "a tuple", args, "Write Run(function, (argument,)).")
        if isinstance(self.function, str):
            module, _, name = self.function.partition(":")
            if module and name:
                return
        elif callable(self.function):
            return
        raise ScheduleError(
            "function", "callable, or its import path 'package.module:function'", self.function
        )

    def resolve(self) -> Callable[..., object]:
        """The function itself, imported if need be.

        Raises:
            ScheduleError: There is none at that path.
        """
        if not isinstance(self.function, str):
            return self.function
        module, _, name = self.function.partition(":")
        try:
            found: Any = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            raise ScheduleError(
                "function", "the import path of a function", self.function, f"{error}."
            ) from error
        if not callable(found):
            raise ScheduleError("function", "the import path of a function", self.function)
        return found  # type: ignore[no-any-return]


class JobOptions(TypedDict, total=False):
    """The options that can be changed later; what they mean stands with `Job`."""

    to: Target | None
    jitter: float
    overlap: Overlap | None
    misfire: Misfire
    grace: float
    timeout: float | None
    max_queued: int
    max_running: int
    max_catch_up: int
    durable: bool


class JobKeywords(JobOptions, total=False):
    """The options that a new job may have; what they mean stands with `Job`."""

    id: str
    owner: Owner


class JobChanges(JobOptions, total=False):
    """What `SchedulerManager.update` can change; what it means stands with `Job`."""

    trigger: Trigger
    what: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job.

    Args:
        trigger: When: `Every`, `After`, `At` or `Cron`.
        what: The message that *to* gets, the same object each time, or a `Run`.  None: *to*
            gets a `JobFired`.
        id: Unique in the scheduler; "" has it made up.
        to: Who gets the message; default: the owner.  A pid takes the job with it when it ends;
            a name or key is looked up each time.
        owner: The process that the job goes with when it ends, or a label for `cancel_owner`.
        jitter: Each point is late by something between 0 and so many seconds, not beyond the
            next point; the grid stays where it is.
        overlap: See `Overlap`; default: 'skip' for a `Run`, 'allow' for a message.  With 'skip'
            or 'queue' a message comes inside a `JobFired`, and its run lasts until
            `SchedulerManager.done`.
        misfire: See `Misfire`.
        grace: A point that is more than so many seconds late was missed.
        timeout: Seconds after which a run is over, whether it says so or not; a task is
            killed then.  None: it may last for ever.
        max_queued: 'queue' keeps so many runs, at most `MOST`; more are left out.
        max_running: 'allow' runs so many `Run`s at once, at most `MOST`; more are left out.
        max_catch_up: 'all' makes up for the newest so many points, at most `MOST`.
        durable: Refuse the job unless it is plain data, which every store can keep.

    Raises:
        ScheduleError: A wrong value.
    """

    trigger: Trigger
    what: Any = None
    id: str = ""
    to: Target | None = None
    owner: Owner = None
    jitter: float = 0.0
    overlap: Overlap | None = None
    misfire: Misfire = "once"
    grace: float = 1.0
    timeout: float | None = 3600.0
    max_queued: int = 10
    max_running: int = 100
    max_catch_up: int = 100
    durable: bool = False

    def __post_init__(self) -> None:
        is_run = isinstance(self.what, Run)
        if self.overlap is None:
            object.__setattr__(self, "overlap", "skip" if is_run else "allow")
        if self.to is None and not is_run:
            object.__setattr__(self, "to", self.owner)
        self._check(is_run)

    def _check(self, is_run: bool) -> None:
        check_message(self.what)
        if not isinstance(self.trigger, Trigger):
            raise ScheduleError("trigger", "Every, After, At or Cron", self.trigger)
        if not is_text(self.id):
            raise ScheduleError("id", "a string", self.id)
        if not (self.owner is None or isinstance(self.owner, Pid) or is_text(self.owner)):
            raise ScheduleError("owner", "a pid, a label or None", self.owner)
        if is_run and self.to is not None:
            raise ScheduleError("to", "None for a Run, which is sent to nobody", self.to)
        if not is_run and not is_server(self.to):
            must = "a pid, a name or via(registry, key)"
            raise ScheduleError("to", must, self.to, "Without an owner, say who gets the message.")
        _one_of("overlap", self.overlap, ("skip", "queue", "allow"))
        _one_of("misfire", self.misfire, ("skip", "once", "all"))
        check_seconds("grace", self.grace)
        check_seconds("jitter", self.jitter)
        if self.timeout is not None:
            check_seconds("timeout", self.timeout)
        for name in ("max_queued", "max_running", "max_catch_up"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST:
                raise ScheduleError(name, f"a whole number from 1 to {MOST}", value)
        if isinstance(self.trigger, Every) and self.jitter > self.trigger.period:
            raise ScheduleError("jitter", "no longer than the period", self.jitter)

    @property
    def is_tracked(self) -> bool:
        """Whether the scheduler is told when a run is over."""
        return self.overlap != "allow" or isinstance(self.what, Run)


@dataclass(frozen=True, slots=True)
class JobInfo:
    """A job as it stands now.

    Attributes:
        job: What was asked for.
        next_run: When it comes next, in UTC; None if it is paused or has come for the last time.
        in_s: Seconds until then; negative if it is late.
        paused: Whether it waits for `resume`.
        count: How often it has run.
        failures: How many of its runs failed, were out of time or lost with their process, and how
            many messages reached nobody, since the scheduler was started.
        last: How the last run that is over ended; None: none is.  A message that nobody has to
            acknowledge has no end.
        running: How many of its runs go on.
        queued: How many runs wait for the one before them.
        kept: Whether it comes back when the scheduler is started again.
    """

    job: Job
    next_run: datetime | None
    in_s: float | None
    paused: bool
    count: int
    failures: int
    last: RunOutcome | None
    running: int
    queued: int
    kept: bool

    @property
    def id(self) -> str:
        """The id of the job."""
        return self.job.id


def _one_of(field: str, value: object, allowed: tuple[str, ...]) -> None:
    if not is_text(value) or value not in allowed:
        hint = meant(near(value, allowed) if is_text(value) else None)
        raise ScheduleError(field, f"one of {', '.join(map(repr, allowed))}", value, hint)
