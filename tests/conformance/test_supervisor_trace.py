"""suptree's supervisor leaves the trace that OTP's supervisor leaves, scenario by scenario, line by line.

Without `erl` the comparison is skipped with the reason printed, except where CI=true: there it fails, because a
proof that quietly does not run is none. The scenarios made by hand need no `erl`.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.beam import Beam, missing
from tests.conformance.compare import find_divergence
from tests.conformance.handmade import CASES, Case
from tests.conformance.normalise import normalise, segments
from tests.conformance.runner import MODES, Suptree
from tests.conformance.scenario import generate

FIRST_SEED, COUNT = 20_000, 300
REPORTED = 3

by_name = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
in_each_mode = pytest.mark.parametrize("suptree", MODES.values(), ids=MODES)


@pytest.fixture(scope="module")
def beam() -> Iterator[Beam]:
    why = missing()
    if why is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    with Beam() as running:
        yield running


@in_each_mode
def test_suptree_leaves_the_trace_of_the_beam_on_generated_scenarios(
    beam: Beam, suptree: Suptree
) -> None:
    found = []
    for seed in range(FIRST_SEED, FIRST_SEED + COUNT):
        divergence = find_divergence(generate(seed), beam.run, suptree.run, mode=suptree.mode)
        if divergence is not None:
            found.append(divergence)
        if len(found) == REPORTED:
            break

    assert not found, "\n\n".join(["", *map(str, found)])


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
def test_suptree_leaves_the_trace_written_for(case: Case, suptree: Suptree) -> None:
    trace = segments(normalise(suptree.run(case.scenario)))

    assert {op: trace[str(op)] for op in case.expect} == case.expect


@by_name
def test_the_beam_leaves_the_trace_written_for(beam: Beam, case: Case) -> None:
    trace = segments(normalise(beam.run(case.scenario)))

    assert {op: trace[str(op)] for op in case.expect} == case.expect


def test_the_marker_names_exactly_the_statements_of_the_hand_made_cases() -> None:
    """The table of conformance reads markers from the source, so the list stands there in full."""
    marked = {
        ast.literal_eval(argument)
        for node in ast.walk(ast.parse(Path(__file__).read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.otp"
        for argument in node.args
    }

    assert marked == {statement for case in CASES for statement in case.statements}
