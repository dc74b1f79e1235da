"""What leases, barriers, elections and votes refuse.

PrimitiveError
├── LeaseError
│   ├── LeaseTimeoutError       not granted in time (also a TimeoutError)    .name .timeout
│   ├── LeaseLostError          it was released, has expired, or is another's .name .token .holder
│   └── LeaseQueueFullError     as many wait as may                          .name .limit
├── BarrierError
│   ├── BarrierBrokenError      a party died, or not all came in time         .name .generation .why
│   ├── AlreadyArrivedError     this party waits there                        .name .party
│   ├── NotAPartyError          it is not one of those named                  .name .party
│   └── BarrierMismatchError    others said other parties                     .name .parties .given
├── ElectionError
└── ConsensusError
    ├── BallotNotFoundError     never opened, or forgotten                    .ballot
    ├── BallotClosedError       it is decided                                 .ballot .why
    ├── AlreadyVotedError       one vote each                                 .ballot .voter
    └── NotAParticipantError    not one of those asked                        .ballot .voter
"""

from __future__ import annotations

from typing import Any

from suptree.core import Pid
from suptree.errors import SuptreeError

__all__ = [
    "AlreadyArrivedError",
    "AlreadyVotedError",
    "BallotClosedError",
    "BallotNotFoundError",
    "BarrierBrokenError",
    "BarrierError",
    "BarrierMismatchError",
    "ConsensusError",
    "ElectionError",
    "LeaseError",
    "LeaseLostError",
    "LeaseQueueFullError",
    "LeaseTimeoutError",
    "NotAParticipantError",
    "NotAPartyError",
    "PrimitiveError",
]


class PrimitiveError(SuptreeError):
    """Base of what the coordination primitives refuse."""


class LeaseError(PrimitiveError):
    """A lease is refused."""


class LeaseTimeoutError(LeaseError, TimeoutError):
    """The lease was not granted in time; whoever waited waits no longer."""

    def __init__(self, name: str, timeout: float) -> None:
        super().__init__(name, timeout)
        self.name = name
        self.timeout = timeout

    def __str__(self) -> str:
        return (
            f"Leases: lease {self.name!r} was not free within {self.timeout:g} s. "
            "Wait longer, or look at who holds it with Leases.status."
        )


class LeaseLostError(LeaseError):
    """The lease with that *token* is not held any more; *holder* has it now, or nobody."""

    def __init__(self, name: str, token: int, holder: Pid[Any] | None) -> None:
        super().__init__(name, token, holder)
        self.name = name
        self.token = token
        self.holder = holder

    def __str__(self) -> str:
        now = "nobody has it" if self.holder is None else f"{self.holder!r} has it now"
        return (
            f"Leases: lease {self.name!r} with token {self.token} is lost: it expired or was "
            f"released, and {now}. Stop what it protected, and acquire it again."
        )


class LeaseQueueFullError(LeaseError):
    """*limit* processes wait for it already."""

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(name, limit)
        self.name = name
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"Leases: {self.limit} wait for lease {self.name!r}, which is the limit. "
            "Try again later, or raise max_waiters."
        )


class BarrierError(PrimitiveError):
    """A barrier is refused."""


class BarrierBrokenError(BarrierError):
    """This generation is never complete: *why* says what happened; the next arrival begins another."""

    def __init__(self, name: str, generation: int, why: str) -> None:
        super().__init__(name, generation, why)
        self.name = name
        self.generation = generation
        self.why = why

    def __str__(self) -> str:
        return (
            f"Barriers: barrier {self.name!r}, generation {self.generation}, is broken: {self.why}. "
            "Arrive again to begin a new generation."
        )


class AlreadyArrivedError(BarrierError):
    """*party* waits at that barrier already."""

    def __init__(self, name: str, party: Pid[Any]) -> None:
        super().__init__(name, party)
        self.name = name
        self.party = party

    def __str__(self) -> str:
        return f"Barriers: {self.party!r} waits at barrier {self.name!r} already. One arrival for each."


class NotAPartyError(BarrierError):
    """*party* is not one of those that the barrier was named for."""

    def __init__(self, name: str, party: Pid[Any]) -> None:
        super().__init__(name, party)
        self.name = name
        self.party = party

    def __str__(self) -> str:
        return f"Barriers: {self.party!r} is not a party of barrier {self.name!r}. Name it too."


class BarrierMismatchError(BarrierError):
    """Those who wait there said other *parties* than are *given* now."""

    def __init__(self, name: str, parties: object, given: object) -> None:
        super().__init__(name, parties, given)
        self.name = name
        self.parties = parties
        self.given = given

    def __str__(self) -> str:
        return (
            f"Barriers: parties of barrier {self.name!r} must be {self.parties!r}, as those who wait "
            f"said; got {self.given!r}. Say the same, or use another name."
        )


class ElectionError(PrimitiveError):
    """An election is refused."""


class ConsensusError(PrimitiveError):
    """A ballot or a vote is refused."""


class BallotNotFoundError(ConsensusError):
    """There is no such ballot; decided ones are forgotten in time."""

    def __init__(self, ballot: str) -> None:
        super().__init__(ballot)
        self.ballot = ballot

    def __str__(self) -> str:
        return (
            f"Consensus: no ballot {self.ballot!r}: it was never opened, or is long decided and "
            "forgotten. Ask sooner, or raise history."
        )


class BallotClosedError(ConsensusError):
    """The ballot was decided, by *why*, before this vote came: to be late is no mistake of a voter."""

    def __init__(self, ballot: str, why: str) -> None:
        super().__init__(ballot, why)
        self.ballot = ballot
        self.why = why

    def __str__(self) -> str:
        return (
            f"Consensus: ballot {self.ballot!r} is closed: {self.why}; the vote came too late. "
            "Catch this error where a voter may be late, and ask for its result."
        )


class AlreadyVotedError(ConsensusError):
    """*voter* has voted or abstained."""

    def __init__(self, ballot: str, voter: Pid[Any]) -> None:
        super().__init__(ballot, voter)
        self.ballot = ballot
        self.voter = voter

    def __str__(self) -> str:
        return f"Consensus: {self.voter!r} has voted in ballot {self.ballot!r}. One vote for each."


class NotAParticipantError(ConsensusError):
    """*voter* is not asked."""

    def __init__(self, ballot: str, voter: Pid[Any]) -> None:
        super().__init__(ballot, voter)
        self.ballot = ballot
        self.voter = voter

    def __str__(self) -> str:
        return (
            f"Consensus: {self.voter!r} is not a participant of ballot {self.ballot!r}. "
            "Declare it in propose."
        )
