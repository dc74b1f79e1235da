"""The kept task of a process: where the handlers run that suspend.

A server has one task, made for its first async handler and parked between two of them.
A handler takes its first step without it, in the turn, while the parked task is shown
as the current one: to the code it is the same, and a handler that has nothing to wait
for costs no switch of tasks.  One that suspends is handed to the task, which goes on
with it.

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
from typing import TYPE_CHECKING, Any, TypeAlias

from suptree.core.lifecycle import DEAD, EXITING, INIT, RUNNING, WAITING, State
from suptree.core.messages import CALL
from suptree.core.slot import PENDING, ReplyTo, Slot, Unanswered
from suptree.core.steps import UNBEGUN, go_on

if TYPE_CHECKING:
    from contextvars import Context

    from suptree.core.lifecycle import Body
    from suptree.core.messages import Envelope
    from suptree.core.process import Process
    from suptree.core.runtime import Runtime

__all__ = ["Job", "KeptTask"]

Job: TypeAlias = tuple[Coroutine[Any, Any, Any], Callable[[Any], object], object]
"""A coroutine, what is called with its result, and what it waits for; UNBEGUN before its first step."""


class KeptTask:
    """What `Process` inherits: user code that may suspend, and its unwinding.

    Invariant: `job` is set only between its hand-over and the task picking it up.
    Invariant: `_gate` is set exactly while the task is parked, or has begun to be cancelled there.
    """

    __slots__ = ()

    if TYPE_CHECKING:  # what the other half gives
        runtime: Runtime
        context: Context
        label: str
        state: State
        body: Body
        current: Envelope | None
        direct_caller: Process | None
        task: asyncio.Task[Any] | None
        job: Job | None
        _gate: Slot | None

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
        """Run *coroutine*, then call ``then(result)``: both before this returns, or later in the task.

        Called at the end of a turn, in the context of the process.  Messages wait
        meanwhile.  What the coroutine or *then* raises is a crash.
        """
        gate = self._gate
        if gate is not None and self.state is RUNNING and self.runtime.can_hide:
            self._take_first_step(gate, coroutine, then)
            return
        if self.state is not INIT and self.state is not EXITING:
            self.state = WAITING
        self.job = (coroutine, then, UNBEGUN)
        if gate is not None:
            self._gate = None
            gate.set(None)
        elif self.task is None:
            self.task = self.runtime.make_task(self._serve(), self.context, self.label)

    def _take_first_step(
        self, gate: Slot, coroutine: Coroutine[Any, Any, Any], then: Callable[[Any], object]
    ) -> None:
        """As far as *coroutine* goes without waiting; then hand it to the task, parked at *gate*."""
        runtime = self.runtime
        task = self.task
        assert task is not None
        hidden = runtime.hide_task()
        runtime.show_task(task)
        try:
            waits_for = coroutine.send(None)
        except BaseException as error:
            end = error
        else:
            self._hand_over(gate, coroutine, then, waits_for)
            return
        finally:
            runtime.hide_task()
            if hidden is not None:
                runtime.show_task(hidden)
        if gate.state is not PENDING:  # a handler that is done now has cancelled it (law 11)
            self._gate = self.task = None
        try:
            if end.__class__ is StopIteration:
                then(end.value)
            else:
                self._task_failed(end)
        except BaseException as error:
            self._task_failed(error)
        finally:
            del end  # or its traceback would hold this frame, and this frame the error

    def _hand_over(
        self,
        gate: Slot,
        coroutine: Coroutine[Any, Any, Any],
        then: Callable[[Any], object],
        waits_for: object,
    ) -> None:
        """*coroutine* suspends in its first step: the task, parked at *gate*, goes on with it."""
        self._gate = None
        self.job = (coroutine, then, waits_for)
        gate.set(None)  # unless the handler cancelled its own task, which wakes it as well
        if self.state is RUNNING:
            self.state = WAITING
        else:  # killed on the stack (law 2): it unwinds where it suspends
            self.cancel_task()

    def first_step_of_direct(
        self,
        coroutine: Coroutine[Any, Any, Any],
        handler: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """As far as the handler of a direct call goes without waiting.

        Returns:
            What it returned; or the place of its reply, if it goes on in the task.
        """
        runtime = self.runtime
        gate, task = self._gate, self.task
        assert gate is not None
        assert task is not None
        runtime.show_task(task)
        try:
            waits_for = self.context.run(coroutine.send, None)
        except StopIteration as stop:
            if gate.state is not PENDING:
                self._gate = self.task = None
            return stop.value
        finally:
            runtime.hide_task()
        if self.current is None:  # nobody has asked for `sender`
            reply_to = ReplyTo(runtime.runqueue, self, self.direct_caller)
            self.current = (CALL, reply_to, handler, args, kwargs)
        self._hand_over(gate, coroutine, self.body.answered, waits_for)
        return Unanswered((self.current[1],))

    async def _serve(self) -> None:
        """The kept task: runs one job after the other, and parks between them."""
        task = self.task
        assert task is not None
        cancelled: asyncio.CancelledError | None = None
        while True:
            job, self.job = self.job, None
            if job is not None:
                coroutine, then, waits_for = job
                try:
                    if waits_for is UNBEGUN:
                        then(await coroutine)
                    else:
                        then(await go_on(coroutine, waits_for, cancelled))
                except BaseException as error:
                    self._task_failed(error)
                job = coroutine = then = waits_for = cancelled = None  # type: ignore[assignment]
            if self.job is not None:
                continue
            if self.state is DEAD:
                self.task = None  # its context leads back here: the dead must not be a cycle
                return
            if task.cancelling():  # law 11: the next TaskGroup of 3.13 would misread it
                self.task = None
                self.settle()
                return
            gate = self._gate = Slot(self.runtime.runqueue)
            self.settle()
            try:
                await gate
            except asyncio.CancelledError as error:
                if self.task is not task:  # a handler did that, in its first step and last
                    return
                if self.job is None or self.job[2] is UNBEGUN:  # somebody else did, while idle
                    self._gate = self.task = None
                    self._task_failed(error)
                    return
                cancelled = error

    def _task_failed(self, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError) and self.runtime.is_ending():
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
        """Whether a handler has begun and is the task's now, which will end the process."""
        if self._gate is not None or self.task is None:
            return False
        return self.job is None or self.job[2] is not UNBEGUN

    def drop_job(self) -> None:
        """Forget the coroutine that the kept task has not begun with."""
        job, self.job = self.job, None
        if job is not None:
            job[0].close()
            if self._gate is None and self.task is not None:
                self.task.cancel()  # a task that never took a step
