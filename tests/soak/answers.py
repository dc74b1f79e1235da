"""Does every service answer, and is everything back that was given out?  Asked at quiet moments."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import suptree as st
from suptree.services import (
    Acknowledged,
    AgentRegistry,
    Barriers,
    Bulkheads,
    Cache,
    CircuitBreakers,
    ConfigServer,
    Consensus,
    CoordinationManager,
    DeadLetterQueue,
    Elections,
    FeatureFlags,
    HealthMonitor,
    Leases,
    Metrics,
    MonitorSupervisor,
    RateLimiter,
    ReadinessBoard,
    ResourceManager,
    RetryService,
    SchedulerManager,
    SignalBus,
    SystemCommandManager,
    where,
)
from suptree.services.coordination.lane import EntryState
from suptree.system import SystemSettings
from tests.soak.crowd import Scene

__all__ = ["check_accounts", "check_answers", "check_returned"]

RETURNED_WITHIN: Final = 5
"""Seconds: the longest time to live of what is left to it, and a job that comes just now."""
Question = Callable[[str], Awaitable[object]]


async def _scheduler(server: str) -> object:
    await SchedulerManager.after(server, 0.01, "fired")
    return await st.receive(str, timeout=5.0)


async def _tasks(server: str) -> object:
    task = await st.TaskSupervisor.async_nolink(server, asyncio.sleep, 0.0)
    return await task


async def _registry(server: str) -> object:
    await AgentRegistry.register(
        server,
        "asked",
        {"capability": ["asked"], "health_status": "healthy", "node": "n", "resources": {}},
    )
    (found,) = AgentRegistry.query(server, where("capability") == "asked")
    return await AgentRegistry.unregister(server, found.id)


async def _now(value: object) -> object:
    return value


QUESTIONS: Final[dict[str, Question]] = {
    "configuration": lambda _: _now(ConfigServer.current(SystemSettings)),
    "tasks": _tasks,
    "metrics": Metrics.snapshot,
    "resources": ResourceManager.stats,
    "breakers": lambda server: CircuitBreakers.status(server, "bank"),
    "retries": RetryService.policies,
    "limits": lambda server: RateLimiter.check(server, "api", "asked"),
    "bulkheads": lambda server: Bulkheads.status(server, "db"),
    "cache": Cache.stats,
    "flags": FeatureFlags.stats,
    "signals": SignalBus.stats,
    "leases": Leases.stats,
    "barriers": Barriers.stats,
    "elections": Elections.stats,
    "consensus": Consensus.stats,
    "agent_registry": _registry,
    "scheduler": _scheduler,
    "commands": SystemCommandManager.stats,
    "dead_letters": DeadLetterQueue.stats,
    "coordination": CoordinationManager.stats,
    "health": HealthMonitor.verdict,
    "monitors": lambda server: _now(MonitorSupervisor.stats(server)),
    "readiness": ReadinessBoard.report,
}


async def check_answers(scene: Scene) -> None:
    """Use every service once, calmly; a breach for each that does not do its work."""
    for name, question in QUESTIONS.items():
        try:
            async with asyncio.timeout(10.0):
                await question(scene.path(name))
        except Exception as error:
            scene.book.breach(f"{name} does not answer: {error!r}")
    for agent in scene.named:
        if "crashing" in agent or "hanging" in agent:  # it may be what they crash or hang with
            continue
        parcel = scene.book.parcel()
        with scene.book.sent(parcel, agent) as entry:
            entry.outcome = await CoordinationManager.coordinate(
                scene.path("coordination"), agent, parcel
            )
        if not isinstance(entry.outcome, Acknowledged):
            scene.book.breach(f"{agent} does not answer: {entry.outcome}")


async def check_returned(scene: Scene) -> None:
    """A breach for everything that is still out after some quiet seconds, although nobody can hold it."""
    for left in reversed(range(RETURNED_WITHIN)):
        out = {what: count for what, count in (await _out(scene)).items() if count}
        if not out:
            return
        await asyncio.sleep(min(left, 1))
    for what, count in out.items():
        scene.book.breach(f"{count} {what} are out at a quiet moment")


async def _out(scene: Scene) -> dict[str, int]:
    resources = await ResourceManager.stats(scene.path("resources"))
    leases = await Leases.stats(scene.path("leases"))
    bulkhead = await Bulkheads.status(scene.path("bulkheads"), "db")
    return {
        "resource tokens": resources.tokens + resources.waiting,
        "leases": leases.held + leases.waiting,
        "calls in a bulkhead": bulkhead.inside + bulkhead.waiting,
        "holders of limits": (await RateLimiter.stats(scene.path("limits"))).owners,
        "runs of jobs": _long_runs(scene),
        "waiters at barriers": (await Barriers.stats(scene.path("barriers"))).waiting,
        "letters on loan": (await DeadLetterQueue.stats(scene.path("dead_letters"))).on_loan,
        "messages without an outcome": len(scene.book.open),
    }


def _long_runs(scene: Scene) -> int:
    """Runs of jobs that go on for long; all of them are of a moment."""
    runtime = st.current().runtime
    scheduler: Any = runtime.names.table[scene.path("scheduler")].server
    return sum(runtime.now() - run.began > 1.0 for run in scheduler._dispatch.runs.open.values())


def check_accounts(scene: Scene, runtime: st.Runtime) -> None:
    """What the router took in or over is answered, given up or still there, at every moment."""
    process = runtime.names.get(scene.path("coordination"))
    assert process is not None
    router: Any = process.server._router
    stats = router.count(0)
    ended = stats.acknowledged + stats.refused + stats.expired + stats.dead_lettered
    missing = stats.accepted + stats.taken_over - ended - stats.waiting
    if missing:
        scene.book.breach(f"{missing} messages are missing in {stats}")
    held = {
        entry.id
        for lane in router.lanes.values()
        for entry in lane.entries()
        if entry.state is not EntryState.ENDED
    }
    strays = router.buffered.keys() - held
    if strays:
        scene.book.breach(f"{len(strays)} buffered messages are in no lane")
