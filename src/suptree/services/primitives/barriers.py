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
from dataclasses import dataclass, field
from typing import Any

from suptree.core import Pid, ReplyTo
from suptree.otp import NoReply, ServerRef, call, cast
from suptree.services.parts.checks import check_name, check_seconds
from suptree.services.primitives import errors, events
from suptree.services.primitives.arguments import Parties, checked_parties
from suptree.services.primitives.base import Primitive, asker, wait_in
from suptree.services.primitives.stats import BarrierStats
from suptree.services.primitives.values import Arrival

__all__ = ["Barriers"]


@dataclass(slots=True, eq=False)
class _Arrived:
    key: object  # whose it is, when somebody leaves
    sender: ReplyTo
    due: float


@dataclass(slots=True)
class _Generation:
    number: int
    parties: Parties
    since: float
    arrived: dict[Pid[Any], _Arrived] = field(default_factory=dict[Pid[Any], _Arrived])

    def missing(self) -> int:
        size = self.parties if isinstance(self.parties, int) else len(self.parties)
        return size - len(self.arrived)


class Barriers(Primitive[str]):
    """The server; also the client of every one: `Barriers.arrive(barriers, name, parties)`."""

    refusal = errors.BarrierError
    counted = ("tripped", "broken")

    def __init__(self) -> None:
        super().__init__()
        self.forming: dict[str, _Generation] = {}  # none of a name while nobody waits there
        self.number = 0

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
        enter, leave, given = Barriers._enter, Barriers._leave, checked_parties(parties)
        return await wait_in(enter, leave, barriers, name, given, timeout, asker(party))

    @call
    def waiting(self, name: str) -> tuple[Pid[Any], ...]:
        """Who waits there, in the order in which they came."""
        check_name("Barriers", "name", name)
        return tuple(self.forming[name].arrived) if name in self.forming else ()

    @call
    def stats(self) -> BarrierStats:
        """How many of what."""
        waiting = sum(len(generation.arrived) for generation in self.forming.values())
        return BarrierStats(len(self.forming), waiting, **self.counts)

    @call(timeout=None)
    def _enter(
        self, name: str, key: object, parties: Parties, timeout: float, party: Pid[Any]
    ) -> Arrival | NoReply:
        self.check_alive("party", party)
        named = () if isinstance(parties, int) else parties
        self.check_here("parties", *named)
        if named and party not in named:
            raise errors.NotAPartyError(name, party)
        self._let_go(name, party)
        generation = self.forming.get(name)
        if generation is None:
            self.number += 1
            generation = self.forming[name] = _Generation(self.number, parties, self.now())
        if generation.parties != parties:
            raise errors.BarrierMismatchError(name, generation.parties, parties)
        if party in generation.arrived:
            raise errors.AlreadyArrivedError(name, party)
        generation.arrived[party] = _Arrived(key, self.sender, self.now() + timeout)
        if generation.missing():
            self.watch(named or (party,), name)
            self._set_deadline(name)
        else:
            self._tripped(name)
        return NoReply()

    @cast
    def _leave(self, name: str, key: object) -> None:
        arrived = self.forming[name].arrived if name in self.forming else {}
        for party in [pid for pid, each in arrived.items() if each.key is key]:
            self._left(name, party)

    def overdue(self, key: str) -> None:
        """Not all came in time."""
        self._broken(key, "not all arrived in time")

    def departed(self, key: str, pid: Pid[Any], reason: object) -> None:
        """A party has died."""
        self._broken(key, f"{pid!r} died")

    def _let_go(self, name: str, party: Pid[Any]) -> None:
        """Before *party* comes again, or completes it: who has gone is not there.

        The news of it may still be to come.
        """
        generation = self.forming.get(name)
        if generation is None:
            return
        arrived = generation.arrived
        for pid in list(arrived) if generation.missing() == 1 else arrived.keys() & {party}:
            if (arrived[pid].sender.done() or not pid.is_alive()) and name in self.forming:
                self._left(name, pid)

    def _left(self, name: str, party: Pid[Any]) -> None:
        """*party* has given up, or died."""
        generation = self.forming[name]
        if not party.is_alive():
            self._broken(name, f"{party!r} died")
        elif len(generation.arrived) == 1:
            self._over(name)
        else:
            del generation.arrived[party]
            if isinstance(generation.parties, int):
                self.owners.discard(party, name)
            self._set_deadline(name)

    def _tripped(self, name: str) -> None:
        generation = self._over(name)
        self.counts["tripped"] += 1
        number, size = generation.number, len(generation.arrived)
        for place, arrived in enumerate(generation.arrived.values()):
            self.reply(arrived.sender, Arrival(number, place, size))
        facts = {"barrier": name, "generation": number, "parties_count": size}
        self.emit(events.BARRIER_TRIPPED, waited_s=self.now() - generation.since, **facts)

    def _broken(self, name: str, cause: str) -> None:
        generation = self._over(name)
        self.counts["broken"] += 1
        number, size = generation.number, len(generation.arrived)
        for arrived in generation.arrived.values():
            self.reply_error(arrived.sender, errors.BarrierBrokenError(name, number, cause))
        facts = {"barrier": name, "generation": number, "arrived_count": size, "cause": cause}
        self.emit(events.BARRIER_BROKEN, waited_s=self.now() - generation.since, **facts)

    def _over(self, name: str) -> _Generation:
        generation = self.forming.pop(name)
        named = generation.parties
        self.settled(name, generation.arrived if isinstance(named, int) else named, name)
        return generation

    def _set_deadline(self, name: str) -> None:
        arrived = self.forming[name].arrived.values()
        self.due_at(name, min(each.due for each in arrived))
