"""How to sample: what a `Sampler` does with the events of one name.

Each strategy is a value; `start` gives the small machine that decides for one stream of
events.  Pure: no clock (`now` is a parameter), and the dice are given.

| strategy | keeps |
|---|---|
| `Always()`, `Never()` | all, none |
| `Randomly(rate)` | each with that probability |
| `RateLimited(per_second)` | all, but never more than that many within any second |
| `Adaptive(target_per_second)` | a random part, evenly spread, such that about so many are left |
| `Reservoir(size, every_s)` | of each stretch of time, so many, each event with the same chance |

>>> import random
>>> limit = RateLimited(2).start(random.Random(1))
>>> [limit.keep(now) for now in (0.0, 0.1, 0.2, 1.0, 1.05, 1.1)]
[True, True, False, True, False, True]
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from random import Random
from typing import Generic, Protocol, TypeAlias, TypeVar

from suptree.services.parts.checks import check_count, check_number

__all__ = [
    "Adaptive",
    "Always",
    "Gate",
    "GateStrategy",
    "Never",
    "Pool",
    "Randomly",
    "RateLimited",
    "Reservoir",
    "SamplingStrategy",
]

T = TypeVar("T")


class Gate(Protocol):
    """Decides about one event after another."""

    def keep(self, now: float) -> bool:
        """Whether the event of this moment is kept."""
        ...


@dataclass(frozen=True, slots=True)
class Always:
    """Keep every event."""

    def start(self, dice: Random) -> Gate:
        """The machine that decides."""
        return _Constant(True)


@dataclass(frozen=True, slots=True)
class Never:
    """Keep no event."""

    def start(self, dice: Random) -> Gate:
        """The machine that decides."""
        return _Constant(False)


@dataclass(frozen=True, slots=True)
class Randomly:
    """Keep each event with the probability *rate*, 0 to 1; default: all."""

    rate: float = 1.0

    def __post_init__(self) -> None:
        check_number("Randomly", "rate", self.rate, least=0, most=1)

    def start(self, dice: Random) -> Gate:
        """The machine that decides."""
        return _Dice(self.rate, dice)


@dataclass(frozen=True, slots=True)
class RateLimited:
    """Keep every event while there are no more than *per_second* in any stretch of one second.

    Exact, at the price of remembering the last *per_second* moments.
    """

    per_second: int = 10_000

    def __post_init__(self) -> None:
        check_count("RateLimited", "per_second", self.per_second)

    def start(self, dice: Random) -> Gate:
        """The machine that decides."""
        return _Limit(self.per_second)


@dataclass(frozen=True, slots=True)
class Adaptive:
    """Keep a random part, so that about *target_per_second* are left however many come.

    The part is set anew every *every_s* seconds, from what came in the stretch before;
    a burst that it could not foresee is cut off at twice the target.
    """

    target_per_second: float = 1000.0
    every_s: float = 1.0

    def __post_init__(self) -> None:
        check_number("Adaptive", "target_per_second", self.target_per_second, above=0)
        check_number("Adaptive", "every_s", self.every_s, above=0)

    def start(self, dice: Random) -> Gate:
        """The machine that decides."""
        return _Adapting(self.target_per_second * self.every_s, self.every_s, dice)


@dataclass(frozen=True, slots=True)
class Reservoir:
    """Of all events in each *every_s* seconds keep *size*, all with the same chance.

    They are held until the stretch is over, and passed on with the first event after it, or
    by `Sampler.flush`.
    """

    size: int = 1000
    every_s: float = 1.0

    def __post_init__(self) -> None:
        check_count("Reservoir", "size", self.size)
        check_number("Reservoir", "every_s", self.every_s, above=0)


class GateStrategy(Protocol):
    """A strategy that decides about each event at once; yours may be one."""

    def start(self, dice: Random) -> Gate:
        """The machine for one stream of events; *dice* are those of the sampler."""
        ...


SamplingStrategy: TypeAlias = GateStrategy | Reservoir


class _Constant:
    __slots__ = ("_answer",)

    def __init__(self, answer: bool) -> None:
        self._answer = answer

    def keep(self, now: float) -> bool:
        return self._answer


class _Dice:
    __slots__ = ("_rate", "_throw")

    def __init__(self, rate: float, dice: Random) -> None:
        self._rate = rate
        self._throw = dice.random

    def keep(self, now: float) -> bool:
        return self._throw() < self._rate


class _Limit:
    __slots__ = ("_kept", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: deque[float] = deque()

    def keep(self, now: float) -> bool:
        kept = self._kept
        if len(kept) == self._limit:
            if now - kept[0] < 1.0:
                return False
            kept.popleft()
        kept.append(now)
        return True


class _Adapting:
    __slots__ = ("_every", "_kept", "_rate", "_seen", "_since", "_target", "_throw")

    def __init__(self, target: float, every: float, dice: Random) -> None:
        self._target = target  # events of one stretch
        self._every = every
        self._throw = dice.random
        self._rate = 1.0
        self._since: float | None = None
        self._seen = 0
        self._kept = 0

    def keep(self, now: float) -> bool:
        since = self._since
        if since is None:
            self._since = now
        elif now - since >= self._every:
            self._adapt(now, now - since)
        self._seen += 1
        if self._kept >= 2 * self._target or self._throw() >= self._rate:
            return False
        self._kept += 1
        return True

    def _adapt(self, now: float, passed: float) -> None:
        """A stretch is over: as many are expected in the next one, none if one has passed empty."""
        expected = self._seen if passed < 2 * self._every else 0
        self._rate = 1.0 if expected <= self._target else self._target / expected
        self._since, self._seen, self._kept = now, 0, 0


class Pool(Generic[T]):
    """The machine of a `Reservoir`: holds a fair sample of what it was offered (algorithm R)."""

    __slots__ = ("_dice", "_every", "_since", "_size", "held", "seen")

    def __init__(self, strategy: Reservoir, dice: Random) -> None:
        self._size = strategy.size
        self._every = strategy.every_s
        self._dice = dice
        self._since: float | None = None
        self.held: list[T] = []
        self.seen = 0  # in this stretch

    def is_over(self, now: float) -> bool:
        """Whether the stretch is over: `take` what is held before the next `offer`."""
        return self._since is not None and now - self._since >= self._every

    def offer(self, item: T, now: float) -> bool:
        """Hold *item*, maybe in the place of another one; False if one was lost by that."""
        if self._since is None:
            self._since = now
        self.seen += 1
        if len(self.held) < self._size:
            self.held.append(item)
            return True
        place = self._dice.randrange(self.seen)
        if place < self._size:
            self.held[place] = item
        return False

    def take(self) -> list[T]:
        """What is held; the next stretch begins with the next event."""
        held, self.held = self.held, []
        self.seen = 0
        self._since = None
        return held
