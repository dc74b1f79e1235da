"""Resources among processes that are killed, cancelled and careless: what must hold, holds."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    Budget,
    ResourceDeniedError,
    ResourceLimit,
    ResourceManager,
    ResourceToken,
)
from suptree.testing import wait_down, wait_mailbox_empty

pytestmark = pytest.mark.suptree_loop("virtual")  # they count seconds, exactly

LIMITS = {
    "core": ResourceLimit(4),
    "agent": ResourceLimit(5, costs={"memory": 2}),
    "cache": ResourceLimit(9, costs={"memory": 1}, refused_when_severe=True),
}


async def user(manager: Any, chance: random.Random) -> None:
    """Holds for a while, in every way there is, and forgets some of it."""
    forgotten: list[ResourceToken] = []
    while True:
        await asyncio.sleep(chance.uniform(0, 1))
        options: dict[str, Any] = {
            "timeout": chance.choice([0, 1, 10]),
            "ttl": chance.choice([None, None, 2]),
        }
        type, amount = chance.choice([*LIMITS]), chance.randint(1, 3)
        try:
            async with asyncio.timeout(chance.choice([0.5, 5])):
                if chance.random() < 0.2:
                    forgotten.append(await ResourceManager.acquire(manager, type, **options))
                elif forgotten and chance.random() < 0.5:
                    await ResourceManager.release(manager, forgotten.pop())
                else:
                    async with ResourceManager.hold(manager, type, amount, **options):
                        await asyncio.sleep(chance.uniform(0, 2))
        except (ResourceDeniedError, TimeoutError):
            pass


@pytest.mark.parametrize("seed", range(15))
async def test_limits_hold_the_whole_time_and_nothing_is_held_in_the_end(runtime, seed):
    chance = random.Random(seed)
    manager = await ResourceManager.start_link(LIMITS, budgets={"memory": Budget(12)})
    users = [runtime.spawn(user, manager, chance) for _ in range(8)]

    for _ in range(100):
        await asyncio.sleep(chance.uniform(0, 0.5))
        if chance.random() < 0.3:
            victim = chance.randrange(len(users))
            st.exit(users[victim], chance.choice([st.KILL, st.SHUTDOWN]))
            await wait_down(users[victim])
            users[victim] = runtime.spawn(user, manager, chance)
        seen = await ResourceManager.stats(manager)
        out = await ResourceManager.tokens(manager)
        for name, type in seen.types.items():
            assert type.in_use == sum(one.amount for one in out if one.type == name)
            assert type.in_use <= type.limit
        assert seen.budgets["memory"].declared <= 12
        assert seen.waiting == sum(type.waiting for type in seen.types.values())
    for pid in users:
        st.exit(pid, st.KILL)
        await wait_down(pid)
    await wait_mailbox_empty(manager)

    seen = await ResourceManager.stats(manager)
    ends = seen.released + seen.expired + seen.orphaned + seen.abandoned
    assert (seen.tokens, seen.waiting, seen.budgets["memory"].used) == (0, 0, 0)
    assert seen.acquired == ends > 50
    server = manager._process.server
    assert len(server.owners) == 0
    assert len(server.due) == 0
