"""A process: a small object with a mailbox, a state word and a body.  Not a task.

The runtime makes it and reaps it; its *body* knows what to do with a message (a
server's turn, a coroutine with a task of its own, a supervisor's kernel coroutine).
It is the one place where `except BaseException` stands: whatever user code raises
ends one process and nothing else.

Its life is drawn in `lifecycle.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, cast

from suptree.core.bounds import admit
from suptree.core.context import CURRENT
from suptree.core.direct import DirectCalls
from suptree.core.exits import KILLED, NORMAL, Crashed, is_normal
from suptree.core.kept_task import Job, ParkingPlace
from suptree.core.lifecycle import (
    DEAD,
    EXITING,
    IDLE,
    INIT,
    READY,
    RECEIVING,
    RESTING,
    RUNNING,
    SUSPENDED,
    WAITING,
    Body,
    LateLink,
    Monitor,
    Remains,
    State,
)
from suptree.core.mailbox import NO_MAIL, BoundedState, Mailbox, is_user
from suptree.core.messages import CAST, EXIT, INFO, SYSTEM, Envelope
from suptree.core.misfits import refused
from suptree.core.propagation import Carried, attach, detach
from suptree.core.slot import ReplyTo, Slot
from suptree.errors import (
    InternalError,
    ProcessDeadError,
    ProcessExit,
)

if TYPE_CHECKING:
    from suptree.core.delivery import ViaName
    from suptree.core.pid import Pid
    from suptree.core.runtime import Runtime
    from suptree.core.timers import Timer

__all__ = ["Process"]


class Process(DirectCalls):
    """See the module text.  Reached through its pid; user code never holds one.

    Invariant: `current` is the envelope being handled, None between messages.
    """

    __slots__ = (
        "_mail",
        "alias",
        "body",
        "bounded",
        "callers",
        "carried",
        "child_lineage",
        "context",
        "crash_noted",
        "debug",
        "escalation",
        "exit_reason",
        "idle_timer",
        "label",
        "lineage",
        "links",
        "mailbox",
        "monitors",
        "name",
        "owned",
        "parent",
        "pending",
        "pid",
        "resting",
        "runtime",
        "server",
        "start_slot",
        "started_at",
        "supervised",
        "tables",
        "timers",
        "trap_exit",
        "watching",
    )

    def __init__(self, pid: Pid[Any], runtime: Runtime, body: Body, context: Context) -> None:
        self.pid = pid
        self.runtime = runtime
        self.body = body
        self.context = context
        self.state: State = INIT
        self.resting: State = IDLE
        self.mailbox: Mailbox = NO_MAIL
        self.server: Any = None
        self.task: asyncio.Task[Any] | None = None
        self.job: Job | None = None
        self._gate: ParkingPlace | None = None  # of the kept task
        self._mail: Slot | None = None  # filled when a message comes, for who waits in RECEIVING
        self.current: Envelope | None = None
        self.pending: set[ReplyTo] | None = None
        self.bounded: BoundedState | None = None
        self.trap_exit = False
        self.supervised = False
        self.links: dict[Process, LateLink | None] | None = None
        self.monitors: dict[Monitor, None] | None = None
        self.watching: dict[Any, Monitor] | None = None
        self.timers: set[Timer] | None = None
        self.idle_timer: Timer | None = None
        self.owned: list[tuple[object, Callable[[Any], object]]] | None = None
        self.tables: dict[Any, None] | None = None
        self.name: str | None = None
        self.alias: ViaName | None = None  # the name that something else keeps for it
        self.label: str = ""
        self.parent: Process | None = None
        self.lineage: tuple[Pid[Any], ...] = ()
        self.child_lineage: tuple[Pid[Any], ...] | None = None
        self.callers: tuple[Pid[Any], ...] = ()
        self.carried: Carried | None = None
        self.debug: Any = None
        self.direct_caller: Process | None = None
        self.crash_noted = False
        self.exit_reason: object = None
        self.escalation: Timer | None = None
        self.start_slot: Slot | None = None
        self.started_at = 0.0
        self.messages_in = 0

    def __repr__(self) -> str:
        return f"<Process {self.pid!r} {self.label} {self.state.name}>"

    # -- life -----------------------------------------------------------------

    def is_alive(self) -> bool:
        """An exiting process is not alive (S14)."""
        return self.state < EXITING

    def check_not_dead(self, doing: str) -> None:
        """Refuse what the frames of a dead process still ask for (law 3)."""
        if self.state >= EXITING:
            raise ProcessDeadError(
                f"{doing}: {self.pid!r} has ended ({self.exit_reason!r}) but its code still runs. "
                "Let CancelledError through, and do nothing after it but release resources."
            )

    def started(self) -> None:
        """Init has succeeded: tell the starter and take messages."""
        slot, self.start_slot = self.start_slot, None
        if slot is not None:
            slot.set(self.pid)
        if self.escalation is not None:  # of a start with a timeout
            self.runtime.ticker.cancel(self.escalation)
            self.escalation = None

    def owe(self, reply_to: ReplyTo) -> None:
        """A call is left open: the death of this process answers it."""
        if not reply_to.done():
            if self.pending is None:
                self.pending = set()
            self.pending.add(reply_to)

    def start_failed(self, reason: object, error: BaseException | None = None) -> None:
        """Init has failed with *reason*: end, and raise *error*, or StartError, in the starter."""
        if error is not None and self.start_slot is not None:
            self.start_slot.fail(error)
        self.finish(reason)

    def settle(self) -> None:
        """A turn is over, whoever ran it: go on with the mailbox, or rest."""
        state = self.state
        if state is EXITING:  # `current` stays: its caller is answered by the reaper
            self.finish(self.exit_reason)
            return
        self.current = None
        if self.carried is not None:
            detach(self)
        if state is RUNNING or state is WAITING or state is INIT:
            if self.mailbox:
                self.state = READY
                self.runtime.runqueue.make_ready(self)
            else:
                self.state = self.resting

    def finish(self, reason: object) -> None:
        """The frames are gone: release everything and tell everyone, once."""
        if self.state is not DEAD:
            # A signal that came first decided the reason, whatever the clean-up raised since.
            self.runtime.reap(self, self.exit_reason if self.state is EXITING else reason)

    def let_go(self) -> None:
        """The last of the reaper: break the cycles through body, server and context."""
        self.body = Remains(self.body.kind)
        self.server = None
        self.context = Context()  # its own: it may still stand in the ready queue
        self.carried = None  # attached in the context that is gone
        self.parent = self.direct_caller = (
            None  # or a line of the dead would stay, each kept by the next
        )

    def doom(self, reason: object) -> None:
        """Carry out a deadly signal: not alive from now on, DEAD when the frames have unwound.

        A process on the stack ends when its turn ends (law 2), one that is suspended
        in a task when that task has unwound (law 3), any other one now.
        """
        state = self.state
        if state >= EXITING:
            if state is EXITING and reason is KILLED:
                self.runtime.escalate(self)
            return
        self.state = EXITING
        self.exit_reason = reason
        self.runtime.names.free(self)
        if self.body.unwind(state):
            self.finish(reason)

    def cancel_task(self) -> None:
        """Ask the frames of the task to unwind, and see that it does not take for ever."""
        assert self.task is not None
        self.task.cancel()
        self.runtime.watch_unwinding(self)

    # -- user code: the boundary -------------------------------------------------

    def enter(self, function: Callable[..., Any], *args: object) -> Any:
        """Call *function* in the context of this process, which may be entered already."""
        if not self._is_entered():
            return self.context.run(function, *args)
        if CURRENT.get() is self:
            return function(*args)
        return self.context.copy().run(function, *args)  # entered by one who calls who calls this

    def _is_entered(self) -> bool:
        """Whether its context is entered; a task beside it is in a copy, which looks the same."""
        try:
            self.context.run(bool)
        except RuntimeError:
            return True
        return False

    def guard(self, function: Callable[..., object], *args: object) -> tuple[bool, Any]:
        """Run user code on behalf of the runtime; (True, value), or (False, exit reason)."""
        try:
            return True, self.enter(function, *args)
        except BaseException as error:
            return False, self.reason_of(error)

    def guard_inside(self, function: Callable[..., object], *args: object) -> tuple[bool, Any]:
        """As `guard`, where the context of this process is known to be entered."""
        try:
            return True, function(*args)
        except BaseException as error:
            return False, self.reason_of(error)

    def reason_of(self, error: BaseException) -> object:
        """The exit reason that *error* stands for."""
        if issubclass(type(error), ProcessExit):
            return cast("ProcessExit", error).reason
        if issubclass(type(error), KeyboardInterrupt) and self.runtime.interrupted():
            return self.runtime.stop_reason
        try:
            return Crashed(error, keep_frames=self.runtime.keep_frames)
        except BaseException as worse:  # its own text ends the program: that must not
            name = type(error).__qualname__
            return Crashed(InternalError(f"{name}, whose text raised {type(worse).__qualname__}"))

    def run(self, quota: int) -> int:
        """Handle up to *quota* messages, each with all that may be due to it.  Returns how many.

        What `Body.run` does, unless the body has a shorter way for the usual ones.
        """
        if self.state is not READY:
            return self._run_suspended() if self.state is SUSPENDED else 0
        mailbox = self.mailbox
        count = 0
        self.state = RUNNING
        while True:
            envelope = mailbox.popleft()
            if self.bounded is not None:
                self.bounded.took(envelope)
            if self.idle_timer is not None and envelope[0] != SYSTEM:
                self.runtime.clear_idle_timeout(self)
            self.current = envelope
            self.messages_in += 1
            count += 1
            try:
                self.take_turn(envelope)
            except BaseException as error:
                self.turn_failed(error)
            if self.state is not RUNNING:
                self.left_turn()
                break
            if not mailbox:
                self.current = None
                self.state = self.resting
                break
            if count >= quota:
                self.current = None
                self.state = READY
                self.runtime.runqueue.make_ready(self)
                break
        return count

    def take_turn(self, envelope: Envelope) -> None:
        """One turn, of the body or of its debug functions."""
        turn = self.body.turn if self.debug is None else self.debug.turn
        if envelope.__class__ is not tuple and self.runtime.propagator is not None:
            self.turn_carrying(envelope, turn, envelope)
        else:
            turn(envelope)

    def turn_carrying(
        self, envelope: Envelope, function: Callable[..., object], *args: object
    ) -> None:
        """Call *function* with what *envelope* carries attached, until the message is done.

        After a crash it stays so: the report and `terminate` belong to the message.
        """
        attach(self, envelope.carried)  # type: ignore[attr-defined]
        function(*args)
        if self.state is not WAITING:
            detach(self)

    def turn_failed(self, error: BaseException) -> None:
        """The turn raised: a crash, unless the request did not fit its handler or declares that error."""
        if not (issubclass(type(error), TypeError) and refused(self, cast("TypeError", error))):
            self._crash_inside(error)

    def is_plain(self) -> bool:
        """Whether nothing looks at each of its messages: no bound, idle timeout or debug function."""
        return self.bounded is None and self.idle_timer is None and self.debug is None

    def left_turn(self) -> None:
        """A turn ended in another state than RUNNING."""
        if self.state is EXITING:
            if not self.unwinds_in_task():
                self.drop_job()
                self.finish(self.exit_reason)
        elif self.state is SUSPENDED:
            self.current = None
            if any(self.passes_suspension(envelope) for envelope in self.mailbox):
                self.runtime.runqueue.make_ready(self)

    def answer_system(self, envelope: Envelope) -> None:
        """Carry out a system request; what it raises goes to who asked (S50)."""
        _, reply_to, operation = envelope
        if reply_to is None:
            operation(self.body)
            return
        if self.pending is not None:
            self.pending.discard(reply_to)
        try:
            value = operation(self.body)
        except BaseException as error:
            reply_to.fail(error)
        else:
            reply_to.set(value)

    def step(
        self, coroutine: Coroutine[Any, Any, Any], *, inside: bool = False
    ) -> tuple[bool, Any]:
        """Step a kernel coroutine: (True, the slot it waits for), or (False, exit reason).

        *inside* says that the context of this process is entered already, as in `begin`.
        """
        try:
            if inside:
                return True, coroutine.send(None)
            return True, self.context.run(coroutine.send, None)
        except StopIteration as stop:
            return False, stop.value
        except BaseException as error:
            reason = self.reason_of(error)
            self.note_crash(reason)
            return False, reason

    def crash(self, error: BaseException) -> None:
        """User code raised *error*, in a turn or in the kept task: the end, unless it is an answer."""
        if self.state is EXITING or self.state is DEAD:
            self._crash_inside(error)
        else:
            self.enter(self._crash_inside, error)

    def _crash_inside(self, error: BaseException) -> None:
        """As `crash`, where the context of this process is known to be entered."""
        if self.state is EXITING:
            self.drop_job()
            self.finish(self.exit_reason)
        elif self.state is not DEAD and not self.body.answers(error):
            self._failed(self.reason_of(error))

    def _failed(self, reason: object) -> None:
        self.note_crash(reason)
        self.body.failed(reason)

    def note_crash(self, reason: object) -> None:
        """The process ends by itself with *reason*: a crash report, unless that is normal-ish (S46).

        There is one per process; what `terminate` raises on top is told beside it.
        """
        if is_normal(reason):
            return
        if self.crash_noted:
            self.runtime.reporter.crashed_again(self, reason)
        else:
            self.crash_noted = True
            self.runtime.reporter.crashed(self, reason)

    # -- tasks --------------------------------------------------------------------------

    async def run_whole_life(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """The task of a plain process: its coroutine from first line to last."""
        try:
            await coroutine
        except BaseException as error:
            self._task_failed(error)
        else:
            self.finish(NORMAL)
        finally:
            self.task = None  # its context leads back here: the dead must not be a cycle

    def start_owned_task(self, coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """A task beside the handlers: cancelled with the process, and its exception is an exit signal."""
        if self.state >= EXITING:
            coroutine.close()
            self.check_not_dead("start_task")
        task = self.runtime.make_task(coroutine, copy_context(), name or f"{self.label} task")
        if self.owned is None:
            self.owned = []
        entry: tuple[object, Callable[[Any], object]] = (task, _cancel)
        self.owned.append(entry)

        def ended(task: asyncio.Task[Any]) -> None:
            if self.owned is not None and entry in self.owned:
                self.owned.remove(entry)
            error = None if task.cancelled() else task.exception()
            if error is not None and self.state < EXITING:
                self.runtime.owned_task_failed(self, error)

        task.add_done_callback(ended)
        return task

    # -- the mailbox ----------------------------------------------------------------

    def deliver(self, envelope: Envelope) -> None:
        """Put an envelope at the end of the lane and see that it is looked at."""
        state = self.state
        if (
            self.bounded is not None
            and state < EXITING  # the dead refuse nothing: what they are sent is lost (S15)
            and is_user(envelope)
            and not admit(self, envelope)
        ):
            return
        if state is EXITING or state is DEAD:
            if envelope[0] in (INFO, CAST):
                self.runtime.losses.to_dead += 1
            return
        mailbox = self.mailbox
        if mailbox is NO_MAIL:
            mailbox = self.own_mailbox()
        mailbox.append(envelope)
        if state is IDLE or state is RESTING:
            self.state = READY
            queue = self.runtime.runqueue
            queue.ready.append(self)
            if not queue.scheduled:
                queue.schedule()
        elif state is RECEIVING:
            self.wake_receiver()
        elif state is SUSPENDED and self.passes_suspension(envelope):
            self.runtime.runqueue.make_ready(self)
        elif state is not READY and state is not RUNNING:
            self.runtime.runqueue.wake()

    def own_mailbox(self) -> Mailbox:
        """Its mailbox, to put something in."""
        if self.mailbox is NO_MAIL:
            self.mailbox = Mailbox()
        return self.mailbox

    def deliver_always(self, envelope: Envelope) -> None:
        """As `deliver`, past the bound: what the runtime itself has to say is never dropped."""
        bounded, self.bounded = self.bounded, None
        self.deliver(envelope)
        self.bounded = bounded
        if bounded is not None and is_user(envelope):
            bounded.users += 1

    def wake_receiver(self) -> None:
        """A plain process or supervisor waits for a message, and there is one."""
        self.state = WAITING
        mail, self._mail = self._mail, None
        if mail is not None:
            mail.set(None)

    def stop_waiting(self) -> None:
        """It is dead: its parked task returns, and code that still waits for a message is told."""
        self.stop_kept_task()
        mail, self._mail = self._mail, None
        if mail is not None:
            mail.set(None)

    def wait_for_message(self) -> Slot:
        """Go to RECEIVING; the slot is filled when a message arrives (or by a timer)."""
        self._mail = Slot(self.runtime.runqueue)
        self.state = RECEIVING
        return self._mail

    # -- suspension (sys) --------------------------------------------------------------

    def is_from_parent(self, envelope: Envelope) -> bool:
        """Whether this is the exit of its parent (S42); one without a parent is its own (S26)."""
        return envelope[0] == EXIT and envelope[1].pid is (self.parent or self).pid

    def passes_suspension(self, envelope: Envelope) -> bool:
        """System requests, and the exit of the parent, pass the queue of a suspended server (S51)."""
        return envelope[0] == SYSTEM or self.is_from_parent(envelope)

    def _run_suspended(self) -> int:
        envelope = self.mailbox.take(self.passes_suspension)
        if envelope is None:
            return 0
        self.current = envelope
        try:
            self.body.turn(envelope)
        except BaseException as error:
            self.crash(error)
        if self.state is RUNNING:
            self.settle()
        else:
            self.left_turn()
        return 1


def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
