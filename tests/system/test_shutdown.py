"""A system that is stopped in the middle of its work stops in order, in time, and leaves nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    CoordinationManager,
    ReadinessBoard,
    ResourceManager,
    SchedulerManager,
    Signal,
    SignalBus,
    TaskPoolManager,
    load_configuration,
)
from suptree.system import Declarations, System, SystemSettings
from suptree.testing import wait_until

pytestmark = pytest.mark.suptree_loop("virtual")  # deadlines are counted

AGENTS = 5
SENDERS = 30


class Slow(st.GenServer):
    """An agent that takes its time, and says goodbye."""

    trap_exit = True

    def __init__(self, farewells: list[object]) -> None:
        self.farewells = farewells

    async def handle_call(self, request: object, sender: st.ReplyTo) -> object:
        await asyncio.sleep(0.05)
        return request

    def handle_info(self, message: object) -> None:
        assert message == "tick"

    def terminate(self, reason: object) -> None:
        self.farewells.append(reason)


class Load:
    """Senders that use the system until it is gone, and note how each of their requests ended."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.begun = 0
        self.ended: Counter[str] = Counter()

    def requests(self, number: int) -> list[Callable[[], Coroutine[Any, Any, Any]]]:
        path = self.system.path_of
        agent = f"agent.{number % AGENTS}"

        async def schedule() -> None:
            await SchedulerManager.after(path("scheduler"), 0.1, "tick", owner=None, to=agent)

        async def hold() -> None:
            async with ResourceManager.hold(path("resources"), "upload", timeout=5.0):
                await asyncio.sleep(0.05)

        async def publish() -> None:
            await SignalBus.publish(path("signals"), Signal(type="load.one", source="/test"))
            await asyncio.sleep(0.01)

        return [
            lambda: _router(path("coordination"), agent, number),
            lambda: TaskPoolManager.run(path("task_pools"), "general", asyncio.sleep, 0.2),
            hold,
            publish,
            schedule,
        ]

    async def send(self, number: int) -> None:
        requests = self.requests(number)
        while True:
            for request in requests:
                self.begun += 1
                try:
                    await request()
                except (st.NoProcessError, st.ServerExitError) as error:
                    self.ended[type(error).__name__] += 1
                    return
                except st.SuptreeError as error:
                    self.ended[type(error).__name__] += 1
                    await asyncio.sleep(0.01)
                else:
                    self.ended["answered"] += 1


async def _router(router: str, agent: str, number: int) -> None:
    await CoordinationManager.coordinate(router, agent, number, wait=2.0)


async def test_a_system_under_load_stops_in_order_and_in_time_and_answers_everybody(
    runtime: st.Runtime,
) -> None:
    farewells: list[object] = []
    system = System(
        load_configuration(SystemSettings, environ={}),
        declared=Declarations(resources={"upload": 4}),
    )
    await runtime.start(system)
    await ReadinessBoard.wait_ready(system.path_of("readiness"), "agents", timeout=60.0)
    for number in range(AGENTS):
        await system.start_agent(st.child(Slow, farewells).with_(name=f"agent.{number}"))
    load = Load(system)
    senders = [runtime.spawn(load.send, number) for number in range(SENDERS)]
    await wait_until(lambda: load.ended["answered"] > 100, timeout=60.0)
    before = runtime.now()

    await st.applications().stop("system")

    assert runtime.now() - before < 10.0
    assert farewells == [st.SHUTDOWN] * AGENTS
    assert [name for name in system.tree.start_order() if st.whereis(system.path_of(name))] == []
    await wait_until(lambda: not any(one.is_alive() for one in senders), timeout=10.0)
    assert load.ended.total() == load.begun
    assert runtime.ticker.timers.live == 0
