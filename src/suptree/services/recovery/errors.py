"""What goes wrong with recovery itself.

ExceptionGroup
└── CompensationFailedError    the operation failed, and so did what was to undo it    .error, .compensation
"""

from __future__ import annotations

from suptree.errors import SuptreeError

__all__ = ["CompensationFailedError"]


class CompensationFailedError(ExceptionGroup[Exception], SuptreeError):
    """An operation failed, and what was to undo it failed too: somebody has to look.

    Both errors are in the group, in this order; `except*` takes either.
    """

    @property
    def error(self) -> Exception:
        """Why the operation failed."""
        return self.exceptions[0]

    @property
    def compensation(self) -> Exception:
        """Why it could not be undone."""
        return self.exceptions[1]
