"""What to do about an error: try again, fall back, undo, or let it fly; and what to tell about it.

No process: it runs in the caller.  `policy.py` says which error is of which category and what is
done about it, `handler.py` does it, `context.py` says what was being done, `report.py` puts it
together.
"""

from suptree.services.recovery.context import (
    ERROR_CONTEXT,
    Breadcrumb,
    ErrorContext,
    ErrorContextFilter,
)
from suptree.services.recovery.errors import CompensationFailedError
from suptree.services.recovery.handler import ErrorHandler, with_recovery
from suptree.services.recovery.policy import ErrorCategory, ErrorPolicy, RecoveryStrategy
from suptree.services.recovery.report import ErrorReport

__all__ = [
    "ERROR_CONTEXT",
    "Breadcrumb",
    "CompensationFailedError",
    "ErrorCategory",
    "ErrorContext",
    "ErrorContextFilter",
    "ErrorHandler",
    "ErrorPolicy",
    "ErrorReport",
    "RecoveryStrategy",
    "with_recovery",
]
