"""The bus: publishing, subscriptions that are tied to their process, and what it tells."""

from __future__ import annotations

from typing import Any

import pytest

import suptree as st
from suptree.services.signals import (
    BusHealth,
    Signal,
    SignalBus,
    SignalDelivery,
    SignalOptionsError,
    SignalOutcome,
    SignalPathError,
    SignalReceived,
    Subscription,
    SubscriptionLimitError,
    SubscriptionTakenError,
)
from suptree.testing import turn, wait_down, wait_mailbox_empty
from tests.services.signals.helpers import (
    Recorder,
    Seen,
    Worker,
    all_received,
    numbered,
    received,
    signal,
)

pytestmark = pytest.mark.suptree_loop("virtual")  # seconds and minutes pass


async def bus_of(**options: Any) -> st.Pid[SignalBus]:
    pid = await SignalBus.start_link(**options)
    st.register("bus", pid)
    return pid


# -- publish and subscribe ----------------------------------------------------------------


async def test_a_subscriber_gets_the_signals_of_its_path_in_order_and_no_others(runtime):
    bus = await bus_of()
    id = await SignalBus.subscribe(bus, "shop.order.*")

    batch = [signal("shop.order.placed", 1), signal("shop.cart", 2), signal("shop.order.paid", 3)]
    published = await SignalBus.publish(bus, batch)

    got = await all_received()
    assert [one.signal for one in got] == [batch[0], batch[2]]
    assert [(one.subscription, one.attempt, one.bus, one.ack) for one in got] == [
        (id, 1, bus, False)
    ] * 2
    assert [receipt.matched for receipt in published.receipts] == [1, 0, 1]
    assert [receipt.seq for receipt in published.receipts] == [1, 2, 3]


async def test_the_publisher_is_told_what_became_of_each_signal_at_each_subscriber(runtime):
    bus = await bus_of()
    fast = await SignalBus.subscribe(bus, "**", id="fast")
    tight = SignalDelivery(ack=True, max_in_flight=1, max_pending=1, overflow="drop_newest")
    await SignalBus.subscribe(bus, "**", id="slow", delivery=tight)

    published = await SignalBus.publish(bus, numbered(4))

    assert published.by_subscription == {
        fast: {SignalOutcome.SENT: 4},
        "slow": {SignalOutcome.SENT: 1, SignalOutcome.BUFFERED: 1, SignalOutcome.DROPPED: 2},
    }
    assert published.counts == {
        SignalOutcome.SENT: 5,
        SignalOutcome.BUFFERED: 1,
        SignalOutcome.DROPPED: 2,
    }
    assert published.receipts[3].counts == {SignalOutcome.SENT: 1, SignalOutcome.DROPPED: 1}


async def test_deliveries_go_by_specificity_then_priority_then_registration(runtime):
    bus = await bus_of()
    for id, path, priority in [
        ("any", "**", 100),
        ("late", "a.*", 0),
        ("later", "a.*", 0),
        ("first", "a.*", 5),
        ("exact", "a.b", -100),
    ]:
        await SignalBus.subscribe(bus, path, id=id, priority=priority)

    published = await SignalBus.publish(bus, signal("a.b"))

    order = ["exact", "first", "late", "later", "any"]
    assert [id for id, _ in published.receipts[0].outcomes] == order
    assert [one.subscription for one in await all_received()] == order


async def test_publishing_nothing_is_no_error_and_no_signal(runtime):
    bus = await bus_of()

    assert (await SignalBus.publish(bus, [])).receipts == ()
    assert (await SignalBus.stats(bus)).published == 0


async def test_what_is_no_signal_is_refused_and_nothing_is_published(runtime):
    bus = await bus_of()

    with pytest.raises(TypeError, match="signals must be Signals; got 'a'"):
        await SignalBus.publish(bus, [signal(), "a"])  # type: ignore[list-item]
    assert (await SignalBus.stats(bus)).published == 0


async def test_a_batch_of_many_deliveries_is_more_than_one_turn_and_stays_in_order(runtime):
    bus = await bus_of()
    for i in range(10):
        await SignalBus.subscribe(
            bus, "**", id=str(i), delivery=SignalDelivery(max_in_flight=100_000)
        )

    before = bus._process.messages_in
    published = await SignalBus.publish(bus, numbered(1200))

    assert bus._process.messages_in - before >= 3
    assert published.counts == {SignalOutcome.SENT: 12_000}
    assert [receipt.seq for receipt in published.receipts] == list(range(1, 1201))
    got = [one.signal.data for one in await all_received() if one.subscription == "3"]
    assert got == list(range(1200))


