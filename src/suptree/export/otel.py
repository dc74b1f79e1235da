"""OpenTelemetry: spans, metrics and logs handed to its SDK.

Each is a telemetry handler: give it to a `TelemetryListener` in a tree, or attach it.  The SDK's
processors, readers and providers are yours, with the exporters and resources that you want;
those that send should work in a thread of their own, as `BatchSpanProcessor` does: a handler
runs in the turn of whoever emits.

Trace and span ids are those of suptree's `Tracer`, so that what other programs know of a trace
and what this one knows fit together.

>>> spans = OtelTraces(BatchSpanProcessor(OTLPSpanExporter()))                 # doctest: +SKIP
>>> st.child(TelemetryListener, spans, ["shop.*", "suptree.trace.*"])          # doctest: +SKIP
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

from suptree.clock import wall_clock
from suptree.core import safe_repr, safe_text
from suptree.export.errors import MissingExtraError
from suptree.services import (
    SPAN_DESCRIBED,
    SPAN_LINKED,
    SPAN_NOTED,
    Metric,
    MetricKind,
    SpanContext,
    Tracer,
)
from suptree.telemetry import Event

try:
    from opentelemetry import trace as ot
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Event as SpanEvent
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
except ImportError as error:
    raise MissingExtraError("suptree.export.otel", "opentelemetry-sdk", "otel") from error

__all__ = ["OtelLogHandler", "OtelLogs", "OtelMetrics", "OtelTraces"]

SCOPE: Final = "suptree"
TEXT_LIMIT: Final = 2000
OTHER: Final = "__other__"
CONTEXT_KEYS: Final = frozenset({"trace_id", "span_id", "parent_span_id", "trace_sampled"})

Value: TypeAlias = str | bool | int | float | Sequence[str]


class OtelTraces:
    """A handler that makes OpenTelemetry spans of suptree's.

    Attach it to the spans that are to be exported, and to `suptree.trace.*` for what is added
    to them by hand.  Spans of traces that are not sampled are left out.

    Args:
        processor: Gets each span when it ends.
        resource: What emits them; default: what the SDK finds out.
        max_open: How many spans may be under way; of more the oldest is given up.

    Attributes:
        lost_count: Spans given up.
        ended_count: Spans handed on.
    """

    def __init__(
        self,
        processor: SpanProcessor,
        *,
        resource: Resource | None = None,
        max_open: int = 10_000,
    ) -> None:
        if max_open < 1:
            raise ValueError(f"OtelTraces: max_open must be 1 or more; got {max_open!r}.")
        self._processor = processor
        self._resource = Resource.create() if resource is None else resource
        self._scope = InstrumentationScope(SCOPE)
        self._max_open = max_open
        self._open: dict[str, _OpenSpan] = {}
        self.lost_count = 0
        self.ended_count = 0

    def __call__(
        self, event: Event, measurements: Mapping[str, float], metadata: Mapping[str, object]
    ) -> None:
        """Hear one event; one that is not of a span with ids is none of its business."""
        span_id = metadata.get("span_id")
        if not isinstance(span_id, str):
            return
        name, _, last = event.name.rpartition(".")
        if last == "start" and "trace_sampled" in metadata:
            if metadata["trace_sampled"]:
                self._begin(name, span_id, measurements, metadata)
        elif (span := self._open.get(span_id)) is not None:
            if last in ("stop", "exception") and name == span.name:
                del self._open[span_id]
                self._end(span, measurements, metadata)
            else:
                span.note(event, metadata)

    def open_count(self) -> int:
        """How many spans are under way."""
        return len(self._open)

    def _begin(
        self,
        name: str,
        span_id: str,
        measurements: Mapping[str, float],
        metadata: Mapping[str, object],
    ) -> None:
        if len(self._open) >= self._max_open:
            del self._open[next(iter(self._open))]
            self.lost_count += 1
        trace_id = str(metadata["trace_id"])
        parent = metadata.get("parent_span_id")
        self._open[span_id] = _OpenSpan(
            name,
            _context(trace_id, span_id),
            _context(trace_id, parent) if isinstance(parent, str) else None,
            {**_attributes(metadata), **_attributes(measurements)},
        )

    def _end(
        self,
        span: _OpenSpan,
        measurements: Mapping[str, float],
        metadata: Mapping[str, object],
    ) -> None:
        end = span.start + int(measurements.get("duration_ns", 0))
        error = metadata.get("error")
        status = ot.Status(ot.StatusCode.UNSET)
        if isinstance(error, BaseException):
            text = safe_text(error, TEXT_LIMIT)
            status = ot.Status(ot.StatusCode.ERROR, f"{type(error).__name__}: {text}")
            facts: dict[str, Any] = {
                "exception.type": type(error).__qualname__,
                "exception.message": text,
            }
            span.events.append(SpanEvent("exception", facts, end))
        attributes = {**span.attributes, **_attributes(metadata, without=("error",))}
        self.ended_count += 1
        self._processor.on_end(
            ReadableSpan(
                name=span.name,
                context=span.context,
                parent=span.parent,
                resource=self._resource,
                attributes=attributes,
                events=span.events,
                links=span.links,
                status=status,
                start_time=span.start,
                end_time=end,
                instrumentation_scope=self._scope,
            )
        )


class _OpenSpan:
    """A span that is under way."""

    __slots__ = ("attributes", "context", "events", "links", "name", "parent", "start")

    def __init__(
        self,
        name: str,
        context: ot.SpanContext,
        parent: ot.SpanContext | None,
        attributes: dict[str, Value],
    ) -> None:
        self.name = name
        self.context = context
        self.parent = parent
        self.attributes = attributes
        self.events: list[SpanEvent] = []
        self.links: list[ot.Link] = []
        self.start = _now_ns()

    def note(self, event: Event, metadata: Mapping[str, object]) -> None:
        """What `Tracer.add_attributes`, `record_event` and `link` tell."""
        given = metadata.get("attributes")
        attributes: dict[str, Value] = {}
        if isinstance(given, Mapping):
            attributes = _attributes(cast("Mapping[str, object]", given))
        if event == SPAN_DESCRIBED:
            self.attributes.update(attributes)
        elif event == SPAN_NOTED:
            self.events.append(SpanEvent(str(metadata["name"]), attributes, _now_ns()))
        elif event == SPAN_LINKED:
            other = _context(str(metadata["linked_trace_id"]), str(metadata["linked_span_id"]))
            self.links.append(ot.Link(other, attributes))


class OtelMetrics:
    """A handler that feeds OpenTelemetry's instruments: counters, gauges, histograms.

    It adds up nothing itself, so it needs no `Metrics` beside it.

    Args:
        provider: Of the SDK, with its readers.
        metrics: What is kept.
        max_series: Combinations of tags for each metric; what comes with more has `__other__`
            for all of its tags, and is counted in `overflow`.
    """

    def __init__(
        self, provider: MeterProvider, metrics: Iterable[Metric], *, max_series: int = 1000
    ) -> None:
        if max_series < 1:
            raise ValueError(f"OtelMetrics: max_series must be 1 or more; got {max_series!r}.")
        meter = provider.get_meter(SCOPE)
        self._max_series = max_series
        self._by_event: dict[str, list[_Instrument]] = {}
        for metric in metrics:
            self._by_event.setdefault(metric.event, []).append(_Instrument(meter, metric))
        self.overflow = 0
        self.refused = 0

    def events(self) -> list[str]:
        """The names of the events to attach it to."""
        return list(self._by_event)

    def __call__(
        self, event: Event, measurements: Mapping[str, float], metadata: Mapping[str, object]
    ) -> None:
        """Hear one event."""
        for one in self._by_event.get(event.name, ()):
            value = one.metric.value_of(measurements)
            if value is None:
                self.refused += 1
                continue
            tags = one.metric.tags_of(metadata)
            if tags not in one.seen:
                if len(one.seen) >= self._max_series:
                    self.overflow += 1
                    tags = (OTHER,) * len(tags)
                else:
                    one.seen.add(tags)
            one.take(value, dict(zip(one.metric.tags, tags, strict=True)))


class _Instrument:
    """One metric, and the function of its instrument that takes a number."""

    __slots__ = ("metric", "seen", "take")

    def __init__(self, meter: Any, metric: Metric) -> None:
        self.metric = metric
        self.seen: set[tuple[str, ...]] = set()
        name, doc = metric.name, metric.doc
        match metric.kind:
            case MetricKind.COUNTER:
                self.take = meter.create_counter(name, description=doc).add
            case MetricKind.SUM if metric.monotonic:
                self.take = meter.create_counter(name, description=doc).add
            case MetricKind.SUM:
                self.take = meter.create_up_down_counter(name, description=doc).add
            case MetricKind.LAST_VALUE:
                self.take = meter.create_gauge(name, description=doc).set
            case MetricKind.DISTRIBUTION:
                self.take = meter.create_histogram(
                    name,
                    description=doc,
                    explicit_bucket_boundaries_advisory=list(metric.buckets) or None,
                ).record


class OtelLogs:
    """A handler that makes a log record of each event, in its trace if it has one.

    Args:
        provider: Of the SDK, with its processors.
        tracer: Says in which trace an event without ids of its own was emitted.
    """

    def __init__(self, provider: LoggerProvider, tracer: Tracer | None = None) -> None:
        self._logger = provider.get_logger(SCOPE)
        self._tracer = tracer

    def __call__(
        self, event: Event, measurements: Mapping[str, float], metadata: Mapping[str, object]
    ) -> None:
        """Hear one event."""
        failed = isinstance(metadata.get("error"), BaseException)
        context = _context_in(metadata)
        if context is None and self._tracer is not None:
            context = self._tracer.current()
        self._logger.emit(
            _record(
                context,
                SeverityNumber.ERROR if failed else SeverityNumber.INFO,
                "ERROR" if failed else "INFO",
                event.doc.strip() or event.name,
                {**_attributes(metadata), **_attributes(measurements)},
                event.name,
            )
        )


class OtelLogHandler(logging.Handler):
    """A handler of Python's logging whose records go to OpenTelemetry, in their trace.

    >>> logging.getLogger().addHandler(OtelLogHandler(provider, tracer))   # doctest: +SKIP
    """

    def __init__(
        self, provider: LoggerProvider, tracer: Tracer | None = None, level: int = logging.NOTSET
    ) -> None:
        super().__init__(level)
        self._otel_logger = provider.get_logger(SCOPE)
        self._tracer = tracer

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one record on; what goes wrong is told as logging does it."""
        try:
            attributes: dict[str, Value] = {"logger.name": record.name}
            if record.exc_info is not None and record.exc_info[1] is not None:
                error = record.exc_info[1]
                attributes["exception.type"] = type(error).__qualname__
                attributes["exception.message"] = safe_text(error, TEXT_LIMIT)
            self._otel_logger.emit(
                _record(
                    None if self._tracer is None else self._tracer.current(),
                    _severity(record.levelno),
                    record.levelname,
                    record.getMessage(),
                    attributes,
                    None,
                )
            )
        except Exception:  # logging's rule: a handler never hurts whoever logs
            self.handleError(record)


