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

import asyncio
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any, ClassVar, Final, ParamSpec, TypeVar

from suptree.core import (
    CALL,
    CAST,
    CONTINUE,
    DOWN,
    EXIT,
    INFO,
    INIT,
    NORMAL,
    SYSTEM,
    TIMEOUT,
    TIMER,
    Envelope,
    Exit,
    Pid,
    Process,
    ReplyTo,
    Runtime,
    Slot,
    SlotExpiredError,
    State,
    Target,
    Timer,
    check_delay,
    current_process,
    find_runtime,
    require_process,
)
from suptree.errors import (
    CallTimeoutError,
    NoProcessError,
    NotInProcessError,
    ServerExitError,
    StartIgnoredError,
)
from suptree.otp.child_spec import ChildSpec, Restart, Shutdown, StartOptions
from suptree.otp.directives import (
    NOTHING,
    BadReturn,
    Continue,
    Hibernate,
    Ignore,
    NoReply,
    Reply,
    ServerRef,
    Stop,
    Then,
    Timeout,
    resolve,
)
from suptree.otp.requests import call, cast

__all__ = ["GenServer", "ServerBody", "ServerStart"]

P = ParamSpec("P")
S = TypeVar("S")


class GenServer:
    """Base class of servers; subclass it and write handlers.

    Class arguments are the defaults of its child spec (Elixir: `use GenServer, ...`):
    ``class Mailer(GenServer, restart="transient", shutdown=10.0)``.

    Handlers: methods marked `@call` and `@cast`, or the general `handle_call` and
    `handle_cast`; `handle_info` for everything else that arrives; `init`, `terminate`,
    `handle_continue`, `code_change`, `format_status`.  Each may be async: then messages wait.
    """

    __slots__ = ("_process",)

    _process: Process
    trap_exit: ClassVar[bool] = False
    """Whether exit signals become messages; `terminate` on shutdown needs it (S41)."""
    spec_defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(
        cls,
        *,
        restart: Restart | None = None,
        shutdown: Shutdown | None = None,
        significant: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        given = {"restart": restart, "shutdown": shutdown, "significant": significant}
        cls.spec_defaults = {
            **cls.spec_defaults,
            **{key: value for key, value in given.items() if value is not None},
        }

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

    def terminate(self, reason: object) -> Any:
        """Say goodbye; runs when S40 says so.  What must be closed belongs to `own`."""

    def code_change(self, old_version: object, extra: object) -> Any:
        """Bring the state to a new version; called by `sys.change_code` (S54)."""

    def format_status(self, state: dict[str, Any]) -> Any:
        """The state as `sys.get_status` and crash reports may show it: redact secrets here (S55)."""
        return state

    # -- for handlers ---------------------------------------------------------------------

    @property
    def pid(self) -> Pid[Any]:
        """The pid of this server."""
        return self._process.pid

    @property
    def sender(self) -> ReplyTo:
        """Where the reply to the call being handled goes; keep it and return NoReply().

        Raises:
            NotInProcessError: No call is being handled.
        """
        process = self._process
        current = process.current
        if current is None:  # a direct call, which has none until somebody asks
            reply_to = ReplyTo(process.runtime.runqueue, process, None)
            process.current = (CALL, reply_to, _asked, (), {})
            return reply_to
        if current[0] != CALL:
            raise NotInProcessError("sender: no call is being handled here.")
        sender: ReplyTo = current[1]
        return sender

    def reply(self, sender: ReplyTo, value: object) -> None:
        """Answer a call that was left open with NoReply()."""
        self._process.runtime.reply(sender, value)

    def send_after(self, delay: float, message: object, to: Target | None = None) -> Timer:
        """Send *message* to this server's handle_info, or to *to*, once *delay* seconds have passed."""
        check_delay("send_after", "delay", delay)
        process = self._process
        process.check_not_dead("send_after")
        target = process if to is None else to
        return process.runtime.ticker.send_after(process, target, delay, message)

    def send_interval(self, period: float, message: object) -> Timer:
        """Send *message* to this server every *period* seconds, on an absolute grid."""
        check_delay("send_interval", "period", period, above_zero=True)
        process = self._process
        process.check_not_dead("send_interval")
        return process.runtime.ticker.send_after(process, process, period, message, period)

    def cancel_timer(self, timer: Timer) -> float | None:
        """Stop a timer; the seconds that were left, None if it had fired.  It never delivers after."""
        return self._process.runtime.ticker.cancel(timer)

    def own(self, resource: S, close: Callable[[S], object]) -> S:
        """Have ``close(resource)`` called in every kind of death, kill included; returns *resource*."""
        process = self._process
        if process.owned is None:
            process.owned = []
        process.owned.append((resource, close))
        return resource

    def start_task(self, coroutine: Coroutine[Any, Any, S], *, name: str = "") -> asyncio.Task[S]:
        """Run *coroutine* beside the handlers, in a task that this server owns.

        It is cancelled when the server ends.  An exception that escapes it is an
        exit signal to the server, as from a linked process.
        """
        return self._process.start_owned_task(coroutine, name)

    # -- the client half -------------------------------------------------------------------

    @classmethod
    def child(cls, *args: Any, **kwargs: Any) -> ChildSpec[Any]:
        """The child spec of this server; `suptree.child(cls, ...)` checks the arguments by type."""
        return ChildSpec(
            start=ServerStart(cls, args, kwargs), modules=(cls,), **cls.spec_defaults
        )

    @classmethod
    async def start_link(cls: Callable[P, S], *args: P.args, **kwargs: P.kwargs) -> Pid[S]:
        """Start a server linked to the current process (S20).

        Raises:
            StartError: Its init failed; see StartIgnoredError, AlreadyStartedError.
        """
        parent = require_process("start_link")
        start = ServerStart(cls, args, kwargs)  # type: ignore[arg-type]
        return await start.start(parent.runtime, parent, _LINKED)  # type: ignore[no-any-return]

    @classmethod
    async def start(cls: Callable[P, S], *args: P.args, **kwargs: P.kwargs) -> Pid[S]:
        """Start a server without a link or a parent."""
        start = ServerStart(cls, args, kwargs)  # type: ignore[arg-type]
        return await start.start(find_runtime("start"), current_process(), _UNLINKED)  # type: ignore[no-any-return]

    call = staticmethod(call)
    cast = staticmethod(cast)

    @staticmethod
    async def stop(
        server: ServerRef[Any], reason: object = NORMAL, timeout: float | None = None
    ) -> None:
        """Have the server terminate with *reason* and wait for its end (S45).

        Raises:
            NoProcessError: Nobody lives there.
            ServerExitError: It ended with another reason.
            CallTimeoutError: It did not end in time.
        """
        process = resolve(server, "stop")
        if process is None:
            raise NoProcessError(server, "stop")
        runtime = process.runtime
        down = runtime.down_slot(process.pid)
        runtime.system(process.pid, lambda body: body.system_stop(reason), "stop")
        if timeout is not None:
            runtime.ticker.expire_after(down, timeout)
        try:
            actual = await down
        except SlotExpiredError:
            raise CallTimeoutError(process.pid, "stop", timeout or 0.0) from None
        if actual != reason:
            raise ServerExitError(process.pid, actual)


def _asked() -> None:
    """Stands for the handler in the envelope that `sender` makes during a direct call."""


class ServerStart:
    """The start function of a GenServer: a class and its arguments."""

    __slots__ = ("args", "cls", "kwargs", "label")

    def __init__(
        self, cls: type[GenServer], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.cls = cls
        self.args = args
        self.kwargs = kwargs
        self.label = cls.__qualname__

    def start(
        self,
        runtime: Runtime,
        parent: Process | None,
        options: StartOptions,
        extra: tuple[Any, ...] = (),
    ) -> Slot:
        """Make the process and run its init."""
        args = extra + self.args if extra else self.args
        return runtime.start_process(
            ServerBody(self.cls, args, self.kwargs),
            parent=parent,
            link=options.link,
            name=options.name,
            label=options.label or self.label,
            supervised=options.supervised,
            trap_exit=self.cls.trap_exit,
            bound=options.bound,
            timeout=options.timeout,
        )


class ServerBody:
    """The server half: one message per turn."""

    kind = "server"

    __slots__ = ("_start", "process", "server", "terminating")

    def __init__(
        self, cls: type[GenServer], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._start: tuple[Any, ...] | None = (cls, args, kwargs)
        self.process: Process = None  # type: ignore[assignment]  # set by begin
        self.server: GenServer = None  # type: ignore[assignment]
        self.terminating = False

    # -- init -----------------------------------------------------------------------------

    def begin(self, process: Process) -> None:
        """``__init__`` and `init`, inline; an async `init` goes on in the process's task."""
        self.process = process
        fine, value = process.guard(self._make)
        if not fine:
            process.note_crash(value)
            process.start_failed(value)
        elif value.__class__ is CoroutineType:
            process.run_async(value, self._initialised)  # type: ignore[arg-type]
        else:
            self._initialised(value)
            process.settle()

    def _make(self) -> Any:
        assert self._start is not None
        cls, args, kwargs = self._start
        self._start = None
        server = cls.__new__(cls)
        server._process = self.process
        self.server = server
        server.__init__(*args, **kwargs)
        return server.init()

    def _initialised(self, value: Any) -> None:
        process = self.process
        if value.__class__ is Stop:
            process.start_failed(value.reason)
        elif value.__class__ is Ignore:
            process.start_failed(NORMAL, StartIgnoredError(process.label))
        elif value is None or value.__class__ in _THENS:
            process.server = self.server
            if value is not None:
                self._then(value)
            process.started()
        else:
            process.start_failed(BadReturn(value))

    # -- one message ------------------------------------------------------------------------

    def turn(self, envelope: Envelope) -> None:
        """Handle one message; what a handler raises flies to `core/process.py`."""
        kind = envelope[0]
        server = self.server
        if kind == CALL:
            _, reply_to, handler, args, kwargs = envelope
            if handler is None:
                result = server.handle_call(args[0], reply_to)
            else:
                result = handler(server, *args, **kwargs)
            if result.__class__ is CoroutineType:
                self.process.run_async(result, self.answered)
            elif result.__class__ in _DIRECTIVES:
                self.answered(result)
            else:
                reply_to.set(result)
            return
        if kind == CAST:
            _, _, handler, args, kwargs = envelope
            if handler is None:
                result = server.handle_cast(args[0])
            else:
                result = handler(server, *args, **kwargs)
        elif kind == INFO or kind == DOWN:
            result = server.handle_info(envelope[1])
        elif kind == TIMER:
            timer: Timer = envelope[1]
            if timer.cancelled:  # cancelled after it fired, before it was read (S67)
                return
            result = server.handle_info(timer.message)
        elif kind == EXIT:
            signal: Exit = envelope[1]
            parent = self.process.parent
            if parent is not None and signal.pid is parent.pid:  # S42
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
        else:
            reply_to.set(result)

    def _then(self, then: Then | None) -> None:
        if then is None:
            return
        process = self.process
        if then.__class__ is Continue:
            process.mailbox.appendleft((CONTINUE, then.argument))  # type: ignore[union-attr]
        elif then.__class__ is Timeout:
            process.runtime.set_idle_timeout(process, then.seconds)  # type: ignore[union-attr]
        elif then.__class__ is not Hibernate:
            self.stop(BadReturn(then))

    def _rearm_idle_timeout(self) -> None:
        """A system message does not end an idle timeout; it begins again (S36)."""
        timer = self.process.idle_timer
        if timer is not None:
            self.process.runtime.set_idle_timeout(self.process, timer.message)  # type: ignore[arg-type]

    # -- the end -----------------------------------------------------------------------------

    def stop(
        self, reason: object, reply_to: ReplyTo | None = None, reply: object = NOTHING
    ) -> None:
        """Terminate with *reason*, then reply, then exit (S33, S40)."""
        self.process.note_crash(reason)
        self._terminate(reason, reply_to, reply)

    def failed(self, reason: object) -> None:
        """A callback raised: terminate runs, unless it was that, or init, which raised."""
        if self.process.state is INIT and self.process.server is None:
            self.process.start_failed(reason)
        elif self.terminating:
            self.process.finish(reason)
        else:
            self._terminate(reason, None, NOTHING)

    def _terminate(self, reason: object, reply_to: ReplyTo | None, reply: object) -> None:
        process = self.process
        self.terminating = True
        fine, value = process.guard(self.server.terminate, reason)
        if not fine:
            reason = value  # S44
            process.note_crash(reason)
        elif value.__class__ is CoroutineType:
            process.run_async(value, lambda _: self._end(reason, reply_to, reply))  # type: ignore[arg-type]
            return
        self._end(reason, reply_to, reply)

    def _end(self, reason: object, reply_to: ReplyTo | None, reply: object) -> None:
        if reply_to is not None and reply is not NOTHING:
            self.process.runtime.reply(reply_to, reply)
        self.process.finish(reason)

    def unwind(self, state: State) -> bool:
        """A deadly signal; see `Process.unwind_turns`."""
        return self.process.unwind_turns(state)

    # -- sys -----------------------------------------------------------------------------------

    def system_stop(self, reason: object) -> None:
        """As `GenServer.stop` asks for; works while suspended too (S45)."""
        self.stop(reason)

    def get_state(self) -> dict[str, Any]:
        """A shallow copy of the instance's attributes (S50)."""
        return _attributes(self.server)

    def replace_state(self, function: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
        """Map the attributes; assigned only if *function* succeeded (S50)."""
        new = function(_attributes(self.server))
        if not isinstance(new, dict):
            raise TypeError(
                f"replace_state: the function must return a dict of attributes; got {type(new).__name__}."
            )
        for name in _attributes(self.server).keys() - new.keys():
            delattr(self.server, name)
        for name, value in new.items():
            setattr(self.server, name, value)
        return _attributes(self.server)

    def subject(self) -> object:
        """The server instance."""
        return self.server


def _attributes(server: GenServer) -> dict[str, Any]:
    attributes = dict(getattr(server, "__dict__", {}))
    for cls in type(server).__mro__:
        for name in getattr(cls, "__slots__", ()):
            if name not in ("_process", "__dict__", "__weakref__") and hasattr(server, name):
                attributes[name] = getattr(server, name)
    return attributes


_LINKED: Final = StartOptions()
_UNLINKED: Final = StartOptions(link=False)
_THENS: Final = frozenset((Continue, Timeout, Hibernate))
_DIRECTIVES: Final = frozenset((Reply, NoReply, Stop))
