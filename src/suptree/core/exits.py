"""Exit reasons: why a process ended, and how a reason is classified.

A reason is any value.  The few that mean something to links and supervisors are
the words of `ExitWord`, `Shutdown(detail)`, and `Crashed`, which an uncaught
exception becomes.  Pure: no clock, no asyncio.

>>> is_normal(Shutdown("deploy"))
True
>>> is_normal(KILLED)
False
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from suptree.core.crashes import Crashed

__all__ = [
    "KILL",
    "KILLED",
    "NOPROC",
    "NORMAL",
    "SHUTDOWN",
    "Crashed",
    "ExitWord",
    "FailedToStartChild",
    "Shutdown",
    "crash_in",
    "is_normal",
]


class ExitWord(enum.Enum):
    """The reasons that OTP writes as bare atoms."""

    NORMAL = "normal"
    SHUTDOWN = "shutdown"
    KILL = "kill"
    KILLED = "killed"
    NOPROC = "noproc"

    def __repr__(self) -> str:
        return self.name

    __str__ = __repr__


NORMAL: Final = ExitWord.NORMAL
"""The process finished its work."""
SHUTDOWN: Final = ExitWord.SHUTDOWN
"""The process was told to stop by its supervisor, or the supervisor gave up."""
KILL: Final = ExitWord.KILL
"""As a signal: cannot be trapped; the victim ends with `KILLED`."""
KILLED: Final = ExitWord.KILLED
"""What links and monitors of a killed process see."""
NOPROC: Final = ExitWord.NOPROC
"""There was no such process to link to, monitor or call."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """An orderly stop with a detail (OTP: `{shutdown, Detail}`); as normal as `SHUTDOWN`."""

    detail: object


@dataclass(frozen=True, slots=True)
class FailedToStartChild:
    """Inside `Shutdown`: which child kept its supervisor from starting, and why (S101)."""

    id: object
    reason: object


def crash_in(reason: object) -> Crashed | None:
    """The crash that *reason* tells of, through the levels of a tree that failed to start (S101)."""
    while True:
        match reason:
            case Crashed():
                return reason
            case Shutdown(detail):
                reason = detail
            case FailedToStartChild():
                reason = reason.reason
            case _:
                return None


def is_normal(reason: object) -> bool:
    """Say whether *reason* is normal-ish: NORMAL, SHUTDOWN or `Shutdown(...)` (S110)."""
    return reason is NORMAL or reason is SHUTDOWN or isinstance(reason, Shutdown)
