"""Telemetry declared by the cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from suptree.telemetry import Event

__all__ = [
    "CACHE_CLEANED",
    "CACHE_CLEARED",
    "CACHE_COMPUTED",
    "CACHE_DELETED",
    "CACHE_EVICTED",
    "CACHE_FAILED",
    "CACHE_HIT",
    "CACHE_MISSED",
    "CACHE_PUT",
]

_CACHE: Final[Mapping[str, str]] = {"cache": "pid of the cache"}
_KEY: Final[Mapping[str, str]] = {**_CACHE, "key": "of the entry"}
_ENTRIES: Final[Mapping[str, str]] = {"entries_count": "entries that there are now"}

CACHE_HIT: Final = Event(
    "suptree.cache.read.hit",
    measurements={"age_s": "seconds since the value was put"},
    metadata=_KEY,
    doc="A value was there, and good.",
)
CACHE_MISSED: Final = Event(
    "suptree.cache.read.missed",
    measurements={"count": "always 1"},
    metadata={**_KEY, "reason": "absent, or expired: it was there, and its time was over"},
    doc="No good value was there.",
)
CACHE_PUT: Final = Event(
    "suptree.cache.entry.put",
    measurements={"ttl_s": "seconds for which it is good", **_ENTRIES},
    metadata={**_KEY, "replaced": "whether it took the place of a value that was still good"},
    doc="A value is kept from now on.",
)
CACHE_DELETED: Final = Event(
    "suptree.cache.entry.deleted",
    measurements=_ENTRIES,
    metadata=_KEY,
    doc="A good value was deleted by hand.",
)
CACHE_EVICTED: Final = Event(
    "suptree.cache.entry.evicted",
    measurements={"age_s": "seconds since the value was put", **_ENTRIES},
    metadata=_KEY,
    doc="A good value had to go, since there were too many: the one used longest ago.",
)
CACHE_CLEANED: Final = Event(
    "suptree.cache.expired.cleaned",
    measurements={"expired_count": "values that went since their time was over", **_ENTRIES},
    metadata=_CACHE,
    doc="What nobody could get any more was thrown away.",
)
CACHE_CLEARED: Final = Event(
    "suptree.cache.entries.cleared",
    measurements={"cleared_count": "entries that there were"},
    metadata=_CACHE,
    doc="Everything was thrown away by hand.",
)
CACHE_COMPUTED: Final = Event(
    "suptree.cache.value.computed",
    measurements={
        "duration_s": "seconds that it took",
        "waiters_count": "others who got the same value",
    },
    metadata={**_KEY, "kept": "False: the entry was put or deleted meanwhile, so it is outdated"},
    doc="A caller has computed a value that was not there.",
)
CACHE_FAILED: Final = Event(
    "suptree.cache.value.failed",
    measurements={
        "duration_s": "seconds that it took",
        "waiters_count": "others who got the same error, or went on waiting",
    },
    metadata={**_KEY, "error": "the exception; None: the caller was cancelled, or has ended"},
    doc="A caller has computed no value; nothing is kept.",
)
