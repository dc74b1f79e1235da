"""Thespian in one process (`simpleSystemBase`): calls are `ask`, casts are `tell`."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import Any

from thespian.actors import Actor, ActorExitRequest, ActorSystem

from benchmarks.protocol import Ask, Metrics
from benchmarks.worker import Workload

VERSION = version("thespian")
NODES = 1_000


class Counter(Actor):
    """The actor that is called; it answers what is not a cast."""

    count = 0

    def receiveMessage(self, message: object, sender: object) -> None:
        if message == "increment":
            self.count += 1
            self.send(sender, self.count)
        elif message == "add":
            self.count += 1


def call(ask: Ask) -> Metrics:
    system = ActorSystem("simpleSystemBase")
    counter = system.createActor(Counter)
    start = time.perf_counter()
    for _ in range(ask.n):
        system.ask(counter, "increment", 5.0)
    took = time.perf_counter() - start
    system.shutdown()
    return {"seconds": took}


def cast(ask: Ask) -> Metrics:
    system = ActorSystem("simpleSystemBase")
    counter = system.createActor(Counter)
    start = time.perf_counter()
    for _ in range(ask.n):
        system.tell(counter, "add")
    assert system.ask(counter, "increment", 5.0) == ask.n + 1
    took = time.perf_counter() - start
    system.shutdown()
    return {"seconds": took}


def spawn_stop(ask: Ask) -> Metrics:
    system = ActorSystem("simpleSystemBase")
    start = time.perf_counter()
    for _ in range(ask.n):
        system.tell(system.createActor(Counter), ActorExitRequest())
    took = time.perf_counter() - start
    system.shutdown()
    return {"seconds": took}


class Node(Actor):
    """One of a ring: sends the token on, one hop less."""

    next: Any = None

    def receiveMessage(self, message: Any, sender: object) -> None:
        match message:
            case ("follow", following):
                self.next = following
                self.send(sender, "ok")
            case (int(left), asker):
                self.send(self.next, (left - 1, asker)) if left else self.send(asker, "done")
            case int(hops):
                self.send(self.next, (hops - 1, sender))


def ring(ask: Ask) -> Metrics:
    system = ActorSystem("simpleSystemBase")
    nodes = [system.createActor(Node) for _ in range(NODES)]
    for node, following in zip(nodes, nodes[1:] + nodes[:1], strict=True):
        system.ask(node, ("follow", following), 5.0)
    start = time.perf_counter()
    assert system.ask(nodes[0], ask.n, 600.0) == "done"
    took = time.perf_counter() - start
    system.shutdown()
    return {"seconds": took}


WORKLOADS: dict[str, Workload] = {
    "call": call,
    "cast": cast,
    "spawn_stop": spawn_stop,
    "ring": ring,
}
