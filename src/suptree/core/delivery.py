"""Delivery: finding processes and bringing them messages, the half of a runtime that carries mail.

Nothing here waits but `send_wait`; a message is in the mailbox when `send` returns. `Runtime` is the
only user; exits, links and monitors travel by `signals.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING, Any, Protocol

from suptree.core.bounds import reserve_place
from suptree.core.context import CURRENT
from suptree.core.crashes import safe_repr
from suptree.core.lifecycle import EXITING, IDLE, RESTING
from suptree.core.messages import IDLE_TIMEOUT, INFO, SYSTEM
from suptree.core.pid import Pid
from suptree.core.process import Process
from suptree.core.propagation import Propagator, carry
from suptree.core.slot import ReplyTo, Slot
from suptree.errors import CrossRuntimeError, NoProcessError

if TYPE_CHECKING:
    from suptree.core.losses import Losses
    from suptree.core.names import Names
    from suptree.core.runqueue import RunQueue
    from suptree.core.runtime import Runtime
    from suptree.core.ticker import Ticker
    from suptree.telemetry import Slot as EventSlot

__all__ = ["Delivery", "Target", "ViaName"]

Target = Pid[Any] | str
"""Whom to reach: a pid or a registered name."""


class ViaName(Protocol):
    """A name that something else than the runtime keeps, such as a registry's key (OTP: `via`)."""

    def whereis(self, runtime: Runtime) -> Pid[Any] | None:
        """The live process of that name, or None."""
        ...

    def claim(self, process: Process) -> None:
        """Give the name to *process*, which has not run yet; `whereis` said it is free."""
        ...


class Delivery:
    """What `Runtime` inherits: find, send, reply, system requests, idle timeouts."""

    name: str
    thread_id: int
    names: Names
    losses: Losses
    runqueue: RunQueue
    ticker: Ticker
    propagator: Propagator | None
    _overflowed_event: EventSlot

    if TYPE_CHECKING:  # what the runtime gives

        def check_thread(self, doing: str) -> None:
            """Refuse another thread, a forked child, and a closed runtime."""
            ...

    # -- finding ---------------------------------------------------------------------

    def find(self, target: Target | ViaName, doing: str = "send") -> Process | None:
        """The live process behind a pid, a name or a registry key, or None; checks thread and runtime."""
        if self.thread_id != get_ident():
            self.check_thread(doing)
        if isinstance(target, Pid):
            if target.runtime is not self:
                raise CrossRuntimeError(
                    f"{doing}: {target!r} lives in runtime {target.runtime.name!r}, not {self.name!r}."
                )
            process = target._process  # pyright: ignore[reportPrivateUsage]
        elif isinstance(target, str):
            process = self.names.table.get(target)
        else:
            whereis = getattr(target, "whereis", None)
            if whereis is None:
                raise not_a_target(target, doing)
            pid = whereis(self)
            process = None if pid is None else pid._process  # pyright: ignore[reportPrivateUsage]
        return process if process is not None and process.state < EXITING else None

    def whereis(self, name: str) -> Pid[Any] | None:
        """The pid registered as *name*, or None."""
        self.check_thread("whereis")
        process = self.names.get(name)
        return None if process is None else process.pid

    def registered(self) -> list[str]:
        """The names in use, sorted."""
        return list(self.names)

    # -- messages ------------------------------------------------------------------------

    def send(self, target: Target | ViaName, message: object) -> None:
        """Send *message*; to a dead pid it is dropped, to an unknown name it raises (S15).

        Raises:
            NoProcessError: No process has that name.
            MailboxFullError: Its bounded mailbox is full, with policy 'reject'.
        """
        process = self.find(target)
        if process is not None:
            if self.propagator is None:
                process.deliver((INFO, message))
            else:
                process.deliver(carry(process.runtime, (INFO, message)))
        elif isinstance(target, Pid):
            self.losses.to_dead += 1
        else:
            raise NoProcessError(target, "send", self.names.hint_for(target))

    async def send_wait(self, target: Target, message: object) -> None:
        """Send *message*, waiting for a place in a bounded mailbox, behind those who wait already.

        Raises:
            NoProcessError: No process has that name.
            MailboxFullError: It is the mailbox of the sender itself.
        """
        process = self.find(target, "send_wait")
        bounded = None if process is None else process.bounded
        if process is None or bounded is None or not await reserve_place(process):
            self.send(target, message)
        else:
            bounded.users -= 1
            process.deliver(carry(process.runtime, (INFO, message)))

    def reply(self, sender: ReplyTo, value: object) -> None:
        """Answer a call, from any process (S32); a second or late reply is dropped."""
        self.check_thread("reply")
        pending = sender.callee.pending
        if pending is not None:
            pending.discard(sender)
        if not sender.set(value):
            self.losses.late_replies += 1

    def overflowed(self, process: Process, policy: str) -> None:
        """Telemetry of a full mailbox."""
        if self._overflowed_event.handlers and process.bounded is not None:
            self._overflowed_event.emit(
                {"queue_len": len(process.mailbox), "limit": process.bounded.bound.limit},
                {"pid": process.pid, "label": process.label, "policy": policy},
            )

    # -- requests of the runtime itself --------------------------------------------------

    def park(self) -> Slot:
        """A slot that nobody fills: for a caller that is to be unwound at this await."""
        return Slot(self.runqueue)

    def system(self, target: Target, operation: Callable[[Any], object], doing: str) -> Slot:
        """Send a system request; the slot gets what ``operation(body)`` returns or raises."""
        process = self.find(target, doing)
        slot = Slot(self.runqueue)
        if process is None:
            slot.fail(NoProcessError(target, doing))
            return slot
        reply_to = ReplyTo(self.runqueue, process, CURRENT.get())
        if process.pending is None:
            process.pending = set()
        process.pending.add(reply_to)
        process.deliver((SYSTEM, reply_to, operation))
        return reply_to

    # -- idle timeouts of servers -------------------------------------------------------------

    def set_idle_timeout(self, process: Process, seconds: float) -> None:
        """Send TIMEOUT to *process* unless a message comes within *seconds* (S36)."""
        self.clear_idle_timeout(process)
        if process.state >= EXITING:
            return
        process.resting = RESTING
        timer = process.idle_timer = self.ticker.call_after(
            seconds, lambda: self._idle_expired(process, timer)
        )
        timer.message = seconds
        if seconds == 0 and not process.mailbox:
            self.ticker.cancel(timer)
            process.own_mailbox().append((IDLE_TIMEOUT, timer))

    def clear_idle_timeout(self, process: Process) -> None:
        """A message came."""
        timer, process.idle_timer = process.idle_timer, None
        if timer is not None:
            self.ticker.cancel(timer)
        if process.debug is None:
            process.resting = IDLE

    def _idle_expired(self, process: Process, timer: Any) -> None:
        if process.state is RESTING and process.idle_timer is timer:
            process.deliver((IDLE_TIMEOUT, timer))


def not_a_target(target: object, doing: str) -> TypeError:
    """The error of what is neither pid nor name nor a name of the `ViaName` kind."""
    return TypeError(
        f"{doing}: must go to a pid, a name or via(registry, key); got {safe_repr(target, 200)}. "
        "Look the process up, or give it a name."
    )
