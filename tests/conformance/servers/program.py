"""GenServer programs as plain values: what servers do with each message is written in the message.

A message carries a `Script`: the acts that its handler does, and what the handler returns. Both machines, the BEAM and
suptree, run the same program and write what each process saw, so only order and outcome can differ. Servers are
called a, b, c and d; a trace names the second process that was started as `a` `a#2`.

>>> program = Program(7, (Start(Server("a")), Ask("a", "pid", Script(1))))
>>> PLAIN.from_json(to_json(program)) == program
True
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tests.conformance.plain import Plain, to_json

__all__ = ["PLAIN", "to_json"]

Reason: TypeAlias = Literal["normal", "shutdown", "shutdown_why", "boom", "kill"]
"""An exit reason; `shutdown_why` is `{shutdown, why}`."""
By: TypeAlias = Literal["pid", "name"]
"""How a process is addressed."""

HOUR = 3_600_000
"""Milliseconds: an idle timeout that is there to be cancelled, replaced or left alone."""


# -- what a handler returns ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rest:
    """Wait for the next message."""


@dataclass(frozen=True, slots=True)
class Hibernate:
    """The same, asleep."""


@dataclass(frozen=True, slots=True)
class Continue:
    """Run *script* before the next message."""

    script: Script


@dataclass(frozen=True, slots=True)
class Idle:
    """Run *script* unless a message comes within *time* milliseconds, 0 or `HOUR`."""

    time: int
    script: Script


Then: TypeAlias = Rest | Hibernate | Continue | Idle


@dataclass(frozen=True, slots=True)
class Go:
    """Answer, if this is a call, and go on."""

    then: Then = Rest()


@dataclass(frozen=True, slots=True)
class Keep:
    """Do not answer the call now: keep it for an `Answer`. As `Go` for anything but a call."""

    then: Then = Rest()


@dataclass(frozen=True, slots=True)
class Given:
    """Do not answer the call: somebody else was asked to (`Forward`)."""

    then: Then = Rest()


@dataclass(frozen=True, slots=True)
class Quit:
    """Stop with *reason*; with *reply* a call is answered too, after `terminate`."""

    reason: Reason = "normal"
    reply: bool = False


@dataclass(frozen=True, slots=True)
class Raise:
    """Raise an error."""

    reason: Reason = "boom"


@dataclass(frozen=True, slots=True)
class Leave:
    """End by `exit(Reason)` in the middle of the callback."""

    reason: Reason = "boom"


@dataclass(frozen=True, slots=True)
class Bad:
    """Return what no callback may."""


@dataclass(frozen=True, slots=True)
class Default:
    """Leave the message to the default `handle_info`, which only reports it."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """From init: do not start, and that is no failure."""


Returned: TypeAlias = Go | Keep | Given | Quit | Raise | Leave | Bad | Default | Ignore


@dataclass(frozen=True, slots=True)
class Script:
    """What a handler does and returns. As a message, *id* says which one arrived."""

    id: int
    acts: tuple[Act, ...] = ()
    returns: Returned = Go()


# -- what a handler does ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    """Call a server, for ever if need be; a failure is written down, or, not *caught*, ends the caller."""

    to: str
    by: By
    script: Script
    caught: bool = True


@dataclass(frozen=True, slots=True)
class Cast:
    """Cast to a server, oneself included."""

    to: str
    by: By
    script: Script


@dataclass(frozen=True, slots=True)
class Send:
    """Send a plain message; a name that nobody has raises, which is written down."""

    to: str
    by: By
    script: Script


@dataclass(frozen=True, slots=True)
class Forward:
    """Have another server answer the call being handled; if that one is dead, answer it here."""

    to: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the oldest call that was kept, or the *newest*."""

    newest: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """Link with a server, *living* says: only if that lives."""

    to: str
    living: bool = True


@dataclass(frozen=True, slots=True)
class Unlink:
    to: str


@dataclass(frozen=True, slots=True)
class Watch:
    """Monitor a server, *living* says: only if that lives."""

    to: str
    by: By
    living: bool = True


@dataclass(frozen=True, slots=True)
class Unwatch:
    """Take back the oldest monitor of that server; with *flush* its Down too."""

    to: str
    flush: bool


