"""Errors of the circuit breakers.

BreakerError                  .name
├── BreakerOpenError          the call was not made         .state .retry_after
├── BreakerTimeoutError       the call took too long (also a TimeoutError)  .timeout
├── UnknownBreakerError       nobody has configured it
└── TooManyBreakersError      one more is refused           .limit
"""

from __future__ import annotations

from collections.abc import Iterable

from suptree.errors import SuptreeError
from suptree.near import did_you_mean

__all__ = [
    "BreakerError",
    "BreakerOpenError",
    "BreakerTimeoutError",
    "TooManyBreakersError",
    "UnknownBreakerError",
]


class BreakerError(SuptreeError):
    """Base of what `CircuitBreakers` raises; *name* is the breaker's."""

    name: str


class BreakerOpenError(BreakerError):
    """The breaker *name* let the call not through; it was not made.

    Attributes:
        state: "open" or "half_open".
        retry_after: Seconds until a probe may go through; None: nobody knows, since it was
            opened by hand, or probes are under way.
    """

    def __init__(self, name: str, state: str, retry_after: float | None) -> None:
        super().__init__(name, state, retry_after)
        self.name = name
        self.state = state
        self.retry_after = retry_after

    def __str__(self) -> str:
        if self.retry_after is not None:
            until = f"the next probe is in {self.retry_after:.3g} s"
        elif self.state == "half_open":
            until = "its probes are under way"
        else:
            until = "it was opened by hand"
        return (
            f"breaker {self.name!r}: {self.state.replace('_', ' ')}, {until}. The call was not "
            "made: try later, or do without it."
        )


class BreakerTimeoutError(BreakerError, TimeoutError):
    """A protected call took longer than the *timeout* seconds of the breaker *name*; it was cancelled."""

    def __init__(self, name: str, timeout: float) -> None:
        super().__init__(name, timeout)
        self.name = name
        self.timeout = timeout

    def __str__(self) -> str:
        return (
            f"breaker {self.name!r}: the call must end within {self.timeout:g} s, and was "
            "cancelled. Raise call_timeout, or look at what it waits for."
        )


class UnknownBreakerError(BreakerError):
    """There is no breaker *name*."""

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        super().__init__(name)
        self.name = name
        self._hint = did_you_mean(name, known)

    def __str__(self) -> str:
        return (
            f"breakers: name must be a configured breaker; got {self.name!r}{self._hint} "
            "Give it to CircuitBreakers, or configure it first."
        )


class TooManyBreakersError(BreakerError):
    """One more breaker than *limit* is refused."""

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(name, limit)
        self.name = name
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"breakers: at most {self.limit} may be configured; {self.name!r} would be one more. "
            "Remove some, or raise max_breakers."
        )
