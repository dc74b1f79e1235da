"""The timeouts of one state machine: one that runs per kind and name, and those of 0 that are due.

StateTimeout       one, cancelled by a change of state    } `MachineBody` says when
EventTimeout       one, cancelled by any event            }
GenericTimeout     one per name
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Final

from suptree.core import Carried, Process, Timer, carry_with_timer
from suptree.otp.transitions import (
    UPDATE,
    Event,
    EventExpired,
    EventTimeout,
    Expired,
    GenericTimeout,
    StateExpired,
    StateTimeout,
    TimeoutAction,
)

__all__ = ["EVENT", "STATE", "RunningTimeout", "Timeouts"]

STATE: Final = ("state",)
EVENT: Final = ("event",)


class RunningTimeout:
    """A timeout that runs: the message of its timer."""

    __slots__ = ("content", "key", "timer")

    def __init__(self, key: Hashable, content: Any) -> None:
        self.key = key
        self.content = content
        self.timer: Timer | None = None


class Timeouts:
    """See the module text."""

    __slots__ = ("_due", "_process", "_running")

    def __init__(self) -> None:
        self._process: Process | None = None
        self._running: dict[Hashable, RunningTimeout] = {}
        # Of 0, in the order they were set, each with what its event carries (law 15).
        self._due: dict[Hashable, tuple[Any, Carried | None]] = {}

    def __bool__(self) -> bool:
        """Whether one of 0 is due: it comes before the mailbox (S66)."""
        return bool(self._due)

    def attach(self, process: Process) -> None:
        """Timers belong to *process*, and end with it."""
        self._process = process

    def apply(self, actions: Iterable[TimeoutAction]) -> None:
        """Carry out the timeouts of one list: of each kind the last one alone, in its place (S70)."""
        last: dict[Hashable, TimeoutAction] = {}
        for action in actions:
            key = _key(action)
            last.pop(key, None)
            last[key] = action
        for key, action in last.items():
            self._set(key, action)

    def _set(self, key: Hashable, action: TimeoutAction) -> None:
        if action.seconds == UPDATE:
            running = self._running.get(key)
            if running is None:
                self._is_due(key, action.content)
            else:
                running.content = action.content
            return
        self.cancel(key)
        if action.seconds == 0:
            self._is_due(key, action.content)
        elif action.seconds is not None:
            process = self._process
            assert process is not None
            running = self._running[key] = RunningTimeout(key, action.content)
            runtime = process.runtime
            timer = runtime.ticker.send_after(process, process, float(action.seconds), running)
            running.timer = timer
            if runtime.propagator is not None:
                carry_with_timer(runtime, timer)

    def _is_due(self, key: Hashable, content: Any) -> None:
        self._due[key] = content, None if self._process is None else self._process.carried

    def cancel(self, key: Hashable) -> None:
        """Stop the one of that key; it never delivers, even if it had fired (S67)."""
        self._due.pop(key, None)
        running = self._running.pop(key, None)
        if running is not None and running.timer is not None and self._process is not None:
            self._process.runtime.ticker.cancel(running.timer)

    def take_due(self) -> tuple[Event, Carried | None]:
        """The event of the first one of 0, and what it carries."""
        key = next(iter(self._due))
        content, carried = self._due.pop(key)
        return _expired(key, content), carried

    def fired(self, running: RunningTimeout) -> Event:
        """The event of one whose timer fired."""
        del self._running[running.key]
        return _expired(running.key, running.content)


def _key(action: TimeoutAction) -> Hashable:
    match action:
        case StateTimeout():
            return STATE
        case EventTimeout():
            return EVENT
        case GenericTimeout(name):
            return ("generic", name)


def _expired(key: Any, content: Any) -> Event:
    if key == STATE:
        return StateExpired(content)
    return EventExpired(content) if key == EVENT else Expired(key[1], content)
