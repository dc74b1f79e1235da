"""`Primitive`: what the servers of this folder have in common.

Deadlines behind one timer, owners that are watched, and refusals that are raised in the
caller.  No polling: what happens, happens at a message or at a deadline.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from suptree.core import Down, Pid, Timer, find_runtime, send
from suptree.errors import MailboxFullError
from suptree.otp import GenServer, NoReply
from suptree.services.parts.deadlines import NEVER, Deadlines
from suptree.services.parts.owners import Owners
from suptree.services.primitives.errors import PrimitiveError
from suptree.telemetry import Event

__all__ = ["Primitive", "not_alive", "positive"]

K = TypeVar("K")
E = TypeVar("E", bound=PrimitiveError)


class _Due:
    __slots__ = ()


_DUE: Final = _Due()


@dataclass(slots=True, eq=False)
class _Moment:
    key: str
    due: float = NEVER


class Primitive(GenServer, Generic[K]):
    """A table, the deadlines of its keys, and who is in it."""

    def __init__(self) -> None:
        self.owners: Owners[K] = Owners()
        self.deadlines: Deadlines[_Moment] = Deadlines()
        self.moments: dict[str, _Moment] = {}
        self.timer: Timer | None = None
        self.undelivered = 0

    def overdue(self, key: str) -> None:
        """The deadline of *key* has passed."""

    def departed(self, key: K, pid: Pid[Any], reason: object) -> None:
        """*pid*, which owned *key*, has ended."""

    def handle_info(self, message: object) -> None:
        """A deadline, or the end of an owner."""
        if message is _DUE:
            self.timer = None
            while (moment := self.deadlines.take_due(self.now())) is not None:
                del self.moments[moment.key]
                self.overdue(moment.key)
            self._arm()
        elif isinstance(message, Down):
            for owned in self.owners.gone(message):
                assert isinstance(message.process, Pid)
                self.departed(owned, message.process, message.reason)
        else:
            super().handle_info(message)

    def due_at(self, key: str, when: float) -> None:
        """*key* is overdue then, and not when it was to be before."""
        moment = self.moments.setdefault(key, _Moment(key))
        self.deadlines.set(moment, when)
        self._arm()

    def not_due(self, key: str) -> None:
        """*key* has no deadline any more."""
        moment = self.moments.pop(key, None)
        if moment is not None:
            self.deadlines.clear(moment)

    def _arm(self) -> None:
        """One timer, for the earliest; one that fires too early finds nothing and is set again."""
        earliest = self.deadlines.next_due()
        if earliest == NEVER or (self.timer is not None and self.timer.due <= earliest):
            return
        if self.timer is not None:
            self.cancel_timer(self.timer)
        self.timer = self.send_after(max(0.0, earliest - self.now()), _DUE)

    def now(self) -> float:
        """Seconds by the clock of the runtime."""
        return self.pid.runtime.now()

    def fail(self, error: PrimitiveError) -> NoReply:
        """Answer the call with *error*, which is raised in the caller."""
        self.sender.fail(error.with_traceback(None))
        return NoReply()

    def tell(self, pid: Pid[Any], message: object) -> None:
        """Send; what a full mailbox refuses is counted."""
        try:
            send(pid, message)
        except MailboxFullError:
            self.undelivered += 1

    def emit(
        self, event: Event, measurements: Mapping[str, float], metadata: Mapping[str, object]
    ) -> None:
        """Tell who listens."""
        slot = self.pid.runtime.telemetry.slot(event)
        if slot.handlers:
            slot.emit(measurements, {"server": self.pid, **metadata})


def positive(value: object) -> bool:
    """Whether *value* is a finite number of seconds above 0."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 < value <= sys.float_info.max  # an int may be beyond every float
    )


def not_alive(pid: object, server: str, role: str, error: type[E]) -> E | None:
    """The error of a request about *pid*, which must be a live process of this runtime; None if it is."""
    if isinstance(pid, Pid) and pid.is_alive():
        if pid.runtime is find_runtime(server):
            return None
        return error(f"{server}: {role} must live in this runtime; got {pid!r} of {pid.runtime!r}.")
    return error(f"{server}: {role} must be a live process; got {pid!r}.")
