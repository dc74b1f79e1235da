"""Who is killed next, and when enough have been."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from examples.code_census.victims import ROLES, Quota, choose


def test_quota_is_met_by_the_total_and_a_share_of_every_role() -> None:
    quota = Quota(total=100, each=5)
    shares = Counter(dict.fromkeys(ROLES, 5))

    assert not quota.is_met(shares)
    assert not quota.is_met(Counter(worker=1000))
    assert quota.is_met(shares + Counter(worker=100))


@pytest.mark.parametrize("seed", range(20))
def test_choices_meet_the_quota_without_a_kill_too_many(seed: int) -> None:
    rng, quota, landed = random.Random(seed), Quota(total=200, each=5), Counter[str]()

    while not quota.is_met(landed):
        role = choose(rng, ROLES, landed, quota)
        assert role is not None
        landed[role] += 1

    assert landed.total() == 200


def test_a_quota_smaller_than_its_shares_grows_to_them() -> None:
    rng, quota, landed = random.Random(1), Quota(total=1, each=2), Counter[str]()

    while not quota.is_met(landed):
        landed[choose(rng, ROLES, landed, quota) or ""] += 1

    assert landed == Counter(dict.fromkeys(ROLES, 2))


def test_the_dead_are_not_chosen() -> None:
    rng, quota = random.Random(1), Quota()

    chosen = {choose(rng, {"task", "registry"}, Counter(), quota) for _ in range(200)}

    assert chosen == {"task", "registry"}


def test_nobody_is_chosen_when_only_the_wrong_roles_live() -> None:
    landed = Counter(dict.fromkeys(ROLES, 5), worker=160) - Counter(task=5)

    assert choose(random.Random(1), {"worker"}, landed, Quota(total=200, each=5)) is None


def test_the_same_seed_makes_the_same_choices() -> None:
    def choices(seed: int) -> list[str | None]:
        rng = random.Random(seed)
        return [choose(rng, ROLES, Counter(), Quota()) for _ in range(50)]

    assert choices(7) == choices(7)
    assert choices(7) != choices(8)
