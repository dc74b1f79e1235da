"""Misfits: requests whose arguments do not fit the handler.  The mistake is the sender's.

Looked at only after a TypeError came up in a turn: what fits costs nothing.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from suptree.core.messages import CALL, CAST
from suptree.core.propagation import detach
from suptree.errors import BadRequestError
from suptree.near import meant, near

if TYPE_CHECKING:
    from suptree.core.process import Process

__all__ = ["misfit", "near_keyword", "refused"]

_OWN_FILES: Final = os.path.dirname(os.path.dirname(__file__)) + os.sep


def misfit(
    process: Process,
    handler: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    error: TypeError,
) -> BadRequestError | None:
    """*error* came up: the one for the caller, if its arguments do not fit the handler.

    Then the handler was never entered, and the mistake is not the server's.
    """
    if not _raised_by_the_call(handler, error):
        return None
    try:
        signature = inspect.signature(handler)
    except (TypeError, ValueError):  # written in C, and does not tell what it takes
        return None
    try:
        signature.bind(process.server, *args, **kwargs)
    except TypeError as why:
        _, *wanted = [
            one.replace(annotation=signature.empty) for one in signature.parameters.values()
        ]
        takes = signature.replace(parameters=wanted, return_annotation=signature.empty)
        name = next((one for one in kwargs if one not in takes.parameters), "")
        hint = meant(near_keyword(name, takes.parameters))
        return BadRequestError(
            process.pid, handler.__name__, f"{why}{hint} It takes {handler.__name__}{takes}."
        )
    return None


def near_keyword(name: str, known: Iterable[str]) -> str | None:
    """The keyword of *known* that was probably meant by *name*, if there is one."""
    names = list(known)
    if name == "timeout" and "wait" in names:  # where it is no error when that time is over
        return "wait"
    return near(name, names)


def _raised_by_the_call(handler: Callable[..., Any], error: BaseException) -> bool:
    """Whether *error* comes from calling the handler, and not out of it.

    Its signature alone does not tell: a decorator that adds an argument keeps the signature
    of what it wraps, which no request fits.  So nothing but the caller's frames, the
    runtime's, and those of decorators may have seen the error.
    """
    decorators: list[object] = []
    function: Any = handler
    while hasattr(function, "__wrapped__"):
        decorators.append(getattr(function, "__code__", None))
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    trace = error.__traceback__
    last = None
    while trace is not None:
        last = trace.tb_frame.f_code
        if last is code:
            return False
        trace = trace.tb_next
    if last is None:
        return False
    return last.co_filename.startswith(_OWN_FILES) or any(last is one for one in decorators)


def refused(process: Process, error: TypeError) -> bool:
    """Whether the TypeError of this turn is the sender's mistake; the sender is told, if it waits."""
    envelope = process.current
    if envelope is None or envelope[0] not in (CALL, CAST) or envelope[2] is None:
        return False
    _, reply_to, handler, args, kwargs = envelope
    refusal = misfit(process, handler, args, kwargs, error)
    if refusal is None:
        return False
    detach(process)
    if reply_to is not None:
        reply_to.fail(refusal)
    else:
        process.runtime.reporter.refused(process, refusal)
    return True
