"""Debug functions of a running server: they see what comes in and what goes out (S53).

A server without any has `process.debug` None and pays nothing.  With one, every turn
goes through `Debug.turn`, and calls queue, so that none passes unseen.

    In(message)       a call, cast or other message is about to be handled
    Out(reply, to)    a call was answered; with an error that is raised there, if `raised` is true
    Handled(message)  a message was handled without a reply (OTP: `noreply`)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from suptree.core import (
    CALL,
    CONTINUE,
    EXITING,
    RESTING,
    Envelope,
    Pid,
    Process,
    ReplyTo,
    safe_repr,
)
from suptree.otp.status import message_of_envelope

__all__ = [
    "DONE",
    "Debug",
    "DebugEvent",
    "DebugFunction",
    "Handled",
    "In",
    "Log",
    "Out",
    "Statistics",
]


@dataclass(frozen=True, slots=True)
class In:
    """A message is about to be handled; a typed request is a `Request`."""

    pid: Pid[Any]
    message: object

    def __str__(self) -> str:
        return f"*DBG* {self.pid!r} got {safe_repr(self.message, 300)}"


@dataclass(frozen=True, slots=True)
class Out:
    """A call was answered; *to* is the caller's pid, None for code outside every process.

    Attributes:
        reply: The reply, or the error in its place.
        raised: Whether it is an error, and raised in the caller.
    """

    pid: Pid[Any]
    reply: object
    to: Pid[Any] | None
    raised: bool = False

    def __str__(self) -> str:
        did = "sent the error" if self.raised else "sent"
        return f"*DBG* {self.pid!r} {did} {safe_repr(self.reply, 300)} to {self.to!r}"


@dataclass(frozen=True, slots=True)
class Handled:
    """A message was handled, and nothing was answered (OTP: `noreply`)."""

    pid: Pid[Any]
    message: object

    def __str__(self) -> str:
        return f"*DBG* {self.pid!r} handled {safe_repr(self.message, 300)}"


DebugEvent = In | Out | Handled
DebugFunction = Callable[[DebugEvent], object]


class _Done:
    __slots__ = ()

    def __repr__(self) -> str:
        return "DONE"


DONE: Final = _Done()
"""A debug function that returns this is removed."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What was counted since statistics were switched on (S52).

    Attributes:
        started_at: When that was, in seconds of the runtime's clock.
        now: The time of this answer.
        turns_count: Messages handled, in place of OTP's reductions.
        messages_in_count: Calls, casts and other messages that came in.
        messages_out_count: Calls that were answered.
    """

    started_at: float
    now: float
    turns_count: int
    messages_in_count: int
    messages_out_count: int


class _Counter:
    """Counts for `Statistics`."""

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at
        self.messages_in = 0
        self.messages_out = 0
        self.handled = 0

    def __call__(self, event: DebugEvent) -> None:
        if isinstance(event, In):
            self.messages_in += 1
        else:
            self.handled += 1
            if isinstance(event, Out):
                self.messages_out += 1


class Debug:
    """The debug functions of one process, by key, in the order they were installed.

    Invariant: it is `process.debug`, which takes the turns, exactly while it has a function.
    """

    __slots__ = ("_process", "_rested", "functions")

    def __init__(self, process: Process) -> None:
        self._process = process
        self._rested = process.resting
        self.functions: dict[object, DebugFunction] = {}

    def install(self, key: object, function: DebugFunction) -> bool:
        """Add *function*; False if *key* is in use."""
        if key in self.functions:
            return False
        process = self._process
        if not self.functions:
            self._rested = process.resting
            process.debug = self
            process.resting = RESTING
        self.functions[key] = function
        return True

    def remove(self, key: object) -> bool:
        """Remove what was installed under *key*; False if nothing was."""
        if self.functions.pop(key, None) is None:
            return False
        process = self._process
        if not self.functions:
            process.debug = None
            if process.idle_timer is None:
                process.resting = getattr(process.body, "resting", self._rested)
        return True

    def events(self) -> tuple[DebugEvent, ...]:
        """What `sys.log` has kept."""
        log = self.functions.get("log")
        return tuple(log.kept) if isinstance(log, Log) else ()

    # -- seeing --------------------------------------------------------------------------

    def turn(self, envelope: Envelope) -> None:
        """One turn of the body, seen from both sides."""
        process = self._process
        kind = envelope[0]
        if process.passes_suspension(envelope):  # OTP's loop takes these before its debug functions
            process.body.turn(envelope)
            return
        message = message_of_envelope(envelope)
        if kind != CONTINUE:  # OTP sees the return of handle_continue, not its call
            self.emit(In(process.pid, message))
        if kind == CALL:
            # The same slots, so that the answer is seen wherever it is given.
            envelope[1].__class__ = WatchedReplyTo
        process.body.turn(envelope)
        self._after(envelope, message)

    def _after(self, envelope: Envelope, message: object) -> None:
        process = self._process
        job = process.job
        if job is not None:  # an async handler: look again when it is done
            coroutine, then, waits_for = job

            def finish(result: object) -> None:
                then(result)
                self._after(envelope, message)

            process.job = (coroutine, finish, waits_for)
        elif process.state < EXITING and not (envelope[0] == CALL and envelope[1].done()):
            self.emit(Handled(process.pid, message))

    def emit(self, event: DebugEvent) -> None:
        """Show *event* to every function; one that raises, or is DONE, is removed (S53)."""
        for key, function in list(self.functions.items()):
            fine, value = self._process.guard(function, event)
            if not fine or value is DONE:
                self.remove(key)


class WatchedReplyTo(ReplyTo):
    """A place for a reply, of a server that is being debugged."""

    __slots__ = ()

    def set(self, value: object) -> bool:
        """Fill, and show it."""
        filled = super().set(value)
        debug = self.callee.debug
        if filled and debug is not None:
            debug.emit(Out(self.callee.pid, value, self.pid))
        return filled

    def fail(self, error: BaseException) -> bool:
        """Fill with an error, and show it, if it is an answer and not the end of the server."""
        filled = super().fail(error)
        callee = self.callee
        if filled and callee.debug is not None and callee.state < EXITING:
            callee.debug.emit(Out(callee.pid, error, self.pid, raised=True))
        return filled


class Log:
    """The debug function of `sys.log`: keeps the last events."""

    def __init__(self, size: int) -> None:
        self.kept: deque[DebugEvent] = deque(maxlen=size)

    def __call__(self, event: DebugEvent) -> None:
        """Keep *event*."""
        self.kept.append(event)


def trace(event: DebugEvent) -> None:
    """The debug function of `sys.trace`: prints."""
    print(event)


def counter(started_at: float) -> DebugFunction:
    """The debug function of `sys.statistics`."""
    return _Counter(started_at)


def statistics_of(debug: Debug | None, now: float) -> Statistics | None:
    """What was counted, or None if statistics are off."""
    found = None if debug is None else debug.functions.get("statistics")
    if not isinstance(found, _Counter):
        return None
    return Statistics(
        started_at=found.started_at,
        now=now,
        turns_count=found.handled,
        messages_in_count=found.messages_in,
        messages_out_count=found.messages_out,
    )


def debug_of(process: Process) -> Debug:
    """The debug functions of *process*, none if there were none."""
    debug: Debug | None = process.debug
    return Debug(process) if debug is None else debug
