"""`judge`: from the health of many things to the health of the whole.  Pure.

    a critical one is down                    unhealthy
    another one is down, or any is degraded   degraded
    a critical one was never looked at        unknown
    else                                      healthy

>>> judge([Judged("db", Health.DEAD, critical=True, reason="killed"),
...        Judged("mail", Health.DEGRADED)])
Verdict(health=<Health.UNHEALTHY: 'unhealthy'>, reasons=('db is dead: killed', 'mail is degraded'))
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from suptree.services.monitoring.health import Health

__all__ = ["Judged", "Verdict", "Weights", "judge"]


@dataclass(frozen=True, slots=True)
class Judged:
    """One thing that counts for the whole."""

    name: str
    health: Health
    critical: bool = False
    reason: str = ""

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        return f"{self.name} is {self.health}{reason}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the whole is.

    Attributes:
        health: Healthy, degraded, unhealthy, or unknown while something critical is.
        reasons: What is not healthy, the worst first.
    """

    health: Health
    reasons: tuple[str, ...] = ()


def judge(things: Iterable[Judged]) -> Verdict:
    """The verdict about all *things*; about none it is healthy."""
    bad = [one for one in things if one.health is not Health.HEALTHY]
    bad.sort(key=lambda one: (not one.critical, -one.health.severity))  # else as given
    weights = Weights()
    for one in bad:
        weights.add(one.health, one.critical)
    return Verdict(weights.health, tuple(str(one) for one in bad))


class Weights:
    """The health of the whole, kept up one change at a time: each costs the same however many there are."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[Health, int] = dict.fromkeys(_HEAVIEST_FIRST, 0)

    def add(self, health: Health, critical: bool) -> None:
        """One thing more that is so."""
        self._counts[_weight(health, critical)] += 1

    def remove(self, health: Health, critical: bool) -> None:
        """One thing less that is so."""
        self._counts[_weight(health, critical)] -= 1

    @property
    def health(self) -> Health:
        """The health of the whole."""
        return next((one for one, count in self._counts.items() if count), Health.HEALTHY)


_HEAVIEST_FIRST: Final = (Health.UNHEALTHY, Health.DEGRADED, Health.UNKNOWN, Health.HEALTHY)


def _weight(health: Health, critical: bool) -> Health:
    """What one thing makes of the whole."""
    if health is Health.UNKNOWN:
        return Health.UNKNOWN if critical else Health.HEALTHY
    if health.is_down:
        return Health.UNHEALTHY if critical else Health.DEGRADED
    return health
