"""`ErrorHandler`: runs an operation in its caller, and does about its errors what the policy says.

It is a value, for everybody to share: nothing that it does leaves state behind, in no table and
no process.  What has state, a circuit breaker say, is a service that is given to it.

>>> import asyncio, suptree as st
>>> from suptree.services import with_recovery
>>> async def fetch():
...     raise ConnectionError("away")
>>> async def last_known(report):
...     return f"yesterday's, after {report.retries} retries"
>>> async def main():
...     async with st.Runtime():
...         return await with_recovery(fetch, fallback=last_known)
>>> asyncio.run(main())
"yesterday's, after 3 retries"
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from suptree.core import Runtime, find_runtime, time_left
from suptree.services.parts.awaited import awaitable
from suptree.services.parts.backoff import RetryPolicy
from suptree.services.parts.checks import bad_argument, check_callable, check_kind, check_name
from suptree.services.recovery.context import ErrorContext
from suptree.services.recovery.errors import CompensationFailedError
from suptree.services.recovery.events import (
    RECOVERY_COMPENSATED,
    RECOVERY_FAILED,
    RECOVERY_FELL_BACK,
    RECOVERY_RETRIED,
    RECOVERY_SUCCEEDED,
)
from suptree.services.recovery.policy import (
    ErrorCategory,
    ErrorPolicy,
    RecoveryStrategy,
    as_category,
    as_strategy,
)
from suptree.services.recovery.report import ErrorReport

__all__ = ["Breaker", "ErrorHandler", "with_recovery"]

R = TypeVar("R")

Operation = Callable[[], Awaitable[R]]
Breaker = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""Calls the operation that it is given, or refuses to: ``partial(CircuitBreakers.run, "breakers", "bank")``."""

_WHO: Final = "with_recovery"


