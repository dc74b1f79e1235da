"""What senders do: each function uses one service once, as a user would, and leaves nothing for long.

They run in processes that may be killed at every `await`; what they hold is then for the
services to take back.  The errors of the services are part of the day.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

import suptree as st
from suptree.core import current_process
from suptree.services import (
    AgentExistsError,
    AgentRegistry,
    Barriers,
    Buffered,
    Bulkheads,
    Cache,
    CircuitBreakers,
    ConfigServer,
    Consensus,
    Context,
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
    Run,
    SchedulerManager,
    Signal,
    SignalBus,
    SignalDelivery,
    where,
)
from suptree.services import Register as RegisterAgent
from suptree.services import Unregister as UnregisterAgent
from suptree.system import SystemSettings
from tests.soak.book import Boom, Entry
from tests.soak.crowd import FLOOD, Scene

__all__ = ["ACTS", "act"]

FLOODED: Final = 150
"""More than a lane holds."""


async def act(scene: Scene, rng: random.Random) -> str:
    """One thing; returns its name."""
    (what,) = rng.choices(list(ACTS), [weight for weight, _ in ACTS.values()])
    await ACTS[what][1](scene, rng)
    return what


def _receiver(scene: Scene, rng: random.Random) -> st.Pid[Any] | str:
    return rng.choice(scene.pool if scene.pool and rng.random() < 0.3 else scene.named)


def _receivers(scene: Scene, rng: random.Random) -> list[st.Pid[Any] | str]:
    return [_receiver(scene, rng) for _ in range(rng.randint(1, 5))]


def _me() -> str:
    process = current_process()
    return "nobody" if process is None or process.name is None else process.name


# -- messages ---------------------------------------------------------------------------------------


async def coordinate(scene: Scene, rng: random.Random) -> None:
    """One message to one agent; who is told to look later does so, once."""
    router, to = scene.path("coordination"), _receiver(scene, rng)
    with scene.book.sent(scene.book.parcel(), to) as entry:
        wait = rng.choice((0.0, 0.05, 1.0))
        entry.outcome = await CoordinationManager.coordinate(router, to, entry.parcel, wait=wait)
        await _look_again(router, entry, rng.choice((0.0, 0.5)))


async def _look_again(router: str, entry: Entry, wait: float) -> None:
    if isinstance(entry.outcome, Buffered):
        try:
            entry.outcome = await CoordinationManager.outcome(router, entry.outcome.id, wait=wait)
        except st.SuptreeError:  # the router was killed, or has another one since
            return


async def flood(scene: Scene, rng: random.Random) -> None:
    """More than a lane holds, in order, without waiting; agents are flooded beside the router too."""
    router, to, name = scene.path("coordination"), rng.choice(scene.named), _me()
    st.send(to, FLOOD)
    for _ in range(FLOODED):
        with scene.book.sent(scene.book.parcel(name), to) as entry:
            entry.outcome = await CoordinationManager.coordinate(router, to, entry.parcel, wait=0.0)
    for _ in range(5 * FLOODED):
        st.send(to, FLOOD)


async def distribute(scene: Scene, rng: random.Random) -> None:
    """A task to whoever has the least to do."""
    to = _receivers(scene, rng)
    with scene.book.sent(scene.book.parcel(), to) as entry:
        entry.outcome = await CoordinationManager.distribute(
            scene.path("coordination"), to, entry.parcel, wait=0.5
        )


async def delegate(scene: Scene, rng: random.Random) -> None:
    """A task down a hierarchy of one."""
    to = _receiver(scene, rng)
    with scene.book.sent(scene.book.parcel(), to) as entry:
        entry.outcome = await CoordinationManager.delegate(
            scene.path("coordination"), to, entry.parcel, wait=0.5
        )


async def broadcast(scene: Scene, rng: random.Random) -> None:
    """News to a context; everybody in it has an outcome."""
    router, name, to = scene.path("coordination"), _me(), _receivers(scene, rng)
    with contextlib.suppress(
        st.SuptreeError
    ):  # there was none: it was closed with who was before us
        await CoordinationManager.close_context(router, name)
    await CoordinationManager.open_context(router, name, to)
    strategy = rng.choice(("best_effort", "all_or_nothing", "at_least_one"))
    said = await CoordinationManager.broadcast(
        router, Context(name), scene.book.parcel(), strategy=strategy, wait=0.2
    )
    silent = set(to) - set(said.outcomes)
    if any(isinstance(one, str) or st.is_alive(one) for one in silent):  # the dead have left
        scene.book.breach("a broadcast has no outcome for a receiver that lives")
    if rng.random() < 0.9:
        await CoordinationManager.close_context(router, name)


async def dead_letters(scene: Scene, rng: random.Random) -> None:
    """Look at them, send some again, throw some away."""
    letters = await DeadLetterQueue.letters(scene.path("dead_letters"), limit=20)
    unordered = [one.number for one in letters if not getattr(one.message, "sender", "")]
    numbers = rng.sample(unordered, min(3, len(unordered)))
    if rng.random() < 0.3:
        await DeadLetterQueue.purge(scene.path("dead_letters"), numbers)
    else:
        await CoordinationManager.redrive(
            scene.path("coordination"), scene.path("dead_letters"), numbers
        )


async def signals(scene: Scene, rng: random.Random) -> None:
    """Subscribe an agent and oneself, publish, and stay subscribed now and then."""
    bus, name, agent = scene.path("signals"), _me(), rng.choice(scene.named)
    delivery = SignalDelivery(
        ack=True, max_in_flight=10, max_pending=50, ack_timeout=1.0, absence=5.0
    )
    await SignalBus.subscribe(bus, f"{name}.**", id=name)
    await SignalBus.subscribe(bus, "*.*.*.news", agent, id=f"{agent} acks", delivery=delivery)
    kinds = [rng.choice(("news", "gossip")) for _ in range(rng.choice((1, 5, 50)))]
    published = await SignalBus.publish(
        bus, [Signal(type=f"{name}.{kind}", source="/soak") for kind in kinds]
    )
    if len(published.receipts) != len(kinds):
        scene.book.breach(f"{len(kinds)} signals have {len(published.receipts)} receipts")
    if rng.random() < 0.8:
        await SignalBus.unsubscribe(bus, name)


# -- what protects --------------------------------------------------------------------------------


async def _may_fail(rng: random.Random) -> None:
    await asyncio.sleep(0)
    if rng.random() < 0.3:
        raise Boom


async def breakers(scene: Scene, rng: random.Random) -> None:
    """A call that may fail."""
    with contextlib.suppress(Boom):
        await CircuitBreakers.run(scene.path("breakers"), "bank", _may_fail, rng)


async def retries(scene: Scene, rng: random.Random) -> None:
    """A call that may fail, and again."""
    with contextlib.suppress(Boom):
        await RetryService.run(scene.path("retries"), "mail", _may_fail, rng)


async def limits(scene: Scene, rng: random.Random) -> None:
    """Check, wait for, and hold."""
    server, who = scene.path("limits"), f"user {rng.randrange(50)}"
    await RateLimiter.check(server, "api", who)
    if rng.random() < 0.5:
        await RateLimiter.acquire(server, "api", who, timeout=0.05)
    async with RateLimiter.hold(server, "seats", timeout=0.1):
        await asyncio.sleep(0.005)


async def bulkheads(scene: Scene, rng: random.Random) -> None:
    """Inside, for a moment."""
    await Bulkheads.run(scene.path("bulkheads"), "db", asyncio.sleep, 0.005)


async def cache(scene: Scene, rng: random.Random) -> None:
    """What is not there is computed, once for all who want it; now and then it is forgotten."""
    server, key = scene.path("cache"), rng.randrange(200)
    value = await Cache.get_or_compute(
        server, key, lambda: asyncio.sleep(0.005, key), ttl=rng.uniform(0.1, 5.0), timeout=0.5
    )
    if value != key:
        scene.book.breach(f"the cache gave {value} for {key}")
    if rng.random() < 0.1:
        await Cache.delete(server, key)


async def resources(scene: Scene, rng: random.Random) -> None:
    """Tokens that are given back, or left to their time to live."""
    manager = scene.path("resources")
    token = await ResourceManager.acquire(manager, "gpu", timeout=0.1, ttl=0.5)
    await asyncio.sleep(0.005)
    if rng.random() < 0.9:
        await ResourceManager.release(manager, token)


# -- what agrees -------------------------------------------------------------------------------------


async def leases(scene: Scene, rng: random.Random) -> None:
    """Hold one, or leave it to its time to live."""
    server = scene.path("leases")
    lease = await Leases.acquire(server, f"lease {rng.randrange(4)}", ttl=0.5, timeout=0.2)
    await asyncio.sleep(0.005)
    if rng.random() < 0.9:
        await Leases.release(server, lease)


async def barriers(scene: Scene, rng: random.Random) -> None:
    """Meet another sender, or wait in vain."""
    await Barriers.arrive(scene.path("barriers"), "lunch", 2, timeout=0.2)


async def elections(scene: Scene, rng: random.Random) -> None:
    """Stand, and resign or not."""
    await Elections.stand(scene.path("elections"), "mayor")
    if rng.random() < 0.7:
        await Elections.resign(scene.path("elections"), "mayor")


async def consensus(scene: Scene, rng: random.Random) -> None:
    """A ballot of one, or one that nobody comes to."""
    server = scene.path("consensus")
    others = rng.sample(scene.pool, min(2, len(scene.pool)))
    participants = [st.current(), *others] if rng.random() < 0.2 else [st.current()]
    ballot = await Consensus.propose(server, "lunch", participants, timeout=0.2)
    await Consensus.vote(server, ballot, True)
    await Consensus.result(server, ballot)


# -- the rest ------------------------------------------------------------------------------------------


async def scheduler(scene: Scene, rng: random.Random) -> None:
    """Jobs that come, are cancelled, run functions, or are left to their owner's end."""
    server, me = scene.path("scheduler"), _me()
    match rng.randrange(4):
        case 0:
            await SchedulerManager.after(server, rng.uniform(0.0, 0.5), FLOOD)
        case 1:
            job = await SchedulerManager.every(server, 0.1, FLOOD)
            await SchedulerManager.run_now(server, job)
            await SchedulerManager.cancel(server, job)
        case 2:
            await SchedulerManager.every(server, 0.5, FLOOD, id=f"of {me}")
        case _:
            await SchedulerManager.after(server, 0.01, Run(_may_fail, (random.Random(0),)))


