"""What travels: three messages, routed by the CoordinationManager and acknowledged by who gets them.

    collector    -- Order(paths) -->  coordinator   these have no row yet
    coordinator  -- Survey(path) -->  a worker      done when its row is kept
    worker       -- Keep(row) ----->  collector     done when the row is in the file

Who owns them: nobody, they are values.  Nobody calls anybody directly, so a receiver that is
killed costs its senders a wait and no more: the next process of its name gets what it left.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import suptree as st
from suptree.services import (
    Acknowledged,
    BreakerConfig,
    CoordinationManager,
    LanePolicy,
    Outcome,
    RetryPolicy,
)

from .names import ROUTER
from .survey import Row

LONGEST = 600.0
"""Seconds after which a message is given up; a file may wait long for the thread, or for its pace."""

WAIT = LONGEST + 1.0
"""Seconds that a sender waits: until there is an outcome, whatever it is."""


@dataclass(frozen=True, slots=True)
class Order:
    """To the coordinator: have these surveyed.  What it has in hand already is not done twice."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """To a worker: survey this file and have its row kept."""

    path: str


@dataclass(frozen=True, slots=True)
class Keep:
    """To the collector: keep this row."""

    row: Row


class NotDeliveredError(st.SuptreeError):
    """A message came to another end than it should.

    Attributes:
        outcome: Which one.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome

    def __str__(self) -> str:
        return f"census: a message to {self.outcome.to!r} was not acknowledged: {self.outcome!r}"


def lane(deliveries: int) -> LanePolicy:
    """How messages are treated that a receiver may die over *deliveries* times.

    A breaker gives a receiver that keeps dying a rest, a short one: it is being restarted.
    """
    return LanePolicy(
        ack_timeout=LONGEST,
        expires=LONGEST,
        retry=RetryPolicy.exponential(
            first=0.02, cap=0.2, max_attempts=deliveries, total_time=None
        ),
        breaker=BreakerConfig(failure_threshold=5, reset_timeout=0.25, success_threshold=1),
    )


async def deliver(to: str, message: Order | Keep) -> None:
    """Return when *to* has acknowledged *message*.

    Raises:
        NotDeliveredError: It has not, and will not.
    """
    outcome = await CoordinationManager.coordinate(ROUTER, to, message, wait=WAIT)
    if not isinstance(outcome, Acknowledged):
        raise NotDeliveredError(outcome)


async def distribute(to: Collection[str], message: Survey) -> Outcome:
    """What became of *message*, which one of several was to get."""
    return await CoordinationManager.distribute(ROUTER, list(to), message, wait=WAIT)
