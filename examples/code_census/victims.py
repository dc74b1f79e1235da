"""Who is killed next: the pure half of the chaos.

Who owns it: nobody. `choose` is given what is alive and what has been done, and a
seeded generator of random numbers; `chaos.py` carries its choice out.

>>> quota = Quota(total=10, each=1)
>>> choose(random.Random(1), {"worker"}, Counter(worker=9), quota) is None
True
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

ROLES = {
    "registry": 1,
    "collector": 2,
    "coordinator": 2,
    "crew": 1,  # the supervisor of the next two and of whoever hires
    "task supervisor": 1,
    "worker supervisor": 1,
    "worker": 6,
    "task": 6,
    "display": 1,
}
"""Every kind of process in the tree below its root, and how often each is chosen.

The root is spared: its death is the end of the application by definition.
"""


@dataclass(frozen=True, slots=True)
class Quota:
    """How many kills make a chaos run: *total* of them, and *each* of every role."""

    total: int = 200
    each: int = 5

    @property
    def size(self) -> int:
        """How many kills that takes: *total*, or more if the shares add up to more."""
        return max(self.total, self.each * len(ROLES))

    def missing(self, landed: Counter[str]) -> dict[str, int]:
        """The roles that have not had their share, and by how many kills."""
        short = {role: self.each - landed[role] for role in ROLES}
        return {role: count for role, count in short.items() if count > 0}

    def is_met(self, landed: Counter[str]) -> bool:
        return landed.total() >= self.total and not self.missing(landed)


def choose(
    rng: random.Random, alive: Collection[str], landed: Counter[str], quota: Quota
) -> str | None:
    """The role of the next victim; None when no candidate lives at the moment.

    Roles are drawn by weight. Once the kills left are only just enough for the roles
    that still lack their share, only those are candidates.
    """
    missing = quota.missing(landed)
    left = quota.size - landed.total()
    roles = missing if left <= sum(missing.values()) else ROLES
    candidates = [role for role in roles if role in alive]
    if not candidates:
        return None
    return rng.choices(candidates, [ROLES[role] for role in candidates])[0]
