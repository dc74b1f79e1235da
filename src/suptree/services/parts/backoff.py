"""`RetryPolicy`: how often and after which waits something is tried again.  A value, no clock.

Four shapes of the wait after the n-th failure in a row:

    fixed           first, first, first, ...
    linear          first, 2 first, 3 first, ...
    exponential     first, first * factor, first * factor², ...
    decorrelated    random between `first` and three times the wait before (Brooker, AWS, 2015)

None is longer than `cap`.  `jitter` takes off a random part, so that those who failed
together do not come back together.  The policy refuses to go on after `max_attempts`, and
when the next wait would end after `total_time`.

>>> policy = RetryPolicy.exponential(first=0.5, cap=10.0, max_attempts=7, jitter=0.0)
>>> list(policy.delays())
[0.5, 1.0, 2.0, 4.0, 8.0, 10.0]
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from suptree.errors import (
    MailboxFullError,
    NoProcessError,
    ServerExitError,
)
from suptree.services.parts.checks import bad_argument, check_classes, check_count, check_number

__all__ = ["TRANSIENT", "RetryPolicy", "RetryShape"]

TRANSIENT: Final[tuple[type[Exception], ...]] = (
    TimeoutError,  # CallTimeoutError is one
    ConnectionError,
    NoProcessError,
    ServerExitError,
    MailboxFullError,
)
"""What a policy tries again unless it says otherwise: timeouts, the network, nobody there just now."""

_MOST_DOUBLINGS: Final = 1000  # of a float; the cap is long reached


class RetryShape(StrEnum):
    """How the waits grow."""

    FIXED = "fixed"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"
    DECORRELATED = "decorrelated"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When to try again, and what is worth it.  Made by `fixed`, `linear`, `exponential`, ...

    Attributes:
        shape: How the waits grow.
        first: Seconds before the second attempt; 0 for at once.
        factor: What each wait is multiplied by; exponential only.
        cap: The longest wait, in seconds.
        jitter: The part of each wait that is random, 0 to 1.
        max_attempts: How often it is tried, the first time included; None: `total_time` decides.
        total_time: Seconds from the first attempt after which no wait ends; None: no limit.
        attempt_timeout: Seconds that one attempt may take; None: as long as it takes.
        retry_on: Errors worth another attempt; others are raised at once.
        give_up_on: Errors that are not, though a class of `retry_on` says so.

    Raises:
        ValueError: A field is out of bounds, or nothing ends the attempts.
    """

    shape: RetryShape = RetryShape.EXPONENTIAL
    first: float = 0.5
    factor: float = 2.0
    cap: float = 10.0
    jitter: float = 0.0
    max_attempts: int | None = 4
    total_time: float | None = None
    attempt_timeout: float | None = None
    retry_on: tuple[type[Exception], ...] = TRANSIENT
    give_up_on: tuple[type[Exception], ...] = ()

    def __post_init__(self) -> None:
        who = "RetryPolicy"
        shapes = [one.value for one in RetryShape]
        if self.shape not in shapes:
            raise bad_argument(who, "shape", f"one of {', '.join(shapes)}", self.shape)
        check_number(who, "first", self.first, least=0)
        check_number(who, "factor", self.factor, least=1)
        check_number(who, "cap", self.cap, least=self.first)
        check_number(who, "jitter", self.jitter, least=0, most=1)
        check_count(who, "max_attempts", self.max_attempts, optional=True)
        check_number(who, "total_time", self.total_time, above=0, optional=True)
        check_number(who, "attempt_timeout", self.attempt_timeout, above=0, optional=True)
        check_classes(who, "retry_on", self.retry_on)
        check_classes(who, "give_up_on", self.give_up_on)
        if self.max_attempts is None and self.total_time is None:
            raise bad_argument(
                who,
                "max_attempts or total_time",
                "given",
                None,
                "Something has to end the attempts.",
            )
        if self.max_attempts is None and self.cap == 0:
            raise bad_argument(who, "first and cap", "above 0 without max_attempts", 0)

    # -- the shapes, with the defaults that suit them --------------------------------------

    @classmethod
    def immediate(
        cls,
        *,
        max_attempts: int = 2,
        attempt_timeout: float | None = None,
        retry_on: tuple[type[Exception], ...] = TRANSIENT,
        give_up_on: tuple[type[Exception], ...] = (),
    ) -> RetryPolicy:
        """Try again at once; once more unless *max_attempts* says otherwise."""
        return cls(
            shape=RetryShape.FIXED,
            first=0.0,
            cap=0.0,
            max_attempts=max_attempts,
            attempt_timeout=attempt_timeout,
            retry_on=retry_on,
            give_up_on=give_up_on,
        )

    @classmethod
    def fixed(
        cls,
        *,
        delay: float = 1.0,
        jitter: float = 0.0,
        max_attempts: int | None = 4,
        total_time: float | None = None,
        attempt_timeout: float | None = None,
        retry_on: tuple[type[Exception], ...] = TRANSIENT,
        give_up_on: tuple[type[Exception], ...] = (),
    ) -> RetryPolicy:
        """Wait *delay* seconds each time."""
        return cls(
            shape=RetryShape.FIXED,
            first=delay,
            cap=delay,
            jitter=jitter,
            max_attempts=max_attempts,
            total_time=total_time,
            attempt_timeout=attempt_timeout,
            retry_on=retry_on,
            give_up_on=give_up_on,
        )

    @classmethod
    def linear(
        cls,
        *,
        first: float = 0.5,
        cap: float = 5.0,
        jitter: float = 0.0,
        max_attempts: int | None = 4,
        total_time: float | None = None,
        attempt_timeout: float | None = None,
        retry_on: tuple[type[Exception], ...] = TRANSIENT,
        give_up_on: tuple[type[Exception], ...] = (),
    ) -> RetryPolicy:
        """Wait *first* seconds longer each time, *cap* at most."""
        return cls(
            shape=RetryShape.LINEAR,
            first=first,
            cap=cap,
            jitter=jitter,
            max_attempts=max_attempts,
            total_time=total_time,
            attempt_timeout=attempt_timeout,
            retry_on=retry_on,
            give_up_on=give_up_on,
        )

    @classmethod
    def exponential(
        cls,
        *,
        first: float = 0.5,
        factor: float = 2.0,
        cap: float = 10.0,
        jitter: float = 0.5,
        max_attempts: int | None = 4,
        total_time: float | None = 30.0,
        attempt_timeout: float | None = None,
        retry_on: tuple[type[Exception], ...] = TRANSIENT,
        give_up_on: tuple[type[Exception], ...] = (),
    ) -> RetryPolicy:
        """Wait *factor* times as long each time, *cap* seconds at most; half of it is random."""
        return cls(
            shape=RetryShape.EXPONENTIAL,
            first=first,
            factor=factor,
            cap=cap,
            jitter=jitter,
            max_attempts=max_attempts,
            total_time=total_time,
            attempt_timeout=attempt_timeout,
            retry_on=retry_on,
            give_up_on=give_up_on,
        )

    @classmethod
    def decorrelated(
        cls,
        *,
        first: float = 0.5,
        cap: float = 10.0,
        max_attempts: int | None = 4,
        total_time: float | None = 30.0,
        attempt_timeout: float | None = None,
        retry_on: tuple[type[Exception], ...] = TRANSIENT,
        give_up_on: tuple[type[Exception], ...] = (),
    ) -> RetryPolicy:
        """Wait a random time from *first* to three times the wait before, *cap* at most."""
        return cls(
            shape=RetryShape.DECORRELATED,
            first=first,
            cap=cap,
            max_attempts=max_attempts,
            total_time=total_time,
            attempt_timeout=attempt_timeout,
            retry_on=retry_on,
            give_up_on=give_up_on,
        )

    # -- deciding ----------------------------------------------------------------------------

    def retries(self, error: BaseException) -> bool:
        """Whether *error* is worth another attempt."""
        return isinstance(error, self.retry_on) and not isinstance(error, self.give_up_on)

    def delay(
        self,
        attempt: int,
        previous: float | None = None,
        chance: Callable[[], float] = random.random,
    ) -> float:
        """Seconds to wait after attempt number *attempt* has failed, whatever the limits say.

        Args:
            attempt: 1 for the first one.
            previous: The wait before; None if there was none.  Decorrelated only.
            chance: Gives random numbers from 0 to 1.
        """
        match self.shape:
            case RetryShape.FIXED:
                wait = self.first
            case RetryShape.LINEAR:
                wait = self.first * attempt
            case RetryShape.DECORRELATED:
                before = self.first if previous is None else max(previous, self.first)
                wait = self.first + (3 * before - self.first) * chance()
            case _:
                wait = self._grown(attempt)
        wait = min(self.cap, wait)
        return wait * (1 - self.jitter * chance()) if self.jitter else wait

    def next_delay(
        self,
        attempt: int,
        previous: float | None = None,
        chance: Callable[[], float] = random.random,
        *,
        elapsed: float = 0.0,
    ) -> float | None:
        """Seconds to wait after attempt number *attempt* has failed; None: it was the last one.

        Args:
            attempt: 1 for the first one.
            previous: The wait before; None if there was none.
            chance: Gives random numbers from 0 to 1.
            elapsed: Seconds since the first attempt began; for `total_time`.
        """
        if self.max_attempts is not None and attempt >= self.max_attempts:
            return None
        wait = self.delay(attempt, previous, chance)
        if self.total_time is not None and elapsed + wait > self.total_time:
            return None
        return wait

    def delays(self, chance: Callable[[], float] = random.random) -> Iterator[float]:
        """Every wait, if each attempt fails at once."""
        attempt, elapsed = 1, 0.0
        previous: float | None = None
        while True:
            previous = self.next_delay(attempt, previous, chance, elapsed=elapsed)
            if previous is None:
                return
            yield previous
            elapsed += previous
            attempt += 1

    def _grown(self, attempt: int) -> float:
        try:
            return self.first * self.factor ** min(attempt - 1, _MOST_DOUBLINGS)
        except OverflowError:
            return self.cap
