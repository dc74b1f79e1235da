"""What the monitors refuse.

MonitoringError
├── WatchError            a wrong option of a watch or a check
├── NotMonitoredError     nobody watches that                        .target
├── UnknownCheckError     no check of that name                      .name
├── TooManyChecksError    as many checks as the monitor takes        .limit
└── NoMonitorsError       there is no such monitor supervisor        .monitors
"""

from __future__ import annotations

from collections.abc import Iterable

from suptree.core import safe_repr
from suptree.errors import BadArgumentError, SuptreeError
from suptree.near import did_you_mean

__all__ = [
    "MonitoringError",
    "NoMonitorsError",
    "NotMonitoredError",
    "TooManyChecksError",
    "UnknownCheckError",
    "WatchError",
    "wrong",
]


class MonitoringError(SuptreeError):
    """A monitor refuses."""


class WatchError(MonitoringError, BadArgumentError):
    """An option of a watch or of a check is wrong; nothing was started."""


def wrong(who: str, field: str, wanted: str, value: object, advice: str = "") -> WatchError:
    """The error about *value*: ``<who>: <field> must be <wanted>; got <value>. <advice>``."""
    return WatchError(who, field, wanted, safe_repr(value, 200), advice)


class NotMonitoredError(MonitoringError):
    """Nobody watches *target* there."""

    def __init__(self, monitors: str, target: object) -> None:
        super().__init__(monitors, target)
        self.monitors = monitors
        self.target = target

    def __str__(self) -> str:
        return (
            f"{self.monitors}: nothing watches {self.target!r}. Use start_monitoring first; what "
            "is watched by its name is asked for by its name."
        )


class UnknownCheckError(MonitoringError):
    """The health monitor has no check of that name."""

    def __init__(self, name: object, known: Iterable[str]) -> None:
        super().__init__(name)
        self.name = name
        self.known = tuple(known)

    def __str__(self) -> str:
        hint = did_you_mean(self.name, self.known)
        return f"HealthMonitor: there is no check {self.name!r}{hint} Register it first."


class TooManyChecksError(MonitoringError):
    """The health monitor has as many checks as it takes."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"HealthMonitor: checks must be at most {self.limit}; there are as many. "
            "Unregister some, or raise max_checks."
        )


class NoMonitorsError(MonitoringError):
    """No monitor supervisor of that name runs, or it is being restarted."""

    def __init__(self, monitors: object) -> None:
        super().__init__(monitors)
        self.monitors = monitors

    def __str__(self) -> str:
        return (
            f"MonitorSupervisor: monitors must be the name of one that runs; got {self.monitors!r}. "
            "Put MonitorSupervisor.child(name=...) into the tree, or try again: it may be restarting."
        )
