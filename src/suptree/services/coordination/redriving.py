"""`Redriving`: dead letters that a `CoordinationManager` takes in again.

It borrows a few at a time from the queue, takes in what it can, and says so; see `Loan`.
All of it happens in the router, so that nothing is lost or sent twice if whoever asked for
it goes away.
"""

from __future__ import annotations

from collections.abc import Collection, Container
from typing import Any, Final

from suptree.core import ReplyTo
from suptree.errors import MailboxFullError
from suptree.otp import GenServer, Reply, Response, ServerRef, call, post_request
from suptree.services.coordination.asked import numbers_asked, receiver_asked
from suptree.services.coordination.dead_letters import DeadLetterQueue
from suptree.services.coordination.groups import Groups
from suptree.services.coordination.letters import DeadLetter, Lend, Loan, LoanOver, RedrivePolicy
from suptree.services.coordination.outcomes import Outcome, Rejected
from suptree.services.parts.checks import bad_argument
from suptree.services.parts.later import LATER

__all__ = ["REDRIVE", "Redriving"]

_AT_ONCE: Final = 100
"""Letters that are taken in in one turn; then others have theirs."""
_NO_PLACE: Final = ("buffer_full", "breaker_open")


class _Redrive:
    """To itself: it is time for a round."""

    __slots__ = ()


REDRIVE: Final = _Redrive()


class _Round:
    """One redrive, on its way."""

    __slots__ = ("asker", "numbers", "outcomes", "policy", "queue")

    def __init__(
        self,
        queue: ServerRef[DeadLetterQueue],
        *,
        asker: ReplyTo | None = None,
        numbers: Container[int] | None = None,
        policy: RedrivePolicy | None = None,
    ) -> None:
        self.queue = queue
        self.asker = asker
        self.numbers = numbers
        self.policy = policy
        self.outcomes: dict[int, Outcome] = {}


class Redriving(Groups):
    """See the module text."""

    __front__ = "CoordinationManager"

    @call(timeout=None)
    def redrive(
        self,
        dead_letters: ServerRef[DeadLetterQueue],
        numbers: Collection[int] | None = None,
    ) -> Reply[dict[int, Outcome]]:
        """Send dead letters again, all or those of *numbers*, in their order.

        What the router takes in leaves the queue; the rest stays.  If the caller goes away, what
        was taken in by then is delivered, once, and the rest stays.

        Args:
            dead_letters: The queue.
            numbers: Which; None: all.

        Returns:
            For each letter, what became of it at once.

        Raises:
            NoProcessError, ServerExitError: The queue is not there, or ended meanwhile.
            BadRequestError: It is no queue.
            ValueError, TypeError: An argument is none of its kind.
        """
        who = "redrive"
        queue: Any = receiver_asked(self._runtime, who, dead_letters, "dead_letters")
        wanted = numbers_asked(who, numbers)
        process = self._runtime.find(queue)
        if process is not None and not isinstance(process.server, DeadLetterQueue):
            raise bad_argument(who, "dead_letters", "a DeadLetterQueue", queue, "Name the queue.")
        self._borrow(_Round(queue, asker=self.sender, numbers=wanted), 0)
        return LATER

    def _begin_round(self) -> None:
        """What is old enough is sent again; then it is some time until the next round."""
        if self._redrive is not None and self._dead_letters is not None:
            self._borrow(_Round(self._dead_letters, policy=self._redrive), 0)

    def _wait_for_round(self) -> None:
        if self._redrive is not None:
            self.send_after(self._redrive.every, REDRIVE)

    # -- a round ---------------------------------------------------------------------------------

    def _borrow(self, round: _Round, after: int) -> None:
        """Ask the queue for the next letters; the answer is for `_lent`."""
        lend = Lend(round.numbers, round.policy, after, _AT_ONCE)
        try:
            post_request(round.queue, lend, tag=round, awaited=False)
        except MailboxFullError as error:
            self._end_round(round, error)

    def _lent(self, response: Response) -> None:
        """The queue has lent some, or there is none."""
        round: _Round = response.tag
        if response.error is not None:
            self._end_round(round, response.error)
            return
        loan: Loan = response.value
        if not loan.letters or loan.over or (round.asker is not None and round.asker.done()):
            self._give_back(round, loan)
            self._end_round(round, None)
            return
        for letter in loan.letters:
            said = self._take_in(letter)
            if round.asker is not None:
                round.outcomes[letter.number] = said
            if not isinstance(said, Rejected):
                loan.taken.add(letter.number)
            elif said.why in _NO_PLACE:
                loan.kept_back.add(letter.number)
        self._give_back(round, loan)
        self._borrow(round, loan.letters[-1].number)

    def _take_in(self, letter: DeadLetter) -> Outcome:
        router = self._router
        said = router.accept(
            letter.to, letter.message, None, wait=0.0, expires=None, redrives=letter.redrives + 1
        )
        assert said is not None  # nobody waits, so it is told at once
        if not isinstance(said, Rejected):
            router.stats.redriven += 1
        return said

    def _give_back(self, round: _Round, loan: Loan) -> None:
        try:
            GenServer.cast(round.queue, LoanOver(loan))
        except MailboxFullError:
            loan.over = True  # the queue sees it when somebody borrows again, or this router ends

    def _end_round(self, round: _Round, error: BaseException | None) -> None:
        if round.asker is None:
            self._wait_for_round()
        elif error is None:
            self._runtime.reply(round.asker, round.outcomes)
        else:
            pending = round.asker.callee.pending
            if pending is not None:
                pending.discard(round.asker)
            round.asker.fail(error)