async def test_a_server_publishes_and_subscribes_as_any_process_does(runtime):
    await bus_of()
    seen = Seen()
    worker = await Worker.start_link(seen, None, "shop.**")

    class Seller(st.GenServer):
        @st.call
        async def sell(self) -> int:
            published = await SignalBus.publish("bus", signal(data="sold"))
            return published.receipts[0].matched

    assert await Seller.sell(await Seller.start_link()) == 1
    await wait_mailbox_empty(worker)
    assert seen == ["sold"]


# -- subscriptions belong to processes ------------------------------------------------------


@pytest.mark.suptree_leaks(strict=True)
async def test_a_subscription_ends_with_its_process_and_nothing_of_it_is_left(runtime):
    bus = await SignalBus.start_link()
    st.register("bus", bus)
    worker = await Worker.start(Seen(), None, "shop.**")
    assert (await SignalBus.stats(bus)).subscriptions == 1

    st.exit(worker, st.KILL)
    await wait_down(worker)
    await wait_mailbox_empty(bus)

    published = await SignalBus.publish(bus, signal())
    assert published.receipts[0].matched == 0
    assert (await SignalBus.stats(bus)).subscriptions == 0
    await SignalBus.stop(bus)


async def test_the_death_of_a_subscriber_is_noticed_by_a_monitor_not_by_a_link(runtime):
    bus = await bus_of()
    worker = await Worker.start(Seen(), None, "shop.**")
    assert bus not in runtime.info(worker).links

    st.exit(worker, "crashed")
    await wait_down(worker)
    await wait_mailbox_empty(bus)

    assert bus.is_alive()
    assert (await SignalBus.stats(bus)).subscriptions == 0


async def test_the_death_of_the_bus_is_told_to_whoever_monitors_it(runtime):
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**")
    ref = st.monitor(bus)

    st.exit(bus, st.KILL)

    down = await st.receive(lambda m: isinstance(m, st.Down) and m.ref == ref)
    assert down.reason is st.KILLED
    with pytest.raises(st.NoProcessError):
        await SignalBus.publish("bus", signal())


async def test_a_subscriber_that_is_dead_already_is_taken_and_goes_at_once(runtime):
    bus = await bus_of()
    worker = await Worker.start(Seen())
    await st.GenServer.stop(worker)

    await SignalBus.subscribe(bus, "**", worker)
    await wait_mailbox_empty(bus)

    assert (await SignalBus.stats(bus)).subscriptions == 0


async def test_a_dead_subscriber_that_was_unsubscribed_before_its_down_harms_nobody(runtime):
    bus = await bus_of()
    worker = await Worker.start(Seen())
    await st.GenServer.stop(worker)
    await SignalBus.subscribe(bus, "**", worker, id="x")

    await SignalBus.unsubscribe(bus, "x")
    await wait_mailbox_empty(bus)

    assert bus.is_alive()


async def test_what_is_published_to_a_process_that_is_still_unwinding_is_gone(runtime):
    bus = await bus_of()
    leave = runtime.park()

    async def slow_to_go() -> None:
        await SignalBus.subscribe(bus, "**", id="plain")
        await SignalBus.subscribe(bus, "**", id="sure", delivery=SignalDelivery(ack=True))
        try:
            await st.receive()
        finally:
            await leave

    pid = st.spawn(slow_to_go)
    await turn(3)
    st.exit(pid, "go")
    await turn()
    published = await SignalBus.publish(bus, signal())
    leave.set(None)
    await wait_down(pid)
    await wait_mailbox_empty(bus)

    assert published.by_subscription == {
        "plain": {SignalOutcome.GONE: 1},
        "sure": {SignalOutcome.GONE: 1},
    }
    assert [letter.reason for letter in await SignalBus.dead_letters(bus)] == ["down"]
    stats = await SignalBus.stats(bus)
    assert (stats.gone, stats.dead_lettered, stats.subscriptions) == (2, 1, 0)


async def test_after_unsubscribing_nothing_comes_any_more(runtime):
    bus = await bus_of()
    id = await SignalBus.subscribe(bus, "**")

    assert await SignalBus.unsubscribe(bus, id)

    assert not await SignalBus.unsubscribe(bus, id)
    await SignalBus.publish(bus, signal())
    assert await all_received() == []


async def test_subscribing_again_changes_the_subscription_and_makes_no_second_one(runtime):
    bus = await bus_of()
    id = await SignalBus.subscribe(bus, "shop.**")
    assert await SignalBus.subscribe(bus, "shop.**", priority=7) == id
    await SignalBus.subscribe(bus, "a.*", id="mine")
    await SignalBus.subscribe(bus, "b.*", id="mine")

    infos = {info.id: info for info in await SignalBus.subscriptions(bus)}
    assert infos.keys() == {id, "mine"}
    assert infos[id].priority == 7
    await SignalBus.publish(bus, [signal("shop.x"), signal("a.x"), signal("b.x")])
    assert [one.signal.type for one in await all_received()] == ["shop.x", "b.x"]


