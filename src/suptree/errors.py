"""Every exception that suptree raises, in one tree; this file imports only the words for near names.

    SuptreeError
    ├── NoProcessError              nobody lives at that pid or name (OTP: noproc)
    ├── ServerExitError             the callee ended before it answered        .reason
    ├── CallTimeoutError            no answer in time (also a TimeoutError)
    ├── SelfCallError               a process called itself                    (OTP: calling_self)
    ├── BadRequestError             the server does not know that request
    ├── BadArgumentError            a value that a call is given is wrong (also a ValueError)
    ├── MailboxFullError            a bounded mailbox refused the message
    ├── UnknownStateError           a state machine has no function for that state
    ├── SystemRequestError          a request of `suptree.sys` was refused
    │   ├── NotSuspendedError       a code change needs a suspended server
    │   └── CodeChangeError         code_change refused; the state is as before  .reason
    ├── ReceiveTimeoutError         nothing matched in time (also a TimeoutError)
    ├── StartError                  the new process failed in its init         .reason
    │   ├── StartTimeoutError       init took longer than its start_timeout
    │   ├── StartIgnoredError       init answered Ignore                       (OTP: ignore)
    │   └── AlreadyStartedError     the name, key or child is taken            .pid
    ├── TableError                  a table refuses                            .table
    │   ├── NoTableError            it was deleted, or there is none of that name
    │   └── TableAccessError        only its owner may do that
    ├── NameTakenError              register: name in use, or process named already
    ├── SpecError                   a value given to a supervisor is wrong
    │   ├── ChildSpecError          one field of a child specification
    │   └── SupervisorOptionsError  strategy, intensity, period, auto_shutdown
    ├── ChildError                  the supervisor refuses an operation on a child
    │   ├── ChildNotFoundError      .id
    │   ├── ChildAlreadyPresentError
    │   ├── ChildRunningError
    │   ├── ChildRestartingError
    │   └── MaxChildrenError
    ├── RegistryError               a registry refuses                         (OTP: ArgumentError)
    │   └── AlreadyRegisteredError  .pid
    ├── TaskError                   await, yield or shutdown by the wrong process, or a lost task
    │   ├── TaskOwnerError
    │   ├── TaskTimeoutError        no value in time (also a TimeoutError)
    │   └── TaskExitError           the task ended without a value             .reason
    ├── ApplicationError            .application
    │   ├── ApplicationNotStartedError
    │   └── ApplicationAlreadyStartedError
    ├── UsageError                  the call is made from the wrong place
    │   ├── NoRuntimeError
    │   ├── AmbiguousRuntimeError
    │   ├── WrongThreadError
    │   ├── NotInProcessError
    │   ├── CrossRuntimeError
    │   ├── RuntimeClosedError
    │   ├── ForkedRuntimeError
    │   └── ProcessDeadError        the frames of a dead process still run
    ├── RuntimeStoppedError         a tree that this block started gave up     .reason
    └── InternalError               our bug: please report it

`ProcessExit` stands outside: it is how a process ends itself, a `BaseException`
so that `except Exception` in user code does not catch it.
"""

from __future__ import annotations

from suptree.near import ending, meant

__all__ = [
    "AlreadyRegisteredError",
    "AlreadyStartedError",
    "AmbiguousRuntimeError",
    "ApplicationAlreadyStartedError",
    "ApplicationError",
    "ApplicationNotStartedError",
    "BadArgumentError",
    "BadRequestError",
    "CallTimeoutError",
    "ChildAlreadyPresentError",
    "ChildError",
    "ChildNotFoundError",
    "ChildRestartingError",
    "ChildRunningError",
    "ChildSpecError",
    "CodeChangeError",
    "CrossRuntimeError",
    "ForkedRuntimeError",
    "InternalError",
    "MailboxFullError",
    "MaxChildrenError",
    "NameTakenError",
    "NoProcessError",
    "NoRuntimeError",
    "NoTableError",
    "NotInProcessError",
    "NotSuspendedError",
    "ProcessDeadError",
    "ProcessExit",
    "ReceiveTimeoutError",
    "RegistryError",
    "RuntimeClosedError",
    "RuntimeStoppedError",
    "SelfCallError",
    "ServerExitError",
    "SpecError",
    "StartError",
    "StartIgnoredError",
    "StartTimeoutError",
    "SupervisorOptionsError",
    "SuptreeError",
    "SystemRequestError",
    "TableAccessError",
    "TableError",
    "TaskError",
    "TaskExitError",
    "TaskOwnerError",
    "TaskTimeoutError",
    "UnknownStateError",
    "UsageError",
    "WrongThreadError",
]


