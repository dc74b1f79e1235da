"""What is given to leases, barriers and votes, and is refused when it will not do.

In the client, before anything is sent, where it could run code of the caller; else in the
server, where a refusal is an answer.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Final

from suptree.core import Pid
from suptree.services.parts.checks import (
    bad_argument,
    check_kind,
    check_name,
    check_seconds,
    checked_items,
    is_text,
)
from suptree.services.primitives.values import Lease

__all__ = ["Parties", "Proposal", "asked_lease", "check_lease", "check_ttl", "checked_parties"]

_PLAIN: Final = (int, float, bytes, enum.Enum, type(None))

Parties = int | frozenset[Pid[Any]]
"""So many, whoever they are; or exactly these."""


def asked_lease(name: str, ttl: float, timeout: float | None, holder: Pid[Any]) -> Lease:
    """The lease as it is asked for: without a token, and not had yet.

    Raises:
        BadArgumentError: A wrong name, ttl or timeout.
    """
    check_name("Leases", "name", name)
    check_ttl(ttl)
    check_seconds("Leases", "timeout", timeout, zero=True, optional=True)
    return Lease(name, holder, 0, float(ttl), 0.0)


def check_lease(lease: object) -> None:
    """Refuse what is no lease."""
    check_kind("Leases", "lease", lease, Lease, "a Lease", "Give back what acquire returned.")


def check_ttl(ttl: object, *, optional: bool = False) -> None:
    """Refuse what is no time for which a lease could be held."""
    advice = "Renew a lease that is needed for longer."
    check_seconds("Leases", "ttl", ttl, optional=optional, advice=advice)


def checked_parties(parties: object) -> Parties:
    """*parties* as they are compared.

    Raises:
        BadArgumentError: They are neither a number of at least 1 nor pids.
    """
    wanted = "a number of at least 1, or pids"
    if not isinstance(parties, int):
        return frozenset(checked_items("Barriers", "parties", parties, wanted, _is_pid))
    if isinstance(parties, bool) or parties < 1:
        raise bad_argument("Barriers", "parties", wanted, parties)
    return parties


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

    def check_choices(self, ballot: str, choices: tuple[object, ...]) -> None:
        """Refuse what nobody may vote for in *ballot*, which asks this."""
        for choice in choices:
            if not _is_plain(choice) or choice not in self.choices:
                wanted = f"one of {self.choices!r} in ballot {ballot!r}"
                raise bad_argument("Consensus", "choice", wanted, choice)


def _is_pid(value: object) -> bool:
    return isinstance(value, Pid)


def _is_plain(value: object) -> bool:
    """Whether it can be counted: its equality and its hash are those of its kind."""
    if isinstance(value, str) and not isinstance(value, enum.Enum):
        return is_text(value)
    return isinstance(value, _PLAIN) and value == value  # NaN is not
