"""The report of a soak: when it is good, and what the page says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.soak.record import Report, page
from tests.soak.verdict import Series, judge

TIMES = [float(second) for second in range(0, 600, 5)]
FLAT = judge(Series("things", 1.0, 2.0, "they are few"), TIMES, [7.0] * len(TIMES))
GROWING = judge(Series("leaks"), TIMES, TIMES)
GOOD = Report(
    commit="0123456789ab",
    minutes=10,
    seed=7,
    loop="asyncio",
    overflow="reject",
    warm_up=60.0,
    samples=len(TIMES),
    rows=[FLAT],
    kills={"agents": 3},
    acts={},
    ends={"Acknowledged": 1234},
    refusals={},
    crashes={},
    breaches=[],
    broken=0,
    left=[],
)


@pytest.mark.parametrize(
    ("report", "good"),
    [
        (GOOD, True),
        (replace(GOOD, rows=[FLAT, GROWING]), False),
        (replace(GOOD, rows=[]), False),
        (replace(GOOD, broken=1, breaches=["a promise (1 times)"]), False),
        (replace(GOOD, left=["timer: forgotten"]), False),
    ],
)
def test_a_run_is_good_when_nothing_grows_no_promise_is_broken_and_nothing_is_left(report, good):
    assert report.is_good() is good
    assert report.lines()[-1].startswith("soak: good" if good else "soak: FAILED")


def test_the_page_says_what_ran_what_was_found_and_why_so_much_is_allowed():
    text = page(GOOD)

    for part in (
        "| seed | 7 |",
        "commit 0123456789ab |",
        "1,234 Acknowledged",
        "they are few",
        "| things |",
        "**good: of 1",
    ):
        assert part in text