async def test_the_id_of_anothers_subscription_is_refused(runtime):
    bus = await bus_of()
    worker = await Worker.start_link(Seen())
    await SignalBus.subscribe(bus, "**", worker, id="x")

    with pytest.raises(SubscriptionTakenError, match="belongs to") as refused:
        await SignalBus.subscribe(bus, "**", id="x")

    assert refused.value.subscriber == worker
    assert [info.subscriber for info in await SignalBus.subscriptions(bus)] == [worker]


async def test_there_are_no_more_subscriptions_than_allowed(runtime):
    bus = await bus_of(max_subscriptions=1)
    id = await SignalBus.subscribe(bus, "**")

    with pytest.raises(SubscriptionLimitError, match="maximum of 1"):
        await SignalBus.subscribe(bus, "a")

    assert await SignalBus.subscribe(bus, "**") == id


async def test_subscriptions_of_many_pages_are_listed_in_order(runtime):
    bus = await bus_of()
    ids = [await SignalBus.subscribe(bus, "a", id=f"s{i}") for i in range(2100)]

    assert [info.id for info in await SignalBus.subscriptions(bus)] == ids


# -- refusals --------------------------------------------------------------------------------


async def _async_match(signal: Signal) -> bool:
    return True


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"path": "a..b"}, SignalPathError, "word between two dots"),
        ({"path": 3}, SignalPathError, "must be a string"),
        ({"subscriber": 3}, SignalOptionsError, "a pid or a registered name"),
        ({"subscriber": ""}, SignalOptionsError, "a pid or a registered name"),
        ({"id": 3}, SignalOptionsError, "id must be a string"),
        ({"priority": 200}, SignalOptionsError, "from -100 to 100"),
        ({"match": 3}, SignalOptionsError, "match must be a plain function"),
        ({"match": _async_match}, SignalOptionsError, "not async"),
        ({"delivery": 3}, SignalOptionsError, "delivery must be a SignalDelivery"),
    ],
)
async def test_a_subscription_that_is_wrong_is_refused_and_the_bus_lives(
    runtime, arguments: dict[str, Any], error: type[Exception], says: str
):
    bus = await bus_of()

    with pytest.raises(error, match=says):
        await SignalBus.subscribe(bus, **{"path": "a", **arguments})

    assert (await SignalBus.stats(bus)).subscriptions == 0


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("ack", 1, "ack must be True or False"),
        ("max_in_flight", 0, "a whole number, 1 or more"),
        ("max_in_flight", True, "a whole number, 1 or more"),
        ("max_pending", -1, "a whole number, 0 or more"),
        ("max_attempts", 0, "a whole number, 1 or more"),
        ("ack_timeout", float("inf"), "a finite number of seconds"),
        ("retry_delay", -0.1, "a finite number of seconds"),
        ("absence", "1", "a finite number of seconds"),
        ("overflow", "drop_old", "did you mean 'drop_oldest'"),
    ],
)
def test_delivery_options_out_of_range_are_refused(option: str, value: Any, says: str):
    with pytest.raises(SignalOptionsError, match=says):
        SignalDelivery(**{option: value})


def test_who_has_publishers_wait_needs_a_place_for_which_they_wait():
    with pytest.raises(SignalOptionsError, match="max_pending must be a whole number, 1"):
        SignalDelivery(overflow="block", max_pending=0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"log_entries": -1}, "log_entries must be"),
        ({"log_bytes": 0}, "log_bytes must be"),
        ({"log_ttl": -1.0}, "log_ttl must be"),
        ({"max_subscriptions": 0}, "max_subscriptions must be"),
        ({"max_dead_letters": 0}, "max_dead_letters must be"),
        ({"max_blocked": -1}, "max_blocked must be"),
        ({"middleware": [print]}, "middleware must be a list of Middleware"),
        ({"subscriptions": ["a"]}, "subscriptions must be a list of Subscriptions"),
        ({"subscriptions": [Subscription("a", "x")] * 2}, "unique"),
    ],
)
async def test_a_bus_with_a_wrong_option_does_not_start(runtime, options: Any, says: str):
    with pytest.raises(st.StartError, match=says):
        await SignalBus.start(**options)


