"""`Primitive`: what the servers of this folder have in common.

Deadlines behind one timer, owners that are watched, waits that can be given up, and refusals,
which are answers.  No polling: what happens, happens at a message or at a deadline.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Generic, TypeVar

from suptree.core import Down, Pid, ReplyTo, Timer, current, send
from suptree.errors import BadArgumentError, BadRequestError, MailboxFullError
from suptree.otp import GenServer
from suptree.services.parts.checks import check_process
from suptree.services.parts.deadlines import NEVER, Deadlines
from suptree.services.parts.hold import give_back
from suptree.services.parts.owners import Owners
from suptree.services.primitives.errors import PrimitiveError
from suptree.telemetry import Event

__all__ = ["Primitive", "Waiters", "asker", "wait_in"]

K = TypeVar("K")
T = TypeVar("T")


class _Due:
    __slots__ = ()


_DUE: Final = _Due()


@dataclass(slots=True, eq=False)
class _Moment:
    key: str
    due: float = NEVER


@dataclass(slots=True)
class Waiters:
    """Who waits for an answer; those who gave up are forgotten once they may be half of all."""

    senders: list[ReplyTo] = field(default_factory=list[ReplyTo])
    _stayed: int = 0  # when they were last looked through

    def add(self, sender: ReplyTo) -> None:
        """One more; however many there are, it costs the same."""
        if len(self.senders) > 2 * self._stayed:
            self.senders = [each for each in self.senders if not each.done()]
            self._stayed = len(self.senders)
        self.senders.append(sender)


class Primitive(GenServer, Generic[K]):
    """A table, the deadlines of its keys, and who is in it."""

    call_raises = (BadArgumentError, PrimitiveError)
    refusal: ClassVar[type[PrimitiveError]] = PrimitiveError
    """What the server raises when something is refused for no reason with a class of its own."""
    counted: ClassVar[tuple[str, ...]] = ()
    """What it counts for ever, as its statistics name it."""

    def __init__(self) -> None:
        self.owners: Owners[K] = Owners()
        self.deadlines: Deadlines[_Moment] = Deadlines()
        self.moments: dict[str, _Moment] = {}
        self.timer: Timer | None = None
        self.counts = dict.fromkeys(self.counted, 0)

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

    def watch(self, pids: Iterable[Pid[Any]], key: K) -> None:
        """Each of *pids* owns *key*, until it is `settled`."""
        for pid in pids:
            self.owners.add(pid, key)

    def settled(self, key: str, pids: Iterable[Pid[Any]], owned: K) -> None:
        """*key* has no deadline any more, and none of *pids* owns *owned*."""
        self.not_due(key)
        for pid in pids:
            self.owners.discard(pid, owned)

    def check_here(self, role: str, *pids: Pid[Any]) -> None:
        """Refuse what is no process of this runtime: it could not be watched.

        Raises:
            BadArgumentError: It is no pid.
            PrimitiveError: It lives in another runtime.
        """
        who = type(self).__name__
        for pid in pids:
            check_process(who, role, pid)
            if pid.runtime is not self.pid.runtime:
                place = f"{pid!r} of {pid.runtime!r}"
                raise self.refusal(f"{who}: {role} must live in this runtime; got {place}.")

    def check_alive(self, role: str, pid: Pid[Any]) -> None:
        """As `check_here`, and refuse the dead."""
        self.check_here(role, pid)
        if not pid.is_alive():
            raise self.dead(role, pid)

    def dead(self, role: str, pid: Pid[Any]) -> PrimitiveError:
        """The refusal of *pid*, which has ended."""
        who = type(self).__name__
        return self.refusal(f"{who}: {role} must be a live process; got {pid!r}.")

    def tell(self, pid: Pid[Any], message: object) -> None:
        """Send; what a full mailbox refuses is counted."""
        try:
            send(pid, message)
        except MailboxFullError:
            self.counts["undelivered"] += 1

    def emit(self, event: Event, **facts: Any) -> None:
        """Tell who listens; *facts* are the measurements and the metadata that *event* declares."""
        slot = self.pid.runtime.telemetry.slot(event)
        if slot.handlers:
            measurements = {name: facts.pop(name) for name in event.measurements}
            slot.emit(measurements, {"server": self.pid, **facts})


def asker(given: Pid[Any] | None) -> Pid[Any]:
    """Who is meant: *given*, or else the current process."""
    return current() if given is None else given


async def wait_in(
    enter: Callable[..., Awaitable[T]],
    leave: Callable[[Any, str, object], None],
    server: object,
    name: str,
    *args: object,
) -> T:
    """`enter(server, name, key, *args)`; whoever stops waiting for the answer, for any reason, leaves.

    The *key* is made here, and nobody else has it: it says which one left.
    """
    key, settled = object(), False
    try:
        answer = await enter(server, name, key, *args)
        settled = True
        return answer
    except BadRequestError:  # it is another kind of server: there is nothing to leave
        settled = True
        raise
    finally:
        if not settled:  # refused, given up, cancelled or killed: it must not be ours unseen
            give_back(leave, server, name, key)
