"""`MachineBody`: the process side of a state machine: the order of events, timeouts, transitions.

One event is handled per turn.  What has to come before the mailbox (inserted events,
postponed ones tried again, timeouts of 0) waits in `_queue` and `_timeouts`, and a
CONTINUE at the front of the mailbox calls for it, so that quotas hold here too.

    inserted events -> retried postponed events -> timeouts of 0 -> the mailbox   (S61, S62, S66)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from types import CoroutineType, MethodType
from typing import TYPE_CHECKING, Any, Final

from suptree.core import (
    CALL,
    CAST,
    CONTINUE,
    RESTING,
    SYSTEM,
    TIMER,
    CallMessage,
    Carried,
    CastMessage,
    Envelope,
    ReplyTo,
    Timer,
    carrying,
)
from suptree.errors import UnknownStateError
from suptree.near import near
from suptree.otp.directives import NOTHING, BadReturn, Hibernate, NoReply, Reply, Stop
from suptree.otp.machine_timeouts import EVENT, STATE, RunningTimeout, Timeouts
from suptree.otp.transitions import (
    Answer,
    Enter,
    Event,
    EventTimeout,
    GenericTimeout,
    Info,
    Keep,
    MachineState,
    Next,
    NextEvent,
    Postpone,
    Repeat,
    StateTimeout,
    StopAndReply,
    TimeoutAction,
)
from suptree.otp.turn_body import TurnBody, assign_attributes, attributes_of

if TYPE_CHECKING:
    from suptree.otp.behaviour import Behaviour

__all__ = ["MachineBody"]

_REPLIES: Final = frozenset((Reply, Answer))


class _Occurrence:
    """One event on its way: what the state function sees, and the envelope it came in."""

    __slots__ = ("envelope", "value")

    def __init__(self, value: Any, envelope: Envelope) -> None:
        self.value = value
        self.envelope = envelope

    @property
    def reply_to(self) -> ReplyTo | None:
        """Where the answer goes, if it is a call."""
        return self.envelope[1] if self.envelope[0] == CALL else None

    @property
    def typed(self) -> bool:
        """Whether a handler of its own takes it, instead of a state function."""
        return self.envelope[0] in (CALL, CAST) and self.envelope[2] is not None


class _Change:
    """A transition being put together from what the state function and the enter call say."""

    __slots__ = ("changed", "enters", "inserted", "occurrence", "old", "postpone", "timeouts")

    def __init__(
        self, occurrence: _Occurrence | None, old: Any, changed: bool, enters: bool
    ) -> None:
        self.occurrence = occurrence
        self.old = old
        self.changed = changed
        self.enters = enters
        self.postpone = False
        self.inserted: list[Event] = []
        self.timeouts: list[TimeoutAction] = []


class MachineBody(TurnBody):
    """See the module text.

    Attributes:
        state: The state; NOTHING before init has said one.
    """

    kind = "state machine"
    resting = RESTING  # an event has to go through `turn`, so no call is direct

    __slots__ = ("_left", "_postponed", "_queue", "_timeouts", "state")

    def __init__(self, cls: type[Behaviour], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__(cls, args, kwargs)
        self.state: Any = NOTHING
        self._left: Any = NOTHING  # during an enter call: the state before
        self._queue: deque[_Occurrence] = deque()
        self._postponed: list[_Occurrence] = []
        self._timeouts = Timeouts()

    # -- init -----------------------------------------------------------------------------

    def initialised(self, value: Any) -> bool:
        """A state, or `Next(state, *actions)`; the enter call comes before any event (S64)."""
        if value is None or isinstance(value, (Keep, Repeat, StopAndReply, NoReply, Reply)):
            return False
        actions = value.actions if isinstance(value, Next) else ()
        self.state = self._known(value.state if isinstance(value, Next) else value)
        self._timeouts.attach(self.process)
        self.process.own_mailbox().appendleft((CONTINUE, Next(self.state, *actions)))
        return True

    def _known(self, state: Any) -> Any:
        """The state as it is kept; in the mode of state functions it must have one."""
        server = self.server
        if server.handles_all_events():
            return state
        if isinstance(state, MethodType) and state.__self__ is server:
            state = state.__name__
        name = _function_name(state)
        if name is None or not server.is_state(name):
            states: list[str] = server.states()
            raise UnknownStateError(type(server).__qualname__, state, near(name, states))
        return state

    # -- events ---------------------------------------------------------------------------

    def turn(self, envelope: Envelope) -> None:
        """Handle one event; what a state function raises flies to `core/process.py`."""
        kind = envelope[0]
        process = self.process
        if kind == CONTINUE:
            if envelope[1] is not None:
                self._enter_first(envelope[1])
                return
            occurrence = self._next()
            envelope = process.current = occurrence.envelope
            if envelope.__class__ is tuple:
                self._handle(occurrence)
            else:
                process.turn_carrying(envelope, self._handle, occurrence)
        elif kind == SYSTEM:
            process.answer_system(envelope)
        elif process.is_from_parent(envelope):
            self.stop(envelope[1].reason)  # S42
        elif kind == TIMER:
            self._timer(envelope)
        elif kind == CALL:
            self._handle(_Occurrence(CallMessage(envelope[1], _request(envelope)), envelope))
        elif kind == CAST:
            self._handle(_Occurrence(CastMessage(_request(envelope)), envelope))
        else:
            self._handle(_Occurrence(Info(envelope[1]), envelope))

    def _enter_first(self, start: Next) -> None:
        change = _Change(None, self.state, changed=True, enters=True)
        if self._act(change, start.actions, entering=False):
            self._enter(change)

    def _next(self) -> _Occurrence:
        """What comes before the mailbox."""
        if self._queue:
            return self._queue.popleft()
        event, carried = self._timeouts.take_due()
        return _carrying(_internal(event), carried)

    def _timer(self, envelope: Envelope) -> None:
        timer: Timer = envelope[1]
        if timer.cancelled:  # S67
            return
        running = timer.message
        if isinstance(running, RunningTimeout):
            self._handle(self._goes_on(self._timeouts.fired(running)))
        else:
            self._handle(_Occurrence(Info(running), envelope))

    def _handle(self, occurrence: _Occurrence) -> None:
        if occurrence.typed:
            _, _, handler, args, kwargs = occurrence.envelope
            result = handler(self.server, *args, **kwargs)
        else:
            result = self._call(occurrence.value)
        self._returned(occurrence, result)

    def _call(self, event: Any) -> Any:
        """The state function of this state, or the one function for all."""
        server = self.server
        if server.handles_all_events():
            return server.handle_event(event, self.state)
        name = _function_name(self.state)
        assert name is not None
        function: Callable[[Any], Any] = getattr(server, name)
        return function(event)

    def _returned(self, occurrence: _Occurrence, result: Any) -> None:
        """What a state function returned, in the end."""
        if result.__class__ is CoroutineType:
            self.process.run_async(result, lambda value: self._returned(occurrence, value))
            return
        reply_to = occurrence.reply_to
        if result.__class__ is Reply:
            self._go(occurrence, self.state, (result,), repeat=False)
            return
        match result:
            case Next(state, actions):
                state = self._known(state)
                self._go(occurrence, state, actions, repeat=False)
            case Keep(actions):
                self._go(occurrence, self.state, actions, repeat=False)
            case Repeat(actions):
                self._go(occurrence, self.state, actions, repeat=True)
            case Stop(reason, reply):
                replies = () if reply is NOTHING else (Reply(reply),)
                self._stop_and_reply(occurrence, reason, replies)
            case StopAndReply(reason, replies):
                self._stop_and_reply(occurrence, reason, replies)
            case NoReply(None):
                self._go(occurrence, self.state, (), repeat=False)
            case _ if occurrence.typed and reply_to is not None:
                self._go(occurrence, self.state, (Reply(result),), repeat=False)
            case None if reply_to is None or reply_to.done():
                self._go(occurrence, self.state, (), repeat=False)
            case _:
                self.stop(BadReturn(result))  # S68

    # -- transitions -----------------------------------------------------------------------

    def _go(
        self, occurrence: _Occurrence, state: Any, actions: tuple[Any, ...], *, repeat: bool
    ) -> None:
        old = self.state
        changed = bool(state != old)
        change = _Change(occurrence, old, changed, changed or repeat)
        if self._act(change, actions, entering=False):
            if changed:
                self.state = state
            self._enter(change)

    def _act(self, change: _Change, actions: tuple[Any, ...], *, entering: bool) -> bool:
        """Do or note each action; False if one was bad, and the machine ends."""
        occurrence = change.occurrence
        for action in actions:
            if action.__class__ in _REPLIES and self._send_reply(occurrence, action):
                continue
            match action:
                case StateTimeout() | EventTimeout() | GenericTimeout():
                    change.timeouts.append(action)
                case Hibernate():
                    pass
                case NextEvent(event) if not entering:
                    change.inserted.append(event)
                case Postpone() if not entering:  # of init there is nothing to postpone
                    change.postpone = True
                case _:
                    self.stop(BadReturn(action))
                    return False
        return True

    def _send_reply(self, occurrence: _Occurrence | None, action: Any) -> bool:
        if isinstance(action, Answer):
            self.process.runtime.reply(action.sender, action.value)
            return True
        reply_to = None if occurrence is None else occurrence.reply_to
        if reply_to is None or action.then is not None:
            return False
        self.process.runtime.reply(reply_to, action.value)
        return True

    def _enter(self, change: _Change) -> None:
        """The enter call, if the class asks for it and this transition makes one (S64)."""
        if change.enters and self.server.state_enter:
            self._left = change.old
            self._entered(change, self._call(Enter(change.old)))
        else:
            self._commit(change)

    def _entered(self, change: _Change, result: Any) -> None:
        if result.__class__ is CoroutineType:
            self.process.run_async(result, lambda value: self._entered(change, value))
            return
        self._left = NOTHING
        match result:
            case None:
                self._commit(change)
            case Keep(actions):
                if self._act(change, actions, entering=True):
                    self._commit(change)
            case Next(state, actions) if self._known(state) == self.state:
                if self._act(change, actions, entering=True):
                    self._commit(change)
            case Repeat(actions):
                if self._act(change, actions, entering=True):
                    self._enter(change)
            case Stop(reason, reply):
                replies = () if reply is NOTHING else (Reply(reply),)
                self._stop_and_reply(change.occurrence, reason, replies)
            case StopAndReply(reason, replies):
                self._stop_and_reply(change.occurrence, reason, replies)
            case _:
                self.stop(BadReturn(result))

    def answers(self, error: BaseException) -> bool:
        """As for every server; the machine keeps its state, as after a Keep()."""
        envelope = self.process.current
        if envelope is None or self._left is not NOTHING or not super().answers(error):
            return False
        self._go(_Occurrence(None, envelope), self.state, (), repeat=False)
        return True

    def failed(self, reason: object) -> None:
        """A callback raised; if it was an enter call, the machine never left the state before."""
        if self._left is not NOTHING:
            self.state, self._left = self._left, NOTHING
        super().failed(reason)

    def _commit(self, change: _Change) -> None:
        """Everything is said: put queue and timeouts in order."""
        occurrence = change.occurrence
        if occurrence is not None:
            self._owe(occurrence.reply_to)
            if change.postpone:
                self._postponed.append(occurrence)
            self._timeouts.cancel(EVENT)
            if change.changed:
                self._queue.extendleft(reversed(self._postponed))
                self._postponed.clear()
                self._timeouts.cancel(STATE)
        self._timeouts.apply(change.timeouts)
        self._queue.extendleft(self._goes_on(event) for event in reversed(change.inserted))
        if self._queue or self._timeouts:
            self.process.own_mailbox().appendleft((CONTINUE, None))

    def _goes_on(self, event: Event) -> _Occurrence:
        """An inserted event carries what the message did from which it follows."""
        return _carrying(_internal(event), self.process.carried)

    def _owe(self, reply_to: ReplyTo | None) -> None:
        """A call is left open: the death of this process answers it."""
        if reply_to is None or reply_to.done():
            return
        process = self.process
        if process.pending is None:
            process.pending = set()
        process.pending.add(reply_to)

    def _stop_and_reply(
        self, occurrence: _Occurrence | None, reason: object, replies: tuple[Any, ...]
    ) -> None:
        for reply in replies:  # S69: before terminate
            if reply.__class__ not in _REPLIES or not self._send_reply(occurrence, reply):
                self.stop(BadReturn(reply))
                return
        self.stop(reason)

    # -- system requests ----------------------------------------------------------------------

    def get_state(self) -> MachineState:
        """The state, and a shallow copy of the attributes."""
        return MachineState(self.state, attributes_of(self.server))

    def replace_state(self, function: Callable[[Any], Any]) -> MachineState:
        """Map state and attributes; no enter call, and timeouts go on."""
        new: Any = function(self.get_state())
        if not isinstance(new, MachineState):
            raise TypeError(
                "replace_state: the function must return a MachineState(state, data); "
                f"got {type(new).__name__}."
            )
        state = self._known(new.state)
        assign_attributes(self.server, new.data)
        self.state = state
        return self.get_state()


def _internal(event: Any) -> _Occurrence:
    """An event that came in no envelope of its own."""
    if isinstance(event, CallMessage):
        return _Occurrence(event, (CALL, event.sender, None, (event.request,), {}))
    return _Occurrence(event, (CONTINUE, event))


def _carrying(occurrence: _Occurrence, carried: Carried | None) -> _Occurrence:
    occurrence.envelope = carrying(occurrence.envelope, carried)
    return occurrence


def _function_name(state: Any) -> str | None:
    """The name of the method for *state*: a string itself, an enum member's name in lower case."""
    if isinstance(state, str):
        return state.value if isinstance(state, Enum) else state
    return state.name.lower() if isinstance(state, Enum) else None


def _request(envelope: Envelope) -> Any:
    """What a state function sees of a request; a typed one goes to its own handler."""
    return envelope[3][0] if envelope[2] is None else None
