"""The statistics of the soak, against what is known."""

from __future__ import annotations

import random

import pytest

from tests.soak.slope import block_means, slope, t_quantile
from tests.soak.verdict import HOUR, Series, judge, judge_all, table

TIMES = [float(second) for second in range(0, 600, 5)]


@pytest.mark.parametrize(
    ("freedom", "confidence", "known"),
    [
        (1, 0.95, 12.706),
        (2, 0.95, 4.303),
        (8, 0.95, 2.306),
        (30, 0.95, 2.042),
        (1000, 0.95, 1.962),
        (8, 0.99, 3.355),
        (10, 0.5, 0.700),
    ],
)
def test_quantiles_are_those_of_the_tables_of_students_t(freedom, confidence, known):
    assert t_quantile(confidence, freedom) == pytest.approx(known, abs=0.001)


@pytest.mark.parametrize(("confidence", "freedom"), [(0.0, 3), (1.0, 3), (0.95, 0)])
def test_a_quantile_that_does_not_exist_is_refused(confidence, freedom):
    with pytest.raises(ValueError, match="t_quantile"):
        t_quantile(confidence, freedom)


def test_slope_and_error_are_those_of_a_text_book():
    # Anscombe's first data set: y = 3.0 + 0.500 x, standard error 0.1179, 9 degrees of freedom.
    x = [10.0, 8.0, 13.0, 9.0, 11.0, 14.0, 6.0, 4.0, 12.0, 7.0, 5.0]
    y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]

    line = slope(x, y, blocks=11)

    assert line.per_second == pytest.approx(0.5001, abs=0.0001)
    assert line.error == pytest.approx(0.1179, abs=0.0001)
    assert line.freedom == 9
    assert line.interval() == pytest.approx((0.2334, 0.7668), abs=0.0005)


def test_a_line_without_noise_has_its_slope_and_no_error():
    line = slope(TIMES, [3.0 + 0.5 * time for time in TIMES])

    assert line.per_second == pytest.approx(0.5)
    assert line.interval() == pytest.approx((0.5, 0.5))


def test_blocks_are_in_order_and_cover_all_samples():
    assert block_means([0, 1, 2, 3, 4], [1, 3, 5, 7, 9], 2) == [(0.5, 2.0), (3.0, 7.0)]


@pytest.mark.parametrize(
    ("times", "values"), [([], []), ([0, 1], [1, 2]), ([0, 1, 2], [1, 2]), ([1, 1, 1], [1, 2, 3])]
)
def test_samples_through_which_no_line_goes_are_refused(times, values):
    with pytest.raises(ValueError, match="slope"):
        slope(times, values)


def test_the_interval_of_noise_that_remembers_misses_0_no_more_often_than_it_says():
    rng = random.Random(5)
    missed = 0
    for _ in range(200):
        level, values = 0.0, []
        for _ in range(400):  # what was held stays held for about ten samples
            level += 0.1 * (rng.gauss(0, 1) - level)
            values.append(level)
        low, high = slope([float(n) for n in range(400)], values).interval()
        missed += not low <= 0 <= high

    assert missed <= 20  # 5 % of 200 are 10; without the blocks it is a hundred


@pytest.mark.parametrize(
    ("growth_per_hour", "allowed", "word"),
    [
        (0.0, 0.0, "flat"),
        (-60.0, 0.0, "falls"),
        (60.0, 1000.0, "tiny"),
        (60.0, 0.0, "grows"),
        (60.0, 50.0, "grows"),
    ],
)
def test_the_word_follows_from_the_interval_and_from_what_is_allowed(
    growth_per_hour, allowed, word
):
    rng = random.Random(1)
    values = [
        100 + growth_per_hour * time / HOUR + rng.uniform(-0.1, 0.1) * bool(growth_per_hour)
        for time in TIMES
    ]

    assert judge(Series("things", allowed), TIMES, values).word == word


def test_what_never_changes_is_flat():
    judged = judge(Series("things"), TIMES, [7.0] * len(TIMES))

    assert (judged.word, judged.low, judged.high) == ("flat", 0, 0)


def test_what_grows_by_chance_among_many_is_unsure_and_by_itself_grows():
    rng = random.Random(8)
    values = [100 + 12 * time / HOUR + rng.gauss(0, 1.0) for time in TIMES]

    alone, among_many = (
        judge(Series("things"), TIMES, values, together=many).word for many in (1, 500)
    )

    assert (alone, among_many) == ("grows", "unsure")


SHORT = [float(second) for second in range(0, 120, 8)]
"""When samples are taken that count, in a run of three minutes."""


def a_short_run(rng: random.Random, growth: float = 0.0) -> list[float]:
    """What is held at each sample: noise, half of which stays from one to the next, and *growth* between two."""
    level, values = 0.0, []
    for number in range(len(SHORT)):
        level = 0.5 * level + rng.gauss(0, 5.0)
        values.append(100 + level + growth * number)
    return values


def test_a_short_run_hardly_ever_fails_by_chance():
    rng = random.Random(3)
    series = [Series(str(number)) for number in range(25)]
    failed = 0
    for _ in range(300):
        values = {one.name: a_short_run(rng) for one in series}
        failed += any(row.word == "grows" for row in judge_all(series, SHORT, values))

    assert failed <= 5


def test_blocks_that_stand_in_a_row_by_chance_are_doubted_as_much_as_their_samples():
    # The rows of tables of a run in which nothing grew: 31 is their least, and they are that again and again.
    rows = [32, 31, 31, 31, 37, 31, 38, 36, 36, 31, 39, 41, 31, 31, 48, 46, 35]
    times = [8.0 * number for number in range(len(rows))]
    in_a_row = [31.0 + number // 3 + (6.0, 0.0, -6.0)[number % 3] for number in range(15)]

    assert judge(Series("rows"), times, rows, together=28).word in ("flat", "unsure")
    assert judge(Series("in a row"), SHORT, in_a_row, together=28).word == "unsure"


def test_a_short_run_notices_what_each_kill_leaves_behind():
    rng = random.Random(4)
    series = [Series("leaks"), *(Series(str(number)) for number in range(24))]
    noticed = 0
    for _ in range(100):
        values = {one.name: a_short_run(rng) for one in series}
        values["leaks"] = a_short_run(rng, growth=20.0)
        noticed += judge_all(series, SHORT, values)[0].word == "grows"

    assert noticed >= 95


def test_what_settles_once_is_tiny_and_the_same_again_and_again_grows():
    once = [min(40.0, 100 * time / HOUR) for time in TIMES]  # 17 in ten minutes
    series = Series("memory", allowed=1.0, once=20.0)

    settling = judge(series, TIMES, once).word
    growing = judge(series, TIMES, [4 * value for value in once]).word

    assert (settling, growing) == ("tiny", "grows")


def test_a_short_run_has_fewer_blocks_and_so_a_wider_interval():
    rng = random.Random(2)
    times = [float(time) for time in range(0, 100, 5)]

    assert slope(times, [rng.random() for _ in times]).freedom == 3
    assert slope(TIMES, [rng.random() for _ in TIMES]).freedom == 8


def test_only_the_series_that_move_make_the_others_less_sure():
    values = {"still": [1.0] * len(TIMES), "grows": TIMES}

    rows = judge_all([Series("still"), Series("grows")], TIMES, values)

    assert [row.word for row in rows] == ["flat", "grows"]
    assert [line.split("|")[1].strip() for line in table(rows)] == [
        "series",
        "-----" + "-",
        "still",
        "grows",
    ]
