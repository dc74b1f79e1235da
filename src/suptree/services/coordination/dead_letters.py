"""`DeadLetterQueue`: what could not be delivered, kept until somebody looks at it.

A process of its own, so that it outlives the router; with a store, its letters outlive it
too.  It holds so many letters and for so long; what it lets go is counted, and the oldest
goes first.  To send letters again, ask the router: it borrows them, and what it takes in
leaves the queue.

>>> for letter in await DeadLetterQueue.letters("dead_letters"):
...     print(letter.to, letter.reason)
>>> await CoordinationManager.redrive("router", "dead_letters")
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from suptree.clock import wall_clock
from suptree.core import ReplyTo, Runtime, Timer, find_runtime, safe_repr
from suptree.errors import BadRequestError
from suptree.otp import GenServer, NoReply, ServerRef, call, cast
from suptree.services.coordination import events
from suptree.services.coordination.asked import (
    ANSWERS,
    name_asked,
    number_asked,
    numbers_asked,
    receiver_asked,
)
from suptree.services.coordination.custody import check_store, claim
from suptree.services.coordination.errors import LetterNotFoundError
from suptree.services.coordination.letters import (
    DeadLetter,
    DeadLetterStats,
    Lend,
    Letters,
    Loan,
    LoanOver,
)
from suptree.services.coordination.outcomes import Receiver
from suptree.services.parts.checks import check_count, check_number
from suptree.services.parts.owners import Owners
from suptree.services.parts.store import Store

__all__ = ["DeadLetterQueue"]


class _Sweep:
    """To itself: the oldest letter may be too old."""

    __slots__ = ()


class DeadLetterQueue(GenServer):
    """Keeps dead letters.

    Args:
        max_letters: How many, at most.
        max_age: For how many seconds; a day.
        store: Where the letters outlive this process; it must keep references.  None: nowhere.
        space: Its space in the store; two queues need two.

    Raises:
        ValueError: A number is out of bounds.
        CustodyError: A living queue has that space.
    """

    call_raises = ANSWERS

    def __init__(
        self,
        *,
        max_letters: int = 10_000,
        max_age: float = 86_400.0,
        store: Store | None = None,
        space: str = "dead_letters",
    ) -> None:
        check_count("DeadLetterQueue", "max_letters", max_letters)
        check_number("DeadLetterQueue", "max_age", max_age, above=0)
        check_store("DeadLetterQueue", store)
        self._max_letters = max_letters
        self._max_age = max_age
        self._store = store
        self._space = name_asked("DeadLetterQueue", "space", space)
        self._borrowers: Owners[Loan] = Owners()
        self._lent: dict[int, Loan] = {}
        self._stats = DeadLetterStats()
        self._sweeping = False
        self._sweep_timer: Timer | None = None
        self._runtime: Runtime = find_runtime("DeadLetterQueue")
        self._added = self._runtime.telemetry.slot(events.DEAD_LETTER_ADDED)
        self._dropped = self._runtime.telemetry.slot(events.DEAD_LETTER_DROPPED)
        self._redriven = self._runtime.telemetry.slot(events.DEAD_LETTER_REDRIVEN)

    async def init(self) -> None:
        """Go on with the letters of the queue before this one."""
        self._kept = await claim("DeadLetterQueue", self._store, self._space, Letters, self.pid)
        self._letters = self._kept.letters
        self._stats.taken_over = len(self._letters)
        for loan in list(self._kept.loans):
            self._close(loan, tried=False)
        self._arm()

    # -- keeping -------------------------------------------------------------------------------

    @staticmethod
    def add(
        queue: ServerRef[DeadLetterQueue],
        to: Receiver,
        message: object,
        reason: object,
        attempts: int = 0,
        message_id: int = 0,
        *,
        redrives: int = 0,
    ) -> None:
        """Keep one more; the oldest goes if there are too many.  Nobody there is no error.

        Args:
            queue: The queue.
            to: Whom it was for.
            message: What it said.
            reason: Why it was given up.
            attempts: How often it was delivered.
            message_id: Its id in the router.
            redrives: How often it was a dead letter before.

        Raises:
            ValueError, TypeError: A value is none of its kind.
            MailboxFullError: The mailbox of the queue is full, with policy 'reject'.
        """
        who = "DeadLetterQueue.add"
        to = receiver_asked(find_runtime(who), who, to)
        counts = (
            number_asked(who, "attempts", attempts),
            number_asked(who, "message_id", message_id),
            number_asked(who, "redrives", redrives),
        )
        DeadLetterQueue._add(queue, to, message, reason, *counts)

    @cast
    def _add(
        self,
        to: Receiver,
        message: object,
        reason: object,
        attempts: int,
        message_id: int,
        redrives: int,
    ) -> None:
        self._kept.last += 1
        number = self._kept.last
        self._letters[number] = DeadLetter(
            number,
            to,
            message,
            reason,
            attempts,
            message_id,
            self._runtime.now(),
            wall_clock(),
            redrives,
        )
        self._stats.added += 1
        if self._added.handlers:
            self._added.emit(
                {"letters_count": len(self._letters)},
                {"to": to, "number": number, "reason": reason},
            )
        if len(self._letters) > self._max_letters:  # not more than came in, though it was lowered
            self._drop(next(iter(self._letters)), "full")
        self._arm()

    # -- looking --------------------------------------------------------------------------------

    @call
    def letters(self, *, limit: int = 100, to: Receiver | None = None) -> list[DeadLetter]:
        """The newest *limit* letters, those to *to* alone if it is given, the oldest of them first.

        Raises:
            ValueError, TypeError: *limit* is no number, or *to* no receiver.
        """
        who = "DeadLetterQueue.letters"
        limit = number_asked(who, "limit", limit)
        if to is not None:
            to = receiver_asked(self._runtime, who, to)
        wanted = [one for one in self._letters.values() if to is None or one.to == to]
        return wanted[-limit:] if limit > 0 else []

    @call
    def letter(self, number: int) -> DeadLetter:
        """One letter.

        Raises:
            LetterNotFoundError: There is none of that number.
        """
        number = number_asked("DeadLetterQueue.letter", "number", number)
        found = self._letters.get(number)
        if found is None:
            raise LetterNotFoundError(number)
        return found

    @call
    def stats(self) -> DeadLetterStats:
        """What it has done, and how many it holds."""
        return replace(self._stats, held=len(self._letters), on_loan=len(self._lent))

    # -- throwing away ------------------------------------------------------------------------------

    @call
    def purge(self, numbers: Collection[int] | None = None) -> int:
        """Throw letters away: those of *numbers*, or all.  Returns how many there were.

        One that a router is just taking in is not there any more.

        Raises:
            ValueError: *numbers* is no list of numbers.
        """
        wanted = numbers_asked("DeadLetterQueue.purge", numbers)
        for loan in dict.fromkeys(self._lent.values()):
            self._close(loan, tried=False)
        gone = [one for one in self._letters if wanted is None or one in wanted]
        for number in gone:
            del self._letters[number]
        self._stats.purged += len(gone)
        return len(gone)

    # -- giving back to the router -------------------------------------------------------------------

    def handle_call(self, request: object, sender: ReplyTo) -> Loan | NoReply:
        """A router asks for letters."""
        if type(request) is not Lend:
            text = safe_repr(request, 200)
            sender.fail(BadRequestError(self.pid, text, "a router's `Lend` is all that it knows."))
            return NoReply()
        for over in [loan for loan in self._kept.loans if loan.over]:  # of which it was not told
            self._close(over, tried=True)
        now = self._runtime.now()
        letters: list[DeadLetter] = []
        for letter in self._letters.values():
            if len(letters) == request.most:
                break
            if (
                letter.number > request.after
                and letter.number not in self._lent
                and (request.numbers is None or letter.number in request.numbers)
                and (request.policy is None or request.policy.wants(letter, now))
            ):
                letters.append(letter)
        loan = Loan(tuple(letters), sender.pid)
        if letters and loan.borrower is not None:
            self._kept.loans[loan] = None
            self._borrowers.add(loan.borrower, loan)
            self._lent.update((letter.number, loan) for letter in letters)
        return loan

    def handle_cast(self, request: object) -> None:
        """A router is done with a loan."""
        if type(request) is not LoanOver:
            super().handle_cast(request)
        elif request.loan in self._kept.loans:
            self._close(request.loan, tried=True)

    def handle_info(self, message: object) -> None:
        """A borrower has ended, or it is time to look for old letters."""
        if isinstance(message, _Sweep):
            self._sweeping = False
            self._drop_old()
            self._arm()
            return
        for loan in self._borrowers.gone(message):
            self._close(loan, tried=True)

    def _close(self, loan: Loan, *, tried: bool) -> None:
        """What was taken in is gone; the rest is here again, whoever ended."""
        loan.over = True
        self._kept.loans.pop(loan, None)
        if loan.borrower is not None:
            self._borrowers.discard(loan.borrower, loan)
        for letter in loan.letters:
            self._lent.pop(letter.number, None)
            if letter.number not in self._letters:
                continue
            if letter.number in loan.taken:
                del self._letters[letter.number]
                self._stats.redriven += 1
                if self._redriven.handlers:
                    age = self._runtime.now() - letter.given_up_at
                    facts = {"to": letter.to, "number": letter.number}
                    self._redriven.emit({"age_s": age}, facts)
            elif tried and letter.number not in loan.kept_back:
                self._letters[letter.number] = replace(letter, returns=letter.returns + 1)

    # -- letting go ----------------------------------------------------------------------------------

    def _drop_old(self) -> None:
        oldest_kept = self._runtime.now() - self._max_age
        old = [one.number for one in self._letters.values() if one.given_up_at <= oldest_kept]
        for number in old:
            self._drop(number, "expired")

    def _drop(self, number: int, why: str) -> None:
        loan = self._lent.get(number)
        if loan is not None:
            self._close(loan, tried=False)  # the router may have it already
        letter = self._letters.pop(number, None)
        if letter is None:
            return
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
        max_letters: int | None = None,
        max_age: float | None = None,
    ) -> None:
        """Go by other bounds from now on; what is not given stays as it is.

        A smaller *max_letters* throws nothing away: the letters that are too many stay, and each
        new one pushes one out.  Another *max_age* holds for all: what is older goes, and is counted.

        Raises:
            BadArgumentError: One of them is out of bounds; nothing was changed.
        """
        who = "DeadLetterQueue.reconfigure"
        check_count(who, "max_letters", max_letters, optional=True)
        check_number(who, "max_age", max_age, above=0, optional=True)
        await DeadLetterQueue._reconfigure(queue, max_letters, max_age)

    @call
    def _reconfigure(self, max_letters: int | None, max_age: float | None) -> None:
        self._max_letters = max_letters or self._max_letters
        if max_age is not None and max_age != self._max_age:
            self._max_age = max_age
            if self._sweeping and self._sweep_timer is not None:
                self.cancel_timer(self._sweep_timer)
                self._sweeping = False
            self._arm()
