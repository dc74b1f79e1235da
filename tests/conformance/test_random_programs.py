"""Every family, on some random programs: suptree leaves the trace of its judge.

`make conformance` runs as many as you like; these few keep the families honest in every run of the suite.
"""

from __future__ import annotations

import pytest

from tests.conformance import families
from tests.conformance.campaign import judge_some

# What all actors of a program write into is an argument of each: it is shared, and to change, on purpose.
pytestmark = pytest.mark.suptree_sharing("off")

FIRST_SEED, COUNT = 20_000, 50

of_each_family = pytest.mark.parametrize("name", families.names())


@of_each_family
def test_suptree_leaves_the_trace_of_the_judge(name, judge_of):
    family = families.find(name)

    tally = judge_some(
        family, judge_of(family), range(FIRST_SEED, FIRST_SEED + COUNT), list(family.modes)
    )

    assert not tally.divergences, "\n\n".join(["", *tally.divergences])
    assert tally.lines > 5 * COUNT


@of_each_family
def test_a_seed_makes_the_same_program_every_time_and_it_survives_json(name):
    family = families.find(name)

    for seed in range(FIRST_SEED, FIRST_SEED + COUNT):
        program = family.generate(seed)

        assert program == family.generate(seed)
        assert family.from_json(family.to_json(program)) == program


@of_each_family
def test_every_family_says_what_it_forgives_and_why(name):
    family = families.find(name)

    assert family.name == name
    assert len({rule.name for rule in family.rules}) == len(family.rules)
    assert all(rule.reason.endswith(".") for rule in family.rules)
    assert family.what.endswith(".")


@of_each_family
def test_a_rule_that_does_not_say_that_it_drops_lines_keeps_every_word(name):
    family = families.find(name)
    run = next(iter(family.modes.values()))

    for seed in range(FIRST_SEED, FIRST_SEED + COUNT):
        trace = run(family.generate(seed))
        for rule in family.rules:
            before, trace = trace, rule.apply(list(trace))
            assert rule.drops or _words(trace) == _words(before), rule.name


def _words(trace):
    return sorted(word for line in trace for word in line.split())


def test_the_first_program_of_a_judge_is_judged_like_the_next(judge_of):
    family = families.find("supervision")
    judge_of(family)  # skips where there is none
    program = family.generate(
        309_819_541
    )  # its first init that crashes is stopped by auto_shutdown

    with family.open_judge() as judge:
        first, second = judge(program), judge(program)

    assert any(line.startswith("start") and line.endswith("crash") for line in first)
    assert first == second