def _default_retry() -> RetryPolicy:
    return RetryPolicy.exponential(first=0.1, cap=5.0, max_attempts=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorHandler:
    """What is to be done about errors; `with_recovery` does it.

    Args:
        policy: Which error is of which category, and what is done about each category.
        retry: How often and after which waits; by default three retries after 0.1, 0.2 and 0.4
            seconds, up to half of each taken off at random.  Which errors are retried, the
            categories say, and not its `retry_on` and `give_up_on`.
        breaker: Every attempt goes through it; None: through none.

    Raises:
        BadArgumentError: One of these is something else.
    """

    policy: ErrorPolicy = field(default_factory=ErrorPolicy)
    retry: RetryPolicy = field(default_factory=_default_retry)
    breaker: Breaker | None = None

    def __post_init__(self) -> None:
        check_kind("ErrorHandler", "policy", self.policy, ErrorPolicy, "an ErrorPolicy")
        check_kind("ErrorHandler", "retry", self.retry, RetryPolicy, "a RetryPolicy")
        if self.breaker is not None:
            check_callable("ErrorHandler", "breaker", self.breaker)

    async def with_recovery(
        self,
        operation: Callable[[], Awaitable[R]],
        *,
        category: ErrorCategory | str | None = None,
        strategy: RecoveryStrategy | str | None = None,
        fallback: Callable[[ErrorReport], Awaitable[R]] | None = None,
        compensation: Callable[[ErrorReport], Awaitable[object]] | None = None,
        name: str | None = None,
    ) -> R:
        """Call *operation* here, in the caller; when it fails, do what is to be done about it.

        =============  ===========================================================================
        retry          It is tried again, while errors are of that kind and the policy allows; then
                       *compensation*, if there is one, and *fallback*, or the error is raised.
        propagate      The error is raised.
        circuit_break  The breaker has counted it; *fallback*, or the error is raised.
        compensate     *compensation* runs; then the error is raised.
        fallback       *fallback* gives the value, or the error is raised.
        =============  ===========================================================================

        An error that is raised has a note that says what was done.  What is cancelled is raised
        at once.  No wait ends after the deadline of whoever waits for the caller.

        Args:
            operation: An async function without arguments.  It may be called several times.
            category: Of all its errors, whatever they are; None: the policy says.
            strategy: What is done about all its errors; None: the policy says, by category.
            fallback: Gives a value instead; an async function of the `ErrorReport`.  What it raises
                is raised, with the error as its context.
            compensation: Undoes what was done; called once at most.
            name: For telemetry and notes; default: that of *operation*.

        Raises:
            CompensationFailedError: *operation* and *compensation* both failed.
            NotAsyncError: A function is not async.
            BadArgumentError: An argument will not do, or *strategy* needs one that is not given.
            Exception: What *operation*, the breaker or *fallback* raised.

        Emits: `suptree.recovery.operation.succeeded`, `.retried`, `.fell_back`, `.compensated`, `.failed`.
        """
        check_callable(_WHO, "operation", operation)
        run = _Run(
            self,
            find_runtime(_WHO),
            _name_of(operation, name),
            None if category is None else as_category(_WHO, "category", category),
            None if strategy is None else as_strategy(_WHO, "strategy", strategy),
            _checked("fallback", fallback),
            _checked("compensation", compensation),
        )
        run.check_strategy()
        return await run.run(operation)  # type: ignore[no-any-return]

    def classify(self, error: BaseException) -> ErrorCategory:
        """The category of *error*, by the policy."""
        return self.policy.classify(error)


with_recovery: Final = ErrorHandler().with_recovery
"""That of a handler with the default policy, default retries and no breaker."""


@dataclass(slots=True, eq=False)
class _Run:
    """One operation and its attempts."""

    handler: ErrorHandler
    runtime: Runtime
    name: str
    category: ErrorCategory | None
    strategy: RecoveryStrategy | None
    fallback: Callable[[ErrorReport], Awaitable[Any]] | None
    compensation: Callable[[ErrorReport], Awaitable[object]] | None
    started: float = field(init=False)
    retries: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.started = self.runtime.now()

    def check_strategy(self) -> None:
        """Refuse a strategy that is asked for by name, without what it needs."""
        for strategy, field_name, given in (
            (RecoveryStrategy.FALLBACK, "fallback", self.fallback),
            (RecoveryStrategy.COMPENSATE, "compensation", self.compensation),
            (RecoveryStrategy.CIRCUIT_BREAK, "breaker", self.handler.breaker),
        ):
            if self.strategy is strategy and given is None:
                wanted = f"given with strategy {strategy.value!r}"
                raise bad_argument(_WHO, field_name, wanted, None)

    async def run(self, operation: Operation[Any]) -> Any:
        """Try, until there is a value or an error for the caller."""
        wait: float | None = None
        while True:
            try:
                value = await self._attempt(operation)
            except Exception as error:
                report = self._report(error)
                wait = self._next_wait(report, wait)
                if wait is None:
                    if await self._end(report):
                        assert self.fallback is not None
                        return await self._fall_back(self.fallback, report)
                    raise
                self._emit(RECOVERY_RETRIED, report, {"delay_s": wait})
            else:
                self._succeeded()
                return value
            await asyncio.sleep(wait)
            self.retries += 1

    async def _attempt(self, operation: Operation[Any]) -> Any:
        limit = self.handler.retry.attempt_timeout
        if limit is None:
            return await self._call(operation)
        async with asyncio.timeout(limit):
            return await self._call(operation)

    async def _call(self, operation: Operation[Any]) -> Any:
        breaker = self.handler.breaker
        if breaker is None:
            return await awaitable(self.name, operation, operation())
        return await awaitable(self.name, breaker, breaker(operation))

    def _report(self, error: Exception) -> ErrorReport:
        policy = self.handler.policy
        category = self.category or policy.classify(error)
        return ErrorReport(
            operation=self.name,
            error=error,
            category=category,
            strategy=self.strategy or policy.strategy_of(category),
            retries=self.retries,
            duration_s=self.runtime.now() - self.started,
            context=ErrorContext.current(),
        )

    def _next_wait(self, report: ErrorReport, previous: float | None) -> float | None:
        """Seconds until the next attempt; None: there is none."""
        if report.strategy is not RecoveryStrategy.RETRY:
            return None
        wait = self.handler.retry.next_delay(self.retries + 1, previous, elapsed=report.duration_s)
        left = time_left()
        return None if wait is None or (left is not None and wait >= left) else wait

    async def _end(self, report: ErrorReport) -> bool:
        """It has failed for good: undo what is to be undone; whether the fallback is next."""
        report.note()
        strategy = report.strategy
        if strategy in (RecoveryStrategy.COMPENSATE, RecoveryStrategy.RETRY):
            await self._compensate(report)
        falls_back = self.fallback is not None and strategy not in (
            RecoveryStrategy.PROPAGATE,
            RecoveryStrategy.COMPENSATE,
        )
        if not falls_back:
            self._emit(RECOVERY_FAILED, report)
        return falls_back

    async def _compensate(self, report: ErrorReport) -> None:
        compensation = self.compensation
        if compensation is None:
            return
        try:
            await awaitable(self.name, compensation, compensation(report))
        except Exception as failure:
            self._emit(RECOVERY_COMPENSATED, report, facts={"failure": failure})
            self._emit(RECOVERY_FAILED, report)
            raise CompensationFailedError(
                f"{self.name} failed, and so did its compensation", [report.error, failure]
            ) from None
        self._emit(RECOVERY_COMPENSATED, report, facts={"failure": None})

    async def _fall_back(
        self, fallback: Callable[[ErrorReport], Awaitable[Any]], report: ErrorReport
    ) -> Any:
        try:
            value = await awaitable(self.name, fallback, fallback(report))
        except Exception:
            self._emit(RECOVERY_FAILED, report)
            raise
        self._emit(RECOVERY_FELL_BACK, report)
        return value

    def _succeeded(self) -> None:
        slot = self.runtime.telemetry.slot(RECOVERY_SUCCEEDED)
        if slot.handlers:
            duration = self.runtime.now() - self.started
            numbers = {"duration_s": duration, "retries_count": self.retries}
            slot.emit(numbers, {"operation": self.name})

    def _emit(
        self,
        event: Any,
        report: ErrorReport,
        numbers: dict[str, float] | None = None,
        facts: dict[str, object] | None = None,
    ) -> None:
        slot = self.runtime.telemetry.slot(event)
        if slot.handlers:
            slot.emit({**report.numbers(), **(numbers or {})}, {**report.facts(), **(facts or {})})


def _name_of(operation: object, name: str | None) -> str:
    if name is not None:
        check_name(_WHO, "name", name)
        return name
    return str(getattr(operation, "__qualname__", type(operation).__name__))


def _checked(field_name: str, function: Any) -> Any:
    return None if function is None else check_callable(_WHO, field_name, function)
