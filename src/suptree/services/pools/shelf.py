"""`Shelf`: the connections of a pool and where each is in its life.  No clock, no processes."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from suptree.core import Pid, Ref

__all__ = ["Entry", "EntryState", "Shelf"]

C = TypeVar("C")


class EntryState(StrEnum):
    """Where a connection is in its life."""

    OPENING = "opening"
    IDLE = "idle"
    CHECKING = "checking"
    LENT = "lent"
    CLOSING = "closing"


@dataclass(slots=True)
class Entry(Generic[C]):
    """One connection of a pool, from the wish for it until its process has ended.

    Attributes:
        number: Unique in the pool.
        round: How many attempts to open one had failed, one after the other, when it was begun.
        asked_at: When it was asked for.
        state: Changed by `Shelf.move` alone, which counts.
        pid: Its process; None: not yet known.
        ref: The monitor of that.
        connection: What `connect` made; None: not yet.
        opened_at: When it was open; None: not yet.
        retires_at: When it is too old.
        idle_since: When it was used last.
        checked_at: When it was used or checked last.
        lease: The lease by which it is lent; None: it is not.
        reason: Why it is being closed.
    """

    number: int
    round: int
    asked_at: float
    state: EntryState = EntryState.OPENING
    pid: Pid[Any] | None = None
    ref: Ref | None = None
    connection: C | None = None
    opened_at: float | None = None
    retires_at: float = float("inf")
    idle_since: float = 0.0
    checked_at: float = 0.0
    lease: int | None = None
    reason: str = ""


class Shelf(Generic[C]):
    """Entries by number, how many there are in each state, and which is lent next."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry[C]] = {}
        # The one used last is lent first, so that those that are not needed stay idle and go.
        self._idle: OrderedDict[int, None] = OrderedDict()
        self._counts = dict.fromkeys(EntryState, 0)
        self._number = 0

    def add(self, now: float, round: int) -> Entry[C]:
        """One more, which is being opened."""
        self._number += 1
        entry: Entry[C] = Entry(self._number, round, now)
        self._entries[entry.number] = entry
        self._counts[entry.state] += 1
        return entry

    def move(self, entry: Entry[C], state: EntryState, *, used: bool = True) -> None:
        """*entry* is in *state* now; free and not *used*, it is lent after all others."""
        self._counts[entry.state] -= 1
        self._counts[state] += 1
        self._idle.pop(entry.number, None)
        if state is EntryState.IDLE:
            self._idle[entry.number] = None
            self._idle.move_to_end(entry.number, last=used)
        entry.state = state

    def remove(self, number: int) -> Entry[C] | None:
        """It is gone."""
        entry = self._entries.pop(number, None)
        if entry is not None:
            self._counts[entry.state] -= 1
            self._idle.pop(number, None)
        return entry

    def get(self, number: int) -> Entry[C] | None:
        """The entry of that number, or None."""
        return self._entries.get(number)

    def next_idle(self) -> Entry[C] | None:
        """The free one that was used last, or None."""
        number = next(reversed(self._idle), None)
        return None if number is None else self._entries[number]

    def entries(self) -> list[Entry[C]]:
        """All of them, oldest first."""
        return list(self._entries.values())

    def count(self, state: EntryState) -> int:
        """How many are in *state*."""
        return self._counts[state]

    def __len__(self) -> int:
        """How many there are, those that are being opened and closed included."""
        return len(self._entries)
