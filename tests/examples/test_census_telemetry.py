"""What the last lines of the page say: a value made of a snapshot, and nothing else."""

from __future__ import annotations

import suptree as st
from examples.code_census.report import KEPT, Report, row
from suptree.core import events as core
from suptree.otp import events as otp
from suptree.services import Metrics
from suptree.services.coordination import events as coordination
from suptree.services.scheduler import events as scheduler
from suptree.telemetry import Event

RESTARTED = Event(
    "suptree.supervisor.child.restarted",
    measurements={"restarts_count": "n"},
    metadata={"supervisor": "s", "id": "i", "reason": "r"},
    doc="As the supervisors declare it.",
)


def test_nothing_has_happened_before_the_start() -> None:
    report = Report.of_nothing()

    assert (report.restarts, report.started, report.acknowledged, report.ticks) == ({}, 0, {}, 0)
    assert str(report).splitlines()[0] == "restarts   0 by supervisors"


async def test_restarts_are_told_by_child_most_first_and_the_workers_together(
    runtime: st.Runtime,
) -> None:
    metrics = await st.child(Metrics, KEPT).start_link()
    for child in ("worker.1", "worker.2", "system.a.keeper", 0, "worker.1", "collector"):
        facts = {"supervisor": None, "id": child, "reason": "r"}
        runtime.telemetry.emit(RESTARTED, {"restarts_count": 1}, facts)

    report = Report.of(await Metrics.snapshot(metrics))

    assert next(iter(report.restarts.items())) == ("worker.1", 2)
    line = "restarts   6 by supervisors, 3 worker, 1 partition, 1 collector, 1 keeper"
    assert str(report).splitlines()[0] == line


async def test_every_metric_is_of_an_event_that_the_platform_declares(runtime: st.Runtime) -> None:
    declared = {
        event.name: event
        for module in (core, otp, coordination, scheduler)
        for event in vars(module).values()
        if isinstance(event, Event)
    }

    for metric in KEPT:
        event = declared[metric.event]
        assert set(metric.tags) <= set(event.metadata)
        assert not metric.measurement or metric.measurement in event.measurements


def test_a_row_is_folded_under_its_title() -> None:
    text = row("restarts", *(f"{n} of a child" for n in range(1, 12)))

    first, second = text.splitlines()
    assert first.startswith("restarts   1 of a child, ")
    assert second.startswith(" " * 11)
    assert max(map(len, (first, second))) <= 100
