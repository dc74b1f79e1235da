"""Errors of retries.

RetryError
├── RetriesExhaustedError     it failed to the end     .attempts .elapsed .why .last
├── RejectedAnswerError       an answer that counts as a failure    .answer
└── UnknownRetryPolicyError   nobody has configured it              .name
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from suptree.errors import SuptreeError
from suptree.near import did_you_mean

__all__ = [
    "RejectedAnswerError",
    "RetriesExhaustedError",
    "RetryError",
    "TooManyRetryPoliciesError",
    "UnknownRetryPolicyError",
    "Why",
]

Why = Literal["attempts", "total_time", "deadline", "budget"]


class RetryError(SuptreeError):
    """Base of what retries raise beside the errors of what they try."""


class RetriesExhaustedError(RetryError):
    """It failed each time, and is not tried again; the last error is the cause of this one.

    Attributes:
        name: What was tried: the name of the policy, or of the function.
        attempts: How often.
        elapsed: Seconds from the first attempt.
        why: What ended it: "attempts", "total_time", "deadline" (the caller of the caller would not
            wait so long) or "budget" (too many retries in the whole system).
        last: The last error, which is `__cause__` too.
    """

    def __init__(self, name: str, attempts: int, elapsed: float, why: Why, last: Exception) -> None:
        super().__init__(name, attempts, elapsed, why, last)
        self.name = name
        self.attempts = attempts
        self.elapsed = elapsed
        self.why: Why = why
        self.last = last

    def __str__(self) -> str:
        match self.why:
            case "attempts":
                ended = "there are no attempts left"
            case "total_time":
                ended = "its total time is over"
            case "deadline":
                ended = "its caller waits no longer"
            case "budget":
                ended = "the budget for retries is spent"
        times = "attempt" if self.attempts == 1 else "attempts"
        return (
            f"retry {self.name!r}: {self.attempts} {times} in {self.elapsed:.3g} s failed, and "
            f"{ended}. The last error: {type(self.last).__name__}: {self.last}"
        )


class RejectedAnswerError(RetryError):
    """What was tried gave an *answer* that `reject` calls a failure."""

    def __init__(self, answer: object) -> None:
        super().__init__(answer)
        self.answer = answer

    def __str__(self) -> str:
        return f"retry: the answer counts as a failure: {self.answer!r:.200}"


class UnknownRetryPolicyError(RetryError):
    """There is no policy *name*."""

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        super().__init__(name)
        self.name = name
        self._hint = did_you_mean(name, known)

    def __str__(self) -> str:
        return (
            f"retries: name must be a configured policy; got {self.name!r}{self._hint} "
            "Give it to RetryService, or configure it first."
        )


class TooManyRetryPoliciesError(RetryError):
    """One more policy than *limit* is refused."""

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(name, limit)
        self.name = name
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"retries: at most {self.limit} policies may be configured; {self.name!r} would be one "
            "more. Remove some, or raise max_policies."
        )
