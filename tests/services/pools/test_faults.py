"""A pool in a world where everything goes wrong at random: what must hold, holds."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    ConnectionPool,
    ConnectionPoolClosedError,
    ConnectionPoolOverloadedError,
    ConnectionPoolTimeoutError,
    RetryPolicy,
)
from suptree.testing import wait_down
from tests.services.pools.world import Connection, World

pytestmark = pytest.mark.suptree_loop("virtual")  # they count seconds, exactly

MOST = 4
EXPECTED = (
    ConnectionPoolTimeoutError,
    ConnectionPoolOverloadedError,
    ConnectionPoolClosedError,
    st.NoProcessError,
    st.ServerExitError,
    ConnectionError,
    ValueError,
    TimeoutError,
)


class Unreliable(World):
    """Connects, checks and closes late, never, or with an error; notes who has what."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance = chance
        self.used: dict[Connection, int] = {}
        self.shared = 0

    async def connect(self) -> Connection:
        self.connecting = self.chance.choice([0, 0, 0.1, 1, 1e6])
        self.refusing = self.chance.choice([None, None, None, OSError("no"), SystemExit(1)])
        return await super().connect()

    async def check(self, connection: Connection) -> Any:
        connection.broken = self.chance.choice([None, None, None, "yes", "hangs", OSError("no")])
        return await super().check(connection)

    async def close(self, connection: Connection) -> None:
        self.closing = self.chance.choice([0, 0, 0.5, 1e6])
        self.close_error = self.chance.choice([None, None, OSError("no")])
        await super().close(connection)

    def use(self, connection: Connection, by: int) -> None:
        self.shared += connection in self.used
        self.used[connection] = by


async def borrower(world: Unreliable, spec: Any, number: int) -> None:
    """Borrows again and again, and ends its blocks in every way there is."""
    chance = world.chance
    while True:
        await asyncio.sleep(chance.uniform(0, 2))
        try:
            async with asyncio.timeout(chance.choice([0.5, 5, 60])):
                block = ConnectionPool.connection(spec, timeout=chance.choice([0, 1, 10]))
                async with block as connection:
                    world.use(connection, number)
                    try:
                        await asyncio.sleep(chance.uniform(0, 1))
                        what = chance.random()
                        if what < 0.1:
                            block.discard()
                        elif what < 0.2:
                            raise ConnectionResetError
                        elif what < 0.3:
                            raise ValueError
                    finally:
                        del world.used[connection]
        except EXPECTED:
            pass


@pytest.mark.parametrize("seed", range(25))
async def test_never_more_than_allowed_are_open_none_is_lent_twice_and_none_is_left(runtime, seed):
    chance = random.Random(seed)
    random.seed(seed)  # the jitter of the pool
    world = Unreliable(chance)
    spec = world.spec(
        max_size=MOST,
        min_size=chance.choice([0, 2]),
        max_age=20.0,
        age_jitter=0.5,
        max_idle=5.0,
        check_every=2.0,
        max_waiting=6,
        broken_on=(ConnectionError,),
        interrupted=chance.choice(["discard", "check"]),
        refill=RetryPolicy.exponential(first=0.1, cap=2.0, max_attempts=None, total_time=1e9),
    )
    tree = await st.Supervisor.start_link([ConnectionPool.child(spec)])
    borrowers = [runtime.spawn(borrower, world, spec, number) for number in range(10)]

    for turn in range(100):
        await asyncio.sleep(chance.uniform(0, 1))
        victim = chance.randrange(10)
        if chance.random() < 0.3:
            st.exit(borrowers[victim], chance.choice([st.KILL, st.SHUTDOWN]))
            await wait_down(borrowers[victim])
            borrowers[victim] = runtime.spawn(borrower, world, spec, victim)
        if chance.random() < 0.1:
            with contextlib.suppress(st.NoProcessError, st.ServerExitError):  # it restarts just now
                for pid in (await st.TaskSupervisor.children(spec.connections))[:1]:
                    st.exit(pid, chance.choice([st.SHUTDOWN, st.KILL]))
        if turn % 20 == 19 and (pool := st.whereis("pool")) is not None:
            st.exit(pool, st.KILL)
        assert world.most <= MOST
    for pid in borrowers:
        st.exit(pid, st.SHUTDOWN)
        await wait_down(pid)
    await asyncio.sleep(10)
    seen = await ConnectionPool.stats(spec)
    await st.Supervisor.stop(tree)
    await asyncio.sleep(10)

    assert (seen.in_use, seen.waiting) == (0, 0)
    assert world.most <= MOST
    assert len(world.made) > MOST
    assert (world.shared, world.open, world.under_way) == (0, set(), 0)
    assert min(one.closes for one in world.made) == 1
