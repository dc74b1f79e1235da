"""Near names, and what is said when there is none."""

from __future__ import annotations

import pytest

from suptree.services.parts.near import did_you_mean, near


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("tikc", ["tick", "workers"], "tick"),
        ("TICK", ["tick"], "tick"),
        ("tick", ["Tick"], "Tick"),
        ("zzz", ["tick"], None),
        ("tick", [], None),
        (None, ["tick"], None),
    ],
)
def test_the_name_that_looks_most_like_it_is_found_in_whatever_letters(name, known, found):
    assert near(name, known) == found


def test_without_a_near_name_the_known_ones_are_listed_up_to_twelve():
    assert did_you_mean("zzz", ["b", "a"]) == ". Known: a, b."
    assert did_you_mean("zzz", []) == "."
    assert did_you_mean("zzz", [f"n{i:02}" for i in range(20)]).endswith("n11 and 8 more.")
