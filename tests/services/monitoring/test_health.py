"""Health changes after the looks that it takes, and the verdict is a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from suptree.services.monitoring import Finding, Health, Judged, Thresholds, judge
from suptree.services.monitoring.health import Track, finding_of

H, D, U, R = Health.HEALTHY, Health.DEGRADED, Health.UNHEALTHY, Health.UNRESPONSIVE


def run(looks: list[Health], fall: int = 2, rise: int = 2) -> Track:
    track = Track()
    for seen in looks:
        track = track.observe(Finding(seen, f"saw {seen}"), Thresholds(fall, rise))
    return track


@pytest.mark.parametrize(
    ("value", "health"),
    [
        (None, H),
        (True, H),
        (False, U),
        (D, D),
        (Health.UNKNOWN, Health.UNKNOWN),
        (Health.DEAD, U),
        (Finding(R, "slow"), R),
        (Finding(Health.DEAD), U),
        (3, U),
        ("healthy", U),
        (object(), U),
    ],
)
def test_what_a_check_returns_speaks_for_itself(value, health):
    assert finding_of(value).health is health


def test_a_wrong_return_of_a_check_says_what_it_must_be():
    assert finding_of(3).reason.endswith("got int")


@pytest.mark.parametrize("first", [H, D, U, R])
def test_the_first_look_decides_at_once(first):
    assert run([first], fall=5, rise=5).health is first


@pytest.mark.parametrize(
    ("looks", "ends"),
    [
        ([H, U], H),
        ([H, U, U], U),
        ([H, U, H, U, H, U], H),
        ([H, U, U, H], U),
        ([H, U, U, H, H], H),
        ([H, R, D], D),
        ([H, D, R], D),
        ([H, D, D, R, R], R),
        ([U, H, D], D),
        ([U, D, H], D),
        ([H, U, Health.UNKNOWN, U], U),
    ],
)
def test_it_takes_fall_worse_looks_to_go_down_and_rise_better_ones_to_come_up(looks, ends):
    assert run(looks).health is ends


def test_going_back_the_way_it_came_is_a_flap():
    track = run([H, U, U, H, H, U, U])

    assert track.changes == 4
    assert track.flaps == 2


def test_going_further_the_same_way_is_no_flap():
    assert run([H, D, D, U, U]).flaps == 0


def test_failures_count_in_a_row_whatever_it_counts_as():
    assert run([H, U, R], fall=9).failures == 2
    assert run([H, U, D], fall=9).failures == 0


def test_death_needs_no_look_and_a_successor_begins_unknown():
    track = run([H]).died("killed")

    assert (track.health, track.reason) == (Health.DEAD, "killed")
    assert track.reborn().health is Health.UNKNOWN
    assert track.reborn().observe(Finding(D), Thresholds(9, 9)).health is D
    assert track.reborn().changes == track.changes


def test_a_reason_stays_the_newest_of_the_health_that_it_is_for():
    track = run([U])
    track = track.observe(Finding(U, "another"), Thresholds())

    assert track.reason == "another"


@pytest.mark.parametrize("value", [0, -1, 1.5, True, None])
def test_a_threshold_below_one_is_refused(value):
    with pytest.raises(ValueError, match="fall must be a whole number, 1 or more"):
        Thresholds(fall=value)
    with pytest.raises(ValueError, match="rise must be a whole number, 1 or more"):
        Thresholds(rise=value)


def model(looks: list[Health], fall: int, rise: int) -> list[Health]:
    """By looking back each time: the health moves when the last n looks all lie on one side."""
    health, since, found = Health.UNKNOWN, 0, []
    for number, seen in enumerate(looks):
        if health is Health.UNKNOWN:
            health, since = seen, number + 1
        else:
            for side, need in ((1, fall), (-1, rise)):
                last = looks[since : number + 1][-need:]
                beyond = [side * (one.severity - health.severity) for one in last]
                if len(last) == need and all(one > 0 for one in beyond):
                    nearest = min(beyond)
                    health = next(
                        h for h in Health if h.severity == health.severity + side * nearest
                    )
                    since = number + 1
                    break
        found.append(health)
    return found


@given(some.lists(some.sampled_from([H, D, U, R])), some.integers(1, 3), some.integers(1, 3))
def test_hysteresis_is_what_looking_back_at_all_looks_finds(looks, fall, rise):
    track, found = Track(), []
    for seen in looks:
        track = track.observe(Finding(seen), Thresholds(fall, rise))
        found.append(track.health)

    assert found == model(looks, fall, rise)
    assert track.changes == sum(
        a is not b for a, b in zip([Health.UNKNOWN, *found], found, strict=False)
    )


# -- the verdict ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("things", "verdict"),
    [
        ([], H),
        ([("a", H, True), ("b", H, False)], H),
        ([("a", D, True)], D),
        ([("a", D, False)], D),
        ([("a", U, False)], D),
        ([("a", Health.DEAD, False)], D),
        ([("a", U, True)], U),
        ([("a", R, True)], U),
        ([("a", Health.DEAD, True), ("b", D, True)], U),
        ([("a", Health.UNKNOWN, True)], Health.UNKNOWN),
        ([("a", Health.UNKNOWN, False)], H),
        ([("a", Health.UNKNOWN, True), ("b", D, False)], D),
        ([("a", Health.UNKNOWN, True), ("b", U, True)], U),
    ],
)
def test_the_verdict_is_a_table(things, verdict):
    assert judge([Judged(*one) for one in things]).health is verdict


def test_the_reasons_name_what_is_not_healthy_the_worst_first():
    verdict = judge([Judged("a", D, False, "slow"), Judged("b", H), Judged("c", Health.DEAD, True)])

    assert verdict.reasons == ("c is dead", "a is degraded: slow")
