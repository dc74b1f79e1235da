"""SampledEvents: once per interval, in batches, and `emit_if`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as hs

import suptree as st
from suptree.services.observing import Batch, SampledEvents, batched_event, emit_if
from suptree.services.observing.batching import Batches
from suptree.services.observing.once import OncePer
from suptree.telemetry import Event, TelemetryBus
from suptree.testing import wait_mailbox_empty, wait_restarted

SENT = Event(
    "app.mail.sent",
    measurements={"size_bytes": "bytes"},
    metadata={"queue": "which"},
    doc="A mail went out.",
)
FULL = Event("app.disk.filled", metadata={"path": "which"}, doc="A disk is full.")

pytestmark = pytest.mark.suptree_loop("virtual")


class Heard(list[tuple[str, Mapping[str, float], Mapping[str, object]]]):
    """A handler that keeps what it heard."""

    def __call__(self, event: Event, numbers: Any, facts: Any) -> None:
        self.append((event.name, numbers, facts))


@pytest.fixture
def heard(runtime: st.Runtime) -> Heard:
    heard = Heard()
    runtime.telemetry.strict = True
    runtime.telemetry.attach("heard", "app.*", heard)
    return heard


# -- once per interval ---------------------------------------------------------------------


async def test_an_event_is_emitted_once_per_interval(runtime, heard):
    server = await SampledEvents.start_link()
    for _ in range(25):
        SampledEvents.emit_once_per(server, FULL, 1.0, {}, {"path": "/var"})
        await asyncio.sleep(0.1)

    assert len(heard) == 3
    stats = await SampledEvents.stats(server)
    assert (stats.emitted, stats.suppressed) == (3, 22)


async def test_keys_are_told_apart_and_so_are_events(runtime, heard):
    server = await SampledEvents.start_link()
    for path in ("/var", "/tmp", "/var"):
        SampledEvents.emit_once_per(server, FULL, 1.0, {}, {"path": path}, key=path)
    SampledEvents.emit_once_per(server, SENT, 1.0, {"size_bytes": 1}, {"queue": "q"}, key="/var")
    await wait_mailbox_empty(server)

    assert [facts.get("path") for _, _, facts in heard] == ["/var", "/tmp", None]


async def test_keys_are_forgotten_when_their_interval_is_over(runtime, heard):
    server = await SampledEvents.start_link()
    for number in range(10):
        SampledEvents.emit_once_per(server, FULL, 1.0, {}, {"path": "x"}, key=number)
    assert (await SampledEvents.stats(server)).keys == 10

    await asyncio.sleep(1.0)
    assert (await SampledEvents.stats(server)).keys == 0


async def test_one_key_too_many_has_the_first_to_go_forgotten_early_and_counted(runtime, heard):
    server = await SampledEvents.start_link(max_keys=2)
    for key in ("a", "b", "c", "a"):
        SampledEvents.emit_once_per(server, FULL, 1.0, {}, {"path": key}, key=key)

    stats = await SampledEvents.stats(server)
    assert (stats.keys, stats.evicted) == (2, 2)
    assert [facts["path"] for _, _, facts in heard] == ["a", "b", "c", "a"]


async def test_an_interval_that_cannot_be_kept_lets_the_event_through(runtime, heard):
    server = await SampledEvents.start_link()
    for _ in range(2):
        SampledEvents.emit_once_per(server, FULL, 301, {}, {"path": "/var"})

    assert (await SampledEvents.stats(server)).refused == 2
    assert len(heard) == 2


async def test_what_is_emitted_is_as_it_was_when_it_was_emitted(runtime, heard):
    server = await SampledEvents.start_link()
    facts = {"path": "/var"}
    SampledEvents.emit_once_per(server, FULL, 1.0, {}, facts)
    facts["path"] = "/home"
    await SampledEvents.stats(server)

    assert [facts["path"] for _, _, facts in heard] == ["/var"]


@pytest.mark.parametrize("size", [10**400, float("inf"), "much", 1.7e308])
async def test_a_number_that_makes_no_sum_is_refused_and_the_others_are_summed(
    runtime, heard, size
):
    server = await SampledEvents.start_link()
    for one in (1e308, size, 1):
        SampledEvents.batch(server, SENT, {"size_bytes": one}, {})
    await SampledEvents.flush(server)

    assert (await SampledEvents.stats(server)).refused == 1
    assert [numbers["size_bytes"] for _, numbers, _ in heard] == [1e308]


MOMENTS = hs.lists(hs.tuples(hs.floats(0, 3), hs.integers(0, 4), hs.sampled_from([1.0, 2.5])))


@given(steps=MOMENTS)
def test_once_per_does_as_a_model_that_remembers_everything(steps):
    once, now = OncePer(), 0.0
    until: dict[int, float] = {}
    for gap, key, interval in steps:
        now += gap
        first = until.get(key, -1.0) <= now
        assert once.is_first(key, interval, now) == first
        if first:
            until[key] = now + interval
        assert len(once) == sum(one > now for one in until.values())


@given(steps=MOMENTS, limit=hs.integers(1, 3))
def test_once_per_never_remembers_more_than_it_may(steps, limit):
    once, now = OncePer(max_keys=limit), 0.0
    for gap, key, interval in steps:
        now += gap
        once.is_first(key, interval, now)
        assert len(once) <= limit


@pytest.mark.parametrize(("max_keys", "forget_after"), [(0, 1.0), (1, 0), (1, float("nan"))])
def test_bounds_that_are_none_are_refused(max_keys, forget_after):
    with pytest.raises(ValueError, match="must be"):
        OncePer(max_keys=max_keys, forget_after=forget_after)


# -- batches ----------------------------------------------------------------------------------


async def test_a_full_batch_is_emitted_at_once_with_its_sums(runtime, heard):
    server = await SampledEvents.start_link(batches={SENT: Batch(size=3)})
    for size in (1, 2, 3, 10):
        SampledEvents.batch(server, SENT, {"size_bytes": size}, {"queue": "q"})
    await wait_mailbox_empty(server)

    assert heard == [("app.mail.sent.batched", {"size_bytes": 6, "events_count": 3}, {})]


async def test_a_batch_that_does_not_fill_is_emitted_when_it_is_due(runtime, heard):
    server = await SampledEvents.start_link(batches={SENT: Batch(timeout=0.5)})
    SampledEvents.batch(server, SENT, {"size_bytes": 1}, {"queue": "q"})
    await asyncio.sleep(0.4)
    SampledEvents.batch(server, SENT, {"size_bytes": 2}, {"queue": "q"})
    assert heard == []

    await asyncio.sleep(0.11)
    assert heard == [("app.mail.sent.batched", {"size_bytes": 3, "events_count": 2}, {})]


async def test_a_batch_that_is_due_earlier_does_not_wait_for_one_begun_before(runtime, heard):
    server = await SampledEvents.start_link(
        batches={SENT: Batch(timeout=10.0), FULL: Batch(timeout=0.5)}
    )
    SampledEvents.batch(server, SENT, {"size_bytes": 1}, {"queue": "q"})
    SampledEvents.batch(server, FULL, {}, {"path": "/var"})

    await asyncio.sleep(0.6)
    assert [name for name, _, _ in heard] == ["app.disk.filled.batched"]
    assert len(runtime.info(server).timers) == 1
    await asyncio.sleep(9.6)
    assert [name for name, _, _ in heard][1:] == ["app.mail.sent.batched"]


async def test_tags_keep_batches_apart(runtime, heard):
    server = await SampledEvents.start_link(batches={SENT: Batch(size=2, tags=("queue",))})
    for queue in ("slow", "fast", "fast"):
        SampledEvents.batch(server, SENT, {"size_bytes": 5}, {"queue": queue})
    await SampledEvents.flush(server)

    assert heard == [
        ("app.mail.sent.batched", {"size_bytes": 10, "events_count": 2}, {"queue": "fast"}),
        ("app.mail.sent.batched", {"size_bytes": 5, "events_count": 1}, {"queue": "slow"}),
    ]


async def test_one_group_too_many_has_the_oldest_emitted_early_and_nothing_is_lost(runtime, heard):
    server = await SampledEvents.start_link(
        batches={SENT: Batch(size=10, tags=("queue",), max_groups=2)}
    )
    for queue in ("a", "b", "c"):
        SampledEvents.batch(server, SENT, {"size_bytes": 5}, {"queue": queue})

    stats = await SampledEvents.stats(server)
    assert [facts["queue"] for _, _, facts in heard] == ["a"]
    assert (stats.early, stats.held, stats.batched) == (1, 2, 3)


async def test_a_server_that_ends_in_order_emits_what_it_holds(runtime, heard):
    server = await SampledEvents.start_link()
    SampledEvents.batch(server, SENT, {"size_bytes": 5}, {"queue": "q"})
    await SampledEvents.stop(server)

    assert heard == [("app.mail.sent.batched", {"size_bytes": 5, "events_count": 1}, {})]


async def test_after_a_restart_it_batches_as_it_was_told_to(runtime, heard):
    supervisor = await st.Supervisor.start_link(
        [st.child(SampledEvents, batches={SENT: Batch(size=2)}).with_(id="events", name="events")],
        strategy="one_for_one",
    )
    first = st.whereis("events")
    st.exit("events", st.KILL)
    await wait_restarted(supervisor, "events", first)
    for _ in range(2):
        SampledEvents.batch("events", SENT, {"size_bytes": 5}, {"queue": "q"})
    await wait_mailbox_empty("events")

    assert [numbers["events_count"] for _, numbers, _ in heard] == [2]


async def test_what_is_no_number_is_counted_and_not_summed(runtime, heard):
    server = await SampledEvents.start_link()
    for size in (1, float("nan"), "2", float("inf"), 3):
        SampledEvents.batch(server, SENT, {"size_bytes": size}, {"queue": "q"})
    await SampledEvents.flush(server)

    assert heard[0][1] == {"size_bytes": 4, "events_count": 5}
    assert (await SampledEvents.stats(server)).refused == 3


def test_the_declaration_of_a_batch_names_its_sums_and_tags():
    event = batched_event(SENT, ("queue",))

    assert event.name == "app.mail.sent.batched"
    assert dict(event.measurements) == {
        "size_bytes": "sum of: bytes",
        "events_count": "how many events these are",
    }
    assert dict(event.metadata) == {"queue": "which"}


@given(
    steps=hs.lists(hs.tuples(hs.floats(0, 2), hs.integers(0, 9), hs.sampled_from("abc"))),
    size=hs.integers(1, 4),
    groups=hs.integers(1, 3),
)
def test_no_event_and_no_number_is_lost_or_counted_twice_and_no_batch_is_late(steps, size, groups):
    batch = Batch(size=size, timeout=1.0, tags=("queue",), max_groups=groups)
    batches, now, out, since = Batches({SENT: batch}), 0.0, [], {}
    for gap, number, queue in steps:
        now += gap
        due = batches.due(now)
        assert all(since[facts["queue"]] + 1.0 <= now for _, _, facts in due)
        out += due
        assert all(
            begun + 1.0 > now
            for queue_, begun in since.items()
            if queue_ not in {facts["queue"] for _, _, facts in due}
            and queue_ in {values[0] for kind in batches._kinds.values() for values in kind.groups}
        )
        open_before = {v[0] for kind in batches._kinds.values() for v in kind.groups}
        if queue not in open_before:
            since[queue] = now
        out += batches.add(SENT, {"size_bytes": number}, {"queue": queue}, now)
        assert batches.open_count() <= groups
    out += batches.flush()

    assert batches.next_due() is None
    assert sum(numbers["events_count"] for _, numbers, _ in out) == len(steps)
    for queue in "abc":
        total = sum(number for _, number, one in steps if one == queue)
        mine = [numbers["size_bytes"] for _, numbers, facts in out if facts["queue"] == queue]
        assert sum(mine) == total
    assert all(numbers["events_count"] <= size for _, numbers, _ in out)


@pytest.mark.parametrize(
    "bad",
    [{"size": 0}, {"size": True}, {"timeout": 0}, {"timeout": float("inf")}, {"max_groups": 0}],
)
def test_a_batch_that_could_not_work_is_refused(bad):
    with pytest.raises(ValueError, match="must be"):
        Batch(**bad)


# -- emit_if --------------------------------------------------------------------------------------


def test_emit_if_asks_nothing_while_nobody_listens():
    def never() -> Any:
        raise AssertionError

    assert emit_if(TelemetryBus(), never, FULL, never) is False


@pytest.mark.parametrize(
    ("condition", "emitted"),
    [(True, True), (False, False), (lambda: True, True), (lambda: 0, False)],
)
def test_emit_if_emits_if_it_holds(condition, emitted):
    bus, heard = TelemetryBus(strict=True), Heard()
    bus.attach("heard", FULL, heard)

    assert emit_if(bus, condition, FULL, lambda: ({}, {"path": "/var"})) is emitted
    assert len(heard) == emitted
