"""The comparison itself: it sees a planted difference, counts what its rules touch, and makes programs small."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from tests.conformance.family import (
    ASKED_AGAIN,
    BOTH,
    Normaliser,
    Rule,
    Trace,
    difference,
    find_divergence,
    shrink,
)
from tests.conformance.plain import Plain, to_json

TRACE = ["op 0", "start a", "start b", "result ok", "op 1", "down a boom", "start a", "result done"]


def test_equal_traces_show_no_difference():
    assert difference(TRACE, list(TRACE)) == ""


@pytest.mark.parametrize("line", range(1, len(TRACE)))
def test_a_missing_line_is_seen_wherever_it_is(line):
    planted = TRACE[:line] + TRACE[line + 1 :]

    assert f"-{TRACE[line]}" in difference(TRACE, planted)


@pytest.mark.parametrize(("line", "changed"), [(5, "down a killed"), (6, "start a error")])
def test_another_line_in_its_place_is_seen(line, changed):
    planted = [*TRACE[:line], changed, *TRACE[line + 1 :]]

    report = difference(TRACE, planted)

    assert f"-{TRACE[line]}" in report
    assert f"+{changed}" in report


def test_two_lines_in_the_other_order_are_seen():
    planted = [*TRACE[:1], TRACE[2], TRACE[1], *TRACE[3:]]

    assert difference(TRACE, planted) != ""


def test_what_follows_the_segment_of_the_first_difference_is_left_out():
    planted = [*TRACE[:2], *TRACE[3:], "op 2", "result later"]

    assert "later" not in difference(TRACE, planted)


def test_a_rule_is_counted_for_each_trace_that_it_changes():
    normaliser = Normaliser((Rule("order", "open", sorted), Rule("none", "idle", list)))

    normalised = [normaliser.count(trace) for trace in (["b", "a"], ["a", "b"], ["c", "b", "a"])]

    assert normalised == [["a", "b"], ["a", "b"], ["a", "b", "c"]]
    assert normaliser.touched == {"order": 2}
    assert normaliser.lines == 7


class Letters:
    """A family whose programs are strings, whose judge writes a line for each letter, and that gets `x` wrong."""

    name = "letters"
    judge = "the alphabet"
    what = "Strings."
    rules = (Rule("order", "letters may come in any order", sorted),)
    modes = {
        "right": lambda program: list(reversed(program)),
        "wrong": lambda program: [f"<{letter}>" if letter == "x" else letter for letter in program],
    }

    def missing(self) -> None:
        return None

    def generate(self, seed: int) -> str:
        return f"a{seed}xbx"

    def smaller(self, program: str) -> Iterator[str]:
        return (program[:k] + program[k + 1 :] for k in range(len(program)))

    def describe(self, program: str) -> str:
        return f"  the letters {program}"

    to_json = from_json = staticmethod(to_json)

    def open_judge(self):
        return nullcontext(list)


def test_modes_that_agree_up_to_the_rules_show_nothing():
    judge: Normaliser = Normaliser(Letters.rules)
    ours = Normaliser(Letters.rules)

    found = find_divergence(Letters(), "ab", list, modes=["right"], normaliser=judge, ours=ours)

    assert found is None
    assert (judge.touched, ours.touched) == ({}, {"order": 1})


def test_a_divergence_is_made_as_small_as_it_can_be_and_says_how_to_run_it_again():
    found = find_divergence(Letters(), Letters().generate(5), list)

    assert found is not None
    assert (found.program, found.mode) == ("x", "wrong")
    assert "-x\n+<x>" in str(found)
    assert "--family letters --program '\"x\"'" in str(found)


def test_a_program_that_takes_too_long_each_time_is_shown_as_small_as_it_got():
    letters = Letters()

    assert shrink(letters, "xyz", bool, patience=0.0) == "xyz"
    assert shrink(letters, "xyz", bool) == "z"


def test_a_program_that_diverges_only_now_and_then_is_shown_nevertheless():
    answers: list[Trace] = [["a"], ["b"]]
    flaky = Letters()
    flaky.modes = {"flaky": lambda _: answers.pop() if answers else ["a"]}

    found = find_divergence(flaky, "a", lambda _: ["a"])

    assert found is not None
    assert "not seen again" in found.difference


def test_what_the_judge_gives_as_well_when_it_is_asked_again_is_no_divergence_and_is_counted():
    answers: list[Trace] = [["b"], ["a"], ["a"]]
    theirs, ours = Normaliser(()), Normaliser(())
    family = Letters()
    family.modes = {"open": lambda _: ["b"]}

    found = find_divergence(family, "a", lambda _: answers.pop(), normaliser=theirs, ours=ours)

    assert found is None
    assert theirs.touched[BOTH.name] == ours.touched[BOTH.name] == 1


def test_a_judge_that_never_gives_our_trace_is_asked_often_and_believed():
    asked: list[str] = []

    def judge(program: str) -> Trace:
        asked.append(program)
        return [str(len(asked) % 2)]

    family = Letters()
    family.modes = {"other": lambda _: ["2"]}

    assert find_divergence(family, "a", judge) is not None
    assert len(asked) > ASKED_AGAIN


def test_plain_values_keep_their_kinds_through_json():
    with pytest.raises(ValueError, match="Stranger"):
        Plain().from_json('{"_":"Stranger"}')
