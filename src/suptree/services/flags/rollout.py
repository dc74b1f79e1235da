"""For whom a flag is on: percentages that are stable by id, and lists of ids.

An id falls into one of 10,000 buckets of a flag: the first 8 bytes of the BLAKE2b hash of
`flag NUL id` (UTF-8), as a big-endian number n, give the bucket ``n * 10_000 >> 64``.  A flag
at p per cent is on for the buckets below 100 p.  So an id stays where it is on every
machine and in every run; raising p only adds ids; 0 is nobody and 100 everybody; and, as
the name of the flag is hashed too, two flags at 10 per cent do not meet the same ids.

>>> bucket("new_router", "agent-7")
573
>>> is_in("new_router", "agent-7", 5.73), is_in("new_router", "agent-7", 5.74)
(False, True)
"""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import Final, TypeAlias

__all__ = ["BUCKETS", "Rollout", "bucket", "is_in", "percentage_of"]

BUCKETS: Final = 10_000

Rollout: TypeAlias = bool | float
"""How far a flag is on: False, True, or a percentage from 0 to 100, in steps of 0.01."""


def bucket(flag: str, id: str) -> int:
    """The bucket of *id*, from 0 to 9,999."""
    digest = blake2b(f"{flag}\0{id}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) * BUCKETS >> 64


def is_in(flag: str, id: str, percentage: float) -> bool:
    """Whether a flag at *percentage* is on for *id*."""
    if percentage >= 100:
        return True
    return percentage > 0 and bucket(flag, id) < round(percentage * (BUCKETS / 100))


def percentage_of(rollout: object) -> float | None:
    """What people write as a percentage; None if it is none, or finer than a bucket."""
    if isinstance(rollout, bool):
        return 100.0 if rollout else 0.0
    if not isinstance(rollout, int | float) or not 0 <= rollout <= 100:
        return None
    exact = round(float(rollout), 2)
    return exact if math.isclose(exact, rollout, abs_tol=1e-9) else None
