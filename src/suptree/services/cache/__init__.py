"""A cache: results that are kept for a while, looked up without a message.

`server.py` is the server and its clients, `entry.py` what it keeps and counts, `recency.py`
which entry was used longest ago, `flights.py` who computes a value and who waits for it.
"""

from suptree.services.cache.entry import CacheStats
from suptree.services.cache.errors import CacheError, TooManyCacheWaitersError
from suptree.services.cache.server import Cache

__all__ = ["Cache", "CacheError", "CacheStats", "TooManyCacheWaitersError"]
