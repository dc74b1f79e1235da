"""What the code of a process says: spawn, send, receive, link, monitor, exit, timers.

Each function finds its runtime from the process whose code calls it, or from the pid
(law 5).  The same verbs are methods of `Runtime` for code outside.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import get_ident
from typing import Any, TypeVar, overload

from suptree.core.context import current_process, find_runtime, require_process
from suptree.core.crashes import safe_repr
from suptree.core.delivery import Target, ViaName
from suptree.core.exits import KILL, KILLED
from suptree.core.lifecycle import EXITING, WAITING
from suptree.core.messages import (
    CALL,
    CAST,
    INFO,
    SYSTEM,
    TIMER,
    CallMessage,
    CastMessage,
    Envelope,
)
from suptree.core.pid import Pid, Ref
from suptree.core.process import Process
from suptree.core.propagation import attach, carry_with_timer, detach
from suptree.core.runtime import Runtime
from suptree.core.slot import ReplyTo, SlotExpiredError
from suptree.core.ticker import check_delay
from suptree.core.timers import Timer
from suptree.errors import (
    BadArgumentError,
    BadRequestError,
    NotInProcessError,
    ProcessExit,
    ReceiveTimeoutError,
)

__all__ = [
    "cancel_timer",
    "current",
    "demonitor",
    "exit",
    "is_alive",
    "link",
    "monitor",
    "own",
    "receive",
    "register",
    "reply",
    "send",
    "send_after",
    "send_interval",
    "send_wait",
    "set_label",
    "spawn",
    "spawn_link",
    "spawn_monitor",
    "trap_exit",
    "unlink",
    "unregister",
    "whereis",
]

T = TypeVar("T")


def _runtime_of(target: Target | ViaName, doing: str) -> Runtime:
    return target.runtime if isinstance(target, Pid) else find_runtime(doing)


def current() -> Pid[Any]:
    """The pid of the process whose code this is (OTP: `self()`).

    Raises:
        NotInProcessError: The code runs outside every process.
    """
    process = current_process()
    if process is None:
        raise NotInProcessError(
            "current: this code runs outside every process. "
            "Use it in a process or inside `async with Runtime()`."
        )
    return process.pid


# -- processes -----------------------------------------------------------------------


def spawn(function: Callable[..., Any], *args: Any, **options: Any) -> Pid[Any]:
    """Start a plain process that runs ``function(*args)``; see `Runtime.spawn` for the options."""
    return find_runtime("spawn").spawn(function, *args, **options)


def spawn_link(function: Callable[..., Any], *args: Any, **options: Any) -> Pid[Any]:
    """Start a plain process linked to this one, atomically (S16)."""
    process = require_process("spawn_link")
    return process.runtime.spawn(function, *args, link=True, **options)


def spawn_monitor(function: Callable[..., Any], *args: Any, **options: Any) -> tuple[Pid[Any], Ref]:
    """Start a plain process and monitor it, atomically (S16)."""
    process = require_process("spawn_monitor")
    pid = process.runtime.spawn(function, *args, **options)
    return pid, process.runtime.monitor(process, pid)


@overload
def exit(target: Target, reason: object, /) -> None: ...
@overload
def exit(reason: object, /) -> None: ...
def exit(*arguments: object) -> None:
    """``exit(reason)`` ends this process; ``exit(pid, reason)`` sends an exit signal.

    The one-argument form raises `ProcessExit`, KILL included (S6).  The two-argument
    form follows S2 to S7; sent to oneself without trapping, it ends this process at
    once (law 2).

    Raises:
        ProcessExit: This process ends.
    """
    if len(arguments) == 1:
        raise ProcessExit(arguments[0])
    first, reason = arguments
    if not isinstance(first, (Pid, str)):
        raise TypeError(f"exit: the first of two arguments must be a pid or a name; got {first!r}.")
    target: Target = first  # pyright: ignore[reportUnknownVariableType]
    sender = current_process()
    runtime = _runtime_of(target, "exit")
    itself = sender is not None and runtime.find(target, "exit") is sender
    if itself and sender is not None and sender.body.kind != "guest":
        fatal = KILLED if reason is KILL else reason
        if reason is KILL or not sender.trap_exit:
            sender.doom(fatal)  # a signal, so no `terminate` runs (S3, S4)
            raise ProcessExit(fatal)
    runtime.exit(target, reason, sender)


def trap_exit(flag: bool = True) -> bool:
    """Turn exit signals to this process into `Exit` messages; returns the old setting."""
    process = require_process("trap_exit")
    old, process.trap_exit = process.trap_exit, flag
    return old


def is_alive(target: Target) -> bool:
    """Say whether the process lives; an exiting one does not (S14)."""
    return _runtime_of(target, "is_alive").find(target, "is_alive") is not None


def set_label(label: str) -> None:
    """Say what this process is, for trees and reports."""
    require_process("set_label").label = label


def link(target: Target) -> None:
    """Link this process with another one (S8).

    Raises:
        NoProcessError: It is dead, and this process does not trap exits (S10).
    """
    process = require_process("link")
    process.runtime.link(process, target)


def unlink(target: Target) -> None:
    """Remove the link; no new Exit comes from it, one may be in the mailbox already (S9)."""
    process = require_process("unlink")
    process.runtime.unlink(process, target)


def monitor(target: Target) -> Ref:
    """Have this process told by one `Down` when *target* ends (S11)."""
    process = require_process("monitor")
    return process.runtime.monitor(process, target)


def demonitor(ref: Ref, *, flush: bool = False) -> bool:
    """Remove a monitor; with *flush* a queued Down too.  True: no Down was and will be seen (S12)."""
    process = require_process("demonitor")
    return process.runtime.demonitor(process, ref, flush=flush)


def register(name: str, pid: Pid[Any] | None = None) -> None:
    """Give this process, or *pid*, the name.

    Raises:
        NameTakenError: The name is used, or the process is dead or named (S15).
    """
    if pid is None:
        process: Process | None = require_process("register")
        assert process is not None
        process.runtime.names.register(name, process)
        return
    runtime = pid.runtime
    process = runtime.find(pid, "register")
    if process is None:
        from suptree.errors import NameTakenError

        raise NameTakenError(name, f"{pid!r} is not alive")
    runtime.names.register(name, process)


def unregister(name: str) -> None:
    """Take a name away.  NoProcessError if nobody has it (OTP: badarg)."""
    from suptree.errors import NoProcessError

    runtime = find_runtime("unregister")
    process = runtime.find(name, "unregister")
    if process is None:
        raise NoProcessError(name, "unregister")
    runtime.names.free(process)


def whereis(name: str) -> Pid[Any] | None:
    """The pid registered as *name*, or None."""
    return find_runtime("whereis").whereis(name)


def own(resource: T, close: Callable[[T], object]) -> T:
    """Have ``close(resource)`` called when this process ends, however it ends; returns *resource*.

    Owned resources are closed newest first, before monitors and links are told.  An
    async *close* runs in a task of the runtime and has five seconds.
    """
    process = require_process("own")
    if process.owned is None:
        process.owned = []
    process.owned.append((resource, close))
    return resource


# -- messages ---------------------------------------------------------------------------


def send(target: Target | ViaName, message: object) -> None:
    """Send *message*; see `Runtime.send`."""
    runtime = target.runtime if isinstance(target, Pid) else find_runtime("send")
    runtime.send(target, message)


async def send_wait(target: Target, message: object) -> None:
    """Send *message*, waiting for a place in a bounded mailbox."""
    await _runtime_of(target, "send_wait").send_wait(target, message)


def reply(sender: ReplyTo, value: object) -> None:
    """Answer a call, from any process; a second or late reply is dropped (S32)."""
    sender.callee.runtime.reply(sender, value)


def send_after(delay: float, message: object, to: Target | None = None) -> Timer:
    """Send *message* to this process, or *to*, once *delay* seconds have passed.

    The timer belongs to this process and dies with it.  A firing never overtakes
    what is in the mailbox already.  What travels beside messages from here (law 15)
    goes along with it, but for the deadline.

    Args:
        delay: Seconds from now, 0 or more.
        to: A pid or a name, looked up when the timer fires.

    Returns:
        The reference for `cancel_timer`.
    """
    process = require_process("send_after")
    check_delay("send_after", "delay", delay)
    runtime = process.runtime
    timer = runtime.ticker.send_after(process, process if to is None else to, delay, message)
    if runtime.propagator is not None:
        carry_with_timer(runtime, timer)
    return timer


def send_interval(period: float, message: object) -> Timer:
    """Send *message* to this process every *period* seconds, on an absolute grid.

    A microsecond at least; ValueError if it is less.

    A late firing does not move the next one; firings missed in a stall are skipped.
    """
    process = require_process("send_interval")
    check_delay("send_interval", "period", period, above_zero=True)
    runtime = process.runtime
    timer = runtime.ticker.send_after(process, process, period, message, period)
    if runtime.propagator is not None:
        carry_with_timer(runtime, timer)
    return timer


def cancel_timer(timer: Timer) -> float | None:
    """Stop a timer; returns the seconds that were left, None if it had fired.

    Even one that has fired does not deliver after this, unless its message was read.
    """
    process = timer.owner
    if process is None:
        return None
    runtime = process.runtime
    if runtime.thread_id != get_ident():
        runtime.check_thread("cancel_timer")
    return runtime.ticker.cancel(timer)


@overload
async def receive(*, timeout: float | None = None) -> Any: ...
@overload
async def receive(match: type[T], /, *, timeout: float | None = None) -> T: ...
@overload
async def receive(
    match: type[Any] | tuple[type[Any], ...] | Callable[[Any], bool],
    /,
    *,
    timeout: float | None = None,
) -> Any: ...
async def receive(
    match: type[Any] | tuple[type[Any], ...] | Callable[[Any], bool] | None = None,
    /,
    *,
    timeout: float | None = None,
) -> Any:
    """Take the first message that matches; the others keep their order (S17).

    Args:
        match: A class, a tuple of classes, or a predicate; None takes any message.
        timeout: Seconds to wait; 0 scans the mailbox once; None waits for ever.

    Raises:
        BadArgumentError: *match* is none of these, or *timeout* is out of bounds.
        ReceiveTimeoutError: Nothing matched in time.
        NotInProcessError: Called by a bare task, or by a server (it has handle_info).
    """
    process = require_process("receive")
    if process.body.kind not in ("plain", "guest", "task"):
        raise NotInProcessError(
            f"receive: {process.pid!r} is a server; its messages come to its handlers. "
            "Handle the message in handle_info."
        )
    if not (match is None or callable(match) or _are_classes(match)):
        raise BadArgumentError(
            "receive",
            "match",
            "a class, a tuple of classes or a function of the message",
            safe_repr(match, 200),
            "For one value, write receive(lambda message: message == value).",
        )
    deadline = None
    if timeout is not None:
        check_delay("receive", "timeout", timeout)
        deadline = process.runtime.now() + timeout
    scanned = 0
    mailbox = process.mailbox
    if mailbox and match is None and mailbox[0][0] == INFO and process.bounded is None:
        first = mailbox.popleft()  # as below, in fewer steps
        process.messages_in += 1
        if process.body.kind == "plain":
            _take_over(process, first)
        return first[1]
    while True:
        envelope, scanned, message = _scan(process, match, scanned)
        if envelope is not None:
            if process.body.kind == "plain":
                _take_over(process, envelope)
            return message
        remaining = None if deadline is None else deadline - process.runtime.now()
        if timeout is not None and remaining is not None and remaining <= 0:
            raise ReceiveTimeoutError(timeout)
        process.check_not_dead("receive")
        gate = process.wait_for_message()
        try:
            if remaining is not None:
                process.runtime.ticker.expire_after(gate, remaining)
            with suppress(SlotExpiredError):
                await gate
        finally:
            if process.state < EXITING:
                process.state = WAITING


def _are_classes(match: object) -> bool:
    return isinstance(match, tuple) and all(isinstance(one, type) for one in match)  # pyright: ignore[reportUnknownVariableType]


def _take_over(process: Process, envelope: Envelope) -> None:
    """What the message carries is current until the next one is received (OTP: `seq_trace`)."""
    if envelope.__class__ is not tuple:
        attach(process, envelope.carried.again())  # type: ignore[attr-defined]
    elif process.carried is not None:
        detach(process)


def _scan(process: Process, match: Any, scanned: int) -> tuple[Envelope | None, int, Any]:
    mailbox = process.mailbox
    index = scanned
    while index < len(mailbox):
        envelope = mailbox[index]
        if not _readable(envelope):
            del mailbox[index]
            continue
        message = message_of(envelope)
        if match is None or _matches(match, message):
            del mailbox[index]
            if process.bounded is not None:
                process.bounded.took(envelope)
            process.messages_in += 1
            if envelope[0] == CALL:
                process.owe(envelope[1])
            return envelope, index, message
        index += 1
    return None, index, None


def _readable(envelope: Envelope) -> bool:
    """Drop cancelled timers, and answer system requests that a plain process cannot serve."""
    if envelope[0] == TIMER:
        return not envelope[1].cancelled
    if envelope[0] == SYSTEM:
        reply_to: ReplyTo | None = envelope[1]
        if reply_to is not None:
            reply_to.fail(
                BadRequestError(reply_to.callee.pid, "a system request", "it is a plain process")
            )
        return False
    return True


def message_of(envelope: Envelope) -> Any:
    """The message inside an envelope, as a plain process sees it."""
    kind = envelope[0]
    if kind == TIMER:
        return envelope[1].message
    if kind == CALL:
        _, sender, handler, args, kwargs = envelope
        return CallMessage(sender, args[0] if handler is None else (handler, args, kwargs))
    if kind == CAST:
        _, _, handler, args, kwargs = envelope
        return CastMessage(args[0] if handler is None else (handler, args, kwargs))
    return envelope[1]


def _matches(match: Any, message: object) -> bool:
    if isinstance(match, (type, tuple)):
        return isinstance(message, match)
    return bool(match(message))
