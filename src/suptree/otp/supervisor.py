"""Supervisor: children in an order, restarted by a strategy.

As a class, with its children and options in one place:

>>> class Shop(Supervisor):
...     strategy = "rest_for_one"
...     def __init__(self, shelves: int) -> None:
...         self.shelves = shelves
...     def children(self) -> list[ChildSpec[Any]]:
...         return [child(Ledger).with_(name="ledger"), child(Till, self.shelves)]

or in place: ``await Supervisor.start_link([child(Ledger), child(Till, 3)], strategy="one_for_all")``.

Children start in order and stop in reverse order, one by one.  What is restarted, and
when it has been too often, is a table in `restart.py`.  Refused before anything starts:
wrong options, wrong specs, the same id twice.

After OTP's supervisor (OTP 25) and Elixir's Supervisor (defaults: 3 restarts in 5 s).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from suptree.core import Body, Pid
from suptree.otp.base_supervisor import BaseSupervisor
from suptree.otp.child_spec import ChildSpec
from suptree.otp.children import (
    ChildCounts,
    ChildInfo,
    CountChildren,
    DeleteChild,
    GetChildSpec,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
    ask,
)
from suptree.otp.directives import ServerRef
from suptree.otp.plan import Plan, checked, children_of, spec_of
from suptree.otp.restart import AutoShutdown, Strategy
from suptree.otp.start_order import StartOrder
from suptree.otp.supervisor_body import SupervisorBody

__all__ = ["Supervisor"]

S = TypeVar("S")


class Supervisor(BaseSupervisor, in_place=True):
    """Base class of supervisors, and a supervisor of given children by itself.

    Attributes:
        strategy: 'one_for_one', 'one_for_all' or 'rest_for_one' (S113-S115).
        max_restarts: Restarts allowed in `max_seconds`; 0 gives up at the first (S120).
        max_seconds: Length of the window, exact monotonic seconds.
        auto_shutdown: 'never', 'any_significant' or 'all_significant' (S140-S142).
        start_order: 'listed', or 'dependencies' for an order from `ChildSpec.depends_on`.

    Args:
        children: What it starts, when there is no subclass that says so.
        name: Registered name, when there is no subclass with an ``__init__`` of its own.
    """

    strategy: Strategy = "one_for_one"
    max_restarts: int = 3
    max_seconds: float = 5.0
    auto_shutdown: AutoShutdown = "never"
    start_order: StartOrder = "listed"

    def __init__(
        self,
        children: Iterable[ChildSpec[Any] | type[Any]] = (),
        *,
        strategy: Strategy | None = None,
        max_restarts: int | None = None,
        max_seconds: float | None = None,
        auto_shutdown: AutoShutdown | None = None,
        start_order: StartOrder | None = None,
        name: Any = None,
    ) -> None:
        self._given = list(children_of(type(self).__name__, children))
        for option, value in (
            ("strategy", strategy),
            ("max_restarts", max_restarts),
            ("max_seconds", max_seconds),
            ("auto_shutdown", auto_shutdown),
            ("start_order", start_order),
        ):
            if value is not None:
                setattr(self, option, value)

    def children(self) -> Sequence[ChildSpec[Any] | type[Any]]:
        """The children in start order; a class alone stands for ``child(cls)`` (S159)."""
        return self._given

    def check(self, who: str) -> None:
        """Refuse wrong options and children (S103)."""
        Plan.of(who, self)

    @classmethod
    def make_body(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Body:
        """The body of one new supervisor."""
        return SupervisorBody(partial(cls, *args, **kwargs))

    # -- requests ---------------------------------------------------------------------------

    @staticmethod
    async def start_child(supervisor: ServerRef[Any], spec: ChildSpec[S]) -> Pid[S]:
        """Add a child, last in start order, and start it (S150).

        Raises:
            AlreadyStartedError: A child of that id has a process; see `pid`.
            ChildAlreadyPresentError: A child of that id is down or restarting.
            StartIgnoredError: Its init answered Ignore; the spec is kept unless temporary.
            StartError: It failed to start; nothing is kept.
            ChildSpecError: Its spec does not fit this supervisor.
        """
        pid: Pid[S] = await ask(supervisor, StartChild(spec_of(spec)), "start_child")
        return pid

    @staticmethod
    async def terminate_child(supervisor: ServerRef[Any], id: Any) -> None:
        """Stop a child, and keep its spec unless it is temporary; fine if it is down (S151).

        Raises:
            ChildNotFoundError: No child has that id.
        """
        await ask(supervisor, TerminateChild(id), "terminate_child")

    @staticmethod
    async def restart_child(supervisor: ServerRef[Any], id: Any) -> Pid[Any]:
        """Start a child that is down; a failure is not tried again and does not count (S152).

        Raises:
            ChildRunningError, ChildRestartingError, ChildNotFoundError: It is not down.
            StartIgnoredError: Its init answered Ignore.
            StartError: It failed to start and stays down.
        """
        pid: Pid[Any] = await ask(supervisor, RestartChild(id), "restart_child")
        return pid

    @staticmethod
    async def delete_child(supervisor: ServerRef[Any], id: Any) -> None:
        """Forget a child that is down (S153).

        Raises:
            ChildRunningError, ChildRestartingError, ChildNotFoundError: It is not down.
        """
        await ask(supervisor, DeleteChild(id), "delete_child")

    @staticmethod
    async def which_children(supervisor: ServerRef[Any]) -> list[ChildInfo]:
        """The children, newest first, that is in reverse start order (S154)."""
        children: list[ChildInfo] = await ask(supervisor, WhichChildren(), "which_children")
        return children

    @staticmethod
    async def count_children(supervisor: ServerRef[Any]) -> ChildCounts:
        """How many children there are, of which kind, and how many live (S155)."""
        counted: ChildCounts = await ask(supervisor, CountChildren(), "count_children")
        return counted

    @staticmethod
    async def get_childspec(supervisor: ServerRef[Any], id: Any) -> ChildSpec[Any]:
        """The whole spec of a child (S156).

        Raises:
            ChildNotFoundError: No child has that id.
        """
        spec: ChildSpec[Any] = await ask(supervisor, GetChildSpec(id), "get_childspec")
        return spec

    @staticmethod
    def check_childspecs(
        children: Iterable[ChildSpec[Any] | type[Any]],
        *,
        auto_shutdown: AutoShutdown = "never",
        start_order: StartOrder = "listed",
    ) -> None:
        """Do the checks of a start without starting anything (S158).

        Raises:
            ChildSpecError: With what is wrong.
        """
        checked("check_childspecs", children, auto_shutdown, start_order)
