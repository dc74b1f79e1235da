"""TelemetryListener owns a handler; TraceLogFilter stamps log records."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

import suptree as st
from suptree.services import HandlerFailed, TelemetryListener, TraceLogFilter, Tracer
from suptree.telemetry import HANDLER_FAILED, Event, Span
from suptree.testing import wait_down, wait_restarted

SENT = Event("app.mail.sent", doc="A mail went out.")
JOB = Span("app.job.run", doc="One job.")


async def test_a_handler_is_attached_for_as_long_as_its_listener_lives(runtime):
    heard: list[str] = []
    before = len(runtime.telemetry.attachments())
    listener = await TelemetryListener.start(lambda event, *_: heard.append(event.name), [SENT])
    runtime.telemetry.emit(SENT, {}, {})

    st.exit(listener, st.KILL)
    await wait_down(listener)
    runtime.telemetry.emit(SENT, {}, {})

    assert heard == ["app.mail.sent"]
    assert len(runtime.telemetry.attachments()) == before


class Fragile:
    """Fails at its first event."""

    def __init__(self) -> None:
        self.heard = 0

    def __call__(self, *_: Any) -> None:
        self.heard += 1
        if self.heard == 1:
            raise ValueError("the first one")


async def test_a_handler_that_fails_is_reported_once_and_its_listener_starts_it_anew(runtime):
    reports: list[Any] = []
    runtime.telemetry.attach("reports", HANDLER_FAILED, lambda *told: reports.append(told))
    handler = Fragile()
    supervisor = await st.Supervisor.start_link(
        [st.child(TelemetryListener, handler, [SENT]).with_(id="l", name="l")],
        strategy="one_for_one",
    )
    first = st.whereis("l")
    assert first is not None
    ref = st.monitor(first)
    runtime.telemetry.emit(SENT, {}, {})  # the emitter goes on
    runtime.telemetry.emit(SENT, {}, {})  # nobody listens now
    down = await st.receive(st.Down)
    await wait_restarted(supervisor, "l", first)
    runtime.telemetry.emit(SENT, {}, {})

    assert down.ref == ref
    assert down.reason == HandlerFailed("app.mail.sent", "ValueError", "the first one")
    assert len(reports) == 1
    assert handler.heard == 2


async def test_a_handler_that_fails_on_and_on_makes_the_supervisor_give_up():
    def broken(*_: object) -> None:
        raise ValueError

    with pytest.raises(st.RuntimeStoppedError):
        async with st.Runtime() as rt:
            await st.Supervisor.start_link(
                [st.child(TelemetryListener, broken, [SENT])], strategy="one_for_one"
            )
            while True:
                rt.telemetry.emit(SENT, {}, {})
                await asyncio.sleep(0.01)


async def test_close_is_called_or_awaited_however_the_listener_ends(runtime):
    closed: list[str] = []

    async def flush() -> None:
        await asyncio.sleep(0.01)
        closed.append("flushed")

    one = await TelemetryListener.start(lambda *_: None, close=lambda: closed.append("closed"))
    two = await TelemetryListener.start(lambda *_: None, close=flush)
    for listener in (one, two):
        st.exit(listener, st.KILL)
        await wait_down(listener)
    await asyncio.sleep(0.02)

    assert closed == ["closed", "flushed"]


async def test_a_pattern_that_is_none_does_not_start_and_leaves_nothing(runtime):
    before = len(runtime.telemetry.attachments())
    with pytest.raises(st.StartError):
        await TelemetryListener.start(lambda *_: None, ["Not A Name"])

    assert len(runtime.telemetry.attachments()) == before


async def test_every_log_record_says_in_which_trace_it_was_written(runtime, caplog):
    tracer = Tracer()
    tracer.install(runtime)
    caplog.handler.addFilter(TraceLogFilter(tracer))
    with runtime.telemetry.span(JOB):
        logging.getLogger("app").warning("inside")
        inside = tracer.current()
    logging.getLogger("app").warning("outside")
    caplog.handler.filters.clear()

    assert inside is not None
    first, second = caplog.records
    assert (first.trace_id, first.span_id) == (inside.trace_id, inside.span_id)
    assert (second.trace_id, second.span_id) == ("", "")
