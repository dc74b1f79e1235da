"""Meters, against a log of everything that passed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from suptree.services.limits.rules import Concurrency, SlidingWindow, TokenBucket, meter_of

steps = some.lists(
    some.tuples(some.floats(0.0, 3.0), some.integers(1, 3)), max_size=120
)  # (seconds since the one before, cost)


def passes(meter, steps):
    """When how much passed, and when how much did not."""
    now, passed, denied = 100.0, [], []
    for gap, cost in steps:
        now += gap
        (passed if meter.take(cost, now) else denied).append((now, cost))
    return passed, denied


def within(passed, begin, end):
    return sum(cost for at, cost in passed if begin <= at <= end)


@given(steps, some.floats(0.1, 5.0), some.integers(3, 8))
def test_a_bucket_lets_no_more_through_than_its_burst_and_its_rate(steps, rate, burst):
    passed, _ = passes(meter_of(TokenBucket(rate=rate, burst=burst), 100.0), steps)

    for place, (begin, _) in enumerate(passed):
        for end, _ in passed[place:]:
            assert within(passed, begin, end) <= burst + rate * (end - begin) + 1e-6


@given(steps, some.integers(3, 12))
def test_no_span_of_a_sliding_window_has_more_than_the_limit_and_none_is_denied_below_it(
    steps, limit
):
    """Gap: the original's window was fixed, and let twice as much through at its edge."""
    passed, denied = passes(meter_of(SlidingWindow(limit=limit, per=5.0), 100.0), steps)

    for at, _ in passed:
        assert within(passed, at - 5.0 + 1e-6, at) <= limit
    for at, cost in denied:
        assert within(passed, at - 5.0, at) + cost > limit


@given(steps, some.integers(1, 4))
def test_a_coarse_window_is_never_too_generous_and_late_by_its_precision_at_most(steps, precision):
    limit, per = 8, 5.0
    window = SlidingWindow(limit=limit, per=per, precision=precision)
    passed, denied = passes(meter_of(window, 100.0), steps)

    for at, _ in passed:
        assert within(passed, at - per + 1e-6, at) <= limit
    for at, cost in denied:
        assert within(passed, at - per - per / precision, at) + cost > limit


def test_the_memory_of_a_coarse_window_is_its_precision():
    meter = meter_of(SlidingWindow(limit=10**6, per=10.0, precision=20), 0.0)
    for tick in range(5000):
        meter.take(1, tick / 100)

    assert len(meter._log) <= 22


@pytest.mark.parametrize(
    "limit",
    [
        TokenBucket(rate=0.3, burst=4),
        TokenBucket(rate=1e6, burst=3),
        SlidingWindow(limit=4, per=7.0),
        SlidingWindow(limit=400, per=7.0),
    ],
)
@given(costs=some.lists(some.integers(1, 3), max_size=40), start=some.floats(0.0, 1e6))
def test_after_the_wait_that_it_names_it_lets_through_and_not_long_before(limit, costs, start):
    now = start
    meter = meter_of(limit, now)
    for cost in costs:
        if not meter.take(cost, now):
            wait = meter.wait(cost, now)
            if wait > 1e-3:
                assert not meter.take(cost, now + wait * 0.99)
            now += max(wait, 1e-6)
            assert meter.take(cost, now)


def test_what_remains_and_when_it_is_as_new():
    bucket = meter_of(TokenBucket(rate=2.0, burst=10), 0.0)
    window = meter_of(SlidingWindow(limit=10, per=60.0), 0.0)
    for meter in (bucket, window):
        assert meter.look(0.0) == (10, 0.0)
        meter.take(4, 0.0)

    assert [bucket.look(at) for at in (0.0, 0.5, 1.0, 2.0)] == [
        (6, 2.0),
        (7, 1.5),
        (8, 1.0),
        (10, 0.0),
    ]
    assert [window.look(at) for at in (0.0, 59.0, 60.0)] == [(6, 60.0), (6, 1.0), (10, 0.0)]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: TokenBucket(rate=0.0), "rate must be a finite number, above 0; got 0.0"),
        (lambda: TokenBucket(rate=1.0, burst=0), "burst must be"),
        (lambda: SlidingWindow(limit=0), "limit must be"),
        (lambda: SlidingWindow(per=-1.0), "per must be"),
        (lambda: SlidingWindow(precision=0), "precision must be"),
        (lambda: Concurrency(limit=1.5), "limit must be a whole number"),
    ],
)
def test_a_wrong_field_is_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()
