"""GenServer: a process with state that answers calls, takes casts, and says goodbye.

One message at a time, in order of arrival.  The state lives in the instance.  The
class is the client too: `await Counter.increment(counter, by=2)`.

>>> class Counter(GenServer):
...     def __init__(self, start: int = 0) -> None:
...         self.count = start
...     @call
...     def increment(self, by: int = 1) -> int:
...         self.count += by
...         return self.count

After OTP's gen_server (OTP 25) and Elixir's GenServer; differences are rows of
docs/explanation/semantics.md.
"""

from __future__ import annotations

from types import CoroutineType
from typing import Any, ClassVar, Final, cast

from suptree.core import (
    CALL,
    CAST,
    CONTINUE,
    DOWN,
    EXIT,
    INFO,
    READY,
    RUNNING,
    SYSTEM,
    TIMEOUT,
    TIMER,
    Body,
    Envelope,
    Exit,
    ReplyTo,
    Timer,
    carry_on,
)
from suptree.otp.behaviour import Behaviour, ServerStart
from suptree.otp.directives import (
    BadReturn,
    Continue,
    Hibernate,
    NoReply,
    Reply,
    Stop,
    Timeout,
)
from suptree.otp.requests import DEFAULT_TIMEOUT, DIRECTIVES, call
from suptree.otp.turn_body import TurnBody

__all__ = ["GenServer", "ServerBody", "ServerStart"]


