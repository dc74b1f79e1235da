"""What the author of a `ResourceManager` declares: limits of types, budgets, thresholds.  Values.

A *type* is what tokens are of, each with a limit of its own.  A *budget* is what several
types draw from: bytes of memory, entries of a table.  How full the budgets are is the
pressure that the whole program is under.

>>> memory = Budget(limit=1 << 30)
>>> agent = ResourceLimit(1_000, costs={"memory": 500_000}, refused_when_severe=True)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from suptree.services.parts.checks import (
    bad_argument,
    check_count,
    check_flag,
    check_kind,
    check_name,
    check_number,
)

__all__ = ["Budget", "PressureLevel", "Reader", "ResourceLimit", "Thresholds"]

Reader: TypeAlias = Callable[[], Awaitable[int]]
"""Reads how much of a budget is truly used; async, and run in a task with a time limit."""

_ROUNDING: Final = 1e-9  # 0.90 + 0.05 is a little more than 0.95


class PressureLevel(IntEnum):
    """How near a budget is to its limit; they compare: ``level >= PressureLevel.MODERATE``."""

    NORMAL = 0
    MODERATE = 1
    SEVERE = 2

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the levels of pressure begin, as parts of the limit.

    Args:
        moderate: Above it the level is moderate.
        severe: Above it the level is severe.
        hysteresis: A level ends only that much below where it began, so that what hovers
            at a threshold does not change the level each time.

    Raises:
        ValueError: They are not in order.
    """

    moderate: float = 0.9
    severe: float = 0.95
    hysteresis: float = 0.05

    def __post_init__(self) -> None:
        check_number("Thresholds", "moderate", self.moderate, above=0, most=1)
        check_number("Thresholds", "severe", self.severe, least=self.moderate, most=1)
        check_number("Thresholds", "hysteresis", self.hysteresis, least=0)
        if self.hysteresis >= self.moderate:
            raise bad_argument(
                "Thresholds",
                "hysteresis",
                f"below moderate ({self.moderate:g})",
                self.hysteresis,
                "The level would never become normal again.",
            )

    def level(self, ratio: float, before: PressureLevel) -> PressureLevel:
        """The level at *ratio* when it was *before*."""
        risen = self._at(ratio, 0.0)
        if risen >= before:
            return risen
        return min(before, self._at(ratio, self.hysteresis))

    def _at(self, ratio: float, slack: float) -> PressureLevel:
        ratio += slack - _ROUNDING
        if ratio > self.severe:
            return PressureLevel.SEVERE
        if ratio > self.moderate:
            return PressureLevel.MODERATE
        return PressureLevel.NORMAL


@dataclass(frozen=True, slots=True)
class Budget:
    """So much of something that several types share.

    Used is what the tokens have declared, or the last reading, whichever is more.

    Args:
        limit: How much there is: bytes, entries, whatever is counted.
        reader: Reads the true use, such as `process_memory`; None: declared amounts alone.
        every: Seconds between readings.
        reading_timeout: Seconds that one reading may take.
        thresholds: Where its levels of pressure begin; its alert is raised at moderate.

    Raises:
        ValueError: A field is out of bounds.
    """

    limit: int
    reader: Reader | None = field(default=None, kw_only=True)
    every: float = field(default=5.0, kw_only=True)
    reading_timeout: float = field(default=2.0, kw_only=True)
    thresholds: Thresholds = field(default=Thresholds(), kw_only=True)

    def __post_init__(self) -> None:
        check_count("Budget", "limit", self.limit)
        check_number("Budget", "every", self.every, above=0)
        check_number("Budget", "reading_timeout", self.reading_timeout, above=0)
        if self.reader is not None and not callable(self.reader):
            wanted = "an async function without arguments"
            raise bad_argument("Budget", "reader", wanted, self.reader)
        check_kind("Budget", "thresholds", self.thresholds, Thresholds, "Thresholds")


@dataclass(frozen=True, slots=True)
class ResourceLimit:
    """How much of one type may be held at a time, and what it costs.

    Args:
        limit: The sum of the amounts of all tokens.
        costs: What each unit draws from budgets, by their names.
        ttl: Seconds after which a token of it expires unless `acquire` says otherwise;
            None: it does not.
        refused_when_severe: New ones are refused while the pressure is severe.
        alert_at: An alert is raised above that part of the limit, and cleared 0.05
            below; None: never.

    Raises:
        ValueError: A field is out of bounds.
    """

    limit: int
    costs: Mapping[str, int] = field(default_factory=dict[str, int], kw_only=True)
    ttl: float | None = field(default=None, kw_only=True)
    refused_when_severe: bool = field(default=False, kw_only=True)
    alert_at: float | None = field(default=0.9, kw_only=True)

    def __post_init__(self) -> None:
        check_count("ResourceLimit", "limit", self.limit)
        check_number("ResourceLimit", "ttl", self.ttl, above=0, optional=True)
        check_number("ResourceLimit", "alert_at", self.alert_at, above=0, most=1, optional=True)
        check_kind("ResourceLimit", "costs", self.costs, Mapping, "a mapping, budget -> cost")
        check_flag("ResourceLimit", "refused_when_severe", self.refused_when_severe)
        for name, cost in self.costs.items():
            check_name("ResourceLimit", "a budget of costs", name)
            check_count("ResourceLimit", f"costs[{name!r}]", cost, least=0)
        object.__setattr__(self, "costs", MappingProxyType(dict(self.costs)))
