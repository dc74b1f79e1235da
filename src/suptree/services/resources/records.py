"""What a `ResourceManager` keeps for itself: wishes, tokens that are out, totals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from suptree.core import Pid, ReplyTo
from suptree.services.resources.ledger import Claim
from suptree.services.resources.usage import ResourceToken

__all__ = ["Held", "Reading", "Totals", "Waiting", "Wish"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What `acquire` asks for; its token has the same id."""

    id: int
    type: str
    amount: int
    costs: Mapping[str, int]
    metadata: Mapping[str, object]
    timeout: float
    ttl: float | None
    owner: Pid[Any] | None


@dataclass(frozen=True, slots=True)
class Held:
    """A token that is out."""

    token: ResourceToken
    claim: Claim
    since: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """A wish that waits."""

    wish: Wish
    claim: Claim
    sender: ReplyTo
    since: float


@dataclass(frozen=True, slots=True)
class Reading:
    """From a task of the manager: what the reader of a budget said, or what was wrong."""

    budget: str
    used: int | None
    error: str = ""


@dataclass(slots=True)
class Totals:
    """What the manager counts; each is explained with `ResourceStats`."""

    acquired: int = 0
    released: int = 0
    expired: int = 0
    orphaned: int = 0
    abandoned: int = 0
    readings_failed: int = 0
    denied: dict[str, int] = field(default_factory=dict[str, int])
