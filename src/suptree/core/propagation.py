"""What travels beside a message: trace ids and the like, and the deadline of a call (law 15).

A runtime with a propagator asks it, in the sender's context, what is to go along with
each call, cast and `send`; the process that handles the message has it attached
until it is done with it, async handlers and `Continue` included.  A direct call does
the same as a queued one.  A plain process has what came with the message it received
last, a task what its caller had.  A timer has what was current where it was started,
and brings it along each time that it fires, but no deadline: nobody waits.  Signals and
replies carry nothing, and neither does a request for a child: that outlives whoever
asked for it.

While no propagator is attached an envelope is a plain tuple, and nothing is asked.

>>> import asyncio, contextvars, suptree
>>> trace_id = contextvars.ContextVar("trace_id", default="none")
>>> class Till(suptree.GenServer):
...     @suptree.call
...     def seen(self) -> str:
...         return trace_id.get()
>>> async def main():
...     async with suptree.Runtime() as rt:
...         rt.propagator = suptree.ContextPropagator(trace_id)
...         till = await Till.start_link()
...         trace_id.set("4bf92f35")
...         return await Till.seen(till)
>>> asyncio.run(main())
'4bf92f35'
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Protocol

from suptree.core.context import CURRENT
from suptree.core.crashes import safe_repr
from suptree.core.log import LOG
from suptree.core.messages import CALL, Envelope

if TYPE_CHECKING:
    from suptree.core.process import Process
    from suptree.core.runtime import Runtime
    from suptree.core.timers import Timer

__all__ = [
    "Carried",
    "Carrying",
    "ContextPropagator",
    "Propagator",
    "attach",
    "attach_direct",
    "carry",
    "carry_on",
    "carry_with_timer",
    "carrying",
    "current_deadline",
    "detach",
    "in_the_place_of",
    "limited",
    "pack_for_task",
    "time_left",
]


class Propagator(Protocol):
    """Says what travels with messages; `rt.propagator = ...` attaches it (OpenTelemetry: propagator).

    All four are called often and must be quick.  One that raises is taken off the
    runtime, which is logged; the message goes its way.

    Attributes:
        deadlines: Whether the deadline of a call goes along.  Then a call that is made on
            behalf of a call waits no longer than that one's caller does.
    """

    deadlines: bool

    def inject(self) -> object:
        """What is to go along, taken from the sender's context; None for nothing."""
        ...

    def attach(self, carrier: object, deadline: float | None) -> object:
        """Make both current in the context of the process that handles the message.

        Args:
            carrier: What `inject` returned.
            deadline: When the caller stops waiting, in seconds of the runtime's clock;
                None if there is none, or deadlines do not travel.

        Returns:
            The token for `detach`.
        """
        ...

    def detach(self, token: object) -> None:
        """The message is done: undo `attach`, in the same context."""
        ...

    def deadline(self) -> float | None:
        """The deadline that is current here; None if there is none."""
        ...


class ContextPropagator:
    """Carries the values of some context variables, and deadlines.

    Args:
        variables: Those that are set in the sender's context are set for the handler.
        deadlines: Whether the deadline of a call goes along; see `Propagator`.
    """

    def __init__(self, *variables: ContextVar[Any], deadlines: bool = True) -> None:
        for one in variables:
            if not isinstance(one, ContextVar):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(
                    f"ContextPropagator: must be given ContextVars; got {safe_repr(one, 200)}. "
                    "Give the variable itself, not its name."
                )
        self.variables = variables
        self.deadlines = deadlines
        # With whose it is: a process that a handler starts copies its context, and outlives it.
        self._deadline: ContextVar[tuple[float | None, object]]
        self._deadline = ContextVar("suptree_deadline", default=(None, None))

    def inject(self) -> object:
        """The variables that are set, with their values; None if none is."""
        values = [(one, one.get(_UNSET)) for one in self.variables]
        return [(one, value) for one, value in values if value is not _UNSET] or None

    def attach(self, carrier: Any, deadline: float | None) -> list[Token[Any]]:
        """Set the variables."""
        tokens: list[Token[Any]] = [variable.set(value) for variable, value in carrier or ()]
        if deadline is not None and self.deadlines:
            tokens.append(self._deadline.set((deadline, _pid())))
        return tokens

    def detach(self, token: Any) -> None:
        """Give the variables back the values that they had."""
        for one in reversed(token):
            one.var.reset(one)

    def deadline(self) -> float | None:
        """The deadline of the call that is handled here, or on whose behalf this code runs."""
        deadline, owner = self._deadline.get()
        return deadline if deadline is not None and owner is _pid() else None


_UNSET: Any = object()


def _pid() -> object:
    process = CURRENT.get()
    return None if process is None else process.pid


class Carried:
    """What travels with one message.

    Attributes:
        propagator: Who injected the carrier, and attaches it.
        carrier: What it injected; None if nothing.
        deadline: When the caller stops waiting, in seconds of the runtime's clock;
            None if it does not, or does not wait.
        attached: Whether `token` is what `attach` returned, and not yet detached.
    """

    __slots__ = ("attached", "carrier", "deadline", "propagator", "token")

    def __init__(self, propagator: Propagator, carrier: object, deadline: float | None) -> None:
        self.propagator = propagator
        self.carrier = carrier
        self.deadline = deadline
        self.attached = False
        self.token: object = None

    def again(self, deadline: float | None = None) -> Carried:
        """The same for one more message."""
        return Carried(self.propagator, self.carrier, deadline)


