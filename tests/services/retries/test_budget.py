"""`RetryBudget`: what is spent is spent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from suptree.services.retries.budget import Purse, RetryBudget


@given(
    some.lists(some.tuples(some.floats(0.0, 5.0), some.booleans()), max_size=100),
    some.floats(1.0, 20.0),
    some.floats(0.0, 1.0),
    some.floats(0.0, 1.0),
)
def test_never_more_is_spent_than_was_given(steps, capacity, per_success, per_second):
    purse = Purse(RetryBudget(capacity=capacity, per_success=per_success, per_second=per_second))
    now, spent, earned = 0.0, 0, 0
    for gap, success in steps:
        now += gap
        if success:
            purse.earn(now)
            earned += 1
        else:
            spent += purse.spend(now)

        assert spent <= capacity + earned * per_success + now * per_second + 1e-6
        assert 0 <= purse.left(now) <= capacity


def test_ten_tenths_are_one():
    purse = Purse(RetryBudget(capacity=1, per_success=0.1, per_second=0))
    assert purse.spend(0.0)
    for _ in range(9):
        purse.earn(0.0)
    assert not purse.spend(0.0)
    purse.earn(0.0)

    assert purse.spend(0.0)
    assert purse.refused == 1


@pytest.mark.parametrize(
    "fields", [{"capacity": 0.5}, {"per_success": -1}, {"per_second": float("inf")}]
)
def test_a_wrong_field_is_refused(fields):
    with pytest.raises(ValueError, match=f"RetryBudget: {next(iter(fields))} must be"):
        RetryBudget(**fields)
