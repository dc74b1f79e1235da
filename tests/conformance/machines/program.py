"""Programs of a state machine as plain values: what it is told, and what it answers each time.

A machine decides nothing by itself: each event carries what to answer each time it is seen, so both sides do the same,
and only the order of events, replies and ends can differ. Ids of events are unique in a program.

Timeouts are of 0, of an hour (set to be replaced, updated, cancelled or looked at), or none: nothing depends on
real time.

>>> from tests.conformance.plain import to_json
>>> program = Program(1, (Start(Machine()), Tell("cast", Event(1, (Next("b", (Postpone(),)), Keep())))))
>>> PLAIN.from_json(to_json(program)) == program
True
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from tests.conformance import plain
from tests.conformance.plain import Plain

State: TypeAlias = Literal["a", "b", "c"]
Reason: TypeAlias = Literal["normal", "shutdown", "shutdown_why", "boom", "kill"]
"""An exit reason; `shutdown_why` is `{shutdown, why}`."""
Time: TypeAlias = int | Literal["infinity", "update"]
"""Milliseconds, 0 or an hour; `infinity` cancels, `update` changes the content of the running one."""
Kind: TypeAlias = Literal["cast", "info", "internal", "call"]

HOUR = 3_600_000


# -- events, and what is answered to them ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Event:
    """An event and what to answer each time it is seen; the last answer from then on, `Keep` if there is none."""

    id: int
    answers: tuple[Answer, ...] = ()


@dataclass(frozen=True, slots=True)
class Postpone:
    """Handle it again in another state."""


@dataclass(frozen=True, slots=True)
class Hibernate:
    """Sleep; changes nothing that is to be seen."""


@dataclass(frozen=True, slots=True)
class Insert:
    """Handle *event* next. As a `call` it is the call at hand with other words; outside a call it is internal."""

    kind: Kind
    event: Event


@dataclass(frozen=True, slots=True)
class Timeout:
    """Set, replace, update or cancel a timeout; `g1` and `g2` are generic ones of that name."""

    timeout: Literal["state", "event", "g1", "g2"]
    time: Time
    event: Event


@dataclass(frozen=True, slots=True)
class Reply:
    """Reply *value* to the call at hand; nothing outside a call."""

    value: int


@dataclass(frozen=True, slots=True)
class ReplyAll:
    """Reply *value* to every call that was seen and is open, in the order in which they were seen."""

    value: int


Action: TypeAlias = Postpone | Hibernate | Insert | Timeout | Reply | ReplyAll


@dataclass(frozen=True, slots=True)
class Next:
    state: State
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Keep:
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Repeat:
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Halt:
    """Stop with *reason*, after the replies."""

    reason: Reason
    replies: tuple[Reply | ReplyAll, ...] = ()


@dataclass(frozen=True, slots=True)
class Crash:
    """Raise `oops`."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Exit with *reason* from inside the state function."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Bad:
    """Return what is no answer."""


Answer: TypeAlias = Next | Keep | Repeat | Halt | Crash | Leave | Bad


# -- machines ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Enter:
    """What the enter call of *state* answers each time."""

    state: State
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Init:
    """What init answers: up in *state*, or what keeps the machine from coming up."""

    answer: Literal["ok", "ignore", "stop", "crash", "exit", "bad"] = "ok"
    state: State = "a"
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """How it is made. `functions`: a state function for each state, otherwise one function for all."""

    functions: bool = False
    enter_calls: bool = False
    traps: bool = False
    linked: bool = True
    goodbye: Literal["ok", "exit", "crash"] = "ok"
    init: Init = Init()
    enters: tuple[Enter, ...] = ()


# -- what is done to it ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """Start the machine, unless one lives."""

    machine: Machine


@dataclass(frozen=True, slots=True)
class Tell:
    """Send an event; a call is waited for in the background, by a caller of its own."""

    kind: Literal["cast", "info", "call"]
    event: Event


@dataclass(frozen=True, slots=True)
class Signal:
    """Send an exit signal, from the driver, who is its parent if it was linked, or from a stranger."""

    sender: Literal["driver", "stranger"]
    reason: Reason


@dataclass(frozen=True, slots=True)
class Stop:
    """Ask it to stop as anyone may, and wait."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Look:
    """Look inside: the state, what is postponed, and which timeouts run."""


@dataclass(frozen=True, slots=True)
class Replace:
    """Put it into another state from outside, which is no transition."""

    state: State


@dataclass(frozen=True, slots=True)
class Burst:
    """Do all of `ops` while it is suspended, then let it go: it finds them in its mailbox in that order."""

    ops: tuple[Tell | Signal | Stop | Look | Replace, ...]


Op: TypeAlias = Start | Tell | Signal | Stop | Look | Replace | Burst


@dataclass(frozen=True, slots=True)
class Program:
    """What happens, in order. `seed` is only its name."""

    seed: int
    ops: tuple[Op, ...]


PLAIN = Plain(
    Event, Postpone, Hibernate, Insert, Timeout, Reply, ReplyAll, Next, Keep, Repeat, Halt, Crash, Leave, Bad,
    Enter, Init, Machine, Start, Tell, Signal, Stop, Look, Replace, Burst, Program,
)  # fmt: skip


def smaller(program: Program) -> Iterator[Program]:
    """Yield *program* with one thing less; the parts of a burst may also stand alone."""
    for k, op in enumerate(program.ops):
        if isinstance(op, Burst):
            yield replace(program, ops=program.ops[:k] + op.ops + program.ops[k + 1 :])
    yield from plain.smaller(program)
