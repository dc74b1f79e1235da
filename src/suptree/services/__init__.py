"""Floor 3: services, each a supervised process (or a few of them) on the runtime below.

A service is a folder, and imports alone: `from suptree.services import SchedulerManager`
opens the folder of that one only.  Services do not know one another; what several of
them stand on is in `parts`: pure values and machines, and the seam of the store.
Whoever composes services is one floor up.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from suptree.services.observing import (
        SPAN_DESCRIBED,
        SPAN_LINKED,
        SPAN_NOTED,
        Adaptive,
        Always,
        Batch,
        HandlerFailed,
        Metric,
        MetricError,
        MetricKind,
        Metrics,
        MetricSeries,
        MetricsSnapshot,
        MetricSummary,
        Never,
        ObservingError,
        Randomly,
        RateLimited,
        Reservoir,
        SampledEvents,
        SampledEventsStats,
        Sampler,
        SampleStats,
        SamplingStrategy,
        SpanContext,
        TelemetryListener,
        TraceLogFilter,
        Tracer,
        TracerInstalledError,
        batched_event,
        emit_if,
        platform_metrics,
    )
    from suptree.services.parts.distribution import Distribution
    from suptree.services.parts.store import Store
    from suptree.services.store import MemoryStore, StateOwner

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
    "Distribution",
    "MemoryStore",
    "Metric",
    "MetricError",
    "MetricKind",
    "MetricSeries",
    "MetricSummary",
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
    "SamplingStrategy",
    "SpanContext",
    "StateOwner",
    "Store",
    "Tracer",
    "TracerInstalledError",
    "batched_event",
    "emit_if",
    "platform_metrics",
]

_HOME: Final = {
    "Adaptive": "observing",
    "Always": "observing",
    "Batch": "observing",
    "batched_event": "observing",
    "Distribution": "parts.distribution",
    "emit_if": "observing",
    "HandlerFailed": "observing",
    "MemoryStore": "store",
    "Metric": "observing",
    "MetricError": "observing",
    "MetricKind": "observing",
    "Metrics": "observing",
    "MetricSeries": "observing",
    "MetricsSnapshot": "observing",
    "MetricSummary": "observing",
    "Never": "observing",
    "ObservingError": "observing",
    "platform_metrics": "observing",
    "Randomly": "observing",
    "RateLimited": "observing",
    "Reservoir": "observing",
    "SampledEvents": "observing",
    "SampledEventsStats": "observing",
    "Sampler": "observing",
    "SampleStats": "observing",
    "SamplingStrategy": "observing",
    "SPAN_DESCRIBED": "observing",
    "SPAN_LINKED": "observing",
    "SPAN_NOTED": "observing",
    "SpanContext": "observing",
    "StateOwner": "store",
    "Store": "parts.store",
    "TelemetryListener": "observing",
    "TraceLogFilter": "observing",
    "Tracer": "observing",
    "TracerInstalledError": "observing",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
