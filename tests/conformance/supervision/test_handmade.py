"""The scenarios made by hand: the trace written beside each is what suptree leaves, and what the BEAM leaves.

The first half needs no `erl`.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conformance.family import Normaliser
from tests.conformance.supervision import FAMILY
from tests.conformance.supervision.handmade import CASES
from tests.conformance.supervision.rules import segments

# The recorder that all actors write into is an argument of each: it is shared, and to change, on purpose.
pytestmark = pytest.mark.suptree_sharing("off")

by_name = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
in_each_mode = pytest.mark.parametrize("mode", FAMILY.modes)
normalise = Normaliser(FAMILY.rules).apply


@pytest.mark.otp(
    "S4",
    "S42",
    "S44",
    "S101",
    "S102",
    "S103",
    "S105",
    "S110",
    "S111",
    "S112",
    "S113",
    "S114",
    "S115",
    "S116",
    "S117",
    "S118",
    "S119",
    "S120",
    "S121",
    "S122",
    "S123",
    "S124",
    "S125",
    "S126",
    "S127",
    "S130",
    "S131",
    "S132",
    "S133",
    "S140",
    "S141",
    "S142",
    "S150",
    "S151",
    "S152",
    "S153",
    "S154",
    "S155",
    "S157",
    "S255",
    "S256",
)
@in_each_mode
@by_name
def test_suptree_leaves_the_trace_written_for(case, mode):
    trace = segments(normalise(FAMILY.modes[mode](case.scenario)))

    assert {op: trace[str(op)] for op in case.expect} == case.expect


@by_name
def test_the_beam_leaves_the_trace_written_for(judge_of, case):
    trace = segments(normalise(judge_of(FAMILY)(case.scenario)))

    assert {op: trace[str(op)] for op in case.expect} == case.expect


def test_the_marker_names_exactly_the_statements_of_the_hand_made_cases():
    """The table of conformance reads markers from the source, so the list stands there in full."""
    marked = {
        ast.literal_eval(argument)
        for node in ast.walk(ast.parse(Path(__file__).read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.otp"
        for argument in node.args
    }

    assert marked == {statement for case in CASES for statement in case.statements}
