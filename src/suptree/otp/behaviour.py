"""`Behaviour`: what `GenServer` and `GenStateMachine` have in common, for the author of a subclass.

Its own pid and timers, what it owns, its child spec, and how clients start and stop
it.  The process side, which calls the callbacks, is `turn_body.py`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Final, ParamSpec, TypeVar

from suptree.core import (
    CALL,
    CURRENT,
    DEAD,
    INIT,
    NORMAL,
    RUNNING,
    SYSTEM,
    Body,
    Pid,
    Process,
    ReplyTo,
    Runtime,
    Slot,
    SlotExpiredError,
    Target,
    Timer,
    answer_with,
    carry_with_timer,
    check_delay,
    current_process,
    find_runtime,
    require_process,
)
from suptree.errors import (
    CallTimeoutError,
    NotInProcessError,
    SelfCallError,
    ServerExitError,
)
from suptree.otp.child_spec import ChildSpec, Restart, Shutdown, StartOptions
from suptree.otp.declared import Raises, checked_raises
from suptree.otp.directives import ServerRef, nobody, resolve
from suptree.otp.requests import cast, check_timeout, is_own_code
from suptree.otp.status import Status

__all__ = ["Behaviour", "ServerStart"]

P = ParamSpec("P")
S = TypeVar("S")


class Behaviour:
    """Base of servers and state machines; not for subclassing directly.

    Class arguments are the defaults of the child spec (Elixir: `use GenServer, ...`):
    ``class Mailer(GenServer, restart="transient", shutdown=10.0)``.
    """

    __slots__ = ("_process",)

    _process: Process
    trap_exit: ClassVar[bool] = False
    """Whether exit signals become messages; `terminate` on shutdown needs it (S41)."""
    call_raises: ClassVar[Raises] = ()
    """The errors that every call may answer with, beside the `raises` of its own mark; see `@call`."""
    spec_defaults: ClassVar[dict[str, Any]] = {}
    """The fields that its child spec has unless the supervisor's author says otherwise."""

    def __init_subclass__(
        cls,
        *,
        restart: Restart | None = None,
        shutdown: Shutdown | None = None,
        significant: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        if inspect.iscoroutinefunction(cls.__init__):
            raise TypeError(
                f"{cls.__qualname__}: __init__ must not be async. "
                "Put what waits into `async def init(self)`, which runs right after it."
            )
        timeout = getattr(cls, "call_timeout", None)  # its own, or that of a mixin
        if timeout is not None:
            check_delay(cls.__qualname__, "call_timeout", timeout)
        checked_raises(f"{cls.__qualname__}: call_raises", cls.call_raises)
        given = {"restart": restart, "shutdown": shutdown, "significant": significant}
        cls.spec_defaults = {
            **cls.spec_defaults,
            **{key: value for key, value in given.items() if value is not None},
        }

    @classmethod
    def make_body(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Body:
        """The body of one new process of this class; each behaviour has its own."""
        raise NotImplementedError

    # -- callbacks that every behaviour has, to override ---------------------------------

    def terminate(self, reason: object) -> Any:
        """Say goodbye; may be async.  Runs when S40 says so; what must be closed belongs to `own`."""

    def code_change(self, old_version: object, extra: object) -> Any:
        """Bring the attributes to a new version; called by `sys.change_code` (S54).

        What it raises goes to who asked, and every attribute is as before.
        """

    def format_status(self, status: Status) -> Status:
        """The server as `sys.get_status` and crash reports may show it: hide secrets here (S55).

        Args:
            status: Made for this call; change it as you like.
        """
        return status

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
        if current is None and process.state is RUNNING:  # a direct call has none until asked
            reply_to = ReplyTo(process.runtime.runqueue, process, process.direct_caller)
            process.current = (CALL, reply_to, _asked, (), {})
            return reply_to
        if current is None or current[0] != CALL or process.state is INIT:
            raise NotInProcessError("sender: no call is being handled here.")
        sender: ReplyTo = current[1]
        return sender

    def reply(self, sender: ReplyTo, value: object) -> None:
        """Answer a call that was left open with NoReply()."""
        self._process.runtime.reply(sender, value)

    def reply_error(self, sender: ReplyTo, error: Exception) -> None:
        """Answer a call that was left open with NoReply() by *error*, which is raised in the caller.

        A copy of it, without the frames that it has passed: one error may answer many.
        """
        runtime = self._process.runtime
        runtime.check_thread("reply_error")
        answer_with(sender.callee, sender, error)

    def send_after(self, delay: float, message: object, to: Target | None = None) -> Timer:
        """Send *message* to this server, or to *to*, once *delay* seconds have passed.

        The timer belongs to this server and dies with it.  A firing never overtakes
        messages that are already in the mailbox.  What travels beside messages from
        here (law 15) goes along with it, but for the deadline.

        Args:
            delay: Seconds from now, 0 or more.
            message: Delivered to `handle_info` unchanged.
            to: A pid or name instead of this server.

        Returns:
            A reference for `cancel_timer`.

        Raises:
            ValueError: *delay* is negative or not finite.
        """
        check_delay("send_after", "delay", delay)
        process = self._process
        process.check_not_dead("send_after")
        target = process if to is None else to
        runtime = process.runtime
        timer = runtime.ticker.send_after(process, target, delay, message)
        if runtime.propagator is not None:
            carry_with_timer(runtime, timer)
        return timer

    def send_interval(self, period: float, message: object) -> Timer:
        """Send *message* to this server every *period* seconds, on an absolute grid.

        A microsecond at least; ValueError if it is less.
        """
        check_delay("send_interval", "period", period, above_zero=True)
        process = self._process
        process.check_not_dead("send_interval")
        runtime = process.runtime
        timer = runtime.ticker.send_after(process, process, period, message, period)
        if runtime.propagator is not None:
            carry_with_timer(runtime, timer)
        return timer

    def cancel_timer(self, timer: Timer) -> float | None:
        """Stop a timer; the seconds that were left, None if it had fired.  It never delivers after."""
        return self._process.runtime.ticker.cancel(timer)

    def own(self, resource: S, close: Callable[[S], object]) -> S:
        """Have ``close(resource)`` called in every kind of death, kill included; returns *resource*."""
        process = self._process
        process.check_not_dead("own")
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
        return ChildSpec(start=ServerStart(cls, args, kwargs), modules=(cls,), **cls.spec_defaults)

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

    cast = staticmethod(cast)

    @staticmethod
    async def stop(
        server: ServerRef[Any], reason: object = NORMAL, timeout: float | None = None
    ) -> None:
        """Have the server terminate with *reason* and wait for its end (S45).

        Args:
            server: A pid, a name, or `via(registry, key)`.
            reason: Given to `terminate`; any value.
            timeout: Seconds; None waits for ever.

        Raises:
            NoProcessError: Nobody lives there.
            ServerExitError: It ended with another reason.
            CallTimeoutError: It did not end in time; it may still do so later.
            SelfCallError: A server waits for its own end; return Stop(reason) instead.
        """
        check_timeout("stop", timeout)
        process = resolve(server, "stop")
        if process is None:
            raise nobody(server, "stop")
        if process is CURRENT.get() and is_own_code(process):
            raise SelfCallError(process.pid, "stop")
        runtime = process.runtime
        down = runtime.down_slot(process.pid)

        def stop(body: Any) -> None:
            body.system_stop(reason)

        process.deliver((SYSTEM, None, stop))
        if timeout is not None:
            runtime.ticker.expire_after(down, timeout)
        try:
            actual = await down
        except SlotExpiredError:
            raise CallTimeoutError(process.pid, "stop", timeout or 0.0) from None
        finally:
            if process.state is not DEAD:
                runtime.forget_down(process.pid, down)
        if actual != reason:
            raise ServerExitError(process.pid, actual)


def _asked() -> None:
    """Stands for the handler in the envelope that `sender` makes during a direct call."""


class ServerStart:
    """The start function of a server: a class and its arguments."""

    __slots__ = ("__weakref__", "args", "cls", "kwargs", "label")

    def __init__(self, cls: type[Behaviour], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
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
            self.cls.make_body(args, self.kwargs),
            parent=parent,
            link=options.link,
            name=options.name,
            label=options.label or self.label,
            supervised=options.supervised,
            trap_exit=self.cls.trap_exit,
            bound=options.bound,
            timeout=options.timeout,
        )


_LINKED: Final = StartOptions()
_UNLINKED: Final = StartOptions(link=False)
