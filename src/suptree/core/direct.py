"""Direct calls: the turn of a server in the turn of the one who calls it.

The caller's task is hidden meanwhile.  What a handler raises is a crash of the server and
never of the caller, unless the request declares it as an answer; where the caller stands so deep in its stack that a burial might run
out of it half-way, the rest is put off to the run loop, which has a stack of its own.

`otp/clients.py` decides whether a call is direct; a server is never re-entered.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, cast

from suptree.core.kept_task import KeptTask
from suptree.core.lifecycle import EXITING, IDLE, RUNNING, WAITING
from suptree.core.messages import CALL
from suptree.core.misfits import misfit
from suptree.core.propagation import detach
from suptree.core.slot import ReplyTo, Slot, Unanswered
from suptree.core.stacks import stands_deep

if TYPE_CHECKING:
    from suptree.core.process import Process

__all__ = ["DirectCalls"]

NESTED_AT_MOST: Final = 16
"""Async handlers of direct calls on the stack, each in the turn of the one that called it."""


class DirectCalls(KeptTask):
    """What `Process` inherits: see the module text.

    Attributes:
        direct_caller: The process in whose turn a handler runs, or ran last.
        messages_in: How many messages it has handled, direct calls too.
    """

    __slots__ = ("direct_caller", "messages_in")

    direct_caller: Process | None
    messages_in: int

    if TYPE_CHECKING:  # what the other half gives

        def enter(self, function: Callable[..., Any], *args: object) -> Any:
            """Call *function* in the context of this process."""
            ...

        def left_turn(self) -> None:
            """A turn ended in another state than RUNNING."""
            ...

    def run_direct(
        self, handler: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Run a handler in the caller's turn (a direct call), an async one until it suspends.

        The process must be IDLE.  The caller's task is hidden meanwhile.  A crash
        is the server's: it ends here, and the caller gets `Unanswered`; so it does when the
        handler suspends, and when the answer is an error.

        Raises:
            RecursionError: The caller had no stack left to enter the handler; the
                process is as before.
            BadRequestError: The arguments do not fit the handler; likewise.
        """
        runtime = self.runtime
        hidden = runtime.hide_task()
        self.state = RUNNING
        try:
            if kwargs:
                result = self.context.run(handler, self.server, *args, **kwargs)
            elif args:
                result = self.context.run(handler, self.server, *args)
            else:
                result = self.context.run(handler, self.server)
            if result.__class__ is CoroutineType and self._gate is not None:
                result = self.first_step_of_direct(result, handler, args, kwargs)
        except BaseException as error:
            # Not in a variable: a frame and its own traceback would hold each other.
            if (
                issubclass(type(error), RecursionError)
                and getattr(error.__traceback__, "tb_next", error) is None
            ):
                self.state = IDLE
                detach(cast("Process", self))
                raise
            if issubclass(type(error), TypeError) and self.current is None:
                refusal = misfit(
                    cast("Process", self), handler, args, kwargs, cast("TypeError", error)
                )
                if refusal is not None:
                    self.leave_direct()
                    raise refusal from None
            result = self.crash_of_direct(error, handler, args, kwargs)
        finally:
            if hidden is not None:
                runtime.show_task(hidden)
        self.messages_in += 1
        return result

    def crash_of_direct(
        self,
        error: BaseException,
        handler: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Unanswered:
        """A direct call raised *error*, or its result does when it is looked at: a crash, or an answer."""
        if self.current is None:  # nobody has asked for `sender`
            reply_to = ReplyTo(self.runtime.runqueue, cast("Process", self), self.direct_caller)
        else:
            reply_to = self.current[1]
        self.current = (CALL, reply_to, handler, args, kwargs)
        self.crash_where_there_is_room(error)
        return Unanswered((reply_to,))

    def crash_where_there_is_room(self, error: BaseException) -> None:
        """As `crash`, in the run loop if the caller of a direct call stands deep.

        A burial that runs out of stack half-way would leave others waiting for ever.
        Calls nothing written in Python before it knows that there is room.
        """
        try:
            sys._getframe(sys.getrecursionlimit() // 3)
        except ValueError:
            self._failed_direct(error)
            return
        late = Slot.__new__(Slot)
        late._callback = lambda _: self._failed_direct(error)  # pyright: ignore[reportPrivateUsage]
        late._context = None  # pyright: ignore[reportPrivateUsage]
        queue = self.runtime.runqueue
        queue.resuming.append(late)
        if self.state is RUNNING:
            self.state = WAITING
        if not queue.scheduled:
            try:
                queue.schedule()
            except RecursionError:
                return  # the next message, timer or turn of this runtime has it done

    def _failed_direct(self, error: BaseException) -> None:
        """The handler of a direct call raised: the end, or an answer, after which it goes on."""
        if self.state is WAITING:  # it was put off
            self.state = RUNNING
        self.crash(error)
        if self.state is RUNNING:
            self.leave_direct()

    def rest_of_direct(self, function: Callable[..., object], *args: object) -> None:
        """What follows from the answer of a direct call: a directive, carried out."""
        if stands_deep():
            self.put_off(self._rest_of_direct, function, *args)
            if self.state is RUNNING:
                self.state = WAITING
            return
        hidden = self.runtime.hide_task()
        try:
            self._rest_of_direct(function, *args)
        finally:
            if hidden is not None:
                self.runtime.show_task(hidden)

    def _rest_of_direct(self, function: Callable[..., object], *args: object) -> None:
        if self.state is WAITING:  # it was put off
            self.state = RUNNING
        try:
            self.enter(function, *args)
        except BaseException as error:
            self.crash(error)
        self.leave_direct()

    def leave_direct(self) -> None:
        """The direct call is over: rest, or go on with what arrived meanwhile."""
        if self.state is RUNNING:
            self.settle()
        elif self.state is EXITING and stands_deep():
            self.put_off(self.left_turn)
        else:
            self.left_turn()

    def put_off(self, function: Callable[..., object], *args: object) -> None:
        """Have the run loop call *function*, on a stack of its own."""
        late = Slot(self.runtime.runqueue)
        late.add_done_callback(lambda _: function(*args))
        late.set(None)

    def first_step_of_direct(
        self,
        coroutine: Coroutine[Any, Any, Any],
        handler: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """As `_step` in the caller's turn, which goes on with the answer if there is one.

        Returns:
            What the handler returned; or the place of its reply, if it suspends.
        """
        runtime = self.runtime
        gate, task = self._gate, self.task
        assert gate is not None
        assert task is not None
        runqueue = runtime.runqueue
        held = 0
        runqueue.nested += 1
        if runqueue.nested >= NESTED_AT_MOST:
            # The next call queues: no chain is too long for the stack.
            held, runqueue.direct_budget = runqueue.direct_budget, 0
        runtime.show_task(task)
        gate.stepping = True
        try:
            waits_for = self.context.run(coroutine.send, None)
        except StopIteration as stop:
            self._stepped(gate)
            return stop.value
        except BaseException:
            self._stepped(gate)
            raise
        finally:
            gate.stepping = False
            runtime.hide_task()
            runqueue.nested -= 1
            runqueue.direct_budget += held
        if self.current is None:  # nobody has asked for `sender`
            reply_to = ReplyTo(runqueue, cast("Process", self), self.direct_caller)
        else:
            reply_to = self.current[1]
        self.current = (CALL, reply_to, handler, args, kwargs)
        body: Any = self.body
        self._wait(gate, coroutine, body.answered, waits_for, killed=self.state is EXITING)
        return Unanswered((reply_to,))
