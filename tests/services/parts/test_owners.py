"""Who owns what goes with the one who owns it."""

from __future__ import annotations

import suptree as st
from suptree.services.parts.owners import Owners
from suptree.testing import wait_down, wait_until


class Cloakroom(st.GenServer):
    """Keeps tickets, and notes those whose owner has ended."""

    def __init__(self) -> None:
        self.owners: Owners[int] = Owners()
        self.lost: list[int] = []

    @st.call
    def add(self, owner: st.Pid, *keys: int) -> None:
        for key in keys:
            self.owners.add(owner, key)

    @st.call
    def discard(self, owner: st.Pid, key: int) -> None:
        self.owners.discard(owner, key)

    @st.call
    def look(self, owner: st.Pid) -> tuple[list[int], int, bool]:
        return self.owners.keys_of(owner), len(self.owners), owner in self.owners

    def handle_info(self, message: object) -> None:
        self.lost += self.owners.gone(message)


class Idle(st.GenServer):
    """Owns things."""


async def test_what_an_owner_holds_is_gone_when_it_ends_oldest_first(runtime):
    room = await Cloakroom.start_link()
    owner = await Idle.start()
    other = await Idle.start_link()
    await Cloakroom.add(room, owner, 3, 1, 2)
    await Cloakroom.add(room, other, 9)

    st.exit(owner, st.KILL)
    await wait_until(lambda: room._process.server.lost)

    assert room._process.server.lost == [3, 1, 2]
    assert await Cloakroom.look(room, owner) == ([], 1, False)
    assert await Cloakroom.look(room, other) == ([9], 1, True)


async def test_an_owner_is_watched_once_however_much_it_holds(runtime):
    room = await Cloakroom.start_link()
    owner = await Idle.start_link()
    await Cloakroom.add(room, owner, *range(100))

    assert len(room._process.watching) == 1


async def test_one_that_holds_nothing_any_more_is_not_watched(runtime):
    room = await Cloakroom.start_link()
    owner = await Idle.start_link()
    await Cloakroom.add(room, owner, 1, 2)

    for key in (1, 7, 2):
        await Cloakroom.discard(room, owner, key)

    assert not room._process.watching
    assert await Cloakroom.look(room, owner) == ([], 0, False)


async def test_a_dead_owner_is_gone_at_once(runtime):
    room = await Cloakroom.start_link()
    owner = await Idle.start()
    await Idle.stop(owner)

    await Cloakroom.add(room, owner, 1)
    await wait_until(lambda: room._process.server.lost)

    assert room._process.server.lost == [1]


async def test_an_old_down_says_nothing_about_a_new_holding(runtime):
    owners: Owners[int] = Owners()
    owner = await Idle.start()
    owners.add(owner, 1)
    owners.discard(owner, 1)
    st.exit(owner, st.KILL)
    await wait_down(owner)
    owners.add(owner, 2)

    down = await st.receive()

    assert owners.gone(down) == [2]
    assert owners.gone(down) == []
    assert owners.gone("anything else") == []
