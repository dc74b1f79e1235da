"""Percentiles to within one per cent, in little memory."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from suptree.services import Distribution
from suptree.services.parts.distribution import ACCURACY

NUMBERS = some.lists(some.floats(min_value=1e-9, max_value=1e9), min_size=1, max_size=200)


@given(NUMBERS, some.floats(min_value=0.0, max_value=1.0))
def test_a_quantile_is_within_the_accuracy_of_the_true_one(numbers, q):
    seen = Distribution()
    for number in numbers:
        seen.record(number)

    true = sorted(numbers)[max(1, math.ceil(q * len(numbers))) - 1]

    assert seen.quantile(q) == pytest.approx(true, rel=ACCURACY * 1.01)


@given(NUMBERS, NUMBERS)
def test_two_merged_are_as_one_that_has_seen_both(left, right):
    one, other, both = Distribution(), Distribution(), Distribution()
    for number in left:
        one.record(number)
        both.record(number)
    for number in right:
        other.record(number)
        both.record(number)

    one.merge(other)

    assert [one.quantile(q / 10) for q in range(11)] == [both.quantile(q / 10) for q in range(11)]
    assert (one.count, one.least, one.largest) == (both.count, both.least, both.largest)
    assert one.total == pytest.approx(both.total)


def test_no_quantile_is_beyond_the_ends():
    seen = Distribution()
    for number in (0.37, 5.11, 2.0):
        seen.record(number)

    assert 0.37 <= seen.quantile(0.0) <= 0.37 * (1 + ACCURACY)
    assert 5.11 * (1 - ACCURACY) <= seen.quantile(1.0) <= 5.11
    assert seen.mean == pytest.approx(7.48 / 3)


def test_zeros_are_counted():
    seen = Distribution()
    for number in (0.0, 0.0, 0.0, 1.0):
        seen.record(number)

    assert seen.quantile(0.75) == 0.0
    assert seen.quantile(0.76) == pytest.approx(1.0, rel=ACCURACY)


def test_an_empty_one_has_no_quantiles():
    seen = Distribution()

    assert math.isnan(seen.quantile(0.5))
    assert math.isnan(seen.mean)
    assert repr(seen) == "<Distribution, empty>"


def test_a_cleared_one_has_forgotten_everything():
    seen = Distribution()
    seen.record(1.0)
    seen.clear()

    assert (seen.count, seen.total) == (0, 0.0)
    assert math.isnan(seen.quantile(0.5))


def test_memory_grows_with_the_spread_of_the_numbers_and_not_with_how_many_there_are():
    seen = Distribution()
    for n in range(100_000):
        seen.record(1e-6 * 1.0002**n)

    assert len(seen._buckets) < 1200


@pytest.mark.parametrize("bad", [-1.0, math.inf, math.nan])
def test_a_number_that_means_nothing_is_refused(bad):
    with pytest.raises(ValueError, match="must be finite and 0 or more"):
        Distribution().record(bad)


@pytest.mark.parametrize("bad", [-0.1, 1.1])
def test_a_quantile_is_a_part(bad):
    with pytest.raises(ValueError, match="a quantile must be from 0 to 1"):
        Distribution().quantile(bad)
