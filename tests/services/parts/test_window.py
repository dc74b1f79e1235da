"""Windows, against the obvious list of everything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from suptree.services.parts.window import CallOutcome, Counts, CountWindow, TimeWindow

outcomes = some.sampled_from(list(CallOutcome))
calls = some.lists(
    some.tuples(some.integers(0, 40), outcomes, some.booleans()), max_size=80
)  # (quarters of a second since the one before, how it ended, slow)


def counted(entries: list[tuple[CallOutcome, bool]]) -> Counts:
    return Counts(
        sum(one is CallOutcome.SUCCESS for one, _ in entries),
        sum(one is CallOutcome.FAILURE for one, _ in entries),
        sum(one is CallOutcome.IGNORED for one, _ in entries),
        sum(slow and one is not CallOutcome.IGNORED for one, slow in entries),
    )


def fields(counts: Counts) -> tuple[int, int, int, int]:
    return counts.successes, counts.failures, counts.ignored, counts.slow


@given(calls, some.integers(0, 60))
def test_a_time_window_holds_what_is_younger_than_it_and_nothing_older_than_a_bucket_more(
    calls, later
):
    window = TimeWindow(10.0, buckets=5)
    now, entries = 0.0, []
    for gap, outcome, slow in calls:
        now += gap / 4
        window.record(outcome, now, slow)
        entries.append((now, outcome, slow))
    now += later / 4

    held = fields(window.counts(now))

    surely = fields(counted([(one, slow) for at, one, slow in entries if now - at <= 10.0]))
    perhaps = fields(counted([(one, slow) for at, one, slow in entries if now - at <= 12.0]))
    assert all(low <= is_ <= high for low, is_, high in zip(surely, held, perhaps, strict=True))


@given(calls, some.integers(1, 12))
def test_a_count_window_holds_exactly_the_last_calls_that_count(calls, size):
    window = CountWindow(size)
    entries: list[tuple[CallOutcome, bool]] = []
    for _, outcome, slow in calls:
        window.record(outcome, 0.0, slow)
        entries.append((outcome, slow))

    that_count = [place for place, (one, _) in enumerate(entries) if one is not CallOutcome.IGNORED]
    if len(that_count) > size:
        entries = entries[that_count[-size - 1] + 1 :]  # all after the last one that is forgotten
    assert window.counts(1e9) == counted(entries)


def test_rates_are_parts_of_the_calls_that_count():
    window = CountWindow(10)
    for outcome in (
        CallOutcome.SUCCESS,
        CallOutcome.FAILURE,
        CallOutcome.IGNORED,
        CallOutcome.FAILURE,
    ):
        window.record(outcome, 0.0, slow=outcome is CallOutcome.SUCCESS)

    counts = window.counts(0.0)

    assert (counts.calls, counts.failure_rate, counts.slow_rate) == (3, 2 / 3, 1 / 3)
    assert (Counts().failure_rate, Counts().slow_rate) == (0.0, 0.0)


@pytest.mark.parametrize("window", [TimeWindow(5.0), CountWindow(5)])
def test_a_cleared_window_is_empty(window):
    for outcome in CallOutcome:
        window.record(outcome, 1.0, slow=True)
    window.clear()

    assert window.counts(1.0) == Counts()
    window.record(CallOutcome.FAILURE, 2.0)
    assert window.counts(2.0) == Counts(failures=1)


def test_a_long_silence_empties_a_time_window():
    window = TimeWindow(5.0)
    window.record(CallOutcome.FAILURE, 1.0)

    assert window.counts(1e9) == Counts()


def test_the_memory_of_a_time_window_is_its_buckets():
    window = TimeWindow(10.0, buckets=4)
    for tick in range(10_000):
        window.record(CallOutcome.SUCCESS, tick / 10)

    assert len(window._buckets) <= 5


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: TimeWindow(0.0), "seconds must be a finite number, above 0; got 0.0"),
        (lambda: TimeWindow(1.0, buckets=0), "buckets must be"),
        (lambda: CountWindow(0), "calls must be a whole number, 1 or more; got 0"),
    ],
)
def test_a_window_without_size_is_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()
