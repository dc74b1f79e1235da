"""A soak of the whole system: trouble, a quiet moment, a look at what is held, and again.

    python -m tests.soak.system --minutes 3
    python -m tests.soak.system --minutes 30 --seed 7 --record
    python -m tests.soak.system --minutes 3 --leak timer     shows that it notices

Each round is some seconds of kills, floods and slow receivers, then silence until the
tree is up again and the lanes are empty, then a sample.  Ends with 0 when nothing grows, no
promise was broken and nothing is left at the stop; else with 1.  The seed fixes what is
chosen, not when things happen: the loop is a real one.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import suptree as st
from suptree.services import (
    BreakerConfig,
    BulkheadConfig,
    Concurrency,
    Every,
    Flag,
    HealthCheck,
    Job,
    Migration,
    MonitorSupervisor,
    ReadinessBoard,
    RetryPolicy,
    Run,
    Stage,
    TokenBucket,
    Watch,
    load_configuration,
)
from suptree.system import Branch, Declarations, Service, System, SystemSettings
from suptree.testing.leaks import Snapshot, loop_leaks
from suptree.testing.ledger import Ledger
from suptree.testing.sites import Sites
from tests.soak.acts import act
from tests.soak.answers import check_accounts, check_answers, check_returned
from tests.soak.book import Boom
from tests.soak.crowd import GO, Agent, Kind, Scene, Sender
from tests.soak.holdings import HELD, sample, series_of
from tests.soak.record import Report, commit, write
from tests.soak.samples import Samples
from tests.soak.trouble import KILLS_PER_SECOND, Killer
from tests.soak.verdict import Judged, judge_all

__all__ = ["main"]

LEAST_MINUTES: Final = 3.0
ROUND: Final = 4.0
QUIET: Final = 1.2
WARM_UP: Final = 0.2
"""The first part of a run, which does not count; at least a minute."""
CROWD: Final[dict[Kind, int]] = {"fast": 6, "slow": 4, "crashing": 3, "hanging": 2}
SENDERS: Final = 8
POOL: Final = 12
FOR_EVER: Final = 10**6
OVERFLOWS: Final = ("reject", "drop_oldest", "wait")
SETTLE: Final = 60.0


@dataclass(slots=True)
class Soak:
    """One soak as it goes on."""

    scene: Scene
    options: argparse.Namespace
    overflow: str
    commit: str
    samples: Samples
    kills: dict[str, int] = field(default_factory=dict[str, int])
    left: list[str] = field(default_factory=list[str])


def main(arguments: list[str] | None = None) -> int:
    """Run one soak; returns the exit code."""
    options = _parse(arguments)
    logging.getLogger("suptree").setLevel(logging.CRITICAL + 1)
    rng = random.Random(options.seed)
    overflow = options.overflow or rng.choice(OVERFLOWS)
    samples = Samples(room=round(60 * options.minutes / ROUND) + 1)
    run = Soak(Scene(options.seed, act), options, overflow, commit(), samples)
    print(
        f"soak: {options.minutes:g} min, --seed {options.seed}, {_loop_name(options)}, overflow {run.overflow!r}"
    )
    _loop_factory(options)().close()  # uvloop keeps a pipe of its own from the first loop on
    sites, before = Sites(), Snapshot.take()
    with asyncio.Runner(loop_factory=_loop_factory(options)) as runner:
        runner.run(_soak(run))
        loop = runner.get_loop()
        tasks = asyncio.all_tasks(loop)
        run.left += [str(one) for one in loop_leaks(loop, tasks, sites)]
    run.left += [str(one) for one in before.leaked_since(sites)]
    report = _report(run)
    print("\n".join(report.lines()))
    if options.record:
        write(report)
    return 0 if report.is_good() else 1


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.system", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--minutes", type=float, default=3.0, help="how long (3)")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 10**6))
    parser.add_argument("--loop", choices=("auto", "asyncio", "uvloop"), default="auto")
    parser.add_argument(
        "--overflow", choices=OVERFLOWS, help="what full lanes do; default: by the seed"
    )
    parser.add_argument("--record", action="store_true", help="write docs/reference/soak.md")
    parser.add_argument(
        "--leak", choices=sorted(LEAKS), help="leak one of these for each kill, on purpose"
    )
    options = parser.parse_args(arguments)
    if options.minutes < LEAST_MINUTES:
        parser.error(
            f"--minutes must be {LEAST_MINUTES:g} or more: the first one does not count, "
            "and less than two tell chance from growth badly."
        )
    return options


def _loop_name(options: argparse.Namespace) -> str:
    if options.loop != "auto":
        return str(options.loop)
    try:
        import uvloop  # noqa: F401
    except ImportError:
        return "asyncio"
    return "uvloop"


def _loop_factory(options: argparse.Namespace) -> Callable[[], asyncio.AbstractEventLoop]:
    if _loop_name(options) == "asyncio":
        return asyncio.new_event_loop
    import uvloop

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


# -- the system ----------------------------------------------------------------------------------------


def make_system(scene: Scene, overflow: str) -> System:
    """Everything that there is, with small bounds, so that what is bounded is full soon."""
    crowd = [
        Service(f"{kind}_{n}", st.child(Agent, scene, kind, f"system.crowd.{kind}_{n}"))
        for kind, count in CROWD.items()
        for n in range(count)
    ]
    scene.named = [f"system.crowd.{one.name}" for one in crowd]
    senders = [Service(f"sender_{n}", st.child(Sender, scene)) for n in range(SENDERS)]
    scene.senders = [f"system.senders.{one.name}" for one in senders]
    limits: dict[str, object] = {"max_restarts": FOR_EVER, "max_seconds": 5.0}
    declared = Declarations(
        breakers={"bank": BreakerConfig(reset_timeout=0.2)},
        retries={"mail": RetryPolicy.fixed(delay=0.01, retry_on=(Boom,))},
        limits={"api": TokenBucket(rate=200.0, burst=20), "seats": Concurrency(limit=3)},
        bulkheads={"db": BulkheadConfig(limit=2, max_waiting=4, timeout=0.1)},
        resources={"gpu": 3},
        flags=(Flag("new_path", default=True), Flag("router", default=False)),
        migrations=(
            Migration("routing", [Stage("half", {"router": 50}), Stage("all", {"router": True})]),
        ),
        jobs=(
            Job(trigger=Every(0.05), what=Run(_tick), id="tick"),
            Job(trigger=Every(1.0), what=Run(_tick), id="tock"),
        ),
        checks=(
            HealthCheck("fast", process=scene.named[0], interval=0.5),
            HealthCheck("slow", process=scene.named[-1], interval=0.5, timeout=0.2, critical=False),
        ),
        watch=[Watch(name, interval=0.5, timeout=0.2, rebind_within=None) for name in scene.named],
        services=(
            Branch("crowd", *crowd, needs=["managers"], max_restarts=FOR_EVER),
            Branch("senders", *senders, needs=["crowd", "observation"], max_restarts=FOR_EVER),
        ),
    )
    settings: dict[str, dict[str, object]] = {
        "supervision": limits,
        "agents": limits,
        "coordination": {
            "buffer": 100,
            "overflow": overflow,
            "ack_timeout": 0.5,
            "expires": 3.0,
            "breaker_reset": 1.0,  # so that no lane rests longer than a message waits
            "idle_after": 5.0,
            "history": 200,
        },
        "dead_letters": {"max_letters": 100, "max_age": 60.0},
        "signals": {"log_entries": 100},
    }
    overrides = {
        f"{section}.{key}": value
        for section, values in settings.items()
        for key, value in values.items()
    }
    configuration = load_configuration(SystemSettings, environ={}, overrides=overrides)
    scene.system = System(configuration, declared=declared)
    return scene.system


async def _tick() -> None:
    await asyncio.sleep(0)


# -- one run -----------------------------------------------------------------------------------------------


async def _soak(run: Soak) -> None:
    scene = run.scene
    async with st.Runtime(name="soak") as runtime:
        runtime.telemetry.attach("soak", "suptree.process.crashed", scene.book.crashed)
        system = make_system(scene, run.overflow)
        await runtime.start(system)
        services = {
            name: scene.path(name)
            for name in system.tree.start_order()
            if scene.path(name) not in (*scene.named, *scene.senders)
        }
        killer = Killer(scene, runtime)
        await _settle(scene, runtime)
        began, told = runtime.now(), 0.0
        while (since := runtime.now() - began) < 60 * run.options.minutes:
            _open(scene)
            await killer.rage(ROUND)
            scene.gate.clear()
            if not await _settle(scene, runtime):
                break
            await check_returned(scene)
            check_accounts(scene, runtime)
            run.samples.note(runtime.now() - began, sample(runtime, services))
            if run.options.leak:
                for _ in range(LEAKED):
                    LEAKS[run.options.leak]()
            if since - told > 60:
                told = since
                _say(run, since)
        run.kills = dict(killer.kills)
        await check_answers(scene)
        await st.applications().stop("system")
        names = [name for name in runtime.registered() if name.startswith("system")]
        run.left += [f"name: {name!r}" for name in names]
    run.left += [str(one) for one in Ledger(Sites()).leaks_of(runtime)]


def _say(run: Soak, since: float) -> None:
    last = run.samples.last()
    counted = ", ".join(
        f"{last[name]:,.0f} {name}"
        for name in ("memory in use, MB", "objects", "processes", "timers", "monitors")
    )
    print(
        f"soak: {since / 60:.0f} min, {sum(run.scene.book.ends.values()):,} messages; {counted}; {run.scene.book.broken} breaches",
        flush=True,
    )


def _open(scene: Scene) -> None:
    scene.gate.set()
    for sender in scene.senders:
        if st.whereis(sender) is not None:
            st.send(sender, GO)


async def _settle(scene: Scene, runtime: st.Runtime) -> bool:
    """Silence: nothing under way, the tree up, lanes empty, as many agents as before."""
    conditions: dict[str, Callable[[], Awaitable[bool]]] = {
        "senders are done": lambda: _so(not scene.running),
        "the tree is up": lambda: _is_up(scene),
        "the crowd is full": lambda: _fill(scene),
        "the lanes are empty": lambda: _are_lanes_empty(scene, runtime),
    }
    for what, is_so in conditions.items():
        end = runtime.now() + SETTLE
        while not await is_so():
            if runtime.now() > end:
                scene.book.breach(f"not so after {SETTLE:g} quiet seconds: {what}")
                return False
            await asyncio.sleep(0.05)
    await asyncio.sleep(QUIET)
    return True


async def _so(value: bool) -> bool:
    return value


async def _is_up(scene: Scene) -> bool:
    _wake(scene)
    if not all(st.whereis(scene.path(name)) for name in scene.system.tree.start_order()):
        return False
    try:
        return (await ReadinessBoard.report(scene.path("readiness"))).ready
    except st.SuptreeError:
        return False


def _wake(scene: Scene) -> None:
    """Kill who hangs: nobody else would."""
    while scene.hung:
        st.exit(scene.hung.pop(), st.KILL)


async def _fill(scene: Scene) -> bool:
    """As many agents without names as there are to be, and only the monitors that were declared."""
    _wake(scene)
    try:
        children = await st.DynamicSupervisor.which_children(scene.path("agents"))
        scene.pool = [one.pid for one in children if isinstance(one.pid, st.Pid)]
        if len(children) < POOL:
            kind: Kind = scene.rng.choice(tuple(CROWD))
            await scene.system.start_agent(st.child(Agent, scene, kind))
            return False
        monitors = scene.path("monitors")
        for target in MonitorSupervisor.list_monitored_agents(monitors):
            if isinstance(target, st.Pid):
                await MonitorSupervisor.stop_monitoring(monitors, target)
    except st.SuptreeError:
        return False
    return len(scene.pool) == POOL


async def _are_lanes_empty(scene: Scene, runtime: st.Runtime) -> bool:
    _wake(scene)
    process = runtime.names.get(scene.path("coordination"))
    if process is None or process.server is None:
        return False
    router: Any = process.server._router
    return not sum(lane.load() for lane in router.lanes.values())


def _report(run: Soak) -> Report:
    options, scene = run.options, run.scene
    warm_up = max(60.0, WARM_UP * 60 * options.minutes)
    times, values = run.samples.since(warm_up)
    held = [name.removeprefix(HELD) for name in values if name.startswith(HELD)]
    rows: list[Judged] = []
    if len(times) >= 3:
        rows = judge_all(series_of(held), times, values)
    else:
        scene.book.breach(f"only {len(times)} samples after the warm-up: too few to judge")
    return Report(
        commit=run.commit,
        minutes=options.minutes,
        seed=options.seed,
        loop=_loop_name(options),
        overflow=run.overflow,
        warm_up=warm_up,
        samples=len(times),
        rows=rows,
        kills=run.kills,
        acts=dict(scene.acts),
        ends=dict(scene.book.ends),
        refusals=dict(scene.book.refusals),
        crashes=dict(scene.book.crashes),
        breaches=[f"{what} ({count} times)" for what, count in scene.book.breaches.items()],
        broken=scene.book.broken,
        left=run.left,
    )


# -- leaks on purpose ------------------------------------------------------------------------------------------

LEAKED: Final = int(ROUND * KILLS_PER_SECOND)
"""As if one were left behind by each kill; of memory, by each message."""
KEPT: list[object] = []
"""What keeps alive that is leaked."""


async def _idle() -> None:
    await asyncio.Event().wait()


def _kept(task: asyncio.Task[None]) -> asyncio.Task[None]:
    """One that nobody knows is no leak: the loop holds it weakly, and it waits for what only it knows."""
    KEPT.append(task)
    return task


LEAKS: Final[dict[str, Callable[[], object]]] = {
    "descriptor": lambda: os.dup(0),
    "memory": lambda: KEPT.extend(str(n) * 20 for n in range(100)),
    "monitor": lambda: st.monitor(st.spawn(_idle)),
    "process": lambda: st.spawn(_idle),
    "task": lambda: _kept(asyncio.get_running_loop().create_task(_idle())),
    "timer": lambda: st.send_after(10_000.0, "never"),
}


if __name__ == "__main__":
    sys.exit(main())
