"""The kept task of a process: who the handlers are that suspend, to asyncio.

A server has one task, made for its first async handler and parked ever after.  The
handlers are stepped here, by the run loop and by what they wait for, while the parked
task is shown as the current one.  To asyncio's eyes they run in it: `current_task()` is
that task, `timeout` and `TaskGroup` work, and who cancels it cancels the handler.  What
is saved is the switch of tasks at each message, and the one at each suspension.

>>> import asyncio, suptree as st
>>> class Server(st.GenServer):
...     @st.call
...     async def task(self):
...         return asyncio.current_task()
>>> async def main():
...     async with st.Runtime():
...         server = await Server.start()
...         return await Server.task(server) is await Server.task(server)
>>> asyncio.run(main())
True
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from suptree.core.lifecycle import DEAD, EXITING, INIT, RUNNING, WAITING, State
from suptree.core.messages import CAST, INFO
from suptree.core.slot import ReplyTo, Slot
from suptree.core.steps import UNBEGUN, cancel_awaited, error_of, mistake

if TYPE_CHECKING:
    from contextvars import Context

    from suptree.core.lifecycle import Body
    from suptree.core.messages import Envelope
    from suptree.core.runqueue import RunQueue
    from suptree.core.runtime import Runtime

__all__ = ["Job", "KeptTask", "ParkingPlace", "waiting_handler"]

Job: TypeAlias = tuple[Coroutine[Any, Any, Any], Callable[[Any], object], object]
"""A coroutine, what is called with its result, and what it waits for; UNBEGUN before its first step."""


class ParkingPlace(Slot):
    """What a kept task waits for.  Who cancels the task cancels this, and so the handler.

    Attributes:
        stepping: A handler is on the stack.
        owed: What the handler's next step raises instead of going on.
        disturbed: The task was cancelled since it is parked here.
    """

    __slots__ = ("disturbed", "owed", "process", "stepping")

    def __init__(self, runqueue: RunQueue, process: KeptTask) -> None:
        super().__init__(runqueue)
        self.process = process
        self.stepping = False
        self.owed: BaseException | None = None
        self.disturbed = False

    def cancel(self, msg: object = None) -> bool:
        """What `Task.cancel` does to a task that runs, or that waits for something."""
        self.disturbed = True
        error = asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg)
        if self.stepping:
            self.owed = error
            return True
        process = self.process
        job = process.job
        if job is None or job[2] is UNBEGUN or process._gate is not self:  # an idle one
            return super().cancel(msg)
        if not cancel_awaited(job[2], error):
            self.owed = error
        return True


class KeptTask:
    """What `Process` inherits: user code that may suspend, and its unwinding.

    Invariant: `_gate` is set exactly while the task is parked.
    Invariant: `job` is a handler that waits, or one that the task has yet to pick up.
    """

    __slots__ = ("_gate", "current", "job", "state", "task")

    state: State
    current: Envelope | None
    task: asyncio.Task[Any] | None
    job: Job | None
    _gate: ParkingPlace | None

    if TYPE_CHECKING:  # what the other half gives
        runtime: Runtime
        context: Context
        label: str
        body: Body
        server: Any

        def settle(self) -> None:
            """A turn is over."""
            ...

        def finish(self, reason: object) -> None:
            """The frames are gone."""
            ...

        def cancel_task(self) -> None:
            """Ask the frames of the task to unwind."""
            ...

        def crash(self, error: BaseException) -> None:
            """User code raised *error*."""
            ...

    def run_async(self, coroutine: Coroutine[Any, Any, Any], then: Callable[[Any], object]) -> None:
        """Run *coroutine*, then call ``then(result)``: both before this returns, or later.

        Called at the end of a turn, in the context of the process.  Messages wait
        meanwhile.  What the coroutine or *then* raises is a crash.
        """
        gate = self._gate
        if gate is not None and self.state is RUNNING and self.runtime.can_hide:
            self._step(gate, coroutine, then)
            return
        if self.state is not INIT and self.state is not EXITING:
            self.state = WAITING
        self.job = (coroutine, then, UNBEGUN)
        if gate is not None:
            self._gate = None
            gate.set(None)
        elif self.task is None:
            self.task = self.runtime.make_task(self._serve(), self.context, self.label)

    # -- steps ----------------------------------------------------------------------------

    def _step(
        self,
        gate: ParkingPlace,
        coroutine: Coroutine[Any, Any, Any],
        then: Callable[[Any], object],
        error: BaseException | None = None,
    ) -> None:
        """Take one step of a handler, with *error* raised in it if there is one."""
        runtime = self.runtime
        task = self.task
        assert task is not None
        alive = self.state is not EXITING
        end: BaseException | None = None
        waits_for = None
        hidden = runtime.hide_task()
        runtime.show_task(task)
        gate.stepping = True
        try:
            waits_for = coroutine.send(None) if error is None else coroutine.throw(error)
        except BaseException as raised:
            end = raised
        finally:
            gate.stepping = False
            runtime.hide_task()
            if hidden is not None:
                runtime.show_task(hidden)
        if end is None:
            self._wait(gate, coroutine, then, waits_for, killed=alive and self.state is EXITING)
            return
        self._stepped(gate)
        try:
            if isinstance(end, StopIteration):
                then(end.value)
            else:
                self._task_failed(end)
        except BaseException as raised:
            self._task_failed(raised)
        finally:
            del end, error  # or their tracebacks would hold this frame, and this frame them

    def _wait(
        self,
        gate: ParkingPlace,
        coroutine: Coroutine[Any, Any, Any],
        then: Callable[[Any], object],
        waits_for: Any,
        *,
        killed: bool,
    ) -> None:
        """*coroutine* suspends: see that it is resumed; or unwinds here, *killed* on the stack (law 2)."""
        if self.state is RUNNING:
            self.state = WAITING
        kind = waits_for.__class__
        if waits_for is not None and kind is not ReplyTo and kind is not Slot:
            assert self.task is not None
            wrong = mistake(waits_for, self.task)
            if wrong is not None:
                waits_for, gate.owed = None, RuntimeError(wrong)
        self.job = (coroutine, then, waits_for)
        if waits_for is None:
            self.runtime.runqueue.give_way(self.resume, self.context)
        else:
            waits_for._asyncio_future_blocking = False
            waits_for.add_done_callback(self.resume, context=self.context)
            if gate.owed is not None and cancel_awaited(waits_for, gate.owed):
                gate.owed = None
        if killed:
            self.cancel_task()

    def resume(self, waited_for: Any = None) -> None:
        """What the handler waits for is there; called in the context of the process."""
        job, gate = self.job, self._gate
        if job is None or gate is None or job[2] is not waited_for:
            return  # it was closed meanwhile
        self.job = None
        error = gate.owed
        if error is not None:
            gate.owed = None
        elif waited_for is not None:
            error = error_of(waited_for)
        if self.state is WAITING:
            self.state = RUNNING
        self._step(gate, job[0], job[1], error)
        if self.job is None:
            self.settle()

    def _stepped(self, gate: ParkingPlace) -> None:
        """A handler is done.  If its task is still being cancelled, the next one gets another (law 11)."""
        gate.owed = None
        if gate.disturbed:
            gate.disturbed = False
            assert self.task is not None
            if self.task.cancelling():
                self._gate = self.task = None
                gate.set(None)

    async def _serve(self) -> None:
        """The kept task: runs the handler that it was made for, and parks for the others."""
        task = self.task
        assert task is not None
        while True:
            job, self.job = self.job, None
            if job is not None:
                try:
                    job[1](await job[0])
                except BaseException as error:
                    self._task_failed(error)
                job = None
            if self.job is not None:
                continue
            if self.state is DEAD:
                self.task = None  # its context leads back here: the dead must not be a cycle
                return
            if task.cancelling():  # law 11: the next TaskGroup of 3.13 would misread it
                self.task = None
                self.settle()
                return
            gate = self._gate = ParkingPlace(self.runtime.runqueue, self)
            self.settle()
            try:
                await gate
            except asyncio.CancelledError as error:  # somebody else cancelled it while idle
                self._gate = self.task = None
                self._task_failed(error)
                return
            if self.task is not task:
                return

    def _task_failed(self, error: BaseException) -> None:
        if issubclass(type(error), asyncio.CancelledError) and self.runtime.is_ending():
            self.finish(self.runtime.stop_reason)  # law 12: the host ends; this is no crash
        else:
            self.crash(error)

    def stop_kept_task(self) -> None:
        """Let the parked task of a dead process return."""
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.set(None)

    # -- unwinding ----------------------------------------------------------------------

    def unwind_turns(self, state: State) -> bool:
        """`Body.unwind` for servers: whether no frame of user code is left."""
        if self.job is not None and self.job[2] is UNBEGUN:
            self.drop_job()
            return True
        if state is RUNNING:
            return False
        if (state is WAITING or state is INIT) and self.task is not None:
            self.cancel_task()
            return False
        return state is not INIT

    def unwinds_in_task(self) -> bool:
        """Whether a handler has begun and is not done, which will end the process."""
        if self.job is not None:
            return self.job[2] is not UNBEGUN
        return self._gate is None and self.task is not None

    def _is_handler_of_current(self, coroutine: Any) -> bool:
        """Whether *coroutine* is what handles the message at hand, which nobody waits for."""
        envelope: Any = self.current
        if envelope is None or envelope[0] not in (CAST, INFO):
            return False
        cls: Any = self.server.__class__
        if envelope[0] == INFO:
            handler = getattr(cls, "handle_info", None)
        else:
            handler = envelope[2] or getattr(cls, "handle_cast", None)
        return getattr(handler, "__code__", None) is getattr(coroutine, "cr_code", self)

    def begun(self) -> Coroutine[Any, Any, Any] | None:
        """The handler that waits, if one does and is not the task's own."""
        return None if self.job is None or self.job[2] is UNBEGUN else self.job[0]

    def drop_job(self) -> None:
        """Forget the coroutine that the kept task has not begun with."""
        job, self.job = self.job, None
        if job is not None:
            if self._is_handler_of_current(job[0]):
                self.runtime.losses.unread += 1
            job[0].close()
            if self._gate is None and self.task is not None:
                self.task.cancel()  # a task that never took a step


def waiting_handler(coroutine: object) -> Coroutine[Any, Any, Any] | None:
    """The handler that waits, if *coroutine* is that of a kept task and one does."""
    if getattr(coroutine, "cr_code", None) is not _SERVE:
        return None
    frame = cast("Any", coroutine).cr_frame
    return None if frame is None else frame.f_locals["self"].begun()


_SERVE: Final = KeptTask._serve.__code__  # pyright: ignore[reportPrivateUsage]
