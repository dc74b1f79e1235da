"""Who is killed next, and when enough have been."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from examples.code_census.plan import census
from examples.code_census.victims import ROLES, Quota, choose, role_of


def test_every_process_below_the_root_of_the_plan_has_a_role() -> None:
    _, *below = census.tree.lines()
    roles = {role_of(line.path, line.what) for line in below}

    assert roles | {"worker", "survey"} == set(ROLES)  # those two come and go


@pytest.mark.parametrize(
    ("name", "label", "role"),
    [
        ("system.services.flags", "FeatureFlags", "service"),
        ("system.services", "Supervisor", "branch"),
        ("system.managers.coordination", "CoordinationManager", "coordination"),
        ("system.managers.commands", "SystemCommandManager", "manager"),
        ("system.managers.commands.guardian", "Guardian", "manager"),
        ("system.whatever_comes_next", "Something", "service"),
        ("system.collector", "Collector", "collector"),
        ("system.observation.monitors.keeper", "MonitorKeeper", "observation"),
        (None, "Partition", "observation"),
        ("worker.12", "Worker", "worker"),
        (None, "survey", "survey"),
        (None, "Census", None),
        (None, "application system", None),
        ("metrics", "Metrics", None),
        ("chaos", "Chaos", None),
    ],
)
def test_a_role_is_told_by_the_name_or_else_the_label(
    name: str | None, label: str, role: str | None
) -> None:
    assert role_of(name, label) == role


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

    chosen = {choose(rng, {"survey", "registry"}, Counter(), quota) for _ in range(200)}

    assert chosen == {"survey", "registry"}


def test_nobody_is_chosen_when_only_the_wrong_roles_live() -> None:
    landed = Counter(dict.fromkeys(ROLES, 5), worker=115) - Counter(survey=5)

    assert choose(random.Random(1), {"worker"}, landed, Quota(total=200, each=5)) is None


def test_the_same_seed_makes_the_same_choices() -> None:
    def choices(seed: int) -> list[str | None]:
        rng = random.Random(seed)
        return [choose(rng, ROLES, Counter(), Quota()) for _ in range(50)]

    assert choices(7) == choices(7)
    assert choices(7) != choices(8)
