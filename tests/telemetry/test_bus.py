"""The bus: who hears what, in which order, and that no handler can hurt the emitter."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any

import pytest

import suptree as st
from suptree.clock import ManualClock
from suptree.errors import BadArgumentError
from suptree.telemetry import HANDLER_FAILED, Event, Span, TelemetryBus

EXITED = Event("app.process.exited", metadata={"pid": "who"})
SPAWNED = Event("app.process.spawned", metadata={"pid": "who"})
FULL = Event("app.mailbox.full", measurements={"queue_len": "messages"})
JOB = Span("app.job.run", {"job": "its id"}, stop={"rows": "rows written"})


class Recorder:
    """A handler that remembers what it was told."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, float], dict[str, object]]] = []

    def __call__(
        self, event: Event, measurements: Mapping[str, float], metadata: Mapping[str, object]
    ) -> None:
        self.seen.append((event.name, dict(measurements), dict(metadata)))

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.seen]


@pytest.fixture
def bus() -> TelemetryBus:
    return TelemetryBus()


@pytest.mark.parametrize(
    ("pattern", "heard"),
    [
        (EXITED, ["app.process.exited"]),
        ("app.process.exited", ["app.process.exited"]),
        ("app.process.*", ["app.process.exited", "app.process.spawned"]),
        ("app.*", ["app.process.exited", "app.process.spawned", "app.mailbox.full"]),
        ("*", ["app.process.exited", "app.process.spawned", "app.mailbox.full"]),
        ("app.proc.*", []),
        ("app.process", []),
        ("other.*", []),
    ],
)
def test_handler_hears_the_events_that_its_pattern_names(
    bus: TelemetryBus, pattern: Event | str, heard: list[str]
) -> None:
    recorder = Recorder()
    bus.attach("recorder", pattern, recorder)

    for event in (EXITED, SPAWNED, FULL):
        bus.emit(event, {}, {})

    assert recorder.names == heard


def test_handler_gets_measurements_and_metadata_as_emitted(bus: TelemetryBus) -> None:
    recorder = Recorder()
    bus.attach("recorder", FULL, recorder)

    bus.emit(FULL, {"queue_len": 7}, {"who": "mailer"})

    assert recorder.seen == [("app.mailbox.full", {"queue_len": 7}, {"who": "mailer"})]


def test_handlers_are_called_in_order_of_attaching(bus: TelemetryBus) -> None:
    order: list[str] = []
    for name in ("one", "two", "three"):
        bus.attach(name, "*", lambda *_, name=name: order.append(name))

    bus.emit(EXITED, {}, {})

    assert order == ["one", "two", "three"]


def test_one_handler_attached_to_many_hears_each_event_once(bus: TelemetryBus) -> None:
    recorder = Recorder()
    bus.attach_many("recorder", [EXITED, "app.process.*"], recorder)

    bus.emit(EXITED, {}, {})
    bus.emit(SPAWNED, {}, {})
    bus.emit(FULL, {}, {})

    assert recorder.names == ["app.process.exited", "app.process.spawned"]


def test_detached_handler_hears_nothing_more(bus: TelemetryBus) -> None:
    recorder = Recorder()
    bus.attach("recorder", "*", recorder)

    assert bus.detach("recorder") is True
    assert bus.detach("recorder") is False
    bus.emit(EXITED, {}, {})
    assert recorder.seen == []


def test_id_in_use_is_refused(bus: TelemetryBus) -> None:
    bus.attach("recorder", "*", Recorder())

    with pytest.raises(ValueError, match=r"id must be unused; got 'recorder'"):
        bus.attach("recorder", EXITED, Recorder())


@pytest.mark.parametrize(
    "pattern", ["", "*.exited", "App.x", "app.*.x", "app.**", "app*", "app..x"]
)
def test_pattern_that_can_match_nothing_is_refused(bus: TelemetryBus, pattern: str) -> None:
    with pytest.raises(ValueError, match="event must be an event name"):
        bus.attach("recorder", pattern, Recorder())
    assert bus.attachments() == ()


async def waiting(event: object, measurements: object, metadata: object) -> None:
    """An async handler: what it gives would never be awaited."""


class Waiting:
    async def __call__(self, event: object, measurements: object, metadata: object) -> None:
        """As above."""


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (None, "got None"),
        (waiting, "which is async. It runs in the emitter's turn"),
        (Waiting(), "which is async. It runs in the emitter's turn"),
    ],
)
def test_handler_that_is_no_plain_function_is_refused_when_it_is_attached(
    bus: TelemetryBus, handler: Any, said: str
) -> None:
    with pytest.raises(BadArgumentError, match=said):
        bus.attach("recorder", EXITED, handler)
    assert bus.attachments() == ()


