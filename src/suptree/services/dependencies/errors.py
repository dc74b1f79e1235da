"""What the graph of dependencies and the board of readiness refuse.

DependencyError
├── DependencyCycleError      services need one another in a circle       .path
├── MissingDependencyError    one needs a service that is not declared    .service .missing
└── UnknownServiceError       the service itself is not declared          .service
NotReadyError                 not ready in time (also a TimeoutError)     .service .reasons
TooManyWaitersError           as many wait as may                         .limit
"""

from __future__ import annotations

from collections.abc import Iterable

from suptree.errors import SuptreeError
from suptree.near import did_you_mean, meant, near

__all__ = [
    "DependencyCycleError",
    "DependencyError",
    "MissingDependencyError",
    "NotReadyError",
    "TooManyWaitersError",
    "UnknownServiceError",
]


class DependencyError(SuptreeError):
    """A declaration of dependencies is wrong, or a name is not in it."""


class DependencyCycleError(DependencyError):
    """Services need one another in a circle, so none of them can be the first to start.

    Attributes:
        path: The circle; its last service is its first one again.
    """

    def __init__(self, path: Iterable[str]) -> None:
        self.path = tuple(path)
        super().__init__(self.path)

    def __str__(self) -> str:
        return (
            "Dependencies: services must not depend on one another in a circle; "
            f"got {' -> '.join(self.path)}. Take one of these dependencies away."
        )


class MissingDependencyError(DependencyError):
    """A service depends on one that is not declared."""

    def __init__(self, service: str, missing: str, known: Iterable[str]) -> None:
        super().__init__(service, missing)
        self.service = service
        self.missing = missing
        self.known = tuple(known)

    def __str__(self) -> str:
        return (
            f"Dependencies: what {self.service!r} depends on must be declared; "
            f"got {self.service} -> {self.missing}{did_you_mean(self.missing, self.known)} "
            f"Declare {self.missing!r}, or take the dependency away."
        )


class UnknownServiceError(DependencyError):
    """No service of that name is declared."""

    def __init__(self, who: str, service: object, known: Iterable[str]) -> None:
        super().__init__(who, service)
        self.who = who
        self.service = service
        self.known = tuple(known)

    def __str__(self) -> str:
        return (
            f"{self.who}: service must be a declared one; got {self.service!r}"
            f"{meant(near(self.service, self.known))} Declared: {', '.join(self.known) or 'none'}."
        )


class NotReadyError(SuptreeError, TimeoutError):
    """A service was not ready within the time that somebody had for it.

    Attributes:
        service: Which.
        timeout: Seconds that were waited.
        reasons: Why it was not ready at the end, one line for each cause.
    """

    def __init__(self, service: str, timeout: float, reasons: Iterable[str]) -> None:
        self.service = service
        self.timeout = timeout
        self.reasons = tuple(reasons)
        super().__init__(service, timeout, self.reasons)

    def __str__(self) -> str:
        return (
            f"{self.service}: not ready within {self.timeout:g} s: {'; '.join(self.reasons)}. "
            "Wait longer, or look at the service that is named last."
        )


class TooManyWaitersError(SuptreeError):
    """As many wait for services to be ready as the board lets wait."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"ReadinessBoard: waiters must be at most {self.limit}; there are as many. "
            "Raise max_waiters, or wait in one place for many."
        )
