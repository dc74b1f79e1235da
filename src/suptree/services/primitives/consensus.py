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
from types import MappingProxyType
from typing import Any

from suptree.core import Pid
from suptree.otp import NoReply, ServerRef, call
from suptree.services.parts.checks import check_count, check_name, check_process
from suptree.services.primitives import errors, events
from suptree.services.primitives.arguments import Proposal
from suptree.services.primitives.base import Primitive, Waiters, asker
from suptree.services.primitives.stats import ConsensusStats
from suptree.services.primitives.values import Cause, Decision, VoteRequested

__all__ = ["Ballot", "Consensus"]

_Said = tuple[Hashable, ...] | None  # (choice,): a vote; (): an abstention; None: it died


@dataclass(slots=True)
class Ballot:
    """What was said so far.  Whoever abstains or dies is a vote that will not come."""

    asked: Proposal
    proposer: Pid[Any]
    since: float
    votes: dict[Hashable, int]
    said: dict[Pid[Any], _Said] = field(default_factory=dict[Pid[Any], _Said])
    waiters: Waiters = field(default_factory=Waiters)

    def say(self, voter: Pid[Any], said: _Said) -> None:
        """Count it."""
        self.said[voter] = said
        for choice in said or ():
            self.votes[choice] += 1

    def decision(self, id: str, why: Cause | None = None) -> Decision | None:
        """By a quorum, or because there can be none any more; or *why* it ends without one."""
        best, most = max(self.votes.items(), key=lambda each: each[1])
        to_come = len(self.asked.participants) - len(self.said)
        if why is None and most >= self.asked.quorum:
            why = "quorum"
        elif why is None and most + to_come < self.asked.quorum:
            why = "out of reach"
        if why is None:
            return None
        choice, counted = best if why == "quorum" else None, MappingProxyType(self.votes)
        abstained = tuple(pid for pid, said in self.said.items() if said == ())
        silent = tuple(pid for pid in self.asked.participants if self.said.get(pid) is None)
        return Decision(id, self.asked.subject, choice, why, counted, abstained, silent)


class Consensus(Primitive[str]):
    """The server; also the client of every one: `Consensus.propose(consensus, ...)`.

    Args:
        history: How many decisions are remembered.
        max_open: How many ballots may be open.
    """

    refusal = errors.ConsensusError
    counted = ("decided", "undecided", "forgotten", "undelivered")

    def __init__(self, *, history: int = 1_000, max_open: int = 10_000) -> None:
        super().__init__()
        check_count("Consensus", "history", history, least=0)
        check_count("Consensus", "max_open", max_open)
        self.history, self.max_open = history, max_open
        self.number = 0
        self.open: dict[str, Ballot] = {}
        self.closed: OrderedDict[str, Decision] = OrderedDict()

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
        return await Consensus._open(consensus, asked, asker(None))

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
        await Consensus._say(consensus, ballot, asker(voter), (choice,))

    @staticmethod
    async def abstain(
        consensus: ServerRef[Consensus], ballot: str, *, voter: Pid[Any] | None = None
    ) -> None:
        """Say that no vote will come; raises as `vote` does."""
        await Consensus._say(consensus, ballot, asker(voter), ())

    @call(timeout=None)
    def result(self, ballot: str) -> Decision | NoReply:
        """The decision; waits until there is one, at most until the deadline of the ballot.

        Raises:
            BallotNotFoundError: Never opened, or forgotten.
        """
        found = self._find(ballot)
        if isinstance(found, Decision):
            return found
        found.waiters.add(self.sender)
        return NoReply()

    @call
    def stats(self) -> ConsensusStats:
        """How many of what."""
        return ConsensusStats(len(self.open), len(self.closed), **self.counts)

    @call
    def _open(self, asked: Proposal, proposer: Pid[Any]) -> str:
        self.check_alive("proposer", proposer)
        self.check_here("participants", *asked.participants)
        if len(self.open) >= self.max_open:
            raise errors.ConsensusError(f"Consensus: {self.max_open} ballots are open, the limit.")
        self.number += 1
        id = f"{self.pid.id}.{self.number}"
        votes, since = dict.fromkeys(asked.choices, 0), self.now()
        self.open[id] = Ballot(asked, proposer, since, votes)
        self.due_at(id, since + asked.timeout)
        self.watch((proposer, *asked.participants), id)
        request = VoteRequested(id, asked.subject, asked.choices, asked.timeout)
        for pid in asked.participants:
            if pid is not proposer:
                self.tell(pid, request)
        numbers = {"participants_count": len(asked.participants), "quorum_count": asked.quorum}
        self.emit(events.BALLOT_OPENED, ballot=id, proposer=proposer, **numbers)
        return id

    @call
    def _say(self, id: str, voter: Pid[Any], said: tuple[Hashable, ...]) -> None:
        ballot = self._find(id)
        check_process("Consensus", "voter", voter)
        if isinstance(ballot, Decision):
            raise errors.BallotClosedError(id, ballot.why)
        if voter not in ballot.asked.participants:
            raise errors.NotAParticipantError(id, voter)
        if ballot.said.get(voter) is not None:
            raise errors.AlreadyVotedError(id, voter)
        ballot.asked.check_choices(id, said)
        ballot.say(voter, said)
        self._look(id)

    def overdue(self, key: str) -> None:
        """The time of a ballot is over."""
        self._look(key, "deadline")

    def departed(self, key: str, pid: Pid[Any], reason: object) -> None:
        """A participant or the proposer has ended; a vote given before counts."""
        self.open[key].said.setdefault(pid, None)
        self._look(key, "withdrawn" if pid is self.open[key].proposer else None)

    def _find(self, id: str) -> Ballot | Decision:
        check_name("Consensus", "ballot", id)
        found = self.open.get(id) or self.closed.get(id)
        if found is None:
            raise errors.BallotNotFoundError(id)
        return found

    def _look(self, id: str, why: Cause | None = None) -> None:
        """Close the ballot, if it is decided by now, or *why* says that it ends."""
        ballot = self.open[id]
        decision = ballot.decision(id, why)
        if decision is None:
            return
        del self.open[id]
        self.settled(id, (ballot.proposer, *ballot.asked.participants), id)
        self.counts["decided" if decision.decided else "undecided"] += 1
        self.closed[id] = decision
        while len(self.closed) > self.history:
            self.closed.popitem(last=False)
            self.counts["forgotten"] += 1
        for sender in ballot.waiters.senders:
            self.reply(sender, decision)
        facts = {"ballot": id, "choice": decision.choice, "cause": decision.why}
        votes, silent = sum(decision.votes.values()), len(decision.silent)
        numbers = {"votes_count": votes, "silent_count": silent}
        self.emit(events.BALLOT_CLOSED, duration_s=self.now() - ballot.since, **facts, **numbers)
