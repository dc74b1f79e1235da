"""`Cron`: the moments that a cron expression names, in a time zone; pure, no clock is read here.

Five fields (minute, hour, day of month, month, day of week), or six with seconds first, or
an alias such as `@hourly`.  Reading and searching is cronsim's, which follows Debian's
cron: `*`, lists, ranges, steps, names (`MON`, `JAN`), `L`, `LW`, `5L`, `MON#2`; days of month and
of week are joined by "or", and by "and" if one of the two begins with `*`.

When the clocks change:

- An expression whose minute and hour both do not begin with `*` is meant for *a time of the
  day*, and has it once on each of its days.  On the day that has no 02:30, it comes at the
  first moment after the gap, 03:00 (several times in one gap come once).  On the day
  that has 02:30 twice, it comes the first time.
- Any other expression is meant for *a pace*, and follows the clock on the wall: what is in
  the gap does not come, and what is in the hour that comes twice comes twice.  `0 * * * *`
  comes every hour, whatever the clocks do.

Cronsim has the first rule for five fields alone; here a field of seconds changes nothing.

>>> from datetime import datetime, timezone
>>> noon = datetime(2026, 3, 28, 12, tzinfo=timezone.utc).timestamp()
>>> daily = Cron("30 2 * * *", tz="Europe/Berlin")
>>> [moment.isoformat() for moment in daily.upcoming(noon, 2)]
['2026-03-29T03:00:00+02:00', '2026-03-30T02:30:00+02:00']
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from itertools import islice
from typing import ClassVar, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError

from suptree.errors import InternalError
from suptree.near import did_you_mean, meant, near
from suptree.services.parts.checks import is_text
from suptree.services.scheduler.errors import CronError

__all__ = ["ALIASES", "Cron"]

ALIASES: Final[Mapping[str, str]] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
COUNTED: Final = 1000
"""So many overdue moments are counted one by one; an expression may name a million a year."""
_BEHIND: Final = 10_000  # an hour of seconds at most is named twice
_WINDOWS: Final = (60.0, 3600.0, 86_400.0, 32 * 86_400.0, 367 * 86_400.0, 60 * 367 * 86_400.0)
_FIELDS: Final = (
    "minute hour day month weekday, with seconds in front if there are six, or an alias"
)


@dataclass(frozen=True, slots=True)
class Cron:
    """Comes at the moments that *expression* names, by the clock on the wall.

    Args:
        expression: Five or six fields, or one of `ALIASES`.
        tz: An IANA time zone.

    Raises:
        CronError: It cannot be read, names no moment, or there is no such zone.
    """

    wall: ClassVar[bool] = True

    expression: str
    tz: str = "UTC"
    _fields: str = field(init=False, repr=False, compare=False)
    _seconds: tuple[int, ...] | None = field(init=False, repr=False, compare=False)
    _zone: tzinfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        fields = _spelt_out(self.expression)
        zone = _zone_named(self.tz)
        try:
            read = _Search(" ".join(fields), datetime(2000, 1, 1))
        except CronSimError as error:
            raise CronError("expression", _FIELDS, self.expression, f"{error}.") from None
        seconds = None
        if len(fields) == 6 and not fields[1].startswith("*") and not fields[2].startswith("*"):
            seconds = tuple(sorted(read.seconds))
            del fields[0]
        object.__setattr__(self, "_fields", " ".join(fields))
        object.__setattr__(self, "_seconds", seconds)
        object.__setattr__(self, "_zone", zone)
        if next(read, None) is None:
            raise CronError("expression", "one that comes within 50 years", self.expression)

    # -- a timeline ------------------------------------------------------------------------

    def start(self, now: float) -> float | None:
        """The first moment after *now*, in seconds since 1970."""
        return next(self._from(now), None)

    def after(self, origin: float, point: float) -> float | None:
        """The moment that follows *point*; where it all began does not matter."""
        return next(self._from(point), None)

    def overdue(
        self, origin: float, point: float, now: float, keep: int
    ) -> tuple[list[float], int, float | None]:
        """What is due: the newest *keep* moments from *point* to *now*, how many there are, what follows.

        Beyond `COUNTED` they are not counted any more.
        """
        points = [point]
        rest = self._from(point)
        following = next(rest, None)
        while following is not None and following <= now and len(points) < COUNTED:
            points.append(following)
            following = next(rest, None)
        count = len(points)
        if following is not None and following <= now:
            points = self._newest(keep, now)
            following = next(self._from(now), None)
        return points[-keep:], count, following

    def _newest(self, keep: int, now: float) -> list[float]:
        """At least the newest *keep* moments up to *now*, of which there are more than `COUNTED`."""
        points: list[float] = []
        for window in _WINDOWS:
            points = []
            for point in self._from(now - window):
                if point > now:
                    break
                points.append(point)
            if len(points) >= keep:
                break
        return points

    # -- for people ----------------------------------------------------------------------------

    def upcoming(self, now: float, count: int) -> list[datetime]:
        """The next *count* moments after *now* (seconds since 1970), as they read in its zone."""
        return [datetime.fromtimestamp(one, self._zone) for one in islice(self._from(now), count)]

    def __str__(self) -> str:
        return f"{self.expression} ({self.tz})"

    # -- searching -----------------------------------------------------------------------------

    def _from(self, now: float) -> Iterator[float]:
        """The moments after *now*, in order.

        Cronsim walks a time of the day by the reading of the clock, and names the first of two
        moments with one reading; begun in the second one, it names some that are over.
        """
        last = now
        behind = 0
        for moment in self._minutes(now) if self._seconds is None else self._in_minutes(now):
            if moment > last:
                last = moment
                yield moment
            else:
                behind += 1
                if behind > _BEHIND:
                    raise InternalError(f"cron {self}: the search does not go on after {last!r}.")

    def _minutes(self, now: float) -> Iterator[float]:
        begin = datetime.fromtimestamp(now, self._zone)
        return (point.timestamp() for point in _Search(self._fields, begin))

    def _in_minutes(self, now: float) -> Iterator[float]:
        begin = datetime.fromtimestamp(now, self._zone).replace(second=0, microsecond=0)
        assert self._seconds is not None
        for minute in self._minutes(begin.timestamp() - 1):
            for second in self._seconds:
                yield minute + second


class _Search(CronSim):
    """Cronsim, made right for clocks that change by half an hour, or just after midnight.

    It goes on by whole hours and by the minutes that are missing, as if a change could not
    come between: then it jumps over 02:00 to 02:29 on Lord Howe.  And the midnight that it
    goes on to may be the first of two, as in Newfoundland in 2010: then it goes back for ever;
    or it is none, as in Tehran in 2018, and an hour later on the clock.
    """

    def advance_month(self) -> None:
        """Go to the first midnight of the next month that is asked for."""
        before = self.dt
        super().advance_month()
        self._not_back(before)

    def advance_day(self) -> bool:
        """Go to the midnight of the next day that is asked for."""
        before = self.dt
        moved = super().advance_day()
        self._not_back(before)
        return moved

    def _not_back(self, before: datetime) -> None:
        moved = self.dt is not before and self.dt.tzinfo is not None
        if not moved:
            return
        if self.dt.timestamp() < before.timestamp():
            self.dt = self.dt.replace(fold=1)
        # A midnight that the clocks jump over reads as what they show then.
        there = datetime.fromtimestamp(self.dt.timestamp(), self.dt.tzinfo)
        if there.replace(fold=0) != self.dt.replace(fold=0):
            self.dt = there

    def advance_hour(self) -> bool:
        """Go to the next hour that is asked for, by the tops of hours as the clock shows them."""
        if self.dt.hour in self.hours:
            return False
        while self.dt.hour not in self.hours:
            self.tick(seconds=3600 - 60 * self.dt.minute - self.dt.second)
            if self.dt.hour == 0:
                break
        return True

    def advance_minute(self) -> bool:
        """Go to the next minute that is asked for, one by one if the clocks change before it."""
        before = self.dt
        moved = super().advance_minute()
        if moved and before.utcoffset() != self.dt.utcoffset():
            self.dt = before.replace(second=0)
            while self.dt.minute not in self.minutes:
                self.tick(seconds=60)
                if self.dt.minute == 0:
                    break
        return moved


def _spelt_out(expression: object) -> list[str]:
    if not is_text(expression):
        raise CronError("expression", _FIELDS, expression)  # type: ignore[arg-type]
    text = expression.strip()
    if text.startswith("@"):
        text = text.lower()
        if text not in ALIASES:
            raise CronError("expression", _FIELDS, expression, did_you_mean(text, ALIASES))
        text = ALIASES[text]
    fields = text.split()
    if len(fields) not in (5, 6):
        raise CronError("expression", _FIELDS, expression, f"It has {len(fields)} fields.")
    return fields


def _zone_named(name: object) -> tzinfo:
    if not is_text(name):
        raise CronError("tz", "an IANA time zone", name, "Write it like 'Europe/Berlin'.")  # type: ignore[arg-type]
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        hint = meant(near(name, sorted(available_timezones())))
        advice = f"{hint} Write it like 'Europe/Berlin'."
        raise CronError("tz", "an IANA time zone", name, advice) from None
