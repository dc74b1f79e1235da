"""`Permits`: so many inside, so many in the line, first come first served."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from suptree.services.parts.permits import Entered, Permits


@given(
    some.lists(some.tuples(some.booleans(), some.integers(0, 9)), max_size=80),
    some.integers(1, 3),
    some.integers(0, 3),
)
def test_it_does_what_a_list_of_all_in_order_of_arrival_does(steps, limit, max_waiting):
    permits = Permits[int](limit, max_waiting)
    everybody: list[int] = []  # the first `limit` are inside
    for comes, ticket in steps:
        if comes and ticket not in everybody:
            free = permits.is_free()
            entered = permits.enter(ticket)
            if len(everybody) < limit:
                assert entered is Entered.HELD
            elif len(everybody) < limit + max_waiting:
                assert entered is Entered.WAITING
            else:
                assert entered is Entered.REFUSED
            assert free is (entered is Entered.HELD)
            if entered is not Entered.REFUSED:
                everybody.append(ticket)
        elif not comes:
            was_inside = ticket in everybody[:limit]
            after = [one for one in everybody if one != ticket]
            expected = after[limit - 1 : limit] if was_inside and len(everybody) > limit else []
            assert permits.leave(ticket) == expected
            everybody = after
        assert permits.held == min(limit, len(everybody))
        assert permits.waiting == max(0, len(everybody) - limit)
        assert sorted(permits.tickets()) == sorted(everybody)
        assert all((one in permits) is (one in everybody) for one in range(10))


def test_resizing_lets_in_who_waits_and_throws_nobody_out():
    permits = Permits[str](1, 9)
    for ticket in "abcd":
        permits.enter(ticket)

    assert permits.resize(3, 9) == ["b", "c"]
    assert permits.resize(1, 0) == []
    assert (permits.held, permits.waiting) == (3, 1)
    assert permits.leave("a") == permits.leave("b") == []
    assert permits.leave("c") == ["d"]


@pytest.mark.parametrize(("limit", "max_waiting"), [(0, 0), (1, -1), (1.0, 0)])
def test_bounds_that_make_no_sense_are_refused(limit, max_waiting):
    with pytest.raises(ValueError, match="Permits: "):
        Permits(limit, max_waiting)
    with pytest.raises(ValueError, match="Permits: "):
        Permits(1).resize(limit, max_waiting)
