"""What goes wrong with a cache.

SuptreeError
└── CacheError
    └── TooManyCacheWaitersError    as many wait for values under way as may    .key, .limit
"""

from __future__ import annotations

from suptree.core import safe_repr
from suptree.errors import SuptreeError

__all__ = ["CacheError", "TooManyCacheWaitersError"]


class CacheError(SuptreeError):
    """Base of what a cache refuses."""


class TooManyCacheWaitersError(CacheError):
    """The value is being computed, and as many wait for such values as may.

    Attributes:
        key: What was asked for.
        limit: So many may wait, for all keys together.
    """

    def __init__(self, key: object, limit: int) -> None:
        super().__init__(key, limit)
        self.key = key
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"cache: {safe_repr(self.key, 200)} is being computed, and {self.limit} wait for such "
            "values, which is all that may. Come back later, or raise max_waiting."
        )
