"""`BarrierTable`: who waits at which barrier, and whether all are there.  Pure: no clock, no process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from suptree.core import Pid
from suptree.services.parts.checks import bad_argument, checked_items
from suptree.services.primitives.errors import (
    AlreadyArrivedError,
    BarrierError,
    BarrierMismatchError,
    NotAPartyError,
)

__all__ = [
    "Arrival",
    "Arrived",
    "BarrierStats",
    "BarrierTable",
    "Generation",
    "Parties",
    "checked_parties",
]

Parties = int | frozenset[Pid[Any]]
"""So many, whoever they are; or exactly these."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """All are there: the *generation*, growing; the place in which this one came, from 0; how many."""

    generation: int
    place: int
    parties: int


@dataclass(frozen=True, slots=True)
class BarrierStats:
    """Generations that are forming, with how many wait; that met, and that broke, ever."""

    forming: int
    waiting: int
    tripped: int
    broken: int


@dataclass(frozen=True, slots=True, eq=False)
class Arrived:
    """One who waits; *is_here* says whether it still does."""

    party: Pid[Any]
    key: object
    due: float
    is_here: Callable[[], bool]
    answer: Callable[[object], object]
    refuse: Callable[[BarrierError], object]


@dataclass(slots=True)
class Generation:
    """One meeting that is forming."""

    number: int
    parties: Parties
    since: float
    arrived: dict[Pid[Any], Arrived]

    @property
    def size(self) -> int:
        """How many have to come."""
        return self.parties if isinstance(self.parties, int) else len(self.parties)

    def has(self, party: Pid[Any], key: object) -> bool:
        """Whether *party* waits, by the arrival with that key."""
        arrived = self.arrived.get(party)
        return arrived is not None and arrived.key is key

    def watched(self) -> list[Pid[Any]]:
        """Whose death breaks it."""
        return list(self.arrived) if isinstance(self.parties, int) else list(self.parties)


class BarrierTable:
    """The forming generation of each name; there is none while nobody waits."""

    __slots__ = ("forming", "number")

    def __init__(self) -> None:
        self.forming: dict[str, Generation] = {}
        self.number = 0

    def arrive(
        self, name: str, parties: Parties, arrived: Arrived, now: float
    ) -> tuple[Generation, bool]:
        """Enter who has come; whether that completes the generation, which then is over.

        Raises:
            BarrierMismatchError, NotAPartyError, AlreadyArrivedError: Nothing has changed.
        """
        generation = self.forming.get(name)
        if generation is not None and generation.parties != parties:
            raise BarrierMismatchError(name, generation.parties, parties)
        if isinstance(parties, frozenset) and arrived.party not in parties:
            raise NotAPartyError(name, arrived.party)
        if generation is None:
            self.number += 1
            generation = self.forming[name] = Generation(self.number, parties, now, {})
        if arrived.party in generation.arrived:
            raise AlreadyArrivedError(name, arrived.party)
        generation.arrived[arrived.party] = arrived
        complete = len(generation.arrived) == generation.size
        if complete:
            del self.forming[name]
        return generation, complete

    def missing(self, name: str, party: Pid[Any]) -> list[Arrived]:
        """Who must be looked at before *party* arrives, and is not there any more.

        Itself, which may come again, and everybody before the last one comes.
        """
        generation = self.forming.get(name)
        if generation is None:
            return []
        arrived = generation.arrived
        last = len(arrived) + 1 >= generation.size
        some = arrived.values() if last else [each for each in (arrived.get(party),) if each]
        return [each for each in some if not each.is_here()]

    def leave(self, name: str, party: Pid[Any]) -> None:
        """*party* waits no longer; with the last one the generation is gone."""
        generation = self.forming[name]
        del generation.arrived[party]
        if not generation.arrived:
            del self.forming[name]

    def give_up(self, name: str) -> Generation | None:
        """There will be no such meeting."""
        return self.forming.pop(name, None)


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


def _is_pid(value: object) -> bool:
    return isinstance(value, Pid)
