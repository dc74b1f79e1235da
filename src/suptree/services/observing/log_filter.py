"""`TraceLogFilter`: every log record says in which trace it was written."""

from __future__ import annotations

import logging

from suptree.services.observing.tracing import Tracer

__all__ = ["TraceLogFilter"]


class TraceLogFilter(logging.Filter):
    """Gives each record the attributes `trace_id` and `span_id`; "" outside a span.

    >>> handler.addFilter(TraceLogFilter(tracer))                        # doctest: +SKIP
    >>> handler.setFormatter(logging.Formatter("%(trace_id)s %(message)s"))   # doctest: +SKIP
    """

    def __init__(self, tracer: Tracer) -> None:
        super().__init__()
        self._tracer = tracer

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through."""
        context = self._tracer.current()
        record.trace_id = "" if context is None else context.trace_id
        record.span_id = "" if context is None else context.span_id
        return True
