"""Errors of the rate limiter.

LimitError                    .limiter
├── LimitExceededError        it may not pass, or not in time   .who .why .retry_after
├── CostTooHighError          it could never pass (also a ValueError)   .cost .limit
├── LimiterKindError          `hold` is for Concurrency, `check` and `acquire` for the others
├── TooManyKeysError          one more key is refused           .who .max_keys
├── TooManyLimitersError      one more limiter is refused       .max_limiters
└── UnknownLimiterError       nobody has configured it
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from suptree.errors import SuptreeError
from suptree.near import did_you_mean

__all__ = [
    "CostTooHighError",
    "LimitError",
    "LimitExceededError",
    "LimiterKindError",
    "TooManyKeysError",
    "TooManyLimitersError",
    "UnknownLimiterError",
]

WhyNot = Literal["line_full", "timeout", "removed"]


class LimitError(SuptreeError):
    """Base of what `RateLimiter` raises; *limiter* is the name."""

    limiter: str


class LimitExceededError(LimitError):
    """*who* may not pass, and did not.

    Attributes:
        why: "timeout": not in the time given; "line_full": too many wait already; "removed": the
            limiter was removed meanwhile.
        retry_after: Seconds until it might pass, if nobody else did; None: nobody knows.
    """

    def __init__(
        self,
        limiter: str,
        who: str,
        why: WhyNot,
        retry_after: float | None,
    ) -> None:
        super().__init__(limiter, who, why, retry_after)
        self.limiter = limiter
        self.who = who
        self.why: WhyNot = why
        self.retry_after = retry_after

    def __str__(self) -> str:
        match self.why:
            case "timeout":
                said = "could not pass in time"
            case "line_full":
                said = "may not wait, since too many do"
            case "removed":
                said = "waited for a limiter that was removed"
        after = "" if self.retry_after is None else f" Try again in {self.retry_after:.3g} s."
        return f"limiter {self.limiter!r}: {self.who!r} {said}.{after}"


class CostTooHighError(LimitError, ValueError):
    """*cost* is more than the limit: it could never pass."""

    def __init__(self, limiter: str, cost: int, limit: int) -> None:
        super().__init__(limiter, cost, limit)
        self.limiter = limiter
        self.cost = cost
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"limiter {self.limiter!r}: cost must be at most {self.limit}; got {self.cost}. "
            "It could never pass: take it in parts, or raise the limit."
        )


class LimiterKindError(LimitError):
    """The limiter is of another kind."""

    def __init__(self, limiter: str, kind: str, doing: str) -> None:
        super().__init__(limiter, kind, doing)
        self.limiter = limiter
        self.kind = kind
        self.doing = doing

    def __str__(self) -> str:
        right = "`hold`" if self.kind == "Concurrency" else "`check` or `acquire`"
        return (
            f"limiter {self.limiter!r}: it is a {self.kind}, not for `{self.doing}`. Use {right}."
        )


class TooManyKeysError(LimitError):
    """The limiter has *max_keys* keys, none of them idle; *who* would be one more, and did not pass."""

    def __init__(self, limiter: str, who: str, max_keys: int) -> None:
        super().__init__(limiter, who, max_keys)
        self.limiter = limiter
        self.who = who
        self.max_keys = max_keys

    def __str__(self) -> str:
        return (
            f"limiter {self.limiter!r}: at most {self.max_keys} keys are kept, and all are in use; "
            f"{self.who!r} would be one more. Raise max_keys, or use fewer keys."
        )


class TooManyLimitersError(LimitError):
    """One more limiter than *max_limiters* is refused."""

    def __init__(self, limiter: str, max_limiters: int) -> None:
        super().__init__(limiter, max_limiters)
        self.limiter = limiter
        self.max_limiters = max_limiters

    def __str__(self) -> str:
        return (
            f"limits: at most {self.max_limiters} limiters may be configured; {self.limiter!r} would "
            "be one more. Remove some, or raise max_limiters."
        )


class UnknownLimiterError(LimitError):
    """There is no limiter of that name."""

    def __init__(self, limiter: str, known: Iterable[str] = ()) -> None:
        super().__init__(limiter)
        self.limiter = limiter
        self._hint = did_you_mean(limiter, known)

    def __str__(self) -> str:
        return (
            f"limits: name must be a configured limiter; got {self.limiter!r}{self._hint} "
            "Give it to RateLimiter, or configure it first."
        )
