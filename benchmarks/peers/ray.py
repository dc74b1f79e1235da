"""Ray on this machine alone: an actor is an operating-system process, each message crosses between two."""

from __future__ import annotations

import logging
import time
from importlib.metadata import version
from typing import Any

import ray

from benchmarks.protocol import Ask, Metrics
from benchmarks.worker import Workload

VERSION = version("ray")
ray.init(num_cpus=1, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)


@ray.remote(num_cpus=0)
class Counter:
    """The actor that is called."""

    def __init__(self) -> None:
        self.count = 0

    def increment(self) -> int:
        self.count += 1
        return self.count


def _counter() -> Any:
    remote: Any = Counter
    counter = remote.remote()
    ray.get(counter.increment.remote())
    return counter


def call(ask: Ask) -> Metrics:
    counter = _counter()
    start = time.perf_counter()
    for _ in range(ask.n):
        ray.get(counter.increment.remote(), timeout=5.0)
    took = time.perf_counter() - start
    ray.kill(counter)
    return {"seconds": took}


def cast(ask: Ask) -> Metrics:
    counter = _counter()
    start = time.perf_counter()
    for _ in range(ask.n):
        counter.increment.remote()
    assert ray.get(counter.increment.remote()) == ask.n + 2
    took = time.perf_counter() - start
    ray.kill(counter)
    return {"seconds": took}


def spawn_stop(ask: Ask) -> Metrics:
    """A start is an interpreter here, so that few are enough."""
    few = max(1, ask.n // 40)
    start = time.perf_counter()
    for _ in range(few):
        ray.kill(_counter())
    return {"seconds": (time.perf_counter() - start) * ask.n / few}


WORKLOADS: dict[str, Workload] = {"call": call, "cast": cast, "spawn_stop": spawn_stop}