class SuptreeError(Exception):
    """Base of every error that suptree raises."""


# -- requests -----------------------------------------------------------------


class NoProcessError(SuptreeError):
    """Nobody lives at *target*, a pid or a name (OTP: `noproc`)."""

    def __init__(self, target: object, doing: str = "call", hint: object = None) -> None:
        super().__init__(target, doing)
        self.target = target
        self.doing = doing
        self._hint = hint

    def __str__(self) -> str:
        hint = str(self._hint()) if callable(self._hint) else ""
        said, more = (f"{hint} It", "") if hint.startswith(",") else (": it", hint)
        return (
            f"{self.doing}: no process at {self.target!r}{said} was never there or has ended. "
            f"Look the pid up again, or let the supervisor restart it and retry.{more}"
        )


class ServerExitError(SuptreeError):
    """The process that was called ended with *reason* before it answered.

    Attributes:
        server: Its pid.
        reason: Why it ended.
        unread: Whether the request was still in its mailbox: nobody has begun with it, so
            it may be sent again.
    """

    def __init__(self, server: object, reason: object, *, unread: bool = False) -> None:
        super().__init__(server, reason)
        self.server = server
        self.reason = reason
        self.unread = unread

    def __str__(self) -> str:
        return f"{self.server!r} ended before it answered: {self.reason!r}"


class CallTimeoutError(SuptreeError, TimeoutError):
    """No reply within the deadline; the server is unaffected and a late reply is dropped."""

    def __init__(self, server: object, request: str, timeout: float, detail: str = "") -> None:
        super().__init__(server, request, timeout, detail)
        self.server = server
        self.request = request
        self.timeout = timeout
        self.detail = detail

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return (
            f"{self.server!r}: no reply to {self.request} within {self.timeout} s{detail}. "
            "Raise the timeout, or look at what the server is doing."
        )


class SelfCallError(SuptreeError):
    """A process called itself: it would wait for its own answer for ever."""

    def __init__(self, server: object, request: str) -> None:
        super().__init__(server, request)
        self.server = server
        self.request = request

    def __str__(self) -> str:
        return (
            f"{self.server!r} called itself ({self.request}) and would wait for ever. "
            "Call the method on self, or cast to self.pid."
        )


class BadRequestError(SuptreeError):
    """The server does not know that request; the server itself is unaffected."""

    def __init__(self, server: object, request: str, why: str) -> None:
        super().__init__(server, request, why)
        self.server = server
        self.request = request
        self.why = why

    def __str__(self) -> str:
        return f"{self.server!r} cannot take {self.request}: {self.why}"


class BadArgumentError(SuptreeError, ValueError):
    """A value that a call is given is wrong; nothing was changed.

    Attributes:
        who: Who refuses it: the name of a class, or of a method.
        field: Which argument it is.
        wanted: What would be right.
        got: What was given, as text.
        advice: What to do, or what was probably meant; it may be empty.
    """

    def __init__(self, who: str, field: str, wanted: str, got: str, advice: str = "") -> None:
        super().__init__(who, field, wanted, got, advice)
        self.who = who
        self.field = field
        self.wanted = wanted
        self.got = got
        self.advice = advice

    def __str__(self) -> str:
        end = ending(self.advice)
        return f"{self.who}: {self.field} must be {self.wanted}; got {self.got}{end}"


class MailboxFullError(SuptreeError):
    """A bounded mailbox refused or dropped the message under its overflow policy."""

    def __init__(self, target: object, limit: int) -> None:
        super().__init__(target, limit)
        self.target = target
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"{self.target!r}: mailbox is full ({self.limit} messages). "
            "Use `await send_wait(...)`, slow down, or raise the bound."
        )


class UnknownStateError(SuptreeError):
    """A state machine was sent to a state that it has no function for; *near* is one that it has."""

    def __init__(self, machine: str, state: object, near: str | None = None) -> None:
        super().__init__(machine, state, near)
        self.machine = machine
        self.state = state
        self.near = near

    def __str__(self) -> str:
        return (
            f"{self.machine}: no state function for {self.state!r}{meant(self.near)} "
            "Write a method of that name, or override handle_event."
        )


class SystemRequestError(SuptreeError):
    """A request of `suptree.sys` was refused; the process is as before."""

    def __init__(self, server: object, why: str) -> None:
        super().__init__(server, why)
        self.server = server
        self.why = why

    def __str__(self) -> str:
        return f"{self.server!r}: {self.why}"


