"""Typed clients: what ``@st.call`` and ``@st.cast`` make of a method.

On the instance it stays the method; on the class it is the client: ``await
Counter.increment(counter, by=2)``.  A call to an idle server with a plain handler runs in
the caller's turn (a *direct call*); every other one queues.  The order of messages is the
same either way: the mailbox is empty, one message at a time holds, and a server is never
re-entered.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from threading import get_ident
from types import MethodType
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeVar, overload

from suptree.core import (
    CALL,
    CAST,
    CURRENT,
    EXITING,
    IDLE,
    RUNNING,
    Pid,
    Process,
    ReplyTo,
    SlotExpiredError,
    Unanswered,
    attach_direct,
    carry,
    limited,
    safe_repr,
    stands_deep,
)
from suptree.errors import BadRequestError
from suptree.otp.directives import NoReply, Reply, ServerRef, Stop, nobody, resolve
from suptree.otp.pending import Request
from suptree.otp.requests import (
    DEFAULT_TIMEOUT,
    DIRECTIVES,
    Handler,
    check_timeout,
    handler_named,
    lost_cast,
    post_call,
    queued_call,
    requested,
    timed_out,
)
from suptree.otp.transitions import Keep, Next, Repeat, StopAndReply

__all__ = ["Call", "CallClient", "Cast", "CastClient", "call_handler", "cast_handler"]

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")  # the class of the server: `Counter` in `Counter.increment`

Directive = Reply[R] | NoReply | Stop | Next | Keep | Repeat | StopAndReply
_OWN: Final = float("nan")  # no timeout given: the default of the server's class


class CallClient(Generic[T, P, R]):
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
        like: CallClient[T, P, R] | None = None,
    ) -> None:
        check_timeout(function.__name__, timeout)
        self._owner = owner
        self._function = function
        self.timeout = timeout
        # class of a server instance -> its handler; _direct has the plain ones alone
        self._known: dict[type, Handler] = {} if like is None else like._known
        self._direct: dict[type, Handler] = {} if like is None else like._direct

    def within(self, timeout: float | None) -> CallClient[T, P, R]:
        """The same client with another deadline in seconds; None waits for ever."""
        return CallClient(self._owner, self._function, timeout, self)

    async def __call__(self, server: ServerRef[T], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Send the request and wait for the reply; raises what `GenServer.call` raises."""
        process = server._process if isinstance(server, Pid) else resolve(server, "call")
        if process is None or process.state is EXITING or process.runtime.thread_id != get_ident():
            process = _require(server)
        cls: type = process.server.__class__
        state = process.state
        runtime = process.runtime
        if state is IDLE and cls in self._direct:
            runqueue = runtime.runqueue
            if runqueue.direct_budget > 0 and (runtime.propagator is None or not stands_deep()):
                runqueue.direct_budget -= 1
                caller = CURRENT.get()
                handler = self._direct[cls]
                process.direct_caller = caller
                try:
                    if runtime.propagator is not None:
                        attach_direct(process, self.timeout)
                    result = process.run_direct(handler, args, kwargs)
                    if (
                        process.state is RUNNING
                        and result.__class__ not in DIRECTIVES
                        and process.current is None
                        and process.carried is None
                    ):
                        if process.mailbox:
                            process.leave_direct()
                        else:
                            process.state = process.resting
                        if caller is None or caller.state < EXITING:
                            return result  # type: ignore[no-any-return]
                    return await _finish_direct(  # type: ignore[no-any-return]
                        process, caller, handler, args, result, self.timeout
                    )
                except RecursionError as error:
                    if process.state in (RUNNING, EXITING):  # no room for what has to follow
                        process.crash_where_there_is_room(error)
                    raise
        known = self._known.get(cls)
        if known is None:
            known = self._learn(process)
        timeout = self.timeout
        if runtime.propagator is not None:
            timeout = limited(timeout)
        if process.bounded is not None:
            return await queued_call(process, known, args, kwargs, timeout)  # type: ignore[no-any-return]
        reply_to = post_call(process, CURRENT.get(), known, args, kwargs, timeout)
        try:
            return await reply_to  # type: ignore[no-any-return]
        except SlotExpiredError:
            raise timed_out(process, reply_to, known, args, timeout) from None

    def send_request(
        self, server: ServerRef[T], /, *args: P.args, **kwargs: P.kwargs
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


class CastClient(Generic[T, P]):
    """`Counter.reset`: call it with a server and the handler's own arguments; returns at once."""

    __slots__ = ("_function", "_known", "_owner")

    def __init__(self, owner: type, function: Handler) -> None:
        self._owner = owner
        self._function = function
        self._known: dict[type, Handler] = {}

    def __call__(self, server: ServerRef[T], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Send the request; nobody there is no error (S34)."""
        process = server._process if isinstance(server, Pid) else resolve(server, "cast")
        if process is None:
            lost_cast(server)
            return
        runtime = process.runtime
        if runtime.thread_id != get_ident():
            runtime.check_thread("cast")
        cls = process.server.__class__
        handler = self._known.get(cls)
        if handler is None:
            handler = self._known[cls] = _handler_for(process, self._owner, self._function)
        envelope = (CAST, None, handler, args, kwargs)
        process.deliver(envelope if runtime.propagator is None else carry(runtime, envelope))

    def __repr__(self) -> str:
        return f"<cast {self._owner.__name__}.{self._function.__name__}>"


def _require(server: ServerRef[Any]) -> Process:
    process = resolve(server, "call")
    if process is None:
        raise nobody(server, "call")
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
    return handler_named(server.__class__, function.__name__) or function


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
    if result.__class__ is Unanswered:
        reply_to: ReplyTo = result[0]
    else:
        if process.current is not None:
            reply_to = process.current[1]
        else:
            reply_to = ReplyTo(runtime.runqueue, process, caller)
        if state is not RUNNING and state is not EXITING:
            reply_to.set(result)  # it has answered and gone on: only the caller died
        elif result.__class__ in DIRECTIVES:
            process.current = (CALL, reply_to, handler, args, {})
            process.rest_of_direct(process.body.answered, result)  # type: ignore[attr-defined]
        else:  # it asked for `sender`, or was killed on the stack: its reply counts (law 2)
            reply_to.set(result)
            process.leave_direct()
    if caller is not None and caller.state >= EXITING:
        await asyncio.sleep(0)  # one that this call ended is unwound here (law 2)
    if runtime.propagator is not None:
        timeout = limited(timeout)
    if timeout is not None and not reply_to.done():
        runtime.ticker.expire_after(reply_to, timeout)
    try:
        return await reply_to
    except SlotExpiredError:
        raise timed_out(process, reply_to, handler, args, timeout) from None


# -- decorators ------------------------------------------------------------------------


class Call(Generic[S, P, R]):
    """The descriptor that ``@st.call`` leaves in the class: a client on the class, a method on self."""

    def __init__(self, function: Callable[..., Any], timeout: float | None = _OWN) -> None:
        _check_handler("call", function)
        self.function = function
        self.timeout = timeout
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__wrapped__ = function
        self._clients: dict[type, CallClient[Any, Any, Any]] = {}

    @overload
    def __get__(self, instance: None, owner: type[T]) -> CallClient[T, P, R]: ...
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
        _check_handler("cast", function)
        self.function = function
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__wrapped__ = function
        self._clients: dict[type, CastClient[Any, Any]] = {}

    @overload
    def __get__(self, instance: None, owner: type[T]) -> CastClient[T, P]: ...
    @overload
    def __get__(self, instance: S, owner: type) -> Callable[P, Any]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is not None:
            return MethodType(self.function, instance)
        client = self._clients.get(owner)
        if client is None:
            client = self._clients[owner] = CastClient(owner, self.function)
        return client


def _check_handler(marker: str, function: object) -> None:
    if not inspect.isfunction(function):
        raise TypeError(
            f"@{marker} must mark a method; got {safe_repr(function, 200)}. "
            "A handler has one mark: @call for an answer, @cast for none."
        )


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
