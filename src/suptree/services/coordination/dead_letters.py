"""`DeadLetterQueue`: what could not be delivered, kept until somebody looks at it.

A process of its own, so that it outlives the router.  It holds so many letters and for so
long; what it lets go is counted, and the oldest goes first.  Redelivery runs in whoever
asks for it: a letter is out on loan meanwhile, and comes back if the router does not take
it or if that process ends.

>>> for letter in await DeadLetterQueue.letters("dead_letters"):
...     print(letter.to, letter.reason)
>>> await CoordinationManager.redeliver("router", "dead_letters")
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from suptree.clock import wall_clock
from suptree.core import Pid, Runtime, Timer, find_runtime
from suptree.otp import GenServer, Reply, ServerRef, call, cast
from suptree.services.coordination import events
from suptree.services.coordination.errors import LetterNotFoundError
from suptree.services.coordination.outcomes import Receiver
from suptree.services.parts.checks import check_count, check_number
from suptree.services.parts.later import LATER
from suptree.services.parts.owners import Owners

__all__ = ["DeadLetter", "DeadLetterQueue", "DeadLetterStats"]


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
        returns: How often it was to be redelivered, and the router did not take it.
    """

    number: int
    to: Receiver
    message: Any
    reason: object
    attempts: int
    message_id: int
    given_up_at: float
    wall_time: float
    returns: int = 0


@dataclass(slots=True)
class DeadLetterStats:
    """What a queue has done since it was started, and how many letters it holds.

    Attributes:
        added: Letters that came in.
        redelivered: Letters that the router took back.
        purged: Letters thrown away by hand.
        dropped_full: Letters pushed out by newer ones.
        dropped_expired: Letters that were too old.
        held: Letters now.
        on_loan: Letters that are being redelivered now.
    """

    added: int = 0
    redelivered: int = 0
    purged: int = 0
    dropped_full: int = 0
    dropped_expired: int = 0
    held: int = 0
    on_loan: int = 0


class _Sweep:
    """To itself: the oldest letter may be too old."""

    __slots__ = ()


