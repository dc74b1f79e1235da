"""What a state machine is told, and what it answers: events, transitions, actions.  All values.

    events        CallMessage(sender, request)   CastMessage(request)   Info(message)
                  Internal(content)   Enter(previous)
                  StateExpired(content)   EventExpired(content)   Expired(name, content)

    transitions   Next(state, *actions)   Keep(*actions)   Repeat(*actions)
                  Stop(reason)   StopAndReply(reason, *replies)

    actions       Reply(value)   Answer(sender, value)   Postpone()   NextEvent(event)
                  StateTimeout(seconds, content)   EventTimeout(seconds, content)
                  GenericTimeout(name, seconds, content)

Whoever carries them out is `machine_body.py`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from suptree.core import CallMessage, CastMessage, ReplyTo
from suptree.otp.directives import Hibernate, NoReply, Reply, Stop

__all__ = [
    "UPDATE",
    "Action",
    "Answer",
    "Enter",
    "Event",
    "EventExpired",
    "EventTimeout",
    "Expired",
    "GenericTimeout",
    "Info",
    "Internal",
    "Keep",
    "MachineState",
    "Next",
    "NextEvent",
    "Postpone",
    "Repeat",
    "StateExpired",
    "StateTimeout",
    "StopAndReply",
    "TimeoutAction",
    "Transition",
]

# -- events -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Info:
    """A plain message, a `Down`, an `Exit`, or the message of a `send_after`."""

    message: Any


@dataclass(frozen=True, slots=True)
class Internal:
    """What the machine sent itself with `NextEvent`."""

    content: Any


@dataclass(frozen=True, slots=True)
class Enter:
    """The state was entered; at start *previous* is the state itself (S64)."""

    previous: Any


@dataclass(frozen=True, slots=True)
class StateExpired:
    """The `StateTimeout` is over."""

    content: Any = None


@dataclass(frozen=True, slots=True)
class EventExpired:
    """The `EventTimeout` is over: no event came."""

    content: Any = None


@dataclass(frozen=True, slots=True)
class Expired:
    """The `GenericTimeout` of that name is over."""

    name: Any
    content: Any = None


Event = CallMessage | CastMessage | Info | Internal | StateExpired | EventExpired | Expired
"""What a state function is given."""


# -- actions ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """Reply *value* to *sender*, the `sender` of an earlier call event."""

    sender: ReplyTo
    value: Any


@dataclass(frozen=True, slots=True)
class Postpone:
    """Handle this event again after the next change of state (S62)."""


@dataclass(frozen=True, slots=True)
class NextEvent:
    """Handle *event* next, before anything queued; several go in the order listed (S62)."""

    event: Event

    def __post_init__(self) -> None:
        if not isinstance(self.event, Event):
            raise TypeError(
                f"NextEvent: event must be an event such as Internal(content); got {self.event!r}."
            )


UPDATE: Final = "update"
Seconds = float | Literal["update"] | None


class _Timeout:
    """What the three kinds of timeout have in common."""

    __slots__ = ()

    seconds: Any

    def __post_init__(self) -> None:
        seconds = self.seconds
        if seconds is None or seconds == UPDATE:
            return
        number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        if not number or not math.isfinite(seconds) or seconds < 0:
            raise ValueError(
                f"{type(self).__name__}: seconds must be a finite number, 0 or more, "
                f"or None to cancel; got {seconds!r}."
            )


@dataclass(frozen=True, slots=True)
class StateTimeout(_Timeout):
    """Bring `StateExpired(content)` unless the state changes within *seconds* (S65).

    0 comes before any message that waits (S66); None cancels.
    """

    seconds: Seconds
    content: Any = None

    @classmethod
    def cancel(cls) -> StateTimeout:
        """Stop the running one; none is no error."""
        return cls(None)

    @classmethod
    def update(cls, content: Any) -> StateTimeout:
        """Change the content of the running one only; without one it comes at once."""
        return cls(UPDATE, content)


@dataclass(frozen=True, slots=True)
class EventTimeout(_Timeout):
    """Bring `EventExpired(content)` unless any event is handled within *seconds* (S65).

    0 comes before any message that waits, but inserted events cancel it (S66).
    """

    seconds: Seconds
    content: Any = None


@dataclass(frozen=True, slots=True)
class GenericTimeout(_Timeout):
    """Bring `Expired(name, content)` after *seconds*, whatever happens meanwhile (S65).

    There is one per name: setting it again replaces it.
    """

    name: Hashable
    seconds: Seconds
    content: Any = None

    @classmethod
    def cancel(cls, name: Hashable) -> GenericTimeout:
        """Stop the running one of that name; none is no error."""
        return cls(name, None)

    @classmethod
    def update(cls, name: Hashable, content: Any) -> GenericTimeout:
        """Change the content of the running one only; without one it comes at once."""
        return cls(name, UPDATE, content)


TimeoutAction = StateTimeout | EventTimeout | GenericTimeout
"""What starts, changes or cancels a timeout of a state machine."""
Action = Reply[Any] | Answer | Postpone | NextEvent | TimeoutAction | Hibernate
"""What a state machine does beside its transition, in the order listed."""


# -- transitions --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, init=False)
class Next:
    """Go to *state*, then do *actions* in order; the same state is no change (S63)."""

    state: Any
    actions: tuple[Action, ...]

    def __init__(self, state: Any, *actions: Action) -> None:
        object.__setattr__(self, "state", state)
        object.__setattr__(self, "actions", actions)


@dataclass(frozen=True, slots=True, init=False)
class Keep:
    """Stay in this state and do *actions*."""

    actions: tuple[Action, ...]

    def __init__(self, *actions: Action) -> None:
        object.__setattr__(self, "actions", actions)


@dataclass(frozen=True, slots=True, init=False)
class Repeat:
    """Stay in this state, but make its enter call again (S63)."""

    actions: tuple[Action, ...]

    def __init__(self, *actions: Action) -> None:
        object.__setattr__(self, "actions", actions)


@dataclass(frozen=True, slots=True, init=False)
class StopAndReply:
    """Send the replies, then terminate with *reason* and exit (S69)."""

    reason: Any
    replies: tuple[Answer | Reply[Any], ...]

    def __init__(self, reason: Any, *replies: Answer | Reply[Any]) -> None:
        object.__setattr__(self, "reason", reason)
        object.__setattr__(self, "replies", replies)


Transition = Next | Keep | Repeat | Stop | StopAndReply | Reply[Any] | NoReply | None
"""What a state function returns.  None is `Keep()`, except that a call must get an explicit answer."""


class MachineState(NamedTuple):
    """What `sys.get_state` shows of a machine, and `sys.replace_state` maps."""

    state: Any
    data: dict[str, Any]