def test_slot_is_one_object_per_event_and_follows_attach_and_detach(bus: TelemetryBus) -> None:
    slot = bus.slot(EXITED)

    assert bus.slot(Event("app.process.exited")) is slot
    assert not slot.handlers
    bus.attach("recorder", "app.*", Recorder())
    assert [one.id for one in slot.handlers] == ["recorder"]
    bus.detach("recorder")
    assert not slot.handlers


def test_handler_attached_before_the_slot_exists_is_heard(bus: TelemetryBus) -> None:
    recorder = Recorder()
    bus.attach("recorder", "app.process.exited", recorder)

    assert bus.has(EXITED)
    assert not bus.has(SPAWNED)
    bus.slot(EXITED).emit({}, {"pid": 1})
    assert recorder.names == ["app.process.exited"]


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), SystemExit(3), asyncio.CancelledError(), GeneratorExit(), RecursionError()],
)
def test_failing_handler_is_detached_reported_once_and_the_emitter_goes_on(
    bus: TelemetryBus, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise error

    after, reports = Recorder(), Recorder()
    bus.attach("broken", EXITED, broken)
    bus.attach("after", EXITED, after)
    bus.attach("reports", HANDLER_FAILED, reports)

    with caplog.at_level(logging.ERROR, "suptree.telemetry"):
        bus.emit(EXITED, {}, {})
        bus.emit(EXITED, {}, {})

    assert after.names == ["app.process.exited"] * 2
    assert reports.seen == [
        (
            "suptree.telemetry.handler_failed",
            {"count": 1},
            {"handler_id": "broken", "event": "app.process.exited", "error": error},
        )
    ]
    assert [record.getMessage() for record in caplog.records] == [
        f"telemetry handler 'broken' failed on app.process.exited with {type(error).__name__} "
        "and was detached. Repair it and attach it again."
    ]


def test_keyboard_interrupt_in_a_handler_is_not_eaten(bus: TelemetryBus) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    bus.attach("interrupted", EXITED, interrupted)

    with pytest.raises(KeyboardInterrupt):
        bus.emit(EXITED, {}, {})


def test_failing_handler_of_failures_is_logged_and_ends_there(
    bus: TelemetryBus, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ValueError

    bus.attach("everything", "*", broken)
    bus.attach("failures", HANDLER_FAILED, broken)
    recorder = Recorder()
    bus.attach("recorder", "*", recorder)

    bus.emit(EXITED, {}, {})

    assert [one.id for one in bus.attachments()] == ["recorder"]
    assert recorder.names == [HANDLER_FAILED.name, EXITED.name]
    assert len(caplog.records) == 2


def test_error_that_cannot_be_printed_does_not_hurt_the_emitter(
    bus: TelemetryBus, caplog: pytest.LogCaptureFixture
) -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text either")

        __repr__ = __str__

    def broken(*_: object) -> None:
        raise Unprintable

    bus.attach("broken", EXITED, broken)
    bus.emit(EXITED, {}, {})

    assert bus.attachments() == ()
    assert "Unprintable" in caplog.text


def test_handler_may_detach_itself_and_attach_others_while_it_is_called(bus: TelemetryBus) -> None:
    late, last = Recorder(), Recorder()

    def once(*_: object) -> None:
        bus.detach("once")
        bus.attach("late", "*", late)

    bus.attach("once", "*", once)
    bus.attach("last", "*", last)

    bus.emit(EXITED, {}, {})
    assert (late.names, last.names) == ([], [EXITED.name])
    bus.emit(SPAWNED, {}, {})
    assert (late.names, last.names) == ([SPAWNED.name], [EXITED.name, SPAWNED.name])


def test_id_reused_inside_a_failing_handler_is_not_detached_in_its_place(bus: TelemetryBus) -> None:
    recorder = Recorder()

    def replaces_itself(*_: object) -> None:
        bus.detach("reporter")
        bus.attach("reporter", "*", recorder)
        raise ValueError

    bus.attach("reporter", EXITED, replaces_itself)
    bus.emit(EXITED, {}, {})

    assert [one.handler for one in bus.attachments()] == [recorder]


def test_strict_bus_refuses_what_was_not_declared() -> None:
    bus = TelemetryBus(strict=True)
    bus.attach("recorder", "*", Recorder())

    bus.emit(EXITED, {}, {"pid": 1})
    with pytest.raises(ValueError, match=r"metadata 'pid' is missing, metadata 'pidd' is not decl"):
        bus.emit(EXITED, {}, {"pidd": 1})


def test_span_measures_by_the_clock_of_the_bus_and_adds_what_the_block_found() -> None:
    clock = ManualClock()
    bus = TelemetryBus(clock=clock.now, strict=True)
    recorder = Recorder()
    bus.attach("recorder", "app.job.*", recorder)

    with bus.span(JOB, {"job": 7}) as found:
        clock.advance(1.5)
        found["rows"] = 3

    assert recorder.seen == [
        ("app.job.run.start", {}, {"job": 7}),
        ("app.job.run.stop", {"duration_ns": 1_500_000_000}, {"job": 7, "rows": 3}),
    ]


def test_span_whose_block_raises_ends_in_exception_and_lets_it_fly(bus: TelemetryBus) -> None:
    recorder = Recorder()
    bus.attach("recorder", "app.job.*", recorder)
    error = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError), bus.span(JOB, {"job": 7}):
        raise error

    assert recorder.names == ["app.job.run.start", "app.job.run.exception"]
    assert recorder.seen[-1][2] == {"job": 7, "error": error}


def test_spans_nest(bus: TelemetryBus) -> None:
    recorder = Recorder()
    bus.attach("recorder", "*", recorder)

    with bus.span(JOB, {"job": 1}), bus.span(JOB, {"job": 2}):
        pass

    assert [(name.rsplit(".")[-1], facts["job"]) for name, _, facts in recorder.seen] == [
        ("start", 1),
        ("start", 2),
        ("stop", 2),
        ("stop", 1),
    ]


def test_span_that_nobody_listens_to_reads_no_clock_and_runs_its_block() -> None:
    def no_clock() -> float:
        raise AssertionError("the clock was read")

    bus = TelemetryBus(clock=no_clock)
    bus.attach("other", EXITED, Recorder())
    ran = []

    with bus.span(JOB, {"job": 7}) as found:
        found["rows"] = 3
        ran.append(found)

    assert ran == [{"rows": 3}]


def test_span_begun_before_anybody_listened_does_not_end_without_a_start(
    bus: TelemetryBus,
) -> None:
    recorder = Recorder()

    with bus.span(JOB, {"job": 7}):
        bus.attach("recorder", "app.job.*", recorder)

    assert recorder.names == []


def test_span_whose_listener_goes_away_meanwhile_ends_in_silence(bus: TelemetryBus) -> None:
    recorder = Recorder()
    bus.attach("recorder", "app.job.*", recorder)

    with bus.span(JOB, {"job": 7}):
        bus.detach("recorder")

    assert recorder.names == ["app.job.run.start"]


@pytest.mark.parametrize("last", ["stop", "exception"])
def test_span_of_which_only_the_end_is_listened_to_is_measured(
    bus: TelemetryBus, last: str
) -> None:
    recorder = Recorder()
    bus.attach("recorder", f"app.job.run.{last}", recorder)

    with contextlib.suppress(KeyError), bus.span(JOB, {"job": 7}):
        if last == "exception":
            raise KeyError

    assert recorder.names == [f"app.job.run.{last}"]


def test_span_under_a_deadline_tells_the_time_that_is_left_at_its_ends() -> None:
    clock = ManualClock()
    bus = TelemetryBus(clock=clock.now, strict=True)
    bus.time_left = lambda: max(0.0, 2.0 - clock.now())
    recorder = Recorder()
    bus.attach("recorder", "app.job.*", recorder)

    with bus.span(JOB, {"job": 7}) as found:
        found["rows"] = 3
        clock.advance(1.5)

    assert [numbers.get("time_left_s") for _, numbers, _ in recorder.seen] == [2.0, 0.5]


async def test_a_runtime_gives_its_clock_to_a_bus_of_its_own_and_to_no_other(
    runtime: st.Runtime,
) -> None:
    recorder = Recorder()
    runtime.telemetry.attach("recorder", "app.job.*", recorder)
    with runtime.telemetry.span(JOB, {"job": 7}):
        began = runtime.now()
        await asyncio.sleep(1.5)
        took = runtime.now() - began

    assert recorder.seen[-1][1]["duration_ns"] == pytest.approx(took * 1e9, rel=0.01)
    clock = ManualClock()
    theirs = TelemetryBus(clock=clock.now)
    async with st.Runtime(telemetry=theirs):
        assert theirs.clock == clock.now


def test_optional_keys_may_come_or_stay_away() -> None:
    event = Event("app.x.done", doc="Done.", optional={"why": "a reason", "left_s": "seconds"})

    assert event.problems({}, {}) == []
    assert event.problems({"left_s": 1.0}, {"why": "x"}) == []
    assert event.problems({}, {"what": "x"}) == ["metadata 'what' is not declared"]
    with pytest.raises(ValueError, match="a key must be one lower-case word"):
        Event("app.x.done", optional={"Why": "a reason"})
