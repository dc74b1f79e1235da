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
    "state": 1,
    "configuration": 1,
    "tasks": 1,
    "branch": 2,  # a supervisor of some of the others
    "service": 2,
    "registry": 1,
    "scheduler": 2,
    "coordination": 2,
    "manager": 1,  # the others
    "observation": 1,
    "availability": 1,
    "reconfigurer": 1,
    "surveys": 1,
    "agents": 1,
    "coordinator": 2,
    "collector": 2,
    "display": 1,
    "worker": 6,
    "survey": 6,
}
"""Every kind of process in the tree below its root, and how often each is chosen.

The root is spared: its death is the end of the application by definition.
"""

BRANCHES = {
    "services": "service",
    "registry": "registry",
    "managers": "manager",
    "observation": "observation",
    "availability": "availability",
}
"""What those are who stand under a branch of the system, unless they are a role of their own."""


def role_of(name: str | None, label: str) -> str | None:
    """The role of a process, by its name or else what it runs; None: it is not to be killed.

    >>> role_of("system.services.flags", "FeatureFlags"), role_of("worker.3", "Worker")
    ('service', 'worker')
    """
    match (name or label).split("."):
        case ["worker", _]:
            return "worker"
        case ["survey"]:
            return "survey"
        case ["Partition"]:  # of the registry of the monitors
            return "observation"
        case ["system", branch, one, *_]:
            return one if one in ROLES else BRANCHES[branch]
        case ["system", one] if one in BRANCHES:
            return "branch"
        case ["system", one]:
            return one if one in ROLES else "service"
        case _:
            return None


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
