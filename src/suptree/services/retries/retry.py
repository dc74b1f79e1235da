"""`retry`: call something again until it succeeds, in the caller, as a policy says.

The waits are on the runtime's clock and can be cancelled.  None ends after the deadline
of whoever waits for the caller (`time_left`): then it fails at once, while somebody still listens.

An error that the policy does not retry is raised as it is.  When a retried one is the last, it is
the cause of a `RetriesExhaustedError`.  What is tried may happen several times, so it must
bear that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, ParamSpec, TypeVar

from suptree.core import Runtime, find_runtime, time_left
from suptree.services.parts.awaited import NotAsyncError, awaitable
from suptree.services.parts.backoff import RetryPolicy
from suptree.services.retries.errors import RejectedAnswerError, RetriesExhaustedError, Why
from suptree.services.retries.events import (
    RETRY_CANCELLED,
    RETRY_FAILED,
    RETRY_SCHEDULED,
    RETRY_SUCCEEDED,
)

__all__ = ["Ended", "Run", "retry", "run_retried"]

P = ParamSpec("P")
R = TypeVar("R")

Ended = Literal["succeeded", "failed", "cancelled"]


async def retry(
    policy: RetryPolicy,
    function: Callable[P, Awaitable[R]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Call ``function(*args, **kwargs)`` until it succeeds, as often as *policy* says.

    Args:
        policy: When to try again.
        function: An async function, which may be called several times.
        args: Its arguments.
        kwargs: Its arguments by name.

    Returns:
        What *function* returned.

    Raises:
        RetriesExhaustedError: It failed each time, with the last error as its cause.
        Exception: What *function* raised, if the policy does not retry that.

    Emits: `suptree.retry.attempt.scheduled`, `suptree.retry.run.succeeded`, `.failed`, `.cancelled`.

    >>> await retry(RetryPolicy.exponential(max_attempts=5), fetch, "https://example.org")
    """
    name = getattr(function, "__qualname__", type(function).__name__)
    return await run_retried(Run(name, policy, find_runtime("retry")), function, *args, **kwargs)


async def _free() -> bool:
    return True


@dataclass(slots=True)
class Run:
    """One thing that is tried, how often so far, and who says that it may be tried again.

    Attributes:
        name: What telemetry and errors call it.
        policy: When to try again.
        runtime: Whose clock and telemetry it uses.
        spend: Asked before each retry; False when the budget is spent.
        reject: Says that an answer counts as a failure; None: none does.
        who: What was called, for errors about its arguments.
    """

    name: str
    policy: RetryPolicy
    runtime: Runtime
    spend: Callable[[], Awaitable[bool]] = _free
    reject: Callable[[Any], bool] | None = None
    who: str = "retry"
    started: float = field(init=False)
    attempts: int = field(init=False, default=0)
    ended: Ended = field(init=False, default="cancelled")

    def __post_init__(self) -> None:
        self.started = self.runtime.now()

    def elapsed(self) -> float:
        """Seconds since it began."""
        return self.runtime.now() - self.started

    async def next_wait(self, previous: float | None) -> float | Why:
        """Seconds until the next attempt, or why there is none."""
        policy = self.policy
        if policy.max_attempts is not None and self.attempts >= policy.max_attempts:
            return "attempts"
        wait = policy.next_delay(self.attempts, previous, elapsed=self.elapsed())
        if wait is None:
            return "total_time"
        left = time_left()
        if left is not None and wait >= left:
            return "deadline"
        return wait if await self.spend() else "budget"

    def tell_scheduled(self, error: Exception, wait: float) -> None:
        """Tell telemetry of a wait."""
        self.runtime.telemetry.emit(
            RETRY_SCHEDULED,
            {"attempt_count": self.attempts, "delay_s": wait},
            {"policy": self.name, "error": error},
        )

    def tell_failed(self, error: Exception, why: Why | Literal["not_retried"]) -> None:
        """Tell telemetry of the end."""
        self.ended = "failed"
        self.runtime.telemetry.emit(
            RETRY_FAILED, self._numbers(), {"policy": self.name, "error": error, "why": why}
        )

    def tell_ended(self) -> None:
        """Tell telemetry of an end without an error to tell of."""
        if self.ended != "failed":
            event = RETRY_SUCCEEDED if self.ended == "succeeded" else RETRY_CANCELLED
            self.runtime.telemetry.emit(event, self._numbers(), {"policy": self.name})

    def _numbers(self) -> dict[str, float]:
        return {"attempts_count": self.attempts, "duration_s": self.elapsed()}


async def run_retried(
    run: Run, function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs
) -> R:
    """Try until it succeeds or *run* says that it is enough."""
    wait: float | None = None
    try:
        while True:
            run.attempts += 1
            try:
                answer = await _attempt(run, function, *args, **kwargs)
            except Exception as error:
                if not _may_retry(run.policy, error):
                    run.tell_failed(error, "not_retried")
                    raise
                decided = await run.next_wait(wait)
                if isinstance(decided, str):
                    run.tell_failed(error, decided)
                    raise RetriesExhaustedError(
                        run.name, run.attempts, run.elapsed(), decided, error
                    ) from error
                wait = decided
                run.tell_scheduled(error, wait)
            else:
                run.ended = "succeeded"
                return answer
            await asyncio.sleep(wait)
    finally:
        run.tell_ended()


def _may_retry(policy: RetryPolicy, error: Exception) -> bool:
    if isinstance(error, NotAsyncError):  # it will not be async the next time
        return False
    return isinstance(error, RejectedAnswerError) or policy.retries(error)


async def _attempt(
    run: Run, function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs
) -> R:
    limit = run.policy.attempt_timeout
    if limit is None:
        answer = await awaitable(run.who, function, function(*args, **kwargs))
    else:
        async with asyncio.timeout(limit):
            answer = await awaitable(run.who, function, function(*args, **kwargs))
    if run.reject is not None and run.reject(answer):
        raise RejectedAnswerError(answer)
    return answer
