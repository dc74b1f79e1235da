"""The process of a task: it runs one function, and its outcome waits for whoever asked.

The value does not travel through a mailbox: it is kept in an `Outcome`, which the task
fills with what the function returned, or its death with the reason.  So every wait for
a task ends, and no stray message is left behind.

Used by `task.py`, `task_supervisor.py` and `stream.py`; not part of the public API,
except for the two records that people see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, TypeVar

from suptree.core import (
    SHUTDOWN,
    Carried,
    Pid,
    PlainBody,
    Process,
    Runtime,
    Shutdown,
    Slot,
    attach,
    check_function,
)
from suptree.errors import TaskExitError
from suptree.otp.child_spec import StartOptions

__all__ = ["Outcome", "TaskBody", "TaskExit", "TaskStart", "TaskValue", "callers_of"]

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class TaskValue(Generic[T_co]):
    """A task returned *value* (OTP: `{ok, Value}`)."""

    value: T_co

    def result(self) -> T_co:
        """The value."""
        return self.value


@dataclass(frozen=True, slots=True)
class TaskExit:
    """A task ended with *reason* and without a value (OTP: `{exit, Reason}`).

    Attributes:
        reason: The exit reason; 'timeout' for a task that its stream killed for being late.
        input: The item of the stream that it worked on, with `zip_input_on_exit`; else None.
    """

    reason: object
    input: Any = None

    def result(self) -> NoReturn:
        """There is none.

        Raises:
            TaskExitError: Always, with the reason.
        """
        raise TaskExitError("a task", self.reason)


class Outcome(Slot):
    """Filled once: by the task with its value, or by its death with the reason.

    Nobody awaits it; who wants to be told adds a watcher, which is called at once and
    must only take note.

    Attributes:
        number: Of a death, grows with each: who of several was first.
    """

    __slots__ = ("_next_number", "dropped", "number", "watchers")

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime.runqueue)
        self.watchers: list[Callable[[], object]] = []
        self.dropped = False
        self.number = 0
        self._next_number = runtime.next_id

    def keep(self, value: object) -> bool:
        """The task returned *value*."""
        return self._fill(TaskValue(value))

    def set(self, value: object) -> bool:
        """The task has ended and *value* is the reason: this is how a monitor tells it."""
        if self.done():
            return False
        self.number = self._next_number()
        return self._fill(TaskExit(value))

    def _fill(self, told: object) -> bool:
        if not super().set(told):
            return False
        watchers, self.watchers = self.watchers, []
        for watcher in watchers:
            watcher()
        return True

    def drop(self) -> None:
        """Nobody wants it any more: what comes is thrown away."""
        if self.cancel():
            self.dropped = True

    def told(self) -> TaskValue[Any] | TaskExit | None:
        """What it was filled with, or None."""
        return self.outcome() if self.done() and not self.dropped else None


class TaskBody(PlainBody):
    """A plain process whose function's value is wanted."""

    kind = "task"

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        outcome: Outcome | None,
        owner: Process | None,
        carried: Carried | None,
    ) -> None:
        super().__init__(function, args, kwargs)
        self._outcome = outcome
        self._owner = owner
        self._carried = carried

    def begin(self, process: Process) -> None:
        """Attach what the one who asked had: this process works on its behalf, all its life."""
        if self._carried is not None:
            attach(process, self._carried)
        super().begin(process)

    def returned(self, value: object) -> None:
        """Keep the value, and let go of the owner, who needs no Exit(NORMAL) beside it."""
        if self._outcome is None:
            return
        self._outcome.keep(value)
        owner, process = self._owner, self.process
        if owner is not None and process is not None:
            process.runtime.unlink_processes(owner, process)


class TaskStart:
    """The start function of a task: a function and its arguments.

    With an *outcome* somebody waits for the value.  With a *linked* process the task is
    linked to it beside its parent; one that has died meanwhile had its task started for
    nobody, which then ends with Shutdown(reason) before its first step (S199).  What is
    *carried* is attached to it, the deadline only if somebody waits.
    """

    __slots__ = (
        "_args",
        "_asked",
        "_callers",
        "_carried",
        "_function",
        "_kwargs",
        "_linked",
        "_outcome",
        "_process",
        "_unwanted",
        "label",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        outcome: Outcome | None = None,
        asked: Process | None = None,
        linked: bool = False,
        carried: Carried | None = None,
    ) -> None:
        check_function("a task", function)
        self._function = function
        self._args = args
        self._kwargs = kwargs
        self._outcome = outcome
        self._asked = asked
        self._linked = linked
        self._callers = callers_of(asked)
        self._carried = carried
        self._process: Process | None = None
        self._unwanted = False
        self.label: str = getattr(function, "__qualname__", None) or type(function).__qualname__

    def start(
        self,
        runtime: Runtime,
        parent: Process | None,
        options: StartOptions,
        extra: tuple[Any, ...] = (),
    ) -> Slot:
        """Make the process; the function begins on a later turn of the loop."""
        asked = self._asked if self._outcome is not None else None
        body = TaskBody(
            self._function,
            extra + self._args,
            self._kwargs,
            self._outcome,
            asked if self._linked else None,
            self._carried_along(),
        )
        started = runtime.start_process(
            body,
            parent=parent,
            link=options.link,
            name=options.name,
            label=options.label or self.label,
            supervised=options.supervised,
            bound=options.bound,
            callers=self._callers,
        )
        if self._outcome is not None and body.process is not None:
            self._process = body.process
            self._tie(runtime, body.process, asked, self._outcome)
        return started

    def _carried_along(self) -> Carried | None:
        carried = self._carried
        if carried is None:
            return None
        return carried.again(None if self._outcome is None else carried.deadline)

    def give_up(self) -> None:
        """Whoever asked went away before it got the handle: end the task, now or at its start."""
        self._unwanted = True
        if self._process is not None:
            self._process.doom(SHUTDOWN)

    def _tie(
        self, runtime: Runtime, process: Process, asked: Process | None, outcome: Outcome
    ) -> None:
        runtime.down_slot(process.pid, outcome)
        if asked is not None and not asked.is_alive():
            process.doom(Shutdown(asked.exit_reason))
        elif self._unwanted:
            process.doom(SHUTDOWN)
        elif asked is not None and self._linked:
            runtime.link(asked, process.pid)


def callers_of(process: Process | None) -> tuple[Pid[Any], ...]:
    """The callers of a task that *process* asks for: itself, then its own (S195)."""
    return () if process is None else (process.pid, *process.callers)
