"""`TelemetryListener`: owns a telemetry handler, so that it is there while it should be.

A server for a tree: it attaches the handler when it starts and detaches it when it ends,
whatever ends it.  A handler that fails is detached by the bus; its listener ends then with
`HandlerFailed`, so that its supervisor attaches it anew, and gives up if it fails on and on.

>>> st.child(TelemetryListener, exporter, ["shop.*"]).with_(name="exporter")   # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from suptree.core import safe_text, send
from suptree.otp import GenServer, Stop
from suptree.telemetry import HANDLER_FAILED, Event, Handler

__all__ = ["HandlerFailed", "TelemetryListener"]


@dataclass(frozen=True, slots=True)
class HandlerFailed:
    """The exit reason of a listener whose handler failed.

    Attributes:
        event: Name of the event that it was called with.
        error: Name of the exception's type.
        text: The exception's text.
    """

    event: str
    error: str
    text: str


class TelemetryListener(GenServer):
    """See the module text.

    Args:
        handler: Called with each event, in the turn of whoever emits; see `TelemetryBus`.
        events: Declarations, names, or patterns such as "shop.*"; default: everything.
        close: Called, or awaited for five seconds at most, when the listener ends: what flushes
            an exporter, say.
    """

    def __init__(
        self,
        handler: Handler,
        events: Iterable[Event | str] = ("*",),
        *,
        close: Callable[[], object] | None = None,
    ) -> None:
        bus = self._process.runtime.telemetry
        if close is not None:
            self.own(close, lambda close: close())
        id = f"suptree.listener {self.pid!r}"
        bus.attach_many(id, events, handler)
        self.own(id, bus.detach)
        bus.attach(f"{id} watch", HANDLER_FAILED, self._watch(id))
        self.own(f"{id} watch", bus.detach)

    def _watch(self, id: str) -> Handler:
        pid = self.pid

        def on_failed(_: Event, numbers: Mapping[str, float], facts: Mapping[str, object]) -> None:
            error = facts["error"]
            if facts["handler_id"] == id and isinstance(error, BaseException):
                send(
                    pid, HandlerFailed(str(facts["event"]), type(error).__name__, safe_text(error))
                )

        return on_failed

    def handle_info(self, message: object) -> Stop | None:
        """The handler was detached: there is nothing left to own."""
        return Stop(message) if isinstance(message, HandlerFailed) else None
