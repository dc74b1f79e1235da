"""When a job comes: `Every`, `After`, `At` and `Cron`; pure values, `now` is a parameter.

A trigger names *points* on one of two clocks: the runtime's, which never jumps, or the one
on the wall (seconds since 1970), which people and NTP set.  Intervals are a grid on the
runtime's clock: point n is ``origin + n * period``, so nothing drifts, however late a run is.

>>> half_past = Every(60.0, first=30.0)
>>> origin = half_past.start(100.0)
>>> origin, half_past.after(origin, origin)
(130.0, 190.0)
>>> half_past.overdue(origin, 190.0, 320.0, keep=2)   # the newest two, how many in all, what follows
([250.0, 310.0], 3, 370.0)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, TypeAlias

from suptree.errors import BadArgumentError
from suptree.services.parts.checks import check_number
from suptree.services.scheduler.cron import Cron
from suptree.services.scheduler.errors import ScheduleError

__all__ = ["After", "At", "Cron", "Every", "Overdue", "Trigger", "check_seconds"]

Overdue: TypeAlias = tuple[list[float], int, float | None]
"""The newest of the points that are due, how many are due, and the point that follows."""

LEAST_PERIOD: Final = 0.001


@dataclass(frozen=True, slots=True)
class Every:
    """Comes again and again, on a grid of the runtime's clock.

    Args:
        period: Seconds between two points, a millisecond at least.
        first: Seconds until the first one; default: *period*.

    Raises:
        ScheduleError: One of them is no such number.
    """

    wall: ClassVar[bool] = False

    period: float
    first: float | None = None

    def __post_init__(self) -> None:
        check_seconds("period", self.period, least=LEAST_PERIOD)
        if self.first is not None:
            check_seconds("first", self.first)

    def start(self, now: float) -> float | None:
        """The first point of a job that is made *now*: the origin of its grid."""
        return now + (self.period if self.first is None else self.first)

    def after(self, origin: float, point: float) -> float | None:
        """The point that follows *point*."""
        return origin + (round((point - origin) / self.period) + 1) * self.period

    def overdue(self, origin: float, point: float, now: float, keep: int) -> Overdue:
        """The newest *keep* points from *point* to *now*, how many there are, and what follows."""
        first = round((point - origin) / self.period)
        last = max(first, math.floor((now - origin) / self.period))
        if last > first and origin + last * self.period > now:  # a rounding error
            last -= 1
        if origin + (last + 1) * self.period <= now:
            last += 1
        oldest = max(first, last - keep + 1)
        points = [origin + n * self.period for n in range(oldest, last + 1)]
        return points, last - first + 1, origin + (last + 1) * self.period

    def __str__(self) -> str:
        return f"every {self.period:g} s"


class _Once:
    """What comes once: its only point is the one that it starts with."""

    __slots__ = ()

    def after(self, origin: float, point: float) -> float | None:
        """Nothing follows."""
        return None

    def overdue(self, origin: float, point: float, now: float, keep: int) -> Overdue:
        """Its only point."""
        return [point], 1, None


@dataclass(frozen=True, slots=True)
class After(_Once):
    """Comes once, *delay* seconds after the job is made, by the runtime's clock."""

    wall: ClassVar[bool] = False

    delay: float

    def __post_init__(self) -> None:
        check_seconds("delay", self.delay)

    def start(self, now: float) -> float | None:
        """Its point."""
        return now + self.delay

    def __str__(self) -> str:
        return f"once, {self.delay:g} s after it was made"


@dataclass(frozen=True, slots=True)
class At(_Once):
    """Comes once, when the clock on the wall says *moment*.

    Args:
        moment: Seconds since 1970; `At.time` takes a datetime.
    """

    wall: ClassVar[bool] = True

    moment: float

    def __post_init__(self) -> None:
        check_seconds("moment", self.moment)

    @classmethod
    def time(cls, moment: datetime | float) -> At:
        """Once at a datetime with a time zone, or at so many seconds since 1970.

        Raises:
            ScheduleError: It has no time zone, or is no time.
        """
        if not isinstance(moment, datetime):
            return cls(moment)
        if moment.utcoffset() is None:
            raise ScheduleError(
                "moment",
                "a time with a time zone",
                moment,
                "Write datetime(..., tzinfo=ZoneInfo('Europe/Berlin')), or datetime.now(UTC) + ...",
            )
        return cls(moment.timestamp())

    def start(self, now: float) -> float | None:
        """Its point, whatever *now* is."""
        return self.moment

    def __str__(self) -> str:
        return f"once at {self.moment:.3f}"


Trigger: TypeAlias = Every | After | At | Cron


def check_seconds(field: str, value: object, *, least: float = 0.0) -> None:
    """Refuse what is no usable number of seconds.

    Raises:
        ScheduleError: *value* is not finite, below *least*, or no number.
    """
    try:
        check_number("job", field, value, least=least, of="seconds")
    except BadArgumentError as error:
        raise ScheduleError(field, error.wanted, value) from None
