"""`RetryPolicy`: a value that says when to try again."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as some

import suptree as st
from suptree.services.parts.backoff import RetryPolicy, RetryShape

policies = some.builds(
    RetryPolicy,
    shape=some.sampled_from(list(RetryShape)),
    first=some.floats(0.0, 2.0),
    cap=some.floats(2.0, 20.0),
    factor=some.floats(1.0, 4.0),
    jitter=some.floats(0.0, 1.0),
    max_attempts=some.integers(1, 20),
    total_time=some.none() | some.floats(0.1, 60.0),
)


@pytest.mark.parametrize(
    ("policy", "waits"),
    [
        (RetryPolicy.fixed(delay=1.0, max_attempts=4), [1, 1, 1]),
        (RetryPolicy.immediate(), [0]),
        (RetryPolicy.linear(first=0.5, cap=1.2, max_attempts=5), [0.5, 1.0, 1.2, 1.2]),
        (RetryPolicy.exponential(first=0.5, cap=3.0, jitter=0, max_attempts=5), [0.5, 1, 2, 3]),
        (RetryPolicy.exponential(first=1, factor=3, jitter=0, max_attempts=4), [1, 3, 9]),
        (RetryPolicy.fixed(max_attempts=1), []),
        (RetryPolicy.fixed(delay=2.0, max_attempts=None, total_time=7.0), [2, 2, 2]),
    ],
)
def test_each_shape_waits_as_its_table_says(policy, waits):
    assert list(policy.delays()) == pytest.approx(waits)


def test_the_policies_of_the_seed_can_be_written_down():
    exponential = RetryPolicy.exponential(
        first=0.5, cap=10.0, jitter=0, total_time=30.0, max_attempts=None
    )

    assert list(exponential.delays()) == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0]  # 25.5 s; 10 more is over


def test_jitter_takes_off_at_most_its_part():
    policy = RetryPolicy.fixed(delay=10.0, jitter=0.4)

    assert policy.delay(1, chance=lambda: 0.0) == 10.0
    assert policy.delay(1, chance=lambda: 1.0) == pytest.approx(6.0)


def test_decorrelated_waits_are_between_first_and_three_times_the_wait_before():
    policy = RetryPolicy.decorrelated(first=1.0, cap=8.0)

    assert policy.delay(1, None, lambda: 0.0) == 1.0
    assert policy.delay(1, None, lambda: 1.0) == 3.0
    assert policy.delay(2, 2.0, lambda: 0.5) == pytest.approx(3.5)
    assert policy.delay(3, 6.0, lambda: 1.0) == 8.0  # the cap


@given(policies)
def test_no_wait_is_negative_or_longer_than_the_cap(policy):
    assert all(0 <= wait <= policy.cap for wait in itertools.islice(policy.delays(), 50))


@given(policies)
def test_waits_end_with_the_attempts_and_never_after_the_total_time(policy):
    waits = list(policy.delays())

    assert len(waits) <= policy.max_attempts - 1
    if policy.total_time is not None:
        assert sum(waits) <= policy.total_time + 1e-9


def test_time_that_the_attempts_took_counts_towards_the_total():
    policy = RetryPolicy.fixed(delay=1.0, max_attempts=None, total_time=5.0)

    assert policy.next_delay(1, elapsed=4.0) == 1.0
    assert policy.next_delay(1, elapsed=4.1) is None


def test_a_very_large_attempt_waits_the_cap():
    policy = RetryPolicy.exponential(first=1.0, factor=10.0, cap=60.0, jitter=0)

    assert policy.delay(10**6) == 60.0


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (TimeoutError(), True),
        (ConnectionResetError(), True),
        (st.NoProcessError("till"), True),
        (st.ServerExitError(None, "boom"), True),
        (ValueError(), False),
        (FileNotFoundError(), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_only_errors_that_pass_by_are_tried_again_by_default(error, again):
    assert RetryPolicy().retries(error) is again


def test_give_up_on_goes_before_retry_on():
    policy = RetryPolicy(retry_on=(OSError,), give_up_on=(PermissionError,))

    assert policy.retries(OSError())
    assert not policy.retries(PermissionError())


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"first": -1.0}, "first must be a finite number, 0 or more; got -1.0"),
        ({"first": float("nan")}, "first must be"),
        ({"first": True}, "first must be"),
        ({"factor": 0.5}, "factor must be"),
        ({"cap": 0.1, "first": 0.5}, "cap must be"),
        ({"jitter": 1.5}, "jitter must be"),
        ({"max_attempts": 0}, "max_attempts must be None or a whole number, 1 or more; got 0"),
        ({"max_attempts": 2.0}, "max_attempts must be"),
        ({"total_time": 0.0}, "total_time must be"),
        ({"attempt_timeout": -1}, "attempt_timeout must be"),
        ({"max_attempts": None, "total_time": None}, "Something has to end the attempts"),
        ({"max_attempts": None, "total_time": 9.0, "first": 0, "cap": 0}, "above 0"),
        ({"retry_on": TimeoutError}, "retry_on must be a tuple of exception classes"),
        ({"retry_on": (BaseException,)}, "retry_on must be a tuple of exception classes"),
        ({"give_up_on": ("ValueError",)}, "give_up_on must be a tuple"),
        ({"shape": "cubic"}, "shape must be one of fixed, linear, exponential, decorrelated"),
    ],
)
def test_a_wrong_field_is_refused_with_what_would_be_right(fields, says):
    with pytest.raises(ValueError, match=says):
        RetryPolicy(**fields)
