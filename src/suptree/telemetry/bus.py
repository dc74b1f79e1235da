"""The telemetry bus: who wants to hear of which event, and telling them.

A `TelemetryBus` is a value; each runtime owns one and passes its clock.  A
handler is a plain function, called in the emitter's turn with the event, the
measurements and the metadata; it must be quick and must not change what it is
given.  One that raises is detached, reported once (`HANDLER_FAILED`, and a log
record of `suptree.telemetry`), and the emitter goes on.

Emitting costs one attribute test while nobody listens: the emitter keeps the
event's `Slot` and looks at its `handlers` before it builds anything.

The bus refuses a second handler with the same id, and names that are not
written like event names.  It belongs to one thread, as its runtime does.

>>> from suptree.telemetry import Event, TelemetryBus
>>> SENT = Event("app.mail.sent", measurements={"size_bytes": "bytes"}, doc="A mail went out.")
>>> bus = TelemetryBus()
>>> bus.attach("printer", "app.mail.*", lambda event, numbers, facts: print(event.name, numbers))
>>> sent = bus.slot(SENT)
>>> if sent.handlers:
...     sent.emit({"size_bytes": 120}, {})
app.mail.sent {'size_bytes': 120}
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, TypeAlias

from suptree.clock import monotonic
from suptree.errors import BadArgumentError
from suptree.telemetry.declare import HANDLER_FAILED, Event, Span
from suptree.telemetry.span import QUIET, RunningSpan, SpanTracer

__all__ = ["Attachment", "Handler", "Slot", "TelemetryBus"]

Handler: TypeAlias = Callable[[Event, Mapping[str, float], Mapping[str, object]], object]
"""What listens: called with the event, its measurements and its metadata."""

_PATTERN = re.compile(r"\*|[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*(\.\*)?")
# What a handler may throw without hurting the emitter.  KeyboardInterrupt and the
# `ProcessExit` of a handler that ends the emitter on purpose are not for us to eat.
_CAUGHT: Final = (Exception, asyncio.CancelledError, SystemExit, GeneratorExit)

_log = logging.getLogger("suptree.telemetry")


@dataclass(frozen=True, slots=True, eq=False)
class Attachment:
    """One attached handler: its id, the patterns it listens to, and the function."""

    id: str
    patterns: tuple[str, ...]
    handler: Handler

    def wants(self, name: str) -> bool:
        """Say whether an event of that name goes to this handler."""
        return any(_matches(pattern, name) for pattern in self.patterns)


class Slot:
    """One event of one bus, compiled: the emitter keeps it and tests `handlers`.

    Attributes:
        event: The declaration.
        handlers: Who listens now, in order of attaching; empty: skip `emit`.
    """

    __slots__ = ("_bus", "event", "handlers")

    def __init__(self, bus: TelemetryBus, event: Event) -> None:
        self.event = event
        self.handlers: tuple[Attachment, ...] = ()
        self._bus = bus

    def emit(self, measurements: Mapping[str, float], metadata: Mapping[str, object]) -> None:
        """Call every handler that listens to this event, in order of attaching."""
        event = self.event
        if self._bus.strict and (problems := event.problems(measurements, metadata)):
            raise ValueError(
                f"{event.name}: must be emitted as declared; {', '.join(problems)}. "
                "Correct the emitter or the declaration."
            )
        for attachment in self.handlers:
            try:
                attachment.handler(event, measurements, metadata)
            except _CAUGHT as error:
                self._bus._failed(attachment, event, error)  # pyright: ignore[reportPrivateUsage]

    def __repr__(self) -> str:
        return f"<Slot {self.event.name}, {len(self.handlers)} handlers>"


class TelemetryBus:
    """Connects emitters and handlers of one runtime.

    Args:
        clock: Measures spans, in seconds; default: the clock of the runtime that owns the
            bus, and real monotonic time without one.
        strict: Refuse to emit what differs from the declaration.  For tests: in
            production a wrong key must not hurt the emitter.

    Attributes:
        clock: See above.
        tracer: Gives spans their ids; None, the default: they have none.
        time_left: Says how long somebody waits for what runs here, for spans to tell; a
            runtime sets it.
    """

    __slots__ = ("_attached", "_slots", "_spans", "clock", "strict", "time_left", "tracer")

    def __init__(self, *, clock: Callable[[], float] | None = None, strict: bool = False) -> None:
        self.strict = strict
        self.clock = monotonic if clock is None else clock
        self.tracer: SpanTracer | None = None
        self.time_left: Callable[[], float | None] | None = None
        self._attached: dict[str, Attachment] = {}
        self._slots: dict[str, Slot] = {}
        self._spans: dict[str, tuple[Slot, Slot, Slot]] = {}

    # -- listening ---------------------------------------------------------------

    def attach(self, id: str, event: Event | str, handler: Handler) -> None:
        """Call *handler* whenever *event* is emitted, until `detach(id)` or until it raises.

        Args:
            id: Unique in this bus; what `detach` and failure reports name.
            event: A declaration, its name, `"suptree.process.*"` for all names
                below a prefix, or `"*"` for everything.
            handler: A plain function, called with event, measurements and metadata in the
                emitter's turn.

        Raises:
            ValueError: The id is taken, or the pattern is not written like a name.
            BadArgumentError: *handler* cannot be called, or is async.
        """
        self.attach_many(id, (event,), handler)

    def attach_many(self, id: str, events: Iterable[Event | str], handler: Handler) -> None:
        """Attach one handler to several events or patterns under one id; see `attach`."""
        if id in self._attached:
            raise ValueError(
                f"TelemetryBus.attach: id must be unused; got {id!r}. "
                "Detach the old handler first, or choose another id."
            )
        _check_handler(handler)
        patterns = tuple(event.name if isinstance(event, Event) else event for event in events)
        for pattern in patterns:
            if not _PATTERN.fullmatch(pattern):
                raise ValueError(
                    f"TelemetryBus.attach: event must be an event name, a prefix ending in '.*', "
                    f"or '*'; got {pattern!r}. Write it like 'suptree.process.*'."
                )
        self._attached[id] = Attachment(id, patterns, handler)
        self._compile()

    def detach(self, id: str) -> bool:
        """Stop calling the handler attached as *id*; say whether there was one."""
        found = self._attached.pop(id, None) is not None
        if found:
            self._compile()
        return found

    def attachments(self) -> tuple[Attachment, ...]:
        """Return who listens, in order of attaching."""
        return tuple(self._attached.values())

    # -- emitting ------------------------------------------------------------------

    def slot(self, event: Event) -> Slot:
        """Return the compiled slot of *event*, always the same one, for a fast emitter to keep."""
        slot = self._slots.get(event.name)
        if slot is None:
            slot = self._slots[event.name] = Slot(self, event)
            slot.handlers = self._listeners(event.name)
        return slot

    def has(self, event: Event) -> bool:
        """Say whether anybody listens to *event*."""
        return bool(self.slot(event).handlers)

    def emit(
        self, event: Event, measurements: Mapping[str, float], metadata: Mapping[str, object]
    ) -> None:
        """Tell everyone who listens to *event*.  A hot path keeps the `slot` instead."""
        slot = self.slot(event)
        if slot.handlers:
            slot.emit(measurements, metadata)

    def span(
        self, span: Span, metadata: Mapping[str, object] | None = None
    ) -> AbstractContextManager[dict[str, object]]:
        """Measure a block: emits `start`, then `stop`, or `exception` if the block raises.

        With a `tracer` all three carry its ids (`trace_id`, `span_id`, ...).  Made on behalf
        of a call with a deadline they measure `time_left_s`.  A block that nobody listened
        to when it began emits nothing when it ends.

        Returns:
            A context manager for `with`, also in async code.  It gives a dict: what
            the block puts there is added to the metadata of `stop`.
        """
        slots = self._spans.get(span.name)
        if slots is None:
            started, stopped, failed = span.events()
            slots = self.slot(started), self.slot(stopped), self.slot(failed)
            self._spans[span.name] = slots
        if self.tracer is None and not (
            slots[0].handlers or slots[1].handlers or slots[2].handlers
        ):
            return QUIET
        return RunningSpan(self, span, slots, {} if metadata is None else metadata)

    # -- inside --------------------------------------------------------------------

    def _compile(self) -> None:
        for name, slot in self._slots.items():
            slot.handlers = self._listeners(name)

    def _listeners(self, name: str) -> tuple[Attachment, ...]:
        return tuple(one for one in self._attached.values() if one.wants(name))

    def _failed(self, attachment: Attachment, event: Event, error: BaseException) -> None:
        if self._attached.get(attachment.id) is attachment:
            self.detach(attachment.id)
        _report(attachment, event, error)
        # A failing handler of HANDLER_FAILED is logged only: each failure detaches one
        # handler, so this ends, but a chain of reports about reports helps nobody.
        if event is not HANDLER_FAILED:
            facts = {"handler_id": attachment.id, "event": event.name, "error": error}
            self.emit(HANDLER_FAILED, {"count": 1}, facts)


def _matches(pattern: str, name: str) -> bool:
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return name == pattern


def _check_handler(handler: object) -> None:
    who, wanted = "TelemetryBus.attach", "a plain function of event, measurements and metadata"
    called = getattr(handler, "__call__", None)  # noqa: B004 - what an instance is called by
    if called is None:
        raise BadArgumentError(who, "handler", wanted, repr(handler))
    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(called):
        advice = "It runs in the emitter's turn: let it send a message to a process that may wait."
        raise BadArgumentError(who, "handler", wanted, f"{handler!r}, which is async", advice)


def _report(attachment: Attachment, event: Event, error: BaseException) -> None:
    try:
        _log.error(
            "telemetry handler %r failed on %s with %s and was detached. "
            "Repair it and attach it again.",
            attachment.id,
            event.name,
            type(error).__name__,
            exc_info=error,
        )
    except Exception:  # a logging handler or filter of the host raises: not the emitter's trouble
        return
