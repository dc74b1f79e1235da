"""Task pools: so many tasks at once for each purpose, over all who use them, and a fair line before them.

`manager.py` is the server and its clients, `pool.py` one pool as it sees it, `line.py` who waits.
`job.py` is one task from its request to its end, `batch.py` many of them as a stream, `thread.py` a
thread for what blocks.  `starting.py` has the supervisors of the pools started.
"""

from suptree.services.task_pools.batch import TaskBatch
from suptree.services.task_pools.config import DEFAULT_POOLS, TaskPoolConfig
from suptree.services.task_pools.errors import (
    TaskPoolError,
    TaskPoolExistsError,
    TaskPoolFullError,
    TaskPoolTimeoutError,
    TooManyTaskPoolsError,
    UnknownTaskPoolError,
)
from suptree.services.task_pools.manager import TaskPoolManager
from suptree.services.task_pools.status import TaskPoolStats, TaskPoolStatus

__all__ = [
    "DEFAULT_POOLS",
    "TaskBatch",
    "TaskPoolConfig",
    "TaskPoolError",
    "TaskPoolExistsError",
    "TaskPoolFullError",
    "TaskPoolManager",
    "TaskPoolStats",
    "TaskPoolStatus",
    "TaskPoolTimeoutError",
    "TooManyTaskPoolsError",
    "UnknownTaskPoolError",
]