class DeadLetterQueue(GenServer):
    """Keeps dead letters.

    Args:
        limit: How many, at most.
        max_age: For how many seconds; a day.

    Raises:
        ValueError: A number is out of bounds.
    """

    def __init__(self, *, limit: int = 10_000, max_age: float = 86_400.0) -> None:
        check_count("DeadLetterQueue", "limit", limit)
        check_number("DeadLetterQueue", "max_age", max_age, above=0)
        self._limit = limit
        self._max_age = max_age
        self._letters: dict[int, DeadLetter] = {}
        self._on_loan: Owners[int] = Owners()
        self._lent: dict[int, object] = {}  # under which loan
        self._stats = DeadLetterStats()
        self._last = 0
        self._sweeping = False
        self._sweep_timer: Timer | None = None
        self._runtime: Runtime = find_runtime("DeadLetterQueue")
        self._dropped = self._runtime.telemetry.slot(events.DEAD_LETTER_DROPPED)

    # -- what the router sends -----------------------------------------------------------------

    @cast
    def add(
        self, to: Receiver, message: object, reason: object, attempts: int, message_id: int
    ) -> None:
        """Keep one more; the oldest goes if there are too many."""
        self._last += 1
        self._letters[self._last] = DeadLetter(
            self._last,
            to,
            message,
            reason,
            attempts,
            message_id,
            self._runtime.now(),
            wall_clock(),
        )
        self._stats.added += 1
        if len(self._letters) > self._limit:  # not more than came in, though the limit was lowered
            self._drop(next(iter(self._letters)), "full")
        self._arm()

    # -- looking --------------------------------------------------------------------------------

    @call
    def letters(self, *, limit: int = 100, to: Receiver | None = None) -> list[DeadLetter]:
        """The newest *limit* letters, those to *to* alone if it is given, the oldest of them first."""
        wanted = [one for one in self._letters.values() if to is None or one.to == to]
        return wanted[-limit:] if limit > 0 else []

    @call
    def letter(self, number: int) -> Reply[DeadLetter]:
        """One letter.

        Raises:
            LetterNotFoundError: There is none of that number.
        """
        found = self._letters.get(number)
        if found is None:
            self.sender.fail(LetterNotFoundError(number))
            return LATER
        return Reply(found)

    @call
    def stats(self) -> DeadLetterStats:
        """What it has done, and how many it holds."""
        return replace(self._stats, held=len(self._letters), on_loan=len(self._lent))

    # -- throwing away ------------------------------------------------------------------------------

    @call
    def purge(self, numbers: Collection[int] | None = None) -> int:
        """Throw letters away: those of *numbers*, or all.  Returns how many there were."""
        gone = [one for one in self._letters if numbers is None or one in numbers]
        for number in gone:
            del self._letters[number]
        self._stats.purged += len(gone)
        return len(gone)

    # -- giving back to the router -------------------------------------------------------------------

    @call
    def lend(self, numbers: Collection[int] | None = None, loan: object = None) -> list[DeadLetter]:
        """Hand letters out for redelivery, all or those of *numbers*; see `taken` and `returned`.

        Args:
            numbers: Which; None: all.
            loan: Made by whoever borrows, for `withdraw`.
        """
        free = [
            one
            for one in self._letters.values()
            if one.number not in self._lent and (numbers is None or one.number in numbers)
        ]
        borrower = self.sender.pid
        for letter in free:
            self._lent[letter.number] = loan
            if borrower is not None:
                self._on_loan.add(borrower, letter.number)
        return free

    @cast
    def taken(self, letter: DeadLetter, borrower: Pid[Any] | None) -> None:
        """The router has taken a letter that was on loan."""
        self._end_loan(letter.number, borrower)
        if self._letters.pop(letter.number, None) is not None:
            self._stats.redelivered += 1

    @cast
    def returned(self, letters: Collection[DeadLetter], borrower: Pid[Any] | None) -> None:
        """Letters that were on loan come back."""
        for letter in letters:
            self._end_loan(letter.number, borrower)
            self._count_return(letter.number)

    @cast
    def withdraw(self, loan: object, borrower: Pid[Any] | None) -> None:
        """Whoever was to borrow was cancelled, and never heard what it was lent."""
        for number in [number for number, one in self._lent.items() if one is loan]:
            self._end_loan(number, borrower)

    def handle_info(self, message: object) -> None:
        """A borrower has ended, or it is time to look for old letters."""
        if isinstance(message, _Sweep):
            self._sweeping = False
            self._drop_old()
            self._arm()
            return
        for number in self._on_loan.gone(message):
            self._lent.pop(number, None)
            self._count_return(number)

    # -- inside --------------------------------------------------------------------------------------

    def _end_loan(self, number: int, borrower: Pid[Any] | None) -> None:
        self._lent.pop(number, None)
        if borrower is not None:
            self._on_loan.discard(borrower, number)

    def _count_return(self, number: int) -> None:
        letter = self._letters.get(number)
        if letter is not None:
            self._letters[number] = replace(letter, returns=letter.returns + 1)

    def _drop_old(self) -> None:
        oldest_kept = self._runtime.now() - self._max_age
        old = [one.number for one in self._letters.values() if one.given_up_at <= oldest_kept]
        for number in old:
            self._drop(number, "expired")

    def _drop(self, number: int, why: str) -> None:
        letter = self._letters.pop(number)
        self._lent.pop(number, None)
        if why == "full":
            self._stats.dropped_full += 1
        else:
            self._stats.dropped_expired += 1
        if self._dropped.handlers:
            age = self._runtime.now() - letter.given_up_at
            self._dropped.emit({"age_s": age}, {"number": number, "why": why})

    def _arm(self) -> None:
        if self._letters and not self._sweeping:
            self._sweeping = True
            oldest = next(iter(self._letters.values()))
            wait = oldest.given_up_at + self._max_age - self._runtime.now()
            self._sweep_timer = self.send_after(max(0.0, wait), _Sweep())

    # -- other settings ------------------------------------------------------------------------

    @staticmethod
    async def reconfigure(
        queue: ServerRef[DeadLetterQueue],
        *,
        limit: int | None = None,
        max_age: float | None = None,
    ) -> None:
        """Go by other bounds from now on; what is not given stays as it is.

        A smaller *limit* throws nothing away: the letters that are too many stay, and each new
        one pushes one out.  Another *max_age* holds for all: what is older goes, and is counted.

        Raises:
            ValueError: One of them is out of bounds; nothing was changed.
        """
        who = "DeadLetterQueue.reconfigure"
        check_count(who, "limit", limit, optional=True)
        check_number(who, "max_age", max_age, above=0, optional=True)
        await DeadLetterQueue._reconfigure(queue, limit, max_age)

    @call
    def _reconfigure(self, limit: int | None, max_age: float | None) -> None:
        self._limit = limit or self._limit
        if max_age is not None and max_age != self._max_age:
            self._max_age = max_age
            if self._sweeping and self._sweep_timer is not None:
                self.cancel_timer(self._sweep_timer)
                self._sweeping = False
            self._arm()
