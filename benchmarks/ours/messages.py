"""Calls, casts, fan-in and the ring between suptree's servers."""

from __future__ import annotations

import time
from typing import Any

import suptree as st
from benchmarks.ours.system import Counter, pid, supervised
from benchmarks.protocol import Ask, Metrics
from benchmarks.worker import Workload

SENDERS, NODES = 100, 1_000


async def call(ask: Ask) -> Metrics:
    async def calls(ask: Ask) -> Metrics:
        server = pid("counter")
        start = time.perf_counter()
        for _ in range(ask.n):
            await Counter.increment(server)
        return {"seconds": time.perf_counter() - start}

    return await supervised(ask, calls, [st.child(Counter).with_(name="counter")])


async def call_suspending(ask: Ask) -> Metrics:
    async def calls(ask: Ask) -> Metrics:
        server = pid("counter")
        start = time.perf_counter()
        for _ in range(ask.n):
            await Counter.increment_suspending(server)
        return {"seconds": time.perf_counter() - start}

    return await supervised(ask, calls, [st.child(Counter).with_(name="counter")])


async def cast(ask: Ask) -> Metrics:
    async def casts(ask: Ask) -> Metrics:
        server = pid("counter")
        start = time.perf_counter()
        for _ in range(ask.n):
            Counter.add(server)
        await Counter.increment(server)
        return {"seconds": time.perf_counter() - start}

    return await supervised(ask, casts, [st.child(Counter).with_(name="counter")])


class Witness(Counter):
    """A Counter that knows how each call reached it: during a direct call there is no envelope."""

    def __init__(self) -> None:
        super().__init__()
        self.direct = 0

    @st.call
    def increment(self) -> int:
        self.direct += self._process.current is None
        return super().increment()

    @st.call
    def directs(self) -> int:
        return self.direct


async def direct_share(ask: Ask) -> Metrics:
    """The share of calls that are direct, counted apart from every timed one."""

    async def calls(ask: Ask) -> Metrics:
        witness = pid("witness")
        for _ in range(ask.n):
            await Counter.increment(witness)
        return {"share": await Witness.directs(witness) / ask.n}

    return await supervised(ask, calls, [st.child(Witness).with_(name="witness")])


class Sink(Counter):
    """A Counter that tells when it has reached *goal*."""

    def __init__(self, goal: int) -> None:
        super().__init__()
        self.goal = goal
        self.asker: st.ReplyTo | None = None

    @st.cast
    def add(self) -> None:
        self.count += 1
        if self.count == self.goal and self.asker is not None:
            self.reply(self.asker, self.count)

    @st.call(timeout=600.0)
    def reached(self) -> int | st.NoReply:
        self.asker = self.sender
        return self.count if self.count == self.goal else st.NoReply()


class Sender(st.GenServer):
    """Casts in one go."""

    @st.cast
    def flood(self, sink: st.Pid[Sink], n: int) -> None:
        for _ in range(n):
            Sink.add(sink)


async def fan_in(ask: Ask) -> Metrics:
    each = ask.n // SENDERS

    async def casts(ask: Ask) -> Metrics:
        sink, senders = pid("sink"), [pid(f"sender.{i}") for i in range(SENDERS)]
        start = time.perf_counter()
        for sender in senders:
            Sender.flood(sender, sink, each)
        await Sink.reached(sink)
        return {"seconds": time.perf_counter() - start}

    sink = st.child(Sink, each * SENDERS).with_(name="sink")
    senders = [st.child(Sender).with_(name=f"sender.{i}", id=i) for i in range(SENDERS)]
    return await supervised(ask, casts, [sink, *senders])


class Node(st.GenServer):
    """One of a ring: sends the token on, one hop less."""

    def __init__(self) -> None:
        self.next: st.Pid[Node] | None = None

    @st.call
    def follow(self, following: st.Pid[Node]) -> None:
        self.next = following

    @st.call(timeout=600.0)
    def start_token(self, hops: int) -> Any:
        Node.token(self.pid, hops, self.sender)
        return st.NoReply()

    @st.cast
    def token(self, left: int, asker: st.ReplyTo) -> None:
        if left:
            assert self.next is not None
            Node.token(self.next, left - 1, asker)
        else:
            self.reply(asker, None)


async def ring(ask: Ask) -> Metrics:
    async def go_round(ask: Ask) -> Metrics:
        nodes = [pid(f"node.{i}") for i in range(NODES)]
        for node, following in zip(nodes, nodes[1:] + nodes[:1], strict=True):
            await Node.follow(node, following)
        start = time.perf_counter()
        await Node.start_token(nodes[0], ask.n)
        return {"seconds": time.perf_counter() - start}

    nodes = [st.child(Node).with_(name=f"node.{i}", id=i) for i in range(NODES)]
    return await supervised(ask, go_round, nodes)


WORKLOADS: dict[str, Workload] = {
    "call": call,
    "call_suspending": call_suspending,
    "cast": cast,
    "direct_share": direct_share,
    "fan_in": fan_in,
    "ring": ring,
}
