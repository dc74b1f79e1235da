"""DynamicSupervisor: children on demand, without ids and without an order, up to any number.

    await DynamicSupervisor.start_link(name="agents", max_children=100_000)
    pid = await DynamicSupervisor.start_child("agents", child(Agent, 7))
    await DynamicSupervisor.terminate_child("agents", pid)

Each child has its own spec and is restarted alone.  Starting, ending and finding one
costs the same with a hundred thousand siblings as with none.  With a *template* all
children are alike but for their last arguments (OTP: simple_one_for_one).

It refuses what it cannot honour: strategies, significant children, requests by id.

After Elixir's DynamicSupervisor.
"""

from __future__ import annotations

from functools import partial
from typing import Any, TypeVar

from suptree.core import Body, Pid
from suptree.errors import SupervisorOptionsError
from suptree.otp.base_supervisor import BaseSupervisor
from suptree.otp.child_spec import ChildSpec, change_arguments
from suptree.otp.children import ChildCounts, ChildInfo, StartChild, TerminateChild, ask
from suptree.otp.directives import ServerRef
from suptree.otp.dynamic_body import DynamicBody
from suptree.otp.plan import spec_of
from suptree.otp.restart import check_limits
from suptree.otp.supervisor import Supervisor

__all__ = ["DynamicSupervisor"]

S = TypeVar("S")


class DynamicSupervisor(BaseSupervisor, in_place=True):
    """Base class of dynamic supervisors, and one by itself.

    Attributes:
        max_children: How many may be there, restarting ones included; None: any number (S171).
        extra_arguments: Put before the children's own at each start (S173).
        template: The spec of all children; then `start_child` gives way to `start_more`.
        max_restarts: As Supervisor's.
        max_seconds: As Supervisor's.

    Args:
        name: Registered name, when there is no subclass with an ``__init__`` of its own.
    """

    max_children: int | None = None
    extra_arguments: tuple[Any, ...] = ()
    template: ChildSpec[Any] | None = None
    max_restarts: int = 3
    max_seconds: float = 5.0

    def __init__(
        self,
        *,
        max_children: int | None = None,
        extra_arguments: tuple[Any, ...] | None = None,
        template: ChildSpec[Any] | None = None,
        max_restarts: int | None = None,
        max_seconds: float | None = None,
        name: Any = None,
    ) -> None:
        for option, value in (
            ("max_children", max_children),
            ("extra_arguments", extra_arguments),
            ("template", template),
            ("max_restarts", max_restarts),
            ("max_seconds", max_seconds),
        ):
            if value is not None:
                setattr(self, option, value)

    def check(self, who: str) -> None:
        """Refuse wrong options."""
        check_limits(who, self.max_restarts, self.max_seconds)
        limit: object = self.max_children
        if limit is not None and (
            not isinstance(limit, int) or isinstance(limit, bool) or limit < 0
        ):
            raise SupervisorOptionsError(
                f"{who}: max_children must be an int of 0 or more, or None for any number; got {limit!r}."
            )
        extra: object = self.extra_arguments
        if not isinstance(extra, tuple):
            raise SupervisorOptionsError(f"{who}: extra_arguments must be a tuple; got {extra!r}.")
        if self.template is not None:
            change_arguments(spec_of(self.template), lambda args: args)

    @classmethod
    def make_body(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Body:
        """The body of one new supervisor."""
        return DynamicBody(partial(cls, *args, **kwargs))

    # -- requests -----------------------------------------------------------------------------

    @staticmethod
    async def start_child(supervisor: ServerRef[Any], spec: ChildSpec[S]) -> Pid[S]:
        """Start a child; its `id` does not matter, and nothing is kept of a failure (S172).

        Raises:
            MaxChildrenError: There are `max_children` already; its init was not called.
            StartIgnoredError: Its init answered Ignore.
            StartError: It failed to start.
            ChildSpecError: *spec* is no child spec; nothing was sent.
        """
        pid: Pid[S] = await ask(supervisor, StartChild(spec_of(spec)), "start_child")
        return pid

    @staticmethod
    async def start_more(supervisor: ServerRef[Any], *args: Any) -> Pid[Any]:
        """Start a child from the template, *args* after the template's own (S160).

        Raises:
            MaxChildrenError, StartIgnoredError, StartError: As `start_child`.
            ChildSpecError: The supervisor has no template.
        """
        pid: Pid[Any] = await ask(supervisor, StartChild(None, args), "start_more")
        return pid

    @staticmethod
    async def terminate_child(supervisor: ServerRef[Any], pid: Pid[Any]) -> None:
        """Stop a child and forget it, whatever its restart type (S175).

        Raises:
            ChildNotFoundError: No child has that pid, or had it before it began restarting.
        """
        await ask(supervisor, TerminateChild(pid), "terminate_child")

    @staticmethod
    async def which_children(supervisor: ServerRef[Any]) -> list[ChildInfo]:
        """The children, in no order that is promised; their ids are None (S170)."""
        return await Supervisor.which_children(supervisor)

    @staticmethod
    async def count_children(supervisor: ServerRef[Any]) -> ChildCounts:
        """How many children there are, of which kind, and how many are not restarting (S176)."""
        return await Supervisor.count_children(supervisor)
