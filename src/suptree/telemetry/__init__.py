"""Telemetry: typed events that emitters declare and anybody may listen to.

`declare` holds the declarations, `bus` connects.  No globals: a runtime owns
its bus.  Sampling, metrics and exporters are built on handlers, elsewhere; who gives
spans their ids is a `SpanTracer`.
"""

from suptree.telemetry.bus import Attachment, Handler, Slot, TelemetryBus
from suptree.telemetry.declare import HANDLER_FAILED, SPAN_CONTEXT, Event, Span, table
from suptree.telemetry.span import SpanTracer

__all__ = [
    "HANDLER_FAILED",
    "SPAN_CONTEXT",
    "Attachment",
    "Event",
    "Handler",
    "Slot",
    "Span",
    "SpanTracer",
    "TelemetryBus",
    "table",
]
