"""Faults of one line each, planted into suptree one at a time: random programs have to find every one of them.

with FAULTS["a reply overtakes terminate"]():
    ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import suptree as st
from suptree.core import CALL, CAST, EXIT, IDLE, KILL, KILLED, NOPROC, NORMAL, Down
from suptree.core.process import Process
from suptree.core.reaper import Reaper
from suptree.core.runtime import Runtime
from suptree.core.signals import Signals
from suptree.otp.behaviour import Behaviour
from suptree.otp.gen_server import ServerBody
from suptree.otp.turn_body import TurnBody

__all__ = ["FAULTS"]

Replacement = Callable[..., Any]
Fault = Callable[[], AbstractContextManager[None]]

FAULTS: dict[str, Fault] = {}
"""By name: each is planted for the length of a `with` block."""


def _fault(name: str, owner: type, method: str) -> Callable[[Replacement], Replacement]:
    """Register a function (original, *arguments) that takes the place of a method, its own or inherited."""

    def register(replacement: Replacement) -> Replacement:
        @contextmanager
        def planted() -> Iterator[None]:
            place = next(kind for kind in owner.__mro__ if method in vars(kind))
            kept = vars(place)[method]
            original = kept.__func__ if isinstance(kept, staticmethod) else kept

            def faulty(*args: Any, **kwargs: Any) -> Any:
                return replacement(original, *args, **kwargs)

            setattr(place, method, staticmethod(faulty) if original is not kept else faulty)
            try:
                yield
            finally:
                setattr(place, method, kept)

        FAULTS[name] = planted
        return replacement

    return register


# -- what a callback returned ------------------------------------------------------------------------


@_fault("a continue waits for its turn", ServerBody, "_then")
def _(original: Replacement, body: ServerBody, then: Any) -> None:
    before = len(body.process.mailbox)
    original(body, then)
    if isinstance(then, st.Continue) and before:
        body.process.mailbox.rotate(-1)


@_fault("a timeout of 0 overtakes what waits", Runtime, "set_idle_timeout")
def _(original: Replacement, runtime: Runtime, process: Process, seconds: float) -> None:
    waiting = list(process.mailbox)
    process.mailbox.clear()
    original(runtime, process, seconds)
    process.mailbox.extend(waiting)


@_fault("a system request ends an idle timeout", ServerBody, "_rearm_idle_timeout")
def _(original: Replacement, body: ServerBody) -> None:
    body.process.runtime.clear_idle_timeout(body.process)


@_fault("a message does not end an idle timeout", Runtime, "clear_idle_timeout")
def _(original: Replacement, runtime: Runtime, process: Process) -> None:
    if process.idle_timer is None or process.idle_timer.message != 0:
        original(runtime, process)


@_fault("a bad return is taken for none", ServerBody, "_handled")
def _(original: Replacement, body: ServerBody, result: Any) -> None:
    original(body, None if result == "wrong" else result)


# -- requests ----------------------------------------------------------------------------------------


@_fault("a request whose caller gave up is not handled", ServerBody, "turn")
def _(original: Replacement, body: ServerBody, envelope: Any) -> None:
    if envelope[0] != CALL or not envelope[1].done():
        original(body, envelope)


@_fault("casts overtake", Process, "deliver")
def _(original: Replacement, process: Process, envelope: Any) -> None:
    original(process, envelope)
    if envelope[0] == CAST and process.mailbox and process.mailbox[-1] is envelope:
        process.mailbox.rotate(1)


@_fault("who waits for the dead is told normal", Reaper, "_answer_callers")
def _(original: Replacement, reaper: Reaper, process: Process, reason: object) -> None:
    original(reaper, process, NORMAL)


# -- the end -----------------------------------------------------------------------------------------


@_fault("a reply overtakes terminate", TurnBody, "_terminate")
def _(original: Replacement, body: TurnBody, reason: object, reply_to: Any, reply: Any) -> None:
    if isinstance(reply, tuple):
        body.process.runtime.reply(reply_to, reply)
    original(body, reason, reply_to, reply)


@_fault("the name is free before terminate", TurnBody, "_terminate")
def _(original: Replacement, body: TurnBody, *args: Any) -> None:
    body.process.runtime.names.free(body.process)
    original(body, *args)


@_fault("what terminate raises is forgotten", Process, "guard")
def _(original: Replacement, process: Process, function: Any, *args: object) -> Any:
    fine, value = original(process, function, *args)
    return (True, None) if function.__name__ == "terminate" else (fine, value)


@_fault("terminate runs at every signal", Process, "doom")
def _(original: Replacement, process: Process, reason: object) -> None:
    if process.state is IDLE and isinstance(process.body, ServerBody):
        process.enter(process.body.stop, reason)
    else:
        original(process, reason)


@_fault("the parent's exit is a message like others", ServerBody, "turn")
def _(original: Replacement, body: ServerBody, envelope: Any) -> None:
    if envelope[0] == EXIT:
        body._handled(body.server.handle_info(envelope[1]))
    else:
        original(body, envelope)


@_fault("anybody's exit is the parent's", ServerBody, "turn")
def _(original: Replacement, body: ServerBody, envelope: Any) -> None:
    if envelope[0] == EXIT:
        body.stop(envelope[1].reason)
    else:
        original(body, envelope)


@_fault("stop takes any reason", Behaviour, "stop")
async def _(original: Replacement, *args: Any) -> None:
    try:
        await original(*args)
    except st.ServerExitError:
        return


# -- signals -----------------------------------------------------------------------------------------


@_fault("a kill is seen as kill", Process, "doom")
def _(original: Replacement, process: Process, reason: object) -> None:
    original(process, KILL if reason is KILLED else reason)


@_fault("who traps is not told of normal exits", Signals, "_exit_signal")
def _(
    original: Replacement,
    signals: Signals,
    process: Any,
    sender: Any,
    reason: object,
    **asked: bool,
) -> None:
    if reason is not NORMAL or not process.trap_exit:
        original(signals, process, sender, reason, **asked)


@_fault("unlink does nothing", Signals, "unlink")
def _(original: Replacement, *args: Any) -> None:
    return


@_fault("a link with the dead is no matter", Signals, "link")
def _(original: Replacement, signals: Signals, process: Process, target: Any) -> None:
    if signals.find(target, "link") is not None:
        original(signals, process, target)


@_fault("a monitor of the dead tells normal", Process, "deliver")
def _(original: Replacement, process: Process, envelope: Any) -> None:
    match envelope:
        case (kind, Down(ref, who, reason)) if reason is NOPROC:
            original(process, (kind, Down(ref, who, NORMAL)))
        case _:
            original(process, envelope)


@_fault("demonitor does nothing", Signals, "demonitor")
def _(original: Replacement, *args: Any, **flush: bool) -> bool:
    return True


# -- sys ---------------------------------------------------------------------------------------------


@_fault("suspend does nothing", TurnBody, "suspend")
def _(original: Replacement, body: TurnBody) -> None:
    return


@_fault("a new state is not kept", TurnBody, "replace_state")
def _(original: Replacement, body: TurnBody, function: Any) -> Any:
    return function(body.get_state())


@_fault("a stop waits for resume", TurnBody, "system_stop")
def _(original: Replacement, body: TurnBody, reason: object) -> None:
    if body.is_suspended():
        body.process.deliver((CAST, None, lambda _: st.Stop(reason), (), {}))
    else:
        original(body, reason)


@_fault("code changes while the server runs", TurnBody, "is_suspended")
def _(original: Replacement, body: TurnBody) -> bool:
    return True
