"""The master of an application: the process above its tree, which its callbacks run in.

It is the parent of the top supervisor, so that obeys it; it traps exits, so it sees the
tree out; and it tells the controller when all is over.  Made by
`application_controller.py`, one for each start.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from suptree.core import (
    INFO,
    LOG,
    SHUTDOWN,
    Crashed,
    Exit,
    Pid,
    PlainBody,
    Process,
    Slot,
    crash_in,
    receive,
)
from suptree.errors import ApplicationError, StartError
from suptree.otp.application import Application, StartType
from suptree.otp.directives import BadReturn

if TYPE_CHECKING:
    from suptree.core import Runtime

__all__ = ["Master"]


class StopRequest:
    """To a master: stop the application."""


class Master:
    """The process above one application: runs its callbacks and is the parent of its tree.

    Invariant: `top` is set from the end of its start until it is told to stop or has ended.
    """

    def __init__(
        self,
        name: str,
        application: Application,
        type: StartType,
        ended: Callable[[Master, object], None],
    ) -> None:
        self.name = name
        self.type = type
        self.top: Pid[Any] | None = None
        self.has_started = False
        self.was_told = False
        self.process: Process
        self._application = application
        self._ended = ended
        self._started: Slot
        self._turns: list[Slot] = []
        self._tree: Pid[Any] | None = None
        self._body: object = None
        self._reason: object = None
        self._failure: ApplicationError | None = None

    @property
    def gave_up(self) -> bool:
        """Whether the top supervisor had restarted too often."""
        return bool(getattr(self._body, "gave_up", False))

    async def begin(self, runtime: Runtime) -> Pid[Any]:
        """Start the process and the application."""
        self._started = Slot(runtime.runqueue)
        body = PlainBody(self._live, (), {})
        begun = runtime.start_process(
            body, link=False, label=f"application {self.name}", trap_exit=True
        )
        self.process = cast("Process", body.process)
        pid: Pid[Any] = await begun
        runtime.down_slot(pid).add_done_callback(self._is_down)
        top: Pid[Any] = await self._started
        return top

    def tell_to_stop(self) -> Slot:
        """Have it stop; the slot is filled when it is gone."""
        runtime = self.process.runtime
        down = runtime.down_slot(self.process.pid)
        self.was_told = True
        if self.top is not None:
            self.top = None
            self.process.deliver((INFO, StopRequest()))
        elif not self.has_started:
            self.process.doom(SHUTDOWN)  # it is still starting
        return down

    async def turn(self) -> None:
        """Wait until its start has ended, or it is gone."""
        slot = Slot(self.process.runtime.runqueue)
        self._turns.append(slot)
        await slot

    def _turned(self) -> None:
        turns, self._turns = self._turns, []
        for slot in turns:
            slot.set(None)

    def _is_down(self, slot: Slot) -> None:
        reason = slot.value if self._reason is None else self._reason
        tree = self._tree
        if tree is None or tree._process is None:
            self._over(reason)
        else:  # The master was killed: its tree, whose parent it was, is ending.
            self.process.runtime.down_slot(tree).add_done_callback(lambda _: self._over(reason))

    def _over(self, reason: object) -> None:
        self._ended(self, reason)
        failure = self._failure or ApplicationError(self.name, reason, self._place("start"))
        self._started.fail(failure)
        self._turned()

    # -- in the process ------------------------------------------------------------------------------

    async def _live(self) -> None:
        try:
            tree, state = await self._start()
            await self._phases()
        except ApplicationError as error:
            self._failure = error
            if self._tree is not None:
                await self._stop_tree(self._tree)
            return
        self.top = tree
        self.has_started = True
        self._started.set(tree)
        self._turned()
        message = await receive(self._is_news_of(tree))
        self.top = None
        if isinstance(message, Exit):
            self._reason = message.reason
            state = await self._call("prep_stop", state, default=state)
        else:
            state = await self._call("prep_stop", state, default=state)
            await self._stop_tree(tree)
        await self._call("stop", state)

    async def _start(self) -> tuple[Pid[Any], Any]:
        try:
            answer = await _result_of(self._application.start())
        except StartError as error:
            raise self._start_failed(error.reason, "start") from error
        except Exception as error:
            raise self._start_failed(Crashed(error), "start") from error
        pid, state = _pair(answer)
        tree = None if pid is None else pid._process
        if pid is None or tree is None or tree.parent is not self.process:  # S231
            raise self._start_failed(BadReturn(answer), "start")
        self._tree = pid
        self._body = tree.body
        return pid, state

    async def _phases(self) -> None:
        for phase, argument in self._application.start_phases:
            try:
                await _result_of(self._application.start_phase(phase, argument))
            except Exception as error:
                raise self._start_failed(Crashed(error), f"start_phase({phase!r})") from error

    def _start_failed(self, reason: object, place: str) -> ApplicationError:
        """The error of a start; with the traceback of the crash behind it, which has lost its frames."""
        error = ApplicationError(self.name, reason, self._place(place))
        crash = crash_in(reason)
        if crash is not None:
            error.add_note(crash.traceback)
        return error

    def _is_news_of(self, tree: Pid[Any]) -> Callable[[Any], bool]:
        """What the master waits for; anything else that arrives stays where it is."""

        def matches(message: Any) -> bool:
            return isinstance(message, StopRequest) or (
                isinstance(message, Exit) and message.pid is tree
            )

        return matches

    async def _stop_tree(self, tree: Pid[Any]) -> None:
        runtime = self.process.runtime
        down = runtime.down_slot(tree)
        runtime.exit(tree, SHUTDOWN, self.process)
        await down

    async def _call(self, callback: str, state: Any, default: Any = None) -> Any:
        """A callback of the end: what it raises is told, and the end goes on."""
        try:
            return await _result_of(getattr(self._application, callback)(state))
        except Exception:
            LOG.exception("%s: failed; the application ends all the same", self._place(callback))
            return default

    def _place(self, function: str) -> str:
        return f"{type(self._application).__qualname__}.{function}"


def _pair(answer: Any) -> tuple[Pid[Any] | None, Any]:
    """A pid, or a pid with a state; (None, None) for anything else."""
    pair: tuple[Any, ...] = answer if answer.__class__ is tuple else (answer, None)
    fine = len(pair) == 2 and pair[0].__class__ is Pid
    return (pair[0], pair[1]) if fine else (None, None)


async def _result_of(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
