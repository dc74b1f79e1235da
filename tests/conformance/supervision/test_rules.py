"""What the rules of supervision forgive, and what they do not."""

from __future__ import annotations

import pytest

from tests.conformance.family import Normaliser
from tests.conformance.plain import to_term
from tests.conformance.supervision import FAMILY
from tests.conformance.supervision.scenario import Die, Scenario, Tree, Worker

# The recorder that all actors write into is an argument of each: it is shared, and to change, on purpose.
pytestmark = pytest.mark.suptree_sharing("off")

SEEDS = range(300)


def normalise(trace):
    return Normaliser(FAMILY.rules).apply(trace)


def test_the_end_of_a_failed_start_may_stand_before_or_after_what_its_supervisor_does_next():
    start, end, after = (
        "start w1#2 in root#1 error",
        "down w1#2 no_start",
        "start w2#2 in root#1 ok",
    )

    assert normalise(["op 1", start, after, end]) == normalise(["op 1", start, end, after])


def test_the_end_of_a_live_process_may_not_move():
    end, after = "down w1#1 boom", "start w1#2 in root#1 ok"

    assert normalise(["op 1", end, after]) != normalise(["op 1", after, end])


ORPHANS = [
    "op 0",
    "start s1#1 in root#1 ok",
    "start w1#1 in s1#1 ok",
    "start w2#1 in s1#1 ok",
    "op 1",
    "down s1#1 killed",
]


def test_orphans_of_a_killed_supervisor_may_end_in_any_order():
    one, two, new = "down w1#1 killed", "down w2#1 killed", "start s1#2 in root#1 ok"

    assert normalise([*ORPHANS, one, two, new]) == normalise([*ORPHANS, new, two, one])


def test_the_thread_of_one_orphan_keeps_its_order():
    goodbye, end = "terminate w1#1 killed", "down w1#1 killed"

    assert normalise([*ORPHANS, goodbye, end]) != normalise([*ORPHANS, end, goodbye])


def test_orphans_of_one_that_was_killed_while_its_own_supervisor_goes_down_may_end_before_or_after_that():
    tree = ["op 0", "start s1#1 in root#1 ok", "start s2#1 in s1#1 ok", "start w1#1 in s2#1 ok"]
    before = [*tree, "op 1", "down root#1 killed", "down s2#1 killed"]
    above, below = "down s1#1 killed", "down w1#1 killed"

    assert normalise([*before, above, below]) == normalise([*before, below, above])


def test_an_orphan_that_does_not_end_is_missed():
    one, two = "down w1#1 killed", "down w2#1 killed"

    assert normalise([*ORPHANS, one, two]) != normalise([*ORPHANS, one])


def test_children_of_a_supervisor_that_was_not_killed_may_not_move():
    before = [*ORPHANS[:-1]]
    one, two = "down w1#1 shutdown", "down w2#1 shutdown"

    assert normalise([*before, one, two]) != normalise([*before, two, one])


def test_a_trace_in_the_fixed_form_is_left_as_it_is():
    for seed in SEEDS:
        trace = normalise(FAMILY.modes["shuffled"](FAMILY.generate(seed)))

        assert normalise(list(trace)) == trace


def test_a_scenario_reads_as_an_erlang_term():
    scenario = Scenario(1, Tree("root", children=(Worker("w1"),)), (Die("w1", "stop", "boom"),))

    assert to_term(scenario) == (
        "{scenario,1,{tree,'root','permanent',false,'infinity','one_for_one',1,60,'never',"
        "[{worker,'w1','permanent',false,5000,false,'ok',[]}],[]},[{die,'w1','stop','boom'}]}"
    )
