"""The rules of a `ResourceManager`, without processes and without a clock.

Who may have something now, who waits, whose turn it is, and what is worth telling.

- Within a type it is first come, first served: nobody overtakes one who waits, however
  small the amount.
- Between types it is so for each budget: whoever waits for one has it before all who came
  later and need it too.  Types that need no such budget are not held up.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from suptree.services.resources.errors import UnknownResourceError
from suptree.services.resources.limits import Budget, PressureLevel, ResourceLimit
from suptree.services.resources.usage import (
    BudgetUsage,
    PressureChanged,
    ResourceAlert,
    TypeUsage,
)

__all__ = ["ALERT_SLACK", "Claim", "Ledger", "Obstacle"]

ALERT_SLACK: Final = 0.05
"""The alert of a type is cleared that far below where it is raised."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One wish for *amount* of *type*; *costs* is what it draws from budgets in all."""

    id: int
    type: str
    amount: int
    costs: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a claim cannot be met now: *what* has *used* of *limit* in use."""

    reason: str
    what: str
    used: int
    limit: int


@dataclass(slots=True)
class _Type:
    name: str
    limit: ResourceLimit
    declared: bool
    in_use: int = 0
    peak: int = 0
    tokens: int = 0
    alert: bool = False
    queue: dict[int, tuple[int, Claim]] = field(default_factory=dict[int, tuple[int, Claim]])

    def usage(self) -> TypeUsage:
        return TypeUsage(
            self.limit.limit, self.in_use, self.peak, self.tokens, len(self.queue), self.alert
        )


@dataclass(slots=True)
class _Budget:
    name: str
    budget: Budget
    declared: int = 0
    reading: int | None = None
    level: PressureLevel = PressureLevel.NORMAL
    alert: bool = False

    @property
    def used(self) -> int:
        return max(self.declared, self.reading or 0)

    @property
    def ratio(self) -> float:
        return self.used / self.budget.limit

    def changed(self) -> None:
        self.level = self.budget.thresholds.level(self.ratio, self.level)

    def usage(self) -> BudgetUsage:
        return BudgetUsage(
            self.budget.limit,
            self.used,
            self.declared,
            self.reading,
            self.ratio,
            self.level,
            self.alert,
        )


class Ledger:
    """What is in use, and who waits.

    Args:
        limits: The declared types.
        budgets: The declared budgets.
        default: The limit of each type that is not declared; None refuses those.

    Raises:
        UnknownResourceError: A type costs something of a budget that is not declared.
    """

    def __init__(
        self,
        limits: Mapping[str, ResourceLimit],
        budgets: Mapping[str, Budget],
        default: ResourceLimit | None = None,
    ) -> None:
        self._default = default
        self._types = {name: _Type(name, limit, True) for name, limit in limits.items()}
        self._budgets = {name: _Budget(name, budget) for name, budget in budgets.items()}
        for limit in [*limits.values(), *([] if default is None else [default])]:
            self._check_budgets(limit.costs)
        self._order = 0
        self._crowded: dict[str, None] = {}  # types for which somebody waits
        self._reserved: set[str] = set()  # budgets of which somebody who waits lacks some
        self._touched: set[str] = set()  # types whose alert may have changed
        self.waiting = 0
        self.pressure = PressureLevel.NORMAL  # as it was told last

    # -- claims ---------------------------------------------------------------------------

    def claim(self, id: int, type: str, amount: int, costs: Mapping[str, int]) -> Claim:
        """The claim for *amount* of *type*, and for *costs* beside what the type costs.

        Raises:
            UnknownResourceError: No such type, or no such budget.
        """
        self._check_budgets(costs)
        total = {name: each * amount for name, each in self._limit_of(type).costs.items()}
        for name, cost in costs.items():
            total[name] = total.get(name, 0) + cost
        return Claim(id, type, amount, {name: cost for name, cost in total.items() if cost})

    def limit_of(self, claim: Claim) -> ResourceLimit:
        """The limit of its type."""
        return self._limit_of(claim.type)

    def too_large(self, claim: Claim) -> Obstacle | None:
        """Why it can never be met; None: it can."""
        limit = self._limit_of(claim.type).limit
        if claim.amount > limit:
            return Obstacle("too_large", claim.type, self.in_use(claim.type), limit)
        for name, cost in claim.costs.items():
            budget = self._budgets[name]
            if cost > budget.budget.limit:
                return Obstacle("too_large", name, budget.used, budget.budget.limit)
        return None

    def obstacle(self, claim: Claim) -> Obstacle | None:
        """Why a new claim cannot be met at once; None: it can."""
        kind = self._types.get(claim.type)
        if kind is not None and kind.queue:
            return Obstacle("queue", claim.type, kind.in_use, kind.limit.limit)
        for name in claim.costs:
            if name in self._reserved:
                budget = self._budgets[name]
                return Obstacle("queue", name, budget.used, budget.budget.limit)
        return self._lack(claim)

    def take(self, claim: Claim) -> None:
        """It is met: its token is out from now on."""
        kind = self._type(claim.type)
        kind.tokens += 1
        kind.in_use += claim.amount
        kind.peak = max(kind.peak, kind.in_use)
        self._touched.add(claim.type)
        self._draw(claim, 1)

    def give_back(self, claim: Claim) -> None:
        """Its token is back.  `serve` has those who can be met now."""
        kind = self._types[claim.type]
        kind.tokens -= 1
        kind.in_use -= claim.amount
        self._touched.add(claim.type)
        self._draw(claim, -1)

    def wait(self, claim: Claim) -> None:
        """It waits, last in the line of its type."""
        self._order += 1
        kind = self._type(claim.type)
        kind.queue[claim.id] = self._order, claim
        self._crowded[claim.type] = None
        self.waiting += 1
        if len(kind.queue) == 1:
            self._reserved.update(self._lacking(claim))

    def withdraw(self, claim: Claim) -> bool:
        """It waits no longer; False if it did not.  `serve` has those who were behind it."""
        kind = self._types.get(claim.type)
        if kind is None or kind.queue.pop(claim.id, None) is None:
            return False
        self.waiting -= 1
        if not kind.queue:
            del self._crowded[claim.type]
        return True

    def serve(self) -> list[Claim]:
        """Take everybody whose turn it is, in order."""
        if not self._crowded:
            self._reserved.clear()
            return []
        served: list[Claim] = []
        self._reserved = set()
        heads = [(next(iter(self._types[name].queue.values()))[0], name) for name in self._crowded]
        heapq.heapify(heads)
        while heads:
            name = heapq.heappop(heads)[1]
            queue = self._types[name].queue
            claim = next(iter(queue.values()))[1]
            if not self._reserved.isdisjoint(claim.costs) or self._lack(claim) is not None:
                self._reserved.update(self._lacking(claim))
                continue
            self.withdraw(claim)
            self.take(claim)
            served.append(claim)
            if queue:
                heapq.heappush(heads, (next(iter(queue.values()))[0], name))
        return served

    def read(self, budget: str, used: int) -> None:
        """So much of *budget* is truly used."""
        self._budgets[budget].reading = used
        self._budgets[budget].changed()

    # -- what is worth telling ---------------------------------------------------------------

    def news(self) -> list[ResourceAlert | PressureChanged]:
        """What has changed since it was asked last."""
        news: list[ResourceAlert | PressureChanged] = []
        touched, self._touched = self._touched, set()
        for name in sorted(touched):
            news += self._news_of_type(self._types[name])
        for budget in self._budgets.values():
            raised = budget.level > PressureLevel.NORMAL
            if raised != budget.alert:
                budget.alert = raised
                word = _word(raised)
                limit = budget.budget.limit
                news.append(ResourceAlert(word, "budget", budget.name, budget.used, limit))
        level = self._level()
        if level != self.pressure:
            fullest = max(self._budgets.values(), key=lambda one: (one.level, one.ratio))
            news.append(PressureChanged(level, self.pressure, fullest.name, fullest.ratio))
            self.pressure = level
        return news

    def _news_of_type(self, kind: _Type) -> Iterable[ResourceAlert]:
        at, limit = kind.limit.alert_at, kind.limit.limit
        if at is not None:
            ratio = kind.in_use / limit
            raised = ratio > at or (kind.alert and ratio > at - ALERT_SLACK)
            if raised != kind.alert:
                kind.alert = raised
                yield ResourceAlert(_word(raised), "type", kind.name, kind.in_use, limit)
        if not kind.declared and not kind.tokens and not kind.queue:
            del self._types[kind.name]  # names that callers make up are not kept for ever

    # -- what is there --------------------------------------------------------------------

    def in_use(self, type: str) -> int:
        """How much of *type* is in use."""
        kind = self._types.get(type)
        return 0 if kind is None else kind.in_use

    def types(self) -> dict[str, TypeUsage]:
        """Every type."""
        return {name: kind.usage() for name, kind in self._types.items()}

    def budgets(self) -> dict[str, BudgetUsage]:
        """Every budget."""
        return {name: budget.usage() for name, budget in self._budgets.items()}

    # -- inside -----------------------------------------------------------------------------

    def _limit_of(self, type: str) -> ResourceLimit:
        kind = self._types.get(type)
        if kind is not None:
            return kind.limit
        if self._default is None:
            raise UnknownResourceError("type", type, self._types)
        return self._default

    def _type(self, name: str) -> _Type:
        kind = self._types.get(name)
        if kind is None:
            kind = self._types[name] = _Type(name, self._limit_of(name), False)
        return kind

    def _check_budgets(self, costs: Iterable[str]) -> None:
        for name in costs:
            if name not in self._budgets:
                raise UnknownResourceError("budget", name, self._budgets)

    def _level(self) -> PressureLevel:
        return max((one.level for one in self._budgets.values()), default=PressureLevel.NORMAL)

    def _lack(self, claim: Claim) -> Obstacle | None:
        """Why it cannot be met, those who wait aside."""
        limit = self._limit_of(claim.type)
        if limit.refused_when_severe and self._level() is PressureLevel.SEVERE:
            fullest = max(self._budgets.values(), key=lambda one: (one.level, one.ratio))
            return Obstacle("pressure", fullest.name, fullest.used, fullest.budget.limit)
        in_use = self.in_use(claim.type)
        if in_use + claim.amount > limit.limit:
            return Obstacle("limit", claim.type, in_use, limit.limit)
        for name in self._lacking(claim):
            budget = self._budgets[name]
            return Obstacle("budget", name, budget.used, budget.budget.limit)
        return None

    def _lacking(self, claim: Claim) -> list[str]:
        """The budgets that have too little left for it."""
        return [
            name
            for name, cost in claim.costs.items()
            if self._budgets[name].used + cost > self._budgets[name].budget.limit
        ]

    def _draw(self, claim: Claim, sign: int) -> None:
        for name, cost in claim.costs.items():
            budget = self._budgets[name]
            budget.declared += sign * cost
            budget.changed()


def _word(raised: bool) -> Literal["raised", "cleared"]:
    return "raised" if raised else "cleared"
