"""Every workload of the table runs, in small, and gives numbers; how fast it is stands in no test."""

from __future__ import annotations

import io
import shutil

import pytest

from benchmarks import ours, plain
from benchmarks.contest import Contest
from benchmarks.lineup import Contestant, contestants
from benchmarks.protocol import CANNOT, FAILED, Ask, answer, parse_answer
from benchmarks.rows import ROWS
from benchmarks.worker import run_loop, serve

SMALL = 200
ASKS = sorted({(row.ask.workload, row.ask.options) for row in ROWS})
BEAM = [
    pytest.param(one, marks=pytest.mark.skipif(one.absent() is not None, reason=f"{one.absent()}"))
    for one in contestants("default", "asyncio")
    if not one.is_python
]


def answers(module, *lines: str) -> list[str]:
    """What a Python contestant prints for these asks."""
    out = io.StringIO()
    serve(module.WORKLOADS, run_loop("asyncio"), lines, out)
    return out.getvalue().splitlines()


@pytest.mark.parametrize(("workload", "options"), ASKS)
def test_each_row_is_measured_on_suptree(workload, options):
    [line] = answers(ours, Ask(workload, SMALL, options).line())

    assert not line.startswith((CANNOT, FAILED)), line
    metrics = parse_answer(line)
    for row in ROWS:
        if row.ask.workload == workload:
            assert row.metric in metrics
            assert row.read(metrics) > 0 or row.unit == "bytes"  # of 200, memory is noise


@pytest.mark.parametrize("workload", sorted({row.ask.workload for row in ROWS if not row.alone}))
def test_each_row_is_measured_on_the_bare_asyncio_actor(workload):
    [line] = answers(plain, Ask(workload, SMALL).line())

    assert not line.startswith((CANNOT, FAILED)), line
    assert {row.metric for row in ROWS if row.ask.workload == workload} <= parse_answer(line).keys()


@pytest.mark.parametrize("side", [ours, plain])
def test_a_flood_is_probed_at_least_once(side):
    [line] = answers(side, "flood 500 queued yielding")

    assert all(values and min(values) >= 0 for values in parse_answer(line).values())


def test_the_cost_of_each_operation_is_told():
    [line] = answers(ours, "flatness 50 freeze")

    assert all(value > 0 for (value,) in parse_answer(line).values())


@pytest.mark.parametrize(
    ("mode", "before"), [("", ["collect"]), (" freeze", ["collect", "freeze"])]
)
def test_the_collector_has_settled_before_the_first_operation_is_timed(monkeypatch, mode, before):
    asked: list[str] = []

    class Collector:
        collect = staticmethod(lambda: asked.append("collect"))
        freeze = staticmethod(lambda: asked.append("freeze"))
        unfreeze = staticmethod(lambda: asked.append("unfreeze"))

    async def first() -> float:
        asked.append("spawn")
        return 1.0

    monkeypatch.setattr("benchmarks.ours.flatness.gc", Collector)
    monkeypatch.setattr("benchmarks.ours.flatness._spawns", first)

    answers(ours, f"flatness 50{mode}")

    assert asked == [*before, "spawn", "unfreeze"]


@pytest.mark.parametrize("contestant", BEAM, ids=lambda one: one.name)
def test_the_beam_answers_what_it_can_do(contestant: Contestant):
    with Contest([contestant], lambda line: None) as contest:
        can = {
            workload
            for workload, _ in ASKS
            if contest.single(Ask(workload, SMALL), contestant.name) is not None
        }

    assert shutil.which(contestant.command(contest.ebin)[0])
    if contestant.name == "erlang":
        assert {"call", "cast", "fan_in", "ring", "spawn_stop", "crowd", "storm", "timer"} <= can
    else:
        assert can == {"via", "stream", "service"}


def test_an_unknown_workload_is_refused_and_a_failure_told_in_one_line():
    def break_down(ask: Ask) -> dict[str, float]:
        raise RuntimeError("two\nlines")

    class Broken:
        WORKLOADS = {"break": break_down}

    assert answers(Broken, "nothing 1", "break 1") == ["cannot", "failed RuntimeError: two lines"]


def test_an_answer_reads_as_it_was_written():
    metrics = {"seconds": 0.125, "late": [1e-06, 2.0]}

    assert parse_answer(answer(metrics)) == {"seconds": [0.125], "late": [1e-06, 2.0]}
