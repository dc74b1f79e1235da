"""Requests: the client half of every server.  Call, cast, and a request to wait for later.

The typed clients, `st.call` and `st.cast`, stand on it (`clients.py`).

No monitor is made for a call.  The callee knows whom it owes an answer (its mailbox,
its current message, its pending replies), and its death answers them all; so every
call ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from inspect import getattr_static
from types import CoroutineType
from typing import Any, Final, ParamSpec, TypeVar

from suptree.core import (
    CALL,
    CAST,
    CURRENT,
    BoundedState,
    Pid,
    Process,
    ReplyTo,
    SlotExpiredError,
    Unanswered,
    carry,
    check_delay,
    describe_wait,
    find_runtime,
    limited,
    reserve_place,
    safe_repr,
)
from suptree.errors import (
    CallTimeoutError,
    SelfCallError,
    ServerExitError,
)
from suptree.otp.directives import (
    Continue,
    Hibernate,
    Ignore,
    NoReply,
    Reply,
    ServerRef,
    Stop,
    Timeout,
    nobody,
    resolve,
)
from suptree.otp.pending import Request

__all__ = [
    "DEFAULT_TIMEOUT",
    "DIRECTIVES",
    "Handler",
    "call",
    "cast",
    "check_timeout",
    "handler_named",
    "is_own_code",
    "lost_cast",
    "post_call",
    "queued_call",
    "request_name",
    "requested",
    "send_request",
    "timed_out",
]

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")

Handler = Callable[..., Any]

DEFAULT_TIMEOUT: Final = 5.0
"""Seconds that a call waits unless told otherwise (S30)."""

DIRECTIVES: Final = frozenset(
    (Reply, NoReply, Stop, CoroutineType, Continue, Timeout, Hibernate, Ignore, Unanswered)
)
"""What a handler may return that is not simply the reply."""


# -- untyped requests -------------------------------------------------------------


async def call(
    server: ServerRef[Any], request: object, timeout: float | None = DEFAULT_TIMEOUT
) -> Any:
    """Send *request* to the server's `handle_call` and wait for the reply.

    Args:
        server: A pid, a name, or `via(registry, key)`.
        timeout: Seconds; None waits for ever.

    Raises:
        NoProcessError: Nobody lives there.
        ServerExitError: The server ended before it answered, whatever the reason (S30).
        CallTimeoutError: No reply in time; the server is unaffected, a late reply is dropped (S31).
        SelfCallError: The server called itself.
    """
    check_timeout("call", timeout)
    process = resolve(server, "call")
    if process is None:
        raise nobody(server, "call")
    return await queued_call(process, None, (request,), {}, limited(timeout))


def handler_named(cls: type, name: str) -> Handler | None:
    """The handler that a server's class has under *name*; an attribute of the instance is none."""
    found: Any = getattr_static(cls, name, None)
    found = getattr(found, "function", found)  # what `@call` and `@cast` leave in the class
    return found if callable(found) else None


def check_timeout(who: str, timeout: float | None) -> None:
    """Refuse what is no time to wait: a wrong one would only be found when nobody can be told."""
    if timeout is not None:
        check_delay(who, "timeout", timeout)


def cast(server: ServerRef[Any], request: object) -> None:
    """Send *request* to the server's `handle_cast`; never fails for want of a process (S34).

    Raises:
        MailboxFullError: Its bounded mailbox is full, with policy 'reject'.
    """
    process = resolve(server, "cast")
    if process is None:
        lost_cast(server)
    else:
        process.deliver(carry(process.runtime, (CAST, None, None, (request,), {})))


def lost_cast(server: ServerRef[Any]) -> None:
    """Count a cast that nobody got."""
    runtime = server.runtime if isinstance(server, Pid) else find_runtime("cast")
    runtime.check_thread("cast")
    runtime.losses.to_dead += 1


