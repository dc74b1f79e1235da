"""Messages: the records that users see, and the envelopes that mailboxes hold.

An envelope is a plain tuple whose first item is its kind; it is built here and in
the two client halves (`otp/gen_server.py`, `otp/gen_statem.py`) and nowhere else.
A tuple costs a tenth of a frozen record, and there is one per message.

    (CALL, reply_to, handler, args, kwargs)    handler None: a request for handle_call in args[0]
    (CAST, None,     handler, args, kwargs)    handler None: a request for handle_cast in args[0]
    (INFO, message)                            sent with `send`, or a timer's message
    (EXIT, Exit)  (DOWN, Down)                 signals that became messages
    (TIMER, Timer)                             a timer that fired, unless cancelled meanwhile
    (SYSTEM, slot, operation)                  operation(body) -> value, answered between messages;
                                               without a slot nobody waits for that
    (IDLE_TIMEOUT, Timer)                      nothing came for as long as the server said
    (CONTINUE, argument)                       put in front by a server that said Continue(argument)

Only CALL, CAST and INFO count against the bound of a mailbox.  With a propagator they have
an optional field beside what stands here: see `propagation.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from suptree.core.pid import Pid, Ref

if TYPE_CHECKING:
    from suptree.core.slot import ReplyTo

__all__ = [
    "CALL",
    "CAST",
    "CONTINUE",
    "DOWN",
    "EXIT",
    "IDLE_TIMEOUT",
    "INFO",
    "NO_KWARGS",
    "SYSTEM",
    "TIMEOUT",
    "TIMER",
    "CallMessage",
    "CastMessage",
    "Down",
    "Envelope",
    "Exit",
    "TableTransfer",
]

Envelope = tuple[Any, ...]

NO_KWARGS: Final[Mapping[str, Any]] = MappingProxyType({})
"""The keyword arguments of a request that has none: one for all, and never written to."""

CALL: Final = 0
CAST: Final = 1
INFO: Final = 2
EXIT: Final = 3
DOWN: Final = 4
TIMER: Final = 5
SYSTEM: Final = 6
IDLE_TIMEOUT: Final = 7
CONTINUE: Final = 8


class _Timeout:
    """The message that `handle_info` gets when the idle timeout of a server is over."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "TIMEOUT"


TIMEOUT: Final = _Timeout()
"""What handle_info gets when the idle timeout of a server is over, see `Timeout` (OTP: the atom timeout)."""


@dataclass(frozen=True, slots=True)
class Exit:
    """An exit signal as a message, to a process that traps exits (OTP: `{'EXIT', Pid, Reason}`)."""

    pid: Pid[Any]
    reason: object


@dataclass(frozen=True, slots=True)
class Down:
    """A monitored process has ended (OTP: `{'DOWN', Ref, process, Object, Reason}`).

    Attributes:
        ref: What `monitor` returned.
        process: The pid, or the name if a name was monitored.
        reason: Why it ended; NOPROC if it was not there when the monitor was made.
    """

    ref: Ref
    process: Pid[Any] | str
    reason: object


@dataclass(frozen=True, slots=True)
class TableTransfer:
    """A table changed hands: its owner ended, or gave it away (OTP: `'ETS-TRANSFER'`)."""

    table: Any
    from_pid: Pid[Any]
    data: object


@dataclass(frozen=True, slots=True)
class CallMessage:
    """What a plain process receives when somebody calls it; answer with `reply(sender, value)`."""

    sender: ReplyTo
    request: object


@dataclass(frozen=True, slots=True)
class CastMessage:
    """What a plain process receives when somebody casts to it."""

    request: object
