"""`ErrorContext`: what was being done when it went wrong, for whom, and what came before.

It is a value in a context variable.  It belongs to a block of code and to what that
calls; give the variable to the propagator of the runtime, and it travels with calls, casts,
timers and tasks to other processes: ``rt.propagator = ContextPropagator(ERROR_CONTEXT)``, or
``Tracer(ERROR_CONTEXT)``.  What is added there does not come back.

>>> with ErrorContext.open("pay", correlation_id="order-7") as context:
...     ErrorContext.note("asked the bank", cents=250)
...     with ErrorContext.open("book") as below:
...         pass
>>> below.correlation_id, below.parent_id == context.operation_id
('order-7', True)
"""

from __future__ import annotations

import logging
import random
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from suptree.core import find_runtime, safe_repr
from suptree.services.parts.checks import check_name

__all__ = ["ERROR_CONTEXT", "MAX_BREADCRUMBS", "Breadcrumb", "ErrorContext", "ErrorContextFilter"]

MAX_BREADCRUMBS: Final = 20
"""So many breadcrumbs are kept, the newest ones; how many went is in `dropped`."""

_SHOWN: Final = 100  # characters of one fact in a text
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Breadcrumb:
    """Something that happened before.

    Attributes:
        text: What.
        after: Seconds since the operation began.
        facts: By name.
    """

    text: str
    after: float
    facts: Mapping[str, object] = field(default_factory=lambda: _NOTHING)

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={safe_repr(one, _SHOWN)}" for name, one in self.facts.items())
        return f"{self.text} ({facts})" if facts else self.text


@dataclass(frozen=True, slots=True)
class ErrorContext:
    """One operation; made by `open`.

    Attributes:
        operation: Its name.
        operation_id: 16 hexadecimal digits, of this one only.
        correlation_id: The same in all operations below the first one.
        parent_id: The `operation_id` of the one around it; None: it is the first one.
        started: When it began, in seconds of the runtime's clock.
        facts: What is known of it, those of the operations around it included.
        breadcrumbs: What happened in it, oldest first, and before it around it.
        dropped: How many older breadcrumbs were dropped.
    """

    operation: str
    operation_id: str
    correlation_id: str
    parent_id: str | None
    started: float
    facts: Mapping[str, object] = field(default_factory=lambda: _NOTHING)
    breadcrumbs: tuple[Breadcrumb, ...] = ()
    dropped: int = 0

    @staticmethod
    def current() -> ErrorContext | None:
        """The one in which this code runs; None outside."""
        return ERROR_CONTEXT.get()

    @staticmethod
    @contextmanager
    def open(
        operation: str, *, correlation_id: str | None = None, **facts: object
    ) -> Generator[ErrorContext, None, None]:
        """Run a block as an operation, below the current one if there is one.

        Args:
            operation: Its name.
            correlation_id: What it belongs to: the id of a request, say; None: that of the
                operation around it, or a new one.
            facts: What is known of it, by name.

        Raises:
            BadArgumentError: *operation* or *correlation_id* is no text, or empty.
        """
        check_name("ErrorContext.open", "operation", operation)
        if correlation_id is not None:
            check_name("ErrorContext.open", "correlation_id", correlation_id)
        context = _below(ERROR_CONTEXT.get(), operation, correlation_id, facts)
        token = ERROR_CONTEXT.set(context)
        try:
            yield context
        finally:
            ERROR_CONTEXT.reset(token)

    @staticmethod
    def note(text: str, **facts: object) -> None:
        """Leave a breadcrumb in the current operation; nothing outside one.

        Args:
            text: What happened.
            facts: What is known of it, by name.

        Raises:
            BadArgumentError: *text* is no text, or empty.
        """
        check_name("ErrorContext.note", "text", text)
        context = ERROR_CONTEXT.get()
        if context is None:
            return
        after = find_runtime("ErrorContext.note").now() - context.started
        crumbs = (*context.breadcrumbs, Breadcrumb(text, after, MappingProxyType(facts)))
        kept = crumbs[-MAX_BREADCRUMBS:]
        dropped = context.dropped + len(crumbs) - len(kept)
        ERROR_CONTEXT.set(replace(context, breadcrumbs=kept, dropped=dropped))

    def __str__(self) -> str:
        """In one line, as notes of errors have it."""
        before = f"{self.dropped} more, " if self.dropped else ""
        crumbs = ", ".join(map(str, self.breadcrumbs))
        what = f"{self.operation!r} ({self.operation_id} of {self.correlation_id})"
        return f"{what} after {before}{crumbs}" if crumbs else what


ERROR_CONTEXT: Final[ContextVar[ErrorContext | None]] = ContextVar(
    "suptree_error_context", default=None
)
"""Where the current one is; for the propagator of a runtime."""


class ErrorContextFilter(logging.Filter):
    """Puts `operation`, `operation_id` and `correlation_id` into log records; "" outside of operations.

    >>> handler.addFilter(ErrorContextFilter())
    >>> handler.setFormatter(logging.Formatter("%(correlation_id)s %(message)s"))
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add them; lets every record through."""
        context = ERROR_CONTEXT.get()
        record.operation = "" if context is None else context.operation
        record.operation_id = "" if context is None else context.operation_id
        record.correlation_id = "" if context is None else context.correlation_id
        return True


def _below(
    parent: ErrorContext | None,
    operation: str,
    correlation_id: str | None,
    facts: Mapping[str, object],
) -> ErrorContext:
    now = find_runtime("ErrorContext.open").now()
    if parent is None:
        return ErrorContext(
            operation, _new_id(), correlation_id or _new_id(), None, now, MappingProxyType(facts)
        )
    return ErrorContext(
        operation,
        _new_id(),
        correlation_id or parent.correlation_id,
        parent.operation_id,
        now,
        MappingProxyType({**parent.facts, **facts}),
        parent.breadcrumbs,
        parent.dropped,
    )


def _new_id() -> str:
    return f"{random.getrandbits(64):016x}"
