"""Bulkheads: so many calls to one thing at once, so that what is slow takes not everybody with it.

`service.py` is the server and its clients, `entry.py` one bulkhead; who is inside and who waits is
`services/parts/permits.py`.
"""

from suptree.services.bulkheads.entry import BulkheadConfig, BulkheadStats, BulkheadStatus
from suptree.services.bulkheads.errors import (
    BulkheadError,
    BulkheadFullError,
    TooManyBulkheadsError,
    UnknownBulkheadError,
)
from suptree.services.bulkheads.service import Bulkheads

__all__ = [
    "BulkheadConfig",
    "BulkheadError",
    "BulkheadFullError",
    "BulkheadStats",
    "BulkheadStatus",
    "Bulkheads",
    "TooManyBulkheadsError",
    "UnknownBulkheadError",
]
