"""Restart decisions: who comes back, which siblings go with it, and when it has been too often.  Pure.

A supervisor asks here and carries out what it is told; `now` is a parameter.

    a child ended            permanent      transient, normally  transient, otherwise  temporary
    what becomes of it       RESTART        KEEP its spec        RESTART               FORGET it

    RESTART under            stops, newest first        starts, in start order
    one_for_one              -                          the child
    one_for_all              all others                 all
    rest_for_one             those started after it     the child, and those

>>> from suptree import NORMAL
>>> fate("transient", NORMAL)
<Fate.KEEP: 'keep'>
>>> affected(["a", "b", "c"], "b", "rest_for_one")
['b', 'c']
"""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Hashable, Iterable, Reversible
from dataclasses import dataclass
from typing import Final, Literal, TypeVar, cast

from suptree.core import is_normal
from suptree.errors import SupervisorOptionsError
from suptree.otp.child_spec import Restart, closest

__all__ = [
    "AutoShutdown",
    "Fate",
    "Intensity",
    "Strategy",
    "affected",
    "check_limits",
    "check_options",
    "ends_supervisor",
    "fate",
]

Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]
AutoShutdown = Literal["never", "any_significant", "all_significant"]
K = TypeVar("K", bound=Hashable)

STRATEGIES: Final = ("one_for_one", "one_for_all", "rest_for_one")
AUTO_SHUTDOWNS: Final = ("never", "any_significant", "all_significant")


class Fate(enum.Enum):
    """What becomes of a child that ended."""

    RESTART = "restart"
    KEEP = "keep"
    FORGET = "forget"


def fate(restart: Restart, reason: object) -> Fate:
    """Decide by restart type and exit reason, as delivered (S110, S111, S256)."""
    match restart:
        case "permanent":
            return Fate.RESTART
        case "transient":
            return Fate.KEEP if is_normal(reason) else Fate.RESTART
        case "temporary":
            return Fate.FORGET


def affected(order: Reversible[K], culprit: K, strategy: Strategy) -> list[K]:
    """Say which children a restart of *culprit* starts, in start order (S113-S115).

    Those that run are stopped before, in reverse order; those that are down are
    started too (S116); temporary ones are stopped and forgotten (S117).
    """
    match strategy:
        case "one_for_one":
            return [culprit]
        case "one_for_all":
            return list(cast("Iterable[K]", order))
        case "rest_for_one":
            group: list[K] = []
            for key in reversed(order):
                group.append(key)
                if key == culprit:
                    break
            group.reverse()
            return group


def ends_supervisor(auto_shutdown: AutoShutdown, significant: bool, others: Iterable[bool]) -> bool:
    """Whether the end of a child that is not restarted ends its supervisor (S140-S142).

    Args:
        auto_shutdown: The option of the supervisor.
        significant: Whether the child that ended is.
        others: For each other significant child, whether it runs or is restarting.
    """
    match auto_shutdown:
        case "never":
            return False
        case "any_significant":
            return significant
        case "all_significant":
            return significant and not any(others)


@dataclass(slots=True)
class Intensity:
    """The sliding window in which restarts are counted (S120): at most *limit* in *period* seconds.

    A restart counts while ``time >= now - period``.  Adding is O(1), spread over the
    life of the window; a storm of restarts costs no more than as many calm ones.

    >>> window = Intensity(2, 5.0)
    >>> [window.allows(now) for now in (0.0, 1.0, 5.0, 5.5)]
    [True, True, False, False]
    """

    limit: int
    period: float
    _times: deque[float]

    def __init__(self, limit: int, period: float) -> None:
        self.limit = limit
        self.period = period
        self._times = deque()

    def allows(self, now: float) -> bool:
        """Count one more restart; False when that is one too many (S121: before the try)."""
        times = self._times
        times.append(now)
        oldest = now - self.period
        while times[0] < oldest:
            times.popleft()
        return len(times) <= self.limit

    @property
    def count(self) -> int:
        """How many restarts the window held when one was last added."""
        return len(self._times)

    def restarted(self) -> str:
        """What was done about a crash, in words."""
        return f"restarted ({self})"

    def __str__(self) -> str:
        return f"{self.count} of {self.limit} in {self.period:g} s"


def check_limits(who: str, max_restarts: object, max_seconds: object) -> None:
    """Refuse wrong restart limits.

    Raises:
        SupervisorOptionsError: With the option, what it must be, and what it is.
    """
    if not isinstance(max_restarts, int) or isinstance(max_restarts, bool) or max_restarts < 0:
        raise SupervisorOptionsError(
            f"{who}: max_restarts must be an int of 0 or more; got {max_restarts!r}. "
            "0 gives up at the first restart."
        )
    number = isinstance(max_seconds, (int, float)) and not isinstance(max_seconds, bool)
    if (
        not number
        or not math.isfinite(cast("float", max_seconds))
        or cast("float", max_seconds) <= 0
    ):
        raise SupervisorOptionsError(
            f"{who}: max_seconds must be a number of seconds above 0; got {max_seconds!r}."
        )


def check_options(
    who: str, strategy: object, max_restarts: object, max_seconds: object, auto_shutdown: object
) -> None:
    """Refuse wrong supervisor options before anything is started (S103).

    Raises:
        SupervisorOptionsError: With the option, what it must be, and the nearest right word.
    """
    for name, value, allowed in (
        ("strategy", strategy, STRATEGIES),
        ("auto_shutdown", auto_shutdown, AUTO_SHUTDOWNS),
    ):
        if value not in allowed:
            raise SupervisorOptionsError(f"{who}: {name} must be {closest(value, allowed)}")
    check_limits(who, max_restarts, max_seconds)
