"""AutoGen core: agents of a `SingleThreadedAgentRuntime`; a call is `send_message`, a cast is publishing to a topic."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from importlib.metadata import version

from autogen_core import (
    AgentId,
    DefaultTopicId,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    default_subscription,
    message_handler,
)

from benchmarks.protocol import Ask, Metrics
from benchmarks.worker import Workload

VERSION = version("autogen-core")
logging.getLogger("autogen_core").setLevel(logging.CRITICAL)
logging.getLogger("autogen_core.events").setLevel(logging.CRITICAL)


@dataclass
class Increment:
    """What is called, and cast."""

    suspend: bool = False


@dataclass
class Count:
    """What is answered."""

    value: int


@default_subscription
class Counter(RoutedAgent):
    """The agent that is called."""

    def __init__(self) -> None:
        super().__init__("a counter")
        self.count = 0

    @message_handler
    async def increment(self, message: Increment, ctx: MessageContext) -> Count:
        if message.suspend:
            await asyncio.sleep(0)
        self.count += 1
        return Count(self.count)


async def _calls(n: int, message: Increment) -> Metrics:
    runtime = SingleThreadedAgentRuntime()
    await Counter.register(runtime, "counter", Counter)
    runtime.start()
    counter = AgentId("counter", "default")
    start = time.perf_counter()
    for _ in range(n):
        await runtime.send_message(message, counter)
    took = time.perf_counter() - start
    await runtime.stop()
    return {"seconds": took}


async def call(ask: Ask) -> Metrics:
    return await _calls(ask.n, Increment())


async def call_suspending(ask: Ask) -> Metrics:
    return await _calls(ask.n, Increment(suspend=True))


async def cast(ask: Ask) -> Metrics:
    runtime = SingleThreadedAgentRuntime()
    await Counter.register(runtime, "counter", Counter)
    runtime.start()
    start = time.perf_counter()
    for _ in range(ask.n):
        await runtime.publish_message(Increment(), DefaultTopicId())
    await runtime.stop_when_idle()
    return {"seconds": time.perf_counter() - start}


WORKLOADS: dict[str, Workload] = {"call": call, "call_suspending": call_suspending, "cast": cast}
