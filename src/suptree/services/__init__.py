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
    from suptree.services.dependencies import (
        Dependencies,
        DependencyCycleError,
        DependencyError,
        MissingDependencyError,
        NotReadyError,
        ReadinessBoard,
        ReadinessStats,
        ServiceReadiness,
        SystemReadiness,
        TooManyWaitersError,
        UnknownServiceError,
        start_order,
    )
    from suptree.services.monitoring import (
        AgentMonitor,
        Finding,
        Health,
        HealthChange,
        HealthSink,
        MonitoringError,
        MonitorStats,
        MonitorStatus,
        MonitorSupervisor,
        NoMonitorsError,
        NotMonitoredError,
        TooManyChecksError,
        UnknownCheckError,
        Verdict,
        Watch,
        WatchError,
    )
    from suptree.services.parts.distribution import Distribution
    from suptree.services.parts.store import Store
    from suptree.services.store import MemoryStore, StateOwner

__all__ = [
    "AgentMonitor",
    "Dependencies",
    "DependencyCycleError",
    "DependencyError",
    "Distribution",
    "Finding",
    "Health",
    "HealthChange",
    "HealthSink",
    "MemoryStore",
    "MissingDependencyError",
    "MonitorStats",
    "MonitorStatus",
    "MonitorSupervisor",
    "MonitoringError",
    "NoMonitorsError",
    "NotMonitoredError",
    "NotReadyError",
    "ReadinessBoard",
    "ReadinessStats",
    "ServiceReadiness",
    "StateOwner",
    "Store",
    "SystemReadiness",
    "TooManyChecksError",
    "TooManyWaitersError",
    "UnknownCheckError",
    "UnknownServiceError",
    "Verdict",
    "Watch",
    "WatchError",
    "start_order",
]

_HOME: Final = {
    "AgentMonitor": "monitoring",
    "Dependencies": "dependencies",
    "DependencyCycleError": "dependencies",
    "DependencyError": "dependencies",
    "Distribution": "parts.distribution",
    "Finding": "monitoring",
    "Health": "monitoring",
    "HealthChange": "monitoring",
    "HealthSink": "monitoring",
    "MemoryStore": "store",
    "MissingDependencyError": "dependencies",
    "MonitorStats": "monitoring",
    "MonitorStatus": "monitoring",
    "MonitorSupervisor": "monitoring",
    "MonitoringError": "monitoring",
    "NoMonitorsError": "monitoring",
    "NotMonitoredError": "monitoring",
    "NotReadyError": "dependencies",
    "ReadinessBoard": "dependencies",
    "ReadinessStats": "dependencies",
    "ServiceReadiness": "dependencies",
    "StateOwner": "store",
    "Store": "parts.store",
    "SystemReadiness": "dependencies",
    "TooManyChecksError": "monitoring",
    "TooManyWaitersError": "dependencies",
    "UnknownCheckError": "monitoring",
    "UnknownServiceError": "dependencies",
    "Verdict": "monitoring",
    "Watch": "monitoring",
    "WatchError": "monitoring",
    "start_order": "dependencies",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
