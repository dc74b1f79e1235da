"""`RetryBudget`: how many retries a system may make in all.  A bucket of tokens; no clock.

Retries help against what fails now and then, and make worse what is overloaded.  Each
retry takes a token; what succeeds puts a part of one back, and time does too.  When all
fails, retries soon end, and the first attempts alone remain.

>>> purse = Purse(RetryBudget(capacity=2, per_success=0.5, per_second=0.0))
>>> purse.spend(0.0), purse.spend(0.0), purse.spend(0.0)
(True, True, False)
>>> purse.earn(0.0); purse.earn(0.0); purse.spend(0.0)
True
"""

from __future__ import annotations

from dataclasses import dataclass

from suptree.services.parts.checks import check_number

__all__ = ["Purse", "RetryBudget"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBudget:
    """How many retries may be made.

    Attributes:
        capacity: So many at once, and at the start.
        per_success: So many more after each success.
        per_second: So many more with each second.

    Raises:
        ValueError: A field is out of bounds.
    """

    capacity: float = 10.0
    per_success: float = 0.1
    per_second: float = 0.1

    def __post_init__(self) -> None:
        check_number("RetryBudget", "capacity", self.capacity, least=1)
        check_number("RetryBudget", "per_success", self.per_success, least=0)
        check_number("RetryBudget", "per_second", self.per_second, least=0)


class Purse:
    """What is left of a budget.

    Attributes:
        budget: How it is filled.
        refused: Retries that it had nothing for.
    """

    __slots__ = ("_left", "_since", "budget", "refused")

    def __init__(self, budget: RetryBudget, now: float = 0.0) -> None:
        self.budget = budget
        self.refused = 0
        self._left = budget.capacity
        self._since = now

    def left(self, now: float) -> float:
        """Retries that may be made at *now*, with the fractions saved up so far."""
        if now > self._since:
            self._put((now - self._since) * self.budget.per_second)
            self._since = now
        return self._left

    def spend(self, now: float) -> bool:
        """Take one retry; False when there is none."""
        # A tenth ten times is less than one, in floats.
        if self.left(now) < 1 - 1e-9:
            self.refused += 1
            return False
        self._left = max(0.0, self._left - 1)
        return True

    def earn(self, now: float) -> None:
        """Something succeeded."""
        self.left(now)
        self._put(self.budget.per_success)

    def refill_by(self, budget: RetryBudget, now: float) -> None:
        """Be filled by another budget from *now* on; what is left stays, up to its capacity."""
        self.left(now)
        self.budget = budget
        self._put(0.0)

    def _put(self, tokens: float) -> None:
        self._left = min(self.budget.capacity, self._left + tokens)
