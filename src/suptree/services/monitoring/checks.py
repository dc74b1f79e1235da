"""The checks of a `HealthMonitor` as values: what it looks at, and what it found.

A check is a function without arguments, or a process with or without a function of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from suptree.core import Pid, safe_repr
from suptree.services.monitoring.errors import WatchError
from suptree.services.monitoring.health import Finding, Health, Thresholds
from suptree.services.monitoring.watch import Answer, Target, check_seconds, check_target

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
        if not isinstance(self.name, str) or not self.name:
            raise WatchError(
                f"HealthCheck: name must be a non-empty string; got {safe_repr(self.name, 200)}."
            )
        who = f"HealthCheck {self.name!r}"
        process: object = self.process
        if self.check is None and process is None:
            raise WatchError(
                f"{who}: it must have a check or a process. Give one of them, or both."
            )
        if self.check is not None and not callable(self.check):
            raise WatchError(f"{who}: check must be a function; got {safe_repr(self.check, 200)}.")
        if process is not None:
            check_target(who, process, "process")
        if not isinstance(self.critical, bool):
            raise WatchError(
                f"{who}: critical must be True or False; got {safe_repr(self.critical, 200)}."
            )
        for field in ("interval", "timeout", "suspend_for"):
            check_seconds(who, field, getattr(self, field))
        after: Any = self.suspend_after
        if after is not None and (
            not isinstance(after, int) or isinstance(after, bool) or after < 1
        ):
            raise WatchError(
                f"{who}: suspend_after must be an int of 1 or more; got {safe_repr(after, 200)}."
            )
        try:
            Thresholds(self.fall, self.rise)
        except ValueError as error:
            raise WatchError(f"{who}: {error}") from None

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
        checks_count: Looks that were begun.
        failures: Looks in a row that found it down.
        suspended: It is tried more rarely, after too many failures in a row.
        stuck: A look is still running although its time is over.
        changes_count: Changes of its health.
        flaps_count: Changes that went back the way of the one before.
        deaths_count: Ends of its process.
    """

    name: str
    health: Health
    reason: str
    critical: bool
    process: Pid[Any] | None
    last: Finding
    checked_at: float | None
    checks_count: int
    failures: int
    suspended: bool
    stuck: bool
    changes_count: int
    flaps_count: int
    deaths_count: int


@dataclass(frozen=True, slots=True)
class HealthStats:
    """What a `HealthMonitor` has done, and has under way.

    Attributes:
        checks_count: Checks that are registered, those of dead processes included.
        by_health: How many of them are how.
        dead_count: Processes that died and are still shown.
        running_count: Looks that run and have time.
        waiting_count: Looks that wait for a place.
        stuck_count: Looks that run although their time is over.
        looks_count: Looks that have ended, or have had their time.
        timeouts_count: Those that were not in time.
        abandoned_count: Those that went on a second after they were cancelled.
        deaths_count: Processes that died.
        forgotten_count: Dead processes that are shown no more.
        verdicts_count: Changes of the verdict.
    """

    checks_count: int
    by_health: Mapping[Health, int]
    dead_count: int
    running_count: int
    waiting_count: int
    stuck_count: int
    looks_count: int
    timeouts_count: int
    abandoned_count: int
    deaths_count: int
    forgotten_count: int
    verdicts_count: int