class NotSuspendedError(SystemRequestError):
    """A code change needs a suspended server."""

    def __init__(self, server: object) -> None:
        super().__init__(server, "is not suspended. Use `sys.suspend` first, `sys.resume` after.")


class CodeChangeError(SystemRequestError):
    """`code_change` raised: class and state are as before (OTP: `{error, Reason}`)."""

    def __init__(self, server: object, reason: object) -> None:
        super().__init__(server, f"code_change failed: {reason!r}. Class and state are as before.")
        self.reason = reason


class ReceiveTimeoutError(SuptreeError, TimeoutError):
    """No message matched within the time given to `receive`."""

    def __init__(self, timeout: float) -> None:
        super().__init__(timeout)
        self.timeout = timeout

    def __str__(self) -> str:
        return f"receive: no matching message within {self.timeout} s"


# -- start --------------------------------------------------------------------


class StartError(SuptreeError):
    """A process failed in its init and was never there for others.

    `reason` is what OTP's `{error, Reason}` holds: the reason of a `Stop`, a
    `Crashed`, or for a supervisor `Shutdown(FailedToStartChild(id, reason))`.
    `process` is the pid of the process that failed, None when none was made.
    """

    process: object = None

    def __init__(self, who: object, reason: object) -> None:
        super().__init__(who, reason)
        self.who = who
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.who}: failed to start: {self.reason!r}"


class StartTimeoutError(StartError):
    """Init did not finish within its start timeout; the new process was killed."""

    def __init__(self, who: object, timeout: float) -> None:
        super().__init__(who, "timeout")
        self.timeout = timeout

    def __str__(self) -> str:
        return (
            f"{self.who}: init did not finish within {self.timeout} s and was killed. "
            "Return `Continue(...)` from init and do the slow part there, or raise start_timeout."
        )


class StartIgnoredError(StartError):
    """Init answered `Ignore`: no process was started, and that is no failure (OTP: `ignore`)."""

    def __init__(self, who: object) -> None:
        super().__init__(who, "ignore")

    def __str__(self) -> str:
        return f"{self.who}: not started, its init answered Ignore"


class AlreadyStartedError(StartError):
    """The name, the registry key or the child id is taken by *pid*."""

    def __init__(self, who: object, pid: object) -> None:
        super().__init__(who, ("already_started", pid))
        self.pid = pid

    def __str__(self) -> str:
        return f"{self.who}: already started as {self.pid!r}. Use that one, or stop it first."


class NameTakenError(SuptreeError):
    """`register` refuses: the name is in use, or the process is dead or has a name already."""

    def __init__(self, name: str, why: str, pid: object = None) -> None:
        super().__init__(name, why, pid)
        self.name = name
        self.why = why
        self.pid = pid

    def __str__(self) -> str:
        return f"cannot register {self.name!r}: {self.why}"


class TableError(SuptreeError):
    """A table refuses.  `table` is the table, or the name that was looked up."""

    def __init__(self, table: object, why: str) -> None:
        super().__init__(table, why)
        self.table = table
        self.why = why

    def __str__(self) -> str:
        return f"table {self.table!r}: {self.why}"


class NoTableError(TableError):
    """The table was deleted, or there is none of that name."""


class TableAccessError(TableError):
    """Only the owner of the table may do that."""

    def __str__(self) -> str:
        return (
            f"{self.table!r}: only its owner may {self.why}. "
            "Ask the owner to, or make the table 'public'."
        )


# -- supervisors ----------------------------------------------------------------


class SpecError(SuptreeError):
    """A value given to a supervisor is wrong; nothing was started."""


class ChildSpecError(SpecError):
    """One field of a child specification is wrong."""


class SupervisorOptionsError(SpecError):
    """A supervisor option (strategy, max_restarts, max_seconds, auto_shutdown) is wrong."""


class ChildError(SuptreeError):
    """The supervisor refuses an operation on the child *id*."""

    text = "{who}: cannot do that with child {id!r}"

    def __init__(self, who: object, id: object) -> None:
        super().__init__(who, id)
        self.who = who
        self.id = id

    def __str__(self) -> str:
        return self.text.format(who=self.who, id=self.id)


class ChildNotFoundError(ChildError):
    """No child has that id or pid (OTP: `{error, not_found}`)."""

    text = "{who}: has no child {id!r}. `which_children` lists them."


class ChildAlreadyPresentError(ChildError):
    """A child with that id exists but does not run (OTP: `{error, already_present}`)."""

    text = "{who}: child {id!r} is already present, not running. Restart it, or delete it first."


class ChildRunningError(ChildError):
    """The operation needs a stopped child (OTP: `{error, running}`)."""

    text = "{who}: child {id!r} is running. Terminate it first."


