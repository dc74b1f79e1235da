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
    from suptree.services.configuration import (
        ConfigChanged,
        ConfigServer,
        Configuration,
        ConfigurationError,
        ConfigurationFixedError,
        ConfigurationInvalidError,
        ConfigurationSchemaError,
        Fixed,
        Secret,
        UnknownSectionError,
        check_configuration,
        diff_configurations,
        load_configuration,
    )
    from suptree.services.flags import (
        FeatureFlags,
        Flag,
        FlagChanged,
        FlagDeclarationError,
        FlagError,
        FlagListFullError,
        FlagOwnedError,
        FlagSetting,
        FlagState,
        FlagStateError,
        FlagValue,
        FlagValueError,
        Guard,
        Migration,
        MigrationControl,
        MigrationMoved,
        Stage,
        StageOrderError,
        UnknownFlagError,
    )
    from suptree.services.parts.backoff import TRANSIENT, RetryPolicy, RetryShape
    from suptree.services.parts.breaker import Breaker, BreakerConfig, BreakerState
    from suptree.services.parts.distribution import Distribution
    from suptree.services.parts.store import Store
    from suptree.services.parts.window import Counts, Outcome
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
    "CircuitBreakers",
    "ConfigChanged",
    "ConfigServer",
    "Configuration",
    "ConfigurationError",
    "ConfigurationFixedError",
    "ConfigurationInvalidError",
    "ConfigurationSchemaError",
    "Counts",
    "Distribution",
    "FeatureFlags",
    "Fixed",
    "Flag",
    "FlagChanged",
    "FlagDeclarationError",
    "FlagError",
    "FlagListFullError",
    "FlagOwnedError",
    "FlagSetting",
    "FlagState",
    "FlagStateError",
    "FlagValue",
    "FlagValueError",
    "Guard",
    "MemoryStore",
    "Migration",
    "MigrationControl",
    "MigrationMoved",
    "Outcome",
    "RetryPolicy",
    "RetryShape",
    "Secret",
    "Stage",
    "StageOrderError",
    "StateOwner",
    "Store",
    "TRANSIENT",
    "TooManyBreakersError",
    "UnknownBreakerError",
    "UnknownFlagError",
    "UnknownSectionError",
    "check_configuration",
    "diff_configurations",
    "load_configuration",
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
    "CircuitBreakers": "breakers",
    "ConfigChanged": "configuration",
    "ConfigServer": "configuration",
    "Configuration": "configuration",
    "ConfigurationError": "configuration",
    "ConfigurationFixedError": "configuration",
    "ConfigurationInvalidError": "configuration",
    "ConfigurationSchemaError": "configuration",
    "Counts": "parts.window",
    "Distribution": "parts.distribution",
    "FeatureFlags": "flags",
    "Fixed": "configuration",
    "Flag": "flags",
    "FlagChanged": "flags",
    "FlagDeclarationError": "flags",
    "FlagError": "flags",
    "FlagListFullError": "flags",
    "FlagOwnedError": "flags",
    "FlagSetting": "flags",
    "FlagState": "flags",
    "FlagStateError": "flags",
    "FlagValue": "flags",
    "FlagValueError": "flags",
    "Guard": "flags",
    "MemoryStore": "store",
    "Migration": "flags",
    "MigrationControl": "flags",
    "MigrationMoved": "flags",
    "Outcome": "parts.window",
    "RetryPolicy": "parts.backoff",
    "RetryShape": "parts.backoff",
    "Secret": "configuration",
    "Stage": "flags",
    "StageOrderError": "flags",
    "StateOwner": "store",
    "Store": "parts.store",
    "TRANSIENT": "parts.backoff",
    "TooManyBreakersError": "breakers",
    "UnknownBreakerError": "breakers",
    "UnknownFlagError": "flags",
    "UnknownSectionError": "configuration",
    "check_configuration": "configuration",
    "diff_configurations": "configuration",
    "load_configuration": "configuration",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
