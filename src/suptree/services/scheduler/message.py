"""What a job must not send: a function, which would arrive as the message that it is, and never run."""

from __future__ import annotations

import functools
import inspect
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Final

from suptree.services.scheduler.errors import ScheduleError

__all__ = ["check_message"]

_FUNCTIONS: Final = (FunctionType, MethodType, BuiltinFunctionType, functools.partial)
"""A class, or an object that can be called too, may well be a message."""


def check_message(what: object) -> None:
    """Refuse a function, and what an async one gave.

    Raises:
        ScheduleError: It was to be a `Run`.
    """
    must = "a message, or a Run"
    if inspect.iscoroutine(what):
        what.close()  # it will never run, and is not to warn of that
        raise ScheduleError("what", must, what, "Write Run(function, args), without calling it.")
    if isinstance(what, _FUNCTIONS):
        raise ScheduleError("what", must, what, "Write Run(function) to have it called each time.")
