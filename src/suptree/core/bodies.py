"""The bodies that core knows: a coroutine with a task, a kernel coroutine, a guest.

Servers bring their own body (`otp/gen_server.py`), so core never learns what a
GenServer is.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from suptree.core.exits import NORMAL
from suptree.core.lifecycle import EXITING, INIT, WAITING, State
from suptree.core.messages import Envelope
from suptree.core.process import Process
from suptree.core.slot import Slot
from suptree.errors import InternalError

__all__ = ["GuestBody", "KernelBody", "PlainBody"]


class _Receiving:
    """The part of a body that takes its messages by `receive`: it has no turns."""

    kind: str

    def run(self, quota: int) -> int:
        """Never called."""
        raise InternalError(f"a {self.kind} process has no turns")

    def turn(self, envelope: Envelope) -> None:
        """Never called."""
        raise InternalError(f"a {self.kind} process has no turns")

    def answers(self, error: BaseException) -> bool:
        """It has no handlers: whatever is raised ends it."""
        return False


class PlainBody(_Receiving):
    """A plain process: one function, from first line to last.

    An async function gets a task of its own; a plain one runs in one turn.
    """

    kind = "plain"

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.process: Process | None = None
        self.entered = False
        self._coroutine: Coroutine[Any, Any, None]

    def begin(self, process: Process) -> None:
        """Make the task; the function starts on a later turn of the loop."""
        self.process = process
        process.state = WAITING
        self._coroutine = self._enter()
        process.task = process.runtime.make_task(
            process.run_whole_life(self._coroutine), process.context, process.label
        )
        if process.start_slot is not None:  # not so for `spawn`, which nobody waits for
            process.started()

    async def _enter(self) -> None:
        self.entered = True
        result = self.function(*self.args, **self.kwargs)
        if inspect.isawaitable(result):
            result = await _as_awaitable(result)
        self.returned(result)

    def returned(self, value: object) -> None:
        """The function returned *value*: nothing to a plain process, everything to a task."""

    def failed(self, reason: object) -> None:
        """The function raised: that is the exit reason."""
        assert self.process is not None
        self.process.finish(reason)

    def unwind(self, state: State) -> bool:
        """Cancel the task; a task that never took a step has no frames."""
        assert self.process is not None
        assert self.process.task is not None
        if self.entered:
            self.process.cancel_task()
            return False
        self._coroutine.close()
        self.process.task.cancel()
        self.process.task = None
        return True

    def subject(self) -> object:
        """The function."""
        return self.function


def _as_awaitable(value: Any) -> Awaitable[Any]:
    return value  # type: ignore[no-any-return]


class KernelBody(_Receiving):
    """A kernel coroutine: awaits only slots and is stepped by the run queue, without a task (law 4).

    Subclasses write `main`, which calls `process.started()` or raises `ProcessExit`;
    what it returns is the exit reason.  While it waits, its mailbox is not served.
    """

    kind = "kernel"

    def __init__(self) -> None:
        self.process: Process = None  # type: ignore[assignment]  # set by begin
        self._coroutine: Coroutine[Any, Any, object] | None = None
        self._stepping = False

    async def main(self) -> object:
        """The whole life of the process."""
        raise NotImplementedError

    def begin(self, process: Process) -> None:
        """Run `main` up to its first wait, inline."""
        self.process = process
        self._coroutine = self.main()
        self._advance(inside=True)

    def started(self) -> None:
        """Call in `main` when init is over."""
        if self.process.state is INIT:
            self.process.state = WAITING
            self.process.started()

    @property
    def coroutine(self) -> Coroutine[Any, Any, object] | None:
        """What runs `main`; for introspection."""
        return self._coroutine

    async def receive(self) -> Envelope:
        """Take the next envelope, in order of arrival."""
        process = self.process
        if process.state >= EXITING:
            await self.still_alive()
        while not process.mailbox:
            await process.wait_for_message()
        process.messages_in += 1
        envelope = process.mailbox.popleft()
        if process.bounded is not None:
            process.bounded.took(envelope)
        return envelope

    async def still_alive(self) -> None:
        """Unwind here if the process was doomed while on the stack (law 2)."""
        if self.process.state >= EXITING:
            await self.process.runtime.park()

    async def give_way(self) -> None:
        """Let the run queue, and then the event loop, do something else before going on."""
        await _Yield(self.process.runtime.runqueue)

    def _step(self, _slot: object) -> None:
        self._advance(inside=False)

    def _advance(self, *, inside: bool) -> None:
        process = self.process
        coroutine = self._coroutine
        if coroutine is None:
            return
        self._stepping = True
        goes_on, value = process.step(coroutine, inside=inside)
        self._stepping = False
        if process.state is EXITING:  # doomed while on the stack (law 2)
            self._close()
            process.finish(process.exit_reason)
        elif goes_on:
            assert isinstance(value, Slot)
            value.add_done_callback(self._step)
        else:
            self._coroutine = None
            self.ended(value)

    def ended(self, reason: object) -> None:
        """`main` is over; called once, with the exit reason."""
        if self.process.state is INIT:
            self.process.start_failed(reason)
        else:
            self.process.finish(reason)

    def failed(self, reason: object) -> None:
        """Never called: `_step` ends the process itself."""
        self.process.finish(reason)

    def unwind(self, state: State) -> bool:
        """Close the coroutine, unless it is on the stack."""
        if self._stepping:
            return False
        self._close()
        return True

    def _close(self) -> None:
        coroutine, self._coroutine = self._coroutine, None
        if coroutine is not None:
            self.process.guard(coroutine.close)

    def subject(self) -> object:
        """The body itself."""
        return self


class _Yield(Slot):
    """Suspends its waiter once although it is filled already."""

    __slots__ = ()

    def __await__(self) -> Any:
        self.set(None)
        self.runqueue.end_turn()
        yield self


class GuestBody(_Receiving):
    """A task of the host as a process: the body of `async with Runtime()`, or of `rt.guest()`."""

    kind = "guest"

    def __init__(self) -> None:
        self.process: Process | None = None
        self.stopped_by: tuple[object, str] | None = None

    def begin(self, process: Process) -> None:
        """The task runs already."""
        self.process = process
        process.state = WAITING

    def failed(self, reason: object) -> None:
        """The guest ended."""
        assert self.process is not None
        self.process.finish(reason)

    def unwind(self, state: State) -> bool:
        """A killed guest: its task is cancelled, and the block tells why when it exits."""
        assert self.process is not None
        self.stop(self.process.exit_reason, f"guest {self.process.label!r}, which was killed,")
        return False

    def stop(self, reason: object, what: str) -> None:
        """Cancel the task; its block will raise RuntimeStoppedError when it is left (law 6)."""
        assert self.process is not None
        assert self.process.task is not None
        if self.stopped_by is None:
            self.stopped_by = (reason, what)
            self.process.task.cancel()

    def subject(self) -> object:
        """Nothing more than the task."""
        return NORMAL if self.process is None else self.process.task
