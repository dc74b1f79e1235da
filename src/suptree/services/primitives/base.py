"""`Primitive`: what the servers of this folder have in common.

Deadlines behind one timer, owners that are watched, and refusals, which are answers.  No
polling: what happens, happens at a message or at a deadline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, TypeVar

from suptree.core import Down, Pid, Timer, send
from suptree.errors import BadArgumentError, MailboxFullError
from suptree.otp import GenServer
from suptree.services.parts.checks import check_process
from suptree.services.parts.deadlines import NEVER, Deadlines
from suptree.services.parts.owners import Owners
from suptree.services.primitives.errors import PrimitiveError
from suptree.telemetry import Event

__all__ = ["Primitive"]

K = TypeVar("K")


class _Due:
    __slots__ = ()


_DUE: Final = _Due()


@dataclass(slots=True, eq=False)
class _Moment:
    key: str
    due: float = NEVER


class Primitive(GenServer, Generic[K]):
    """A table, the deadlines of its keys, and who is in it."""

    call_raises = (BadArgumentError, PrimitiveError)
    refusal: ClassVar[type[PrimitiveError]] = PrimitiveError
    """What the server raises when something is refused for no reason with a class of its own."""

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

    def check_here(self, role: str, pid: Pid[Any]) -> None:
        """Refuse what is no process of this runtime: it could not be watched.

        Raises:
            BadArgumentError: It is no pid.
            PrimitiveError: It lives in another runtime.
        """
        who = type(self).__name__
        check_process(who, role, pid)
        if pid.runtime is not self.pid.runtime:
            place = f"{pid!r} of {pid.runtime!r}"
            raise self.refusal(f"{who}: {role} must live in this runtime; got {place}.")

    def check_alive(self, role: str, pid: Pid[Any]) -> None:
        """As `check_here`, and refuse the dead."""
        self.check_here(role, pid)
        if not pid.is_alive():
            who = type(self).__name__
            raise self.refusal(f"{who}: {role} must be a live process; got {pid!r}.")

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
