"""The log of a bus: bounded in number, bytes and age, and read by path, id and time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

import suptree as st
from suptree.services.signals import (
    ReplayPointError,
    Signal,
    SignalBus,
    SignalFormatError,
    SignalPathError,
    to_msgpack,
)
from suptree.services.signals.log import SignalLog
from suptree.testing import wait_mailbox_empty
from tests.services.signals.helpers import Recorder, numbered, signal

pytestmark = pytest.mark.suptree_loop("virtual")  # seconds and minutes pass


async def bus_of(**options: Any) -> st.Pid[SignalBus]:
    return await SignalBus.start_link(**options)


async def replayed(bus: Any, *args: Any, **options: Any) -> list[Any]:
    return [entry.signal.data for entry in await SignalBus.replay(bus, *args, **options)]


async def test_the_log_is_replayed_by_path_oldest_first_up_to_a_limit(runtime):
    recorder = Recorder(runtime)
    bus = await bus_of()
    for number in range(6):
        await SignalBus.publish(bus, signal("a.even" if number % 2 == 0 else "a.odd", number))

    assert await replayed(bus) == [0, 1, 2, 3, 4, 5]
    assert await replayed(bus, "*.odd") == [1, 3, 5]
    assert await replayed(bus, "*.odd", limit=2) == [1, 3]
    assert await replayed(bus, "b") == []
    await wait_mailbox_empty(bus)
    assert [
        (e["path"], e["read_count"], e["found_count"]) for e in recorder.of("log.replayed")
    ] == [
        ("**", 6, 6),
        ("*.odd", 6, 3),
        ("*.odd", 4, 2),
        ("b", 6, 0),
    ]


async def test_the_log_is_replayed_from_after_a_signal(runtime):
    bus = await bus_of()
    published = await SignalBus.publish(bus, numbered(5))

    assert await replayed(bus, since=published.signals[2].id) == [3, 4]
    assert await replayed(bus, since=published.signals[4].id) == []


async def test_the_log_is_replayed_from_a_time(runtime):
    bus = await bus_of()
    await SignalBus.publish(bus, numbered(3))
    first, _, last = await SignalBus.replay(bus)

    assert await replayed(bus, since=first.at) == [0, 1, 2]
    assert await replayed(bus, since=datetime.fromtimestamp(0, UTC)) == [0, 1, 2]
    assert await replayed(bus, since=last.at + 1.0) == []
    assert await replayed(bus, since=0) == [0, 1, 2]


async def test_to_replay_from_a_signal_that_left_the_log_is_an_error_and_not_a_gap(runtime):
    bus = await bus_of(log_entries=2)
    published = await SignalBus.publish(bus, numbered(3))

    with pytest.raises(ReplayPointError, match="is not in the log") as refused:
        await SignalBus.replay(bus, since=published.signals[0].id)

    assert refused.value.oldest == published.signals[1].id
    empty = await bus_of(log_entries=0)
    with pytest.raises(ReplayPointError, match="the log is empty"):
        await SignalBus.replay(empty, since="x")


async def test_a_wrong_path_is_refused(runtime):
    bus = await bus_of()
    with pytest.raises(SignalPathError):
        await SignalBus.replay(bus, "a..b")


async def test_a_long_log_is_read_in_pages_so_the_bus_is_never_long_at_it(runtime):
    bus = await bus_of(log_entries=5000)
    await SignalBus.publish(bus, numbered(6000))
    before = bus._process.messages_in

    assert await replayed(bus) == list(range(1000, 6000))

    assert bus._process.messages_in - before >= 6


async def test_what_is_published_while_the_log_is_read_is_not_among_it(runtime):
    bus = await bus_of()
    await SignalBus.publish(bus, numbered(3000))

    async def flood() -> None:
        while True:
            await SignalBus.publish(bus, numbered(100))
            await asyncio.sleep(0)

    pid = st.spawn(flood)
    assert len(await SignalBus.replay(bus)) == 3000
    st.exit(pid, st.KILL)


async def test_a_log_bounded_by_bytes_keeps_the_newest_that_fit(runtime):
    size = len(to_msgpack(numbered(1)[0]))
    bus = await bus_of(log_bytes=3 * size)

    await SignalBus.publish(bus, numbered(5))

    assert await replayed(bus) == [2, 3, 4]
    stats = await SignalBus.stats(bus)
    assert (stats.log_len, stats.log_bytes, stats.log_dropped) == (3, 3 * size, 2)


async def test_with_a_log_bounded_by_bytes_what_cannot_be_measured_is_refused(runtime):
    bus = await bus_of(log_bytes=1000)

    with pytest.raises(SignalFormatError, match="cannot be written"):
        await SignalBus.publish(bus, [signal(), signal(data=object())])

    assert (await SignalBus.stats(bus)).published == 0


async def test_signals_leave_the_log_when_they_are_too_old_though_nothing_else_happens(runtime):
    bus = await bus_of(log_ttl=10.0)
    await SignalBus.publish(bus, numbered(2))
    await asyncio.sleep(6.0)
    await SignalBus.publish(bus, signal(data="later"))

    await asyncio.sleep(4.1)
    assert await replayed(bus) == ["later"]
    await asyncio.sleep(20.0)
    stats = await SignalBus.stats(bus)
    assert (stats.log_len, stats.log_dropped) == (0, 3)


async def test_what_is_too_old_is_not_replayed_even_before_it_is_dropped(runtime):
    bus = await bus_of(log_ttl=10.0)
    old = await SignalBus.publish(bus, numbered(2))
    await asyncio.sleep(9.0)
    young = await SignalBus.publish(bus, numbered(1))
    await asyncio.sleep(1.5)

    assert (await SignalBus.stats(bus)).log_len == 3
    assert [entry.signal for entry in await SignalBus.replay(bus)] == list(young.signals)
    with pytest.raises(ReplayPointError) as refused:
        await SignalBus.replay(bus, since=old.signals[1].id)
    assert refused.value.oldest == young.signals[0].id


async def test_a_log_that_is_overrun_while_it_is_read_gives_what_is_left_of_that_time(runtime):
    bus = await bus_of(log_entries=2500)
    await SignalBus.publish(bus, numbered(2500))

    async def flood() -> None:
        while True:
            await SignalBus.publish(bus, numbered(1000))

    pid = st.spawn(flood)
    found = [entry.seq for entry in await SignalBus.replay(bus)]
    st.exit(pid, st.KILL)

    assert found == sorted(set(found))
    assert found[-1:] <= [2500]


async def test_a_bus_without_a_log_routes_all_the_same(runtime):
    bus = await bus_of(log_entries=0)
    await SignalBus.subscribe(bus, "**")

    published = await SignalBus.publish(bus, numbered(2))

    assert [receipt.seq for receipt in published.receipts] == [1, 2]
    assert await SignalBus.replay(bus) == []


def test_a_clock_that_is_set_back_does_not_confuse_a_replay_by_time():
    log = SignalLog(entries=10)
    for seq, wall in enumerate([100.0, 200.0, 150.0, 300.0], start=1):
        log.append(seq, signal(), wall=wall)

    assert [log.seq_before(at) for at in (50.0, 100.0, 151.0, 200.0, 201.0, 400.0)] == [
        *(0, 0, 1, 1, 3, 4)
    ]


def test_an_id_that_was_published_twice_is_found_at_its_last_place():
    log = SignalLog(entries=2)
    twice: Signal = signal(id="x")
    for seq, one in enumerate([twice, signal(), twice, signal()], start=1):
        log.append(seq, one, wall=1.0)

    assert log.seq_of("x") == 3
    log.append(5, signal(), wall=1.0)
    assert log.seq_of("x") is None


@given(
    some.integers(0, 5),
    some.none() | some.integers(1, 30),
    some.lists(some.tuples(some.integers(1, 12), some.floats(0.0, 5.0)), max_size=30),
)
def test_the_log_keeps_what_a_list_with_the_same_bounds_keeps(
    entries: int, max_bytes: int | None, added: list[tuple[int, float]]
):
    log = SignalLog(entries=entries, max_bytes=max_bytes, ttl=8.0)
    model: list[tuple[int, float, int]] = []
    now = 0.0
    for seq, (size, later) in enumerate(added, start=1):
        now += later
        log.expire(now, 1000)
        model = [one for one in model if one[1] + 8.0 > now]
        log.append(seq, signal(), wall=now, now=now, size=size)
        model.append((seq, now, size))
        while model and (
            len(model) > entries
            or (max_bytes is not None and sum(one[2] for one in model) > max_bytes)
        ):
            del model[0]

        assert [entry.seq for entry in log.page(0, 1000)] == [one[0] for one in model]
        assert log.bytes == sum(one[2] for one in model)
        assert log.dropped == seq - len(model)
        assert log.last == seq
