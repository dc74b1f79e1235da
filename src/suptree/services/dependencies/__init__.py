"""Who needs whom, in which order they start, and who is ready.

`graph.py` is the declaration as a value, with every order that follows; `readiness.py`
derives from it who is ready and who is live; `board.py` is the process where services
say so and others wait.
"""

from suptree.services.dependencies.board import ReadinessBoard, ReadinessStats
from suptree.services.dependencies.errors import (
    DependencyCycleError,
    DependencyError,
    MissingDependencyError,
    NotReadyError,
    TooManyWaitersError,
    UnknownServiceError,
)
from suptree.services.dependencies.events import SERVICE_READINESS_CHANGED, SERVICE_WAIT_EXPIRED
from suptree.services.dependencies.graph import Dependencies, start_order
from suptree.services.dependencies.readiness import (
    Readiness,
    ServiceReadiness,
    SystemReadiness,
    Word,
)

__all__ = [
    "SERVICE_READINESS_CHANGED",
    "SERVICE_WAIT_EXPIRED",
    "Dependencies",
    "DependencyCycleError",
    "DependencyError",
    "MissingDependencyError",
    "NotReadyError",
    "Readiness",
    "ReadinessBoard",
    "ReadinessStats",
    "ServiceReadiness",
    "SystemReadiness",
    "TooManyWaitersError",
    "UnknownServiceError",
    "Word",
    "start_order",
]
