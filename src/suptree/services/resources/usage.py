"""What a `ResourceManager` gives and tells: tokens, usage, alerts.  Frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from suptree.core import Pid
from suptree.services.resources.limits import PressureLevel

__all__ = [
    "BudgetUsage",
    "PressureChanged",
    "ResourceAlert",
    "ResourceToken",
    "ResourceStats",
    "TypeUsage",
]


def _nothing() -> Mapping[str, object]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ResourceToken:
    """The right to use *amount* of *type*, until it is released, expires, or its owner ends.

    Attributes:
        id: Unique in the runtime, also after a restart of the manager.
        type: What it is of.
        amount: How much.
        owner: The process with which it ends; None: it ends by its ttl alone.
        manager: The process that gave it.
        metadata: What `acquire` was given.
    """

    id: int
    type: str
    amount: int
    owner: Pid[Any] | None
    manager: Pid[Any]
    metadata: Mapping[str, object] = field(default_factory=_nothing, compare=False)


@dataclass(frozen=True, slots=True)
class TypeUsage:
    """One type: its limit, what is held now and was at most, and who waits for it."""

    limit: int
    in_use: int
    peak: int
    tokens: int
    waiting: int
    alert: bool


@dataclass(frozen=True, slots=True)
class BudgetUsage:
    """One budget.

    Attributes:
        limit: How much there is.
        used: The larger one of the next two.
        declared: The sum of what the tokens cost.
        reading: The last true reading; None: none yet, or no reader.
        ratio: *used* as a part of *limit*.
        level: Its level of pressure.
        alert: Whether its alert is raised.
    """

    limit: int
    used: int
    declared: int
    reading: int | None
    ratio: float
    level: PressureLevel
    alert: bool


@dataclass(frozen=True, slots=True)
class ResourceStats:
    """Everything that can be looked at.  What is held falls as it rises; totals only rise.

    Attributes:
        pressure: The highest level of all budgets.
        types: Every declared type, and each other one that is held or waited for.
        budgets: Every budget.
        tokens: How many are out.
        waiting: How many `acquire`s wait.
        subscribers: How many processes hear of alerts.
        acquired: Tokens given so far.
        released: Of those, given back.
        expired: Of those, ended by their ttl.
        orphaned: Of those, given back because the owner ended.
        abandoned: Of those, given to a caller that had just been cancelled.
        denied: Refusals so far, by reason: those of `ResourceDeniedError`, and 'unknown'.
        readings_failed: Readings that raised, took too long or gave no number.
    """

    pressure: PressureLevel
    types: Mapping[str, TypeUsage]
    budgets: Mapping[str, BudgetUsage]
    tokens: int
    waiting: int
    subscribers: int
    acquired: int
    released: int
    expired: int
    orphaned: int
    abandoned: int
    denied: Mapping[str, int]
    readings_failed: int


@dataclass(frozen=True, slots=True)
class ResourceAlert:
    """To subscribers: a type or a budget is nearly used up, or is no longer.

    Attributes:
        kind: 'raised' or 'cleared'.
        of: 'type' or 'budget'.
        name: Of the type or the budget.
        used: How much is used.
        limit: How much there is.
    """

    kind: Literal["raised", "cleared"]
    of: Literal["type", "budget"]
    name: str
    used: int
    limit: int

    @property
    def ratio(self) -> float:
        """*used* as a part of *limit*."""
        return self.used / self.limit


@dataclass(frozen=True, slots=True)
class PressureChanged:
    """To subscribers: the level of pressure has changed.

    Attributes:
        level: The new one.
        previous: The old one.
        budget: The fullest budget.
        ratio: How full that is.
    """

    level: PressureLevel
    previous: PressureLevel
    budget: str
    ratio: float
