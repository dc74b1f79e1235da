"""Near names, and what is said when there is none."""

from __future__ import annotations

import pytest

from suptree.near import COMPARED, did_you_mean, ending, meant, near


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("tikc", ["tick", "workers"], "tick"),
        ("TICK", ["tick"], "tick"),
        ("tick", ["Tick"], "Tick"),
        ("zzz", ["tick"], None),
        ("tick", [], None),
        (None, ["tick"], None),
        ("a, 1", [("a", 1), ("b", 2)], ("a", 1)),
    ],
)
def test_the_name_that_looks_most_like_it_is_found_in_whatever_letters(name, known, found):
    assert near(name, known) == found


def test_only_so_many_names_are_compared_and_only_so_much_of_each():
    many = [f"{n}" for n in range(COMPARED)]
    assert near("heartbeat", [*many, "heartbeat"]) is None
    assert near("heartbeat", [*many[1:], "heartbeat"]) == "heartbeat"
    assert near("ab" * 100_000, ["ab" * 100 + "c" * 100_000]) is not None


def test_the_sentence_ends_with_the_near_name_or_with_the_full_stop():
    assert did_you_mean("tikc", ["tick", "workers"]) == ", did you mean 'tick'?" == meant("tick")
    assert did_you_mean("tikc", []) == "." == meant(None)


def test_without_a_near_name_the_known_ones_are_listed_up_to_twelve():
    assert did_you_mean("zzz", ["b", "a"]) == ". Known: a, b."
    assert did_you_mean("zzz", iter(["b", 1])) == ". Known: 1, b."
    assert did_you_mean("zzz", [f"n{i:02}" for i in range(20)]).endswith("n11 and 8 more.")


@pytest.mark.parametrize(
    ("advice", "end"),
    [
        ("", "."),
        ("Do this.", ". Do this."),
        (", did you mean 'a'?", ", did you mean 'a'?"),
        (". Known: a.", ". Known: a."),
    ],
)
def test_a_refusal_ends_with_advice_or_with_what_was_meant(advice, end):
    assert ending(advice) == end
