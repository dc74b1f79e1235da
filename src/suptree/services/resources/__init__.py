"""Resources: who may use how much of what, and giving it back when the user is gone.

`ResourceManager` hands out tokens within limits and budgets.  `limits.py` has what its
author declares, `ledger.py` the rules as a pure machine, `lending.py` the server, `manager.py` its
clients, `usage.py` what can be looked at.
"""

from suptree.services.resources.errors import (
    BackPressureError,
    ResourceDeniedError,
    ResourceError,
    ResourceTimeoutError,
    ResourceTokenError,
    UnknownResourceError,
)
from suptree.services.resources.limits import (
    Budget,
    PressureLevel,
    Reader,
    ResourceLimit,
    Thresholds,
)
from suptree.services.resources.manager import ResourceManager
from suptree.services.resources.readers import process_memory
from suptree.services.resources.usage import (
    BudgetUsage,
    PressureChanged,
    ResourceAlert,
    ResourceToken,
    ResourceUsage,
    TypeUsage,
)

__all__ = [
    "BackPressureError",
    "Budget",
    "BudgetUsage",
    "PressureChanged",
    "PressureLevel",
    "Reader",
    "ResourceAlert",
    "ResourceDeniedError",
    "ResourceError",
    "ResourceLimit",
    "ResourceManager",
    "ResourceTimeoutError",
    "ResourceToken",
    "ResourceTokenError",
    "ResourceUsage",
    "Thresholds",
    "TypeUsage",
    "UnknownResourceError",
    "process_memory",
]
