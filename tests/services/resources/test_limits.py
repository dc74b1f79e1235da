"""What the author of a resource manager declares, and what is refused."""

from __future__ import annotations

import pytest

from suptree.services import Budget, PressureLevel, ResourceLimit, Thresholds

NORMAL, MODERATE, SEVERE = PressureLevel


@pytest.mark.parametrize(
    ("ratio", "before", "level"),
    [
        (0.90, NORMAL, NORMAL),
        (0.91, NORMAL, MODERATE),
        (0.95, NORMAL, MODERATE),
        (0.96, NORMAL, SEVERE),
        (5.00, NORMAL, SEVERE),
        (0.91, MODERATE, MODERATE),
        (0.86, MODERATE, MODERATE),
        (0.85, MODERATE, NORMAL),
        (0.96, MODERATE, SEVERE),
        (0.91, SEVERE, SEVERE),
        (0.90, SEVERE, MODERATE),
        (0.86, SEVERE, MODERATE),
        (0.85, SEVERE, NORMAL),
        (0.00, SEVERE, NORMAL),
    ],
)
def test_a_level_begins_above_its_threshold_and_ends_the_hysteresis_below_it(ratio, before, level):
    assert Thresholds().level(ratio, before) is level


def test_a_wide_hysteresis_never_raises_a_level_that_falls():
    wide = Thresholds(0.9, 0.95, hysteresis=0.2)

    assert wide.level(0.88, MODERATE) is MODERATE
    assert wide.level(0.76, SEVERE) is SEVERE


def test_levels_compare_and_read_as_words():
    assert NORMAL < MODERATE < SEVERE
    assert [str(level) for level in PressureLevel] == ["normal", "moderate", "severe"]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ResourceLimit(0), "ResourceLimit: limit must be a whole number, 1 or more; got 0"),
        (lambda: ResourceLimit(True), "limit must be a whole number"),
        (lambda: ResourceLimit(1, ttl=0.0), "ttl must be None or a finite number, above 0"),
        (lambda: ResourceLimit(1, alert_at=1.5), "alert_at must be"),
        (lambda: ResourceLimit(1, costs={"memory": -1}), r"costs\['memory'\] must be"),
        (lambda: Budget(0), "Budget: limit must be"),
        (lambda: Budget(1, every=0), "every must be"),
        (lambda: Budget(1, reading_timeout=float("inf")), "reading_timeout must be"),
        (lambda: Budget(1, reader=7), "reader must be an async function"),  # type: ignore[arg-type]
        (lambda: Thresholds(moderate=1.2), "moderate must be"),
        (lambda: Thresholds(moderate=0.9, severe=0.8), "severe must be a finite number, 0.9 or"),
        (lambda: Thresholds(hysteresis=0.9), "would never become normal again"),
    ],
)
def test_a_wrong_declaration_is_refused_where_it_is_written(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_a_limit_keeps_its_own_copy_of_the_costs():
    costs = {"memory": 1}
    limit = ResourceLimit(1, costs=costs)

    costs["memory"] = 99

    assert limit.costs == {"memory": 1}
    with pytest.raises(TypeError):
        limit.costs["memory"] = 2  # type: ignore[index]
