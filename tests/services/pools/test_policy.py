"""What is opened and closed when, as tables."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st_

from suptree.services import ConnectionPoolSpec, RetryPolicy
from suptree.services.pools.policy import Look, look, next_look, retires_at, shortfall
from suptree.services.pools.shelf import Entry, EntryState, Shelf


async def connect() -> int:
    return 1


async def check(connection: int) -> bool:
    return True


def spec(**options):
    return ConnectionPoolSpec(name="p", connect=connect, close=print, check=check, **options)


@pytest.mark.parametrize(
    ("size", "closing", "opening", "waiting", "failing", "missing"),
    [
        (0, 0, 0, 0, False, 2),  # the least that is kept
        (2, 0, 0, 0, False, 0),
        (2, 0, 0, 1, False, 1),  # one for each who waits
        (2, 0, 0, 9, False, 3),  # never more than there may be
        (3, 0, 1, 1, False, 0),  # one is on its way for whoever waits
        (3, 0, 1, 2, False, 1),
        (5, 0, 0, 9, False, 0),
        (5, 4, 0, 9, False, 0),  # what is being closed has its place until it is closed
        (3, 2, 0, 0, False, 1),  # and does not count as kept
        (0, 0, 0, 9, True, 1),  # one at a time while it fails
        (1, 0, 1, 9, True, 0),
        (5, 0, 0, 9, True, 0),
    ],
)
def test_as_many_are_opened_as_are_missing_and_never_more_than_may_be(
    size, closing, opening, waiting, failing, missing
):
    of = spec(min_size=2, max_size=5)

    assert missing == shortfall(
        of, size=size, closing=closing, opening=opening, waiting=waiting, failing=failing
    )


@pytest.mark.parametrize(
    ("retires", "idle", "checked", "spare", "what"),
    [
        (101.0, 99.0, 99.0, True, Look.KEEP),
        (100.0, 99.0, 99.0, False, Look.TOO_OLD),
        (101.0, 40.0, 99.0, True, Look.TOO_IDLE),
        (101.0, 40.0, 99.0, False, Look.KEEP),  # none to spare
        (101.0, 40.0, 90.0, False, Look.CHECK),
        (101.0, 90.0, 90.0, True, Look.CHECK),
        (100.0, 40.0, 90.0, True, Look.TOO_OLD),
    ],
)
def test_what_is_done_with_a_connection_that_nobody_uses(retires, idle, checked, spare, what):
    entry = Entry(1, 0, 0.0, retires_at=retires, idle_since=idle, checked_at=checked)

    assert look(spec(max_idle=60, check_every=10), entry, 100.0, spare=spare) is what


def test_a_connection_is_looked_at_when_the_first_of_its_times_comes():
    entry = Entry(1, 0, 0.0, retires_at=95.0, idle_since=50.0, checked_at=60.0)

    assert next_look(spec(max_idle=60, check_every=30), entry, 80.0) == 90.0
    assert next_look(spec(max_idle=60, check_every=300), entry, 80.0) == 95.0
    assert next_look(spec(max_idle=40, check_every=300), entry, 80.0) == 90.0
    entry.retires_at = float("inf")
    assert next_look(spec(max_idle=10, check_every=300), entry, 80.0) == 90.0  # over: again later


TIMES = st_.floats(0, 1e6)


@given(TIMES, TIMES, TIMES, TIMES, st_.booleans(), st_.booleans())
@example(59.6, 100.0, 59.6, 59.3, False, True)
def test_one_that_is_kept_is_looked_at_later_and_not_again_at_once(
    now, retires, idle, checked, spare, exactly
):
    of = spec(max_idle=0.1, check_every=0.3)
    if exactly:  # the very moment that was planned, where a rounding error shows
        now = checked + of.check_every
    entry = Entry(1, 0, 0.0, retires_at=retires, idle_since=idle, checked_at=checked)

    if look(of, entry, now, spare=spare) is Look.KEEP:
        assert next_look(of, entry, now) > now


def test_a_connection_that_needs_nothing_is_never_looked_at():
    of = ConnectionPoolSpec(name="p", connect=connect, close=print, max_age=None, max_idle=None)

    assert retires_at(of, 5.0, 0.5) == float("inf")
    assert next_look(of, Entry(1, 0, 0.0), 80.0) is None


def test_the_age_of_connections_that_were_opened_together_differs_by_the_jitter():
    of = spec(max_age=100, age_jitter=0.2)

    assert [retires_at(of, 10.0, chance) for chance in (0.0, 0.5, 1.0)] == [110.0, 100.0, 90.0]


def test_the_one_used_last_is_lent_first_and_one_that_was_only_checked_last():
    shelf: Shelf[int] = Shelf()
    first, second, third = (shelf.add(0.0, 0) for _ in range(3))
    for entry in (first, second, third):
        shelf.move(entry, EntryState.IDLE)
    shelf.move(third, EntryState.CHECKING)
    shelf.move(third, EntryState.IDLE, used=False)

    lent = []
    while (entry := shelf.next_idle()) is not None:
        shelf.move(entry, EntryState.LENT)
        lent.append(entry)
    assert lent == [second, first, third]
    assert (shelf.count(EntryState.LENT), shelf.count(EntryState.IDLE), len(shelf)) == (3, 0, 3)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"name": ""}, "ConnectionPoolSpec: name must be a text that is not empty"),
        ({"connect": None}, "pool 'p': connect must be a function; got None"),
        ({"close": "close"}, "close must be a function"),
        ({"check": 1}, "check must be a function"),
        ({"min_size": -1}, "min_size must be a whole number, 0 or more"),
        ({"max_size": 0}, "max_size must be a whole number, 1 or more"),
        ({"min_size": 5, "max_size": 4}, "max_size must be a whole number, 5 or more"),
        ({"max_age": 0}, "max_age must be None or"),
        ({"age_jitter": 1.5}, "age_jitter must be"),
        ({"max_idle": -1}, "max_idle must be"),
        ({"check_every": 0}, "check_every must be"),
        ({"connect_timeout": float("nan")}, "connect_timeout must be"),
        ({"close_timeout": 9}, "close_timeout must be a finite number, above 0 and 4 or less"),
        ({"checkout_timeout": -1}, "checkout_timeout must be"),
        ({"max_waiting": -1}, "max_waiting must be"),
        ({"broken_on": OSError}, "broken_on must be a tuple of exception classes"),
        ({"refill": 3}, "refill must be a RetryPolicy that waits"),
        ({"refill": RetryPolicy.immediate()}, "refill must be a RetryPolicy that waits"),
        ({"interrupted": "keep"}, "interrupted must be 'discard' or 'check'; got 'keep'"),
        ({"interrupted": "check", "check": None}, "check must be given where interrupted"),
    ],
)
def test_a_wrong_spec_is_refused_where_it_is_written(options, text):
    given = {"name": "p", "connect": connect, "close": print, "check": check, **options}

    with pytest.raises(ValueError, match=text):
        ConnectionPoolSpec(**given)
