"""What a supervisor says about itself, read and checked before anything is started.

Each refusal names the supervisor, the child, what must be, what is, and what to do.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard, cast

from suptree.core import safe_repr
from suptree.errors import ChildSpecError, ProcessExit, SupervisorOptionsError
from suptree.otp.child_spec import ChildSpec, child, closest
from suptree.otp.directives import BadReturn
from suptree.otp.restart import AutoShutdown, Strategy, check_options
from suptree.otp.start_order import START_ORDERS, StartOrder, arrange

__all__ = ["Plan", "PlanSource", "check_significant", "checked", "children_of", "spec_of"]


class PlanSource(Protocol):
    """What a plan is read from: the options and children of a `Supervisor`."""

    strategy: Strategy
    max_restarts: int
    max_seconds: float
    auto_shutdown: AutoShutdown
    start_order: StartOrder

    def children(self) -> Any:
        """The children, in a list."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What a supervisor instance says, checked: options, and specs in start order."""

    strategy: Strategy
    max_restarts: int
    max_seconds: float
    auto_shutdown: AutoShutdown
    specs: list[ChildSpec[Any]]

    @classmethod
    def of(cls, who: str, supervisor: PlanSource) -> Plan:
        """Read and check it.

        Raises:
            SpecError: An option or a spec is wrong.
            ProcessExit: `children` returned what is no list of children.
        """
        strategy, auto_shutdown = supervisor.strategy, supervisor.auto_shutdown
        max_restarts, max_seconds = supervisor.max_restarts, supervisor.max_seconds
        check_options(who, strategy, max_restarts, max_seconds, auto_shutdown)
        if supervisor.start_order not in START_ORDERS:
            raise SupervisorOptionsError(
                f"{who}: start_order must be {closest(supervisor.start_order, START_ORDERS)}"
            )
        children: object = supervisor.children()
        if not isinstance(children, (list, tuple)):
            raise ProcessExit(BadReturn(children))
        specs = checked(who, cast("list[object]", children), auto_shutdown, supervisor.start_order)
        return cls(strategy, max_restarts, max_seconds, auto_shutdown, specs)


def children_of(who: str, children: Any) -> Iterable[Any]:
    """What is to be a list of children.

    Raises:
        ChildSpecError: It is no list.
    """
    if not isinstance(children, Iterable) or isinstance(children, (str, bytes)):
        if inspect.iscoroutine(children):
            children.close()
        raise ChildSpecError(
            f"{who}: children must be a list of child specs; got {safe_repr(children, 200)}. "
            "Write [child(Server, ...), ...], and `def children` without async."
        )
    return cast("Iterable[Any]", children)  # type: ignore[redundant-cast]


def spec_of(value: object) -> ChildSpec[Any]:
    """A spec, or a class that stands for its spec (S159)."""
    if _is_spec(value):
        return value
    if isinstance(value, type) and hasattr(value, "child"):
        return child(value)
    raise ChildSpecError(
        f"a child must be a ChildSpec or a behaviour's class; got {safe_repr(value, 200)}. "
        "Write child(Server, ...)."
    )


def checked(
    who: str, children: Iterable[object], auto_shutdown: AutoShutdown, start_order: StartOrder
) -> list[ChildSpec[Any]]:
    """The specs in start order, if they can live together.

    Raises:
        ChildSpecError: An id twice, a significant child that cannot be one, wrong dependencies.
    """
    specs = [spec_of(value) for value in children]
    seen: set[Any] = set()
    for spec in specs:
        if spec.id in seen:  # S103
            raise ChildSpecError(
                f"{who}: two children have the id {spec.id!r}. Give one another with "
                ".with_(id=...)."
            )
        seen.add(spec.id)
        check_significant(who, spec, auto_shutdown)
    return arrange(who, specs, start_order)


def check_significant(who: str, spec: ChildSpec[Any], auto_shutdown: AutoShutdown) -> None:
    """Refuse a significant child where nothing comes of it (S105)."""
    if spec.significant and auto_shutdown == "never":  # S105
        raise ChildSpecError(
            f"{who}: child {spec.id!r}: significant must be False while auto_shutdown is 'never'. "
            "Set the supervisor's auto_shutdown to 'any_significant' or 'all_significant'."
        )


def _is_spec(value: object) -> TypeGuard[ChildSpec[Any]]:
    return isinstance(value, ChildSpec)
