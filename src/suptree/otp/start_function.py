"""`start_function`: a plain function as the start of a child, as OTP's `{Module, Function, Args}`.

For children that are no class of ours, and for arguments that must be new at each start
(law of restarts: the same arguments come again, so a mutable one carries its poison over):

>>> spec = start_function(lambda: child(Worker, fresh_connection()))

The function runs in the supervisor and must not wait.  What it may return:

    a Pid          of a process that it started (`spawn_link`); it is linked if it was not
    a ChildSpec    whose start function is used, name, bound and timeout of *this* spec included
    Ignore()       nothing was started, and that is no failure (S102)

Anything else, and whatever it raises, is a failure with that value as the reason.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeGuard, TypeVar

from suptree.core import Pid, Process, Runtime, Slot, safe_repr
from suptree.errors import ChildSpecError, StartError, StartIgnoredError
from suptree.otp.child_spec import ChildSpec, StartOptions
from suptree.otp.directives import BadReturn, Ignore, Stop

__all__ = ["FunctionStart", "start_function"]

P = ParamSpec("P")
S = TypeVar("S")


def start_function(
    function: Callable[P, Pid[S] | ChildSpec[S] | Ignore], *args: P.args, **kwargs: P.kwargs
) -> ChildSpec[S]:
    """The child spec of a function that starts a process; see the module text.

    Raises:
        ChildSpecError: *function* cannot be called, or is async: a supervisor runs no code
            that waits. Return the spec of a server with an async `init` instead.
    """
    if not callable(function) or inspect.iscoroutinefunction(function):
        raise ChildSpecError(
            f"start_function: function must be a plain function; got {safe_repr(function, 200)}. "
            "Do what takes time in the init of the process that it starts."
        )
    return ChildSpec(start=FunctionStart(function, args, kwargs), modules=(function,))


class FunctionStart:
    """The start function of a child as a plain function and its arguments."""

    __slots__ = ("__weakref__", "args", "cls", "kwargs", "label")

    def __init__(
        self, cls: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.cls = cls
        self.args = args
        self.kwargs = kwargs
        self.label: str = getattr(cls, "__qualname__", None) or type(cls).__qualname__

    def start(
        self,
        runtime: Runtime,
        parent: Process | None,
        options: StartOptions,
        extra: tuple[Any, ...] = (),
    ) -> Slot:
        """Call the function, and take what it returns for the start."""
        value: Any = self.cls(*extra, *self.args, **self.kwargs)
        if isinstance(value, ChildSpec):
            return value.start.start(runtime, parent, options)
        slot = Slot(runtime.runqueue)
        if _is_pid(value):
            if options.link and parent is not None:
                runtime.link(parent, value)  # a dead one gives its Exit at once (S10)
            slot.set(value)
        elif isinstance(value, Ignore):
            slot.fail(StartIgnoredError(self.label))
        else:
            reason = value.reason if isinstance(value, Stop) else BadReturn(value)
            slot.fail(StartError(self.label, reason))
        return slot


def _is_pid(value: object) -> TypeGuard[Pid[Any]]:
    return isinstance(value, Pid)
