"""Pykka: an actor is a thread with a queue; calls are made with `ask`, casts with `tell`."""

from __future__ import annotations

import time
from importlib.metadata import version

import pykka

from benchmarks.protocol import Ask, Metrics
from benchmarks.worker import Workload

VERSION = version("pykka")
KEYS, SENDERS, NODES = 100, 100, 1_000


class Counter(pykka.ThreadingActor):
    """The actor that is called."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def on_receive(self, message: object) -> int:
        self.count += 1
        return self.count


def call(ask: Ask) -> Metrics:
    counter = Counter.start()
    start = time.perf_counter()
    for _ in range(ask.n):
        counter.ask("increment", timeout=5.0)
    took = time.perf_counter() - start
    counter.stop()
    return {"seconds": took}


def cast(ask: Ask) -> Metrics:
    counter = Counter.start()
    start = time.perf_counter()
    for _ in range(ask.n):
        counter.tell("increment")
    counter.ask("increment")
    took = time.perf_counter() - start
    counter.stop()
    return {"seconds": took}


class Sender(pykka.ThreadingActor):
    """Tells in one go."""

    def on_receive(self, message: tuple[pykka.ActorRef[Counter], int]) -> None:
        sink, n = message
        for _ in range(n):
            sink.tell("increment")


def fan_in(ask: Ask) -> Metrics:
    sink, each = Counter.start(), max(1, ask.n // SENDERS)
    senders = [Sender.start() for _ in range(SENDERS)]
    start = time.perf_counter()
    for sent in [sender.ask((sink, each), block=False) for sender in senders]:
        sent.get()
    assert sink.ask("increment") == each * SENDERS + 1
    took = time.perf_counter() - start
    pykka.ActorRegistry.stop_all()
    return {"seconds": took * ask.n / (each * SENDERS)}


def spawn_stop(ask: Ask) -> Metrics:
    start = time.perf_counter()
    for _ in range(ask.n):
        Counter.start().stop()
    return {"seconds": time.perf_counter() - start}


class Node(pykka.ThreadingActor):
    """One of a ring: sends the token on, one hop less."""

    def __init__(self) -> None:
        super().__init__()
        self.next: pykka.ActorRef[Node] | None = None

    def on_receive(self, message: object) -> None:
        match message:
            case pykka.ActorRef() as following:
                self.next = following
            case (int(left), pykka.ThreadingFuture() as done):
                if left:
                    assert self.next is not None
                    self.next.tell((left - 1, done))
                else:
                    done.set(None)


def ring(ask: Ask) -> Metrics:
    nodes = [Node.start() for _ in range(NODES)]
    for node, following in zip(nodes, nodes[1:] + nodes[:1], strict=True):
        node.ask(following)
    done: pykka.ThreadingFuture[None] = pykka.ThreadingFuture()
    start = time.perf_counter()
    nodes[0].tell((ask.n, done))
    done.get()
    took = time.perf_counter() - start
    pykka.ActorRegistry.stop_all()
    return {"seconds": took}


def via(ask: Ask) -> Metrics:
    """Lookup in Pykka's own registry, by the urn of the actor."""
    urns = [Counter.start().actor_urn for _ in range(KEYS)]
    start = time.perf_counter()
    for i in range(ask.n):
        found = pykka.ActorRegistry.get_by_urn(urns[i % KEYS])
        assert found is not None
        found.ask("increment", timeout=5.0)
    took = time.perf_counter() - start
    pykka.ActorRegistry.stop_all()
    return {"seconds": took}


WORKLOADS: dict[str, Workload] = {
    "call": call,
    "cast": cast,
    "fan_in": fan_in,
    "ring": ring,
    "spawn_stop": spawn_stop,
    "via": via,
}
