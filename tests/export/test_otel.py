"""OpenTelemetry: what the real SDK gets of spans, metrics and logs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

import suptree as st
from suptree.export import OtelLogHandler, OtelLogs, OtelMetrics, OtelTraces
from suptree.services import Metric, SpanContext, TelemetryListener, Tracer
from suptree.telemetry import Event, Span

ORDER = Span("app.order", metadata={"item": "what"}, stop={"price": "in cents"}, doc="One order.")
STOCK = Span("app.stock", doc="One look at the stock.")
SENT = Event(
    "app.mail.sent",
    measurements={"size_bytes": "bytes", "waiting_len": "mails that wait"},
    metadata={"queue": "which"},
    doc="A mail went out.",
)
FAILED = Event("app.mail.failed", metadata={"error": "why"}, doc="A mail did not go out.")


@pytest.fixture
def tracer(runtime: st.Runtime) -> Iterator[Tracer]:
    tracer = Tracer(seed=1)
    tracer.install(runtime)
    yield tracer
    tracer.uninstall()


# -- traces --------------------------------------------------------------------------------------


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traces(runtime: st.Runtime, tracer: Tracer, spans: InMemorySpanExporter) -> OtelTraces:
    traces = OtelTraces(
        SimpleSpanProcessor(spans), resource=Resource({"service.name": "shop"}), max_open=3
    )
    runtime.telemetry.attach_many("traces", ["app.*", "suptree.trace.*"], traces)
    return traces


class Stock(st.GenServer):
    """Called within a span."""

    @st.call
    def look(self) -> None:
        with self._process.runtime.telemetry.span(STOCK):
            pass


async def test_spans_of_two_processes_are_one_trace_with_parent_times_and_attributes(
    runtime, traces, spans
):
    stock = await Stock.start_link()
    with runtime.telemetry.span(ORDER, {"item": "a lamp"}) as found:
        await Stock.look(stock)
        found["price"] = 1999

    inner, outer = spans.get_finished_spans()
    assert (outer.name, inner.name) == ("app.order", "app.stock")
    assert outer.context.trace_id == inner.context.trace_id
    assert outer.parent is None
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id
    assert dict(outer.attributes or {}) == {"item": "a lamp", "price": 1999}
    assert outer.status.status_code is StatusCode.UNSET
    assert outer.start_time is not None
    assert outer.end_time is not None
    assert outer.end_time >= outer.start_time
    assert outer.resource.attributes["service.name"] == "shop"
    assert traces.ended_count == 2
    assert traces.open_count() == 0


async def test_the_ids_are_those_of_the_tracer(runtime, tracer, traces, spans):
    remote = SpanContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    with tracer.use(remote), runtime.telemetry.span(STOCK):
        current = tracer.current()

    (span,) = spans.get_finished_spans()
    assert current is not None
    assert f"{span.context.trace_id:032x}" == remote.trace_id
    assert f"{span.context.span_id:016x}" == current.span_id
    assert f"{span.parent.span_id:016x}" == remote.span_id


async def test_a_span_that_fails_has_the_status_and_the_exception(runtime, traces, spans):
    with pytest.raises(ZeroDivisionError), runtime.telemetry.span(ORDER, {"item": "x"}):
        raise ZeroDivisionError("by zero")

    (span,) = spans.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "ZeroDivisionError: by zero"
    (event,) = span.events
    assert event.name == "exception"
    assert event.attributes["exception.type"] == "ZeroDivisionError"
    assert event.attributes["exception.message"] == "by zero"


async def test_attributes_events_and_links_come_along(runtime, tracer, traces, spans):
    other = SpanContext("a" * 32, "b" * 16)
    with runtime.telemetry.span(STOCK):
        tracer.add_attributes({"size": 3, "odd": object})
        tracer.record_event("retried", {"attempt": 2})
        tracer.link(other, {"why": "batch"})

    (span,) = spans.get_finished_spans()
    assert span.attributes["size"] == 3
    assert isinstance(span.attributes["odd"], str)
    assert [(event.name, dict(event.attributes)) for event in span.events] == [
        ("retried", {"attempt": 2})
    ]
    (link,) = span.links
    assert f"{link.context.trace_id:032x}" == "a" * 32
    assert dict(link.attributes) == {"why": "batch"}


async def test_a_trace_that_is_not_sampled_is_left_out(runtime, spans):
    tracer = Tracer(ratio=0.0)
    tracer.install(runtime)
    traces = OtelTraces(SimpleSpanProcessor(spans))
    runtime.telemetry.attach("traces", "app.*", traces)
    with runtime.telemetry.span(STOCK):
        assert traces.open_count() == 0

    assert spans.get_finished_spans() == ()
    tracer.uninstall()


async def test_spans_that_never_end_do_not_pile_up(runtime, traces, spans):
    for _ in range(10):
        runtime.telemetry.span(STOCK).__enter__()

    assert traces.open_count() == 3
    assert traces.lost_count == 7


async def test_an_exporter_that_came_late_leaves_out_what_it_did_not_see_begin(
    runtime, tracer, spans
):
    traces = OtelTraces(SimpleSpanProcessor(spans))
    runtime.telemetry.attach("early", "app.*", lambda *_: None)
    with runtime.telemetry.span(STOCK):
        runtime.telemetry.attach("traces", "app.*", traces)

    assert spans.get_finished_spans() == ()
    assert traces.open_count() == 0


async def test_without_a_tracer_there_is_nothing_to_export(runtime, spans):
    traces = OtelTraces(SimpleSpanProcessor(spans))
    runtime.telemetry.attach("traces", "app.*", traces)
    with runtime.telemetry.span(STOCK):
        pass
    runtime.telemetry.emit(SENT, {"size_bytes": 1, "waiting_len": 1}, {"queue": "q"})

    assert spans.get_finished_spans() == ()


async def test_a_listener_owns_an_exporter_and_flushes_it_at_its_end(runtime, tracer, spans):
    closed: list[None] = []

    class Processor(SimpleSpanProcessor):
        def shutdown(self) -> None:
            closed.append(None)

    processor = Processor(spans)
    listener = await TelemetryListener.start_link(
        OtelTraces(processor), ["app.*"], close=processor.shutdown
    )
    with runtime.telemetry.span(STOCK):
        pass
    await TelemetryListener.stop(listener)
    with runtime.telemetry.span(STOCK):
        pass

    assert len(spans.get_finished_spans()) == 1
    assert len(closed) == 1


# -- metrics ---------------------------------------------------------------------------------------


def read(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    """The data points by name of the metric."""
    data = reader.get_metrics_data()
    assert data is not None
    return {
        metric.name: list(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


async def test_every_kind_of_metric_reaches_its_instrument(runtime):
    reader = InMemoryMetricReader()
    metrics = OtelMetrics(
        MeterProvider([reader]),
        [
            Metric.counter(SENT, tags=("queue",)),
            Metric.sum(SENT, "size_bytes"),
            Metric.sum(SENT, "waiting_len", name="app.drift", monotonic=False),
            Metric.last_value(SENT, "waiting_len"),
            Metric.distribution(SENT, "size_bytes", name="app.size", buckets=(10, 100)),
        ],
    )
    runtime.telemetry.attach_many("metrics", metrics.events(), metrics)
    for size, waiting, queue in ((5, 4, "fast"), (50, -1, "fast"), (500, 2, "slow")):
        runtime.telemetry.emit(SENT, {"size_bytes": size, "waiting_len": waiting}, {"queue": queue})

    found = read(reader)
    assert {point.attributes["queue"]: point.value for point in found["app.mail.sent"]} == {
        "fast": 2,
        "slow": 1,
    }
    assert found["app.mail.sent.size_bytes"][0].value == 555
    assert found["app.drift"][0].value == 5
    assert found["app.mail.sent.waiting_len"][0].value == 2
    (histogram,) = found["app.size"]
    assert (histogram.count, histogram.sum) == (3, 555)
    assert tuple(histogram.explicit_bounds) == (10, 100)
    assert tuple(histogram.bucket_counts) == (1, 1, 1)


async def test_the_cardinality_of_metrics_is_bounded_and_what_is_no_number_counted(runtime):
    reader = InMemoryMetricReader()
    metrics = OtelMetrics(
        MeterProvider([reader]), [Metric.sum(SENT, "size_bytes", tags=("queue",))], max_series=2
    )
    runtime.telemetry.attach_many("metrics", metrics.events(), metrics)
    for number in range(5):
        runtime.telemetry.emit(SENT, {"size_bytes": 1, "waiting_len": 0}, {"queue": f"q{number}"})
    runtime.telemetry.emit(SENT, {"size_bytes": -1, "waiting_len": 0}, {"queue": "q0"})

    (points,) = read(reader).values()
    assert {point.attributes["queue"]: point.value for point in points} == {
        "q0": 1,
        "q1": 1,
        "__other__": 3,
    }
    assert (metrics.overflow, metrics.refused) == (3, 1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: OtelMetrics(MeterProvider(), [], max_series=0),
        lambda: OtelTraces(SimpleSpanProcessor(InMemorySpanExporter()), max_open=0),
    ],
)
def test_bounds_that_are_none_are_refused(make):
    with pytest.raises(ValueError, match="must be 1 or more"):
        make()


# -- logs ------------------------------------------------------------------------------------------------


@pytest.fixture
def records() -> InMemoryLogRecordExporter:
    return InMemoryLogRecordExporter()


@pytest.fixture
def provider(records: InMemoryLogRecordExporter) -> LoggerProvider:
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(records))
    return provider


async def test_events_become_log_records_in_their_trace(runtime, tracer, provider, records):
    runtime.telemetry.attach("logs", "app.*", OtelLogs(provider, tracer))
    with runtime.telemetry.span(STOCK):
        current = tracer.current()
        runtime.telemetry.emit(SENT, {"size_bytes": 5, "waiting_len": 0}, {"queue": "q"})
    runtime.telemetry.emit(FAILED, {}, {"error": ValueError("no route")})

    start, sent, _, failed = [one.log_record for one in records.get_finished_logs()]
    assert current is not None
    assert sent.event_name == "app.mail.sent"
    assert sent.body == "A mail went out."
    assert dict(sent.attributes) == {"queue": "q", "size_bytes": 5, "waiting_len": 0}
    assert sent.severity_text == "INFO"
    for record in (start, sent):
        assert f"{record.trace_id:032x}" == current.trace_id
        assert f"{record.span_id:016x}" == current.span_id
    assert failed.severity_text == "ERROR"
    assert failed.attributes["error"] == "ValueError: no route"
    assert not failed.trace_id


async def test_the_records_of_python_s_logging_come_in_their_trace(
    runtime, tracer, provider, records
):
    logger = logging.getLogger("app.shop")
    logger.setLevel(logging.DEBUG)
    handler = OtelLogHandler(provider, tracer)
    logger.addHandler(handler)
    try:
        with runtime.telemetry.span(STOCK):
            current = tracer.current()
            logger.warning("only %d left", 3)
        try:
            raise ValueError("no route")
        except ValueError:
            logger.exception("not sent")
        logger.debug("a detail")
    finally:
        logger.removeHandler(handler)

    warned, failed, detail = [one.log_record for one in records.get_finished_logs()]
    assert current is not None
    assert (warned.body, warned.severity_text) == ("only 3 left", "WARNING")
    assert warned.attributes["logger.name"] == "app.shop"
    assert f"{warned.trace_id:032x}" == current.trace_id
    assert failed.attributes["exception.message"] == "no route"
    assert detail.severity_number.value < failed.severity_number.value


async def test_a_log_record_that_cannot_be_written_does_not_hurt_who_logs(
    provider, records, capsys
):
    logger = logging.getLogger("app.broken")
    handler = OtelLogHandler(provider)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        logger.error("%d", "not a number")
    finally:
        logger.removeHandler(handler)

    assert records.get_finished_logs() == ()
    assert "Logging error" in capsys.readouterr().err