def _record(
    context: SpanContext | None,
    severity: SeverityNumber,
    severity_text: str,
    body: str,
    attributes: dict[str, Value],
    event_name: str | None,
) -> LogRecord:
    now = _now_ns()
    return LogRecord(
        timestamp=now,
        observed_timestamp=now,
        context=_otel_context(context),
        severity_number=severity,
        severity_text=severity_text,
        body=body,
        attributes=attributes,
        event_name=event_name,
    )


def _otel_context(context: SpanContext | None) -> Context:
    """OpenTelemetry's own idea of what is current; never that of the thread."""
    if context is None:
        return Context()
    span = ot.NonRecordingSpan(_context(context.trace_id, context.span_id, context.sampled))
    return ot.set_span_in_context(span, Context())


def _severity(level: int) -> SeverityNumber:
    for least, severity in (
        (logging.CRITICAL, SeverityNumber.FATAL),
        (logging.ERROR, SeverityNumber.ERROR),
        (logging.WARNING, SeverityNumber.WARN),
        (logging.INFO, SeverityNumber.INFO),
    ):
        if level >= least:
            return severity
    return SeverityNumber.DEBUG


def _context(trace_id: str, span_id: str, sampled: bool = True) -> ot.SpanContext:
    flags = ot.TraceFlags(ot.TraceFlags.SAMPLED if sampled else ot.TraceFlags.DEFAULT)
    return ot.SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=flags)


def _context_in(metadata: Mapping[str, object]) -> SpanContext | None:
    trace_id, span_id = metadata.get("trace_id"), metadata.get("span_id")
    if not isinstance(trace_id, str) or not isinstance(span_id, str):
        return None
    return SpanContext(trace_id, span_id, bool(metadata.get("trace_sampled", True)))


def _attributes(facts: Mapping[str, object], without: Sequence[str] = ()) -> dict[str, Value]:
    """What OpenTelemetry takes as attributes; anything else as a short text."""
    return {
        key: _value(value)
        for key, value in facts.items()
        if key not in CONTEXT_KEYS and key not in without and value is not None
    }


def _value(value: object) -> Value:
    if isinstance(value, (str, bool, int, float)):
        return value[:TEXT_LIMIT] if isinstance(value, str) else value
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {safe_text(value, TEXT_LIMIT)}"
    return safe_repr(value, TEXT_LIMIT)


def _now_ns() -> int:
    return round(wall_clock() * 1e9)
