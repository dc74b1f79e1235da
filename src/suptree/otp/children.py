"""What is said about children: the requests to a supervisor, its answers, and one child as it sees it.

Both kinds of supervisors take the same request values, so that one client function
serves both; a request that a kind does not know is refused to the caller.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from suptree.core import Pid, Timer
from suptree.errors import BadRequestError
from suptree.otp.child_spec import ChildSpec, ChildType, StartOptions
from suptree.otp.directives import ServerRef, nobody, resolve
from suptree.otp.requests import queued_call

__all__ = [
    "RESTARTING",
    "Child",
    "ChildCounts",
    "ChildInfo",
    "ask",
]

S = TypeVar("S")


class _Restarting(enum.Enum):
    RESTARTING = "restarting"

    def __repr__(self) -> str:
        return self.name


RESTARTING: Final = _Restarting.RESTARTING
"""In place of a pid: the child ended, and its supervisor has not got it up again yet."""


@dataclass(frozen=True, slots=True)
class ChildInfo:
    """One line of `which_children`.

    Attributes:
        id: Its id among its siblings; None under a DynamicSupervisor.
        pid: Its process; None when it is down, RESTARTING when it is to be tried again.
        type: 'worker' or 'supervisor'.
        modules: What its spec says that it runs.
    """

    id: Any
    pid: Pid[Any] | Literal[_Restarting.RESTARTING] | None
    type: ChildType
    modules: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class ChildCounts:
    """What `count_children` answers.

    Attributes:
        specs: Children, running or not.
        active: Those that are alive.
        supervisors: Those of type 'supervisor', running or not.
        workers: Those of type 'worker', running or not.
    """

    specs: int
    active: int
    supervisors: int
    workers: int


class Child:
    """One child as its supervisor sees it.

    Attributes:
        spec: How it is started, restarted and stopped.
        pid: Its process; None when it is down.
        restarting: It is to be tried again; `pid` is None then, or under a
            DynamicSupervisor the pid that it had (S174).
        timer: Of the try to come, when its restarts are backed off.
        tries: Restarts in a row, for the back-off.
        started_at: When it was started last; kept only for the back-off.
        why: The reason of its last end or failed start, until it runs again.
    """

    __slots__ = ("options", "pid", "restarting", "spec", "started_at", "timer", "tries", "why")

    def __init__(self, spec: ChildSpec[Any]) -> None:
        self.spec = spec
        self.options = _options(spec)
        self.pid: Pid[Any] | None = None
        self.restarting = False
        self.timer: Timer | None = None
        self.tries = 0
        self.started_at = 0.0
        self.why: object = None

    def info(self, id: Any) -> ChildInfo:
        """The child as others may see it."""
        pid = RESTARTING if self.restarting else self.pid
        return ChildInfo(id, pid, self.spec.type, self.spec.modules)


_PLAIN: Final = StartOptions(supervised=True)


def _options(spec: ChildSpec[Any]) -> StartOptions:
    """What the supervisor asks of a start; one value for all children that ask for nothing."""
    if spec.name is None and spec.bound is None and spec.start_timeout is None:
        return _PLAIN
    return dataclasses.replace(spec.options(), supervised=True)


def counts(children: Collection[Child]) -> ChildCounts:
    """Count as `count_children` does (S155)."""
    supervisors = sum(1 for child in children if child.spec.type == "supervisor")
    return ChildCounts(
        specs=len(children),
        active=sum(1 for child in children if child.pid is not None and child.pid.is_alive()),
        supervisors=supervisors,
        workers=len(children) - supervisors,
    )


# -- requests ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartChild:
    """Add a child and start it; under a DynamicSupervisor with a template, *args* alone."""

    spec: ChildSpec[Any] | None
    args: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class TerminateChild:
    """Stop a child, named by its id or, under a DynamicSupervisor, by its pid."""

    id: Any


@dataclass(frozen=True, slots=True)
class RestartChild:
    """Start a child that is down."""

    id: Any


@dataclass(frozen=True, slots=True)
class DeleteChild:
    """Forget a child that is down."""

    id: Any


@dataclass(frozen=True, slots=True)
class GetChildSpec:
    """The whole spec of a child."""

    id: Any


@dataclass(frozen=True, slots=True)
class WhichChildren:
    """All children."""


@dataclass(frozen=True, slots=True)
class CountChildren:
    """How many children of which kind."""


async def ask(supervisor: ServerRef[Any], request: object, doing: str) -> Any:
    """Send *request* and wait as long as it takes: requests are served in mailbox order (S157).

    Raises:
        NoProcessError: Nobody lives there.
        ServerExitError: The supervisor ended before it answered.
        BadRequestError: It is no supervisor, or one of another kind.
    """
    process = resolve(supervisor, doing)
    if process is None:
        raise nobody(supervisor, doing)
    if process.body.kind != "supervisor":
        raise BadRequestError(
            process.pid, doing, f"it is a {process.body.kind}, not a supervisor. Check the name."
        )
    return await queued_call(process, None, (request,), {}, None)
