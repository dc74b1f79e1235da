"""Errors of the bulkheads.

BulkheadError                 .name
├── BulkheadFullError         no room, and none in time     .why .limit .waiting
├── UnknownBulkheadError      nobody has configured it
└── TooManyBulkheadsError     one more is refused           .limit
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from suptree.errors import SuptreeError
from suptree.near import did_you_mean

__all__ = [
    "BulkheadError",
    "BulkheadFullError",
    "TooManyBulkheadsError",
    "UnknownBulkheadError",
]

WhyNot = Literal["line_full", "timeout", "removed"]


class BulkheadError(SuptreeError):
    """Base of what `Bulkheads` raises; *name* is the bulkhead's."""

    name: str


class BulkheadFullError(BulkheadError):
    """The call was not made: there was no room.

    Attributes:
        why: "line_full": too many wait already; "timeout": no room in time; "removed": the bulkhead
            was removed meanwhile.
        limit: So many calls may be inside at once.
        waiting: How many waited when it was refused; None: it was not refused, but gave up.
    """

    def __init__(
        self,
        name: str,
        why: WhyNot,
        limit: int | None,
        waiting: int | None,
    ) -> None:
        super().__init__(name, why, limit, waiting)
        self.name = name
        self.why: WhyNot = why
        self.limit = limit
        self.waiting = waiting

    def __str__(self) -> str:
        match self.why:
            case "line_full":
                said = f"{self.limit} calls are inside and {self.waiting} wait, which is all"
            case "timeout":
                said = "no call left in time"
            case "removed":
                said = "it was removed meanwhile"
        return (
            f"bulkhead {self.name!r}: {said}. The call was not made: try later, or do without it."
        )


class UnknownBulkheadError(BulkheadError):
    """There is no bulkhead *name*."""

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        super().__init__(name)
        self.name = name
        self._hint = did_you_mean(name, known)

    def __str__(self) -> str:
        return (
            f"bulkheads: name must be a configured bulkhead; got {self.name!r}{self._hint} "
            "Give it to Bulkheads, or configure it first."
        )


class TooManyBulkheadsError(BulkheadError):
    """One more bulkhead than *limit* is refused."""

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(name, limit)
        self.name = name
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"bulkheads: at most {self.limit} may be configured; {self.name!r} would be one more. "
            "Remove some, or raise max_bulkheads."
        )
