"""`SpanContext`: where in which trace a span stands, as W3C Trace Context writes it.

A value without a clock or a process: it travels beside messages, in HTTP headers, in the
metadata of telemetry.

>>> context = SpanContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
>>> context.traceparent()
'00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
>>> SpanContext.from_traceparent(context.traceparent()) == context
True
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from suptree.services.parts.checks import bad_argument

__all__ = ["SpanContext", "child_context", "is_in_ratio"]

_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")
# A version above 00 may say more after the flags; ff is none.
_TRACEPARENT = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-"
    r"(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_SAMPLED: Final = 1
_HALF: Final = 1 << 64
_set = object.__setattr__


@dataclass(frozen=True, slots=True)
class SpanContext:
    """One span of one trace.

    Args:
        trace_id: 128 bits as 32 lower-case hexadecimal digits, not all 0.
        span_id: 64 bits as 16 of them, not all 0.
        sampled: Whether the trace is one of those to be exported.

    Raises:
        ValueError: An id is not written in that way.
    """

    trace_id: str
    span_id: str
    sampled: bool = True

    def __post_init__(self) -> None:
        for field, value, pattern, digits in (
            ("trace_id", self.trace_id, _TRACE_ID, 32),
            ("span_id", self.span_id, _SPAN_ID, 16),
        ):
            if not pattern.fullmatch(value):
                raise bad_argument(
                    "SpanContext",
                    field,
                    f"{digits} lower-case hexadecimal digits, not all 0",
                    value,
                    "Take it from a tracer or a traceparent header.",
                )

    def traceparent(self) -> str:
        """As the value of a `traceparent` header."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"

    @classmethod
    def from_traceparent(cls, header: str) -> SpanContext | None:
        """What a `traceparent` header says; None if it is no such header (W3C: start anew then)."""
        found = _TRACEPARENT.fullmatch(header.strip())
        if found is None or (found["version"] == "00" and found["more"]):
            return None
        if not _TRACE_ID.fullmatch(found["trace"]) or not _SPAN_ID.fullmatch(found["span"]):
            return None
        return cls(found["trace"], found["span"], bool(int(found["flags"], 16) & _SAMPLED))


def child_context(trace_id: str, span_id: str, sampled: bool) -> SpanContext:
    """A context whose ids were just made, so that there is nothing to check: a third of the price."""
    made = object.__new__(SpanContext)
    _set(made, "trace_id", trace_id)
    _set(made, "span_id", span_id)
    _set(made, "sampled", sampled)
    return made


def is_in_ratio(trace_id: str, ratio: float) -> bool:
    """Whether a trace is among the part *ratio* (0 to 1) of all.

    It is decided by the id alone, as OpenTelemetry does it, so that everybody who is asked
    about one trace says the same.
    """
    return int(trace_id[16:], 16) < round(ratio * _HALF)
