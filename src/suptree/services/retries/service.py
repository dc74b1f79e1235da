"""`RetryService`: named retry policies, the budget of all retries, and what they came to.

What is tried runs in its caller; the service says how, lends from the budget, and counts.  A
policy given to the constructor is there again after a restart; with a `store`, so is one that was
configured at run time.

>>> import asyncio, suptree as st
>>> from suptree.services import RetryPolicy, RetryService
>>> answers = iter([ConnectionError("away"), 7])
>>> async def fetch() -> int:
...     answer = next(answers)
...     if isinstance(answer, Exception):
...         raise answer
...     return answer
>>> async def main():
...     async with st.Runtime():
...         retries = await RetryService.start_link({"bank": RetryPolicy.fixed(delay=0.01)})
...         return await RetryService.run(retries, "bank", fetch)
>>> asyncio.run(main())
7
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from suptree.core import Pid
from suptree.errors import (
    CallTimeoutError,
    NoProcessError,
    RuntimeClosedError,
    ServerExitError,
)
from suptree.otp import GenServer, ServerRef, call, cast
from suptree.services.parts.backoff import RetryPolicy
from suptree.services.parts.checks import (
    check_callable,
    check_count,
    check_kind,
    check_name,
    checked_by_name,
)
from suptree.services.parts.hold import give_back
from suptree.services.parts.plain import from_plain, to_plain
from suptree.services.parts.store import Store, checked_store
from suptree.services.retries.budget import Purse, RetryBudget
from suptree.services.retries.errors import TooManyRetryPoliciesError, UnknownRetryPolicyError
from suptree.services.retries.events import RETRY_CONFIGURED
from suptree.services.retries.retry import Ended, Run, run_retried

__all__ = ["PolicyStats", "RetryService", "RetryStats"]

P = ParamSpec("P")
R = TypeVar("R")

SPACE: Final = "retries"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStats:
    """What was tried under one policy.

    Attributes:
        running: Runs that have not ended.
        succeeded: Runs that did, with or without retries.
        failed: Runs that failed in the end.
        cancelled: Runs whose caller was cancelled, or ended.
        attempts: Attempts of the runs that ended.
        retries: Retries that the budget allowed.
    """

    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    attempts: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryStats:
    """What the service has done since it started.

    Attributes:
        policies: By name.
        budget: How the budget is filled.
        budget_left: Retries that it allows now.
        budget_refused: Retries that it did not allow.
    """

    policies: Mapping[str, PolicyStats]
    budget: RetryBudget
    budget_left: float
    budget_refused: int


class Plan(NamedTuple):
    """How a run goes: the service that lends to it, its policy, and where it is counted."""

    server: Pid[RetryService]
    policy: RetryPolicy
    number: int


@dataclass(slots=True)
class _Entry:
    policy: RetryPolicy
    number: int  # of those of a name that is used again, the runs of the old one count no more
    started: int = 0
    attempts: int = 0
    retries: int = 0
    ended: dict[Ended, int] = field(
        default_factory=lambda: {"succeeded": 0, "failed": 0, "cancelled": 0}
    )


class RetryService(GenServer):
    """The retry policies of a system, and one budget for all of them.

    Args:
        policies: Name -> policy; there again after a restart.
        budget: How many retries may be made in all.
        store: Keeps policies that are configured at run time; None: those are lost with the service.
        max_policies: So many at most.

    Raises:
        ValueError: A name or a policy will not do.
    """

    def __init__(
        self,
        policies: Mapping[str, RetryPolicy] | None = None,
        *,
        budget: RetryBudget | None = None,
        store: Store | None = None,
        max_policies: int = 1000,
    ) -> None:
        check_count("RetryService", "max_policies", max_policies)
        self._store = checked_store("RetryService", store)
        self._limit = max_policies
        self._number = 0
        self._now = self._process.runtime.now
        budget = RetryBudget() if budget is None else budget
        check_kind("RetryService", "budget", budget, RetryBudget, "a RetryBudget")
        self._purse = Purse(budget, self._now())
        self._entries: dict[str, _Entry] = {}
        for name, policy in checked_by_name(
            "RetryService", "policies", policies, "RetryPolicy"
        ).items():
            _check("RetryService", name, policy)
            self._set(name, policy)

    async def init(self) -> None:
        """Bring back what was configured at run time."""
        if self._store is not None:
            for name, data in (await self._store.load(SPACE)).items():
                self._set(name, from_plain(RetryPolicy, data))

    # -- clients --------------------------------------------------------------------------------

    @staticmethod
    async def run(
        server: ServerRef[RetryService],
        name: str,
        function: Callable[P, Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Call ``function(*args, **kwargs)`` here until it succeeds, as the policy *name* says.

        Args:
            server: The service: pid or name.
            name: The policy.
            function: An async function, which may be called several times.
            args: Its arguments.
            kwargs: Its arguments by name.

        Returns:
            What *function* returned.

        Raises:
            RetriesExhaustedError: It failed to the end, with the last error as its cause.
            UnknownRetryPolicyError: There is no such policy.
            NotAsyncError: *function* is not async; that is not tried again.
            Exception: What *function* raised, if the policy does not retry that.
        """
        check_name("RetryService.run", "name", name)
        return await Checked(server, name, None)(function, *args, **kwargs)

    @staticmethod
    def checked(
        server: ServerRef[RetryService], name: str, reject: Callable[[Any], bool] | None
    ) -> Checked:
        """As `run`, and an answer for which ``reject(answer)`` is true is a failure too.

        >>> await RetryService.checked("retries", "web", lambda r: r.status_code >= 500)(get, url)
        """
        check_name("RetryService.checked", "name", name)
        if reject is not None:
            check_callable("RetryService.checked", "reject", reject)
        return Checked(server, name, reject)

    @staticmethod
    async def configure(server: ServerRef[RetryService], name: str, policy: RetryPolicy) -> None:
        """Make a policy, or replace one for the runs that begin from now on.

        Raises:
            ValueError: *name* or *policy* will not do, or *policy* cannot be stored.
            TooManyRetryPoliciesError: It would be one more than `max_policies`.
        """
        _check("RetryService.configure", name, policy)
        plain = to_plain(policy)
        store = await RetryService._put(server, name, policy)
        if store is not None:
            await store.put(SPACE, name, plain)

    @staticmethod
    async def remove(server: ServerRef[RetryService], name: str) -> bool:
        """Forget a policy; whether there was one.  One of the constructor is back after a restart."""
        check_name("RetryService.remove", "name", name)
        removed, store = await RetryService._take(server, name)
        if store is not None:
            await store.delete(SPACE, name)
        return removed

    @call
    def policies(self) -> dict[str, RetryPolicy]:
        """All policies by name."""
        return {name: entry.policy for name, entry in self._entries.items()}

    @call
    def stats(self) -> RetryStats:
        """What was tried, and what is left of the budget."""
        return RetryStats(
            policies={name: _stats(entry) for name, entry in self._entries.items()},
            budget=self._purse.budget,
            budget_left=self._purse.left(self._now()),
            budget_refused=self._purse.refused,
        )

    @staticmethod
    async def reconfigure(
        server: ServerRef[RetryService],
        *,
        budget: RetryBudget | None = None,
        max_policies: int | None = None,
    ) -> None:
        """Go by other bounds from now on; what is not given stays as it is.

        Args:
            budget: What is left of the old one is left of this one, up to its capacity.
            max_policies: No policy is removed where it gets smaller: it holds for new ones.

        Raises:
            ValueError: One of them will not do; nothing was changed.
        """
        who = "RetryService.reconfigure"
        if budget is not None:
            check_kind(who, "budget", budget, RetryBudget, "None or a RetryBudget")
        check_count(who, "max_policies", max_policies, optional=True)
        await RetryService._reconfigure(server, budget, max_policies)

    @call
    def _reconfigure(self, budget: RetryBudget | None, max_policies: int | None) -> None:
        if budget is not None:
            self._purse.refill_by(budget, self._now())
        self._limit = max_policies or self._limit

    # -- requests of the functions above ------------------------------------------------------------

    @call(raises=UnknownRetryPolicyError)
    def _begin(self, name: str) -> Plan:
        """A run begins."""
        entry = self._entries.get(name)
        if entry is None:
            raise UnknownRetryPolicyError(name, self._entries)
        entry.started += 1
        return Plan(self.pid, entry.policy, entry.number)

    @call
    def _spend(self, name: str, number: int) -> bool:
        """Take one retry from the budget; False: there is none."""
        allowed = self._purse.spend(self._now())
        entry = self._entries.get(name)
        if allowed and entry is not None and entry.number == number:
            entry.retries += 1
        return allowed

    @cast
    def _finish(self, name: str, number: int, ended: Ended, attempts: int) -> None:
        """A run has ended."""
        if ended == "succeeded":
            self._purse.earn(self._now())
        entry = self._entries.get(name)
        if entry is not None and entry.number == number:
            entry.attempts += attempts
            entry.ended[ended] += 1

    @call(raises=TooManyRetryPoliciesError)
    def _put(self, name: str, policy: RetryPolicy) -> Store | None:
        if name not in self._entries and len(self._entries) >= self._limit:
            raise TooManyRetryPoliciesError(name, self._limit)
        self._set(name, policy)
        self._process.runtime.telemetry.emit(
            RETRY_CONFIGURED, {"policies_count": len(self._entries)}, {"policy": name}
        )
        return self._store

    @call
    def _take(self, name: str) -> tuple[bool, Store | None]:
        return self._entries.pop(name, None) is not None, self._store

    def _set(self, name: str, policy: RetryPolicy) -> None:
        entry = self._entries.get(name)
        if entry is None:
            self._number += 1
            self._entries[name] = _Entry(policy, self._number)
        else:
            entry.policy = policy


