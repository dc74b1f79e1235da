"""`Elections`: one leader for each name, the next in line when it resigns or dies.

Candidates stand in line and are watched; the first one leads.  Each change begins a term
with a number larger than all before, over restarts too, and every candidate and follower is
told by a `LeaderChanged` message.  Whoever stands or follows learns it from the answer, and
by a message too only if it did not wait for the answer.

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

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from suptree.core import Pid, current_process
from suptree.errors import CallTimeoutError
from suptree.otp import ServerRef, call, cast
from suptree.services.parts.checks import check_name, check_process
from suptree.services.parts.store import Store
from suptree.services.primitives import errors, events
from suptree.services.primitives.base import asker
from suptree.services.primitives.epochs import Numbered
from suptree.services.primitives.stats import ElectionStats
from suptree.services.primitives.values import LeaderChanged

__all__ = ["Elections"]

T = TypeVar("T")


@dataclass(slots=True)
class _Election:
    candidates: dict[Pid[Any], None] = field(default_factory=dict[Pid[Any], None])
    followers: dict[Pid[Any], None] = field(default_factory=dict[Pid[Any], None])
    leader: Pid[Any] | None = None
    term: int = 0

    def line(self, role: str) -> dict[Pid[Any], None]:
        return self.candidates if role == "candidate" else self.followers


class Elections(Numbered[str]):
    """The server; also the client of every one: `Elections.stand(elections, name)`.

    Args:
        store: Keeps the terms growing over restarts of the program.
        space: The space in the store.
    """

    refusal = errors.ElectionError
    counted = ("changes", "undelivered")

    def __init__(self, *, store: Store | None = None, space: str = "elections") -> None:
        super().__init__(store, space)
        self.table: dict[str, _Election] = {}

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
        return await _asked(Elections._enter, elections, name, "candidate", asker(candidate))

    @staticmethod
    async def follow(
        elections: ServerRef[Elections], name: str, *, follower: Pid[Any] | None = None
    ) -> LeaderChanged:
        """Be told of every change, without being a candidate; who leads now."""
        return await _asked(Elections._enter, elections, name, "follower", asker(follower))

    @staticmethod
    async def resign(
        elections: ServerRef[Elections], name: str, *, candidate: Pid[Any] | None = None
    ) -> bool:
        """Lead no longer, or stand in line no longer; whether it was a candidate."""
        return await _asked(Elections._quit, elections, name, "candidate", asker(candidate))

    @staticmethod
    async def unfollow(
        elections: ServerRef[Elections], name: str, *, follower: Pid[Any] | None = None
    ) -> bool:
        """Be told no more; whether it was a follower."""
        return await _asked(Elections._quit, elections, name, "follower", asker(follower))

    @call
    def leader(self, name: str) -> LeaderChanged:
        """Who leads now, since which term."""
        check_name("Elections", "name", name)
        return self._settle(name) if name in self.table else LeaderChanged(name, None, 0)

    @call
    def candidates(self, name: str) -> tuple[Pid[Any], ...]:
        """Who stands, the next in line first; the leader comes first of all."""
        check_name("Elections", "name", name)
        return tuple(self.table[name].candidates) if name in self.table else ()

    @call
    def stats(self) -> ElectionStats:
        """How many of what."""
        candidates = sum(len(each.candidates) for each in self.table.values())
        followers = sum(len(each.followers) for each in self.table.values())
        return ElectionStats(len(self.table), candidates, followers, **self.counts)

    def departed(self, key: str, pid: Pid[Any], reason: object) -> None:
        """A candidate or a follower has ended."""
        self.table[key].candidates.pop(pid, None)
        self.table[key].followers.pop(pid, None)
        self._settle(key)

    @call
    def _enter(self, name: str, role: str, pid: Pid[Any]) -> LeaderChanged:
        self.check_alive(role, pid)
        self.table.setdefault(name, _Election()).line(role)[pid] = None
        self.owners.add(pid, name)
        return self._settle(name, told=self.sender.pid)

    @call
    def _quit(self, name: str, role: str, pid: Pid[Any]) -> bool:
        check_process("Elections", role, pid)
        election = self.table.get(name)
        if election is None or pid not in election.line(role):
            return False
        del election.line(role)[pid]
        if pid not in election.candidates and pid not in election.followers:
            self.owners.discard(pid, name)
        self._settle(name, cause="resigned" if pid is election.leader else "died")
        return True

    @cast
    def _missed(self, name: str, pid: Pid[Any]) -> None:
        """*pid* does not know what its request has come to."""
        election = self.table.get(name)
        if election is not None and pid in {**election.candidates, **election.followers}:
            self.tell(pid, LeaderChanged(name, election.leader, election.term))

    def _settle(
        self, name: str, *, told: Pid[Any] | None = None, cause: str = "died"
    ) -> LeaderChanged:
        """The first in line who lives leads; if that is news, all but *told* hear it.

        The Down of a leader may still be to come: nobody has to wait for it.
        """
        election = self.table[name]
        line, before = election.candidates, election.leader
        leader = election.leader = next((pid for pid in line if pid.is_alive()), None)
        if leader is not None and leader is not before:
            election.term = self.next_number()
        news = LeaderChanged(name, leader, election.term)
        if leader is not before:
            self.counts["changes"] += 1
            for pid in {**line, **election.followers}:
                if pid is not told:
                    self.tell(pid, news)
            facts = {"election": name, "leader": leader, "before": before, "term": news.term}
            why = "elected" if before is None else cause
            self.emit(events.LEADER_CHANGED, candidates_count=len(line), cause=why, **facts)
        if not line and not election.followers:
            del self.table[name]
        return news


async def _asked(
    request: Callable[..., Awaitable[T]],
    elections: ServerRef[Elections],
    name: str,
    role: str,
    pid: Pid[Any],
) -> T:
    """The answer.  Whoever gives up before it hears by message what is done all the same."""
    check_name("Elections", "name", name)
    try:
        return await request(elections, name, role, pid)
    except (CallTimeoutError, asyncio.CancelledError):
        process = current_process()
        if process is not None and process.is_alive():
            Elections._missed(elections, name, process.pid)
        raise
