"""Telemetry declared by the services that observe."""

from __future__ import annotations

from typing import Final

from suptree.telemetry import Event

__all__ = ["SPAN_DESCRIBED", "SPAN_LINKED", "SPAN_NOTED"]

_WHERE: Final = ("trace_id", "the trace of the current span"), ("span_id", "the current span")

SPAN_DESCRIBED: Final = Event(
    "suptree.trace.span.described",
    measurements={"count": "always 1"},
    metadata={**dict(_WHERE), "attributes": "more facts about the span, by name"},
    doc="`Tracer.add_attributes`: the current span got more attributes.",
)
SPAN_NOTED: Final = Event(
    "suptree.trace.span.noted",
    measurements={"count": "always 1"},
    metadata={
        **dict(_WHERE),
        "name": "what happened",
        "attributes": "facts about it, by name",
    },
    doc="`Tracer.record_event`: something happened within the current span.",
)
SPAN_LINKED: Final = Event(
    "suptree.trace.span.linked",
    measurements={"count": "always 1"},
    metadata={
        **dict(_WHERE),
        "linked_trace_id": "the trace of the other span",
        "linked_span_id": "the other span",
        "attributes": "facts about the link, by name",
    },
    doc="`Tracer.link`: the current span has to do with another one that is not its parent.",
)
