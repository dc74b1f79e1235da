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
from suptree.services.resources.readers import process_memory, table_entries
from suptree.services.resources.usage import (
    BudgetUsage,
    PressureChanged,
    ResourceAlert,
    ResourceStats,
    ResourceToken,
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
    "ResourceStats",
    "ResourceTimeoutError",
    "ResourceToken",
    "ResourceTokenError",
    "Thresholds",
    "TypeUsage",
    "UnknownResourceError",
    "process_memory",
    "table_entries",
]
