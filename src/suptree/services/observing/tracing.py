"""`Tracer`: gives every span of a runtime its ids, and lets them travel with what is sent.

Installed in a runtime it does two things.  Each `rt.telemetry.span(...)` gets a `trace_id`, a
`span_id` and the `parent_span_id` of the span around it; and the current span travels, as
everything else that a propagator carries (law 15), with calls, casts, messages, timers and
tasks, so that a span in another process stands below the one that caused it.

The current span belongs to the process that is in it.  A process that is started inside
a span, a server of a tree say, outlives it and begins with none; whoever wants it there hands
`tracer.current()` over, and `tracer.use(...)` makes it current.

It is a value that you make, one for each runtime, and no process.  It refuses a runtime that
has a propagator already: give the variables of that one to the tracer.

>>> import asyncio, suptree
>>> from suptree.services import Tracer
>>> from suptree.telemetry import Span
>>> ORDER = Span("shop.order", doc="One order.")
>>> async def main():
...     async with suptree.Runtime() as rt:
...         tracer = Tracer(seed=1)
...         tracer.install(rt)
...         with rt.telemetry.span(ORDER):
...             return tracer.current().traceparent()
>>> asyncio.run(main())
'00-cd613e30d8f16adf91b7584a2265b1f5-1027c4d1c386bbc4-01'
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from suptree.core import CURRENT, ContextPropagator, Runtime
from suptree.services.observing.errors import TracerInstalledError
from suptree.services.observing.events import SPAN_DESCRIBED, SPAN_LINKED, SPAN_NOTED
from suptree.services.observing.span_context import SpanContext, child_context, is_in_ratio
from suptree.services.parts.checks import check_number
from suptree.telemetry import Event, Span

__all__ = ["Tracer"]

NO_ATTRIBUTES: Final[Mapping[str, object]] = {}


class _Frame:
    """One span, or what came with one message, on the stack of a process.

    Attributes:
        context: The span; None: what is inside begins a trace of its own.
        before: What was current before, and is so again when this is over.
        owner: The process that it is current in.
        over: Whether it has ended; one that ends while others still stand above it stays
            in their line, and is passed over when they end.
    """

    __slots__ = ("before", "context", "over", "owner")

    def __init__(self, context: SpanContext | None, before: _Frame | None, owner: object) -> None:
        self.context = context
        self.before = before
        self.owner = owner
        self.over = False

    def end(self) -> _Frame | None:
        """It is over; what is current now.  A line of the ended is cut, so that none grows."""
        self.over = True
        before = self.before
        while before is not None and before.over:
            before = before.before
        self.before = before
        return before


class Tracer(ContextPropagator):
    """See the module text.

    Args:
        variables: Context variables that travel too, as with `ContextPropagator`.
        ratio: The part of all traces that is sampled, 0 to 1; default: all of them.  A span
            that is not sampled has ids like any other, and its events are emitted: metrics
            count it, exporters of traces leave it out (`trace_sampled`).
        follow_parent: A span whose parent is known is sampled if that one is (default); False:
            by its trace id alone.
        deadlines: Whether the deadline of a call goes along; see `Propagator`.
        seed: Makes the same ids each time, for tests.

    Raises:
        ValueError: *ratio* is not from 0 to 1.
    """

    def __init__(
        self,
        *variables: ContextVar[Any],
        ratio: float = 1.0,
        follow_parent: bool = True,
        deadlines: bool = True,
        seed: int | None = None,
    ) -> None:
        super().__init__(*variables, deadlines=deadlines)
        advice = "1 samples every trace, 0 none, 0.1 one in ten."
        check_number("Tracer", "ratio", ratio, least=0, most=1, advice=advice)
        self.ratio = ratio
        self.follow_parent = follow_parent
        self._random = random.Random(seed).getrandbits
        self._runtime: Runtime | None = None
        self._frame: ContextVar[_Frame | None] = ContextVar("suptree_span", default=None)

    # -- of a runtime ------------------------------------------------------------------------

    def install(self, runtime: Runtime) -> None:
        """Give the spans of *runtime* their ids, and have them travel, from now on.

        Raises:
            TracerInstalledError: The runtime has a tracer or a propagator already, or this
                tracer is installed in another one.
        """
        if self._runtime is not None:
            raise TracerInstalledError(runtime.name, "this tracer", self._runtime.name)
        for what, there in (
            ("another tracer", runtime.telemetry.tracer),
            ("a propagator", runtime.propagator),
        ):
            if there is not None:
                raise TracerInstalledError(runtime.name, what, runtime.name)
        self._runtime = runtime
        runtime.propagator = self
        runtime.telemetry.tracer = self

    def uninstall(self) -> None:
        """Take it off again; no error if it is not installed.  Running spans end as they began."""
        runtime, self._runtime = self._runtime, None
        if runtime is None:
            return
        if runtime.propagator is self:
            runtime.propagator = None
        if runtime.telemetry.tracer is self:
            runtime.telemetry.tracer = None

    # -- the current span ----------------------------------------------------------------------

    def current(self) -> SpanContext | None:
        """The span in which this code runs, in whatever process it was begun; None outside."""
        frame = self._here()
        return None if frame is None else frame.context

    @contextmanager
    def use(self, context: SpanContext | None) -> Iterator[None]:
        """Make *context* the current span of a block: one that came from elsewhere.

        Args:
            context: Of another process, a header, a file; None: spans in the block begin
                traces of their own.

        >>> with tracer.use(SpanContext.from_traceparent(request.headers["traceparent"])):
        ...     await Shop.order(shop, "a lamp")
        """
        frame = self._push(context, self._here())
        try:
            yield
        finally:
            self._pop(frame)

    def add_attributes(self, attributes: Mapping[str, object]) -> None:
        """Add facts to the current span; nothing outside one."""
        self._tell(SPAN_DESCRIBED, {"attributes": attributes})

    def record_event(self, name: str, attributes: Mapping[str, object] = NO_ATTRIBUTES) -> None:
        """Note that *name* happened in the current span; nothing outside one."""
        self._tell(SPAN_NOTED, {"name": name, "attributes": attributes})

    def link(self, other: SpanContext, attributes: Mapping[str, object] = NO_ATTRIBUTES) -> None:
        """Say that the current span has to do with *other*: the items of a batch, say."""
        facts: dict[str, object] = {
            "linked_trace_id": other.trace_id,
            "linked_span_id": other.span_id,
            "attributes": attributes,
        }
        self._tell(SPAN_LINKED, facts)

    def _tell(self, event: Event, facts: Mapping[str, object]) -> None:
        runtime, context = self._runtime, self.current()
        if runtime is None or context is None:
            return
        slot = runtime.telemetry.slot(event)
        if slot.handlers:
            where = {"trace_id": context.trace_id, "span_id": context.span_id}
            slot.emit({"count": 1}, {**where, **facts})

    # -- asked by the bus: `SpanTracer` -----------------------------------------------------------

    def begin(self, span: Span) -> tuple[object, Mapping[str, object]]:
        """A span begins, below the current one."""
        frame = self._here()
        parent = None if frame is None else frame.context
        context = self._child_of(parent)
        ids = {
            "trace_id": context.trace_id,
            "span_id": context.span_id,
            "parent_span_id": None if parent is None else parent.span_id,
            "trace_sampled": context.sampled,
        }
        return self._push(context, frame), ids

    def end(self, token: Any) -> None:
        """It is over."""
        self._pop(token)

    def _child_of(self, parent: SpanContext | None) -> SpanContext:
        trace_id = f"{self._random(128) or 1:032x}" if parent is None else parent.trace_id
        if parent is not None and self.follow_parent:
            sampled = parent.sampled
        else:
            sampled = is_in_ratio(trace_id, self.ratio)
        return child_context(trace_id, f"{self._random(64) or 1:016x}", sampled)

    # -- asked for each message: `Propagator` --------------------------------------------------------

    def inject(self) -> object:
        """The current span and the variables that are set; None if there is neither."""
        frame = self._here()
        context = None if frame is None else frame.context
        values = super().inject() if self.variables else None
        return None if context is None and values is None else (context, values)

    def attach(self, carrier: Any, deadline: float | None) -> Any:
        """Make the sender's span current, and set the variables."""
        context, values = (None, None) if carrier is None else carrier
        frame = None if context is None else self._push(context, self._here())
        if values is None and deadline is None:
            return frame, ()
        return frame, super().attach(values, deadline)

    def detach(self, token: Any) -> None:
        """The message is done."""
        frame, tokens = token
        if tokens:
            super().detach(tokens)
        if frame is not None:
            self._pop(frame)

    # -- the stack of a process -----------------------------------------------------------------------

    def _here(self) -> _Frame | None:
        """What is current, unless this process only copied the context of who started it."""
        frame = self._frame.get()
        return frame if frame is not None and frame.owner is _owner() else None

    def _push(self, context: SpanContext | None, before: _Frame | None) -> _Frame:
        frame = _Frame(context, before, _owner())
        self._frame.set(frame)
        return frame

    def _pop(self, frame: _Frame) -> None:
        before = frame.end()
        if self._frame.get() is frame:
            self._frame.set(before)


def _owner() -> object:
    process = CURRENT.get()
    return None if process is None else process.pid