class GenServer(Behaviour):
    """Base class of servers; subclass it and write handlers.

    Class arguments are the defaults of its child spec (Elixir: `use GenServer, ...`):
    ``class Mailer(GenServer, restart="transient", shutdown=10.0)``.

    Handlers: methods marked `@call` and `@cast`, or the general `handle_call` and
    `handle_cast`; `handle_info` for everything else that arrives; `init`, `terminate`,
    `handle_continue`, `code_change`, `format_status`.  All but the last two may be
    async: then messages wait.
    """

    __slots__ = ()

    call_timeout: ClassVar[float | None] = DEFAULT_TIMEOUT
    """Seconds that a typed call to this class waits unless it says otherwise (S30); None waits for ever.

    What `@call(timeout=...)` or `within` says goes first.  `GenServer.call` has its own default.
    """

    # -- callbacks, to override ---------------------------------------------------------

    def init(self) -> Any:
        """Runs after ``__init__``, before any message; may be async (S20, S25).

        Returns:
            None, Ignore(), Stop(reason), Continue(x), Timeout(s) or Hibernate().
        """
        return None

    def handle_call(self, request: Any, sender: ReplyTo) -> Any:
        """A request sent with `GenServer.call`; returns the reply or a directive."""
        raise NotImplementedError(f"{type(self).__name__} has no handle_call for {request!r}")

    def handle_cast(self, request: Any) -> Any:
        """A request sent with `GenServer.cast`; returns None or a directive."""
        raise NotImplementedError(f"{type(self).__name__} has no handle_cast for {request!r}")

    def handle_info(self, message: Any) -> Any:
        """Everything else: Down, Exit, timers, TIMEOUT, plain messages; returns None or a directive."""
        self._process.runtime.reporter.unexpected(self._process, message)

    def handle_continue(self, argument: Any) -> Any:
        """What a `Continue(argument)` asked for; returns None or a directive."""
        raise NotImplementedError(f"{type(self).__name__} has no handle_continue for {argument!r}")

    # -- the client half, beside what every behaviour has ----------------------------------

    call = staticmethod(call)

    @classmethod
    def make_body(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Body:
        """The body of one new server."""
        return ServerBody(cls, args, kwargs)


class ServerBody(TurnBody):
    """The server half: one message per turn."""

    __slots__ = ()

    server: GenServer

    def initialised(self, value: Any) -> bool:
        """None, or what to go on with; a Continue runs before any message (S25)."""
        if value is not None:
            if value.__class__ not in _THENS:
                return False
            self._then(value)
        return True

    # -- many messages, in the shortest way ---------------------------------------------------

    def run(self, quota: int) -> int:
        """Handle up to *quota* messages in one go: typed requests here, the rest by `turn`.

        What `Process.run` does, for a process at whose messages nothing else looks.
        """
        process = self.process
        if process.state is not READY or not process.is_plain():
            return process.run(quota)
        server = self.server
        mailbox = process.mailbox
        count = 0
        process.state = RUNNING
        while True:
            process.current = envelope = mailbox.popleft()
            process.messages_in += 1
            count += 1
            try:
                if envelope[0] > CAST or envelope[2] is None or envelope.__class__ is not tuple:
                    process.take_turn(envelope)
                    if not process.is_plain():
                        quota = count
                else:
                    _, reply_to, handler, args, kwargs = envelope
                    if kwargs:
                        result = handler(server, *args, **kwargs)
                    elif args:
                        result = handler(server, *args)
                    else:
                        result = handler(server)
                    if reply_to is None:
                        if result is not None:
                            self._handled(result)
                            if process.idle_timer is not None:
                                quota = count
                    elif result.__class__ in DIRECTIVES:
                        self.answered(result)
                        if process.idle_timer is not None:
                            quota = count
                    elif not reply_to.set(result):
                        process.runtime.losses.late_replies += 1
            except BaseException as error:
                process.turn_failed(error)
            if process.state is not RUNNING:
                process.left_turn()
                return count
            if not mailbox:
                process.current = None
                process.state = process.resting
                return count
            if count >= quota:
                process.current = None
                process.state = READY
                process.runtime.runqueue.make_ready(process)
                return count

    # -- one message ------------------------------------------------------------------------

    def turn(self, envelope: Envelope) -> None:
        """Handle one message; what a handler raises flies to `core/process.py`."""
        kind = envelope[0]
        server = self.server
        if kind == CALL:
            _, reply_to, handler, args, kwargs = envelope
            if handler is None:
                result = server.handle_call(args[0], reply_to)
            elif kwargs:
                result = handler(server, *args, **kwargs)
            else:
                result = handler(server, *args)
            if result.__class__ in DIRECTIVES:
                self.answered(result)
            elif not reply_to.set(result):
                self.process.runtime.losses.late_replies += 1
            return
        if kind == CAST:
            _, _, handler, args, kwargs = envelope
            if handler is None:
                result = server.handle_cast(args[0])
            elif kwargs:
                result = handler(server, *args, **kwargs)
            else:
                result = handler(server, *args)
        elif kind in (INFO, DOWN):
            result = server.handle_info(envelope[1])
        elif kind == TIMER:
            timer: Timer = envelope[1]
            if timer.cancelled:  # cancelled after it fired, before it was read (S67)
                return
            result = server.handle_info(timer.message)
        elif kind == EXIT:
            signal: Exit = envelope[1]
            if self.process.is_from_parent(envelope):  # S42
                self.stop(signal.reason)
                return
            result = server.handle_info(signal)
        elif kind == SYSTEM:
            self.process.answer_system(envelope)
            self._rearm_idle_timeout()
            return
        elif kind == CONTINUE:
            result = server.handle_continue(envelope[1])
        else:
            result = server.handle_info(TIMEOUT)
        if result is not None:
            self._handled(result)

    def _handled(self, result: Any) -> None:
        """What anything but a call returned."""
        if result.__class__ is CoroutineType:
            self.process.run_async(result, self._handled)
        elif result is None:
            return
        elif result.__class__ is NoReply:
            self._then(result.then)
        elif result.__class__ is Stop:
            self.stop(result.reason)
        elif result.__class__ in _THENS:
            self._then(result)
        else:
            self.stop(BadReturn(result))  # S37

    def answered(self, result: Any) -> None:
        """What the handler of a call returned, in the end."""
        process = self.process
        assert process.current is not None
        reply_to: ReplyTo = process.current[1]
        kind = result.__class__
        if kind is NoReply:
            if not reply_to.done():
                if process.pending is None:
                    process.pending = set()
                process.pending.add(reply_to)
            self._then(result.then)
        elif kind is Reply:
            process.runtime.reply(reply_to, result.value)
            self._then(result.then)
        elif kind is Stop:
            self.stop(result.reason, reply_to, result.reply)
        elif kind is CoroutineType:
            process.run_async(result, self.answered)
        elif kind in DIRECTIVES:  # a bare Continue or Timeout: no call can be answered with that
            self.stop(BadReturn(result))
        elif not reply_to.set(result):
            process.runtime.losses.late_replies += 1

    def _then(self, then: Any) -> None:
        process = self.process
        match then:
            case None | Hibernate():
                return
            case Continue(argument):
                process.own_mailbox().appendleft(carry_on(process, (CONTINUE, argument)))
            case Timeout(seconds):
                process.runtime.set_idle_timeout(process, seconds)
            case _:
                self.stop(BadReturn(then))

    def _rearm_idle_timeout(self) -> None:
        """A system message does not end an idle timeout; it begins again (S36)."""
        timer = self.process.idle_timer
        if timer is not None:
            self.process.runtime.set_idle_timeout(self.process, cast("float", timer.message))


_THENS: Final = frozenset((Continue, Timeout, Hibernate))
