"""`Status`: what `sys.get_status` and crash reports show of a server, and what it may hide of it.

A server that holds secrets overrides `format_status` and changes what it is given;
whatever that raises, the secret is not shown.

>>> class Vault(GenServer):
...     def format_status(self, status: Status) -> Status:
...         status.state["password"] = "(hidden)"
...         status.message = "(hidden)"
...         return status
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from suptree.core import (
    CALL,
    CAST,
    CONTINUE,
    IDLE_TIMEOUT,
    TIMEOUT,
    TIMER,
    Envelope,
    Pid,
    safe_repr,
)

__all__ = ["Request", "Status", "message_of_envelope"]


@dataclass(frozen=True, slots=True)
class Request:
    """A typed call or cast as a value: the handler's name and its arguments."""

    name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict[str, Any])

    def __repr__(self) -> str:
        inside = [safe_repr(arg) for arg in self.args]
        inside += [f"{key}={safe_repr(value)}" for key, value in self.kwargs.items()]
        return f"{self.name}({', '.join(inside)})"


@dataclass(slots=True)
class Status:
    """A server as others may see it; `format_status` may change any field.

    Attributes:
        state: The attributes of the server, a shallow copy.
        message: The message being handled: a `Request`, or what was sent; None between messages.
        reason: Why it ends, in a crash report; None while it lives.
        log: The last events, if `sys.log` is on.
        pid: Who.
        label: What it runs.
        parent: Who started it with a link, or None.
        suspended: Whether it waits for `sys.resume`.
        waiting_count: Messages in its mailbox.
    """

    state: Any
    message: object = None
    reason: object = None
    log: list[Any] = field(default_factory=list[Any])
    pid: Pid[Any] | None = None
    label: str = ""
    parent: Pid[Any] | None = None
    suspended: bool = False
    waiting_count: int = 0


def message_of_envelope(envelope: Envelope | None) -> object:
    """What a message is to those who look at a server."""
    if envelope is None:
        return None
    kind = envelope[0]
    if kind in (CALL, CAST):
        _, _, handler, args, kwargs = envelope
        return args[0] if handler is None else Request(handler.__name__, args, kwargs)
    if kind == TIMER:
        return envelope[1].message
    if kind == IDLE_TIMEOUT:
        return TIMEOUT
    if kind == CONTINUE:
        return Request("continue", (envelope[1],))
    return envelope[1]
