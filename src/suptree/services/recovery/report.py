"""`ErrorReport`: an error with what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from suptree.services.recovery.context import ErrorContext
from suptree.services.recovery.policy import ErrorCategory, RecoveryStrategy

__all__ = ["ErrorReport"]

_MOST_NOTES: Final = 16  # one error may be raised again and again, and must not grow


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReport:
    """What fallbacks and compensations are given, and what the note of an error is made of.

    Attributes:
        operation: The name of what failed.
        error: The exception, with its traceback.
        category: What kind of trouble it tells of.
        strategy: What is done about it.
        retries: Attempts after the first one.
        duration_s: Seconds since the first attempt began.
        context: In which it happened; None: in none.
    """

    operation: str
    error: Exception
    category: ErrorCategory
    strategy: RecoveryStrategy
    retries: int
    duration_s: float
    context: ErrorContext | None

    def __str__(self) -> str:
        tried = "" if self.retries == 0 else f", after {self.retries} retries"
        where = "" if self.context is None else f"; in {self.context}"
        return (
            f"recovery of {self.operation}: {self.category}, {self.strategy}{tried}, "
            f"{self.duration_s:.3g} s{where}"
        )

    def note(self) -> None:
        """Add it to the error as a note, which tracebacks show."""
        if len(getattr(self.error, "__notes__", ())) < _MOST_NOTES:
            self.error.add_note(str(self))

    def numbers(self) -> dict[str, float]:
        """For telemetry."""
        return {"duration_s": self.duration_s, "retries_count": self.retries}

    def facts(self) -> dict[str, object]:
        """For telemetry."""
        context = self.context
        return {
            "operation": self.operation,
            "category": self.category.value,
            "strategy": self.strategy.value,
            "error": self.error,
            "operation_id": None if context is None else context.operation_id,
            "correlation_id": None if context is None else context.correlation_id,
        }
