"""Lanes: acknowledgements, redelivery, back-pressure, and subscribers that come back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services.signals import (
    SignalBus,
    SignalDelivery,
    SignalOutcome,
    SignalReceived,
    Subscription,
)
from suptree.testing import turn, wait_down, wait_mailbox_empty, wait_until
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


async def the_only(bus: Any) -> Any:
    (info,) = await SignalBus.subscriptions(bus)
    return info


# -- acknowledgements ------------------------------------------------------------------------


async def test_what_is_acknowledged_is_not_brought_again(runtime):
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**", delivery=SignalDelivery(ack=True))
    await SignalBus.publish(bus, numbered(3))
    for one in await all_received():
        assert one.ack
        SignalBus.ack(one)

    await asyncio.sleep(100.0)

    assert await all_received() == []
    info = await the_only(bus)
    assert (info.sent, info.acked, info.in_flight, info.redelivered) == (3, 3, 0, 0)
    assert (await SignalBus.stats(bus)).acked == 3


async def test_what_is_not_acknowledged_is_tried_five_times_and_is_then_a_dead_letter(runtime):
    recorder = Recorder(runtime)
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**", id="x", delivery=SignalDelivery(ack=True, ack_timeout=1.0))
    made = signal()
    await SignalBus.publish(bus, made)

    began = asyncio.get_running_loop().time()
    times = []
    for _ in range(5):
        times.append(((await received()).attempt, asyncio.get_running_loop().time() - began))
    await asyncio.sleep(10.0)

    assert times == [(n, pytest.approx(1.1 * (n - 1))) for n in range(1, 6)]
    (letter,) = await SignalBus.dead_letters(bus)
    assert (letter.signal, letter.subscription, letter.attempts, letter.reason) == (
        made,
        "x",
        5,
        "attempts",
    )
    assert await all_received() == []
    info = await the_only(bus)
    assert (info.sent, info.redelivered, info.dead_lettered, info.in_flight) == (5, 4, 1, 0)
    assert [e["attempts_count"] for e in recorder.of("signal.redelivered")] == [2, 3, 4, 5]
    assert [e["reason"] for e in recorder.of("signal.dead_lettered")] == ["attempts"]


async def test_what_is_refused_is_brought_again_after_100_ms(runtime):
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**", delivery=SignalDelivery(ack=True))
    await SignalBus.publish(bus, signal())
    began = asyncio.get_running_loop().time()

    SignalBus.nack(await received())
    again = await received()

    assert again.attempt == 2
    assert asyncio.get_running_loop().time() - began == pytest.approx(0.1)
    SignalBus.ack(again)


async def test_a_signal_refused_each_time_is_a_dead_letter_after_the_last_attempt(runtime):
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**", delivery=SignalDelivery(ack=True, max_attempts=2))
    await SignalBus.publish(bus, signal())

    SignalBus.nack(await received())
    SignalBus.nack(await received())
    await turn()

    assert [letter.attempts for letter in await SignalBus.dead_letters(bus)] == [2]


async def test_an_acknowledgement_between_two_attempts_counts_and_a_later_one_is_late(runtime):
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**", delivery=SignalDelivery(ack=True))
    await SignalBus.publish(bus, signal())
    got = await received()
    SignalBus.nack(got)

    SignalBus.ack(got)
    SignalBus.ack(got)
    SignalBus.nack(got)
    await asyncio.sleep(1.0)

    info = await the_only(bus)
    assert (info.acked, info.late_acks, info.sent) == (1, 1, 1)
    assert await all_received() == []


async def test_no_more_are_in_flight_than_allowed_and_an_acknowledgement_lets_one_follow(runtime):
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**", delivery=SignalDelivery(ack=True, max_in_flight=2))
    published = await SignalBus.publish(bus, numbered(5))
    assert published.counts == {SignalOutcome.SENT: 2, SignalOutcome.BUFFERED: 3}

    seen = []
    while batch := await all_received():
        assert len(batch) <= 2
        seen += [one.signal.data for one in batch]
        SignalBus.ack(batch[0])
        await turn()
        for one in batch[1:]:
            SignalBus.ack(one)
        await turn()

    assert seen == [0, 1, 2, 3, 4]


async def test_with_one_in_flight_nothing_overtakes_a_signal_that_is_tried_again(runtime):
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**", delivery=SignalDelivery(ack=True, max_in_flight=1))
    await SignalBus.publish(bus, numbered(3))

    first = await received()
    SignalBus.nack(first)
    order = [(first.signal.data, first.attempt)]
    for _ in range(3):
        one = await received()
        order.append((one.signal.data, one.attempt))
        SignalBus.ack(one)

    assert order == [(0, 1), (0, 2), (1, 1), (2, 1)]


async def test_a_hundred_thousand_acknowledged_signals_leave_no_timers_behind(runtime):
    bus = await bus_of(log_entries=10)
    seen = Seen()
    await Worker.start_link(seen, SignalDelivery(ack=True, max_in_flight=10), "**")
    for _ in range(20):
        await SignalBus.publish(bus, numbered(500))
        await turn(60)
    await wait_until(lambda: len(seen) == 10_000)

    assert len(bus._process.server.deliveries._agenda) <= 64 + 4
    assert (await the_only(bus)).in_flight == 0


async def test_a_thousand_refusals_leave_no_timers_behind_either(runtime):
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**", delivery=SignalDelivery(ack=True, max_attempts=10_000))
    await SignalBus.publish(bus, signal())
    for _ in range(1000):
        SignalBus.nack(await received())

    assert len(bus._process.server.deliveries._agenda) <= 64 + 4


async def test_subscriptions_that_come_and_go_leave_no_timers_behind(runtime):
    bus = await bus_of()
    for _ in range(500):
        await SignalBus.subscribe(bus, "**", id="x", delivery=SignalDelivery(ack=True))
        await SignalBus.publish(bus, signal())
        await SignalBus.unsubscribe(bus, "x")

    assert len(bus._process.server.deliveries._agenda) <= 64 + 4


# -- back-pressure -----------------------------------------------------------------------------


@pytest.mark.parametrize("ack", [True, False])
@pytest.mark.parametrize(
    ("overflow", "outcomes", "kept", "dropped", "rejected"),
    [
        ("drop_oldest", [SignalOutcome.DISPLACED] * 2, [0, 3, 4], 2, 0),
        ("drop_newest", [SignalOutcome.DROPPED] * 2, [0, 1, 2], 2, 0),
        ("reject", [SignalOutcome.REJECTED] * 2, [0, 1, 2], 0, 2),
        ("block", [SignalOutcome.REJECTED] * 2, [0, 1, 2], 0, 2),
    ],
)
async def test_a_full_lane_does_as_its_policy_says_and_the_publisher_hears_of_it(
    runtime, ack, overflow, outcomes, kept, dropped, rejected
):
    bus = await bus_of()
    delivery = SignalDelivery(ack=ack, max_in_flight=1, max_pending=2, overflow=overflow)
    await SignalBus.subscribe(bus, "**", id="x", delivery=delivery)

    published = await SignalBus.publish(bus, numbered(5))

    told = [outcome for receipt in published.receipts for _, outcome in receipt.outcomes]
    assert told == [SignalOutcome.SENT, SignalOutcome.BUFFERED, SignalOutcome.BUFFERED, *outcomes]
    info = await the_only(bus)
    assert (info.dropped, info.rejected, info.pending) == (dropped, rejected, 2)
    stats = await SignalBus.stats(bus)
    assert (stats.dropped, stats.rejected) == (dropped, rejected)
    seen = []
    while len(seen) < 3:
        one = await received()
        seen.append(one.signal.data)
        SignalBus.ack(one)
    assert seen == kept


async def test_without_any_pending_a_signal_more_than_fits_is_dropped(runtime):
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**", delivery=SignalDelivery(max_in_flight=1, max_pending=0))

    published = await SignalBus.publish(bus, numbered(2))

    assert published.counts == {SignalOutcome.SENT: 1, SignalOutcome.DROPPED: 1}


async def test_custom_back_pressure_settings_are_read(runtime):
    """In the original they were not: a router asked itself, and fell back to its defaults."""
    bus = await bus_of()
    for limit in (3, 30):
        await SignalBus.subscribe(
            bus, "**", id=str(limit), delivery=SignalDelivery(max_in_flight=limit, max_pending=0)
        )
        published = await SignalBus.publish(bus, numbered(50))
        assert published.by_subscription[str(limit)][SignalOutcome.SENT] == limit
        await SignalBus.unsubscribe(bus, str(limit))
        await all_received()


async def test_messages_of_any_kind_in_the_mailbox_hold_signals_back(runtime):
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**", delivery=SignalDelivery(max_in_flight=3))
    for _ in range(3):
        st.send(st.current(), "something else")

    published = await SignalBus.publish(bus, signal())
    assert published.counts == {SignalOutcome.BUFFERED: 1}
    for _ in range(3):
        await st.receive(str)

    assert (await received(timeout=1.0)).signal == published.signals[0]


async def test_a_slow_subscriber_delays_neither_the_publisher_nor_the_others(runtime):
    bus = await bus_of()
    seen = Seen()
    slow = await Worker.start_link(Seen(), SignalDelivery(max_in_flight=10), "**")
    fast = await Worker.start_link(seen, SignalDelivery(max_in_flight=10_000), "**")
    busy = Worker.wait_for.within(None).send_request(slow, 3600.0)
    await turn()

    before = asyncio.get_running_loop().time()
    published = await SignalBus.publish(bus, numbered(2000))
    assert asyncio.get_running_loop().time() == before

    await wait_mailbox_empty(fast)
    assert seen == list(range(2000))
    assert published.counts[SignalOutcome.BUFFERED] > 1900
    del busy


async def test_a_full_bounded_mailbox_that_rejects_holds_signals_back_too(runtime):
    bus = await bus_of()
    seen = Seen()
    supervisor = await st.Supervisor.start_link(
        [
            st.child(Worker, seen).with_(
                id="w", name="w", bound=st.MailboxBound(2, overflow="reject")
            )
        ],
        strategy="one_for_one",
    )
    for ack in (False, True):
        await SignalBus.subscribe(bus, "**", "w", delivery=SignalDelivery(ack=ack))
        published = await SignalBus.publish(bus, numbered(5))
        assert published.counts == {SignalOutcome.SENT: 2, SignalOutcome.BUFFERED: 3}

        await wait_until(lambda: len(seen) == 5)
        assert seen == [0, 1, 2, 3, 4]
        await wait_mailbox_empty(bus)
        seen.clear()
    await st.Supervisor.stop(supervisor)


# -- publishers that wait ------------------------------------------------------------------------

BLOCKING = SignalDelivery(ack=True, max_in_flight=1, max_pending=1, overflow="block")


async def waiting(bus: Any, count: int) -> None:
    """Wait until so many publishers wait."""
    tickets = bus._process.server.deliveries.publishers._tickets
    await wait_until(lambda: len(tickets) == count)


async def publishing(count: int, wait: float) -> Any:
    """The answer to a publisher of its own, when it comes."""
    return st.Task.async_(SignalBus.publish, "bus", numbered(count), wait=wait)


async def test_a_publisher_that_says_so_waits_until_there_is_a_place(runtime):
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**", id="x", delivery=BLOCKING)
    await SignalBus.subscribe(bus, "**", id="other")

    task = await publishing(3, 10.0)
    await waiting(bus, 1)
    assert (await SignalBus.stats(bus)).blocked == 1
    assert (await the_only_named(bus, "x")).blocked == 1
    assert len(await all_received_of("other")) == 3  # nobody else waits
    SignalBus.ack(await received())
    published = await task

    assert published.by_subscription["x"] == {SignalOutcome.SENT: 1, SignalOutcome.BUFFERED: 2}
    assert (await SignalBus.stats(bus)).blocked == 0
    seen = []
    for _ in range(2):
        one = await received()
        seen.append(one.signal.data)
        SignalBus.ack(one)
    assert seen == [1, 2]


async def the_only_named(bus: Any, id: str) -> Any:
    return next(info for info in await SignalBus.subscriptions(bus) if info.id == id)


async def all_received_of(subscription: str) -> list[SignalReceived]:
    found: list[SignalReceived] = []
    while True:
        try:
            found.append(
                await st.receive(
                    lambda m: isinstance(m, SignalReceived) and m.subscription == subscription,
                    timeout=0,
                )
            )
        except st.ReceiveTimeoutError:
            return found


async def test_a_publisher_waits_no_longer_than_it_said(runtime):
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**", id="x", delivery=BLOCKING)
    before = asyncio.get_running_loop().time()

    published = await SignalBus.publish(bus, numbered(4), wait=2.5)

    assert asyncio.get_running_loop().time() - before == pytest.approx(2.5)
    assert published.by_subscription["x"] == {
        SignalOutcome.SENT: 1,
        SignalOutcome.BUFFERED: 1,
        SignalOutcome.REJECTED: 2,
    }
    info = await the_only(bus)
    assert (info.rejected, info.blocked) == (2, 0)


async def test_publishers_that_wait_get_their_places_in_the_order_in_which_they_came(runtime):
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**", id="x", delivery=BLOCKING)
    await SignalBus.publish(bus, [signal(data="a"), signal(data="b")])
    first = st.Task.async_(SignalBus.publish, bus, signal(data="c"), wait=9.0)
    await waiting(bus, 1)
    second = st.Task.async_(SignalBus.publish, bus, signal(data="d"), wait=9.0)
    await waiting(bus, 2)
    hasty = await SignalBus.publish(bus, signal(data="e"))
    assert hasty.counts == {SignalOutcome.REJECTED: 1}

    seen = []
    for _ in range(4):
        one = await received()
        seen.append(one.signal.data)
        SignalBus.ack(one)

    assert seen == ["a", "b", "c", "d"]
    assert (await first).counts == (await second).counts == {SignalOutcome.BUFFERED: 1}


async def test_what_a_dead_publisher_waited_for_is_released(runtime):
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**", id="x", delivery=BLOCKING)

    async def publisher() -> None:
        await SignalBus.publish(bus, numbered(5), wait=1000.0)

    pid = st.spawn(publisher)
    await waiting(bus, 1)
    assert (await the_only(bus)).blocked == 3
    st.exit(pid, st.KILL)
    await wait_down(pid)
    await wait_mailbox_empty(bus)

    info = await the_only(bus)
    assert (info.blocked, info.rejected, info.pending) == (0, 3, 1)
    assert (await SignalBus.stats(bus)).blocked == 0


async def test_a_publisher_that_waits_is_answered_when_the_subscription_ends(runtime):
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**", id="x", delivery=BLOCKING)
    task = await publishing(3, 1000.0)
    await waiting(bus, 1)

    await SignalBus.unsubscribe(bus, "x")

    assert (await task).counts == {
        SignalOutcome.SENT: 1,
        SignalOutcome.BUFFERED: 1,
        SignalOutcome.GONE: 1,
    }


async def test_no_more_publishers_wait_than_allowed(runtime):
    bus = await bus_of(max_blocked=0)
    await SignalBus.subscribe(bus, "**", delivery=BLOCKING)

    published = await SignalBus.publish(bus, numbered(3), wait=10.0)

    assert published.counts[SignalOutcome.REJECTED] == 1


# -- subscribers that come back under their name -----------------------------------------------


async def supervised(seen: Seen) -> st.Pid[st.Supervisor]:
    return await st.Supervisor.start_link(
        [st.child(Worker, seen).with_(id="w", name="w")],
        strategy="one_for_one",
        max_restarts=1000,
    )


async def test_the_next_process_of_the_name_gets_what_is_pending_in_order_and_once(runtime):
    bus = await bus_of()
    seen = Seen()
    await supervised(seen)
    await SignalBus.subscribe(bus, "**", "w", delivery=SignalDelivery(ack=True, max_in_flight=4))

    for start in range(0, 100, 10):
        await SignalBus.publish(bus, [signal(data=start + i) for i in range(10)])
        await turn()
        old = st.whereis("w")
        st.exit(old, st.KILL)
        await SignalBus.publish(bus, signal(data=f"while {start}"))
        await wait_until(lambda old=old: st.whereis("w") not in (None, old))
    expected = [
        one for start in range(0, 100, 10) for one in [*range(start, start + 10), f"while {start}"]
    ]
    await wait_until(lambda: len(seen) >= len(expected))
    await asyncio.sleep(60.0)

    assert seen == expected
    assert (await the_only(bus)).pid == st.whereis("w")


@pytest.mark.parametrize("ack", [True, False])
async def test_what_is_published_while_nobody_has_the_name_waits_for_the_next_one(runtime, ack):
    recorder = Recorder(runtime)
    bus = await bus_of()
    seen = Seen()
    await SignalBus.subscribe(bus, "**", "w", delivery=SignalDelivery(ack=ack))
    published = await SignalBus.publish(bus, numbered(3))
    assert published.counts == {SignalOutcome.BUFFERED: 3}
    assert (await the_only(bus)).pid is None

    await asyncio.sleep(1.0)
    await supervised(seen)
    await asyncio.sleep(0.3)

    assert seen == [0, 1, 2]
    (resumed,) = recorder.of("subscriber.resumed")
    assert resumed["pending_len"] == 3
    assert resumed["absent_s"] == pytest.approx(1.15, abs=0.15)


async def test_who_has_just_taken_the_name_gets_what_is_held_with_the_next_signal(runtime):
    bus = await bus_of()
    seen = Seen()
    await SignalBus.subscribe(bus, "**", "w")
    await SignalBus.publish(bus, numbered(2))
    await supervised(seen)
    before = asyncio.get_running_loop().time()

    published = await SignalBus.publish(bus, signal(data="next"))

    assert published.counts == {SignalOutcome.SENT: 1}
    assert asyncio.get_running_loop().time() == before
    await wait_mailbox_empty("w")
    assert seen == [0, 1, "next"]


async def test_a_name_without_anybody_and_without_signals_costs_no_looking(runtime):
    bus = await bus_of()
    for number in range(100):
        await SignalBus.subscribe(bus, "b", f"w{number}", delivery=SignalDelivery(absence=60.0))
    before = bus._process.messages_in

    await asyncio.sleep(59.0)

    assert bus._process.messages_in - before <= 1


async def test_a_name_is_looked_for_less_often_the_longer_nobody_has_it(runtime):
    bus = await bus_of()
    await SignalBus.subscribe(bus, "**", "w", delivery=SignalDelivery(absence=60.0))
    await SignalBus.publish(bus, signal())
    before = bus._process.messages_in

    await asyncio.sleep(59.0)

    assert bus._process.messages_in - before < 90


async def test_the_end_of_a_named_subscriber_shows_in_the_telemetry(runtime):
    recorder = Recorder(runtime)
    bus = await bus_of()
    worker = await Worker.start(Seen())
    st.register("w", worker)
    await SignalBus.subscribe(bus, "**", "w", delivery=SignalDelivery(absence=1.0))

    st.exit(worker, "gone")
    await wait_down(worker)
    await wait_mailbox_empty(bus)

    assert [(e["reason"], e["subscriber"]) for e in recorder.of("subscriber.lost")] == [
        ("gone", "w")
    ]


async def test_a_name_that_nobody_takes_ends_its_subscription_and_leaves_dead_letters(runtime):
    recorder = Recorder(runtime)
    bus = await bus_of()
    await SignalBus.subscribe(
        bus, "**", "w", id="x", delivery=SignalDelivery(ack=True, absence=3.0)
    )
    await SignalBus.subscribe(bus, "**", "w", id="plain", delivery=SignalDelivery(absence=3.0))
    await SignalBus.publish(bus, numbered(2))

    await asyncio.sleep(2.9)
    assert (await SignalBus.stats(bus)).subscriptions == 2
    await asyncio.sleep(0.2)

    stats = await SignalBus.stats(bus)
    assert (stats.subscriptions, stats.dead_letters, stats.discarded) == (0, 2, 2)
    letters = await SignalBus.dead_letters(bus)
    assert [(one.signal.data, one.reason) for one in letters] == [(0, "absent"), (1, "absent")]
    assert [e["reason"] for e in recorder.of("subscription.removed")] == ["absent", "absent"]


async def test_a_signal_that_kills_its_subscriber_is_a_dead_letter_in_the_end(runtime, caplog):
    bus = await bus_of()
    seen = Seen()
    await supervised(seen)
    await SignalBus.subscribe(bus, "**", "w", delivery=SignalDelivery(ack=True, max_attempts=3))

    await SignalBus.publish(bus, [signal(data=data) for data in ("a", "crash", "b", "c")])
    await wait_until(lambda: seen[-1:] == ["c"])
    await wait_mailbox_empty(bus)

    assert seen == ["a", "crash", "crash", "crash", "b", "c"]
    (letter,) = await SignalBus.dead_letters(bus)
    assert (letter.signal.data, letter.attempts, letter.reason) == ("crash", 3, "attempts")


async def test_what_was_on_its_way_when_another_signal_killed_the_subscriber_is_not_blamed(
    runtime, caplog
):
    bus = await bus_of()
    seen = Seen()
    await supervised(seen)
    await SignalBus.subscribe(bus, "**", "w", delivery=SignalDelivery(ack=True, max_attempts=2))

    await SignalBus.publish(bus, [signal(data=data) for data in ("crash", "a", "b")])
    await wait_until(lambda: seen[-1:] == ["b"])
    await wait_mailbox_empty(bus)

    assert seen == ["crash", "crash", "a", "b"]
    assert (await the_only(bus)).redelivered == 1
    assert [letter.signal.data for letter in await SignalBus.dead_letters(bus)] == ["crash"]


async def test_a_subscriber_that_subscribes_in_its_init_keeps_what_is_held_for_it(runtime):
    bus = await bus_of()

    class Named(Worker):
        async def init(self) -> None:
            await SignalBus.subscribe("bus", "**", "w", delivery=SignalDelivery(ack=True))

    seen = Seen()
    await st.Supervisor.start_link(
        [st.child(Named, seen).with_(id="w", name="w")], strategy="one_for_one"
    )
    await SignalBus.publish(bus, numbered(3))
    old = st.whereis("w")
    st.exit(old, st.KILL)
    await wait_until(lambda: st.whereis("w") not in (None, old))
    await wait_until(lambda: len(seen) == 3)
    await asyncio.sleep(60.0)

    assert seen == [0, 1, 2]
    assert (await SignalBus.stats(bus)).subscriptions == 1


async def test_what_a_pid_had_not_acknowledged_when_it_ended_is_in_the_dead_letters(runtime):
    bus = await bus_of()
    worker = await Worker.start(Seen())
    await SignalBus.subscribe(bus, "**", worker, delivery=SignalDelivery(ack=True, max_in_flight=2))
    await SignalBus.publish(bus, [signal(data="forget") for _ in range(3)])
    st.exit(worker, st.KILL)
    await wait_down(worker)
    await wait_mailbox_empty(bus)

    letters = await SignalBus.dead_letters(bus)
    assert [(one.seq, one.reason) for one in letters] == [(1, "down"), (2, "down"), (3, "down")]


# -- dead letters --------------------------------------------------------------------------------


async def with_dead_letters(count: int, **options: Any) -> st.Pid[SignalBus]:
    bus = await bus_of(**options)
    once = SignalDelivery(ack=True, max_attempts=1, max_pending=count)
    await SignalBus.subscribe(bus, "**", id="x", delivery=once)
    await SignalBus.publish(bus, numbered(count))
    while batch := await all_received():
        for one in batch:
            SignalBus.nack(one)
        await wait_mailbox_empty(bus)
    return bus


async def test_dead_letters_that_are_redriven_come_again_with_all_their_attempts(runtime):
    recorder = Recorder(runtime)
    bus = await with_dead_letters(3)
    numbers = [letter.number for letter in await SignalBus.dead_letters(bus)]

    answer = await SignalBus.redrive(bus, numbers=numbers[1:])

    assert (answer.redriven, answer.kept) == (2, 0)
    got = await all_received()
    assert [(one.signal.data, one.attempt) for one in got] == [(1, 1), (2, 1)]
    assert [one.number for one in await SignalBus.dead_letters(bus)] == numbers[:1]
    assert [e["redriven_count"] for e in recorder.of("dead_letters.redriven")] == [2]


async def test_any_limit_above_the_number_of_dead_letters_shows_all_of_them(runtime):
    bus = await with_dead_letters(2)

    assert len(await SignalBus.dead_letters(bus, limit=10**30)) == 2


async def test_dead_letters_without_a_subscription_stay_when_they_are_redriven(runtime):
    bus = await with_dead_letters(2)
    await SignalBus.unsubscribe(bus, "x")

    answer = await SignalBus.redrive(bus)

    assert (answer.redriven, answer.kept) == (0, 2)
    assert len(await SignalBus.dead_letters(bus, subscription="x")) == 2
    assert await SignalBus.dead_letters(bus, subscription="y") == []


async def test_dead_letters_for_which_there_is_no_place_stay_when_they_are_redriven(runtime):
    bus = await bus_of()
    tight = SignalDelivery(ack=True, max_attempts=1, max_in_flight=1, max_pending=1)
    await SignalBus.subscribe(bus, "**", delivery=tight)
    await SignalBus.publish(bus, numbered(2))
    for _ in range(2):
        SignalBus.nack(await received())
    await SignalBus.publish(bus, signal())

    answer = await SignalBus.redrive(bus)

    assert (answer.redriven, answer.kept) == (1, 1)
    assert len(await SignalBus.dead_letters(bus)) == 1


async def test_thousands_of_dead_letters_are_redriven_in_order(runtime):
    bus = await with_dead_letters(2500)
    assert len(await SignalBus.dead_letters(bus)) == 100
    assert len(await SignalBus.dead_letters(bus, limit=10_000)) == 2500

    assert (await SignalBus.redrive(bus, subscription="x")).redriven == 2500

    seen = Seen()
    while batch := await all_received():
        for one in batch:
            seen.append(one.signal.data)
            SignalBus.ack(one)
        await wait_mailbox_empty(bus)
    assert seen == list(range(2500))


async def test_dead_letters_have_a_bound_and_what_is_lost_by_it_is_counted(runtime):
    bus = await with_dead_letters(5, max_dead_letters=2)

    assert [letter.seq for letter in await SignalBus.dead_letters(bus)] == [4, 5]
    assert (await SignalBus.stats(bus)).dead_letters_lost == 3


async def test_cleared_dead_letters_are_gone(runtime):
    bus = await with_dead_letters(3)

    assert await SignalBus.purge_dead_letters(bus, subscription="y") == 0
    assert await SignalBus.purge_dead_letters(bus) == 3
    assert await SignalBus.dead_letters(bus) == []


# -- a restart of the bus ----------------------------------------------------------------------------


async def test_declared_subscriptions_are_there_again_after_a_restart_of_the_bus(runtime):
    seen = Seen()
    declared = [Subscription("shop.**", "w", delivery=SignalDelivery(ack=True, absence=0.5))]
    supervisor = await st.Supervisor.start_link(
        [st.child(SignalBus, subscriptions=declared).with_(id="bus", name="bus")],
        strategy="one_for_one",
    )
    first = st.whereis("bus")
    st.exit(first, st.KILL)
    await wait_until(lambda: st.whereis("bus") not in (None, first))

    await SignalBus.publish("bus", numbered(2))
    await asyncio.sleep(100.0)  # far longer than its absence: what is declared waits
    await supervised(seen)
    await asyncio.sleep(1.1)

    assert seen == [0, 1]
    del supervisor


async def test_subscriptions_by_name_come_back_from_the_store_and_others_do_not(runtime):
    from suptree.services import MemoryStore, StateOwner

    await StateOwner.start_link()
    store = MemoryStore("state")
    first = await SignalBus.start_link(store=store)
    worker = await Worker.start_link(Seen())
    options = SignalDelivery(ack=True, max_pending=7)
    await SignalBus.subscribe(first, "a.*", "w", priority=3, delivery=options)
    await SignalBus.subscribe(first, "b", "w")
    await SignalBus.subscribe(first, "c", "w", match=lambda signal: True)
    await SignalBus.subscribe(first, "d", worker)
    await SignalBus.unsubscribe(first, "w:b")
    await SignalBus.stop(first)

    second = await SignalBus.start_link(store=store)

    (info,) = await SignalBus.subscriptions(second)
    assert (info.id, info.path, info.subscriber, info.priority) == ("w:a.*", "a.*", "w", 3)
    lane = second._process.server.deliveries.lanes["w:a.*"]
    assert lane.delivery == options


async def test_a_subscription_that_gets_a_match_function_does_not_come_back_without_it(runtime):
    from suptree.services import MemoryStore, StateOwner

    await StateOwner.start_link()
    first = await SignalBus.start_link(store=MemoryStore("state"))
    await SignalBus.subscribe(first, "a", "w")
    await SignalBus.subscribe(first, "a", "w", match=lambda signal: True)
    await SignalBus.stop(first)

    second = await SignalBus.start_link(store=MemoryStore("state"))

    assert await SignalBus.subscriptions(second) == []


class BrokenStore:
    """Loads nonsense, and keeps nothing."""

    async def load(self, space: str) -> dict[str, object]:
        good = {"path": "a", "subscriber": "w", "priority": 0, "delivery": {}}
        return {
            "1": 5,
            "2": {**good, "path": "a..b"},
            "3": {**good, "delivery": {"ack": 1}},
            "ok": good,
        }

    async def put(self, space: str, key: str, value: object) -> None:
        raise OSError("disk full")

    async def delete(self, space: str, key: str) -> None:
        raise OSError("disk full")


async def test_a_store_that_fails_is_told_and_counted_and_the_bus_goes_on(runtime):
    from suptree.services.signals import SubscriptionNotSavedError

    bus = await bus_of(store=BrokenStore())
    assert [info.id for info in await SignalBus.subscriptions(bus)] == ["ok"]

    with pytest.raises(SubscriptionNotSavedError, match="could not be saved"):
        await SignalBus.subscribe(bus, "**", "w", id="new")
    await SignalBus.unsubscribe(bus, "ok")

    assert [info.id for info in await SignalBus.subscriptions(bus)] == ["new"]
    assert (await SignalBus.stats(bus)).store_faults == 5
