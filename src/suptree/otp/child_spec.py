"""`ChildSpec`: how a supervisor starts, restarts and stops one child.  A value, checked field by field.

>>> spec = child(Counter, 5).with_(name="counter", restart="transient")
>>> spec.restart, spec.shutdown
('transient', 5.0)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Generic,
    Literal,
    NoReturn,
    ParamSpec,
    Protocol,
    TypedDict,
    Unpack,
    cast,
)

from suptree.core import (
    MailboxBound,
    Pid,
    Process,
    Runtime,
    Slot,
    ViaName,
    current_process,
    find_runtime,
    safe_repr,
)
from suptree.errors import ChildSpecError
from suptree.near import meant, near

__all__ = [
    "Backoff",
    "ChildSpec",
    "ChildType",
    "Restart",
    "Shutdown",
    "StartOptions",
    "Startable",
    "child",
]

P = ParamSpec("P")
if TYPE_CHECKING:  # checkers know the package without its being installed
    from typing_extensions import TypeVar

    S = TypeVar("S", default=Any)  # so that a bare `list[ChildSpec]` is a whole type
    S_co = TypeVar(
        "S_co", default=Any, covariant=True
    )  # so that specs of several classes share a list
else:
    from typing import TypeVar

    S = TypeVar("S")
    S_co = TypeVar("S_co", covariant=True)

Restart = Literal["permanent", "transient", "temporary"]
ChildType = Literal["worker", "supervisor"]
Shutdown = float | Literal["brutal_kill", "infinity"]
"""Seconds that the child has to stop, or at once, or as long as it takes (S130)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOptions:
    """What a supervisor, or `start_link`, decides about a start."""

    link: bool = True
    supervised: bool = False
    name: str | ViaName | None = None
    bound: MailboxBound | None = None
    timeout: float | None = None
    label: str | None = None


class Startable(Protocol):
    """The start function of a child as a value: makes a new process each time it is used.

    `extra` arguments come before its own (OTP: extra_arguments, S173).
    """

    label: str

    def start(
        self,
        runtime: Runtime,
        parent: Process | None,
        options: StartOptions,
        extra: tuple[Any, ...] = (),
    ) -> Slot:
        """Begin; the slot gets the Pid, or StartError and its kin."""
        ...


@dataclass(frozen=True, slots=True)
class Backoff:
    """Wait before a restart: `first` seconds, doubled with each restart in a row, up to `limit`.

    Not OTP's: off by default.  `jitter` is the part of the wait that is random (0 to 1).
    A child that then lives for `reset_after` seconds starts again at `first`.
    """

    first: float = 0.1
    limit: float = 30.0
    factor: float = 2.0
    jitter: float = 0.2
    reset_after: float = 60.0

    def __post_init__(self) -> None:
        for name in ("first", "limit", "factor", "reset_after"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
                raise ValueError(f"Backoff: {name} must be a number above 0; got {value!r}.")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"Backoff: jitter must be from 0 to 1; got {self.jitter!r}.")

    def delay(self, restarts_in_a_row: int, chance: float) -> float:
        """Seconds to wait; *chance* is a random number from 0 to 1."""
        wait = min(self.limit, self.first * self.factor ** min(restarts_in_a_row, 64))
        return wait * (1 - self.jitter * chance)


_RESTARTS: Final = ("permanent", "transient", "temporary")
_TYPES: Final = ("worker", "supervisor")
_UNSET: Final = cast("Any", object())


