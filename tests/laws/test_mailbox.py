"""Mailboxes against a model: a list, a bound, and one rule per policy; and the order of S13."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import suptree as st
from suptree.testing import wait_until

SETTINGS = settings(max_examples=50, deadline=None)


@dataclass
class Model:
    """What a bounded mailbox is: user messages count, signals do not and are never dropped."""

    limit: int
    policy: str
    lane: list[object] = field(default_factory=list)
    dropped: int = 0
    refused: int = 0

    def users(self) -> list[object]:
        return [one for one in self.lane if isinstance(one, int)]

    def put(self, message: int) -> None:
        if len(self.users()) < self.limit:
            self.lane.append(message)
        elif self.policy == "reject":
            self.refused += 1
        else:
            self.dropped += 1
            if self.policy == "drop_old":
                self.lane.remove(self.users()[0])
                self.lane.append(message)

    def signal(self, reason: str) -> None:
        self.lane.append(reason)

    def take(self, kind: type | None) -> object:
        for one in self.lane:
            if kind is None or isinstance(one, kind):
                self.lane.remove(one)
                return one
        return None


async def puppet(orders: asyncio.Queue[type | None], took: list[object]) -> None:
    """Take one message of the kind that is asked for, at each order."""
    while True:
        kind = await orders.get()
        wanted = st.Exit if kind is str else kind
        try:
            message = await (
                st.receive(timeout=0) if kind is None else st.receive(wanted, timeout=0)
            )
        except st.ReceiveTimeoutError:
            message = None
        took.append(message.reason if isinstance(message, st.Exit) else message)


STEPS = some.lists(
    some.one_of(
        some.tuples(some.just("put"), some.integers(0, 1000)),
        some.tuples(some.just("signal"), some.sampled_from(["one", "two"])),
        some.tuples(some.just("take"), some.sampled_from([None, int, str])),
    ),
    max_size=60,
)


@SETTINGS
@given(
    steps=STEPS,
    limit=some.integers(1, 5),
    policy=some.sampled_from(["drop_new", "drop_old", "reject"]),
)
async def test_a_bounded_mailbox_does_what_its_policy_says(steps, limit, policy):
    model = Model(limit, policy)
    expected: list[object] = []
    took: list[object] = []
    refused = 0
    async with st.Runtime() as rt:
        orders: asyncio.Queue[type | None] = asyncio.Queue()
        bound = st.MailboxBound(limit, policy)
        pid = rt.spawn(puppet, orders, took, trap_exit=True, bound=bound)
        for what, value in steps:
            if what == "put":
                model.put(value)
                try:
                    st.send(pid, value)
                except st.MailboxFullError:
                    refused += 1
            elif what == "signal":
                model.signal(value)
                st.exit(pid, value)
            else:
                expected.append(model.take(value))
                orders.put_nowait(value)
                await wait_until(lambda: len(took) == len(expected))
        info = rt.info(pid)
        st.exit(pid, st.KILL)  # it traps, and would have the block wait for its stop timeout

    assert took == expected
    assert (info.mailbox, info.dropped, refused) == (len(model.lane), model.dropped, model.refused)


class Sink(st.GenServer):
    """Notes who said what, in order."""

    def __init__(self) -> None:
        self.got: dict[int, list[int]] = {}

    @st.call
    def by_call(self, sender: int, number: int) -> None:
        self.got.setdefault(sender, []).append(number)

    @st.call
    async def by_async_call(self, sender: int, number: int) -> None:
        await asyncio.sleep(0)
        self.got.setdefault(sender, []).append(number)

    @st.cast
    def by_cast(self, sender: int, number: int) -> None:
        self.got.setdefault(sender, []).append(number)

    def handle_info(self, message: tuple[int, int]) -> None:
        sender, number = message
        self.got.setdefault(sender, []).append(number)


@pytest.mark.otp("S13")
@SETTINGS
@given(
    seed=some.integers(0, 2**16),
    direct=some.sampled_from([True, False, "random"]),
    ways=some.lists(
        some.lists(some.sampled_from(["call", "async", "cast", "send", "pause"]), max_size=12),
        min_size=1,
        max_size=5,
    ),
)
async def test_what_one_sender_sends_arrives_in_the_order_sent_whatever_the_schedule(
    seed, direct, ways
):
    async with st.Runtime(seed=seed, direct_call=direct) as rt:
        sink = await Sink.start()

        async def sender(me: int, how: list[str]) -> None:
            for number, way in enumerate(how):
                match way:
                    case "call":
                        await Sink.by_call(sink, me, number)
                    case "async":
                        await Sink.by_async_call(sink, me, number)
                    case "cast":
                        Sink.by_cast(sink, me, number)
                    case "send":
                        st.send(sink, (me, number))
                    case _:
                        await asyncio.sleep(0)

        downs = [rt.down_slot(rt.spawn(sender, me, how)) for me, how in enumerate(ways)]
        assert [await down for down in downs] == [st.NORMAL] * len(ways)
        await Sink.by_async_call(sink, -1, 0)
        got = sink._process.server.got

    for me, how in enumerate(ways):
        assert got.get(me, []) == [n for n, way in enumerate(how) if way != "pause"]
