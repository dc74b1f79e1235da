"""What is watched and how, what is written about it, and the look that every process answers.

A check is a function of the process, async or plain, run beside the monitor: it returns
None, a bool, a `Health` or a `Finding`, and what it raises means unhealthy.  A plain one
must not block: nothing can interrupt it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from suptree.core import Pid, ViaName, safe_repr
from suptree.errors import BadArgumentError, NoProcessError, ServerExitError, SystemRequestError
from suptree.otp import sys
from suptree.services.monitoring.errors import WatchError, wrong
from suptree.services.monitoring.health import Finding, Health, Thresholds
from suptree.services.parts import checks
from suptree.services.parts.checks import is_text

__all__ = [
    "Answer",
    "Check",
    "HealthChange",
    "HealthSink",
    "MonitorStatus",
    "Target",
    "Watch",
    "answers",
    "check_part",
    "check_seconds",
    "check_target",
    "check_thresholds",
]


Target: TypeAlias = Pid[Any] | str | ViaName
"""What is watched: a process, or a name, and then whoever has it."""

Answer: TypeAlias = Health | Finding | bool | None
Check: TypeAlias = Callable[[Pid[Any]], Awaitable[Answer] | Answer]


async def answers(process: Pid[Any]) -> Health:
    """The look that needs nothing of its author: does the process answer?

    Every server, state machine and supervisor answers it between two messages, without
    running any of its own code, and when it is suspended too.  It takes its turn: a server that is busy, or
    has a long queue, answers late.  A process that is none of these can only be alive.
    """
    try:
        await sys.get_statistics(process, timeout=None)
    except SystemRequestError:
        return Health.HEALTHY
    except (NoProcessError, ServerExitError):
        return Health.UNKNOWN  # it has just ended: its Down says so
    return Health.HEALTHY


@dataclass(frozen=True, slots=True)
class Watch:
    """What one monitor watches, and how.

    Args:
        target: A pid, a name, or `via(registry, key)`.
        check: Called with the process; None asks it to answer (`answers`).
        interval: Seconds between two looks.
        timeout: Seconds that a look may take; then the process is unresponsive.
        fall: Looks in a row that must be worse, to go down.
        rise: Looks in a row that must be better, to come up.
        rebind_within: Seconds that a name may be nobody's before the monitor ends; None
            waits for ever.  Of no matter to a pid.
        jitter: The part of the interval (0 to 1) that is random, so that monitors that
            began together do not look together.

    Raises:
        WatchError: A wrong value.
    """

    target: Target
    check: Check | None = None
    interval: float = 30.0
    timeout: float = 5.0
    fall: int = 2
    rise: int = 2
    rebind_within: float | None = 60.0
    jitter: float = 0.1

    def __post_init__(self) -> None:
        who = f"Watch of {safe_repr(self.target, 100)}"
        check_target(who, self.target)
        if self.check is not None and not callable(self.check):
            raise wrong(who, "check", "a function of a pid", self.check)
        check_seconds(who, "interval", self.interval)
        check_seconds(who, "timeout", self.timeout)
        if self.rebind_within is not None:
            check_seconds(who, "rebind_within", self.rebind_within, zero=True)
        check_part(who, "jitter", self.jitter)
        check_thresholds(who, self.fall, self.rise)

    @property
    def thresholds(self) -> Thresholds:
        """How many looks it takes to change the health."""
        return Thresholds(self.fall, self.rise)

    @property
    def by_name(self) -> bool:
        """Whether a name is watched, whoever has it."""
        return not isinstance(self.target, Pid)


def check_target(who: str, target: Any, field: str = "target") -> None:
    """Refuse what can be no process and no name."""
    if isinstance(target, Pid) or (is_text(target) and target) or _is_via(target):
        return
    raise wrong(who, field, "a pid, a name or via(registry, key)", target)


def _is_via(target: object) -> bool:
    if not callable(getattr(type(target), "whereis", None)):
        return False
    try:
        hash(target)
    except Exception:  # whatever the code of its class raises
        return False
    return True


def check_part(who: str, field: str, value: object) -> None:
    """Refuse what is no number from 0 to 1."""
    with _as_watch_error(who):
        checks.check_number(who, field, value, least=0, most=1)


def check_seconds(who: str, field: str, value: object, *, zero: bool = False) -> None:
    """Refuse what is no number of seconds above 0; or 0, where *zero* will do."""
    with _as_watch_error(who):
        checks.check_seconds(who, field, value, zero=zero)


def check_thresholds(who: str, fall: Any, rise: Any) -> None:
    """Refuse what `Thresholds` would refuse."""
    with _as_watch_error(who):
        Thresholds(fall, rise)


@contextmanager
def _as_watch_error(who: str) -> Iterator[None]:
    try:
        yield
    except BadArgumentError as error:
        raise WatchError(who, error.field, error.wanted, error.got) from None


@dataclass(frozen=True, slots=True)
class HealthChange:
    """A change of health, as it is written to a `HealthSink`.

    Attributes:
        target: What is watched.
        process: The process that was looked at; None if a name is nobody's.
        health: What it is now.
        previous: What was written last; unknown at first.
        reason: Why it is not healthy.
        at: Seconds since 1970, for people.
    """

    target: Target
    process: Pid[Any] | None
    health: Health
    previous: Health
    reason: str
    at: float


class HealthSink(Protocol):
    """Where monitors write health, on change only: a registry, a table, a process.

    It runs beside the monitor, has `write_timeout` seconds, and is tried again if it
    fails; a newer change takes the place of one that could not be written.
    """

    async def write(self, change: HealthChange) -> None:
        """Take down that something is now as *change* says."""
        ...


@dataclass(frozen=True, slots=True)
class MonitorStatus:
    """One monitor and what it knows.

    Attributes:
        target: What it watches.
        process: The process; None if it is dead or the name is nobody's.
        health: What it counts as.
        reason: Why it is not healthy.
        written: What the sink was last told; unknown: nothing yet.
        last: What the last look found, which may not count yet.
        checked_at: When that was, in seconds since 1970; None: never.
        checks: Looks that were begun.
        failures: Looks that found it down.
        timeouts: Looks that were not in time.
        abandoned: Checks and writes that went on after they were cancelled.
        stuck: Those and others that still run although their time is over.
        changes: Changes of the health.
        flaps: Changes that went back the way of the one before.
        deaths: Ends of the process, or of those that had the name.
        rebinds: Next processes of the name that were found.
        writes: Writes to the sink.
        write_failures: Writes that failed.
    """

    target: Target
    process: Pid[Any] | None
    health: Health
    reason: str
    written: Health
    last: Finding
    checked_at: float | None
    checks: int
    failures: int
    timeouts: int
    abandoned: int
    stuck: int
    changes: int
    flaps: int
    deaths: int
    rebinds: int
    writes: int
    write_failures: int
