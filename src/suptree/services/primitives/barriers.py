"""`Barriers`: several processes wait for one another, and go on together.

The first to arrive begins a generation and says who belongs to it: a number, or exactly
which processes.  When all have arrived each gets an `Arrival`, and the name is free for
the next generation.  If a party dies, or a deadline passes, all who wait get
BarrierBrokenError.  Whoever gives up waiting has not arrived.

>>> import asyncio, suptree as st
>>> from suptree.services import Barriers
>>> async def main():
...     async with st.Runtime() as rt:
...         barriers = await Barriers.start_link()
...         rt.spawn(Barriers.arrive, barriers, "ready", 2)
...         return (await Barriers.arrive(barriers, "ready", 2)).parties
>>> asyncio.run(main())
2
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from suptree.core import Pid, current
from suptree.otp import NoReply, ServerRef, call, cast
from suptree.services.parts.checks import check_name, check_seconds
from suptree.services.primitives import events
from suptree.services.primitives.barrier_table import (
    Arrival,
    Arrived,
    BarrierStats,
    BarrierTable,
    Generation,
    Parties,
    checked_parties,
)
from suptree.services.primitives.base import Primitive
from suptree.services.primitives.errors import BarrierBrokenError, BarrierError

__all__ = ["Barriers"]


class Barriers(Primitive[str]):
    """The server; also the client of every one: `Barriers.arrive(barriers, name, parties)`."""

    refusal = BarrierError

    def __init__(self) -> None:
        super().__init__()
        self.table = BarrierTable()
        self.tripped = self.broken = 0

    @staticmethod
    async def arrive(
        barriers: ServerRef[Barriers],
        name: str,
        parties: int | Iterable[Pid[Any]],
        *,
        timeout: float = 60.0,
        party: Pid[Any] | None = None,
    ) -> Arrival:
        """Wait until all have arrived.

        Args:
            barriers: The server.
            name: Where to meet.
            parties: How many meet there, or exactly who; the same for all of them.
            timeout: Seconds until this generation is broken if somebody is missing; of
                those who wait the shortest counts.
            party: Who arrives; default: the current process.

        Raises:
            BarrierBrokenError: A party died, or not all came in time.
            AlreadyArrivedError, NotAPartyError, BarrierMismatchError: Nothing has changed.
            BarrierError: No live party, or one of another runtime.
            BadArgumentError: A wrong name, timeout, party, or wrong parties.
        """
        check_name("Barriers", "name", name)
        check_seconds("Barriers", "timeout", timeout)
        given = checked_parties(parties)
        pid = current() if party is None else party
        key, met = object(), False
        try:
            arrival = await Barriers._enter(barriers, name, given, timeout, key, pid)
            met = True
            return arrival
        finally:
            if not met:
                Barriers._leave(barriers, name, key, pid)

    @call(timeout=None)
    def _enter(
        self, name: str, parties: Parties, timeout: float, key: object, party: Pid[Any]
    ) -> Arrival | NoReply:
        self.check_alive("party", party)
        for pid in () if isinstance(parties, int) else parties:
            self.check_here("parties", pid)
        for each in self.table.missing(name, party):
            self._left(name, each.party, each.key)
        sender, now = self.sender, self.now()

        def answer(value: object) -> None:
            self.reply(sender, value)

        def refuse(error: BarrierError) -> None:
            self.reply_error(sender, error)

        arrived = Arrived(party, key, now + timeout, lambda: not sender.done(), answer, refuse)
        generation, complete = self.table.arrive(name, parties, arrived, now)
        if complete:
            self._tripped(name, generation)
        else:
            for pid in generation.watched():
                self.owners.add(pid, name)
            self._set_deadline(name)
        return NoReply()

    @cast
    def _leave(self, name: str, key: object, party: Pid[Any]) -> None:
        self._left(name, party, key)

    @call
    def waiting(self, name: str) -> tuple[Pid[Any], ...]:
        """Who waits there, in the order in which they came."""
        check_name("Barriers", "name", name)
        generation = self.table.forming.get(name)
        return () if generation is None else tuple(generation.arrived)

    @call
    def stats(self) -> BarrierStats:
        """How many of what."""
        forming = self.table.forming
        waiting = sum(len(generation.arrived) for generation in forming.values())
        return BarrierStats(len(forming), waiting, self.tripped, self.broken)

    def overdue(self, key: str) -> None:
        """Not all came in time."""
        self._broken(key, "not all arrived in time")

    def departed(self, key: str, pid: Pid[Any], reason: object) -> None:
        """A party has died."""
        self._broken(key, f"{pid!r} died")

    # -- private -------------------------------------------------------------------------

    def _left(self, name: str, party: Pid[Any], key: object) -> None:
        generation = self.table.forming.get(name)
        if generation is None or not generation.has(party, key):
            return
        if not party.is_alive():
            self._broken(name, f"{party!r} died")
            return
        watched = generation.watched()
        self.table.leave(name, party)
        if not generation.arrived:
            self._forget(name, watched)
            return
        if isinstance(generation.parties, int):
            self.owners.discard(party, name)
        self._set_deadline(name)

    def _tripped(self, name: str, generation: Generation) -> None:
        self.tripped += 1
        self._forget(name, generation.watched())
        for place, arrived in enumerate(generation.arrived.values()):
            arrived.answer(Arrival(generation.number, place, generation.size))
        numbers = {"parties_count": generation.size, "waited_s": self.now() - generation.since}
        self.emit(
            events.BARRIER_TRIPPED, numbers, {"barrier": name, "generation": generation.number}
        )

    def _broken(self, name: str, cause: str) -> None:
        generation = self.table.give_up(name)
        if generation is None:
            return
        self.broken += 1
        self._forget(name, generation.watched())
        for arrived in generation.arrived.values():
            arrived.refuse(BarrierBrokenError(name, generation.number, cause))
        numbers = {
            "arrived_count": len(generation.arrived),
            "waited_s": self.now() - generation.since,
        }
        facts = {"barrier": name, "generation": generation.number, "cause": cause}
        self.emit(events.BARRIER_BROKEN, numbers, facts)

    def _forget(self, name: str, watched: Iterable[Pid[Any]]) -> None:
        self.not_due(name)
        for pid in watched:
            self.owners.discard(pid, name)

    def _set_deadline(self, name: str) -> None:
        arrived = self.table.forming[name].arrived.values()
        self.due_at(name, min(each.due for each in arrived))
