"""What a `HealthMonitor` keeps of each check: where it stands, and who waits for it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from suptree.core import Pid, Ref, ReplyTo
from suptree.services.monitoring.checks import CheckRecord, CheckStatus, HealthCheck
from suptree.services.monitoring.health import Finding, Health, Track
from suptree.services.parts.deadlines import NEVER

__all__ = ["Entry", "Forced", "Look"]

_UNSEEN: Final = Finding(Health.UNKNOWN)
_FRESH: Final = Track()


@dataclass(frozen=True, slots=True)
class Look:
    """The key of one job: a check, and which process in a row it looks at."""

    number: int
    turn: int


@dataclass(slots=True, eq=False)
class Forced:
    """Somebody who waits until some looks have ended."""

    reply_to: ReplyTo
    left: set[int]
    name: str | None  # None: all of them


@dataclass(slots=True, eq=False)
class Entry:
    """One check, and what is known of it."""

    number: int
    spec: HealthCheck
    owner: Pid[Any] | None
    history: deque[CheckRecord]
    grid: float  # when it was due last, or first
    due: float = NEVER  # when it is due next: see `Deadlines`
    track: Track = _FRESH
    last: Finding = _UNSEEN
    pid: Pid[Any] | None = None
    ref: Ref | None = None
    gone: bool = False  # its pid has died for good
    hung: bool = False  # the last look was not in time
    looks: int = 0
    deaths: int = 0
    turn: int = 0  # which process in a row it is looked at with
    forced: list[Forced] = field(default_factory=list[Forced])

    @property
    def look(self) -> Look:
        """The key of its looks: an abandoned one at a process before is none of this one's."""
        return Look(self.number, self.turn)

    @property
    def is_suspended(self) -> bool:
        """Whether it has failed so often in a row that it is tried more rarely."""
        after = self.spec.suspend_after
        return after is not None and self.track.failures >= after and not self.gone

    def status(self, *, stuck: bool) -> CheckStatus:
        """What is known of it, for others."""
        return CheckStatus(
            name=self.spec.name,
            health=self.track.health,
            reason=self.track.reason,
            critical=self.spec.critical,
            process=self.pid,
            last=self.last,
            checked_at=self.history[-1].at if self.history else None,
            checks=self.looks,
            failures=self.track.failures,
            suspended=self.is_suspended,
            stuck=stuck,
            changes=self.track.changes,
            flaps=self.track.flaps,
            deaths=self.deaths,
        )
