"""The checks of a `HealthMonitor` as values: what it looks at, and what it found.

A check is a function without arguments, or a process with or without a function of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from suptree.core import Pid
from suptree.services.monitoring.errors import wrong
from suptree.services.monitoring.health import Finding, Health, Thresholds
from suptree.services.monitoring.watch import (
    Answer,
    Target,
    check_seconds,
    check_target,
    check_thresholds,
)
from suptree.services.parts.checks import is_text

__all__ = ["CheckRecord", "CheckStatus", "HealthCheck", "HealthStats"]

Function: TypeAlias = Callable[..., Awaitable[Answer] | Answer]


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One thing that counts for the health of the system.

    Args:
        name: By which it is known; unique in its monitor.
        check: Async or plain; called without arguments, or, with *process*, with its pid.
            None asks the process to answer.
        process: A pid, a name or `via(registry, key)`: its death is dead at once.
        interval: Seconds between two looks.
        timeout: Seconds that a look may take.
        critical: The system is unhealthy when this is down; else it is degraded.
        fall: Looks in a row that must be worse, to go down.
        rise: Looks in a row that must be better, to come up.
        suspend_after: Failures in a row after which it is tried only every *suspend_for*
            seconds, until it succeeds; None: never.
        suspend_for: See *suspend_after*.

    Raises:
        WatchError: A wrong value.
    """

    name: str
    check: Function | None = None
    process: Target | None = None
    interval: float = 30.0
    timeout: float = 5.0
    critical: bool = True
    fall: int = 1
    rise: int = 1
    suspend_after: int | None = None
    suspend_for: float = 300.0

    def __post_init__(self) -> None:
        if not is_text(self.name) or not self.name:
            raise wrong("HealthCheck", "name", "a non-empty string", self.name)
        who = f"HealthCheck {self.name!r}"
        process: object = self.process
        if self.check is None and process is None:
            advice = "Give one of them, or both."
            raise wrong(who, "check or process", "given", None, advice)
        if self.check is not None and not callable(self.check):
            raise wrong(who, "check", "a function", self.check)
        if process is not None:
            check_target(who, process, "process")
        if not isinstance(self.critical, bool):
            raise wrong(who, "critical", "True or False", self.critical)
        for field in ("interval", "timeout", "suspend_for"):
            check_seconds(who, field, getattr(self, field))
        after: Any = self.suspend_after
        if after is not None and (
            not isinstance(after, int) or isinstance(after, bool) or after < 1
        ):
            raise wrong(who, "suspend_after", "an int of 1 or more", after)
        check_thresholds(who, self.fall, self.rise)

    @property
    def thresholds(self) -> Thresholds:
        """How many looks it takes to change the health."""
        return Thresholds(self.fall, self.rise)


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """One look.

    Attributes:
        at: When it ended, in seconds since 1970.
        health: What it found.
        reason: Why it was not healthy.
        duration_s: Seconds that it took; its timeout, if it was not in time.
    """

    at: float
    health: Health
    reason: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class CheckStatus:
    """What is known of one check.

    Attributes:
        name: Which.
        health: What it counts as.
        reason: Why it is not healthy.
        critical: Whether the system is unhealthy when it is down.
        process: The process that is watched; None without one, or when there is none now.
        last: What the last look found.
        checked_at: When, in seconds since 1970; None: never.
        checks: Looks that were begun.
        failures: Looks in a row that found it down.
        suspended: It is tried more rarely, after too many failures in a row.
        stuck: A look is still running although its time is over.
        changes: Changes of its health.
        flaps: Changes that went back the way of the one before.
        deaths: Ends of its process.
    """

    name: str
    health: Health
    reason: str
    critical: bool
    process: Pid[Any] | None
    last: Finding
    checked_at: float | None
    checks: int
    failures: int
    suspended: bool
    stuck: bool
    changes: int
    flaps: int
    deaths: int


@dataclass(frozen=True, slots=True)
class HealthStats:
    """What a `HealthMonitor` has done, and has under way.

    Attributes:
        checks: Checks that are registered, those of dead processes included.
        by_health: How many of them are how.
        dead: Processes that died and are still shown.
        running: Looks that run and have time.
        waiting: Looks that wait for a place.
        stuck: Looks that run although their time is over.
        looks: Looks that have ended, or have had their time.
        timeouts: Those that were not in time.
        abandoned: Those that went on a second after they were cancelled.
        deaths: Processes that died.
        forgotten: Dead processes that are shown no more.
        verdicts: Changes of the verdict.
    """

    checks: int
    by_health: Mapping[Health, int]
    dead: int
    running: int
    waiting: int
    stuck: int
    looks: int
    timeouts: int
    abandoned: int
    deaths: int
    forgotten: int
    verdicts: int
