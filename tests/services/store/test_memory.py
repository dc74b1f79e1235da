"""What is put in the store outlives the service that put it there."""

from __future__ import annotations

import pytest

import suptree as st
from suptree.services import MemoryStore, StateOwner, Store
from suptree.testing import wait_down, wait_restarted


async def test_what_is_put_is_loaded_in_the_order_of_the_first_put(runtime):
    await StateOwner.start_link()
    store: Store = MemoryStore()

    await store.put("jobs", "b", 1)
    await store.put("jobs", "a", 2)
    await store.put("jobs", "b", 3)
    await store.put("flags", "b", True)

    assert list((await store.load("jobs")).items()) == [("b", 3), ("a", 2)]
    assert await store.load("flags") == {"b": True}
    assert await store.load("nothing") == {}


async def test_what_is_deleted_is_gone_and_what_is_not_there_is_no_error(runtime):
    await StateOwner.start_link()
    store = MemoryStore()
    await store.put("jobs", "a", 1)

    await store.delete("jobs", "a")
    await store.delete("jobs", "a")
    await store.delete("nowhere", "a")

    assert await store.load("jobs") == {}


async def test_what_is_loaded_is_a_copy(runtime):
    await StateOwner.start_link()
    store = MemoryStore()
    await store.put("jobs", "a", 1)

    loaded = await store.load("jobs")
    await store.put("jobs", "b", 2)

    assert loaded == {"a": 1}


async def test_it_outlives_the_service_that_uses_it(runtime):
    class Counter(st.GenServer):
        async def init(self) -> None:
            self.store = MemoryStore()
            self.count = (await self.store.load("counter")).get("count", 0)

        @st.call
        async def increment(self) -> int:
            self.count += 1
            await self.store.put("counter", "count", self.count)
            return self.count

    await StateOwner.start_link()
    supervisor = await st.Supervisor.start_link([st.child(Counter).with_(id="counter")])
    [first] = await st.Supervisor.which_children(supervisor)
    for _ in range(3):
        await Counter.increment(first.pid)

    st.exit(first.pid, st.KILL)
    second = await wait_restarted(supervisor, "counter", first.pid)

    assert await Counter.increment(second) == 4


async def test_without_its_owner_there_is_no_store(runtime):
    owner = await StateOwner.start()
    store = MemoryStore()
    st.exit(owner, st.KILL)
    await wait_down(owner)

    with pytest.raises(st.NoTableError):
        await store.load("jobs")


async def test_two_owners_of_tables_of_their_own_live_side_by_side(runtime):
    await StateOwner.start_link("one")
    await StateOwner.start_link("two")
    await MemoryStore("one").put("s", "k", 1)

    assert await MemoryStore("two").load("s") == {}


@pytest.mark.parametrize("wrong", [[], "", None, 7])
async def test_a_space_or_key_that_is_no_text_is_refused_and_nothing_is_kept(runtime, wrong):
    await StateOwner.start_link()
    store = MemoryStore()

    with pytest.raises(st.BadArgumentError, match="space must be a text"):
        await store.put(wrong, "a", 1)
    with pytest.raises(st.BadArgumentError, match="key must be a text"):
        await store.put("jobs", wrong, 1)
    with pytest.raises(st.BadArgumentError, match="key must be a text"):
        await store.delete("jobs", wrong)
    with pytest.raises(st.BadArgumentError, match="space must be a text"):
        await store.load(wrong)

    assert await store.load("jobs") == {}
