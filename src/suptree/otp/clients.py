"""Typed clients: what ``@st.call`` and ``@st.cast`` make of a method.

On the instance it stays the method; on the class it is the client: ``await
Counter.increment(counter, by=2)``.  Both are one function, which looks at its first
argument: a function is what Python calls fastest, and it is found on a class and bound
to an instance without any code of ours.

A call to an idle server runs its handler in the caller's turn (a *direct call*), an
async one until it suspends; every other call queues.  The order of messages is the same either way: the
mailbox is empty, one message at a time holds, and a server is never re-entered.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from functools import update_wrapper
from threading import get_ident
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Protocol, TypeVar, overload

from suptree.core import (
    CALL,
    CAST,
    CURRENT,
    EXITING,
    IDLE,
    NO_KWARGS,
    NO_MAIL,
    READY,
    RUNNING,
    Pid,
    Process,
    ReplyTo,
    SlotExpiredError,
    Unanswered,
    attach_direct,
    carry,
    detach,
    limited,
    safe_repr,
    stands_deep,
)
from suptree.errors import BadRequestError
from suptree.otp.behaviour import Behaviour
from suptree.otp.declared import Raises, checked_raises
from suptree.otp.directives import NoReply, Reply, ServerRef, Stop, nobody, resolve
from suptree.otp.fronts import asked_for, front_of, with_article
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
R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)
T = TypeVar("T")  # the class of the server: `Counter` in `Counter.increment`
T_contra = TypeVar("T_contra", contravariant=True)

Directive = Reply[R] | NoReply | Stop | Next | Keep | Repeat | StopAndReply
LOOK_DOWN: Final = 31
"""A caller looks how deep it stands at each 32nd direct call of a turn, the first one included."""
_OWN: Final = float("nan")  # no timeout given: the default of the server's class


if TYPE_CHECKING:  # at run time both are functions

    class CallClient(Protocol[T_contra, P, R_co]):
        """`Counter.increment`: call it with a server and the handler's own arguments.

        ``await Counter.increment(counter, by=2)`` sends at its first await.
        """

        __name__: str
        request: str
        """The name of the request."""
        raises: tuple[type[Exception], ...]
        """The errors that it declares as answers, beside the `call_raises` of the class."""

        def __call__(
            self, server: ServerRef[T_contra], /, *args: P.args, **kwargs: P.kwargs
        ) -> Coroutine[Any, Any, R_co]:
            """Send the request and wait for the reply.

            Raises what `GenServer.call` raises, and the errors that the request declares.
            """
            ...

        def within(self, timeout: float | None) -> CallClient[T_contra, P, R_co]:
            """The same client with another deadline in seconds; None waits for ever."""
            ...

        def send_request(
            self, server: ServerRef[T_contra], /, *args: P.args, **kwargs: P.kwargs
        ) -> Request[R_co]:
            """Send the request now, and wait for the reply later; see `send_request`."""
            ...

    class CastClient(Protocol[T_contra, P]):
        """`Counter.reset`: call it with a server and the handler's own arguments; returns at once."""

        __name__: str

        def __call__(
            self, server: ServerRef[T_contra], /, *args: P.args, **kwargs: P.kwargs
        ) -> None:
            """Send the request; nobody there is no error (S34)."""
            ...

    class Call(Protocol[S_contra, P, R_co]):
        """What ``@st.call`` leaves in the class: a client on the class, a method on self."""

        @overload
        def __get__(self, instance: None, owner: type[T]) -> CallClient[T, P, R_co]: ...
        @overload
        def __get__(self, instance: S_contra, owner: type) -> Callable[P, Any]: ...

    class Cast(Protocol[S_contra, P]):
        """What ``@st.cast`` leaves in the class."""

        @overload
        def __get__(self, instance: None, owner: type[T]) -> CastClient[T, P]: ...
        @overload
        def __get__(self, instance: S_contra, owner: type) -> Callable[P, Any]: ...


