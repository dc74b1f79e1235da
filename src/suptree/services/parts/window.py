"""Sliding windows: how many of the last calls succeeded, failed, or did not count.

`TimeWindow` looks back some seconds, `CountWindow` some calls.  Neither reads a clock.

A `TimeWindow` counts in buckets and forgets a whole bucket at once, when all of it is
older than the window.  So an outcome stays for at least `seconds` and at most
`seconds * (1 + 1 / buckets)`: with 10 buckets the window is up to a tenth too long, and
never too short.  It takes the memory of its buckets however many calls there are.

A `CountWindow` is exact: it holds the last `calls` outcomes that count.  Those that do
not count take no place in it.

>>> window = TimeWindow(seconds=10.0)
>>> window.record(CallOutcome.SUCCESS, 0.0)
>>> window.record(CallOutcome.FAILURE, 9.0)
>>> window.counts(9.0).failure_rate, window.counts(15.0).failure_rate
(0.5, 1.0)
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from suptree.services.parts.checks import check_count, check_number

__all__ = ["CountWindow", "Counts", "CallOutcome", "TimeWindow", "Window"]


class CallOutcome(StrEnum):
    """How a call ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    IGNORED = "ignored"
    """Neither: it says nothing about the one who was called."""


SUCCESS: Final = CallOutcome.SUCCESS
FAILURE: Final = CallOutcome.FAILURE
IGNORED: Final = CallOutcome.IGNORED


@dataclass(frozen=True, slots=True)
class Counts:
    """What a window has seen."""

    successes: int = 0
    failures: int = 0
    ignored: int = 0
    slow: int = 0
    """Those of the successes and failures that took too long."""

    @property
    def calls(self) -> int:
        """Those that count: successes and failures."""
        return self.successes + self.failures

    @property
    def failure_rate(self) -> float:
        """The part of the calls that failed, 0 to 1; 0 when there were none."""
        return self.failures / self.calls if self.calls else 0.0

    @property
    def slow_rate(self) -> float:
        """The part of the calls that took too long, 0 to 1; 0 when there were none."""
        return self.slow / self.calls if self.calls else 0.0


class Window(Protocol):
    """Counts outcomes and forgets old ones; the four numbers are right after `advance`."""

    successes: int
    failures: int
    ignored: int
    slow: int

    def record(self, outcome: CallOutcome, now: float, slow: bool = False) -> None:
        """Count one outcome at *now*."""
        ...

    def advance(self, now: float) -> None:
        """Forget what is too old at *now*."""
        ...

    def counts(self, now: float) -> Counts:
        """What is in the window at *now*."""
        ...

    def clear(self) -> None:
        """Forget everything."""
        ...


class _Sums:
    """The numbers of a window."""

    __slots__ = ("failures", "ignored", "slow", "successes")

    def __init__(self) -> None:
        self.successes = 0
        self.failures = 0
        self.ignored = 0
        self.slow = 0

    def advance(self, now: float) -> None:
        """Forget what is too old at *now*: nothing, unless time matters."""

    def counts(self, now: float) -> Counts:
        """What is in the window at *now*."""
        self.advance(now)
        return Counts(self.successes, self.failures, self.ignored, self.slow)

    def clear(self) -> None:
        """Forget everything."""
        self.successes = self.failures = self.ignored = self.slow = 0

    def add(self, outcome: CallOutcome, slow: bool) -> None:
        """Count one outcome."""
        if outcome is SUCCESS:
            self.successes += 1
        elif outcome is FAILURE:
            self.failures += 1
        else:
            self.ignored += 1
            return
        if slow:
            self.slow += 1


class _Bucket(_Sums):
    """The numbers of one piece of time, `number` since time began."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class TimeWindow(_Sums):
    """The outcomes of the last *seconds*.

    Args:
        seconds: How far it looks back.
        buckets: In how many pieces it counts; more are more exact, see the module.

    Raises:
        ValueError: One of them is out of bounds.
    """

    __slots__ = ("_begins", "_buckets", "_ends", "_keeps", "_newest", "_width", "seconds")

    def __init__(self, seconds: float = 60.0, *, buckets: int = 10) -> None:
        check_number("TimeWindow", "seconds", seconds, above=0)
        check_count("TimeWindow", "buckets", buckets)
        super().__init__()
        self.seconds = seconds
        self._width = seconds / buckets
        self._keeps = buckets  # full buckets beside the one that is being filled
        self._buckets: deque[_Bucket] = deque()
        self._newest = _Bucket(0)
        self._begins = self._ends = 0.0  # the newest bucket's; equal: there is none

    def record(self, outcome: CallOutcome, now: float, slow: bool = False) -> None:
        """Count one outcome at *now*."""
        if not self._begins <= now < self._ends:
            self._begin_bucket(now)
        self._newest.add(outcome, slow)
        self.add(outcome, slow)

    def advance(self, now: float) -> None:
        """Forget what is too old at *now*."""
        if self._begins <= now < self._ends:
            return  # nothing has gone since this bucket began
        buckets = self._buckets
        oldest = int(now // self._width) - self._keeps
        while buckets and buckets[0].number < oldest:
            gone = buckets.popleft()
            self.successes -= gone.successes
            self.failures -= gone.failures
            self.ignored -= gone.ignored
            self.slow -= gone.slow

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._buckets.clear()
        self._begins = self._ends = 0.0

    def _begin_bucket(self, now: float) -> None:
        self.advance(now)
        number = int(now // self._width)
        if self._buckets and self._buckets[-1].number >= number:
            return  # a clock that seems to go back (one caller rounds it) fills the newest bucket
        self._newest = _Bucket(number)
        self._buckets.append(self._newest)
        self._begins, self._ends = number * self._width, (number + 1) * self._width


class CountWindow(_Sums):
    """The last *calls* outcomes that count, and those between them that do not.

    Args:
        calls: How many it holds.

    Raises:
        ValueError: It is no whole number above 0.
    """

    __slots__ = ("_entries", "_ignored", "calls")

    def __init__(self, calls: int = 100) -> None:
        check_count("CountWindow", "calls", calls)
        super().__init__()
        self.calls = calls
        self._entries: deque[tuple[CallOutcome, bool, int]] = deque()
        self._ignored = 0  # since the last one that counts

    def record(self, outcome: CallOutcome, now: float, slow: bool = False) -> None:
        """Count one outcome; *now* does not matter."""
        self.add(outcome, slow)
        if outcome is IGNORED:
            self._ignored += 1
            return
        self._entries.append((outcome, slow, self._ignored))
        self._ignored = 0
        if len(self._entries) > self.calls:
            self._forget_oldest()

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._entries.clear()
        self._ignored = 0

    def _forget_oldest(self) -> None:
        outcome, slow, ignored = self._entries.popleft()
        self.ignored -= ignored
        self.slow -= slow
        if outcome is SUCCESS:
            self.successes -= 1
        else:
            self.failures -= 1
