"""Triggers and jobs as values: what they refuse, and the points that they name."""

from __future__ import annotations

import math
from datetime import datetime
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as some

from suptree.services import After, At, Every, Job, Run, ScheduleError
from suptree.services.scheduler.triggers import Cron


async def forget() -> None: ...


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Every(0.0), "period must be a finite number of seconds, 0.001 or more; got 0.0"),
        (lambda: Every(math.nan), "period must be"),
        (lambda: Every(10**400), "period must be"),
        (lambda: Every(True), "period must be"),
        (lambda: Every("1"), "period must be"),
        (lambda: Every(1.0, first=-1.0), "first must be"),
        (lambda: After(-1.0), "delay must be"),
        (lambda: After(math.inf), "delay must be"),
        (lambda: At(math.nan), "moment must be"),
        (lambda: At.time(datetime(2026, 1, 1)), "moment must be a time with a time zone"),
        (lambda: Job(trigger=Every(1.0)), "to must be a pid, a name or via"),
        (
            lambda: Job(trigger=Every(1.0), to="x", what=print),
            "Write Run(function, (argument, ...)) to have it",
        ),
        (
            lambda: Job(trigger=Every(1.0), to="x", what=[].append),
            "Write Run(function, (argument, ...)) to have it",
        ),
        (lambda: Job(trigger=Every(1.0), to="x", what=partial(print, 1)), "a message, or a Run"),
        (
            lambda: Job(trigger=Every(1.0), to="x", what=forget),
            "Write Run(function, (argument, ...)) to have it",
        ),
        (lambda: Job(trigger=Every(1.0), to="x", what=forget()), "without calling it"),
        (lambda: Job(trigger=1.0, to="x"), "trigger must be Every, After, At or Cron"),
        (lambda: Job(trigger=Every(1.0), to="x", id=7), "id must be a string"),
        (lambda: Job(trigger=Every(1.0), to="x", owner=7), "owner must be"),
        (lambda: Job(trigger=Every(1.0), to=7), "to must be"),
        (lambda: Job(trigger=Every(1.0), what=Run(print), to="x"), "to must be None for a Run"),
        (lambda: Job(trigger=Every(1.0), to="x", misfire="al"), "got 'al', did you mean 'all'?"),
        (lambda: Job(trigger=Every(1.0), to="x", overlap="que"), "overlap must be one of"),
        (lambda: Job(trigger=Every(1.0), to="x", jitter=2.0), "jitter must be no longer than"),
        (lambda: Job(trigger=Every(1.0), to="x", jitter=-1), "jitter must be"),
        (lambda: Job(trigger=Every(1.0), to="x", grace=-1), "grace must be"),
        (lambda: Job(trigger=Every(1.0), to="x", timeout=-1), "timeout must be"),
        (lambda: Job(trigger=Every(1.0), to="x", max_queued=0), "max_queued must be a whole"),
        (lambda: Job(trigger=Every(1.0), to="x", max_catch_up=1001), "max_catch_up must be"),
        (lambda: Job(trigger=Every(1.0), what=print, to="x"), "Write Run(function"),
        (lambda: Job(trigger=Every(1.0), what=Run(print).resolve), "or a Run of a function"),
        (lambda: Run(print, "midnight"), "args must be a tuple; got 'midnight'"),
        (lambda: Run("no path"), "function must be callable"),
        (lambda: Run(7), "function must be callable"),
        (lambda: Run("no_such_module:f").resolve(), "function must be the import path"),
        (lambda: Run("math:nothing").resolve(), "function must be the import path"),
        (lambda: Run("math:pi").resolve(), "function must be the import path"),
    ],
)
def test_a_wrong_value_is_refused_where_it_is_given(make, says):
    with pytest.raises(ScheduleError) as caught:
        make()
    assert says in str(caught.value)
    assert isinstance(caught.value, ValueError)


@given(
    period=some.floats(0.001, 1e5),
    origin=some.floats(0, 1e6),
    steps=some.integers(0, 10**6),
    late=some.floats(0, 1e6),
    keep=some.integers(1, 50),
)
def test_what_is_due_of_a_grid_is_every_point_up_to_now(period, origin, steps, late, keep):
    every = Every(period)
    point = origin + steps * period
    now = point + late

    points, count, following = every.overdue(origin, point, now, keep)

    assert points[-1] <= now < following
    assert len(points) == min(count, keep)
    assert following == every.after(origin, points[-1])
    if count <= keep:
        assert points[0] == pytest.approx(point, rel=1e-12)
    step = point
    for _ in range(min(count, 20) - 1):
        step = every.after(origin, step)
    if count <= 20:
        assert step == pytest.approx(points[-1], rel=1e-12)


@pytest.mark.parametrize(
    ("trigger", "text"),
    [
        (Every(90.0), "every 90 s"),
        (After(5), "once, 5 s after it was made"),
        (At(12.5), "once at 12.500"),
        (Cron("@daily", "Asia/Tokyo"), "@daily (Asia/Tokyo)"),
    ],
)
def test_a_trigger_reads_well(trigger, text):
    assert str(trigger) == text


def test_a_class_is_a_message_as_any_other():
    assert Job(trigger=Every(1.0), to="x", what=Every).what is Every