class ChildChanges(TypedDict, total=False):
    """What `ChildSpec.with_` takes: the fields of `ChildSpec`."""

    start: Startable
    id: Any
    restart: Restart
    shutdown: Shutdown
    type: ChildType
    significant: bool
    modules: tuple[Any, ...]
    name: str | ViaName | None
    bound: MailboxBound | None
    start_timeout: float | None
    backoff: Backoff | None
    depends_on: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec(Generic[S_co]):
    """One child of a supervisor (S104 for the defaults).

    Args:
        id: Unique among its siblings; default its name, else its label.
        start: The start function.
        restart: 'permanent' always, 'transient' unless it ended normally, 'temporary' never.
        shutdown: Seconds to stop, 'brutal_kill' or 'infinity'; default 5.0, 'infinity' for supervisors.
        type: 'worker' or 'supervisor'.
        significant: Its own end may shut the supervisor down (auto_shutdown).
        modules: What introspection shows.
        name: Registered at each start: a string, or `via(registry, key)`.
        bound: Bound of its mailbox.
        start_timeout: Seconds for init; None waits for ever, as OTP does (S100).
        backoff: Wait before restarts; None (OTP) does not.
        depends_on: Ids of siblings that must start before it (Supervisor option
            start_order='dependencies').
    """

    start: Startable
    id: Any = _UNSET
    restart: Restart = "permanent"
    shutdown: Shutdown = _UNSET
    type: ChildType = "worker"
    significant: bool = False
    modules: tuple[Any, ...] = ()
    name: str | ViaName | None = None
    bound: MailboxBound | None = None
    start_timeout: float | None = None
    backoff: Backoff | None = None
    depends_on: tuple[Any, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.id is _UNSET:
            object.__setattr__(
                self, "id", self.name if isinstance(self.name, str) else self.start.label
            )
        if self.shutdown is _UNSET:
            object.__setattr__(self, "shutdown", 5.0 if self.type == "worker" else "infinity")
        if not self.modules:
            object.__setattr__(self, "modules", (self.start.label,))
        if not self._is_usual():
            self._check()

    def _is_usual(self) -> bool:
        """Whether it is right at first glance: a task has a spec of its own, which is not to cost much."""
        return (
            isinstance(self.shutdown, float)
            and 0.0 <= self.shutdown < math.inf
            and self.id.__class__ is str
            and self.restart in _RESTARTS
            and self.type == "worker"
            and self.significant is False
            and self.name is None
            and self.bound is None
            and self.start_timeout is None
            and self.backoff is None
            and self.depends_on == ()
            and hasattr(self.start, "start")
        )

    def _check(self) -> None:
        who = f"child {self.id!r}"
        _one_of(who, "restart", self.restart, _RESTARTS)
        _one_of(who, "type", self.type, _TYPES)
        _check_shutdown(who, self.shutdown)
        if not isinstance(self.significant, bool):
            raise ChildSpecError(f"{who}: significant must be a bool; got {self.significant!r}.")
        if not hasattr(self.start, "start"):
            raise ChildSpecError(
                f"{who}: start must be a start function; got {safe_repr(self.start)}. "
                "Make the spec with child(Server, ...) or Server.child(...)."
            )
        self._check_extras(who)
        try:
            hash(self.id)
        except TypeError:
            raise ChildSpecError(f"{who}: id must be hashable.") from None
        if self.significant and self.restart == "permanent":  # S105
            raise ChildSpecError(
                f"{who}: significant must be False for a permanent child, which never just ends. "
                "Make it transient or temporary."
            )

    def _check_extras(self, who: str) -> None:
        """Refuse here what would else end the supervisor when it first uses it, at a restart."""
        if self.name is not None and not (
            isinstance(self.name, str) or hasattr(self.name, "claim")
        ):
            _refuse(who, "name", "a string or via(registry, key)", self.name)
        if self.bound is not None and not isinstance(self.bound, MailboxBound):
            _refuse(who, "bound", "a MailboxBound", self.bound)
        if self.backoff is not None and not isinstance(self.backoff, Backoff):
            _refuse(who, "backoff", "a Backoff", self.backoff)
        if self.start_timeout is not None and not _is_seconds(self.start_timeout):
            _refuse(who, "start_timeout", "seconds (0 or more) or None", self.start_timeout)
        if not isinstance(self.depends_on, (tuple, list)):
            _refuse(who, "depends_on", "a tuple of ids", self.depends_on)

    def with_(self, **changes: Unpack[ChildChanges]) -> ChildSpec[S_co]:
        """A copy with some fields changed.

        Args:
            changes: Fields by name: id, start, restart, shutdown, type, significant, modules,
                name, bound, start_timeout, backoff, depends_on; what they mean stands with
                `ChildSpec`. A new name is the new id too, unless the spec has one already.

        Raises:
            ChildSpecError: An unknown field, with the nearest known one, or a wrong value.
        """
        known = [f.name for f in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                raise ChildSpecError(
                    f"child {self.id!r}: no field {name!r}{meant(near(name, known))} "
                    f"Fields: {', '.join(known)}."
                )
        if "name" in changes and "id" not in changes and self.id == self.start.label:
            changes["id"] = _UNSET
        return dataclasses.replace(self, **changes)

    def options(self) -> StartOptions:
        """The start options that this spec asks for."""
        return StartOptions(name=self.name, bound=self.bound, timeout=self.start_timeout)

    async def start_link(self) -> Pid[S_co]:
        """Start one process outside any supervisor, linked to the current process.

        Raises:
            StartError: Init failed; StartIgnoredError, StartTimeoutError, AlreadyStartedError.
        """
        from suptree.core import require_process

        parent = require_process("start_link")
        return await self._start(parent.runtime, parent, self.options())

    async def start_unlinked(self) -> Pid[S_co]:
        """Start one process outside any supervisor, without a link or a parent (OTP: `start`)."""
        runtime = find_runtime("start")
        options = dataclasses.replace(self.options(), link=False)
        return await self._start(runtime, current_process(), options)

    async def _start(
        self, runtime: Runtime, parent: Process | None, options: StartOptions
    ) -> Pid[S_co]:
        pid: Pid[S_co] = await self.start.start(runtime, parent, options)
        return pid


def child(server: Callable[P, S], *args: P.args, **kwargs: P.kwargs) -> ChildSpec[S]:
    """The child spec of a server class: its arguments are those of ``__init__``, checked by type.

    Options are given apart: ``child(Counter, 5).with_(name="counter")``; see `ChildSpec.with_`.
    """
    make = getattr(server, "child", None)
    if make is not None and not isinstance(server, type):
        raise ChildSpecError(
            f"child: {safe_repr(server)} is made already. Give its class and its arguments: "
            "child(Counter, 5), not child(Counter(5)). The process makes the instance, at each start."
        )
    if make is None:
        raise ChildSpecError(
            f"child: {safe_repr(server)} has no child spec. "
            "Give a GenServer, a Supervisor, or another behaviour's class."
        )
    return cast("ChildSpec[S]", make(*args, **kwargs))


def change_arguments(
    spec: ChildSpec[S], change: Callable[[tuple[Any, ...]], tuple[Any, ...]]
) -> ChildSpec[S]:
    """The spec with other positional arguments for its start function.

    Raises:
        ChildSpecError: Its start function is no class or function with arguments.
    """
    start: Any = spec.start
    if not all(hasattr(start, name) for name in ("cls", "args", "kwargs")):
        raise ChildSpecError(
            f"child {spec.id!r}: the arguments of its start function {spec.start.label!r} cannot be "
            "changed. Use the spec of a class, made with child(Server, ...)."
        )
    return dataclasses.replace(spec, start=type(start)(start.cls, change(start.args), start.kwargs))


def closest(value: object, allowed: tuple[str, ...]) -> str:
    """The middle of a refusal: what is allowed, what was given, and the nearest right word."""
    options = " or ".join([", ".join(repr(a) for a in allowed[:-1]), repr(allowed[-1])])
    return f"{options}; got {safe_repr(value, 200)}{meant(near(value, allowed))}"


def _one_of(who: str, name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ChildSpecError(f"{who}: {name} must be {closest(value, allowed)}")


def _check_shutdown(who: str, value: object) -> None:
    if value not in ("brutal_kill", "infinity") and not _is_seconds(value):
        _refuse(who, "shutdown", "seconds (0 or more), 'brutal_kill' or 'infinity'", value)


def _is_seconds(value: object) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(cast("float", value)) and cast("float", value) >= 0


def _refuse(who: str, name: str, what: str, value: object) -> NoReturn:
    raise ChildSpecError(f"{who}: {name} must be {what}; got {safe_repr(value, 200)}.")
