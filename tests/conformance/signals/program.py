"""Programs of processes that link, watch, signal and kill one another, as plain values.

A program is data only: which processes there are at first, and what the driver tells them, in order. Each process is an
interpreter that obeys such lists of actions and notes what else it receives. Both sides, the BEAM and suptree, run the
same `Program` and write a trace; this file knows neither of them.

Ids are static: `p3` is one process in the whole run, `m2` one monitor of one process, `t4` one message, `n1` a name.

>>> from tests.conformance.plain import to_json
>>> program = Program(1, ("p1", "p2"), (Do("p1", (Link("p2"), Exit("p2", "boom"))),))
>>> PLAIN.from_json(to_json(program)) == program
True
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tests.conformance.plain import Plain

Reason: TypeAlias = Literal["normal", "shutdown", "shutdown_x", "boom", "kill", "killed"]
"""An exit reason; `shutdown_x` is `{shutdown, x}`."""

How: TypeAlias = Literal["spawn", "spawn_link", "spawn_monitor"]


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start `child`, which does `script` before it obeys; `ref` names the monitor of a `spawn_monitor`."""

    how: How
    child: str
    ref: str = ""
    script: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    target: str


@dataclass(frozen=True, slots=True)
class Unlink:
    target: str


@dataclass(frozen=True, slots=True)
class Monitor:
    """Watch a process, or whoever has a name."""

    ref: str
    target: str


@dataclass(frozen=True, slots=True)
class Demonitor:
    """Stop watching, and tell whether the monitor still stood; with `flush` a queued Down is removed."""

    ref: str
    flush: bool = False


@dataclass(frozen=True, slots=True)
class Trap:
    on: bool


@dataclass(frozen=True, slots=True)
class Exit:
    """Send an exit signal; to oneself is legitimate."""

    target: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Quit:
    """The process ends by itself: its function returns, it exits with `reason`, or it raises."""

    how: Literal["return", "exit", "error"]
    reason: Reason = "normal"


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message to a process or a name."""

    target: str
    tag: str


@dataclass(frozen=True, slots=True)
class Register:
    name: str
    target: str


@dataclass(frozen=True, slots=True)
class Unregister:
    name: str


@dataclass(frozen=True, slots=True)
class Whereis:
    name: str


@dataclass(frozen=True, slots=True)
class Alive:
    target: str


@dataclass(frozen=True, slots=True)
class Take:
    """Receive, without waiting: all that is there, one by one; or the first exit of a process, down of a monitor, message.

    There is no "the first of all": which one of several dead was first is often open (see `rules.py`).
    """

    kind: Literal["all", "exit", "down", "message"]
    of: str = ""


@dataclass(frozen=True, slots=True)
class Attend:
    """Whether messages are noted as they come (`eager`) or left in the mailbox for `Take` (`picky`)."""

    how: Literal["eager", "picky"]


@dataclass(frozen=True, slots=True)
class Timer:
    """Start a timer of one hour."""

    timer: str


@dataclass(frozen=True, slots=True)
class Cancel:
    timer: str


@dataclass(frozen=True, slots=True)
class Soon:
    """Send oneself a message after no time, and wait for it, past what is in the mailbox already."""

    tag: str


@dataclass(frozen=True, slots=True)
class Bare:
    """Do something without catching its error: if it is refused, the process crashes."""

    action: Link | Send | Register | Unregister


Action: TypeAlias = (
    Spawn
    | Link
    | Unlink
    | Monitor
    | Demonitor
    | Trap
    | Exit
    | Quit
    | Send
    | Register
    | Unregister
    | Whereis
    | Alive
    | Take
    | Attend
    | Timer
    | Cancel
    | Soon
    | Bare
)


@dataclass(frozen=True, slots=True)
class Do:
    """Tell a process to do something, in one go."""

    process: str
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Hold:
    """Have a process wait for `Release` and look at nothing else: what comes meanwhile is queued."""

    process: str


@dataclass(frozen=True, slots=True)
class Release:
    process: str


Op: TypeAlias = Do | Hold | Release


@dataclass(frozen=True, slots=True)
class Program:
    """Processes, and what is done to them. `seed` is only its name."""

    seed: int
    first: tuple[str, ...]
    ops: tuple[Op, ...]


PLAIN = Plain(
    *(
        Spawn,
        Link,
        Unlink,
        Monitor,
        Demonitor,
        Trap,
        Exit,
        Quit,
        Send,
        Register,
        Unregister,
        Whereis,
    ),
    *(Alive, Take, Attend, Timer, Cancel, Soon, Bare, Do, Hold, Release, Program),
)


def describe(program: Program) -> str:
    """The program for people."""
    steps = [f"  op {number}: {op}" for number, op in enumerate(program.ops, 1)]
    return "\n".join([f"  op 0: processes {' '.join(program.first)}", *steps])
