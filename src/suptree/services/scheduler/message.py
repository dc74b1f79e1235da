"""What a job must not send: a function, which would arrive as the message that it is, and never run."""

from __future__ import annotations

import functools
import inspect

from suptree.services.scheduler.errors import ScheduleError

__all__ = ["check_message"]


def check_message(what: object) -> None:
    """Refuse a function, and what an async one gave.

    A class, or an object that can be called too, may well be a message.

    Raises:
        ScheduleError: It was to be a `Run`.
    """
    must = "a message, or a Run of a function"
    if inspect.iscoroutine(what):
        what.close()  # it will never run, and is not to warn of that
        how = "Write Run(function, (argument, ...)), without calling it."
        raise ScheduleError("what", must, what, how)
    if _is_function(what):
        how = "Write Run(function, (argument, ...)) to have it called each time."
        raise ScheduleError("what", must, what, how)


def _is_function(what: object) -> bool:
    return inspect.isroutine(what) or isinstance(what, functools.partial)
