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
    from suptree.services.parts.backoff import (
        TRANSIENT,
        RetryPolicy,
        RetryShape,
    )
    from suptree.services.parts.breaker import (
        Breaker,
        BreakerConfig,
        BreakerState,
    )
    from suptree.services.parts.distribution import (
        Distribution,
    )
    from suptree.services.parts.store import (
        Store,
    )
    from suptree.services.parts.window import (
        Counts,
        Outcome,
    )
    from suptree.services.pools import (
        Borrowed,
        ConnectionPool,
        Lease,
        PoolClosedError,
        PoolClosing,
        PoolError,
        PoolOverloadedError,
        PoolSpec,
        PoolStats,
        PoolTimeoutError,
    )
    from suptree.services.resources import (
        BackPressureError,
        Budget,
        BudgetUsage,
        PressureChanged,
        PressureLevel,
        ResourceAlert,
        ResourceDeniedError,
        ResourceError,
        ResourceLimit,
        ResourceManager,
        ResourceTimeoutError,
        ResourceToken,
        ResourceTokenError,
        ResourceUsage,
        Thresholds,
        TypeUsage,
        UnknownResourceError,
        process_memory,
    )
    from suptree.services.store import (
        MemoryStore,
        StateOwner,
    )

__all__ = [
    "BackPressureError",
    "Borrowed",
    "Breaker",
    "BreakerConfig",
    "BreakerError",
    "BreakerOpenError",
    "BreakerState",
    "BreakerStatus",
    "BreakerTimeoutError",
    "BreakersStats",
    "Budget",
    "BudgetUsage",
    "CircuitBreakers",
    "ConnectionPool",
    "Counts",
    "Distribution",
    "Lease",
    "MemoryStore",
    "Outcome",
    "PoolClosedError",
    "PoolClosing",
    "PoolError",
    "PoolOverloadedError",
    "PoolSpec",
    "PoolStats",
    "PoolTimeoutError",
    "PressureChanged",
    "PressureLevel",
    "ResourceAlert",
    "ResourceDeniedError",
    "ResourceError",
    "ResourceLimit",
    "ResourceManager",
    "ResourceTimeoutError",
    "ResourceToken",
    "ResourceTokenError",
    "ResourceUsage",
    "RetryPolicy",
    "RetryShape",
    "StateOwner",
    "Store",
    "TRANSIENT",
    "Thresholds",
    "TooManyBreakersError",
    "TypeUsage",
    "UnknownBreakerError",
    "UnknownResourceError",
    "process_memory",
]

_HOME: Final = {
    "BackPressureError": "resources",
    "Borrowed": "pools",
    "Breaker": "parts.breaker",
    "BreakerConfig": "parts.breaker",
    "BreakerError": "breakers",
    "BreakerOpenError": "breakers",
    "BreakerState": "parts.breaker",
    "BreakerStatus": "breakers",
    "BreakerTimeoutError": "breakers",
    "BreakersStats": "breakers",
    "Budget": "resources",
    "BudgetUsage": "resources",
    "CircuitBreakers": "breakers",
    "ConnectionPool": "pools",
    "Counts": "parts.window",
    "Distribution": "parts.distribution",
    "Lease": "pools",
    "MemoryStore": "store",
    "Outcome": "parts.window",
    "PoolClosedError": "pools",
    "PoolClosing": "pools",
    "PoolError": "pools",
    "PoolOverloadedError": "pools",
    "PoolSpec": "pools",
    "PoolStats": "pools",
    "PoolTimeoutError": "pools",
    "PressureChanged": "resources",
    "PressureLevel": "resources",
    "ResourceAlert": "resources",
    "ResourceDeniedError": "resources",
    "ResourceError": "resources",
    "ResourceLimit": "resources",
    "ResourceManager": "resources",
    "ResourceTimeoutError": "resources",
    "ResourceToken": "resources",
    "ResourceTokenError": "resources",
    "ResourceUsage": "resources",
    "RetryPolicy": "parts.backoff",
    "RetryShape": "parts.backoff",
    "StateOwner": "store",
    "Store": "parts.store",
    "TRANSIENT": "parts.backoff",
    "Thresholds": "resources",
    "TooManyBreakersError": "breakers",
    "TypeUsage": "resources",
    "UnknownBreakerError": "breakers",
    "UnknownResourceError": "resources",
    "process_memory": "resources",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