class Carrying(tuple[Any, ...]):
    """An envelope whose optional field is filled; to everybody else the tuple that it is."""

    carried: Carried


def pack(runtime: Runtime, deadline: float | None = None) -> Carried | None:
    """What travels with a message sent from here; None if that is nothing."""
    propagator = runtime.propagator
    if propagator is None:
        return None
    try:
        carrier = propagator.inject()
    except RecursionError:  # the sender stands at the end of its stack: nothing is sent
        raise
    except Exception as error:
        _take_off(runtime, propagator, "inject", error)
        return None
    if carrier is None and deadline is None:
        return None
    return Carried(propagator, carrier, deadline)


def pack_for_task(runtime: Runtime) -> Carried | None:
    """What a task asked for from here has: the context and the deadline of the one who asks."""
    return pack(runtime, current_deadline(runtime))


def carry(
    runtime: Runtime, envelope: Envelope, timeout: float | None = None, *, awaited: bool = True
) -> Envelope:
    """Fill the optional field of *envelope*; for a call that is *awaited*, *timeout* seconds are its deadline."""
    waits = awaited and envelope[0] == CALL
    return _with(envelope, pack(runtime, _deadline_of_call(runtime, timeout) if waits else None))


def carry_on(process: Process, envelope: Envelope) -> Envelope:
    """Have *envelope* carry what is attached to *process*, but for the deadline: nobody waits."""
    return carrying(envelope, process.carried)


def carry_with_timer(runtime: Runtime, timer: Timer) -> None:
    """What travels from here goes along with the message of *timer*, but for the deadline."""
    timer.carried = pack(runtime)


def carrying(envelope: Envelope, carried: Carried | None) -> Envelope:
    """Have *envelope* carry the same as an earlier message, but for the deadline."""
    if carried is None or carried.carrier is None:
        return envelope
    return _with(envelope, carried.again())


def in_the_place_of(old: Envelope, new: Envelope) -> Envelope:
    """*new* carries what *old* carries."""
    return new if old.__class__ is tuple else _with(new, old.carried)  # type: ignore[attr-defined]


def _with(envelope: Envelope, carried: Carried | None) -> Envelope:
    if carried is None:
        return envelope
    filled = Carrying(envelope)
    filled.carried = carried
    return filled


# -- in the process that handles the message ----------------------------------------------


def attach(process: Process, carried: Carried) -> None:
    """Make what travels with a message current; called in the context of *process*."""
    if process.carried is not None:
        detach(process)
    process.carried = carried
    try:
        carried.token = carried.propagator.attach(carried.carrier, carried.deadline)
        carried.attached = True
    except Exception as error:
        _take_off(process.runtime, carried.propagator, "attach", error)


def attach_direct(process: Process, timeout: float | None) -> None:
    """As a queued call would: what travels from here is attached to *process*, the callee."""
    runtime = process.runtime
    carried = pack(runtime, _deadline_of_call(runtime, timeout))
    if carried is not None:
        process.context.run(attach, process, carried)


def detach(process: Process) -> None:
    """The message is done: *process* has its own context again."""
    carried, process.carried = process.carried, None
    if carried is None or not carried.attached:
        return
    carried.attached = False
    try:
        process.enter(carried.propagator.detach, carried.token)
    except Exception as error:
        _take_off(process.runtime, carried.propagator, "detach", error)


def _take_off(runtime: Runtime, propagator: Propagator, doing: str, error: Exception) -> None:
    if runtime.propagator is not propagator:
        return  # told before: this is one of the messages that were under way
    runtime.propagator = None
    LOG.error(
        "the %s of %r raised: it is taken off, and messages carry nothing any more",
        doing,
        propagator,
        exc_info=error,
    )


# -- deadlines --------------------------------------------------------------------------------


def current_deadline(runtime: Runtime) -> float | None:
    """When the caller of the message that is being handled here stops waiting."""
    propagator = runtime.propagator
    if propagator is None or not getattr(propagator, "deadlines", False):
        return None
    try:
        return propagator.deadline()
    except RecursionError:
        raise
    except Exception as error:
        _take_off(runtime, propagator, "deadline", error)
        return None


def time_left() -> float | None:
    """Seconds until the caller of this handler stops waiting; None: there is no deadline.

    There is one in the handler of a call, in what that calls, and in the tasks that it
    starts, while the runtime has a propagator with `deadlines`.  0.0 when it is over.

    >>> await client.get(url, timeout=st.time_left())
    """
    process = CURRENT.get()
    if process is None:
        return None
    runtime = process.runtime
    deadline = current_deadline(runtime)
    return None if deadline is None else max(0.0, deadline - runtime.now())


def limited(timeout: float | None) -> float | None:
    """The seconds that a call made here may wait: *timeout*, or less if its own caller waits less."""
    left = time_left()
    if left is None:
        return timeout
    return left if timeout is None else min(timeout, left)


def _deadline_of_call(runtime: Runtime, timeout: float | None) -> float | None:
    propagator = runtime.propagator
    if propagator is None or not getattr(propagator, "deadlines", False):
        return None
    timeout = limited(timeout)
    return None if timeout is None else runtime.now() + timeout
