"""Percentages: stable by id, monotone, exact at their ends, independent of one another."""

from __future__ import annotations

from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as some

from suptree.services.flags.rollout import BUCKETS, bucket, is_in, percentage_of

IDS = [f"agent-{n}" for n in range(10_000)]
PERCENTAGES = some.integers(0, 10_000).map(lambda n: n / 100)


def test_the_hash_is_the_documented_one():
    number = int.from_bytes(blake2b(b"new_router\0agent-7", digest_size=8).digest(), "big")

    assert bucket("new_router", "agent-7") == number * 10_000 // 2**64 == 573


@given(some.text(), some.text())
def test_every_id_has_a_bucket(flag, id):
    assert 0 <= bucket(flag, id) < BUCKETS


@given(some.text(), some.text())
def test_nobody_is_in_at_0_and_everybody_at_100(flag, id):
    assert not is_in(flag, id, 0)
    assert is_in(flag, id, 100)


@given(some.text(), PERCENTAGES, PERCENTAGES)
def test_raising_the_percentage_only_adds_ids(id, one, other):
    low, high = sorted((one, other))

    assert is_in("flag", id, low) <= is_in("flag", id, high)


@given(some.text())
def test_an_id_is_in_from_the_percentage_after_its_bucket(id):
    place = bucket("flag", id)

    assert not is_in("flag", id, place / 100)
    assert is_in("flag", id, (place + 1) / 100)


@pytest.mark.parametrize("percentage", [1, 10, 50, 90])
def test_a_percentage_is_about_that_many_of_a_hundred_ids(percentage):
    inside = sum(is_in("flag", id, percentage) for id in IDS)

    assert abs(inside / len(IDS) - percentage / 100) < 0.015


def test_two_flags_at_one_percentage_choose_independently():
    both = sum(is_in("one", id, 30) and is_in("other", id, 30) for id in IDS)

    assert abs(both / len(IDS) - 0.09) < 0.015


@pytest.mark.parametrize(
    ("rollout", "percentage"),
    [(True, 100.0), (False, 0.0), (0, 0.0), (100, 100.0), (12.34, 12.34), (0.01, 0.01), (1, 1.0)],
)
def test_what_people_write_is_a_percentage(rollout, percentage):
    assert percentage_of(rollout) == percentage


@pytest.mark.parametrize("rollout", [-1, 100.01, 0.001, 99.999, float("nan"), "50", None, [1]])
def test_what_is_no_percentage_is_none(rollout):
    assert percentage_of(rollout) is None
