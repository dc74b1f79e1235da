"""Leases, the server itself, against a model: never two holders, tokens grow, first come first served."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import suptree as st
from suptree.services import Lease, LeaseError, LeaseLostError, Leases
from suptree.testing import VirtualLoop
from tests.services.primitives.people import settle

NAME = some.sampled_from(["a", "b"])
WHO = some.integers(0, 3)
TTL = some.sampled_from([2.0, 5.0, 64.0])
STEPS = some.lists(
    some.one_of(
        some.tuples(some.just("ask"), NAME, WHO, TTL),
        some.tuples(some.just("ask"), NAME, WHO, TTL),
        some.tuples(some.just("release"), NAME, some.booleans()),
        some.tuples(some.just("renew"), NAME, some.one_of(some.none(), TTL)),
        some.tuples(some.just("give up"), NAME, some.integers(0, 5)),
        some.tuples(some.just("die"), WHO),
        some.tuples(some.just("wait"), some.sampled_from([1.0, 3.0, 8.0])),
    ),
    max_size=40,
)


class Anybody(st.GenServer):
    """Lives until it is killed."""


@dataclass
class Asked:
    """One who asks; *due* is set while it holds the lease."""

    number: int
    holder: Any
    ttl: float
    due: float = 0.0


@dataclass
class Model:
    """The line of each name, the holder first; what each request has come to."""

    lines: dict[str, list[Asked]] = field(default_factory=lambda: {"a": [], "b": []})
    granted: list[int] = field(default_factory=list[int])
    refused: dict[int, type] = field(default_factory=dict[int, type])

    def ask(self, name: str, asked: Asked, now: float) -> None:
        self.lines[name].append(asked)
        if len(self.lines[name]) == 1:
            self.serve(name, now)

    def serve(self, name: str, now: float) -> None:
        if self.lines[name]:
            first = self.lines[name][0]
            first.due = now + first.ttl
            self.granted.append(first.number)

    def end(self, name: str, now: float) -> None:
        del self.lines[name][0]
        self.serve(name, now)

    def die(self, holder: Any, now: float) -> None:
        for line in self.lines.values():
            for gone in [each for each in line[1:] if each.holder is holder]:
                line.remove(gone)
                self.refused[gone.number] = LeaseError
        mine = [line[0] for line in self.lines.values() if line and line[0].holder is holder]
        for first in sorted(mine, key=lambda each: each.number):
            self.end(next(name for name, line in self.lines.items() if first in line), now)

    def pass_time(self, now: float) -> None:
        while True:
            dues = sorted((line[0].due, name) for name, line in self.lines.items() if line)
            if not dues or dues[0][0] > now:
                return
            self.end(dues[0][1], dues[0][0])


class World:
    """The server, who asks it, and the model."""

    def __init__(self, leases: Any, pids: list[Any]) -> None:
        self.leases, self.pids = leases, pids
        self.model = Model()
        self.tasks: dict[int, asyncio.Task[Lease]] = {}

    def lease_of(self, asked: Asked) -> Lease:
        return self.tasks[asked.number].result()

    async def do(self, number: int, step: tuple[Any, ...], now: float) -> None:
        line = self.model.lines.get(step[1], [])
        match step:
            case ("ask", name, who, ttl):
                request = Leases.acquire(
                    self.leases, name, ttl=ttl, timeout=None, holder=self.pids[who]
                )
                self.tasks[number] = asyncio.ensure_future(request)
                self.model.ask(name, Asked(number, self.pids[who], ttl), now)
            case ("release", name, waits) if line:
                lease = self.lease_of(line[0])
                if waits:
                    assert await Leases.release(self.leases, lease)
                else:
                    Leases.drop(self.leases, lease)
                self.model.end(name, now)
            case ("renew", name, ttl) if line:
                first, lease = line[0], self.lease_of(line[0])
                first.ttl = first.ttl if ttl is None else ttl
                first.due = now + first.ttl
                renewed = await Leases.renew(self.leases, lease, ttl)
                assert (renewed.token, renewed.ttl) == (lease.token, first.ttl)
            case ("give up", name, place) if len(line) > 1:
                gone = line.pop(1 + place % (len(line) - 1))
                self.model.refused[gone.number] = asyncio.CancelledError
                self.tasks[gone.number].cancel()
            case ("die", who):
                gone = self.pids[who]
                st.exit(gone, st.KILL)
                self.pids[who] = await Anybody.start()
                self.model.die(gone, now)
            case ("wait", seconds):
                await asyncio.sleep(seconds)
                self.model.pass_time(now + seconds)
        await settle()

    async def check(self, now: float) -> None:
        """The holder is the first who asked and is there, and the others stand behind it."""
        for name, line in self.model.lines.items():
            status = await Leases.status(self.leases, name)
            assert (status.lease is None) is (not line)
            assert status.waiters == tuple(each.holder for each in line[1:])
            if status.lease is not None:
                assert status.lease.token == self.lease_of(line[0]).token
                assert (status.lease.holder, status.lease.ttl) == (line[0].holder, line[0].ttl)
                assert (status.lease.expires_at, status.expires_in) == (
                    line[0].due,
                    line[0].due - now,
                )
        tokens = [self.tasks[number].result().token for number in self.model.granted]
        assert tokens == sorted(set(tokens))
        held = {self.lease_of(line[0]).token for line in self.model.lines.values() if line}
        for number in self.model.granted:
            lease = self.tasks[number].result()
            if lease.token not in held:
                assert await Leases.release(self.leases, lease) is False
                with pytest.raises(LeaseLostError):
                    await Leases.renew(self.leases, lease)
        refused = {number for number, task in self.tasks.items() if number in self.model.refused}
        for number in refused:
            (outcome,) = await asyncio.gather(self.tasks[number], return_exceptions=True)
            assert type(outcome) is self.model.refused[number]
        waiting = {each.number for line in self.model.lines.values() for each in line[1:]}
        assert {number for number, task in self.tasks.items() if not task.done()} == waiting


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_every_request_comes_to_what_the_model_says(steps):
    async def main() -> None:
        async with st.Runtime() as runtime:
            leases = await Leases.start_link()
            world = World(leases, [await Anybody.start() for _ in range(4)])
            for number, step in enumerate(steps):
                await world.do(number, step, runtime.now())
                await world.check(runtime.now())
            for pid in world.pids:
                st.exit(pid, st.KILL)
            await settle()
            state = await st.sys.get_state(leases)
            assert (state["lines"], len(state["owners"]), len(state["deadlines"])) == ({}, 0, 0)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())
