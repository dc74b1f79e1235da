"""Looking into a running process, and changing it: state, suspension, debugging, code.

Each request is answered between two messages, in the order of arrival, and a
suspended server answers too.  It takes as long as the message being handled, so each
has a timeout.  Servers, state machines and supervisors answer; what one of them
cannot do is refused with SystemRequestError before anything is sent, as is every
request to a plain process.

>>> await sys.get_state(counter)
{'count': 3}
>>> await sys.replace_state(counter, lambda state: {**state, "count": 0})
{'count': 0}

After OTP's `sys` (S50 to S55).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from suptree.core import NORMAL, Ref, SlotExpiredError, current_process
from suptree.errors import CallTimeoutError, SelfCallError, SystemRequestError
from suptree.otp.behaviour import Behaviour
from suptree.otp.debug import (
    DONE,
    DebugEvent,
    DebugFunction,
    Handled,
    In,
    Log,
    Out,
    Statistics,
    counter,
    debug_of,
    statistics_of,
)
from suptree.otp.debug import (
    trace as _trace,
)
from suptree.otp.directives import ServerRef, nobody, resolve
from suptree.otp.requests import DEFAULT_TIMEOUT, check_timeout, is_own_code
from suptree.otp.status import Request, Status

__all__ = [
    "DONE",
    "DebugEvent",
    "DebugFunction",
    "Handled",
    "In",
    "Out",
    "Request",
    "Statistics",
    "Status",
    "change_code",
    "get_log",
    "get_state",
    "get_statistics",
    "get_status",
    "install",
    "log",
    "no_debug",
    "remove",
    "replace_state",
    "resume",
    "statistics",
    "suspend",
    "terminate",
    "trace",
]

# -- state ------------------------------------------------------------------------------


async def get_state(server: ServerRef[Any], timeout: float | None = DEFAULT_TIMEOUT) -> Any:
    """The state: a shallow copy of a server's attributes; (state, attributes) of a machine.

    For looking at in development and tests; `format_status` hides nothing of it (S50, S55).

    Args:
        server: A pid, a name, or `via(registry, key)`.
        timeout: Seconds; None waits for ever.

    Raises:
        NoProcessError: Nobody lives there.
        ServerExitError: It ended before it answered.
        CallTimeoutError: It did not answer in time.
        SystemRequestError: It is no server.
    """
    return await _ask(server, "get_state", lambda body: body.get_state(), timeout)


async def replace_state(
    server: ServerRef[Any],
    function: Callable[[Any], Any],
    timeout: float | None = DEFAULT_TIMEOUT,
) -> Any:
    """Replace the state by what *function* makes of it (S50).

    Args:
        function: Gets what `get_state` returns, and returns the same kind of thing.
            What it raises is raised here, and the state is as before.

    Returns:
        The new state.
    """
    return await _ask(server, "replace_state", lambda body: body.replace_state(function), timeout)


async def get_status(server: ServerRef[Any], timeout: float | None = DEFAULT_TIMEOUT) -> Status:
    """The server as its own `format_status` shows it, with its log if that is on (S55)."""
    status: Status = await _ask(server, "get_status", lambda body: body.get_status(), timeout)
    return status


# -- suspension ---------------------------------------------------------------------------


async def suspend(server: ServerRef[Any], timeout: float | None = DEFAULT_TIMEOUT) -> None:
    """Have it handle nothing until `resume`; messages wait (S51).

    Requests of this module are still answered, and the exit of its parent still ends it.
    """
    await _ask(server, "suspend", lambda body: body.suspend(), timeout)


async def resume(server: ServerRef[Any], timeout: float | None = DEFAULT_TIMEOUT) -> None:
    """Have it go on; one resume undoes any number of suspends (S51)."""
    await _ask(server, "resume", lambda body: body.resume(), timeout)


async def terminate(
    server: ServerRef[Any], reason: object = NORMAL, timeout: float | None = None
) -> None:
    """Stop it with *reason* and wait for its end: the same as ``GenServer.stop`` (S45)."""
    await Behaviour.stop(server, reason, timeout)


async def change_code(
    server: ServerRef[Any],
    new_class: type | None = None,
    *,
    old_version: object = None,
    extra: object = None,
    timeout: float | None = DEFAULT_TIMEOUT,
) -> None:
    """Give a suspended server another class, and have its `code_change` bring the state along (S54).

    Its supervisor goes on starting the class that it was given: replace its child
    spec too if restarts are to run the new code.

    Args:
        new_class: What the instance becomes; None keeps its class.
        old_version: Handed to ``code_change(old_version, extra)``.
        extra: The same.

    Raises:
        NotSuspendedError: It is not suspended.
        CodeChangeError: `code_change` raised; class and state are as before.
    """
    await _ask(
        server,
        "change_code",
        lambda body: body.change_code(new_class, old_version, extra),
        timeout,
    )


# -- debugging ------------------------------------------------------------------------------


async def trace(
    server: ServerRef[Any], on: bool = True, timeout: float | None = DEFAULT_TIMEOUT
) -> None:
    """Print what comes in and goes out on standard output, until switched off (S53)."""
    await _switch(server, "trace", "trace", _trace if on else None, timeout)


async def log(
    server: ServerRef[Any],
    on: bool = True,
    size: int = 10,
    timeout: float | None = DEFAULT_TIMEOUT,
) -> None:
    """Keep the last *size* events for `get_log` and `get_status`, until switched off."""
    if size < 1:
        raise ValueError(f"log: size must be at least 1; got {size!r}.")
    await _switch(server, "log", "log", Log(size) if on else None, timeout)


async def get_log(
    server: ServerRef[Any], timeout: float | None = DEFAULT_TIMEOUT
) -> list[DebugEvent]:
    """The last events, oldest first; empty while `log` is off."""
    events: list[DebugEvent] = await _ask_process(
        server, "get_log", lambda process: list(debug_of(process).events()), timeout
    )
    return events


async def statistics(
    server: ServerRef[Any], on: bool = True, timeout: float | None = DEFAULT_TIMEOUT
) -> None:
    """Count messages from now on, or stop counting and forget (S52)."""

    def switch(process: Any) -> None:
        debug = debug_of(process)
        debug.remove("statistics")
        if on:
            debug.install("statistics", counter(process.runtime.now()))

    await _ask_process(server, "statistics", switch, timeout)


async def get_statistics(
    server: ServerRef[Any], timeout: float | None = DEFAULT_TIMEOUT
) -> Statistics | None:
    """What was counted since `statistics` was switched on; None if it is off (S52)."""
    counted: Statistics | None = await _ask_process(
        server,
        "get_statistics",
        lambda process: statistics_of(process.debug, process.runtime.now()),
        timeout,
    )
    return counted


async def install(
    server: ServerRef[Any],
    function: DebugFunction,
    key: object = None,
    timeout: float | None = DEFAULT_TIMEOUT,
) -> object:
    """Have *function* called with each `DebugEvent`, in the context of the server (S53).

    It is removed when it returns `DONE` or raises; the server does not notice.

    Args:
        key: For `remove`, unique; a used one leaves what is there.  Default: a new one.

    Returns:
        The key.
    """

    def add(process: Any) -> object:
        name = Ref(process.runtime.next_id()) if key is None else key
        debug_of(process).install(name, function)
        return name

    return await _ask_process(server, "install", add, timeout)


async def remove(
    server: ServerRef[Any], key: object, timeout: float | None = DEFAULT_TIMEOUT
) -> None:
    """Remove the debug function installed under *key*; an unknown one is no error."""
    await _switch(server, "remove", key, None, timeout)


async def no_debug(server: ServerRef[Any], timeout: float | None = DEFAULT_TIMEOUT) -> None:
    """Remove every debug function: trace, log, statistics and what was installed."""

    def clear(process: Any) -> None:
        debug = debug_of(process)
        for key in list(debug.functions):
            debug.remove(key)

    await _ask_process(server, "no_debug", clear, timeout)


# -- asking -----------------------------------------------------------------------------------


async def _switch(
    server: ServerRef[Any],
    doing: str,
    key: object,
    function: DebugFunction | None,
    timeout: float | None,
) -> None:
    def switch(process: Any) -> None:
        debug = debug_of(process)
        debug.remove(key)
        if function is not None:
            debug.install(key, function)

    await _ask_process(server, doing, switch, timeout)


async def _ask_process(
    server: ServerRef[Any], doing: str, operation: Callable[[Any], Any], timeout: float | None
) -> Any:
    return await _ask(server, doing, lambda body: operation(body.process), timeout, "debuggable")


async def _ask(
    server: ServerRef[Any],
    doing: str,
    operation: Callable[[Any], Any],
    timeout: float | None,
    needs: str | None = None,
) -> Any:
    check_timeout(doing, timeout)
    process = resolve(server, doing)
    if process is None:
        raise nobody(server, doing)
    if not hasattr(process.body, needs or doing):
        raise SystemRequestError(
            process.pid, f"a {process.body.kind} process does not answer {doing}. Ask a server."
        )
    if process is current_process() and is_own_code(process):
        raise SelfCallError(process.pid, doing)
    runtime = process.runtime
    answer = runtime.system(process.pid, operation, doing)
    if timeout is not None:
        runtime.ticker.expire_after(answer, timeout)
    try:
        return await answer
    except SlotExpiredError:
        if process.pending is not None:
            process.pending.discard(answer)
        raise CallTimeoutError(process.pid, doing, timeout or 0.0) from None
