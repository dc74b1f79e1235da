"""Machines tell the same story as OTP's: the order of events, timeouts, replies and ends."""

from __future__ import annotations

import pytest

from tests.conformance.campaign import judge_some
from tests.conformance.machines import FAMILY
from tests.conformance.machines.program import (
    Bad,
    Crash,
    Event,
    Halt,
    Insert,
    Keep,
    Leave,
    Next,
    Postpone,
    Program,
    Repeat,
    ReplyAll,
    Timeout,
)
from tests.conformance.machines.rules import replies_by_caller
from tests.conformance.plain import smaller

SEEDS = range(1, 251)


@pytest.mark.otp("S60", "S61", "S62", "S63", "S64", "S65", "S66", "S68", "S69", "S70")
def test_a_machine_tells_the_same_story_as_gen_statem(judge_of):
    tally = judge_some(FAMILY, judge_of(FAMILY), SEEDS, list(FAMILY.modes))

    assert not tally.divergences, "\n\n".join(["", *tally.divergences])
    assert tally.lines > 20 * len(SEEDS)


def test_programs_hold_all_that_a_machine_can_answer():
    text = "".join(FAMILY.to_json(FAMILY.generate(seed)) for seed in SEEDS)

    kinds = (Next, Keep, Repeat, Halt, Crash, Leave, Bad, Postpone, Insert, Timeout, ReplyAll)
    assert [kind.__name__ for kind in kinds if f'"_":"{kind.__name__}"' not in text] == []


def test_a_program_is_made_smaller_down_to_nothing():
    program = FAMILY.generate(7)
    while (less := next(FAMILY.smaller(program), None)) is not None:
        program = less

    assert program == Program(7, ())


def test_a_smaller_value_has_one_thing_less_anywhere_inside():
    event = Event(1, (Keep((Postpone(),)), Keep()))

    assert list(smaller(event)) == [
        Event(1, (Keep((Postpone(),)),)),
        Event(1, (Keep(),)),
        Event(1, (Keep(), Keep())),
    ]


def test_replies_are_sorted_by_call_as_long_as_the_machine_did_nothing_between():
    trace = ["op 1", "reply 7 to 4", "reply 8 to 3", "see cast 5 in a", "reply 9 to 2"]

    sorted_once = replies_by_caller(trace)

    assert sorted_once == ["op 1", "reply 8 to 3", "reply 7 to 4", *trace[3:]]
    assert replies_by_caller(sorted_once) == sorted_once