async def flags(scene: Scene, rng: random.Random) -> None:
    """Look, toggle, and move a migration on or back."""
    server = scene.path("flags")
    FeatureFlags.enabled("new_path", f"user {rng.randrange(50)}", fallback=True)
    await FeatureFlags.set(server, "new_path", rng.choice((True, False, 50)))
    progress = FeatureFlags.progress("routing")
    if progress.stage == "all" or rng.random() < 0.2:
        await FeatureFlags.emergency_rollback(server, "soak")
    else:
        await FeatureFlags.advance(server, "routing", "all" if progress.stage else "half")


async def registry(scene: Scene, rng: random.Random) -> None:
    """Register agents by what they can do, ask, change, and take some out."""
    server, id = scene.path("agent_registry"), f"agent {rng.randrange(50)}"
    metadata = {
        "capability": [rng.choice("abc")],
        "health_status": "healthy",
        "node": "n",
        "resources": {},
    }
    pid = rng.choice(scene.pool) if scene.pool else st.current()
    try:
        await AgentRegistry.register(server, id, metadata, pid=pid)
    except AgentExistsError:
        await AgentRegistry.update(server, id, metadata)
    AgentRegistry.query(server, where("capability") == "a")
    if rng.random() < 0.5:
        await AgentRegistry.unregister(server, id)
    extra = f"extra of {_me()}"
    operations = [RegisterAgent(extra, st.current(), metadata), UnregisterAgent(extra)]
    await AgentRegistry.batch(server, operations)


