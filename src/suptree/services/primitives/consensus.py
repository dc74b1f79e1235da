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
from suptree.services.parts.owners import stranger
from suptree.services.primitives import events
from suptree.services.primitives.ballot import (
    Ballot,
    ConsensusStats,
    Decision,
    VoteRequested,
    wrong_ballot,
)
from suptree.services.primitives.base import Primitive, not_alive
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

    def __init__(self, *, history: int = 1_000, max_open: int = 10_000) -> None:
        super().__init__()
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
            ConsensusError: One of these is wrong, or too many ballots are open.
        """
        voters = tuple(dict.fromkeys(participants))
        given = tuple(choices)
        majority = len(voters) // 2 + 1 if quorum is None else quorum
        return await Consensus.begin(
            consensus, proposal, voters, given, majority, timeout, current()
        )

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
            BallotNotFoundError, BallotClosedError, NotAParticipantError, AlreadyVotedError,
            ConsensusError: It does not count.
        """
        await Consensus.count(consensus, ballot, current() if voter is None else voter, (choice,))

    @staticmethod
    async def abstain(
        consensus: ServerRef[Consensus], ballot: str, *, voter: Pid[Any] | None = None
    ) -> None:
        """Say that no vote will come; raises as `vote` does."""
        await Consensus.count(consensus, ballot, current() if voter is None else voter, ())

    # -- handlers ------------------------------------------------------------------------

    @call(timeout=None)
    def result(self, ballot: str) -> Decision | NoReply:
        """The decision; waits until there is one, at most until the deadline of the ballot.

        Raises:
            BallotNotFoundError: Never opened, or forgotten.
        """
        if ballot in self.closed:
            return self.closed[ballot]
        found = self.open.get(ballot)
        if found is None:
            return self.fail(BallotNotFoundError(ballot))
        found.waiters = [each for each in found.waiters if not each.done()]
        found.waiters.append(self.sender)
        return NoReply()

    @call
    def begin(
        self,
        proposal: object,
        participants: tuple[Pid[Any], ...],
        choices: tuple[Hashable, ...],
        quorum: int,
        timeout: float,
        proposer: Pid[Any],
    ) -> str | NoReply:
        """Open a ballot; `propose` is the client of it."""
        wrong = wrong_ballot(participants, choices, quorum, timeout)
        wrong = wrong or not_alive(proposer, "Consensus", "proposer", ConsensusError)
        foreign = stranger("Consensus", *participants) if wrong is None else None
        if foreign is not None:
            wrong = ConsensusError(str(foreign))
        if wrong is None and len(self.open) >= self.max_open:
            wrong = ConsensusError(f"Consensus: {self.max_open} ballots are open, the limit.")
        if wrong is not None:
            return self.fail(wrong)
        self.number += 1
        id = f"{self.pid.id}.{self.number}"
        ballot = Ballot(id, proposal, choices, participants, quorum)
        self.open[id] = _Open(ballot, proposer, self.now())
        for pid in (proposer, *participants):
            self.owners.add(pid, id)
        self.due_at(id, self.now() + timeout)
        request = VoteRequested(id, proposal, choices, timeout)
        for pid in participants:
            if pid is not proposer:
                self.tell(pid, request)
        numbers = {"participants_count": len(participants), "quorum_count": quorum}
        self.emit(events.BALLOT_OPENED, numbers, {"ballot": id, "proposer": proposer})
        return id

    @call
    def count(self, ballot: str, voter: Pid[Any], choices: tuple[Hashable, ...]) -> NoReply | None:
        """Count a vote, or an abstention; `vote` and `abstain` are the clients of it."""
        found = self.open.get(ballot)
        if found is None:
            closed = self.closed.get(ballot)
            if closed is None:
                return self.fail(BallotNotFoundError(ballot))
            return self.fail(BallotClosedError(ballot, closed.cause))
        try:
            if choices:
                found.ballot.vote(voter, choices[0])
            else:
                found.ballot.abstain(voter)
        except ConsensusError as error:
            return self.fail(error)
        self._look(ballot)
        return None

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
        facts = {"ballot": id, "choice": decision.choice, "cause": decision.cause}
        self.emit(events.BALLOT_CLOSED, numbers, facts)
