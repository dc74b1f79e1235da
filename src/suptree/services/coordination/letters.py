"""Dead letters, and how they are lent to a router that sends them again.  Values only.

A `Loan` is in the hands of both: the router notes in it what it has taken in, in the very
turn in which it does, and the queue says when it is over.  So whoever of the two ends, and
whatever message is lost with it, a letter is either still in the queue or on its way, and
never both.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from suptree.core import Pid
from suptree.services.coordination.outcomes import Receiver
from suptree.services.parts.checks import check_count, check_number

__all__ = [
    "DeadLetter",
    "DeadLetterStats",
    "Lend",
    "Letters",
    "Loan",
    "LoanOver",
    "RedrivePolicy",
]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that was given up.

    Attributes:
        number: Its number in the queue, growing.
        to: Whom it was for.
        message: What it said.
        reason: Why it was given up.
        attempts: How often it was delivered.
        message_id: Its id in the router.
        given_up_at: When, on the clock of the runtime, in seconds.
        wall_time: When, in seconds since 1970 (UTC), for people.
        redrives: How often it was a dead letter before, and the router took it in again.
        returns: How often the router was to take this one, and could not.
    """

    number: int
    to: Receiver
    message: Any
    reason: object
    attempts: int
    message_id: int
    given_up_at: float
    wall_time: float
    redrives: int = 0
    returns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RedrivePolicy:
    """When a router sends dead letters again by itself.

    Never those that had expired: their time was over.

    Attributes:
        every: Seconds between two rounds.
        older_than: Seconds since a letter was given up; its receiver may need a rest.
        max_redrives: How often; each time that the router could not take it counts, unless the
            lane was only full or its receiver resting.  Then it waits for somebody to look at it.

    Raises:
        ValueError: A field is out of bounds.
    """

    every: float = 300.0
    older_than: float = 300.0
    max_redrives: int = 5

    def __post_init__(self) -> None:
        check_number("RedrivePolicy", "every", self.every, above=0)
        check_number("RedrivePolicy", "older_than", self.older_than, least=0)
        check_count("RedrivePolicy", "max_redrives", self.max_redrives)

    def wants(self, letter: DeadLetter, now: float) -> bool:
        """Whether it is the turn of *letter*."""
        return (
            letter.redrives + letter.returns < self.max_redrives
            and now - letter.given_up_at >= self.older_than
            and not (type(letter.reason) is str and letter.reason.startswith("expired"))
        )


@dataclass(slots=True)
class DeadLetterStats:
    """What a queue has done since it was started, and how many letters it holds.

    At every moment ``added + taken_over == redriven + purged + dropped_full +
    dropped_expired + held``.

    Attributes:
        added: Letters that came in.
        taken_over: Letters that it has from the queue before it.
        redriven: Letters that the router took back.
        purged: Letters thrown away by hand.
        dropped_full: Letters pushed out by newer ones.
        dropped_expired: Letters that were too old.
        held: Letters now.
        on_loan: Those that are being redriven now.
    """

    added: int = 0
    taken_over: int = 0
    redriven: int = 0
    purged: int = 0
    dropped_full: int = 0
    dropped_expired: int = 0
    held: int = 0
    on_loan: int = 0


class Lend(NamedTuple):
    """A router to the queue: lend me the next of these, the oldest first; the answer is a `Loan`."""

    numbers: Container[int] | None
    """Which; None: all."""
    policy: RedrivePolicy | None
    """If it is a round of its own, which letters it may have."""
    after: int
    """Only those with a higher number."""
    most: int


@dataclass(slots=True, eq=False)
class Loan:
    """Letters that a router may take in.

    Attributes:
        letters: Which.
        borrower: The router.
        taken: The numbers of those that it took in; the router's to write.
        kept_back: The numbers of those that it had no place for just now; likewise.
        over: Whether it may take in no more; the queue's to write.
    """

    letters: tuple[DeadLetter, ...]
    borrower: Pid[Any] | None
    taken: set[int] = field(default_factory=set[int])
    kept_back: set[int] = field(default_factory=set[int])
    over: bool = False


class LoanOver(NamedTuple):
    """A router to the queue: this is how it went."""

    loan: Loan


@dataclass(slots=True)
class Letters:
    """What outlives a queue.

    Attributes:
        letters: By number, the oldest first.
        last: The last number given out.
        loans: Those that are not over.
        holder: The queue.
    """

    letters: dict[int, DeadLetter] = field(default_factory=dict[int, DeadLetter])
    last: int = 0
    loans: dict[Loan, None] = field(default_factory=dict[Loan, None])
    holder: Pid[Any] | None = None