async def monitors(scene: Scene, rng: random.Random) -> None:
    """Have somebody watched for a while."""
    if not scene.pool:
        return
    server, target = scene.path("monitors"), rng.choice(scene.pool)
    await MonitorSupervisor.start_monitoring(server, target, interval=1.0, timeout=0.2)
    await MonitorSupervisor.force_health_check(server, target)
    if rng.random() < 0.7:
        await MonitorSupervisor.stop_monitoring(server, target)


async def looks(scene: Scene, rng: random.Random) -> None:
    """Everything that is only looked at."""
    await HealthMonitor.verdict(scene.path("health"))
    await ReadinessBoard.report(scene.path("readiness"))
    await Metrics.snapshot(scene.path("metrics"))
    await CoordinationManager.lanes(scene.path("coordination"))
    await SchedulerManager.stats(scene.path("scheduler"))
    ConfigServer.current(SystemSettings)
    await ReadinessBoard.wait_ready(scene.path("readiness"), "coordination", timeout=0.1)


async def tasks(scene: Scene, rng: random.Random) -> None:
    """A task that nobody waits for, and one that is waited for."""
    server = scene.path("tasks")
    await st.TaskSupervisor.start_child(server, asyncio.sleep, 0.01)
    task = await st.TaskSupervisor.async_nolink(server, asyncio.sleep, 0.001, 7)
    await task


ACTS: Final[dict[str, tuple[int, Callable[[Scene, random.Random], Awaitable[None]]]]] = {
    "coordinate": (30, coordinate),
    "flood": (4, flood),
    "distribute": (8, distribute),
    "delegate": (4, delegate),
    "broadcast": (4, broadcast),
    "dead letters": (3, dead_letters),
    "signals": (6, signals),
    "breakers": (4, breakers),
    "retries": (3, retries),
    "limits": (4, limits),
    "bulkheads": (4, bulkheads),
    "cache": (4, cache),
    "resources": (4, resources),
    "leases": (4, leases),
    "barriers": (2, barriers),
    "elections": (3, elections),
    "consensus": (3, consensus),
    "scheduler": (5, scheduler),
    "flags": (3, flags),
    "registry": (5, registry),
    "monitors": (3, monitors),
    "looks": (2, looks),
    "tasks": (4, tasks),
}
