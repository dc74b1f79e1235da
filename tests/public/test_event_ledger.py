"""The ledger of events notes what reaches a handler, and knows a whole run of the suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from suptree.telemetry import Event, TelemetryBus
from tests.event_ledger import EventLedger, declared_events, is_whole

HEARD = Event("suptree.test.ledger.heard", measurements={}, metadata={})
UNHEARD = Event("suptree.test.ledger.unheard", measurements={}, metadata={})


def test_an_event_counts_once_a_handler_gets_it_and_not_before() -> None:
    ledger = EventLedger()
    bus = TelemetryBus()
    got: list[str] = []
    bus.attach("test", HEARD, lambda event, *_: got.append(event.name))
    ledger.open()
    try:
        bus.emit(HEARD, {}, {})
        bus.emit(UNHEARD, {}, {})
    finally:
        ledger.close()
    bus.attach("late", UNHEARD, lambda event, *_: got.append(event.name))
    bus.emit(UNHEARD, {}, {})

    assert got == [HEARD.name, UNHEARD.name]
    assert ledger.missing([HEARD.name, UNHEARD.name]) == [UNHEARD.name]


def test_what_is_declared_is_found_in_every_floor() -> None:
    names = declared_events()

    assert {
        "suptree.process.started",
        "suptree.supervisor.child.restarted",
        "suptree.scheduler.clock_set",
        "suptree.coordination.message.buffered",
        "suptree.telemetry.handler_failed",
    } <= names


@pytest.mark.parametrize(
    ("paths", "narrowed", "whole"),
    [
        (["tests"], False, True),
        (["tests"], True, False),
        (["tests/core"], False, False),
        (["tests/core", "tests"], False, False),
        ([], False, False),
    ],
)
def test_only_a_run_of_everything_is_a_whole_one(
    tmp_path: Path, paths: list[str], narrowed: bool, whole: bool
) -> None:
    assert is_whole(paths, tmp_path, narrowed=narrowed) is whole