@pytest.mark.parametrize(
    "ask",
    [
        lambda bus: SignalBus.unsubscribe(bus, []),
        lambda bus: SignalBus.dead_letters(bus, limit=0),
        lambda bus: SignalBus.dead_letters(bus, subscription=3),
        lambda bus: SignalBus.redrive(bus, subscription=3),
        lambda bus: SignalBus.purge_dead_letters(bus, subscription=[]),
        lambda bus: SignalBus.replay(bus, limit=0),
        lambda bus: SignalBus.replay(bus, since=[]),
        lambda bus: SignalBus.replay(bus, since=float("nan")),
        lambda bus: SignalBus.publish(bus, signal(), wait=-1.0),
        lambda bus: SignalBus.publish(bus, signal(), wait=float("inf")),
    ],
)
async def test_a_wrong_request_is_refused_to_the_caller_and_the_bus_lives(runtime, ask: Any):
    bus = await bus_of()

    with pytest.raises(SignalOptionsError):
        await ask(bus)

    assert bus.is_alive()


async def test_a_message_that_nobody_expects_is_reported_and_the_bus_lives(runtime, caplog):
    bus = await bus_of()

    st.send(bus, "hello")
    await wait_mailbox_empty(bus)

    assert bus.is_alive()
    assert "hello" in caplog.text


# -- health ------------------------------------------------------------------------------------


async def test_a_bus_is_healthy_then_degraded_after_a_loss_and_healthy_a_minute_later(runtime):
    import asyncio

    bus = await bus_of()
    assert (await SignalBus.health(bus)).status == "healthy"

    await SignalBus.subscribe(
        bus, "**", id="x", delivery=SignalDelivery(ack=True, max_in_flight=1, max_pending=0)
    )
    await SignalBus.publish(bus, numbered(2))
    health = await SignalBus.health(bus)
    assert health.status == "degraded"
    assert "lost within the last minute" in health.reasons[0]

    await asyncio.sleep(60.1)
    await SignalBus.unsubscribe(bus, "x")
    assert (await SignalBus.health(bus)).status == "healthy"


async def test_a_bus_with_a_lane_that_is_nearly_full_is_degraded(runtime):
    bus = await bus_of()
    tight = SignalDelivery(ack=True, max_in_flight=1, max_pending=10)
    await SignalBus.subscribe(bus, "**", id="x", delivery=tight)

    await SignalBus.publish(bus, numbered(9))
    assert (await SignalBus.health(bus)).status == "healthy"
    await SignalBus.publish(bus, numbered(1))

    assert await SignalBus.health(bus) == BusHealth("degraded", ("nearly full: x",))


async def test_a_bus_that_is_not_there_or_does_not_answer_is_unhealthy(runtime):
    assert (await SignalBus.health("bus")).status == "unhealthy"
    bus = await bus_of()
    await st.sys.suspend(bus)

    health = await SignalBus.health(bus, timeout=1.0)

    assert health.status == "unhealthy"
    assert "no reply" in health.reasons[0]
    await st.sys.resume(bus)


# -- telemetry -----------------------------------------------------------------------------------


async def test_publishing_and_subscribing_show_in_the_telemetry(runtime):
    recorder = Recorder(runtime)
    bus = await bus_of(label="shop")
    await SignalBus.subscribe(bus, "**", id="a")
    tight = SignalDelivery(ack=True, max_in_flight=1, max_pending=1)
    await SignalBus.subscribe(bus, "**", id="b", delivery=tight)

    batch = numbered(3)
    await SignalBus.publish(bus, batch)
    await SignalBus.unsubscribe(bus, "b")

    assert [
        (e["subscription"], e["path"], e["bus"]) for e in recorder.of("subscription.added")
    ] == [
        ("a", "**", "shop"),
        ("b", "**", "shop"),
    ]
    assert [
        (e["matched_count"], e["sent_count"], e["held_count"], e["lost_count"], e["id"])
        for e in recorder.of("signal.published")
    ] == [(2, 2, 0, 0, batch[0].id), (2, 1, 1, 0, batch[1].id), (2, 1, 1, 0, batch[2].id)]
    assert [
        (e["outcome"], e["pending_len"], e["limit_count"]) for e in recorder.of("lane.overflowed")
    ] == [("displaced", 1, 1)]
    assert [(e["reason"], e["left_count"]) for e in recorder.of("subscription.removed")] == [
        ("unsubscribed", 2)
    ]


async def test_no_telemetry_handler_drives_the_bus(runtime):
    """The original was routed by a telemetry handler: detaching that silenced everybody."""
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**")
    runtime.telemetry.attach("bad", "*", lambda *_: 1 / 0)

    await SignalBus.publish(bus, numbered(2))

    assert [one.signal.data for one in await all_received()] == [0, 1]


async def test_a_signal_received_is_a_plain_value(runtime):
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**", id="x")
    made = signal()
    await SignalBus.publish(bus, made)

    assert await received() == SignalReceived(made, "x", 1, 1, bus, False)


async def test_a_type_alone_is_refused_with_the_signal_to_write(runtime):
    bus = await bus_of()

    with pytest.raises(TypeError, match=r"Write Signal\('shop.order', source="):
        await SignalBus.publish(bus, "shop.order")  # type: ignore[arg-type]
