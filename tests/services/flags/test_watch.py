"""Guards: what is too bad, and what is not."""

from __future__ import annotations

import pytest

from suptree.services.flags import MigrationGuard
from suptree.services.flags.watch import Watch


def watch(stage: str = "half", **options: object) -> Watch:
    made = Watch(MigrationGuard(**options))  # type: ignore[arg-type]
    made.enter(stage, 0.0, forward=True)
    return made


def record(made: Watch, ok: int, bad: int, now: float = 1.0, took: float | None = None) -> None:
    for good in [True] * ok + [False] * bad:
        made.record(good, took, now)


@pytest.mark.parametrize(
    ("ok", "bad", "given_up"),
    [(95, 5, False), (94, 6, True), (0, 19, False), (0, 20, True), (19, 0, False), (100, 0, False)],
)
def test_more_errors_than_allowed_give_a_stage_up_once_there_are_enough_calls(ok, bad, given_up):
    made = watch()
    record(made, ok, bad)

    assert (made.verdict(1.0) is not None) is given_up


def test_errors_that_left_the_window_do_not_count():
    made = watch(window_s=60.0)
    record(made, 0, 20, now=1.0)
    record(made, 20, 0, now=100.0)

    assert made.verdict(100.0) is None


@pytest.mark.parametrize(("restarts", "given_up"), [(10, False), (11, True)])
def test_more_restarts_than_allowed_give_a_stage_up_whatever_the_calls(restarts, given_up):
    made = watch()
    for _ in range(restarts):
        made.restarted(1, 1.0)

    assert (made.verdict(1.0) is not None) is given_up
    assert made.verdict(100.0) is None


def test_many_restarts_at_once_cost_no_more_than_those_that_count():
    made = watch()
    made.restarted(10**12, 1.0)

    assert made.report(1.0).restarts == 11


@pytest.mark.parametrize(("took", "given_up"), [(0.19, False), (0.21, True)])
def test_a_median_that_more_than_doubled_since_the_stage_before_gives_a_stage_up(took, given_up):
    made = watch("shadow")
    record(made, 30, 0, took=0.1)
    made.enter("half", 2.0, forward=True)
    record(made, 30, 0, now=3.0, took=took)

    assert made.baseline == pytest.approx(0.1, rel=0.02)
    assert (made.verdict(3.0) is not None) is given_up


def test_a_few_slow_calls_do_not_double_the_median():
    made = watch(baseline_s=0.1)
    record(made, 60, 0, took=0.1)
    record(made, 40, 0, took=5.0)

    assert made.verdict(1.0) is None


def test_without_a_baseline_no_time_is_too_long():
    made = watch()
    record(made, 100, 0, took=1000.0)

    assert made.verdict(1.0) is None
    assert made.report(1.0).baseline_s is None


def test_a_stage_that_was_given_up_is_no_baseline_for_the_one_before():
    made = watch("shadow")
    record(made, 30, 0, took=0.1)
    made.enter("half", 2.0, forward=True)
    record(made, 0, 30, took=9.0)
    made.enter("shadow", 3.0, forward=False)

    assert made.baseline == pytest.approx(0.1, rel=0.02)
    assert made.verdict(3.0) is None


def test_readiness_says_what_is_missing():
    made = watch(bake_s=60.0)
    assert made.missing(10.0) == [
        "it has lasted 10 s; it must last 60 s",
        "0 calls in 60 s; 20 say something",
    ]
    record(made, 30, 0, now=59.0)

    assert made.missing(60.0) == []


def test_the_first_stage_waits_for_no_calls():
    assert watch("").missing(0.0) == []


@pytest.mark.parametrize(
    "options",
    [
        {"max_error_rate": 1.1},
        {"min_calls": 0},
        {"max_restarts": -1},
        {"max_slowdown": 0.5},
        {"baseline_s": 0},
        {"window_s": 0},
        {"bake_s": -1},
    ],
)
def test_a_guard_out_of_bounds_is_refused(options):
    with pytest.raises(ValueError, match=f"MigrationGuard: {next(iter(options))} must be"):
        MigrationGuard(**options)
