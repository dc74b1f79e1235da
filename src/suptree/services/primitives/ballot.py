"""`Ballot`: one vote, counted.  Pure: no clock, no process.

Decided as soon as a choice has the quorum, or none can get it any more: whoever abstains
or dies is a vote that will not come.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from suptree.core import Pid
from suptree.services.parts.checks import bad_argument, check_seconds, checked_items, is_text
from suptree.services.primitives.errors import AlreadyVotedError, NotAParticipantError

__all__ = [
    "Ballot",
    "Cause",
    "ConsensusStats",
    "Proposal",
    "Decision",
    "VoteRequested",
]

_PLAIN: Final = (int, float, bytes, enum.Enum, type(None))

Cause = Literal["quorum", "out of reach", "deadline", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Decision:
    """How a vote ended.

    Attributes:
        ballot: Its id.
        proposal: What was asked.
        choice: The choice that got the quorum; None if none did.
        why: It ended by 'quorum', 'out of reach', 'deadline', or 'withdrawn': the
            proposer died.
        votes: How many for each choice.
        abstained, silent: Who abstained, and who neither did nor voted.
    """

    ballot: str
    proposal: object
    choice: Hashable | None
    why: Cause
    votes: Mapping[Hashable, int]
    abstained: tuple[Pid[Any], ...]
    silent: tuple[Pid[Any], ...]

    @property
    def decided(self) -> bool:
        """Whether a choice got the quorum."""
        return self.why == "quorum"


@dataclass(frozen=True, slots=True)
class VoteRequested:
    """Vote in *ballot*, for one of *choices*, within *timeout* seconds from when it was sent."""

    ballot: str
    proposal: object
    choices: tuple[Hashable, ...]
    timeout: float


@dataclass(frozen=True, slots=True)
class ConsensusStats:
    """Ballots open and remembered now; decided by quorum, ended without one, forgotten, and requests
    refused by full mailboxes, ever."""

    open: int
    remembered: int
    decided: int
    undecided: int
    forgotten: int
    undelivered: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is asked, of whom, and how it is decided; see `Consensus.propose`.

    Raises:
        BadArgumentError: They do not fit together.
    """

    subject: object
    participants: tuple[Pid[Any], ...]
    choices: tuple[Hashable, ...]
    quorum: int
    timeout: float

    @staticmethod
    def of(
        subject: object, participants: object, choices: object, quorum: int | None, timeout: float
    ) -> Proposal:
        """As it was given; without a *quorum* it is more than half of all."""
        wanted = "pids, one at least"
        voters = checked_items("Consensus", "participants", participants, wanted, _is_pid)
        distinct = tuple(dict.fromkeys(voters))
        wanted = "different strings, numbers, None or enum members"
        given = checked_items("Consensus", "choices", choices, wanted, _is_plain)
        if len(set(given)) < len(given):
            raise bad_argument("Consensus", "choices", wanted, choices)
        most = len(distinct)
        if quorum is None:
            quorum = most // 2 + 1
        elif not isinstance(quorum, int) or isinstance(quorum, bool) or not 1 <= quorum <= most:
            wanted = f"from 1 to {most}, the participants"
            raise bad_argument("Consensus", "quorum", wanted, quorum)
        check_seconds("Consensus", "timeout", timeout)
        return Proposal(subject, distinct, given, quorum, timeout)


def _is_pid(value: object) -> bool:
    return isinstance(value, Pid)


def _is_plain(value: object) -> bool:
    """Whether it can be counted: its equality and its hash are those of its kind."""
    if isinstance(value, str) and not isinstance(value, enum.Enum):
        return is_text(value)
    return isinstance(value, _PLAIN) and value == value  # NaN is not


@dataclass(slots=True)
class Ballot:
    """The votes so far."""

    id: str
    proposal: object
    choices: tuple[Hashable, ...]
    participants: tuple[Pid[Any], ...]
    quorum: int
    votes: dict[Pid[Any], Hashable] = field(default_factory=dict[Pid[Any], Hashable])
    abstained: dict[Pid[Any], None] = field(default_factory=dict[Pid[Any], None])
    lost: set[Pid[Any]] = field(default_factory=set[Pid[Any]])

    @staticmethod
    def of(id: str, asked: Proposal) -> Ballot:
        """Nobody has voted yet."""
        return Ballot(id, asked.subject, asked.choices, asked.participants, asked.quorum)

    def vote(self, voter: Pid[Any], choice: Hashable) -> None:
        """Count a vote.

        Raises:
            NotAParticipantError, AlreadyVotedError, BadArgumentError: It does not count.
        """
        self._check(voter)
        if not _is_plain(choice) or choice not in self.choices:
            wanted = f"one of {self.choices!r} in ballot {self.id!r}"
            raise bad_argument("Consensus", "choice", wanted, choice)
        self.votes[voter] = choice

    def abstain(self, voter: Pid[Any]) -> None:
        """Count a voter who will not vote; raises as `vote` does."""
        self._check(voter)
        self.abstained[voter] = None

    def lose(self, voter: Pid[Any]) -> None:
        """*voter* died: a vote that it gave counts, one that it did not give will not come."""
        if voter not in self.votes and voter not in self.abstained:
            self.lost.add(voter)

    def counts(self) -> dict[Hashable, int]:
        """Votes for each choice."""
        counts = dict.fromkeys(self.choices, 0)
        for choice in self.votes.values():
            counts[choice] += 1
        return counts

    def verdict(self) -> Decision | None:
        """The decision, if there is one by now."""
        counts = self.counts()
        for choice, votes in counts.items():
            if votes >= self.quorum:
                return self.decision("quorum", choice)
        given = len(self.votes) + len(self.abstained) + len(self.lost)
        if max(counts.values()) + len(self.participants) - given < self.quorum:
            return self.decision("out of reach")
        return None

    def decision(self, why: Cause, choice: Hashable | None = None) -> Decision:
        """The vote as it stands, ended by *why*."""
        silent = [p for p in self.participants if p not in self.votes and p not in self.abstained]
        votes = MappingProxyType(self.counts())
        abstained = tuple(self.abstained)
        return Decision(self.id, self.proposal, choice, why, votes, abstained, tuple(silent))

    def _check(self, voter: Pid[Any]) -> None:
        if voter not in self.participants:
            raise NotAParticipantError(self.id, voter)
        if voter in self.votes or voter in self.abstained:
            raise AlreadyVotedError(self.id, voter)
