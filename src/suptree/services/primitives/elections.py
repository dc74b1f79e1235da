"""`Elections`: one leader for each name, the next in line when it resigns or dies.

Candidates stand in line and are watched; the first one leads.  Each change begins a term
with a number larger than all before, over restarts too, and every candidate and follower
but the one whose own request made the change is told by a `LeaderChanged` message.

The line goes with the server: who stands in it monitors the server and stands again, or
starts after it under rest_for_one.

>>> import asyncio, suptree as st
>>> from suptree.services import Elections
>>> async def main():
...     async with st.Runtime():
...         elections = await Elections.start_link()
...         standing = await Elections.stand(elections, "planner")
...         return standing.leader == st.current()
>>> asyncio.run(main())
True
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from suptree.core import Pid, current
from suptree.otp import ServerRef, call
from suptree.services.parts.checks import check_name, check_process
from suptree.services.parts.store import Store, checked_store
from suptree.services.primitives import events
from suptree.services.primitives.base import Primitive
from suptree.services.primitives.epochs import first_number
from suptree.services.primitives.errors import ElectionError

__all__ = ["ElectionStats", "Elections", "LeaderChanged"]


@dataclass(frozen=True, slots=True)
class LeaderChanged:
    """Who leads *election*: a pid, or None while nobody stands; and since which term (0: none yet)."""

    election: str
    leader: Pid[Any] | None
    term: int


@dataclass(frozen=True, slots=True)
class ElectionStats:
    """Elections, candidates and followers now; changes of a leader, and news refused by full mailboxes, ever."""

    elections: int
    candidates: int
    followers: int
    changes: int
    undelivered: int


@dataclass(slots=True)
class _Election:
    line: dict[Pid[Any], None] = field(default_factory=dict[Pid[Any], None])
    followers: dict[Pid[Any], None] = field(default_factory=dict[Pid[Any], None])
    leader: Pid[Any] | None = None
    term: int = 0


class Elections(Primitive[str]):
    """The server; also the client of every one: `Elections.stand(elections, name)`.

    Args:
        store: Keeps the terms growing over restarts of the program.
        space: The space in the store.
    """

    refusal = ElectionError

    def __init__(self, *, store: Store | None = None, space: str = "elections") -> None:
        super().__init__()
        self.store, self.space = checked_store("Elections", store), space
        self.table: dict[str, _Election] = {}
        self.changes = 0

    async def init(self) -> None:
        """Terms go on above all that there were."""
        self.term = await first_number(self.store, self.space, self.pid)

    @staticmethod
    async def stand(
        elections: ServerRef[Elections], name: str, *, candidate: Pid[Any] | None = None
    ) -> LeaderChanged:
        """Be a candidate from now on, by default the current process; who leads now.

        Standing twice is standing once, in the first place in line.

        Raises:
            ElectionError: No live candidate.
            BadArgumentError: A wrong name or candidate.
        """
        pid = current() if candidate is None else candidate
        return await Elections._enter(elections, name, pid, True)

    @staticmethod
    async def follow(
        elections: ServerRef[Elections], name: str, *, follower: Pid[Any] | None = None
    ) -> LeaderChanged:
        """Be told of every change, without being a candidate; who leads now."""
        pid = current() if follower is None else follower
        return await Elections._enter(elections, name, pid, False)

    @staticmethod
    async def resign(
        elections: ServerRef[Elections], name: str, *, candidate: Pid[Any] | None = None
    ) -> bool:
        """Lead no longer, or stand in line no longer; whether it was a candidate."""
        pid = current() if candidate is None else candidate
        return await Elections._quit(elections, name, pid, True)

    @staticmethod
    async def unfollow(
        elections: ServerRef[Elections], name: str, *, follower: Pid[Any] | None = None
    ) -> bool:
        """Be told no more; whether it was a follower."""
        pid = current() if follower is None else follower
        return await Elections._quit(elections, name, pid, False)

    # -- handlers ------------------------------------------------------------------------

    @call
    def _enter(self, name: str, pid: Pid[Any], stands: bool) -> LeaderChanged:
        check_name("Elections", "name", name)
        self.check_alive("candidate" if stands else "follower", pid)
        election = self.table.setdefault(name, _Election())
        (election.line if stands else election.followers)[pid] = None
        self.owners.add(pid, name)
        return self._current(name, told=self.sender.pid)

    @call
    def _quit(self, name: str, pid: Pid[Any], stands: bool) -> bool:
        check_name("Elections", "name", name)
        check_process("Elections", "candidate" if stands else "follower", pid)
        election = self.table.get(name)
        if election is None or pid not in (election.line if stands else election.followers):
            return False
        del (election.line if stands else election.followers)[pid]
        self._after_leaving(name, pid, "resigned")
        return True

    @call
    def leader(self, name: str) -> LeaderChanged:
        """Who leads now, since which term."""
        check_name("Elections", "name", name)
        return self._current(name, told=None)

    @call
    def candidates(self, name: str) -> tuple[Pid[Any], ...]:
        """Who stands, the next in line first; the leader comes first of all."""
        check_name("Elections", "name", name)
        return tuple(self.table.get(name, _Election()).line)

    @call
    def stats(self) -> ElectionStats:
        """How many of what."""
        elections = self.table.values()
        return ElectionStats(
            len(elections),
            sum(len(each.line) for each in elections),
            sum(len(each.followers) for each in elections),
            self.changes,
            self.undelivered,
        )

    def departed(self, key: str, pid: Pid[Any], reason: object) -> None:
        """A candidate or a follower has ended."""
        election = self.table[key]
        election.line.pop(pid, None)
        election.followers.pop(pid, None)
        self._after_leaving(key, pid, "died")

    # -- private -------------------------------------------------------------------------

    def _current(self, name: str, told: Pid[Any] | None) -> LeaderChanged:
        """Who leads; the next in line already when the leader has died and its Down is to come."""
        election = self.table.get(name)
        if election is None:
            return LeaderChanged(name, None, 0)
        if election.leader is None:
            self._elect(name, "elected", told)
        elif not election.leader.is_alive():
            self._elect(name, "died", told)
        return LeaderChanged(name, election.leader, election.term)

    def _after_leaving(self, name: str, pid: Pid[Any], cause: str) -> None:
        election = self.table[name]
        if pid not in election.line and pid not in election.followers:
            self.owners.discard(pid, name)
        if pid is election.leader and pid not in election.line:
            self._elect(name, cause, told=pid)
        if not election.line and not election.followers:
            del self.table[name]

    def _elect(self, name: str, cause: str, told: Pid[Any] | None) -> None:
        """The first in line that lives leads; its death was told or will be, if it does not."""
        election = self.table[name]
        before = election.leader
        election.leader = next((pid for pid in election.line if pid.is_alive()), None)
        if election.leader is before:
            return
        self.changes += 1
        if election.leader is not None:
            self.term += 1
            election.term = self.term
        news = LeaderChanged(name, election.leader, election.term)
        for pid in {**election.line, **election.followers}:
            if pid is not told:
                self.tell(pid, news)
        facts = {"election": name, "leader": election.leader, "before": before, "cause": cause}
        numbers = {"candidates_count": len(election.line)}
        self.emit(events.LEADER_CHANGED, numbers, {**facts, "term": election.term})