class ChildRestartingError(ChildError):
    """The operation needs a stopped child, this one is being restarted (OTP: `restarting`)."""

    text = "{who}: child {id!r} is being restarted. Terminate it first, or wait."


class MaxChildrenError(ChildError):
    """The supervisor has max_children already (OTP: `{error, max_children}`)."""

    text = "{who}: already has its maximum of {id} children. Raise max_children, or wait."


# -- registry, task, application ---------------------------------------------------


class RegistryError(SuptreeError):
    """A registry refuses: unknown registry, wrong kind of keys, not the owner."""


class AlreadyRegisteredError(RegistryError):
    """The unique key is held by *pid*, which lives."""

    def __init__(self, registry: object, key: object, pid: object) -> None:
        super().__init__(registry, key, pid)
        self.registry = registry
        self.key = key
        self.pid = pid

    def __str__(self) -> str:
        return f"{self.registry}: key {self.key!r} is held by {self.pid!r}"


class TaskError(SuptreeError):
    """A task cannot be awaited, or ended without a value."""


class TaskOwnerError(TaskError):
    """Only the process that made a task may await, yield, ignore or shut it down."""


class TaskExitError(TaskError):
    """The task ended with *reason* and without a value."""

    def __init__(self, task: object, reason: object) -> None:
        super().__init__(task, reason)
        self.task = task
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.task!r} ended without a value: {self.reason!r}"


class TaskTimeoutError(TaskError, TimeoutError):
    """The task has no value yet.  It runs on, and what it will return is dropped (S191)."""

    def __init__(self, task: object, timeout: float) -> None:
        super().__init__(task, timeout)
        self.task = task
        self.timeout = timeout

    def __str__(self) -> str:
        return (
            f"{self.task!r}: no value within {self.timeout} s. Raise the timeout, ask again and "
            "again with yield_, or end it with shutdown."
        )


class ApplicationError(SuptreeError):
    """An application failed to start.

    Attributes:
        application: Its name.
        reason: As in `StartError`: what OTP's `{error, Reason}` holds.
        place: Which of its functions answered so, such as `Shop.start`; "" for none.
    """

    def __init__(self, application: object, reason: object, place: str = "") -> None:
        super().__init__(application, reason, place)
        self.application = application
        self.reason = reason
        self.place = place

    def __str__(self) -> str:
        place = f" in {self.place}" if self.place else ""
        return f"application {self.application} failed to start{place}: {self.reason!r}"


class ApplicationNotStartedError(ApplicationError):
    """The application, or the one in `reason` that it depends on, is not running."""

    def __str__(self) -> str:
        if self.reason == self.application:
            return f"application {self.application} is not running. Start it first."
        return (
            f"application {self.application} depends on {self.reason}, which is not running. "
            "Start that one first, or use ensure_all_started."
        )


class ApplicationAlreadyStartedError(ApplicationError):
    """The application runs already."""

    def __str__(self) -> str:
        return f"application {self.application} runs already, or is being started."


# -- usage ----------------------------------------------------------------------


class UsageError(SuptreeError):
    """The call is made from the wrong place: thread, task, loop or process."""


class NoRuntimeError(UsageError):
    """No runtime is open here."""


class AmbiguousRuntimeError(UsageError):
    """Several runtimes are open in this loop and nothing says which is meant."""


class WrongThreadError(UsageError):
    """The runtime belongs to another thread; the portal is the way in."""


class NotInProcessError(UsageError):
    """Only the code of a process itself may do that, not a bare task beside it."""


class CrossRuntimeError(UsageError):
    """Links and monitors do not cross runtimes."""


class RuntimeClosedError(UsageError):
    """The runtime is closed or closing: nothing starts in it any more."""


class ForkedRuntimeError(UsageError):
    """After a fork, the child cannot use the parent's runtimes."""


class ProcessDeadError(UsageError):
    """The process has ended, but some of its code still runs and asks for something."""


class RuntimeStoppedError(SuptreeError):
    """A tree that this block started gave up with *reason*, so the block was cancelled."""

    def __init__(self, reason: object, what: str = "a linked process") -> None:
        super().__init__(reason, what)
        self.reason = reason
        self.what = what

    def __str__(self) -> str:
        return f"stopped because {self.what} ended: {self.reason!r}"


class InternalError(SuptreeError):
    """Our bug.  Please report it with the text."""


class ProcessExit(BaseException):
    """Ends the process that raises it, with *reason* (OTP: `exit/1`)."""

    def __init__(self, reason: object) -> None:
        super().__init__(reason)
        self.reason = reason
