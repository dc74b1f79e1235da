"""What every supervisor does: serve its mailbox in order, start, count restarts, give up, stop.

The body of a supervisor is a kernel coroutine: it reads from top to bottom, and while
it waits for a child its mailbox is not served, which is OTP's blocking.  What its
children are, and what is done when one ends, is said in `supervisor.py` and `dynamic.py`.

Of the user, only start functions run here, guarded, and at the start the class that says
what the children are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from suptree.core import (
    CALL,
    CONTINUE,
    EXIT,
    EXITING,
    KILLED,
    LOG,
    NORMAL,
    SYSTEM,
    TIMER,
    Crashed,
    Envelope,
    Exit,
    Pid,
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
from suptree.otp.child_spec import Shutdown
from suptree.otp.children import Child
from suptree.otp.directives import BadReturn, Ignore
from suptree.otp.restart import Fate, fate
from suptree.otp.restarting import RestartingBody
from suptree.otp.shutdown import stop_child

__all__ = ["SupervisingBody", "reason_of"]


class SupervisingBody(RestartingBody):
    """See the module text.

    Attributes:
        running: The children that run, by pid.
        instance: The object of the user's supervisor class.
        extra: Arguments put before the children's own at each start (S173).
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        super().__init__()
        self._make = make
        self.instance: Any = None
        self.running: dict[Pid[Any], Child] = {}
        self.extra: tuple[Any, ...] = ()
        self._suspended = False

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
        while self.ending is None:
            await self._handle(await self._next())
            if self.tired():
                await self.give_way()
        await self.stop_children()
        return self.ending.reason

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

    async def _next(self) -> Envelope:
        """The next message; while suspended, only what passes suspension (S51)."""
        while self._suspended:
            await self.still_alive()
            envelope = self.process.mailbox.take(self.process.passes_suspension)
            if envelope is not None:
                return envelope
            await self.process.wait_for_message()
        return await self.receive()

    async def _handle(self, envelope: Envelope) -> None:
        process = self.process
        kind = envelope[0]
        if kind == EXIT:
            signal: Exit = envelope[1]
            if process.is_from_parent(envelope):
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
        process = self.process
        if process.state >= EXITING:
            await self.still_alive()
        runtime = process.runtime
        start = child.spec.start
        fine, slot = process.guard_inside(start.start, runtime, process, child.options, self.extra)
        if not fine:
            raise StartError(start.label, slot)
        try:
            pid: Pid[Any] = await slot
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

    def start_failed(self, child: Child, error: SuptreeError, action: str) -> None:
        """A process ended in its init: note why, and have its crash report written."""
        child.why = reason_of(error)
        if isinstance(error, StartError) and error.process is not None:
            dead = cast("Pid[Any]", error.process)
            self.process.runtime.reporter.decided(dead, action)

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
