"""`Cache`: read without a message, bounded, never a value whose time is over."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import Cache
from suptree.testing import wait_until

pytestmark = pytest.mark.suptree_loop("virtual")  # they count seconds, exactly


async def named(**options: Any) -> str:
    await st.Supervisor.start_link([st.child(Cache, **options).with_(name="cache")])
    return "cache"


def heard(runtime: st.Runtime) -> list[tuple[str, dict[str, Any]]]:
    """What the cache says from now on: the end of the event's name, and all its facts."""
    events: list[tuple[str, dict[str, Any]]] = []

    def hear(event: Any, numbers: Any, facts: Any) -> None:
        events.append((event.name.removeprefix("suptree.cache."), {**numbers, **facts}))

    runtime.telemetry.attach("test", "suptree.cache.*", hear)
    return events


# -- reading -----------------------------------------------------------------------------------


async def test_what_was_put_is_there_by_name_and_by_pid_and_what_was_not_is_the_default(runtime):
    cache = await named()
    await Cache.put(cache, "tea", None)

    assert Cache.get(cache, "tea", "default") is None
    assert Cache.get(runtime.whereis(cache), "tea", "default") is None
    assert Cache.get(cache, "milk") is None
    assert Cache.get(cache, "milk", "default") == "default"


async def test_a_read_sends_no_message_and_needs_no_turn_of_the_server(runtime):
    cache = await named()
    await Cache.put(cache, "tea", 3)
    await st.sys.suspend(cache)

    assert Cache.get(cache, "tea") == 3

    await st.sys.resume(cache)


async def test_a_read_of_no_cache_names_the_near_one(runtime):
    await named()

    with pytest.raises(st.NoProcessError, match="did you mean 'cache'"):
        Cache.get("cahce", "tea")


async def test_a_read_of_another_server_is_refused(runtime):
    other = await st.Supervisor.start_link([])

    with pytest.raises(st.BadArgumentError, match="cache must be a Cache"):
        Cache.get(other, "tea")


@pytest.mark.parametrize("key", [[], float("nan"), {1: 2}], ids=repr)
async def test_what_can_be_no_key_is_refused_when_it_is_read_and_when_it_is_put(runtime, key):
    cache = await named()

    with pytest.raises(st.BadArgumentError, match=r"Cache\.get: key must be hashable"):
        Cache.get(cache, key)
    with pytest.raises(st.BadArgumentError, match=r"Cache\.put: key must be hashable"):
        await Cache.put(cache, key, 1)

    assert (await Cache.stats(cache)).puts == 0


async def test_the_table_can_be_looked_into_by_the_name_of_the_cache(runtime):
    cache = await named()
    await Cache.put(cache, "tea", 3)

    assert [entry.value for entry in st.Table.lookup("cache").values()] == [3]


# -- time -----------------------------------------------------------------------------------------


async def test_a_value_is_there_until_its_time_is_over_and_never_after(runtime):
    cache = await named(cleanup_interval=1000.0)
    await Cache.put(cache, "tea", 3, ttl=10.0)

    await asyncio.sleep(9.999)
    assert Cache.get(cache, "tea") == 3
    await asyncio.sleep(0.001)
    assert Cache.get(cache, "tea") is None

    stats = await Cache.stats(cache)
    assert (stats.entries, stats.missed_expired, stats.expired) == (1, 1, 0)


async def test_the_default_time_holds_where_none_is_said(runtime):
    cache = await named(default_ttl=5.0)
    await Cache.put(cache, "tea", 3)
    await Cache.put(cache, "bread", 4, ttl=6.0)

    await asyncio.sleep(5.0)

    assert (Cache.get(cache, "tea"), Cache.get(cache, "bread")) == (None, 4)


async def test_values_that_are_over_are_thrown_away_within_the_interval_by_one_timer(runtime):
    cache, began = await named(cleanup_interval=60.0), runtime.now()
    for n in range(3000):
        await Cache.put(cache, n, n, ttl=1.0 + n / 100)
    timers = runtime.ticker.timers.live

    await asyncio.sleep(59.999)
    assert (await Cache.stats(cache)).entries == 3000
    await asyncio.sleep(0.001)
    while (stats := await Cache.stats(cache)).entries:  # in portions, without time passing
        await asyncio.sleep(0)

    assert (stats.expired, runtime.now() - began) == (3000, 60.0)
    assert timers == 1


async def test_nothing_wakes_the_cache_while_nothing_is_there(runtime):
    await named(cleanup_interval=1.0)

    with pytest.raises(TimeoutError):  # nothing else is due: a cache that woke would not end this
        async with asyncio.timeout(1e6):
            await asyncio.Event().wait()


# -- room -------------------------------------------------------------------------------------------


async def test_the_value_that_was_used_longest_ago_goes_and_reading_is_a_use(runtime):
    cache = await named(max_entries=3)
    for key in "abc":
        await Cache.put(cache, key, key)
    Cache.get(cache, "a")

    await Cache.put(cache, "d", "d")

    assert [Cache.get(cache, key) for key in "abcd"] == ["a", None, "c", "d"]


