"""`Consensus`: declared participants vote, until a choice has the quorum or the time is over.

Each participant is told by a `VoteRequested` message, and is watched: its death is a vote
that will not come, and when the quorum is out of reach the vote ends at once.  It ends
too at its deadline, and with its proposer; with the server every wait for a result ends.

>>> import asyncio, suptree as st
>>> from suptree.services import Consensus
>>> async def main():
...     async with st.Runtime():
...         consensus = await Consensus.start_link()
...         ballot = await Consensus.propose(consensus, "deploy?", [st.current()])
...         await Consensus.vote(consensus, ballot, True)
...         return (await Consensus.result(consensus, ballot)).choice
>>> asyncio.run(main())
True
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from suptree.core import Pid, ReplyTo, current
from suptree.otp import NoReply, ServerRef, call
from suptree.services.parts.checks import check_count, check_name, check_process
from suptree.services.primitives import events
from suptree.services.primitives.ballot import (
    Ballot,
    ConsensusStats,
    Decision,
    Proposal,
    VoteRequested,
)
from suptree.services.primitives.base import Primitive
from suptree.services.primitives.errors import (
    BallotClosedError,
    BallotNotFoundError,
    ConsensusError,
)

__all__ = ["Consensus"]


@dataclass(slots=True)
class _Open:
    ballot: Ballot
    proposer: Pid[Any]
    since: float
    waiters: list[ReplyTo] = field(default_factory=list[ReplyTo])


class Consensus(Primitive[str]):
    """The server; also the client of every one: `Consensus.propose(consensus, ...)`.

    Args:
        history: How many decisions are remembered.
        max_open: How many ballots may be open.
    """

    refusal = ConsensusError

    def __init__(self, *, history: int = 1_000, max_open: int = 10_000) -> None:
        super().__init__()
        check_count("Consensus", "history", history, least=0)
        check_count("Consensus", "max_open", max_open)
        self.history, self.max_open = history, max_open
        self.number = 0
        self.open: dict[str, _Open] = {}
        self.closed: OrderedDict[str, Decision] = OrderedDict()
        self.counts = dict.fromkeys(("decided", "undecided", "forgotten"), 0)

    @staticmethod
    async def propose(
        consensus: ServerRef[Consensus],
        proposal: object,
        participants: Iterable[Pid[Any]],
        *,
        choices: Iterable[Hashable] = (True, False),
        quorum: int | None = None,
        timeout: float = 30.0,
    ) -> str:
        """Open a ballot, which belongs to the current process; its id.

        Args:
            consensus: The server.
            proposal: What is asked; passed on as it is.
            participants: Who may vote, and is told; those who are dead count as silent.
            choices: What may be voted for: strings, numbers, None or enum members.
            quorum: Votes for one choice that decide; default: more than half of all.
            timeout: Seconds until it ends undecided.

        Raises:
            ConsensusError: Too many ballots are open, or a process lives in another runtime.
            BadArgumentError: One of these is wrong.
        """
        asked = Proposal.of(proposal, participants, choices, quorum, timeout)
        return await Consensus._begin(consensus, asked, current())

    @staticmethod
    async def vote(
        consensus: ServerRef[Consensus],
        ballot: str,
        choice: Hashable,
        *,
        voter: Pid[Any] | None = None,
    ) -> None:
        """Vote, once, as the current process or for *voter*.

        Raises:
            BallotClosedError: It was decided before.  A voter who may be late catches that;
                `result` says what was decided.
            BallotNotFoundError, NotAParticipantError, AlreadyVotedError, BadArgumentError:
                It does not count.
        """
        await Consensus._count(consensus, ballot, current() if voter is None else voter, (choice,))

    @staticmethod
    async def abstain(
        consensus: ServerRef[Consensus], ballot: str, *, voter: Pid[Any] | None = None
    ) -> None:
        """Say that no vote will come; raises as `vote` does."""
        await Consensus._count(consensus, ballot, current() if voter is None else voter, ())

    # -- handlers ------------------------------------------------------------------------

    @call(timeout=None)
    def result(self, ballot: str) -> Decision | NoReply:
        """The decision; waits until there is one, at most until the deadline of the ballot.

        Raises:
            BallotNotFoundError: Never opened, or forgotten.
        """
        check_name("Consensus", "ballot", ballot)
        if ballot in self.closed:
            return self.closed[ballot]
        found = self.open.get(ballot)
        if found is None:
            raise BallotNotFoundError(ballot)
        found.waiters = [each for each in found.waiters if not each.done()]
        found.waiters.append(self.sender)
        return NoReply()

    @call
    def _begin(self, asked: Proposal, proposer: Pid[Any]) -> str:
        self.check_alive("proposer", proposer)
        for pid in asked.participants:
            self.check_here("participants", pid)
        if len(self.open) >= self.max_open:
            raise ConsensusError(f"Consensus: {self.max_open} ballots are open, the limit.")
        self.number += 1
        id = f"{self.pid.id}.{self.number}"
        self.open[id] = _Open(Ballot.of(id, asked), proposer, self.now())
        for pid in (proposer, *asked.participants):
            self.owners.add(pid, id)
        self.due_at(id, self.now() + asked.timeout)
        request = VoteRequested(id, asked.subject, asked.choices, asked.timeout)
        for pid in asked.participants:
            if pid is not proposer:
                self.tell(pid, request)
        numbers = {"participants_count": len(asked.participants), "quorum_count": asked.quorum}
        self.emit(events.BALLOT_OPENED, numbers, {"ballot": id, "proposer": proposer})
        return id

    @call
    def _count(self, ballot: str, voter: Pid[Any], choices: tuple[Hashable, ...]) -> None:
        check_name("Consensus", "ballot", ballot)
        check_process("Consensus", "voter", voter)
        if ballot in self.closed:
            raise BallotClosedError(ballot, self.closed[ballot].why)
        if ballot not in self.open:
            raise BallotNotFoundError(ballot)
        found = self.open[ballot].ballot
        found.vote(voter, *choices) if choices else found.abstain(voter)
        self._look(ballot)

    @call
    def stats(self) -> ConsensusStats:
        """How many of what."""
        return ConsensusStats(
            len(self.open), len(self.closed), undelivered=self.undelivered, **self.counts
        )

    def overdue(self, key: str) -> None:
        """The time of a ballot is over."""
        self._close(key, self.open[key].ballot.decision("deadline"))

    def departed(self, key: str, pid: Pid[Any], reason: object) -> None:
        """A participant or the proposer has ended."""
        found = self.open[key]
        if pid is found.proposer:
            self._close(key, found.ballot.decision("withdrawn"))
        else:
            found.ballot.lose(pid)
            self._look(key)

    # -- private -------------------------------------------------------------------------

    def _look(self, id: str) -> None:
        decision = self.open[id].ballot.verdict()
        if decision is not None:
            self._close(id, decision)

    def _close(self, id: str, decision: Decision) -> None:
        found = self.open.pop(id)
        self.not_due(id)
        for pid in (found.proposer, *found.ballot.participants):
            self.owners.discard(pid, id)
        self.counts["decided" if decision.decided else "undecided"] += 1
        self.closed[id] = decision
        while len(self.closed) > self.history:
            self.closed.popitem(last=False)
            self.counts["forgotten"] += 1
        for sender in found.waiters:
            self.reply(sender, decision)
        numbers = {
            "votes_count": len(found.ballot.votes),
            "silent_count": len(decision.silent),
            "duration_s": self.now() - found.since,
        }
        facts = {"ballot": id, "choice": decision.choice, "cause": decision.why}
        self.emit(events.BALLOT_CLOSED, numbers, facts)