def _make_call(
    function: Handler,
    timeout: float | None,
    raises: tuple[type[Exception], ...],
    known: dict[type, Handler],
) -> Any:
    """The client of one request, and the method that the handler is.

    Args:
        function: The handler, as it was written.
        timeout: Seconds, or _OWN.
        raises: The errors that are answers; see `declared.py`.
        known: Class of a server -> its handler, which may be an override; filled here.
    """
    own_timeout = timeout != timeout  # NaN, which is `_OWN`
    addresses: set[type] = {Pid, str}  # what names a server; filled here

    async def request(server: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        process: Process | None
        process = server._process if server.__class__ is Pid else resolve(server, "call")
        if process is None or process.state is EXITING or process.runtime.thread_id != get_ident():
            process = _require(server)
        cls: type = process.server.__class__
        runtime = process.runtime
        state = process.state
        if state is IDLE and cls in known:
            runqueue = runtime.runqueue
            budget = runqueue.direct_budget
            if budget > 0 and (
                (budget & LOOK_DOWN and runtime.propagator is None) or not stands_deep()
            ):
                runqueue.direct_budget = budget - 1
                caller = CURRENT.get()
                handler = known[cls]
                process.direct_caller = caller
                try:
                    if runtime.propagator is not None:
                        attach_direct(process, seconds(cls))
                    result = process.run_direct(handler, args, kwargs)
                    try:
                        bare = result.__class__ not in DIRECTIVES
                    except Exception as error:  # a proxy, or a class without a hash
                        bare = False
                        result = process.crash_of_direct(error, handler, args, kwargs)
                    if bare and process.state is RUNNING and process.current is None:
                        if process.carried is not None:
                            detach(process)
                        if process.mailbox:
                            process.leave_direct()
                        else:
                            process.state = process.resting
                        if caller is None or caller.state < EXITING:
                            return result
                    return await _finish_direct(
                        process, caller, handler, args, result, seconds(cls)
                    )
                except RecursionError as error:
                    if process.state in (RUNNING, EXITING):  # no room for what has to follow
                        process.crash_where_there_is_room(error)
                    raise
        handler = known.get(cls) or learn(process)
        limit = seconds(cls) if own_timeout else timeout
        if runtime.propagator is not None:
            limit = limited(limit)
        if process.bounded is not None:
            return await queued_call(process, handler, args, kwargs, limit)
        reply_to = post_call(process, CURRENT.get(), handler, args, kwargs or NO_KWARGS, limit)
        try:
            return await reply_to
        except SlotExpiredError:
            raise timed_out(process, reply_to, handler, args, limit) from None

    def client(server: Any, /, *args: Any, **kwargs: Any) -> Any:
        if server.__class__ in addresses or _is_address(server, client, addresses):
            return request(server, args, kwargs)
        return function(server, *args, **kwargs)

    def seconds(cls: type) -> float | None:
        return getattr(cls, "call_timeout", DEFAULT_TIMEOUT) if own_timeout else timeout

    def learn(process: Process) -> Handler:
        handler = known[process.server.__class__] = _handler_for(process, client.__name__, function)
        return handler

    def within(timeout: float | None) -> Any:
        check_timeout(function.__name__, timeout)
        return _make_call(function, timeout, raises, known)

    def send_request(server: Any, /, *args: Any, **kwargs: Any) -> Request[Any]:
        process = resolve(server, "send_request")
        if process is None:
            return requested(server, None, function, args, kwargs)
        handler = known.get(process.server.__class__) or learn(process)
        return requested(server, process, handler, args, kwargs)

    request.__name__, request.__qualname__ = function.__name__, function.__qualname__
    client.within = within  # type: ignore[attr-defined]
    client.raises = raises  # type: ignore[attr-defined]
    client.send_request = send_request  # type: ignore[attr-defined]
    return _marked(client, function)


def _make_cast(function: Handler) -> Any:
    """The client of one request without an answer, and the method that the handler is."""
    empty: dict[type, tuple[Any, ...]] = {}  # class of a server -> the envelope without arguments
    addresses: set[type] = {str}  # what names a server beside a pid; filled here

    def client(server: Any, /, *args: Any, **kwargs: Any) -> Any:
        if server.__class__ is Pid:
            process: Process | None = server._process
        elif server.__class__ in addresses or _is_address(server, client, addresses):
            process = resolve(server, "cast")
        else:
            return function(server, *args, **kwargs)
        if process is None:
            lost_cast(server)
            return None
        runtime = process.runtime
        if runtime.thread_id != get_ident():
            runtime.check_thread("cast")
        cls = process.server.__class__
        envelope = empty.get(cls)
        if envelope is None:
            envelope = empty[cls] = (
                CAST,
                None,
                _handler_for(process, client.__name__, function),
                (),
                NO_KWARGS,
            )
        if args or kwargs:
            envelope = (CAST, None, envelope[2], args, kwargs or NO_KWARGS)
        if runtime.propagator is not None:
            envelope = carry(runtime, envelope)
        state = process.state
        if process.bounded is not None or (
            state is not READY and state is not RUNNING and state is not IDLE
        ):
            process.deliver(envelope)
            return None
        mailbox = process.mailbox
        if mailbox is NO_MAIL:
            mailbox = process.own_mailbox()
        mailbox.append(envelope)
        if state is IDLE:
            process.state = READY
            runqueue = runtime.runqueue
            runqueue.ready.append(process)
            if not runqueue.scheduled:
                runqueue.schedule()
        return None

    return _marked(client, function)


def _marked(client: Any, function: Handler) -> Any:
    """Give *client* the face of the handler, and the handler to whoever looks for it."""
    update_wrapper(client, function)
    client.function = function
    client.request = function.__name__
    return client


def _is_address(server: object, client: Any, known: set[type]) -> bool:
    """Whether *server* names a server, and is not `self`, on which the method is called; its class is *known* then."""
    kind = type(server)
    if isinstance(server, Behaviour):
        return False
    found = inspect.getattr_static(kind, client.__name__, None)
    if hasattr(found, "function"):  # of a mixin that is no server by itself
        return False
    known.add(kind)
    return True


def _require(server: ServerRef[Any]) -> Process:
    process = resolve(server, "call")
    if process is None:
        raise nobody(server, "call")
    return process


def _handler_for(process: Process, name: str, function: Handler) -> Handler:
    """The handler that this server's class has for the request, overrides included."""
    server: Any = process.server
    cls: type[Any] = process.server.__class__
    if any(getattr(one.__dict__.get(name), "function", None) is function for one in cls.__mro__):
        return handler_named(cls, name) or function
    if any(getattr(each, "function", None) is function for each in vars(cls).values()):
        return function  # it stands there under another name: `__private`
    what = "a plain process" if server is None else with_article(front_of(cls))
    owner, request = asked_for(function, name)
    raise BadRequestError(
        process.pid,
        request,
        f"it is {what}, not {with_article(owner)}. Send the request to the right server.",
    )


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
        if (
            result.__class__ is NoReply
            and result.then is None
            and state is RUNNING
            and process.carried is None
        ):  # the usual directive; what the rest of this chain does for all of them costs more
            process.owe(reply_to)
            process.settle()
        elif state is not RUNNING and state is not EXITING:
            reply_to.set(result)  # it has answered and gone on: only the caller died
        else:  # a directive; or it asked for `sender`, or was killed on the stack (law 2)
            process.current = (CALL, reply_to, handler, args, {})
            process.rest_of_direct(process.body.answered, result)  # type: ignore[attr-defined]
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


def _check_handler(marker: str, function: object) -> None:
    if not inspect.isfunction(function) or hasattr(function, "function"):
        raise TypeError(
            f"@{marker} must mark a method; got {safe_repr(function, 200)}. "
            "A handler has one mark: @call for an answer, @cast for none."
        )


class _CallDecorator:
    """``@st.call`` or ``@st.call(timeout=30.0, raises=LedgerError)``: a handler that clients wait for.

    Args:
        timeout: Seconds that clients wait; None for ever; default: the `call_timeout` of the class.
        raises: One class of exceptions or several: raised by the handler, they are its
            answer, which is raised in the caller, and the server goes on.  Raise before
            you change anything: what was changed stays changed.  Everything else that a
            handler raises is a crash.

    Raises:
        TypeError: *raises* holds what is no exception class, or too broad.
        ValueError: *timeout* is no time to wait.
    """

    __slots__ = ("_raises", "_timeout")

    def __init__(self, timeout: float | None = _OWN, raises: Raises = ()) -> None:
        self._timeout = timeout
        self._raises = raises

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
    def __call__(
        self, /, *, timeout: float | None = ..., raises: Raises = ...
    ) -> _CallDecorator: ...
    def __call__(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        timeout: float | None = _OWN,
        raises: Raises = (),
    ) -> Any:
        if function is None:
            return _CallDecorator(timeout, raises)
        _check_handler("call", function)
        name = function.__name__
        if self._timeout == self._timeout:  # not NaN, which is `_OWN`
            check_timeout(name, self._timeout)
        return _make_call(
            function, self._timeout, checked_raises(f"{name}: raises", self._raises), {}
        )


def _cast_decorator(function: Callable[Concatenate[S, P], object]) -> Cast[S, P]:
    """``@st.cast``: makes a handler that clients do not wait for."""
    _check_handler("cast", function)
    marked: Cast[S, P] = _make_cast(function)
    return marked


call_handler: Final = _CallDecorator()
cast_handler: Final = _cast_decorator
