"""What every supervisor does: serve its mailbox in order, start, count restarts, give up, stop.

The body of a supervisor is a kernel coroutine: it reads from top to bottom, and while
it waits for a child its mailbox is not served, which is OTP's blocking.  What its
children are, and what is done when one ends, is said in `supervisor.py` and `dynamic.py`.

Nothing of the user runs here but start functions, and those run guarded.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final, cast

from suptree.core import (
    CALL,
    CONTINUE,
    EXIT,
    EXITING,
    KILLED,
    NORMAL,
    SHUTDOWN,
    SYSTEM,
    TIMER,
    Crashed,
    Envelope,
    Exit,
    KernelBody,
    Pid,
    is_normal,
    message_of,
    safe_repr,
)
from suptree.errors import (
    BadRequestError,
    NotSuspendedError,
    ProcessExit,
    SpecError,
    StartError,
    StartIgnoredError,
    SuptreeError,
)
from suptree.otp import events
from suptree.otp.child_spec import Shutdown
from suptree.otp.children import Child
from suptree.otp.directives import BadReturn, Ignore, Stop
from suptree.otp.restart import Fate, Intensity, fate
from suptree.otp.shutdown import stop_child

__all__ = ["SupervisingBody", "reason_of"]

LOG: Final = logging.getLogger("suptree")
WORK_AT_ONCE: Final = 256
"""Starts, stops and messages after which a supervisor lets others run."""


class SupervisingBody(KernelBody):
    """See the module text.

    Attributes:
        gave_up: The supervisor ends because there were too many restarts.
        window: The restarts that count.
        running: The children that run, by pid.
        instance: The object of the user's supervisor class.
        extra: Arguments put before the children's own at each start (S173).
    """

    kind = "supervisor"

    def __init__(self, make: Callable[[], Any]) -> None:
        super().__init__()
        self._make = make
        self.instance: Any = None
        self.gave_up = False
        self.window = Intensity(3, 5.0)
        self.running: dict[Pid[Any], Child] = {}
        self.extra: tuple[Any, ...] = ()
        self._ending: Stop | None = None
        self._suspended = False
        self._work = 0

    # -- what a kind of supervisor says -----------------------------------------------------

    async def start_up(self) -> None:
        """Start what is to run from the start, or raise SpecError or ProcessExit."""
        raise NotImplementedError

    async def restart(self, child: Child, dead: Pid[Any]) -> None:
        """A child ended, why is in `child.why`, and comes back."""
        raise NotImplementedError

    def child_ended(self, child: Child, fate: Fate) -> None:
        """A child ended and does not come back."""
        raise NotImplementedError

    async def try_again(self, child: Child) -> None:
        """Its restart failed, or was put off: try now, if that is still wanted (S127)."""
        raise NotImplementedError

    async def serve(self, request: Any) -> object:
        """Answer a request, or raise what the caller is to get; NotImplemented if it is unknown."""
        raise NotImplementedError

    async def stop_children(self) -> None:
        """Stop all that run."""
        raise NotImplementedError

    def children_of(self) -> list[tuple[Any, Pid[Any] | str | None, str]]:
        """Id, pid (None: down; 'restarting'), and type of each child, in start order."""
        raise NotImplementedError

    def reread(self) -> None:
        """Take new options and specs from the instance, keeping what runs (S158)."""
        raise NotImplementedError

    # -- the life of a supervisor -----------------------------------------------------------

    async def main(self) -> object:
        """Start up, serve the mailbox until told to end, stop the children."""
        try:
            await self.start_up()
        except SpecError as error:
            self.process.start_failed(Crashed(error), error.with_traceback(None))
        except StartIgnoredError as error:
            self.process.start_failed(NORMAL, error.with_traceback(None))
        if self.process.state >= EXITING:
            return self.process.exit_reason
        self.started()
        while self._ending is None:
            await self._handle(await self._next())
            if self.tired():
                await self.give_way()
        await self.stop_children()
        return self._ending.reason

    def make(self) -> None:
        """Make the user's object and ask its `init`.

        Raises:
            StartIgnoredError: It answered Ignore.
            ProcessExit: It answered something else.
        """
        self.instance = self._make()
        match self.instance.init():
            case None:
                pass
            case Ignore():
                raise StartIgnoredError(self.process.label)
            case other:
                raise ProcessExit(BadReturn(other))

    def subject(self) -> object:
        """The object of the user's supervisor class."""
        return self.instance

    def end(self, reason: object) -> None:
        """End with *reason*, once the message at hand is handled."""
        if self._ending is None:
            self._ending = Stop(reason)

    def tired(self) -> bool:
        """Count one piece of work; True when it is time to give way."""
        self._work += 1
        return self._work % WORK_AT_ONCE == 0

    async def _next(self) -> Envelope:
        """The next message; while suspended, only what passes suspension (S51)."""
        while self._suspended:
            await self.still_alive()
            envelope = self.process.mailbox.take(self.process._passes_suspension)
            if envelope is not None:
                return envelope
            await self.process.wait_for_message()
        return await self.receive()

    async def _handle(self, envelope: Envelope) -> None:
        process = self.process
        kind = envelope[0]
        if kind == EXIT:
            signal: Exit = envelope[1]
            parent = process.parent
            if parent is not None and signal.pid is parent.pid:
                self.end(signal.reason)  # S112, S133
            else:
                await self._exited(signal)
        elif kind == CALL:
            process.current = envelope  # whoever asks is answered even if we die of it
            await self._answer(envelope)
            process.current = None
        elif kind == CONTINUE:
            await self.try_again(envelope[1])
        elif kind == TIMER and isinstance(envelope[1].message, Child):
            if not envelope[1].cancelled:
                await self.try_again(envelope[1].message)
        elif kind == SYSTEM:
            process.answer_system(envelope)
        else:
            process.runtime.reporter.unexpected(process, message_of(envelope))

    async def _answer(self, envelope: Envelope) -> None:
        _, reply_to, handler, args, _ = envelope
        try:
            value = NotImplemented if handler is not None else await self.serve(args[0])
        except SuptreeError as error:
            reply_to.fail(error.with_traceback(None))
            return
        if value is NotImplemented:
            what = handler.__name__ if handler is not None else safe_repr(args[0], 200)
            reply_to.fail(
                BadRequestError(
                    self.process.pid,
                    what,
                    f"it is a {self.process.label}. Ask a supervisor of the right kind.",
                )
            )
        else:
            self.process.runtime.reply(reply_to, value)

    # -- children -------------------------------------------------------------------------------

    async def launch(self, child: Child) -> None:
        """Start the process of *child* and wait until its init is done (S100).

        Raises:
            StartError: Init failed, was ignored, or the start function raised.
            SuptreeError: What else the start was refused with.
        """
        if self.tired():
            await self.give_way()
        await self.still_alive()
        process = self.process
        runtime = process.runtime
        start = child.spec.start
        fine, slot = process.guard(start.start, runtime, process, child.options, self.extra)
        if not fine:
            raise StartError(start.label, slot)
        try:
            pid: Pid[Any] = await slot  # type: ignore[misc]
        except SuptreeError:
            raise
        except Exception as error:  # a name of the user's own kind may refuse in its own way
            raise StartError(start.label, Crashed(error)) from error
        self.calm(child)
        child.pid = pid
        child.why = None
        if child.spec.backoff is not None:
            child.started_at = runtime.now()
        self.running[pid] = child

    async def stop(self, child: Child) -> None:
        """Stop the process of *child*, if it has one, and cancel a restart to come."""
        self.calm(child)
        pid = child.pid
        if pid is not None and self.running.pop(pid, None) is not None:
            shutdown = child.spec.shutdown
            self.stopped(pid, await stop_child(self.process, pid, shutdown), shutdown)
            if self.tired():
                await self.give_way()
        child.pid = None

    def stopped(self, pid: Pid[Any], reason: object, shutdown: Shutdown) -> None:
        """A child that was told to stop has ended; another reason is worth a line (S132)."""
        process = self.process
        if process.runtime.reporter.decided(pid, "it was being stopped by its supervisor"):
            return
        if reason is KILLED and isinstance(shutdown, (int, float)):
            LOG.warning(
                "%r %s: child %r did not stop within %g s and was killed. "
                "Give it more time (shutdown=...), or look at its terminate.",
                process.pid,
                process.name or process.label,
                pid,
                shutdown,
            )

    async def _exited(self, signal: Exit) -> None:
        """A process has ended.  A stranger, or a child that was being stopped, is ignored (S112, S119)."""
        dead = signal.pid
        child = self.running.pop(dead, None)
        if child is None:
            return
        child.pid = None
        child.why = signal.reason
        runtime = self.process.runtime
        verdict = fate(child.spec.restart, signal.reason)
        if verdict is not Fate.RESTART:
            runtime.reporter.decided(dead, f"not restarted: it is {child.spec.restart}")
            self.child_ended(child, verdict)
        elif runtime.is_ending():  # law 12: nothing comes back into a closing runtime
            runtime.reporter.decided(dead, "not restarted: its runtime is closing")
            self.child_ended(child, Fate.KEEP)
        else:
            await self.restart(child, dead)

    # -- restarts -------------------------------------------------------------------------------

    def may_restart(self, id: object, reason: object, dead: Pid[Any] | None) -> bool:
        """Count a restart before it is tried; False when the supervisor gives up instead (S121)."""
        process = self.process
        runtime = process.runtime
        window = self.window
        if window.allows(runtime.now()):
            if dead is not None and not is_normal(reason):
                runtime.reporter.decided(dead, f"restarted ({window})")
            event = runtime.telemetry.slot(events.CHILD_RESTARTED)
            if event.handlers:
                event.emit(
                    {"restarts_count": window.count},
                    {"supervisor": process.pid, "id": id, "reason": reason},
                )
            return True
        limit = f"more than {window.limit} restarts in {window.period:g} s"
        if dead is not None:
            runtime.reporter.decided(dead, f"not restarted: {limit}, so its supervisor gives up")
        self._give_up(id, reason, limit)
        return False

    def _give_up(self, id: object, reason: object, limit: str) -> None:
        process = self.process
        self.gave_up = True
        self.end(SHUTDOWN)
        LOG.error(
            "%r %s gives up: %s. The last was child %s: %s",
            process.pid,
            process.name or process.label,
            limit,
            safe_repr(id, 200),
            safe_repr(reason, 400),
        )
        event = process.runtime.telemetry.slot(events.SUPERVISOR_GAVE_UP)
        if event.handlers:
            window = self.window
            event.emit(
                {
                    "restarts_count": window.count,
                    "max_restarts_count": window.limit,
                    "max_seconds_s": window.period,
                },
                {"supervisor": process.pid, "id": id, "reason": reason},
            )

    async def put_off(self, child: Child) -> float:
        """Have *child* tried again later: through the mailbox, behind what waits (S124).

        Never a hot loop: with a back-off after its time, without one after
        everybody else had a turn, so that a request to stop gets in between.

        Returns:
            The seconds to wait.
        """
        process = self.process
        runtime = process.runtime
        child.restarting = True
        backoff = child.spec.backoff
        if backoff is None:
            process.deliver((CONTINUE, child))
            await self.give_way()
            return 0.0
        if runtime.now() - child.started_at >= backoff.reset_after:
            child.tries = 0
        child.started_at = math.inf  # it does not run: it cannot have lived long
        delay = backoff.delay(child.tries, self._random.random())
        child.tries += 1
        child.timer = runtime.ticker.send_after(process, process, delay, child)
        return delay

    def calm(self, child: Child) -> None:
        """No restart of *child* is to come any more."""
        child.restarting = False
        timer, child.timer = child.timer, None
        if timer is not None:
            self.process.runtime.ticker.cancel(timer)

    @cached_property
    def _random(self) -> random.Random:
        """Jitter; reproducible under a seed, and different for each supervisor."""
        process = self.process
        seed = process.runtime.seed
        return random.Random() if seed is None else random.Random(f"{seed}:{process.pid.id}")

    def start_failed(self, child: Child, error: SuptreeError, action: str) -> None:
        """A process ended in its init: note why, and have its crash report written."""
        child.why = reason_of(error)
        if isinstance(error, StartError) and error.process is not None:
            dead = cast("Pid[Any]", error.process)
            self.process.runtime.reporter.decided(dead, action)

    # -- system requests ---------------------------------------------------------------------------

    def system_stop(self, reason: object) -> None:
        """As `stop` asks for; works while suspended too."""
        self.end(reason)

    def suspend(self) -> None:
        """Handle nothing but system requests and the parent's exit until `resume`."""
        self._suspended = True

    def resume(self) -> None:
        """Go on with what is in the mailbox."""
        self._suspended = False

    def is_suspended(self) -> bool:
        """Whether it waits for `resume`."""
        return self._suspended

    def get_state(self) -> Any:
        """What a supervisor shows of itself; its children are `which_children`."""
        return {"children": self.children_of(), "window": str(self.window)}

    def replace_state(self, function: Any) -> Any:
        """Refused: the children of a supervisor change by requests."""
        raise BadRequestError(
            self.process.pid,
            "replace_state",
            "it is a supervisor. Use start_child, terminate_child and delete_child.",
        )

    def change_code(self, new_class: type | None, old_version: object, extra: object) -> None:
        """Read the options and specs again (S158); refused unless suspended.

        Raises:
            NotSuspendedError: `sys.suspend` it first.
            SpecError: The new options or specs are wrong; everything is as before.
        """
        if not self._suspended:
            raise NotSuspendedError(self.process.pid)
        old_class = self.instance.__class__
        try:
            if new_class is not None:
                self.instance.__class__ = new_class
            self.reread()
        except Exception:
            self.instance.__class__ = old_class
            raise


def reason_of(error: SuptreeError) -> object:
    """The reason that a failed start stands for in the reason of its supervisor (S101)."""
    return error.reason if isinstance(error, StartError) else Crashed(error)