async def test_a_value_whose_time_is_over_goes_before_any_good_one(runtime):
    cache = await named(max_entries=2, cleanup_interval=1000.0)
    await Cache.put(cache, "old", 1)
    await Cache.put(cache, "over", 2, ttl=1.0)
    await asyncio.sleep(1.0)

    await Cache.put(cache, "new", 3)

    stats = await Cache.stats(cache)
    assert [Cache.get(cache, key) for key in ("old", "over", "new")] == [1, None, 3]
    assert (stats.evicted, stats.expired) == (0, 1)


async def test_what_is_gone_does_not_keep_its_value_alive(runtime):
    cache = await named(max_entries=1)
    await Cache.put(cache, "a", "large")
    entry = st.Table.lookup("cache")["a"]

    await Cache.put(cache, "b", "other")

    assert entry.value is None


# -- changing ----------------------------------------------------------------------------------------


async def test_delete_says_whether_a_good_value_was_there(runtime):
    cache = await named(cleanup_interval=1000.0)
    await Cache.put(cache, "tea", 3)
    await Cache.put(cache, "over", 4, ttl=1.0)
    await asyncio.sleep(1.0)

    assert await Cache.delete(cache, "tea") is True
    assert await Cache.delete(cache, "tea") is False
    assert await Cache.delete(cache, "over") is False

    stats = await Cache.stats(cache)
    assert (stats.entries, stats.deleted, stats.expired) == (0, 1, 1)


async def test_clear_forgets_everything_and_says_how_much_that_was(runtime):
    cache = await named()
    for n in range(10):
        await Cache.put(cache, n, n)

    assert await Cache.clear(cache) == 10

    assert Cache.get(cache, 1) is None
    assert (await Cache.stats(cache)).cleared == 10


async def test_a_smaller_bound_lets_the_least_recently_used_go_at_once_in_portions(runtime):
    cache = await named()
    for n in range(5000):
        await Cache.put(cache, n, n)
    Cache.get(cache, 0)

    await Cache.reconfigure(cache, max_entries=2)
    while (stats := await Cache.stats(cache)).entries > 2:
        await asyncio.sleep(0)

    assert stats.evicted == 4998
    assert [key for key in range(5000) if Cache.get(cache, key) is not None] == [0, 4999]


async def test_other_times_hold_for_what_comes(runtime):
    cache = await named(default_ttl=10.0, cleanup_interval=1000.0)
    await Cache.put(cache, "before", 1)

    await Cache.reconfigure(cache, default_ttl=100.0, cleanup_interval=10.0)
    await Cache.put(cache, "after", 2)
    await asyncio.sleep(10.5)

    assert (Cache.get(cache, "before"), Cache.get(cache, "after")) == (None, 2)
    assert (await Cache.stats(cache)).entries == 1


async def test_a_cache_that_is_started_again_is_empty_and_goes_by_its_options(runtime):
    cache = await named(max_entries=1)
    await Cache.put(cache, "a", 1)
    killed = runtime.whereis(cache)

    st.exit(killed, st.KILL)
    await wait_until(lambda: st.whereis(cache) not in (None, killed))

    assert Cache.get(cache, "a") is None
    await Cache.put(cache, "a", 1)
    await Cache.put(cache, "b", 2)
    assert (Cache.get(cache, "a"), Cache.get(cache, "b")) == (None, 2)


# -- telling --------------------------------------------------------------------------------------------


async def test_every_thing_that_happens_to_an_entry_is_told(runtime):
    cache = await named(max_entries=2, cleanup_interval=30.0)
    pid = runtime.whereis(cache)
    events = heard(runtime)
    await Cache.put(cache, "a", 1, ttl=60.0)
    await asyncio.sleep(2.0)
    Cache.get(cache, "a")
    Cache.get(cache, "x")
    await Cache.put(cache, "a", 2, ttl=50.0)
    await Cache.put(cache, "b", 3, ttl=10.0)
    await Cache.put(cache, "c", 4)
    await Cache.delete(cache, "c")
    await asyncio.sleep(10.0)
    Cache.get(cache, "b")
    await asyncio.sleep(20.0)
    await Cache.clear(cache)

    of = {"cache": pid}
    assert events == [
        ("entry.put", {**of, "key": "a", "ttl_s": 60.0, "entries_count": 1, "replaced": False}),
        ("read.hit", {**of, "key": "a", "age_s": 2.0}),
        ("read.missed", {**of, "key": "x", "count": 1, "reason": "absent"}),
        ("entry.put", {**of, "key": "a", "ttl_s": 50.0, "entries_count": 1, "replaced": True}),
        ("entry.put", {**of, "key": "b", "ttl_s": 10.0, "entries_count": 2, "replaced": False}),
        ("entry.put", {**of, "key": "c", "ttl_s": 300.0, "entries_count": 3, "replaced": False}),
        ("entry.evicted", {**of, "key": "a", "age_s": 0.0, "entries_count": 2}),
        ("entry.deleted", {**of, "key": "c", "entries_count": 1}),
        ("read.missed", {**of, "key": "b", "count": 1, "reason": "expired"}),
        ("expired.cleaned", {**of, "expired_count": 1, "entries_count": 0}),
        ("entries.cleared", {**of, "cleared_count": 0}),
    ]
