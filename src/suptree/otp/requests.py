"""Requests: the client half of every server.  Call, cast, and the typed clients `st.call`, `st.cast`.

A call to an idle server with a plain handler runs in the caller's turn (a *direct
call*); every other one queues.  The order of messages is the same either way: the
mailbox is empty, one message at a time holds, and a server is never re-entered.

No monitor is made for a call.  The callee knows whom it owes an answer (its mailbox,
its current message, its pending replies), and its death answers them all; so every
call ends.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from threading import get_ident
from types import CoroutineType, MethodType
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeVar, overload

from suptree.core import (
    CALL,
    CAST,
    CURRENT,
    DEAD,
    EXITING,
    IDLE,
    RUNNING,
    WAITING,
    BoundedState,
    Pid,
    Process,
    ReplyTo,
    SlotExpiredError,
    describe_wait,
    find_runtime,
    safe_repr,
)
from suptree.errors import (
    BadRequestError,
    CallTimeoutError,
    NoProcessError,
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
    resolve,
)
from suptree.otp.pending import Request
from suptree.otp.transitions import Keep, Next, Repeat, StopAndReply

__all__ = [
    "DEFAULT_TIMEOUT",
    "Call",
    "CallClient",
    "Cast",
    "CastClient",
    "call",
    "cast",
    "send_request",
]

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")

DEFAULT_TIMEOUT: Final = 5.0
"""Seconds that a call waits unless told otherwise (S30)."""

DIRECTIVES: Final = frozenset(
    (Reply, NoReply, Stop, CoroutineType, Continue, Timeout, Hibernate, Ignore)
)
"""What a handler may return that is not simply the reply."""
Directive = Reply[R] | NoReply | Stop | Next | Keep | Repeat | StopAndReply
Handler = Callable[..., Any]
_OWN: Final = float("nan")  # no timeout given: the default of the server's class


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
    process = resolve(server, "call")
    if process is None:
        raise NoProcessError(server, "call")
    return await queued_call(process, None, (request,), {}, timeout)


def cast(server: ServerRef[Any], request: object) -> None:
    """Send *request* to the server's `handle_cast`; never fails for want of a process (S34).

    Raises:
        MailboxFullError: Its bounded mailbox is full, with policy 'reject'.
    """
    process = resolve(server, "cast")
    if process is not None:
        process.deliver((CAST, None, None, (request,), {}))


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
        slot.fail(NoProcessError(server, "send_request"))
        return Request(server, name, slot)
    process.runtime.runqueue.queued_call()
    reply_to = ReplyTo(process.runtime.runqueue, process, CURRENT.get())
    process.deliver((CALL, reply_to, handler, args, kwargs))
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
        raise _timed_out(process, reply_to, handler, args, timeout) from None


def post_call(
    process: Process,
    caller: Process | None,
    handler: Handler | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    timeout: float | None,
) -> ReplyTo:
    """Put the envelope of a call in the mailbox; returns the slot of the answer."""
    if caller is process and is_own_code(process):
        raise SelfCallError(process.pid, request_name(handler, args))
    runqueue = process.runtime.runqueue
    runqueue.queued_call()
    reply_to = ReplyTo(runqueue, process, caller)
    process.deliver((CALL, reply_to, handler, args, kwargs))
    if timeout is not None:
        runqueue.expire_later(reply_to, timeout)
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
    if not await process.reserve_place(timeout):
        raise ServerExitError(process.pid, process.exit_reason)
    bounded.users -= 1  # and taken at once by the envelope
    if timeout is None:
        return None
    return max(0.0, timeout - (process.runtime.now() - started))


def _timed_out(
    process: Process,
    reply_to: ReplyTo,
    handler: Handler | None,
    args: tuple[Any, ...],
    timeout: float | None,
) -> CallTimeoutError:
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


# -- typed clients ------------------------------------------------------------------


class CallClient(Generic[P, R]):
    """`Counter.increment`: call it with a server and the handler's own arguments.

    ``await Counter.increment(counter, by=2)`` sends at its first await.
    ``Counter.increment.within(0.2)(counter)`` has another deadline.
    """

    __slots__ = ("_direct", "_function", "_known", "_owner", "timeout")

    def __init__(
        self,
        owner: type,
        function: Handler,
        timeout: float | None,
        like: CallClient[P, R] | None = None,
    ) -> None:
        self._owner = owner
        self._function = function
        self.timeout = timeout
        # class of a server instance -> its handler; _direct has the plain ones alone
        self._known: dict[type, Handler] = {} if like is None else like._known
        self._direct: dict[type, Handler] = {} if like is None else like._direct

    def within(self, timeout: float | None) -> CallClient[P, R]:
        """The same client with another deadline in seconds; None waits for ever."""
        return CallClient(self._owner, self._function, timeout, self)

    async def __call__(self, server: ServerRef[Any], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Send the request and wait for the reply; raises what `GenServer.call` raises."""
        process = server._process if isinstance(server, Pid) else resolve(server, "call")
        if process is None or process.state is EXITING or process.runtime.thread_id != get_ident():
            process = _require(server)
        cls: type = process.server.__class__
        state = process.state
        if state is IDLE and cls in self._direct:
            runqueue = process.runtime.runqueue
            if runqueue.direct_budget > 0:
                runqueue.direct_budget -= 1
                caller = CURRENT.get()
                handler = self._direct[cls]
                process.direct_caller = caller
                result = process.run_direct(handler, args, kwargs)
                if process.state is RUNNING and result.__class__ not in DIRECTIVES:
                    if process.mailbox or process.current is not None:
                        process.leave_direct()
                    else:
                        process.state = process.resting
                    if caller is None or caller.state < EXITING:
                        return result  # type: ignore[no-any-return]
                return await _finish_direct(process, caller, handler, args, result, self.timeout)  # type: ignore[no-any-return]
        known = self._known.get(cls)
        if known is None:
            known = self._learn(process)
        if process.bounded is not None:
            return await queued_call(process, known, args, kwargs, self.timeout)  # type: ignore[no-any-return]
        reply_to = post_call(process, CURRENT.get(), known, args, kwargs, self.timeout)
        try:
            return await reply_to  # type: ignore[no-any-return]
        except SlotExpiredError:
            raise _timed_out(process, reply_to, known, args, self.timeout) from None

    def send_request(
        self, server: ServerRef[Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> Request[R]:
        """Send the request now, and wait for the reply later; see `send_request`."""
        process = resolve(server, "send_request")
        if process is None:
            return requested(server, None, self._function, args, kwargs)
        handler = self._known.get(process.server.__class__) or self._learn(process)
        return requested(server, process, handler, args, kwargs)

    def _learn(self, process: Process) -> Handler:
        """Find the handler that this server's class has for the request, overrides included."""
        handler = _handler_for(process, self._owner, self._function)
        cls = process.server.__class__
        self._known[cls] = handler
        if not inspect.iscoroutinefunction(handler):
            self._direct[cls] = handler
        return handler

    @property
    def request(self) -> str:
        """The name of the request."""
        return self._function.__name__

    def __repr__(self) -> str:
        return f"<call {self._owner.__name__}.{self._function.__name__}>"


class CastClient(Generic[P]):
    """`Counter.reset`: call it with a server and the handler's own arguments; returns at once."""

    __slots__ = ("_function", "_known", "_owner")

    def __init__(self, owner: type, function: Handler) -> None:
        self._owner = owner
        self._function = function
        self._known: dict[type, Handler] = {}

    def __call__(self, server: ServerRef[Any], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Send the request; nobody there is no error (S34)."""
        process = server._process if isinstance(server, Pid) else resolve(server, "cast")
        if process is None:
            return
        if process.runtime.thread_id != get_ident():
            process.runtime.check_thread("cast")
        cls = process.server.__class__
        handler = self._known.get(cls)
        if handler is None:
            handler = self._known[cls] = _handler_for(process, self._owner, self._function)
        process.deliver((CAST, None, handler, args, kwargs))

    def __repr__(self) -> str:
        return f"<cast {self._owner.__name__}.{self._function.__name__}>"


def _require(server: ServerRef[Any]) -> Process:
    process = resolve(server, "call")
    if process is None:
        raise NoProcessError(server, "call")
    return process


def _handler_for(process: Process, owner: type, function: Handler) -> Handler:
    server: Any = process.server
    if not isinstance(server, owner):
        what = "a plain process" if server is None else f"a {type(server).__name__}"
        raise BadRequestError(
            process.pid,
            f"{owner.__name__}.{function.__name__}",
            f"it is {what}, not a {owner.__name__}. Send the request to the right server.",
        )
    handler: Handler = getattr(server, function.__name__).__func__
    return handler


async def _finish_direct(
    process: Process,
    caller: Process | None,
    handler: Handler,
    args: tuple[Any, ...],
    result: Any,
    timeout: float | None,
) -> Any:
    """What a direct call does beside returning a bare value."""
    runtime = process.runtime
    state = process.state
    if (state is RUNNING or state is EXITING) and result.__class__ in DIRECTIVES:
        reply_to = process.current[1] if process.current is not None else None
        if reply_to is None:
            reply_to = ReplyTo(runtime.runqueue, process, caller)
            process.current = (CALL, reply_to, handler, args, {})
        process.rest_of_direct(process.body.answered, result)  # type: ignore[attr-defined]
    else:
        reply_to = ReplyTo(runtime.runqueue, process, caller)
        if state is DEAD:
            reply_to.fail(ServerExitError(process.pid, process.exit_reason))
        elif state is EXITING:  # killed on the stack: its reply counts, then it ends (law 2)
            reply_to.set(result)
            process.leave_direct()
        elif state is WAITING:  # it crashed, and its terminate is async
            _owe(process, reply_to)
        # else it has answered and gone on: only the caller died
    if caller is not None and caller.state >= EXITING:
        await runtime.park()  # unwound at this await (law 2)
    if timeout is not None and not reply_to.done():
        runtime.ticker.expire_after(reply_to, timeout)
    try:
        return await reply_to
    except SlotExpiredError:
        raise _timed_out(process, reply_to, handler, args, timeout) from None


def _owe(process: Process, reply_to: ReplyTo) -> None:
    if process.pending is None:
        process.pending = set()
    process.pending.add(reply_to)


# -- decorators ------------------------------------------------------------------------


class Call(Generic[S, P, R]):
    """The descriptor that ``@st.call`` leaves in the class: a client on the class, a method on self."""

    def __init__(self, function: Callable[..., Any], timeout: float | None = _OWN) -> None:
        self.function = function
        self.timeout = timeout
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__wrapped__ = function
        self._clients: dict[type, CallClient[Any, Any]] = {}

    @overload
    def __get__(self, instance: None, owner: type) -> CallClient[P, R]: ...
    @overload
    def __get__(self, instance: S, owner: type) -> Callable[P, Any]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is not None:
            return MethodType(self.function, instance)
        client = self._clients.get(owner)
        if client is None:
            timeout = self.timeout
            if timeout is _OWN:
                timeout = getattr(owner, "call_timeout", DEFAULT_TIMEOUT)
            client = self._clients[owner] = CallClient(owner, self.function, timeout)
        return client


class Cast(Generic[S, P]):
    """The descriptor that ``@st.cast`` leaves in the class."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__wrapped__ = function
        self._clients: dict[type, CastClient[Any]] = {}

    @overload
    def __get__(self, instance: None, owner: type) -> CastClient[P]: ...
    @overload
    def __get__(self, instance: S, owner: type) -> Callable[P, Any]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is not None:
            return MethodType(self.function, instance)
        client = self._clients.get(owner)
        if client is None:
            client = self._clients[owner] = CastClient(owner, self.function)
        return client


class _CallDecorator:
    """``@st.call`` or ``@st.call(timeout=30.0)``: makes a handler that clients wait for."""

    __slots__ = ("_timeout",)

    def __init__(self, timeout: float | None = _OWN) -> None:
        self._timeout = timeout

    # A handler that returns nothing but Reply[R] needs overloads of its own for mypy.
    @overload
    def __call__(
        self, function: Callable[Concatenate[S, P], Coroutine[Any, Any, Reply[R]]], /
    ) -> Call[S, P, R]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[S, P], Coroutine[Any, Any, R | Directive[R]]], /
    ) -> Call[S, P, R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[S, P], Reply[R]], /) -> Call[S, P, R]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[S, P], R | Directive[R]], /
    ) -> Call[S, P, R]: ...
    @overload
    def __call__(self, /, *, timeout: float | None) -> _CallDecorator: ...
    def __call__(
        self, function: Callable[..., Any] | None = None, /, *, timeout: float | None = _OWN
    ) -> Any:
        if function is None:
            return _CallDecorator(timeout)
        marked: Call[Any, ..., Any] = Call(function, self._timeout)
        return marked


def _cast_decorator(function: Callable[Concatenate[S, P], object]) -> Cast[S, P]:
    """``@st.cast``: makes a handler that clients do not wait for."""
    return Cast(function)


call_handler: Final = _CallDecorator()
cast_handler: Final = _cast_decorator
