"""Rate limits: how much may pass, by key, and how many may be inside at once.

`rules.py` has the limits and keeps them for one key, `book.py` what the service holds, `state.py` the
server.  `passing.py` is its side for who wants to pass, `service.py` the rest of it.
"""

from suptree.services.limits.book import LimiterStats, LimitStats, LimitStatus, LimitVerdict
from suptree.services.limits.errors import (
    CostTooHighError,
    LimiterKindError,
    LimitError,
    LimitExceededError,
    TooManyKeysError,
    TooManyLimitersError,
    UnknownLimiterError,
)
from suptree.services.limits.rules import Concurrency, Limit, SlidingWindow, TokenBucket
from suptree.services.limits.service import RateLimiter

__all__ = [
    "Concurrency",
    "CostTooHighError",
    "Limit",
    "LimitError",
    "LimitExceededError",
    "LimitStatus",
    "LimiterKindError",
    "LimiterStats",
    "LimitStats",
    "RateLimiter",
    "SlidingWindow",
    "TokenBucket",
    "TooManyKeysError",
    "TooManyLimitersError",
    "UnknownLimiterError",
    "LimitVerdict",
]
