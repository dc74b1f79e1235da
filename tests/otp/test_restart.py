"""Restart decisions as tables: who comes back, who goes with it, when it has been too often."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from suptree import KILL, KILLED, NOPROC, NORMAL, SHUTDOWN, Shutdown, SupervisorOptionsError
from suptree.otp.restart import (
    Fate,
    Intensity,
    affected,
    check_options,
    ends_supervisor,
    fate,
)

RESTART, KEEP, FORGET = Fate.RESTART, Fate.KEEP, Fate.FORGET


@pytest.mark.otp("S110", "S111", "S256")
@pytest.mark.parametrize(
    ("restart", "reason", "expected"),
    [
        ("permanent", NORMAL, RESTART),
        ("permanent", SHUTDOWN, RESTART),
        ("permanent", Shutdown("why"), RESTART),
        ("permanent", "boom", RESTART),
        ("transient", NORMAL, KEEP),
        ("transient", SHUTDOWN, KEEP),
        ("transient", Shutdown("why"), KEEP),
        ("transient", "boom", RESTART),
        ("transient", KILLED, RESTART),
        ("transient", KILL, RESTART),
        ("transient", NOPROC, RESTART),
        ("temporary", NORMAL, FORGET),
        ("temporary", "boom", FORGET),
        ("temporary", KILLED, FORGET),
    ],
)
def test_restart_type_and_reason_decide_what_becomes_of_a_child(restart, reason, expected):
    assert fate(restart, reason) is expected


@pytest.mark.parametrize(
    ("strategy", "culprit", "expected"),
    [
        ("one_for_one", "a", "a"),
        ("one_for_one", "b", "b"),
        ("one_for_all", "a", "abc"),
        ("one_for_all", "c", "abc"),
        ("rest_for_one", "a", "abc"),
        ("rest_for_one", "b", "bc"),
        ("rest_for_one", "c", "c"),
    ],
)
def test_the_strategy_decides_who_starts_again(strategy, culprit, expected):
    assert affected(list("abc"), culprit, strategy) == list(expected)


@pytest.mark.otp("S140", "S141", "S142")
@pytest.mark.parametrize(
    ("option", "significant", "others", "ends"),
    [
        ("never", True, [], False),
        ("any_significant", True, [True, True], True),
        ("any_significant", False, [], False),
        ("all_significant", True, [], True),
        ("all_significant", True, [False, False], True),
        ("all_significant", True, [False, True], False),
        ("all_significant", False, [], False),
    ],
)
def test_auto_shutdown_looks_at_significant_children_only(option, significant, others, ends):
    assert ends_supervisor(option, significant, others) is ends


@pytest.mark.otp("S120", "S257")
@pytest.mark.parametrize(
    ("limit", "period", "times", "allowed"),
    [
        (0, 5.0, [0.0], [False]),
        (1, 5.0, [0.0, 0.0], [True, False]),
        (2, 5.0, [0.0, 1.0, 5.0], [True, True, False]),  # an entry as old as the period counts
        (2, 5.0, [0.0, 1.0, 5.001], [True, True, True]),
        (1, 0.1, [0.0, 0.101, 0.202], [True, True, True]),
        (1, 1.0, [0.95, 1.9, 2.95], [True, False, True]),  # exact: whole seconds would say False
    ],
)
def test_the_window_counts_exactly_what_is_not_older_than_its_period(limit, period, times, allowed):
    window = Intensity(limit, period)

    assert [window.allows(now) for now in times] == allowed


@pytest.mark.otp("S120")
@given(
    limit=some.integers(0, 6),
    period=some.integers(1, 20),
    gaps=some.lists(some.integers(0, 12), max_size=40),
)
def test_the_window_agrees_with_counting_the_whole_history(limit, period, gaps):
    window = Intensity(limit, float(period))
    history: list[int] = []
    now = 0
    for gap in gaps:
        now += gap
        history.append(now)

        expected = sum(1 for then in history if then >= now - period) <= limit
        assert window.allows(float(now)) is expected


def test_the_window_forgets_what_is_too_old():
    window = Intensity(10, 5.0)
    for now in range(1000):
        window.allows(float(now))

    assert window.count == 6
    assert str(window) == "6 of 10 in 5 s"


GOOD = {
    "strategy": "one_for_one",
    "max_restarts": 3,
    "max_seconds": 5.0,
    "auto_shutdown": "never",
}


@pytest.mark.otp("S103")
@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("strategy", "one_for_al", "did you mean 'one_for_all'?"),
        ("strategy", "simple_one_for_one", "'one_for_one', 'one_for_all' or 'rest_for_one'"),
        ("max_restarts", -1, "0 or more; got -1"),
        ("max_restarts", True, "got True"),
        ("max_restarts", 1.5, "got 1.5"),
        ("max_seconds", 0, "above 0; got 0"),
        ("max_seconds", float("inf"), "got inf"),
        ("max_seconds", "5", "got '5'"),
        ("auto_shutdown", "any_signifcant", "did you mean 'any_significant'?"),
    ],
)
def test_a_wrong_option_is_refused_with_what_it_must_be(option, value, told):
    with pytest.raises(SupervisorOptionsError, match="shop: " + option) as refusal:
        check_options("shop", **{**GOOD, option: value})

    assert told in str(refusal.value)


def test_right_options_pass():
    check_options("shop", **GOOD)
    check_options("shop", "rest_for_one", 0, 1, "all_significant")
