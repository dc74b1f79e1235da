"""Floor 3: services, each a supervised process (or a few of them) on the runtime below.

A service is a folder, and imports alone: `from suptree.services import SchedulerManager`
opens the folder of that one only.  Services do not know one another; what several of
them stand on is in `parts`: pure values and machines, and the seam of the store.
Whoever composes services is one floor up.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from suptree.services.breakers import (
        BreakerError,
        BreakerOpenError,
        BreakersStats,
        BreakerStatus,
        BreakerTimeoutError,
        CircuitBreakers,
        TooManyBreakersError,
        UnknownBreakerError,
    )
    from suptree.services.bulkheads import (
        BulkheadConfig,
        BulkheadError,
        BulkheadFullError,
        Bulkheads,
        BulkheadsStats,
        BulkheadStatus,
        TooManyBulkheadsError,
        UnknownBulkheadError,
    )
    from suptree.services.limits import (
        Concurrency,
        CostTooHighError,
        Limit,
        LimiterKindError,
        LimitError,
        LimiterStats,
        LimitExceededError,
        LimitsStats,
        LimitStatus,
        RateLimiter,
        SlidingWindow,
        TokenBucket,
        TooManyKeysError,
        TooManyLimitersError,
        UnknownLimiterError,
        Verdict,
    )
    from suptree.services.parts.backoff import TRANSIENT, RetryPolicy, RetryShape
    from suptree.services.parts.breaker import Breaker, BreakerConfig, BreakerState
    from suptree.services.parts.distribution import Distribution
    from suptree.services.parts.store import Store
    from suptree.services.parts.window import Counts, Outcome
    from suptree.services.retries import (
        PolicyStats,
        RejectedAnswerError,
        RetriesExhaustedError,
        RetryBudget,
        RetryError,
        RetryService,
        RetryStats,
        TooManyRetryPoliciesError,
        UnknownRetryPolicyError,
        retry,
    )
    from suptree.services.store import MemoryStore, StateOwner

__all__ = [
    "Breaker",
    "BreakerConfig",
    "BreakerError",
    "BreakerOpenError",
    "BreakerState",
    "BreakerStatus",
    "BreakerTimeoutError",
    "BreakersStats",
    "BulkheadConfig",
    "BulkheadError",
    "BulkheadFullError",
    "BulkheadStatus",
    "Bulkheads",
    "BulkheadsStats",
    "CircuitBreakers",
    "Concurrency",
    "CostTooHighError",
    "Counts",
    "Distribution",
    "Limit",
    "LimitError",
    "LimitExceededError",
    "LimitStatus",
    "LimiterKindError",
    "LimiterStats",
    "LimitsStats",
    "MemoryStore",
    "Outcome",
    "PolicyStats",
    "RateLimiter",
    "RejectedAnswerError",
    "RetriesExhaustedError",
    "RetryBudget",
    "RetryError",
    "RetryPolicy",
    "RetryService",
    "RetryShape",
    "RetryStats",
    "SlidingWindow",
    "StateOwner",
    "Store",
    "TRANSIENT",
    "TokenBucket",
    "TooManyBreakersError",
    "TooManyBulkheadsError",
    "TooManyKeysError",
    "TooManyLimitersError",
    "TooManyRetryPoliciesError",
    "UnknownBreakerError",
    "UnknownBulkheadError",
    "UnknownLimiterError",
    "UnknownRetryPolicyError",
    "Verdict",
    "retry",
]

_HOME: Final = {
    "Breaker": "parts.breaker",
    "BreakerConfig": "parts.breaker",
    "BreakerError": "breakers",
    "BreakerOpenError": "breakers",
    "BreakerState": "parts.breaker",
    "BreakerStatus": "breakers",
    "BreakerTimeoutError": "breakers",
    "BreakersStats": "breakers",
    "BulkheadConfig": "bulkheads",
    "BulkheadError": "bulkheads",
    "BulkheadFullError": "bulkheads",
    "BulkheadStatus": "bulkheads",
    "Bulkheads": "bulkheads",
    "BulkheadsStats": "bulkheads",
    "CircuitBreakers": "breakers",
    "Concurrency": "limits",
    "CostTooHighError": "limits",
    "Counts": "parts.window",
    "Distribution": "parts.distribution",
    "Limit": "limits",
    "LimitError": "limits",
    "LimitExceededError": "limits",
    "LimitStatus": "limits",
    "LimiterKindError": "limits",
    "LimiterStats": "limits",
    "LimitsStats": "limits",
    "MemoryStore": "store",
    "Outcome": "parts.window",
    "PolicyStats": "retries",
    "RateLimiter": "limits",
    "RejectedAnswerError": "retries",
    "RetriesExhaustedError": "retries",
    "RetryBudget": "retries",
    "RetryError": "retries",
    "RetryPolicy": "parts.backoff",
    "RetryService": "retries",
    "RetryShape": "parts.backoff",
    "RetryStats": "retries",
    "SlidingWindow": "limits",
    "StateOwner": "store",
    "Store": "parts.store",
    "TRANSIENT": "parts.backoff",
    "TokenBucket": "limits",
    "TooManyBreakersError": "breakers",
    "TooManyBulkheadsError": "bulkheads",
    "TooManyKeysError": "limits",
    "TooManyLimitersError": "limits",
    "TooManyRetryPoliciesError": "retries",
    "UnknownBreakerError": "breakers",
    "UnknownBulkheadError": "bulkheads",
    "UnknownLimiterError": "limits",
    "UnknownRetryPolicyError": "retries",
    "Verdict": "limits",
    "retry": "retries",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
