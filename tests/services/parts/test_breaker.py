"""The machine of a breaker: what it does at each moment, and its laws against a small model."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from suptree.services.parts.breaker import (
    Breaker,
    BreakerConfig,
    BreakerState,
    Permit,
    TransitionReason,
)
from suptree.services.parts.window import CallOutcome, Counts

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
SUCCESS, FAILURE, IGNORED = CallOutcome.SUCCESS, CallOutcome.FAILURE, CallOutcome.IGNORED


def machine(**fields: Any) -> Breaker:
    return Breaker(BreakerConfig(**{"failure_threshold": 3, "reset_timeout": 10.0, **fields}))


def permitted(breaker: Breaker, now: float) -> Permit:
    permit = breaker.permit(now).permit
    assert permit is not None
    return permit


def tell(breaker: Breaker, *outcomes: CallOutcome, now: float = 0.0, duration: float = 0.0) -> Any:
    """One call after the other; the last transition."""
    transition = None
    for outcome in outcomes:
        transition = breaker.record(permitted(breaker, now), outcome, now, duration)
    return transition


def opened(**fields: Any) -> Breaker:
    """Open since 0.0."""
    breaker = machine(**fields)
    tell(breaker, FAILURE, FAILURE, FAILURE)
    assert breaker.state is OPEN
    return breaker


# -- closed -------------------------------------------------------------------------------


def test_it_opens_at_the_threshold_and_not_before():
    breaker = machine()

    assert tell(breaker, FAILURE, SUCCESS, FAILURE) is None
    transition = tell(breaker, FAILURE, now=2.0)

    assert (transition.before, transition.after) == (CLOSED, OPEN)
    assert (transition.reason, transition.at) == (TransitionReason.FAILURES, 2.0)
    assert transition.counts == Counts(successes=1, failures=3)


def test_failures_that_left_the_window_do_not_count():
    breaker = machine(window_s=10.0)
    tell(breaker, FAILURE, FAILURE, now=0.0)

    assert tell(breaker, FAILURE, now=12.0) is None
    assert breaker.counts(12.0).failures == 1


def test_ignored_outcomes_never_open_it():
    breaker = machine()

    assert tell(breaker, *[IGNORED] * 50) is None
    assert breaker.counts(0.0) == Counts(ignored=50)


@pytest.mark.parametrize(
    ("outcomes", "opens"),
    [
        ([FAILURE] * 5 + [SUCCESS] * 4, False),  # nine calls: too few to judge
        ([FAILURE] * 5 + [SUCCESS] * 5, True),
        ([SUCCESS] * 5 + [FAILURE] * 5, True),
        ([FAILURE] * 4 + [SUCCESS] * 6, False),
        ([FAILURE] * 4 + [IGNORED] * 9 + [SUCCESS], False),
    ],
)
def test_the_rate_opens_it_once_there_are_enough_calls(outcomes, opens):
    breaker = machine(failure_threshold=None, failure_rate=0.5, minimum_calls=10)

    transition = tell(breaker, *outcomes)

    assert (transition is not None) is opens
    if opens:
        assert transition.reason is TransitionReason.FAILURE_RATE


def test_a_rate_is_reached_exactly_where_floats_are_not():
    breaker = machine(failure_threshold=None, failure_rate=0.07, minimum_calls=100)

    assert tell(breaker, *[SUCCESS] * 93, *[FAILURE] * 7).after is OPEN


def test_a_window_of_calls_forgets_by_number():
    breaker = machine(window_calls=4)
    tell(breaker, FAILURE, FAILURE, SUCCESS, SUCCESS, SUCCESS)

    assert tell(breaker, FAILURE, FAILURE) is None
    assert tell(breaker, FAILURE).after is OPEN


def test_slow_calls_open_it_though_they_succeed():
    breaker = machine(slow_after=1.0, slow_rate=0.5, minimum_calls=4)
    tell(breaker, SUCCESS, SUCCESS)

    assert tell(breaker, SUCCESS, duration=1.0) is None
    transition = tell(breaker, SUCCESS, duration=3.0)

    assert transition.reason is TransitionReason.SLOW_RATE
    assert transition.counts.slow == 2


# -- open ----------------------------------------------------------------------------------


def test_an_open_breaker_refuses_and_says_how_long_still():
    breaker = opened()

    assert breaker.permit(4.0) == (None, 6.0, None)
    assert breaker.permit(9.5) == (None, 0.5, None)


def test_what_was_under_way_when_it_opened_counts_no_more():
    breaker = machine()
    early = permitted(breaker, 0.0)
    tell(breaker, FAILURE, FAILURE, FAILURE)
    permitted(breaker, 10.0)  # half open

    assert breaker.record(early, FAILURE, 11.0) is None
    assert breaker.record(early, SUCCESS, 11.0) is None
    assert (breaker.state, breaker.counts_late) == (HALF_OPEN, 2)


# -- half open --------------------------------------------------------------------------------


def test_after_the_reset_timeout_a_probe_goes_through_and_the_others_do_not():
    breaker = opened()

    admission = breaker.permit(10.0)

    assert admission.permit.is_probe
    assert (admission.transition.after, admission.transition.reason) == (
        HALF_OPEN,
        TransitionReason.RESET_TIMEOUT,
    )
    assert breaker.permit(10.0) == (None, None, None)


def test_so_many_probes_at_once_as_the_config_says():
    breaker = opened(probes=3)

    answers = [breaker.permit(10.0).permit for _ in range(5)]

    assert [one is not None for one in answers] == [True, True, True, False, False]
    breaker.release(answers[1])
    assert breaker.permit(10.0).permit is not None


def test_enough_successful_probes_close_it_with_an_empty_window():
    breaker = opened(success_threshold=2)

    assert tell(breaker, SUCCESS, now=10.0) is None
    transition = tell(breaker, SUCCESS, now=11.0)

    assert (transition.after, transition.reason) == (CLOSED, TransitionReason.PROBES_SUCCEEDED)
    assert breaker.counts(11.0) == Counts()


def test_one_failed_probe_opens_it_for_the_whole_time_again():
    breaker = opened(success_threshold=2)
    tell(breaker, SUCCESS, now=10.0)

    transition = tell(breaker, FAILURE, now=12.0)

    assert (transition.after, transition.reason) == (OPEN, TransitionReason.PROBE_FAILED)
    assert breaker.permit(15.0).retry_after == 7.0


def test_successes_of_an_earlier_half_open_time_do_not_count():
    breaker = opened(success_threshold=2)
    tell(breaker, SUCCESS, FAILURE, now=10.0)

    assert tell(breaker, SUCCESS, now=20.0) is None
    assert breaker.state is HALF_OPEN


def test_a_slow_probe_has_failed():
    breaker = opened(slow_after=1.0)

    assert tell(breaker, SUCCESS, now=10.0, duration=1.5).reason is TransitionReason.PROBE_FAILED


def test_an_ignored_probe_frees_its_place_and_proves_nothing():
    breaker = opened(success_threshold=1)

    assert tell(breaker, IGNORED, now=10.0) is None
    assert (breaker.state, breaker.probes_under_way) == (HALF_OPEN, 0)
    assert tell(breaker, SUCCESS, now=10.0).after is CLOSED


def test_a_probe_tells_once():
    breaker = opened(success_threshold=2)
    probe = permitted(breaker, 10.0)

    breaker.record(probe, SUCCESS, 10.0)
    breaker.record(probe, SUCCESS, 10.0)

    assert (breaker.state, breaker.counts_late) == (HALF_OPEN, 1)


def test_a_probe_that_tells_nothing_has_failed_after_its_time():
    breaker = opened(probe_timeout=5.0)
    lost = permitted(breaker, 10.0)

    assert breaker.permit(14.0) == (None, None, None)
    admission = breaker.permit(15.0)

    assert admission.transition.reason is TransitionReason.PROBE_TIMEOUT
    assert (admission.permit, admission.retry_after) == (None, 10.0)
    assert breaker.record(lost, SUCCESS, 16.0) is None
    assert breaker.state is OPEN


# -- by hand -----------------------------------------------------------------------------------


def test_opened_by_hand_it_stays_open_until_told():
    breaker = machine()

    assert breaker.open(0.0).reason is TransitionReason.BY_HAND
    assert breaker.open(1.0) is None
    assert breaker.permit(1e9) == (None, None, None)
    assert breaker.held_open
    assert breaker.close(1e9).after is CLOSED
    assert breaker.permit(1e9).permit is not None


def test_an_open_breaker_can_be_held_open_too():
    breaker = opened()

    assert breaker.open(1.0) is not None
    assert breaker.permit(100.0).permit is None


def test_reset_makes_it_as_new_and_deaf_to_what_is_under_way():
    breaker = machine()
    early = permitted(breaker, 0.0)
    tell(breaker, FAILURE, FAILURE)

    assert breaker.reset(0.0) is None  # it was closed, and is
    breaker.record(early, FAILURE, 0.0)

    assert breaker.counts(0.0) == Counts()
    assert opened().reset(1.0).after is CLOSED
    assert machine().close(0.0) is None


# -- which errors count -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, SUCCESS),
        (ConnectionResetError(), FAILURE),
        (ConnectionRefusedError(), IGNORED),
        (ValueError(), SUCCESS),
        (asyncio.CancelledError(), IGNORED),
        (KeyboardInterrupt(), IGNORED),
    ],
)
def test_the_config_says_which_errors_count(error, outcome):
    config = BreakerConfig(counts=(ConnectionError,), ignores=(ConnectionRefusedError,))

    assert config.outcome_of(error) is outcome


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"failure_threshold": 0}, "failure_threshold must be None or a whole number"),
        ({"failure_rate": 0.0}, "failure_rate must be None or a finite number, above 0 and 1"),
        ({"failure_rate": 1.1}, "failure_rate must be"),
        ({"minimum_calls": 0}, "minimum_calls must be"),
        ({"window_s": 0}, "window_s must be"),
        ({"window_calls": 0}, "window_calls must be"),
        ({"window_calls": 4}, "failure_threshold must be at most window_calls .4.; got 5"),
        ({"window_calls": 6, "failure_rate": 0.5}, "minimum_calls must be at most window_calls"),
        ({"reset_timeout": 0}, "reset_timeout must be"),
        ({"reset_timeout": float("inf")}, "reset_timeout must be"),
        ({"probes": 0}, "probes must be"),
        ({"success_threshold": 0}, "success_threshold must be"),
        ({"probe_timeout": 0}, "probe_timeout must be"),
        ({"slow_after": 0}, "slow_after must be"),
        ({"slow_rate": 0}, "slow_rate must be"),
        ({"call_timeout": 0}, "call_timeout must be"),
        ({"counts": (KeyboardInterrupt,)}, "counts must be a tuple of exception classes"),
        ({"ignores": [ValueError]}, "ignores must be a tuple of exception classes"),
        ({"failure_threshold": None}, "Nothing would open the breaker"),
    ],
)
def test_a_wrong_field_is_refused_with_what_would_be_right(fields, says):
    with pytest.raises(ValueError, match=says):
        BreakerConfig(**fields)


# -- the laws, whatever happens in whatever order ------------------------------------------------


class Breakers(RuleBasedStateMachine):
    """One breaker, and what anybody could know of it from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = machine(probes=2, success_threshold=2, probe_timeout=7.0, window_s=1e9)
        self.state = CLOSED
        self.since = 0.0
        self.held = False
        self.under_way: list[tuple[Permit, int]] = []  # with the number of changes at the time
        self.changes = 0
        self.failures = 0
        self.successes = 0

    def see(self, transition: Any) -> None:
        if transition is None:
            return
        assert transition.before is self.state
        assert transition.at == self.now
        self.state, self.since = transition.after, self.now
        self.changes += 1
        self.failures = self.successes = 0
        self.held = transition.reason is TransitionReason.BY_HAND and self.state is OPEN

    @rule(seconds=some.sampled_from([0.5, 3.0, 10.0]))
    def wait(self, seconds):
        self.now += seconds

    @rule()
    def ask(self):
        before = self.state
        admission = self.breaker.permit(self.now)
        self.see(admission.transition)
        if before is CLOSED:
            assert admission.permit is not None
        if self.state is OPEN:
            assert admission.permit is None
        if before is OPEN and not self.held and self.now >= self.since + 10.0:
            assert admission.permit is not None
        if admission.permit is not None:
            self.under_way.append((admission.permit, self.changes))

    @precondition(lambda self: self.under_way)
    @rule(data=some.data(), outcome=some.sampled_from(list(CallOutcome)))
    def end_a_call(self, data, outcome):
        place = data.draw(some.integers(0, len(self.under_way) - 1))
        permit, then = self.under_way.pop(place)
        fresh = then == self.changes
        expected = self.state
        if fresh and outcome is FAILURE:
            self.failures += 1
            if self.state is HALF_OPEN or self.failures == 3:
                expected = OPEN
        elif fresh and outcome is SUCCESS and self.state is HALF_OPEN:
            self.successes += 1
            expected = CLOSED if self.successes == 2 else HALF_OPEN
        self.see(self.breaker.record(permit, outcome, self.now))
        assert self.state is expected

    @precondition(lambda self: self.under_way)
    @rule()
    def lose_a_call(self):
        permit, _ = self.under_way.pop()
        self.breaker.release(permit)

    @rule()
    def look(self):
        self.see(self.breaker.look(self.now))

    @rule(what=some.sampled_from(["open", "close"]))
    def by_hand(self, what):
        self.see(getattr(self.breaker, what)(self.now))

    @invariant()
    def it_says_what_was_seen(self):
        assert self.breaker.state is self.state
        assert self.breaker.probes_under_way <= 2


Breakers.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestBreakers = Breakers.TestCase
