"""Telemetry: typed events that emitters declare and anybody may listen to.

`declare` holds the declarations, `bus` connects.  No globals: a runtime owns
its bus.  Sampling and exporters are built on handlers, elsewhere.
"""

from suptree.telemetry.bus import Attachment, Handler, Slot, TelemetryBus
from suptree.telemetry.declare import HANDLER_FAILED, Event, Span, table

__all__ = [
    "HANDLER_FAILED",
    "Attachment",
    "Event",
    "Handler",
    "Slot",
    "Span",
    "TelemetryBus",
    "table",
]
