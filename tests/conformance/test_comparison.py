"""The comparison itself: it sees a planted difference, forgives only what it says, and both halves speak one language."""

from __future__ import annotations

import pytest

from tests.conformance.compare import difference, find_divergence
from tests.conformance.normalise import normalise
from tests.conformance.scenario import (
    Die,
    Scenario,
    Tree,
    Worker,
    from_json,
    generate,
    to_json,
    to_term,
)

TRACE = [
    "op 0",
    "start root#1 in driver ok",
    "start w1#1 in root#1 ok",
    "start w2#1 in root#1 ok",
    "result ok root#1",
    "op 1",
    "terminate w1#1 boom",
    "down w1#1 boom",
    "start w1#2 in root#1 ok",
    "result done",
]


def test_equal_traces_show_no_difference():
    assert difference(TRACE, list(TRACE)) == ""


@pytest.mark.parametrize("line", range(1, len(TRACE)))
def test_a_missing_line_is_seen_wherever_it_is(line):
    planted = TRACE[:line] + TRACE[line + 1 :]

    assert f"-{TRACE[line]}" in difference(TRACE, planted)


@pytest.mark.parametrize(
    ("line", "changed"), [(7, "down w1#1 killed"), (8, "start w1#2 in root#1 error")]
)
def test_another_reason_or_outcome_is_seen(line, changed):
    planted = [*TRACE[:line], changed, *TRACE[line + 1 :]]

    report = difference(TRACE, planted)

    assert f"-{TRACE[line]}" in report
    assert f"+{changed}" in report


def test_two_starts_in_the_other_order_are_seen():
    planted = [*TRACE[:2], TRACE[3], TRACE[2], *TRACE[4:]]

    assert difference(TRACE, planted) != ""


def test_what_follows_the_first_difference_is_left_out():
    planted = [*TRACE[:2], *TRACE[3:], "op 2", "result later"]

    assert "later" not in difference(TRACE, planted)


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


def test_children_of_a_supervisor_that_was_not_killed_may_not_move():
    before = [*ORPHANS[:-1]]
    one, two = "down w1#1 shutdown", "down w2#1 shutdown"

    assert normalise([*before, one, two]) != normalise([*before, two, one])


def test_a_divergence_is_made_as_small_as_it_can_be():
    scenario = generate(11)
    planted = Die("w9", "stop", "boom")
    large = Scenario(11, scenario.root, (*scenario.ops, planted, *scenario.ops))

    found = find_divergence(
        large,
        beam=lambda s: ["op 0"],
        suptree=lambda s: ["op 0", *(["x"] if planted in s.ops else [])],
    )

    assert found is not None
    assert found.scenario.ops == (planted,)
    assert found.scenario.root.children == ()
    assert "+x" in str(found)


def test_a_seed_makes_the_same_scenario_every_time():
    assert [generate(seed) for seed in range(50)] == [generate(seed) for seed in range(50)]
    assert len({to_json(generate(seed)) for seed in range(50)}) == 50


def test_a_scenario_survives_json():
    for seed in range(200):
        assert from_json(to_json(generate(seed))) == generate(seed)


def test_a_scenario_reads_as_an_erlang_term():
    scenario = Scenario(1, Tree("root", children=(Worker("w1"),)), (Die("w1", "stop", "boom"),))

    assert to_term(scenario) == (
        "{scenario,1,{tree,'root','permanent',false,'infinity','one_for_one',1,60,'never',"
        "[{worker,'w1','permanent',false,5000,false,'ok',[]}]},[{die,'w1','stop','boom'}]}"
    )
