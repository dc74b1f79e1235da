"""The bus beside a small model of it: any sequence of what users do ends the same in both."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

import suptree as st
from suptree.services.signals import Signal, SignalBus, SignalDelivery, SignalOutcome, SignalPath
from suptree.testing import VirtualLoop
from tests.services.signals.helpers import all_received

IDS = some.sampled_from(["p", "q", "r"])
TYPES = some.sampled_from(["a", "a.b", "b", "a.b.c"])
PATHS = some.sampled_from(["a", "a.*", "a.**", "**", "*", "*.b"])
DELIVERIES = some.builds(
    SignalDelivery,
    ack=some.just(True),
    max_in_flight=some.integers(1, 3),
    max_pending=some.integers(1, 3),
    overflow=some.sampled_from(["drop_oldest", "drop_newest", "reject", "block"]),
    max_attempts=some.integers(1, 3),
    ack_timeout=some.just(1e6),
) | some.just(SignalDelivery(max_in_flight=10_000))
OPERATIONS = some.one_of(
    some.tuples(some.just("publish"), some.lists(TYPES, min_size=1, max_size=4)),
    some.tuples(some.just("subscribe"), IDS, PATHS, DELIVERIES),
    some.tuples(some.just("unsubscribe"), IDS),
    some.tuples(some.just("ack"), IDS, some.integers(0, 5)),
    some.tuples(some.just("nack"), IDS, some.integers(0, 5)),
    some.tuples(some.just("wait")),
    some.tuples(some.just("redrive")),
)


@dataclass
class ModelLane:
    """What one subscription has to get, in the simplest words."""

    path: str
    delivery: SignalDelivery
    pending: list[int] = field(default_factory=list)
    sent: dict[int, int] = field(default_factory=dict)
    retrying: dict[int, int] = field(default_factory=dict)
    dead: list[int] = field(default_factory=list)
    messages: list[tuple[int, int]] = field(default_factory=list)
    given_up: int = 0

    def publish(self, seq: int) -> SignalOutcome:
        if not self.delivery.ack:
            self.messages.append((seq, 1))
            return SignalOutcome.SENT
        if not self.pending and self.has_room():
            self.send(seq, 1)
            return SignalOutcome.SENT
        if len(self.pending) < self.delivery.max_pending:
            self.pending.append(seq)
            return SignalOutcome.BUFFERED
        if self.delivery.overflow == "drop_oldest":
            self.pending = [*self.pending[1:], seq]
            return SignalOutcome.DISPLACED
        return (
            SignalOutcome.DROPPED
            if self.delivery.overflow == "drop_newest"
            else SignalOutcome.REJECTED
        )

    def send(self, seq: int, attempt: int) -> None:
        if self.delivery.ack:
            self.sent[seq] = attempt
        self.messages.append((seq, attempt))

    def has_room(self) -> bool:
        return len(self.sent) + len(self.retrying) < self.delivery.max_in_flight

    def flush(self) -> None:
        while self.pending and self.has_room():
            self.send(self.pending.pop(0), 1)

    def ack(self, seq: int) -> None:
        self.sent.pop(seq, None)
        self.retrying.pop(seq, None)
        self.flush()

    def nack(self, seq: int) -> None:
        if seq in self.sent:
            attempt = self.sent.pop(seq)
            if attempt < self.delivery.max_attempts:
                self.retrying[seq] = attempt
            else:
                self.dead.append(seq)
            self.flush()

    def wait(self) -> None:
        for seq, attempt in self.retrying.items():
            self.send(seq, attempt + 1)
        self.retrying.clear()


class Pair:
    """A bus and its model, which do the same and are compared after each step."""

    def __init__(self, bus: st.Pid[SignalBus]) -> None:
        self.bus = bus
        self.lanes: dict[str, ModelLane] = {}
        self.orphans: list[tuple[str, int]] = []  # dead letters whose subscription is gone
        self.letters: list[tuple[str, int]] = []
        self.got: dict[str, list[Any]] = {}
        self.seq = 0

    async def publish(self, types: list[str]) -> None:
        expected: dict[tuple[int, str], SignalOutcome] = {}
        for type in types:
            self.seq += 1
            for id, lane in self.lanes.items():
                if SignalPath(lane.path).matches(type):
                    expected[self.seq, id] = lane.publish(self.seq)
        published = await SignalBus.publish(self.bus, [Signal(t, source="/s") for t in types])
        assert {
            (receipt.seq, id): outcome
            for receipt in published.receipts
            for id, outcome in receipt.outcomes
        } == expected

    async def subscribe(self, id: str, path: str, delivery: SignalDelivery) -> None:
        if id not in self.lanes:
            self.lanes[id] = ModelLane(path, delivery)
            await SignalBus.subscribe(self.bus, path, id=id, delivery=delivery)

    async def unsubscribe(self, id: str) -> None:
        assert await SignalBus.unsubscribe(self.bus, id) is (id in self.lanes)
        self.lanes.pop(id, None)
        self.got.pop(id, None)

    async def ack(self, id: str, which: int) -> None:
        if which < len(self.got.get(id, ())):
            SignalBus.ack(self.got[id][which])
            self.lanes[id].ack(self.got[id][which].seq)

    async def nack(self, id: str, which: int) -> None:
        if which < len(self.got.get(id, ())):
            SignalBus.nack(self.got[id][which])
            self.lanes[id].nack(self.got[id][which].seq)

    async def wait(self) -> None:
        await SignalBus.stats(self.bus)  # a call goes behind the casts, and moves no time
        await asyncio.sleep(0.15)
        for lane in self.lanes.values():
            lane.wait()

    async def redrive(self) -> None:
        self.gather_letters()
        kept = []
        for id, seq in self.letters:
            lane = self.lanes.get(id)
            if lane is None or len(lane.pending) >= lane.delivery.max_pending:
                kept.append((id, seq))
            else:
                lane.pending.append(seq)
        for lane in self.lanes.values():
            lane.flush()
        answer = await SignalBus.redrive(self.bus)
        assert (answer.redriven, answer.kept) == (len(self.letters) - len(kept), len(kept))
        self.letters = kept

    def gather_letters(self) -> None:
        for id, lane in self.lanes.items():
            self.letters += [(id, seq) for seq in lane.dead]
            lane.dead.clear()

    async def compare(self) -> None:
        await SignalBus.stats(self.bus)
        for one in await all_received():
            lane = self.lanes.get(one.subscription)
            if lane is None:
                continue  # it was on its way when the subscription ended
            assert lane.messages.pop(0) == (one.seq, one.attempt)
            self.got.setdefault(one.subscription, []).append(one)
        assert not any(lane.messages for lane in self.lanes.values())
        infos = await SignalBus.subscriptions(self.bus)
        assert {info.id: (info.in_flight, info.pending) for info in infos} == {
            id: (len(lane.sent) + len(lane.retrying), len(lane.pending))
            for id, lane in self.lanes.items()
        }
        self.gather_letters()
        letters = await SignalBus.dead_letters(self.bus, limit=1000)
        assert sorted((one.subscription, one.seq) for one in letters) == sorted(self.letters)


@settings(max_examples=200, deadline=None)
@given(some.lists(OPERATIONS, max_size=40))
def test_the_bus_does_what_its_model_does(operations: list[tuple[Any, ...]]):
    async def both() -> None:
        async with st.Runtime():
            pair = Pair(await SignalBus.start_link())
            for name, *arguments in operations:
                await getattr(pair, name)(*arguments)
                await pair.compare()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(both())
