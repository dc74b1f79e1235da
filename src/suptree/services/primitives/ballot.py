"""`Ballot`: one vote, counted.  Pure: no clock, no process.

Decided as soon as a choice has the quorum, or none can get it any more: whoever abstains
or dies is a vote that will not come.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from suptree.core import Pid
from suptree.services.primitives.errors import (
    AlreadyVotedError,
    ConsensusError,
    NotAParticipantError,
)

__all__ = [
    "Ballot",
    "Cause",
    "ConsensusStats",
    "Decision",
    "VoteRequested",
    "wrong_ballot",
]

Cause = Literal["quorum", "out of reach", "deadline", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Decision:
    """How a vote ended.

    Attributes:
        ballot: Its id.
        proposal: What was asked.
        choice: The choice that got the quorum; None if none did.
        cause: Why it ended: 'quorum', 'out of reach', 'deadline', or 'withdrawn': the
            proposer died.
        votes: How many for each choice.
        abstained, silent: Who abstained, and who neither did nor voted.
    """

    ballot: str
    proposal: object
    choice: Hashable | None
    cause: Cause
    votes: Mapping[Hashable, int]
    abstained: tuple[Pid[Any], ...]
    silent: tuple[Pid[Any], ...]

    @property
    def decided(self) -> bool:
        """Whether a choice got the quorum."""
        return self.cause == "quorum"


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

    def vote(self, voter: Pid[Any], choice: Hashable) -> None:
        """Count a vote.

        Raises:
            NotAParticipantError, AlreadyVotedError, ConsensusError: It does not count.
        """
        self._check(voter)
        if choice not in self.choices:
            raise ConsensusError(
                f"Consensus: a vote in ballot {self.id!r} must be one of {self.choices!r}; "
                f"got {choice!r}."
            )
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

    def decision(self, cause: Cause, choice: Hashable | None = None) -> Decision:
        """The vote as it stands, ended by *cause*."""
        silent = [p for p in self.participants if p not in self.votes and p not in self.abstained]
        votes = MappingProxyType(self.counts())
        abstained = tuple(self.abstained)
        return Decision(self.id, self.proposal, choice, cause, votes, abstained, tuple(silent))

    def _check(self, voter: Pid[Any]) -> None:
        if voter not in self.participants:
            raise NotAParticipantError(self.id, voter)
        if voter in self.votes or voter in self.abstained:
            raise AlreadyVotedError(self.id, voter)


def wrong_ballot(
    participants: tuple[Pid[Any], ...],
    choices: tuple[Hashable, ...],
    quorum: object,
    timeout: object,
) -> ConsensusError | None:
    """What is wrong with a proposal; None if nothing is."""
    plain = (str, int, float, bytes, enum.Enum, type(None))
    rules = [
        (
            participants and all(isinstance(each, Pid) for each in participants),
            f"participants must be pids, one at least; got {participants!r}",
        ),
        (
            choices
            and all(isinstance(each, plain) and each == each for each in choices)
            and len(set(choices)) == len(choices),
            f"choices must be different strings, numbers, None or enum members; got {choices!r}",
        ),
        (
            isinstance(quorum, int) and 1 <= quorum <= len(participants),
            f"quorum must be from 1 to {len(participants)}, the participants; got {quorum!r}",
        ),
        (
            isinstance(timeout, int | float) and 0 < timeout < float("inf"),
            f"timeout must be finite seconds above 0; got {timeout!r}",
        ),
    ]
    return next((ConsensusError(f"Consensus: {text}.") for right, text in rules if not right), None)