def send_request(server: ServerRef[Any], request: object) -> Request[Any]:
    """Send *request* to the server's `handle_call` now, and wait for the reply later.

    Returns:
        The reply to come: await it, or put it in a `RequestSet`.  If nobody lives
        there, that is its error.

    Raises:
        MailboxFullError: Its bounded mailbox is full, with policy 'reject'.
    """
    process = resolve(server, "send_request")
    return requested(server, process, None, (request,), {})


def requested(
    server: ServerRef[Any],
    process: Process | None,
    handler: Handler | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Request[Any]:
    """The envelope is in the mailbox, or the error in the place of the reply."""
    name = request_name(handler, args)
    if process is None:
        runtime = server.runtime if isinstance(server, Pid) else find_runtime("send_request")
        slot = runtime.park()
        slot.fail(nobody(server, "send_request"))
        return Request(server, name, slot)
    reply_to = ReplyTo(process.runtime.runqueue, process, CURRENT.get())
    process.deliver(carry(process.runtime, (CALL, reply_to, handler, args, kwargs)))
    return Request(process.pid, name, reply_to)


async def queued_call(
    process: Process,
    handler: Handler | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    timeout: float | None,
) -> Any:
    """The long way: an envelope in the mailbox, a slot for the answer, a deadline.

    A call to a full mailbox of policy 'reject' waits for a place, within its deadline.
    """
    caller = CURRENT.get()
    bounded = process.bounded
    if bounded is not None and bounded.bound.overflow == "reject":
        timeout = await _wait_for_place(process, bounded, caller, handler, args, timeout)
    reply_to = post_call(process, caller, handler, args, kwargs, timeout)
    try:
        return await reply_to
    except SlotExpiredError:
        raise timed_out(process, reply_to, handler, args, timeout) from None


def post_call(
    process: Process,
    caller: Process | None,
    handler: Handler | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    timeout: float | None,
) -> ReplyTo:
    """Put the envelope of a call in the mailbox; returns the slot of the answer."""
    if caller is process and is_own_code(process):
        raise SelfCallError(process.pid, request_name(handler, args))
    runtime = process.runtime
    runqueue = runtime.runqueue
    reply_to = ReplyTo(runqueue, process, caller)
    envelope = (CALL, reply_to, handler, args, kwargs)
    if runtime.propagator is None:
        process.deliver(envelope)
    else:
        process.deliver(carry(runtime, envelope, timeout))
    if timeout is not None:
        reply_to.limit = timeout
        runqueue.unanswered.append(reply_to)
        if not runqueue.scheduled:
            runqueue.schedule()
    return reply_to


async def _wait_for_place(
    process: Process,
    bounded: BoundedState,
    caller: Process | None,
    handler: Handler | None,
    args: tuple[Any, ...],
    timeout: float | None,
) -> float | None:
    """Wait for a place in a full mailbox; returns what is left of the deadline."""
    if caller is process and is_own_code(process):
        raise SelfCallError(process.pid, request_name(handler, args))
    started = process.runtime.now()
    if not await reserve_place(process, timeout):
        raise ServerExitError(process.pid, process.exit_reason)
    bounded.users -= 1  # and taken at once by the envelope
    if timeout is None:
        return None
    return max(0.0, timeout - (process.runtime.now() - started))


def timed_out(
    process: Process,
    reply_to: ReplyTo,
    handler: Handler | None,
    args: tuple[Any, ...],
    timeout: float | None,
) -> CallTimeoutError:
    """The error of a call whose deadline passed; nothing is owed to it any more."""
    if process.pending is not None:
        process.pending.discard(reply_to)
    return CallTimeoutError(
        process.pid,
        request_name(handler, args),
        timeout or 0.0,
        describe_wait(process, reply_to.caller),
    )


def is_own_code(process: Process) -> bool:
    """Whether this is the code of the process itself, not an owned task beside it."""
    task = asyncio.current_task(process.runtime.loop)
    return task is None or task is process.task


def request_name(handler: Handler | None, args: tuple[Any, ...]) -> str:
    """A request as people know it."""
    return safe_repr(args[0], 200) if handler is None else handler.__name__
