"""What a handler may return instead of a bare value, and the names of servers.

    a bare value            the reply (calls); None otherwise
    Reply(value, then=...)  reply, and then go on with Continue, Timeout or Hibernate
    NoReply(then=...)       answer later with `reply(sender, value)`
    Stop(reason, reply=...) terminate first, then reply, then exit (S33)
    Ignore()                from init only: do not start, and that is no failure

Plain values: whoever carries them out is `otp/gen_server.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, TypeVar

from suptree.core import CURRENT, NORMAL, Pid, Process, ViaName, find_runtime
from suptree.errors import NoProcessError

__all__ = [
    "NOTHING",
    "BadReturn",
    "Continue",
    "Hibernate",
    "Ignore",
    "NoReply",
    "Reply",
    "ServerRef",
    "Stop",
    "Then",
    "Timeout",
    "resolve",
]

R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")


class _Nothing:
    __slots__ = ()

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Final = _Nothing()
"""No reply: distinct from replying None."""


@dataclass(frozen=True, slots=True)
class Continue:
    """Run ``handle_continue(argument)`` before the next message (S25)."""

    argument: object = None


@dataclass(frozen=True, slots=True)
class Timeout:
    """Send TIMEOUT to handle_info unless a message comes within *seconds* (S36)."""

    seconds: float

    def __post_init__(self) -> None:
        if not isinstance(self.seconds, (int, float)) or not 0 <= self.seconds < float("inf"):
            raise ValueError(
                f"Timeout: seconds must be a finite number, 0 or more; got {self.seconds!r}."
            )


@dataclass(frozen=True, slots=True)
class Hibernate:
    """Accepted for OTP's sake (S47); memory needs no help here."""


Then = Continue | Timeout | Hibernate


@dataclass(frozen=True, slots=True)
class Reply(Generic[R_co]):
    """Reply with *value*, then go on as *then* says."""

    value: R_co
    then: Then | None = None


@dataclass(frozen=True, slots=True)
class NoReply:
    """No reply now; go on as *then* says."""

    then: Then | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """End the server with *reason*; in a call, *reply* is sent after terminate."""

    reason: object = NORMAL
    reply: Any = NOTHING


@dataclass(frozen=True, slots=True)
class Ignore:
    """From init: do not start, without an error (S20)."""


@dataclass(frozen=True, slots=True)
class BadReturn:
    """As an exit reason: a handler returned what nobody understands (S37)."""

    value: object

    hint: ClassVar[str] = (
        "a callback returned it. Only a call returns a reply; the others return None or a directive "
        "(NoReply, Stop, Continue, Timeout, Hibernate; from init also Ignore)"
    )


ServerRef = Pid[S] | str | ViaName
"""How a server is named: its pid, its registered name, or `via(registry, key)`."""


def resolve(server: Pid[Any] | str | ViaName, doing: str) -> Process | None:
    """The live process that *server* names, or None.  Checks the thread."""
    if isinstance(server, Pid):
        return server.runtime.find(server, doing)
    current = CURRENT.get()
    if current is None or current.runtime.closed:
        return find_runtime(doing).find(server, doing)
    return current.runtime.find(server, doing)


def nobody(server: Pid[Any] | str | ViaName, doing: str) -> NoProcessError:
    """The error of a request to nobody, with what may have been meant."""
    if isinstance(server, Pid):
        return NoProcessError(server, doing)
    if isinstance(server, str):
        return NoProcessError(server, doing, find_runtime(doing).names.hint_for(server))
    return NoProcessError(server, doing, getattr(server, "hint", None))


def current_server_process() -> Process | None:
    """The process whose handler runs here, or None."""
    return CURRENT.get()
