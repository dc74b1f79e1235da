"""`Response`: the reply to a request, as a message (OTP: `send_request` and `check_response`).

For a server that must not wait.  It posts a request under a tag of its own choice and
goes on; the reply, or the error in its place, comes to its `handle_info`.  There is always
one: the end of whoever was asked is an answer too.

>>> class Broker(st.GenServer):
...     @st.cast
...     def pass_on(self, order: Order) -> None:
...         st.post_request("seller", order, tag=order.id)
...     def handle_info(self, message: object) -> None:
...         match message:
...             case st.Response(tag=order_id, error=None):
...                 self.sold[order_id] = message.outcome()
"""

from __future__ import annotations

from typing import Any

from suptree.core import (
    CALL,
    CURRENT,
    EXITING,
    INFO,
    NO_KWARGS,
    Process,
    ReplyTo,
    Slot,
    carry,
    require_process,
)
from suptree.errors import SelfCallError
from suptree.otp.directives import ServerRef, nobody, resolve
from suptree.otp.requests import request_name

__all__ = ["Response", "post_request"]


class Response(ReplyTo):
    """What came of a request that was posted.  `outcome()` returns the reply, or raises its error.

    Attributes:
        tag: What it was posted under.
    """

    __slots__ = ("tag",)

    caller: Process

    def __init__(self, callee: Process, caller: Process, tag: Any) -> None:
        ReplyTo.__init__(self, callee.runtime.runqueue, callee, caller)
        self.tag = tag

    @property
    def error(self) -> BaseException | None:
        """The error in the place of the reply; None if there is a reply."""
        value = self.value
        return value if isinstance(value, BaseException) and self.is_failed() else None

    def set(self, value: object) -> bool:
        """The reply is there."""
        return Slot.set(self, value) and self._come()

    def fail(self, error: BaseException) -> bool:
        """There will be no reply, and this is why."""
        return super().fail(error) and self._come()

    def _come(self) -> bool:
        caller = self.caller
        if caller.bounded is None:
            caller.deliver((INFO, self))
        else:
            caller.deliver_always((INFO, self))
        return True

    def __repr__(self) -> str:
        return f"<Response {self.tag!r} of {self.callee.pid}, {self.state.name.lower()}>"


def post_request(
    server: ServerRef[Any], request: object, *, tag: object = None, awaited: bool = True
) -> Response:
    """Send *request* to the server's `handle_call`; the reply comes to this process as a `Response`.

    Args:
        server: A pid, a name, or `via(registry, key)`.
        request: Any value.
        tag: Comes back with the response.
        awaited: Whether the caller of what is handled here waits for this too.  If not, its
            deadline does not go along: the request may be handled when that is over.

    Returns:
        The response itself, not yet filled: to compare with, or to `cancel`.  If nobody lives
        there, it is on its way with NoProcessError.

    Raises:
        MailboxFullError: The mailbox of the server is full, with policy 'reject'.
        NotInProcessError: This code is no process, and has no mailbox.
        SelfCallError: A process does not ask itself.
    """
    caller = CURRENT.get()
    if caller is None or caller.state >= EXITING:
        caller = require_process("post_request")
    if isinstance(server, str) and not caller.runtime.closed:
        process = caller.runtime.find(server, "post_request")
    else:
        process = resolve(server, "post_request")
    if process is None:
        response = Response(caller, caller, tag)
        response.fail(nobody(server, "post_request"))
        return response
    if process is caller:
        raise SelfCallError(process.pid, request_name(None, (request,)))
    response = Response(process, caller, tag)
    envelope = (CALL, response, None, (request,), NO_KWARGS)
    runtime = process.runtime
    if runtime.propagator is not None:
        envelope = carry(runtime, envelope, awaited=awaited)
    process.deliver(envelope)
    return response
