"""Health of one thing, and how many looks it takes to change it.  Pure.

    unknown        nobody has looked yet
    healthy        it answers, and its check is content
    degraded       it works, not well
    unhealthy      its check says no, or fails
    unresponsive   it, or its check, did not answer in time
    dead           its process has ended

The first look decides at once.  After that it takes `fall` looks in a row that are worse
to go down, and `rise` that are better to come up; it then goes to the mildest of the
worse ones, or the worst of the better ones: never further than all of them agree.

>>> track = Track()
>>> for seen in (Health.HEALTHY, Health.UNHEALTHY, Health.DEGRADED, Health.HEALTHY):
...     track = track.observe(Finding(seen), Thresholds(fall=2, rise=2))
...     print(seen, "->", track.health)
healthy -> healthy
unhealthy -> healthy
degraded -> degraded
healthy -> degraded
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from suptree.services.parts.checks import check_count

__all__ = ["Finding", "Health", "Thresholds", "Track", "finding_of"]


class Health(StrEnum):
    """How something is; a string too, so that it reads well everywhere."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNRESPONSIVE = "unresponsive"
    DEAD = "dead"

    @property
    def severity(self) -> int:
        """How bad it is: 0 is healthy, 4 is dead, and unknown is -1, which is none of them."""
        return _SEVERITY[self]

    @property
    def is_down(self) -> bool:
        """Whether it is of no use: unhealthy, unresponsive or dead."""
        return self.severity >= _SEVERITY[Health.UNHEALTHY]


_SEVERITY: Final[Mapping[Health, int]] = MappingProxyType(
    {health: number - 1 for number, health in enumerate(Health)}
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found, and why it is not healthy."""

    health: Health
    reason: str = ""


def finding_of(value: object) -> Finding:
    """What the value that a check returned says.

    None and True: healthy; False: unhealthy; a `Health` or a `Finding` speaks for itself,
    and unknown means that this look does not count.  Dead is not for a check to say.
    """
    match value:
        case None | True:
            return Finding(Health.HEALTHY)
        case False:
            return Finding(Health.UNHEALTHY, "its check said no")
        case Finding(Health.DEAD, reason):
            return Finding(Health.UNHEALTHY, reason or "its check said that it is dead")
        case Finding():
            return value
        case Health():
            return finding_of(
                Finding(value, "" if value is Health.HEALTHY else "its check said so")
            )
        case _:
            return Finding(
                Health.UNHEALTHY,
                "its check must return None, a bool, a Health or a Finding; "
                f"got {type(value).__name__}",
            )


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How many looks in a row it takes.

    Args:
        fall: Worse ones, to go down.
        rise: Better ones, to come up.

    Raises:
        ValueError: Less than 1.
    """

    fall: int = 2
    rise: int = 2

    def __post_init__(self) -> None:
        for name in ("fall", "rise"):
            check_count("Thresholds", name, getattr(self, name))


@dataclass(frozen=True, slots=True)
class Track:
    """The health of one thing, and the looks on the way to another.

    Attributes:
        health: What it counts as.
        reason: Why it is not healthy; "" if it is.
        changes: How often the health changed.
        flaps: How often it turned back: down after it had come up, or up after down.
        failures: Looks in a row that found it down, whatever it counts as.
    """

    health: Health = Health.UNKNOWN
    reason: str = ""
    changes: int = 0
    flaps: int = 0
    failures: int = 0
    _run: int = 0  # looks in a row on one side of `health`
    _side: int = 0  # 1: worse, -1: better, 0: as it is
    _edge: Finding = Finding(Health.UNKNOWN)  # of the run: the one nearest to `health`
    _last_side: int = 0  # which way it went last

    def observe(self, found: Finding, thresholds: Thresholds) -> Track:
        """The track after one more look."""
        if found.health is Health.UNKNOWN:
            return self
        failures = self.failures + 1 if found.health.is_down else 0
        track = replace(self, failures=failures)
        if self.health in (Health.UNKNOWN, Health.DEAD):
            return track._moved(found, 0)
        distance = found.health.severity - self.health.severity
        if distance == 0:
            return replace(track, reason=found.reason, _run=0, _side=0)
        side = 1 if distance > 0 else -1
        same = side == self._side
        nearer = same and abs(distance) >= abs(self._edge.health.severity - self.health.severity)
        edge = self._edge if nearer else found
        run = self._run + 1 if same else 1
        if run >= (thresholds.fall if side > 0 else thresholds.rise):
            return track._moved(edge, side)
        return replace(track, _run=run, _side=side, _edge=edge)

    def died(self, reason: str) -> Track:
        """Its process has ended: no look is needed for that."""
        return self._moved(Finding(Health.DEAD, reason), 1)

    def reborn(self) -> Track:
        """There is another process in its place, which nobody has looked at yet."""
        return replace(self, health=Health.UNKNOWN, reason="", failures=0, _run=0, _side=0)

    def _moved(self, found: Finding, side: int) -> Track:
        changed = found.health is not self.health
        flapped = side != 0 and side == -self._last_side
        return replace(
            self,
            health=found.health,
            reason=found.reason,
            changes=self.changes + changed,
            flaps=self.flaps + flapped,
            _run=0,
            _side=0,
            _last_side=side or self._last_side,
        )
