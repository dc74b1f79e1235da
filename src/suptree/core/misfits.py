"""Misfits: requests whose arguments do not fit the handler.  The mistake is the sender's.

Looked at only after a TypeError came up in a turn: what fits costs nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from suptree.core.messages import CALL, CAST
from suptree.core.propagation import detach
from suptree.errors import BadRequestError

if TYPE_CHECKING:
    from suptree.core.process import Process

__all__ = ["misfit", "refused"]


def misfit(
    process: Process,
    handler: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    error: TypeError,
) -> BadRequestError | None:
    """*error* came up: the one for the caller, if its arguments do not fit the handler.

    Then the handler was never entered, and the mistake is not the server's.  One under a
    decorator that adds arguments does not seem to fit either, but its frame tells.
    """
    if _was_entered(handler, error):
        return None
    signature = inspect.signature(handler)
    try:
        signature.bind(process.server, *args, **kwargs)
    except TypeError as why:
        _, *wanted = [
            one.replace(annotation=signature.empty) for one in signature.parameters.values()
        ]
        takes = signature.replace(parameters=wanted, return_annotation=signature.empty)
        return BadRequestError(
            process.pid, handler.__name__, f"{why}. It takes {handler.__name__}{takes}."
        )
    return None


def _was_entered(handler: Callable[..., Any], error: TypeError) -> bool:
    code = getattr(inspect.unwrap(handler), "__code__", None)
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is code:
            return True
        trace = trace.tb_next
    return False


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