class Checked:
    """Runs under a policy whose answers are looked at; see `RetryService.checked`."""

    __slots__ = ("_name", "_reject", "_server")

    def __init__(
        self, server: ServerRef[RetryService], name: str, reject: Callable[[Any], bool] | None
    ) -> None:
        self._server = server
        self._name = name
        self._reject = reject

    async def __call__(
        self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call ``function(*args, **kwargs)`` here until it succeeds."""
        check_callable("RetryService.run", "function", function)
        name = self._name
        plan = await RetryService._begin(self._server, name)  # pyright: ignore[reportPrivateUsage]
        server = plan.server

        async def spend() -> bool:
            try:
                return await RetryService._spend(server, name, plan.number)
            except (NoProcessError, ServerExitError, CallTimeoutError, RuntimeClosedError):
                return False  # who cannot ask has nothing to spend

        run = Run(name, plan.policy, server.runtime, spend, self._reject, "RetryService.run")
        try:
            return await run_retried(run, function, *args, **kwargs)
        finally:
            finish = RetryService._finish  # pyright: ignore[reportPrivateUsage]
            give_back(finish, server, name, plan.number, run.ended, run.attempts)


def _stats(entry: _Entry) -> PolicyStats:
    ended = entry.ended
    return PolicyStats(
        running=entry.started - sum(ended.values()),
        succeeded=ended["succeeded"],
        failed=ended["failed"],
        cancelled=ended["cancelled"],
        attempts=entry.attempts,
        retries=entry.retries,
    )


def _check(who: str, name: object, policy: object) -> None:
    check_name(who, "name", name)
    check_kind(who, f"policy of {name!r}", policy, RetryPolicy, "a RetryPolicy")
