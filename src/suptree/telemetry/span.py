"""A span that runs: its three events, its ids if somebody traces, and the time that is left.

`TelemetryBus.span` makes them.  Whoever gives ids is a `SpanTracer`; the bus has none of its
own, and a span costs next to nothing while nobody traces and nobody listens.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

from suptree.telemetry.declare import Span

if TYPE_CHECKING:
    from types import TracebackType

    from suptree.telemetry.bus import Slot, TelemetryBus

__all__ = ["QUIET", "QuietSpan", "RunningSpan", "SpanTracer"]

_log = logging.getLogger("suptree.telemetry")


class SpanTracer(Protocol):
    """Gives each span its ids; `bus.tracer = ...` has it asked.

    Both are called in the emitter's turn and must be quick.  One that raises is taken off
    the bus, which is logged; the span goes on without ids.
    """

    def begin(self, span: Span) -> tuple[object, Mapping[str, object]]:
        """A span begins here, below the one that is current.

        Returns:
            What `end` gets, and what is added to the metadata of all events of this span.
        """
        ...

    def end(self, token: object) -> None:
        """It is over, and what was current before is so again."""
        ...


class QuietSpan:
    """A span that nobody listens to: the block runs, what it found is thrown away."""

    __slots__ = ()

    def __enter__(self) -> dict[str, object]:
        return {}

    def __exit__(self, *_: object) -> None:
        return None


QUIET: Final = QuietSpan()


class RunningSpan:
    """The context manager behind `TelemetryBus.span`."""

    __slots__ = ("_bus", "_extra", "_metadata", "_slots", "_span", "_t0", "_token", "_tracer")

    def __init__(
        self,
        bus: TelemetryBus,
        span: Span,
        slots: tuple[Slot, Slot, Slot],
        metadata: Mapping[str, object],
    ) -> None:
        self._bus, self._span, self._slots, self._metadata = bus, span, slots, metadata
        self._extra: dict[str, object] = {}
        self._tracer: SpanTracer | None = None
        self._token: object = None
        self._t0 = 0.0

    def __enter__(self) -> dict[str, object]:
        bus = self._bus
        if bus.tracer is not None:
            self._begin_traced(bus.tracer)
        started = self._slots[0]
        if started.handlers:
            started.emit(_time_left({}, bus.time_left), self._metadata)
        self._t0 = bus.clock()
        return self._extra

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        bus = self._bus
        took = bus.clock() - self._t0
        _, stopped, failed = self._slots
        slot = stopped if error is None else failed
        if slot.handlers:
            numbers = _time_left({"duration_ns": round(took * 1e9)}, bus.time_left)
            more = self._extra if error is None else {"error": error}
            slot.emit(numbers, {**self._metadata, **more})
        if self._tracer is not None:
            self._end_traced(self._tracer)

    def _begin_traced(self, tracer: SpanTracer) -> None:
        try:
            self._token, ids = tracer.begin(self._span)
        except Exception as error:
            _take_off(self._bus, tracer, error)
        else:
            self._tracer = tracer
            self._metadata = {**self._metadata, **ids}

    def _end_traced(self, tracer: SpanTracer) -> None:
        try:
            tracer.end(self._token)
        except Exception as error:
            _take_off(self._bus, tracer, error)


def _time_left(
    measurements: dict[str, float], time_left: Callable[[], float | None] | None
) -> dict[str, float]:
    left = None if time_left is None else time_left()
    if left is not None:
        measurements["time_left_s"] = left
    return measurements


def _take_off(bus: TelemetryBus, tracer: SpanTracer, error: Exception) -> None:
    if bus.tracer is tracer:
        bus.tracer = None
    _log.error("the tracer %r raised: it is taken off the bus", tracer, exc_info=error)
