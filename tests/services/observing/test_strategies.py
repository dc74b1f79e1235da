"""Sampling strategies: what each keeps, exactly, on any line of moments."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as hs

from suptree.services.observing import (
    Adaptive,
    Always,
    Never,
    Randomly,
    RateLimited,
    Reservoir,
)
from suptree.services.observing.strategies import Pool

MOMENTS = hs.lists(
    hs.floats(min_value=0, max_value=0.7, allow_nan=False), min_size=1, max_size=200
).map(lambda gaps: [sum(gaps[: n + 1]) for n in range(len(gaps))])


def decide(strategy, moments, seed=1):
    gate = strategy.start(random.Random(seed))
    return [gate.keep(now) for now in moments]


def test_always_keeps_all_and_never_none():
    assert decide(Always(), range(5)) == [True] * 5
    assert decide(Never(), range(5)) == [False] * 5


@pytest.mark.parametrize("rate", [0.0, 0.03, 0.5, 1.0])
def test_random_keeps_that_part(rate):
    kept = sum(decide(Randomly(rate), range(20_000)))
    assert kept == pytest.approx(rate * 20_000, abs=300)
    if rate in (0.0, 1.0):
        assert kept == rate * 20_000


def test_the_same_seed_throws_the_same_dice():
    assert decide(Randomly(0.5), range(50), seed=3) == decide(Randomly(0.5), range(50), seed=3)
    assert decide(Randomly(0.5), range(50), seed=3) != decide(Randomly(0.5), range(50), seed=4)


@given(moments=MOMENTS, limit=hs.integers(1, 5))
def test_rate_limited_keeps_never_more_than_that_many_within_any_second(moments, limit):
    kept = [
        now for now, keep in zip(moments, decide(RateLimited(limit), moments), strict=False) if keep
    ]

    for first, beyond in zip(kept, kept[limit:], strict=False):
        assert beyond - first >= 1.0


@given(moments=MOMENTS, limit=hs.integers(1, 5))
def test_rate_limited_drops_nothing_while_fewer_were_kept_in_the_last_second(moments, limit):
    kept: list[float] = []
    for now, keep in zip(moments, decide(RateLimited(limit), moments), strict=False):
        assert keep == (sum(now - one < 1.0 for one in kept) < limit)
        if keep:
            kept.append(now)


@pytest.mark.parametrize("offered", [50, 100, 1_000, 20_000])
def test_adaptive_keeps_about_the_target_whatever_comes(offered):
    moments = [n / offered for n in range(10 * offered)]
    decisions = decide(Adaptive(100), moments)

    later = [keep for now, keep in zip(moments, decisions, strict=False) if now >= 2]
    assert sum(later) / 8 == pytest.approx(min(offered, 100), rel=0.1)


def test_adaptive_cuts_a_burst_that_it_could_not_foresee_at_twice_the_target():
    quiet = [n * 0.1 for n in range(30)]
    burst = [3.0 + n / 100_000 for n in range(50_000)]
    decisions = decide(Adaptive(100), [*quiet, *burst])

    assert sum(decisions[30:]) == 200


def test_adaptive_keeps_everything_again_after_a_pause():
    busy = [n / 10_000 for n in range(20_000)]
    after = [60.0 + n for n in range(20)]
    decisions = decide(Adaptive(100), [*busy, *after])

    assert decisions[-20:] == [True] * 20


def test_adaptive_spreads_what_it_keeps_evenly():
    moments = [n / 10_000 for n in range(50_000)]
    decisions = decide(Adaptive(1000), moments)
    halves = Counter(
        int(now * 10) for now, keep in zip(moments, decisions, strict=False) if keep and now >= 1
    )

    assert min(halves.values()) > 60  # about 100 in each tenth of a second; a limit keeps 0 late
    assert len(halves) == 40


@given(count=hs.integers(0, 50), size=hs.integers(1, 10))
def test_a_reservoir_holds_all_until_it_is_full_and_then_so_many(count, size):
    pool = Pool(Reservoir(size), random.Random(1))
    for item in range(count):
        pool.offer(item, 0.0)

    assert len(pool.held) == min(count, size)
    assert len(set(pool.held)) == len(pool.held)
    assert pool.take() and not pool.held if count else pool.take() == []


def test_a_reservoir_gives_every_event_the_same_chance():
    dice, chosen = random.Random(5), Counter()
    for _ in range(4000):
        pool = Pool(Reservoir(5), dice)
        for item in range(20):
            pool.offer(item, 0.0)
        chosen.update(pool.held)

    assert set(chosen) == set(range(20))
    for count in chosen.values():
        assert count == pytest.approx(1000, rel=0.12)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Randomly(1.5),
        lambda: Randomly(float("nan")),
        lambda: RateLimited(0),
        lambda: RateLimited(2.5),  # type: ignore[arg-type]
        lambda: RateLimited(True),
        lambda: Adaptive(0),
        lambda: Adaptive(10, every_s=0),
        lambda: Adaptive(float("inf")),
        lambda: Reservoir(0),
        lambda: Reservoir(1, every_s=-1),
    ],
)
def test_a_strategy_that_could_not_work_is_refused(make):
    with pytest.raises(ValueError, match="must be"):
        make()
