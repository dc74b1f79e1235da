"""Observing: traces, samples and metrics made of telemetry.

`Tracer` gives spans their ids and has them travel.  `Sampler` passes a part of what it hears
on to a handler that is too dear for everything.  `SampledEvents` emits once per interval, or
many at a time.  `Metrics` counts, adds up and keeps percentiles.  `TelemetryListener` owns
any other handler.
"""

from suptree.services.observing.batching import Batch, batched_event
from suptree.services.observing.errors import MetricError, ObservingError, TracerInstalledError
from suptree.services.observing.events import SPAN_DESCRIBED, SPAN_LINKED, SPAN_NOTED
from suptree.services.observing.listener import HandlerFailed, TelemetryListener
from suptree.services.observing.log_filter import TraceLogFilter
from suptree.services.observing.metric import Metric, MetricKind, platform_metrics
from suptree.services.observing.metrics import Metrics
from suptree.services.observing.metrics_table import MetricSeries, MetricsSnapshot, MetricSummary
from suptree.services.observing.sampled_events import SampledEvents, SampledEventsStats, emit_if
from suptree.services.observing.sampler import Sampler, SampleStats
from suptree.services.observing.span_context import SpanContext
from suptree.services.observing.strategies import (
    Adaptive,
    Always,
    Never,
    Randomly,
    RateLimited,
    Reservoir,
    SamplingStrategy,
)
from suptree.services.observing.tracing import Tracer

__all__ = [
    "HandlerFailed",
    "SPAN_DESCRIBED",
    "SPAN_LINKED",
    "SPAN_NOTED",
    "TelemetryListener",
    "TraceLogFilter",
    "Adaptive",
    "Always",
    "Batch",
    "Metric",
    "MetricError",
    "MetricKind",
    "Metrics",
    "MetricsSnapshot",
    "Never",
    "ObservingError",
    "Randomly",
    "RateLimited",
    "Reservoir",
    "SampleStats",
    "SampledEvents",
    "SampledEventsStats",
    "Sampler",
    "MetricSeries",
    "SpanContext",
    "SamplingStrategy",
    "MetricSummary",
    "Tracer",
    "TracerInstalledError",
    "batched_event",
    "emit_if",
    "platform_metrics",
]