@dataclass(frozen=True, slots=True)
class Trap:
    """Trap exits from now on, or no longer."""

    on: bool


@dataclass(frozen=True, slots=True)
class Signal:
    """Send an exit signal, to oneself too."""

    to: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Look:
    """Write down whether a server lives and who has its name."""

    to: str


@dataclass(frozen=True, slots=True)
class Inspect:
    """Send a system request, and do not wait for what it answers."""

    to: str


@dataclass(frozen=True, slots=True)
class Register:
    """Take or give up one's name; a refusal is written down."""

    on: bool


Act: TypeAlias = (
    Call
    | Cast
    | Send
    | Forward
    | Answer
    | Link
    | Unlink
    | Watch
    | Unwatch
    | Trap
    | Signal
    | Look
    | Inspect
    | Register
)


# -- what the driver does --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Server:
    """One server: how it is started, and what it does with what carries no script.

    Attributes:
        name: a, b, c or d.
        link: Whether the driver, which traps exits, is linked to it and is its parent.
        traps: Whether it traps exits from the start.
        registered: Whether it is registered under its name.
        init: What its init does and returns.
        on_exit: What it returns for an exit signal that became a message.
        on_down: What it returns for the end of a server that it monitors.
        goodbye: What `terminate` does: return, answer the calls that were kept, raise or exit with `bye`.
    """

    name: str
    link: bool = False
    traps: bool = False
    registered: bool = False
    init: Script = Script(0)
    on_exit: Returned = Go()
    on_down: Returned = Go()
    goodbye: Literal["ok", "answer", "raise", "leave"] = "ok"


@dataclass(frozen=True, slots=True)
class Start:
    """Start a server, unless it lives and has no name that would refuse a second one."""

    server: Server


@dataclass(frozen=True, slots=True)
class Ask:
    """Have a client call it; what the client got is written when it got it, perhaps ops later."""

    to: str
    by: By
    script: Script


@dataclass(frozen=True, slots=True)
class AskBriefly:
    """If it is suspended: call it with so short a timeout that the reply comes too late."""

    to: str
    script: Script


@dataclass(frozen=True, slots=True)
class Request:
    """Send it a request that joins the driver's set of them."""

    to: str
    by: By
    script: Script


@dataclass(frozen=True, slots=True)
class Collect:
    """Take every answered request out of the set, in the order of the answers."""


@dataclass(frozen=True, slots=True)
class Post:
    """Cast or send to it."""

    how: Literal["cast", "send"]
    to: str
    by: By
    script: Script


@dataclass(frozen=True, slots=True)
class Exit:
    """Send it an exit signal: from the driver, who may be its parent, or from a stranger."""

    to: str
    reason: Reason
    sender: Literal["driver", "stranger"]


@dataclass(frozen=True, slots=True)
class Tie:
    """Link the driver with it, or remove that link."""

    to: str
    on: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """Have a client stop it, by `gen_server:stop` or `sys:terminate`."""

    to: str
    reason: Reason
    how: Literal["stop", "terminate"]


@dataclass(frozen=True, slots=True)
class System:
    """Have a client ask `sys` something; `replace_raise` is a function that raises."""

    to: str
    what: Literal[
        "suspend",
        "resume",
        "get_state",
        "replace",
        "replace_raise",
        "code",
        "code_raise",
    ]


Op: TypeAlias = Start | Ask | AskBriefly | Request | Collect | Post | Exit | Tie | Stop | System


@dataclass(frozen=True, slots=True)
class Program:
    """What is done, one after the other; after each the driver waits until nothing can move any more."""

    seed: int
    ops: tuple[Op, ...]


PLAIN = Plain(
    *(Rest, Hibernate, Continue, Idle),
    *(Go, Keep, Given, Quit, Raise, Leave, Bad, Default, Ignore, Script),
    *(
        Call,
        Cast,
        Send,
        Forward,
        Answer,
        Link,
        Unlink,
        Watch,
        Unwatch,
        Trap,
        Signal,
        Look,
        Inspect,
        Register,
    ),
    *(Server, Start, Ask, AskBriefly, Request, Collect, Post, Exit, Tie, Stop, System, Program),
)
"""Reads programs back from JSON."""
