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

from suptree.services.monitoring.health import Health

__all__ = ["Judged", "Verdict", "judge"]


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
    return Verdict(
        max((_weight(one) for one in bad), key=_RANK.index, default=Health.HEALTHY),
        tuple(str(one) for one in bad),
    )


_RANK = (Health.HEALTHY, Health.UNKNOWN, Health.DEGRADED, Health.UNHEALTHY)


def _weight(one: Judged) -> Health:
    if one.health is Health.UNKNOWN:
        return Health.UNKNOWN if one.critical else Health.HEALTHY
    if one.health.is_down and one.critical:
        return Health.UNHEALTHY
    return Health.DEGRADED
