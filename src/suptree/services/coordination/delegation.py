"""`Delegation`: a task on its way down a hierarchy, with everybody it went through."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

from suptree.core import Pid, Runtime
from suptree.services.coordination.outcomes import Receiver

__all__ = ["DEEPEST", "Delegation", "passed_down", "trouble_of"]

DEEPEST: Final = 16
"""How many times a task may be passed down."""


class Delegation(NamedTuple):
    """What the receiver of a delegated task gets.

    Pass it on with ``delegate(router, to, task, on=delegation)``, or answer it: the answer
    goes back the way that the task came.
    """

    task: Any
    path: tuple[Receiver | None, ...]
    """Who has had it, the one who began first (None: code outside every process), this receiver last."""


def passed_down(
    task: object, by: Pid[Any] | None, to: Receiver, on: Delegation | None
) -> Delegation:
    """*task* one step further down."""
    before = (by,) if on is None else on.path
    return Delegation(task, (*before, to))


def trouble_of(
    delegation: Delegation, runtime: Runtime
) -> tuple[Literal["cycle", "too_deep"], str] | None:
    """Why it must not go on: ('cycle' or 'too_deep', and the path for people); None if it may."""
    path = delegation.path
    way = " -> ".join("outside" if one is None else str(one) for one in path)
    processes = [one if one is None else runtime.find(one) for one in path]
    last = processes[-1]
    if last is not None and last in processes[:-1]:
        return "cycle", f"the task came back to who had it: {way}. Delegate to somebody else."
    if len(path) > DEEPEST + 1:
        return "too_deep", f"a task may be passed down {DEEPEST} times: {way}."
    return None
