"""Random draws, the same on every machine and Python version."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draws:
    """What the generators draw from."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def chance(self, p: float) -> bool:
        """True with probability *p*."""
        return self.random.random() < p

    def pick(self, weights: dict[T, int]) -> T:
        """One of the keys, by weight."""
        return self.random.choices(list(weights), weights=list(weights.values()))[0]

    def one_of(self, items: Sequence[T]) -> T:
        """One of *items*."""
        return self.random.choice(items)

    def up_to(self, low: int, high: int) -> range:
        """Count to a number from *low* to *high*."""
        return range(self.random.randint(low, high))
