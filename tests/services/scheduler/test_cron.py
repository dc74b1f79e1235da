"""Cron against a search over all minutes that knows nothing of cronsim, and its rules one by one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from suptree.services import Cron, CronError
from suptree.services.scheduler.cron import ALIASES, COUNTED

DAY = 86_400.0


def at(text: str, tz: str = "UTC", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(tz), fold=fold).timestamp()


def read(cron: Cron, start: str, count: int) -> list[str]:
    moments = cron.upcoming(at(start, cron.tz), count)
    return [f"{one:%d %H:%M:%S %z}" for one in moments]


# -- what the clocks do -------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", ["", "0 "])
def test_a_time_that_a_day_does_not_have_comes_right_after_the_gap(seconds):
    cron = Cron(seconds + "30 2 * * *", "Europe/Berlin")

    assert read(cron, "2026-03-28T12:00", 2) == ["29 03:00:00 +0200", "30 02:30:00 +0200"]


@pytest.mark.parametrize("seconds", ["", "0 "])
def test_a_time_that_a_day_has_twice_comes_the_first_time_alone(seconds):
    cron = Cron(seconds + "30 2 * * *", "Europe/Berlin")

    assert read(cron, "2026-10-24T12:00", 2) == ["25 02:30:00 +0200", "26 02:30:00 +0100"]


@pytest.mark.parametrize("seconds", ["", "0 "])
def test_asked_between_the_two_it_is_over_for_that_day(seconds):
    cron = Cron(seconds + "30 2 * * *", "Europe/Berlin")
    between = at("2026-10-25T02:15", "Europe/Berlin", fold=1)

    assert cron.start(between) == at("2026-10-26T02:30", "Europe/Berlin")


def test_several_times_in_one_gap_come_once():
    cron = Cron("0,20,40 2 * * *", "Europe/Berlin")

    assert read(cron, "2026-03-28T12:00", 2) == ["29 03:00:00 +0200", "30 02:00:00 +0200"]


def test_seconds_of_a_time_in_a_gap_come_in_the_minute_after_it():
    cron = Cron("15,45 30 2 * * *", "Europe/Berlin")

    assert read(cron, "2026-03-28T12:00", 3) == [
        "29 03:00:15 +0200",
        "29 03:00:45 +0200",
        "30 02:30:15 +0200",
    ]


def test_a_pace_follows_the_clock_and_has_nothing_in_the_gap():
    cron = Cron("*/30 2 * * *", "Europe/Berlin")

    assert read(cron, "2026-03-28T12:00", 1) == ["30 02:00:00 +0200"]


def test_a_pace_comes_twice_in_the_hour_that_comes_twice():
    cron = Cron("*/30 2 * * *", "Europe/Berlin")

    assert read(cron, "2026-10-24T12:00", 5) == [
        "25 02:00:00 +0200",
        "25 02:30:00 +0200",
        "25 02:00:00 +0100",
        "25 02:30:00 +0100",
        "26 02:00:00 +0100",
    ]


@pytest.mark.parametrize("day", ["2026-03-28", "2026-10-24"])
def test_every_hour_is_every_hour_whatever_the_clocks_do(day):
    moments = list(islice(Cron("@hourly", "Europe/Berlin")._from(at(day + "T12:00")), 48))

    assert [b - a for a, b in pairwise(moments)] == [3600.0] * 47


def test_a_change_by_half_an_hour_loses_no_quarter():
    cron = Cron("*/15 2 * * *", "Australia/Lord_Howe")
    after_the_change = at("2026-04-05T01:35", "Australia/Lord_Howe", fold=1)

    moments = [f"{one:%H:%M}" for one in cron.upcoming(after_the_change, 4)]

    assert moments == ["02:00", "02:15", "02:30", "02:45"]


def test_a_change_by_half_an_hour_hides_no_half_hour():
    cron = Cron("30 * * * *", "Australia/Lord_Howe")

    assert read(cron, "2026-10-04T01:45", 2) == ["04 02:30:00 +1100", "04 03:30:00 +1100"]


@pytest.mark.parametrize("expression", ["* */26 */2 5-10 * *", "*/7 0 7 * *", "*/7 0 7 11 *"])
def test_a_midnight_that_comes_twice_does_not_send_the_search_back(expression):
    cron = Cron(expression, "America/St_Johns")  # 2010: 00:01 became 23:01

    moments = list(islice(cron._from(at("2010-11-06T22:00", cron.tz)), 200))

    assert moments == sorted(set(moments))
    assert moments[:5] == Brute(expression, cron.tz).between(
        at("2010-11-06T22:00", cron.tz), moments[4]
    )


# -- every field ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "moments"),
    [
        ("*/20 * * * * *", ["01 12:00:20", "01 12:00:40", "01 12:01:00"]),
        ("5 0 12 * * *", ["01 12:00:05", "02 12:00:05", "03 12:00:05"]),
        ("0 9 * * MON-FRI", ["04 09:00:00", "05 09:00:00", "06 09:00:00"]),
        ("0 0 L * *", ["31 00:00:00", "30 00:00:00", "31 00:00:00"]),
        ("0 0 * * MON#2", ["11 00:00:00", "08 00:00:00", "13 00:00:00"]),
        ("@hourly", ["01 13:00:00", "01 14:00:00", "01 15:00:00"]),
        (" @Daily ", ["02 00:00:00", "03 00:00:00", "04 00:00:00"]),
        ("@weekly", ["03 00:00:00", "10 00:00:00", "17 00:00:00"]),
        ("@monthly", ["01 00:00:00", "01 00:00:00", "01 00:00:00"]),
        ("@yearly", ["01 00:00:00", "01 00:00:00", "01 00:00:00"]),
    ],
)
def test_an_expression_names_these_moments(expression, moments):
    found = Cron(expression).upcoming(at("2026-05-01T12:00"), 3)

    assert [f"{one:%d %H:%M:%S}" for one in found] == moments


@pytest.mark.parametrize("alias", ALIASES)
def test_each_alias_is_the_five_fields_it_stands_for(alias):
    start = at("2026-02-03T04:05")

    assert Cron(alias).upcoming(start, 20) == Cron(ALIASES[alias]).upcoming(start, 20)


@pytest.mark.parametrize(
    ("expression", "tz", "says"),
    [
        ("61 * * * *", "UTC", "Bad minute"),
        ("* * * *", "UTC", "It has 4 fields"),
        ("* * * * * * *", "UTC", "It has 7 fields"),
        ("", "UTC", "It has 0 fields"),
        ("@hourli", "UTC", "got '@hourli', did you mean '@hourly'?"),
        ("@reboot", "UTC", "got '@reboot'. Known: @annually, "),
        ("0 0 30 2 *", "UTC", "Bad day-of-month"),
        ("* * */20 * 1L", "UTC", "within 50 years"),
        (None, "UTC", "got None"),
        ("@daily", "Europe/Berln", "got 'Europe/Berln', did you mean 'Europe/Berlin'?"),
        ("@daily", "../etc/passwd", "an IANA time zone"),
        ("@daily", "", "an IANA time zone"),
        ("@daily", "Europe", "an IANA time zone"),
        ("@daily", None, "an IANA time zone"),
    ],
)
def test_what_names_no_moment_is_refused_with_a_reason(expression, tz, says):
    with pytest.raises(CronError) as caught:
        Cron(expression, tz)
    assert says in str(caught.value)


# -- what is due -----------------------------------------------------------------------------------


def test_what_is_due_is_counted_and_the_newest_are_given():
    cron = Cron("* * * * *")
    start = at("2026-05-01T12:00")

    points, count, following = cron.overdue(start, start, start + 605.0, 3)

    assert points == [start + 480, start + 540, start + 600]
    assert (count, following) == (11, start + 660)


@pytest.mark.parametrize("expression", ["* * * * *", "* * * * * *", "*/7 3 * * *"])
def test_after_years_asleep_the_newest_are_found_without_walking_through_all(expression):
    cron = Cron(expression)
    start = at("2026-05-01T12:00")
    now = at("2036-05-01T03:10:30")

    points, count, following = cron.overdue(start, start, now, 100)

    assert len(points) == 100
    assert count == COUNTED
    assert following == cron.start(now)
    assert points[-1] <= now < following
    assert all(cron.after(0.0, a) == b for a, b in pairwise(points))


# -- against a search that tries every minute ----------------------------------------------------------

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"]
ZONES += ["America/St_Johns", "Pacific/Apia", "Asia/Beirut", "America/Santiago", "Asia/Tehran"]
CHANGES = {
    zone: [
        moment
        for year in (2010, 2018, 2026)
        for moment in range(int(at(f"{year}-01-01")), int(at(f"{year + 1}-01-01")), 1800)
        if datetime.fromtimestamp(moment, ZoneInfo(zone)).utcoffset()
        != datetime.fromtimestamp(moment - 1800, ZoneInfo(zone)).utcoffset()
    ]
    or [int(at("2026-02-28"))]
    for zone in ZONES
}


def numbers(field: str, least: int, most: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = (f"{least}-{most}" if span == "*" else span).partition("-")
        end = int(last or first)
        if step and end == int(first):  # cron: "5/10" goes on to the end of the range
            end = most
        found |= set(range(int(first), end + 1, int(step or 1)))
    return found


class Brute:
    """Every minute of some days, tried one by one."""

    def __init__(self, expression: str, tz: str) -> None:
        fields = expression.split()
        self.zone = ZoneInfo(tz)
        self.seconds = sorted(numbers(fields[0], 0, 59)) if len(fields) == 6 else [0]
        minute, hour, day, month, weekday = fields[-5:]
        self.is_pace = minute.startswith("*") or hour.startswith("*")
        self.both = day.startswith("*") or weekday.startswith("*")
        self.minutes, self.hours = numbers(minute, 0, 59), numbers(hour, 0, 23)
        self.days, self.months = numbers(day, 1, 31), numbers(month, 1, 12)
        self.weekdays = {one % 7 for one in numbers(weekday, 0, 7)}

    def names(self, reading: datetime) -> bool:
        day = reading.day in self.days
        weekday = reading.isoweekday() % 7 in self.weekdays
        return (
            reading.minute in self.minutes
            and reading.hour in self.hours
            and reading.month in self.months
            and ((day and weekday) if self.both else (day or weekday))
        )

    def between(self, start: float, end: float) -> list[float]:
        minutes = set(self.paced(start, end) if self.is_pace else self.timed(start, end))
        return sorted(m + s for m in minutes for s in self.seconds if start < m + s <= end)

    def paced(self, start: float, end: float) -> Iterator[float]:
        for moment in range(int(start) // 60 * 60, int(end) + 1, 60):
            if self.names(datetime.fromtimestamp(moment, self.zone)):
                yield moment

    def timed(self, start: float, end: float) -> Iterator[float]:
        reading = datetime.fromtimestamp(start - DAY, self.zone).replace(tzinfo=None)
        reading = reading.replace(second=0, microsecond=0)
        while reading.replace(tzinfo=self.zone).timestamp() <= end + DAY:
            if self.names(reading):
                yield self.first_moment(reading)
            reading += timedelta(minutes=1)

    def first_moment(self, reading: datetime) -> float:
        while True:
            moment = reading.replace(tzinfo=self.zone).timestamp()
            if datetime.fromtimestamp(moment, self.zone).replace(tzinfo=None) == reading:
                return moment
            reading += timedelta(minutes=1)


def fields(least: int, most: int) -> some.SearchStrategy[str]:
    number = some.integers(least, most)
    span = some.tuples(number, number).map(lambda two: f"{min(two)}-{max(two)}")
    return some.one_of(
        some.just("*"),
        number.map(str),
        some.integers(2, max(2, (most - least) // 2)).map(lambda n: f"*/{n}"),
        span,
        some.tuples(span, some.integers(1, 9)).map(lambda two: f"{two[0]}/{two[1]}"),
        some.lists(number, min_size=2, max_size=3).map(lambda n: ",".join(map(str, n))),
    )


EXPRESSIONS = some.tuples(
    some.one_of(some.none(), some.sampled_from(["0", "15", "0,30", "*/20"])),
    fields(0, 59),
    some.one_of(fields(0, 23), fields(0, 4), some.sampled_from(["2", "1,2,3", "0"])),
    some.one_of(some.just("*"), fields(1, 31)),
    some.one_of(some.just("*"), fields(1, 12)),
    some.one_of(some.just("*"), fields(0, 6)),
).map(lambda parts: " ".join(part for part in parts if part is not None))


def test_a_midnight_that_the_clocks_jump_over_is_no_midnight():
    """On 22 March 2018 Tehran went from 23:59:59 to 01:00: what follows the clock has no hour 0 there."""
    cron = Cron("* 0 * * *", "Asia/Tehran")
    begin = datetime(2018, 3, 21, 12, tzinfo=ZoneInfo("Asia/Tehran")).timestamp()

    [first] = cron.upcoming(begin, 1)

    assert first.isoformat() == "2018-03-23T00:00:00+04:30"


@settings(max_examples=60, deadline=None)
@given(data=some.data(), expression=EXPRESSIONS, tz=some.sampled_from(ZONES))
def test_cron_names_what_a_search_over_all_minutes_names(data, expression, tz):
    change = data.draw(some.sampled_from(CHANGES[tz]))
    before = data.draw(
        some.one_of(some.floats(-1, 2), some.sampled_from([0, 0.5, 1 / 24, -1 / 24]))
    )
    start = change - before * DAY
    end = start + 2.2 * DAY
    try:
        cron = Cron(expression, tz)
    except CronError:
        return  # the 30th of February

    found: list[float] = []
    for moment in cron._from(start):
        if moment > end:
            break
        found.append(moment)

    assert found == Brute(expression, tz).between(start, end)
    step = start
    for moment in found[:10]:
        step = cron.after(0.0, step)
        assert step == moment


def test_utc_needs_no_rule():
    assert Brute("*/15 2 * * *", "UTC").between(at("2026-03-29"), at("2026-03-30")) == [
        datetime(2026, 3, 29, 2, minute, tzinfo=UTC).timestamp() for minute in (0, 15, 30, 45)
    ]
