"""Pools of connections that their users make: few, checked, renewed, and never more than allowed.

`ConnectionPool` is the tree and the client; `spec.py` has what the user gives, `server.py`
who has which connection, `stock.py` how they come and go, `connection.py` the process that each
connection lives in, and `policy.py` what is opened and closed when, as pure functions.
"""

from suptree.services.pools.errors import (
    ConnectionPoolClosedError,
    ConnectionPoolError,
    ConnectionPoolOverloadedError,
    ConnectionPoolTimeoutError,
)
from suptree.services.pools.lease import Borrowed, ConnectionPoolLease
from suptree.services.pools.pool import ConnectionPool
from suptree.services.pools.spec import ConnectionPoolSpec
from suptree.services.pools.stats import ConnectionPoolClosing, ConnectionPoolStats

__all__ = [
    "Borrowed",
    "ConnectionPool",
    "ConnectionPoolLease",
    "ConnectionPoolClosedError",
    "ConnectionPoolClosing",
    "ConnectionPoolError",
    "ConnectionPoolOverloadedError",
    "ConnectionPoolSpec",
    "ConnectionPoolStats",
    "ConnectionPoolTimeoutError",
]
