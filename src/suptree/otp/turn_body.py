"""`TurnBody`: the process side of servers and state machines, but for what a message means.

Init, stop, crash, terminate and the system requests are the same for both (S60);
subclasses say what init may answer (`initialised`) and what a message does (`turn`).
"""

from __future__ import annotations

from collections.abc import Callable
from types import CoroutineType
from typing import Any, ClassVar, cast

from suptree.core import (
    CALL,
    CAST,
    EXITING,
    IDLE,
    INIT,
    NORMAL,
    RUNNING,
    SUSPENDED,
    Envelope,
    Process,
    ReplyTo,
    State,
    answer_with,
    detach,
    in_the_place_of,
    safe_repr,
)
from suptree.errors import CodeChangeError, NotSuspendedError, StartIgnoredError
from suptree.otp.behaviour import Behaviour
from suptree.otp.declared import is_declared
from suptree.otp.directives import NOTHING, BadReturn, Ignore, Stop
from suptree.otp.requests import handler_named
from suptree.otp.status import Status, message_of_envelope

__all__ = ["TurnBody"]


class TurnBody:
    """See the module text.

    Attributes:
        process: The process that runs this body.
        server: The instance of the user's class.
        terminating: Its `terminate` runs, or has run.
        resting: What the process rests in when its mailbox is empty.
        debuggable: Each message goes through `turn`, so debug functions see it.
    """

    kind = "server"
    resting: ClassVar[State] = IDLE
    debuggable: ClassVar[bool] = True

    __slots__ = ("_last_reply", "_start", "process", "server", "terminating")

    def __init__(self, cls: type[Behaviour], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._start: tuple[Any, ...] | None = (cls, args, kwargs)
        self.process: Process = None  # type: ignore[assignment]  # set by begin
        self.server: Any = None
        self.terminating = False
        self._last_reply: tuple[ReplyTo, object] | None = None

    def run(self, quota: int) -> int:
        """Handle up to *quota* messages in one go."""
        return self.process.run(quota)

    def turn(self, envelope: Envelope) -> None:
        """Handle one message; what a handler raises flies to `core/process.py`."""
        raise NotImplementedError

    def initialised(self, value: Any) -> bool:
        """Carry out what `init` answered, or return False if that is no answer."""
        raise NotImplementedError

    # -- init -----------------------------------------------------------------------------

    def begin(self, process: Process) -> None:
        """``__init__`` and `init`, inline; an async `init` goes on in the process's task."""
        assert self._start is not None
        cls, args, kwargs = self._start
        self._start = None
        self.process = process
        process.resting = self.resting
        try:
            server = cls.__new__(cls)
            server._process = process
            self.server = process.server = server
            server.__init__(*args, **kwargs)
            value = server.init()
            if value.__class__ is CoroutineType:
                process.run_async(value, self._initialised)
                return
            self._initialised(value)
        except BaseException as error:
            self._start_failed(process.reason_of(error))
        else:
            process.settle()

    def _initialised(self, value: Any) -> None:
        process = self.process
        if value.__class__ is Stop:
            self._start_failed(value.reason)
        elif value.__class__ is Ignore:
            process.start_failed(NORMAL, StartIgnoredError(process.label))
        elif self.initialised(value):
            process.started()
        else:
            self._start_failed(BadReturn(value))

    def _start_failed(self, reason: object) -> None:
        self.process.note_crash(reason)
        self.process.start_failed(reason)

    # -- the end -----------------------------------------------------------------------------

    def stop(
        self, reason: object, reply_to: ReplyTo | None = None, reply: object = NOTHING
    ) -> None:
        """Terminate with *reason*, then reply, then exit (S33, S40)."""
        if self.terminating or self.process.state >= EXITING:  # a signal was first (law 2)
            return
        self.process.note_crash(reason)
        self._terminate(reason, reply_to, reply)

    def answers(self, error: BaseException) -> bool:
        """Whether the call at hand declares *error* and waits for its answer, which it then has."""
        process = self.process
        envelope = process.current
        if (
            envelope is None
            or envelope[0] != CALL
            or self.terminating
            or not is_declared(self.server.__class__, envelope[2], error)
            or envelope[1].is_answered()
        ):
            return False
        detach(process)
        answer_with(process, envelope[1], error)
        # A server that keeps an error and raises it each time would keep the frames of all times.
        BaseException.with_traceback(error, None)
        return True

    def failed(self, reason: object) -> None:
        """A callback raised: terminate runs, unless it was that, or init, which raised."""
        if self.process.state is INIT:
            self.process.start_failed(reason)
        elif self.terminating:  # an async terminate: that is the exit reason now (S44)
            self._end(reason)
        else:
            self._terminate(reason, None, NOTHING)

    def _terminate(self, reason: object, reply_to: ReplyTo | None, reply: object) -> None:
        process = self.process
        self.terminating = True
        self._last_reply = None if reply_to is None or reply is NOTHING else (reply_to, reply)
        fine = True
        value: Any = None
        if self.server.__class__.terminate is not Behaviour.terminate:  # the default does nothing
            fine, value = process.guard(self.server.terminate, reason)
        if not fine:
            process.note_crash(value)
            reason = value  # S44
        elif value.__class__ is CoroutineType:
            process.run_async(value, lambda _: self._end(reason))
            return
        self._end(reason)

    def _end(self, reason: object) -> None:
        if self._last_reply is not None:
            self.process.runtime.reply(*self._last_reply)
        self.process.finish(reason)

    def unwind(self, state: State) -> bool:
        """A deadly signal; see `Process.unwind_turns`."""
        return self.process.unwind_turns(state)

    def subject(self) -> object:
        """The server instance."""
        return self.server

    # -- system requests, carried out between messages -----------------------------------------

    def system_stop(self, reason: object) -> None:
        """As `stop` asks for; works while suspended too (S45)."""
        self.stop(reason)

    def suspend(self) -> None:
        """No callback runs until `resume` (S51)."""
        self.process.state = SUSPENDED

    def resume(self) -> None:
        """Go on with what is in the mailbox; one resume undoes any number of suspends (S51)."""
        process = self.process
        if process.state is SUSPENDED:
            process.state = RUNNING

    def is_suspended(self) -> bool:
        """Whether it waits for `resume`."""
        return self.process.state is SUSPENDED

    def get_state(self) -> Any:
        """A shallow copy of the instance's attributes (S50)."""
        return attributes_of(self.server)

    def replace_state(self, function: Callable[[Any], Any]) -> Any:
        """Map the attributes; assigned only if *function* succeeded (S50)."""
        new = function(attributes_of(self.server))
        if not isinstance(new, dict):
            raise TypeError(
                "replace_state: the function must return a dict of attributes; "
                f"got {type(new).__name__}."
            )
        assign_attributes(self.server, cast("dict[str, Any]", new))
        return attributes_of(self.server)

    def change_code(self, new_class: type | None, old_version: object, extra: object) -> None:
        """Give the instance a new class, and have that bring the state along (S54)."""
        if not self.is_suspended():
            raise NotSuspendedError(self.process.pid)
        server = self.server
        old_class = server.__class__
        before = attributes_of(server)
        fine, value = self.process.guard(self._change_code, new_class, old_version, extra)
        if not fine:
            server.__class__ = old_class
            assign_attributes(server, before)
            raise CodeChangeError(self.process.pid, value)
        waiting = [self._with_current_handler(envelope) for envelope in self.process.mailbox]
        self.process.mailbox.clear()
        self.process.mailbox.extend(waiting)

    def _with_current_handler(self, envelope: Envelope) -> Envelope:
        """A typed request that waits goes to the handler that the new class has for it."""
        if envelope[0] not in (CALL, CAST) or envelope[2] is None:
            return envelope
        kind, reply_to, handler, args, kwargs = envelope
        handler = handler_named(self.server.__class__, handler.__name__) or handler
        return in_the_place_of(envelope, (kind, reply_to, handler, args, kwargs))

    def _change_code(self, new_class: type | None, old_version: object, extra: object) -> None:
        if new_class is not None:
            self.server.__class__ = new_class
        self.server.code_change(old_version, extra)

    def get_status(self) -> Status:
        """What `sys.get_status` shows: past the server's own `format_status` (S55)."""
        status = self._status(None)
        return cast("Status", self.server.format_status(status))

    def redacted(self, reason: object) -> Status | None:
        """The status for a crash report, if the server's class hides something; never raises."""
        server: Behaviour | None = self.server
        if server is None or type(server).format_status is Behaviour.format_status:
            return None
        fine, status = self.process.guard(server.format_status, self._status(reason))
        if fine and isinstance(status, Status):
            return status
        hidden = f"(hidden: format_status failed with {safe_repr(status)})"
        return Status(state=hidden, message=hidden, reason=hidden)

    def _status(self, reason: object) -> Status:
        process = self.process
        debug = process.debug
        envelope = process.current
        return Status(
            state=self.get_state(),
            message=message_of_envelope(envelope) if reason is not None else None,
            reason=reason,
            log=[] if debug is None else list(debug.events()),
            pid=process.pid,
            label=process.label,
            parent=None if process.parent is None else process.parent.pid,
            suspended=self.is_suspended(),
            waiting_count=len(process.mailbox),
        )


def attributes_of(server: Any) -> dict[str, Any]:
    """A shallow copy of the attributes of *server*, slots included."""
    attributes: dict[str, Any] = dict(getattr(server, "__dict__", {}))
    for cls in type(server).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name in ("_process", "__dict__", "__weakref__"):
                continue
            if name.startswith("__") and not name.endswith("__"):
                name = f"_{cls.__name__.lstrip('_')}{name}"
            if hasattr(server, name):
                attributes[name] = getattr(server, name)
    return attributes


def assign_attributes(server: Any, new: dict[str, Any]) -> None:
    """Make *new* the attributes of *server*: all of them, or none if one is refused."""
    old = attributes_of(server)
    try:
        _assign(server, old.keys(), new)
    except Exception:
        _assign(server, attributes_of(server).keys(), old)
        raise


def _assign(server: Any, present: Any, new: dict[str, Any]) -> None:
    for name in present - new.keys():
        delattr(server, name)
    for name, value in new.items():
        setattr(server, name, value)
