"""Observing: traces, samples and metrics made of telemetry.

`Tracer` gives spans their ids and has them travel.
"""

from suptree.services.observing.errors import ObservingError, TracerInstalledError
from suptree.services.observing.span_context import SpanContext
from suptree.services.observing.tracing import Tracer

__all__ = ["ObservingError", "SpanContext", "Tracer", "TracerInstalledError"]
