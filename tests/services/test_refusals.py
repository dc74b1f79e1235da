"""A wrong argument is raised in the caller, names its field, and leaves the service as it was."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    BreakerConfig,
    BulkheadConfig,
    Bulkheads,
    CircuitBreakers,
    Concurrency,
    ConnectionPool,
    ConnectionPoolLease,
    ConnectionPoolSpec,
    HealthCheck,
    HealthMonitor,
    Metrics,
    MonitorSupervisor,
    RateLimiter,
    ResourceManager,
    ResourceToken,
    RetryPolicy,
    RetryService,
    SampledEvents,
    Signal,
    SignalBus,
    SignalReceived,
    SlidingWindow,
)
from suptree.telemetry import Event

NAN = float("nan")
HUGE = 10**400
SENT = Event("app.mail.sent", measurements={"size_bytes": "bytes"}, doc="A mail went out.")


class Ugly:
    """Neither shown, nor compared, nor hashed, without an error."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no eq")

    def __hash__(self) -> int:
        raise RuntimeError("no hash")


class Prickly(str):
    """A text that is none to a dict."""

    __slots__ = ()
    __eq__ = Ugly.__eq__
    __hash__ = Ugly.__hash__


UGLY: Any = Ugly()
PRICKLY: Any = Prickly("x")
NAMES: list[Any] = [[], {}, 5, NAN, None, b"a", "", Ugly, UGLY, PRICKLY]
NUMBERS: list[Any] = [NAN, float("inf"), -1, HUGE, "1", [], True, UGLY]
COUNTS: list[Any] = [NAN, -1, 1.0, "1", [], True, UGLY]
PIDS: list[Any] = [5, [], "someone", UGLY, PRICKLY]
FUNCTIONS: list[Any] = [5, None, "f", [], UGLY]


async def fine(*_: object) -> bool:
    return True


async def connect() -> list[str]:
    return []


LISTS = ConnectionPoolSpec(name="lists", connect=connect, close=list.clear, min_size=0)


@dataclass(frozen=True, slots=True)
class Service:
    """How it is started, what it counts, and every client with each of its arguments left out.

    Attributes:
        start: Gives the address of a running one.
        counts: What must be as before.
        clients: "client field" -> asks it with one value for that field, and the values that
            are none.
    """

    start: Callable[[], Awaitable[Any]]
    counts: Callable[[Any], Awaitable[Any]]
    clients: dict[str, tuple[Callable[[Any, Any], Any], list[Any]]]


async def start_pool() -> Any:
    await ConnectionPool.start_link(LISTS)
    return LISTS


async def start_monitors() -> str:
    await MonitorSupervisor.child(name="monitors").start_link()
    return "monitors"


async def monitor_counts(monitors: str) -> Any:
    return MonitorSupervisor.stats(monitors)


def token(**fields: Any) -> Any:
    pid: Any = st.current()
    return ResourceToken(
        **{"id": 1, "type": "upload", "amount": 1, "owner": pid, "manager": pid, **fields}
    )


def lease(**fields: Any) -> Any:
    return ConnectionPoolLease(
        **{"id": 1, "connection": [], "pool": st.current(), "broken_on": (), **fields}
    )


def received(**fields: Any) -> Any:
    given = {"signal": Signal("a.b", source="/t"), "subscription": "x", "seq": 1, "attempt": 1}
    return SignalReceived(**{**given, "bus": st.current(), "ack": True, **fields})


SERVICES: dict[str, Service] = {
    "breakers": Service(
        lambda: CircuitBreakers.start_link({"bank": BreakerConfig()}),
        CircuitBreakers.all,
        {
            "reconfigure max_breakers": (
                lambda at, it: CircuitBreakers.reconfigure(at, max_breakers=it),
                [*COUNTS, 0],
            ),
            "run name": (lambda at, it: CircuitBreakers.run(at, it, fine), NAMES),
            "run function": (lambda at, it: CircuitBreakers.run(at, "bank", it), FUNCTIONS),
            "guard name": (lambda at, it: CircuitBreakers.guard(at, it), NAMES),
            "status name": (lambda at, it: CircuitBreakers.status(at, it), NAMES),
            "configure name": (
                lambda at, it: CircuitBreakers.configure(at, it, BreakerConfig()),
                NAMES,
            ),
            "configure config": (
                lambda at, it: CircuitBreakers.configure(at, "bank", it),
                [None, {}, UGLY, BulkheadConfig()],
            ),
            "remove name": (lambda at, it: CircuitBreakers.remove(at, it), NAMES),
            "open name": (lambda at, it: CircuitBreakers.open(at, it), NAMES),
            "close name": (lambda at, it: CircuitBreakers.close(at, it), NAMES),
            "reset name": (lambda at, it: CircuitBreakers.reset(at, it), NAMES),
        },
    ),
    "retries": Service(
        lambda: RetryService.start_link({"bank": RetryPolicy.fixed()}),
        RetryService.stats,
        {
            "reconfigure max_policies": (
                lambda at, it: RetryService.reconfigure(at, max_policies=it),
                [*COUNTS, 0],
            ),
            "reconfigure budget": (
                lambda at, it: RetryService.reconfigure(at, budget=it),
                [5, {}, UGLY],
            ),
            "run name": (lambda at, it: RetryService.run(at, it, fine), NAMES),
            "run function": (lambda at, it: RetryService.run(at, "bank", it), FUNCTIONS),
            "checked name": (lambda at, it: RetryService.checked(at, it, None), NAMES),
            "checked reject": (
                lambda at, it: RetryService.checked(at, "bank", it),
                [5, "f", [], UGLY],
            ),
            "configure name": (
                lambda at, it: RetryService.configure(at, it, RetryPolicy.fixed()),
                NAMES,
            ),
            "configure policy": (
                lambda at, it: RetryService.configure(at, "bank", it),
                [None, {}, UGLY],
            ),
            "remove name": (lambda at, it: RetryService.remove(at, it), NAMES),
        },
    ),
    "limits": Service(
        lambda: RateLimiter.start_link(
            {"mail": SlidingWindow(limit=2, per=60.0), "cpu": Concurrency(limit=1)}
        ),
        RateLimiter.stats,
        {
            "reconfigure max_keys": (
                lambda at, it: RateLimiter.reconfigure(at, max_keys=it),
                [*COUNTS, 0],
            ),
            "reconfigure max_waiting": (
                lambda at, it: RateLimiter.reconfigure(at, max_waiting=it),
                COUNTS,
            ),
            "reconfigure max_limiters": (
                lambda at, it: RateLimiter.reconfigure(at, max_limiters=it),
                [*COUNTS, 0],
            ),
            "reconfigure cleanup_interval": (
                lambda at, it: RateLimiter.reconfigure(at, cleanup_interval=it),
                [*NUMBERS, 0],
            ),
            "check limiter": (lambda at, it: RateLimiter.check(at, it), NAMES),
            "check who": (
                lambda at, it: RateLimiter.check(at, "mail", it),
                [5, [], None, UGLY, PRICKLY],
            ),
            "check cost": (lambda at, it: RateLimiter.check(at, "mail", cost=it), [*NUMBERS, 0]),
            "acquire limiter": (lambda at, it: RateLimiter.acquire(at, it), NAMES),
            "acquire who": (
                lambda at, it: RateLimiter.acquire(at, "mail", it),
                [5, [], UGLY, PRICKLY],
            ),
            "acquire cost": (lambda at, it: RateLimiter.acquire(at, "mail", cost=it), NUMBERS),
            "acquire timeout": (
                lambda at, it: RateLimiter.acquire(at, "mail", timeout=it),
                NUMBERS,
            ),
            "hold limiter": (lambda at, it: RateLimiter.hold(at, it), NAMES),
            "hold who": (lambda at, it: RateLimiter.hold(at, "cpu", it), [5, [], UGLY, PRICKLY]),
            "hold timeout": (lambda at, it: RateLimiter.hold(at, "cpu", timeout=it), NUMBERS),
            "status limiter": (lambda at, it: RateLimiter.status(at, it), NAMES),
            "status who": (
                lambda at, it: RateLimiter.status(at, "mail", it),
                [5, [], UGLY, PRICKLY],
            ),
            "configure limiter": (
                lambda at, it: RateLimiter.configure(at, it, Concurrency(limit=1)),
                NAMES,
            ),
            "configure limit": (
                lambda at, it: RateLimiter.configure(at, "mail", it),
                [None, 5, UGLY],
            ),
            "remove limiter": (lambda at, it: RateLimiter.remove(at, it), NAMES),
        },
    ),
    "bulkheads": Service(
        lambda: Bulkheads.start_link({"bank": BulkheadConfig()}),
        Bulkheads.all,
        {
            "reconfigure max_bulkheads": (
                lambda at, it: Bulkheads.reconfigure(at, max_bulkheads=it),
                [*COUNTS, 0],
            ),
            "run name": (lambda at, it: Bulkheads.run(at, it, fine), NAMES),
            "run function": (lambda at, it: Bulkheads.run(at, "bank", it), FUNCTIONS),
            "guard name": (lambda at, it: Bulkheads.guard(at, it), NAMES),
            "status name": (lambda at, it: Bulkheads.status(at, it), NAMES),
            "configure name": (
                lambda at, it: Bulkheads.configure(at, it, BulkheadConfig()),
                NAMES,
            ),
            "configure config": (
                lambda at, it: Bulkheads.configure(at, "bank", it),
                [None, {}, UGLY, BreakerConfig()],
            ),
            "remove name": (lambda at, it: Bulkheads.remove(at, it), NAMES),
        },
    ),
    "resources": Service(
        lambda: ResourceManager.start_link({"upload": 2}),
        ResourceManager.stats,
        {
            "reconfigure max_waiting": (
                lambda at, it: ResourceManager.reconfigure(at, max_waiting=it),
                COUNTS,
            ),
            "acquire type": (lambda at, it: ResourceManager.acquire(at, it), NAMES),
            "acquire amount": (
                lambda at, it: ResourceManager.acquire(at, "upload", it),
                [NAN, -1, "1", [], True, UGLY, 0, 1.0, None],
            ),
            "acquire costs": (
                lambda at, it: ResourceManager.acquire(at, "upload", costs=it),
                [5, [], "x", UGLY, {"memory": -1}, {5: 1}],
            ),
            "acquire metadata": (
                lambda at, it: ResourceManager.acquire(at, "upload", metadata=it),
                [5, [1], "x", UGLY],
            ),
            "acquire timeout": (
                lambda at, it: ResourceManager.acquire(at, "upload", timeout=it),
                [*NUMBERS, None],
            ),
            "acquire ttl": (
                lambda at, it: ResourceManager.acquire(at, "upload", ttl=it),
                [*NUMBERS, 0],
            ),
            "acquire owner": (
                lambda at, it: ResourceManager.acquire(at, "upload", owner=it),
                PIDS,
            ),
            "release token": (
                lambda at, it: ResourceManager.release(at, it() if callable(it) else it),
                [5, None, [], UGLY, lambda: token(id=[])],
            ),
            "tokens owner": (lambda at, it: ResourceManager.tokens(at, it), PIDS),
            "subscribe subscriber": (lambda at, it: ResourceManager.subscribe(at, it), PIDS),
            "unsubscribe subscriber": (lambda at, it: ResourceManager.unsubscribe(at, it), PIDS),
        },
    ),
    "pools": Service(
        start_pool,
        ConnectionPool.stats,
        {
            "connection timeout": (
                lambda at, it: ConnectionPool.connection(at, timeout=it),
                NUMBERS,
            ),
            "checkout timeout": (lambda at, it: ConnectionPool.checkout(at, timeout=it), NUMBERS),
            "checkin lease": (
                lambda at, it: ConnectionPool.checkin(it() if callable(it) else it),
                [5, None, UGLY, lambda: lease(id=[]), lambda: lease(pool=[])],
            ),
            "discard lease": (
                lambda at, it: ConnectionPool.discard(it() if callable(it) else it),
                [5, None, UGLY, lambda: lease(id=[]), lambda: lease(pool=[])],
            ),
            "close timeout": (
                lambda at, it: ConnectionPool.close(at, timeout=it),
                [*NUMBERS, None],
            ),
        },
    ),
    "health": Service(
        lambda: HealthMonitor.start_link([HealthCheck("disk", fine)]),
        HealthMonitor.stats,
        {
            "reconfigure max_concurrency": (
                lambda at, it: HealthMonitor.reconfigure(at, max_concurrency=it),
                [*COUNTS, 0],
            ),
            "reconfigure max_checks": (
                lambda at, it: HealthMonitor.reconfigure(at, max_checks=it),
                [*COUNTS, 0],
            ),
            "reconfigure history": (
                lambda at, it: HealthMonitor.reconfigure(at, history=it),
                [*COUNTS, 0],
            ),
            "register_check check": (
                lambda at, it: HealthMonitor.register_check(at, it),
                [5, None, fine, [], UGLY],
            ),
            "register_check owner": (
                lambda at, it: HealthMonitor.register_check(at, HealthCheck("x", fine), owner=it),
                PIDS,
            ),
            "register_agent name": (
                lambda at, it: HealthMonitor.register_agent(at, it, "someone"),
                NAMES,
            ),
            "register_agent process": (
                lambda at, it: HealthMonitor.register_agent(at, "x", it),
                [5, [], "", UGLY, PRICKLY],
            ),
            "register_agent check": (
                lambda at, it: HealthMonitor.register_agent(at, "x", "someone", it),
                [5, [], "f", UGLY],
            ),
            "register_agent interval": (
                lambda at, it: HealthMonitor.register_agent(at, "x", "someone", interval=it),
                [*NUMBERS, 0, None],
            ),
            "register_agent timeout": (
                lambda at, it: HealthMonitor.register_agent(at, "x", "someone", timeout=it),
                [*NUMBERS, 0, None],
            ),
            "register_agent critical": (
                lambda at, it: HealthMonitor.register_agent(at, "x", "someone", critical=it),
                [5, None, [], UGLY],
            ),
            "unregister name": (lambda at, it: HealthMonitor.unregister(at, it), NAMES),
            "get_health_status name": (
                lambda at, it: HealthMonitor.get_health_status(at, it),
                NAMES,
            ),
            "get_history name": (lambda at, it: HealthMonitor.get_history(at, it), NAMES),
            "force_health_check name": (
                lambda at, it: HealthMonitor.force_health_check(at, it),
                NAMES,
            ),
        },
    ),
    "monitors": Service(
        start_monitors,
        monitor_counts,
        {
            "start_monitoring target": (
                lambda at, it: MonitorSupervisor.start_monitoring(at, it),
                [5, [], "", None, UGLY, PRICKLY],
            ),
            "start_monitoring check": (
                lambda at, it: MonitorSupervisor.start_monitoring(at, "x", it),
                [5, [], "f", UGLY],
            ),
            "start_monitoring interval": (
                lambda at, it: MonitorSupervisor.start_monitoring(at, "x", interval=it),
                [*NUMBERS, 0, None],
            ),
            "start_monitoring timeout": (
                lambda at, it: MonitorSupervisor.start_monitoring(at, "x", timeout=it),
                [*NUMBERS, 0, None],
            ),
            "start_monitoring fall": (
                lambda at, it: MonitorSupervisor.start_monitoring(at, "x", fall=it),
                [0, -1, NAN, 1.0, "1", True, None, UGLY],
            ),
            "start_monitoring rise": (
                lambda at, it: MonitorSupervisor.start_monitoring(at, "x", rise=it),
                [0, -1, NAN, 1.0, "1", True, None, UGLY],
            ),
            "start_monitoring rebind_within": (
                lambda at, it: MonitorSupervisor.start_monitoring(at, "x", rebind_within=it),
                [NAN, -1, HUGE, "1", [], UGLY],
            ),
            "start_monitoring jitter": (
                lambda at, it: MonitorSupervisor.start_monitoring(at, "x", jitter=it),
                [*NUMBERS, 2, None],
            ),
            "stop_monitoring target": (
                lambda at, it: MonitorSupervisor.stop_monitoring(at, it),
                [5, [], "", None, UGLY, PRICKLY],
            ),
            "get_health_status target": (
                lambda at, it: MonitorSupervisor.get_health_status(at, it),
                [5, [], "", None, UGLY, PRICKLY],
            ),
            "force_health_check target": (
                lambda at, it: MonitorSupervisor.force_health_check(at, it),
                [5, [], "", None, UGLY, PRICKLY],
            ),
        },
    ),
    "signals": Service(
        SignalBus.start_link,
        SignalBus.stats,
        {
            "reconfigure log_entries": (
                lambda at, it: SignalBus.reconfigure(at, log_entries=it),
                COUNTS,
            ),
            "reconfigure max_subscriptions": (
                lambda at, it: SignalBus.reconfigure(at, max_subscriptions=it),
                [*COUNTS, 0],
            ),
            "reconfigure max_dead_letters": (
                lambda at, it: SignalBus.reconfigure(at, max_dead_letters=it),
                [*COUNTS, 0],
            ),
            "reconfigure max_blocked": (
                lambda at, it: SignalBus.reconfigure(at, max_blocked=it),
                COUNTS,
            ),
            "publish signals": (
                lambda at, it: SignalBus.publish(at, it),
                [5, None, "a.b", [5], UGLY],
            ),
            "publish wait": (
                lambda at, it: SignalBus.publish(at, Signal("a.b", source="/t"), wait=it),
                [*NUMBERS, None],
            ),
            "subscribe path": (lambda at, it: SignalBus.subscribe(at, it), NAMES),
            "subscribe subscriber": (
                lambda at, it: SignalBus.subscribe(at, "a.b", it),
                [5, [], "", UGLY, PRICKLY],
            ),
            "subscribe id": (
                lambda at, it: SignalBus.subscribe(at, "a.b", id=it),
                [5, [], UGLY, PRICKLY],
            ),
            "subscribe priority": (
                lambda at, it: SignalBus.subscribe(at, "a.b", priority=it),
                [NAN, 101, HUGE, "1", [], True, UGLY],
            ),
            "subscribe match": (
                lambda at, it: SignalBus.subscribe(at, "a.b", match=it),
                [5, "f", [], fine, UGLY],
            ),
            "subscribe delivery": (
                lambda at, it: SignalBus.subscribe(at, "a.b", delivery=it),
                [5, {}, UGLY],
            ),
            "unsubscribe id": (
                lambda at, it: SignalBus.unsubscribe(at, it),
                [5, [], None, UGLY, PRICKLY],
            ),
            "ack received": (
                lambda at, it: SignalBus.ack(it() if callable(it) else it),
                [5, None, UGLY, lambda: received(seq=[]), lambda: received(subscription=PRICKLY)],
            ),
            "nack received": (
                lambda at, it: SignalBus.nack(it() if callable(it) else it),
                [5, None, UGLY, lambda: received(seq=[]), lambda: received(bus=5)],
            ),
            "replay path": (lambda at, it: SignalBus.replay(at, it), NAMES),
            "replay since": (
                lambda at, it: SignalBus.replay(at, since=it),
                [NAN, [], True, HUGE, UGLY, PRICKLY],
            ),
            "replay limit": (lambda at, it: SignalBus.replay(at, limit=it), [0, NAN, "1", UGLY]),
            "dead_letters subscription": (
                lambda at, it: SignalBus.dead_letters(at, subscription=it),
                [5, [], UGLY, PRICKLY],
            ),
            "dead_letters limit": (
                lambda at, it: SignalBus.dead_letters(at, limit=it),
                [0, NAN, "1", None, UGLY],
            ),
            "redrive subscription": (
                lambda at, it: SignalBus.redrive(at, subscription=it),
                [5, [], UGLY, PRICKLY],
            ),
            "redrive numbers": (
                lambda at, it: SignalBus.redrive(at, numbers=it),
                [5, "12", [[]], [NAN], UGLY],
            ),
            "purge_dead_letters subscription": (
                lambda at, it: SignalBus.purge_dead_letters(at, subscription=it),
                [5, [], UGLY, PRICKLY],
            ),
            "health timeout": (
                lambda at, it: SignalBus.health(at, timeout=it),
                [NAN, -1, "1", [], UGLY],
            ),
        },
    ),
    "sampled_events": Service(
        SampledEvents.start_link,
        SampledEvents.stats,
        {
            "emit_once_per event": (
                lambda at, it: SampledEvents.emit_once_per(at, it, 1.0, {}, {}),
                [5, None, "app.mail.sent", [], UGLY],
            ),
            "emit_once_per interval": (
                lambda at, it: SampledEvents.emit_once_per(at, SENT, it, {}, {}),
                [*NUMBERS, 0, None],
            ),
            "emit_once_per measurements": (
                lambda at, it: SampledEvents.emit_once_per(at, SENT, 1.0, it, {}),
                [5, None, [], UGLY],
            ),
            "emit_once_per metadata": (
                lambda at, it: SampledEvents.emit_once_per(at, SENT, 1.0, {}, it),
                [5, None, [], UGLY],
            ),
            "emit_once_per key": (
                lambda at, it: SampledEvents.emit_once_per(at, SENT, 1.0, {}, {}, key=it),
                [[], {}, ([],), UGLY],
            ),
            "batch event": (
                lambda at, it: SampledEvents.batch(at, it, {}, {}),
                [5, None, "app.mail.sent", UGLY],
            ),
            "batch measurements": (
                lambda at, it: SampledEvents.batch(at, SENT, it, {}),
                [5, None, [], UGLY],
            ),
            "batch metadata": (
                lambda at, it: SampledEvents.batch(at, SENT, {}, it),
                [5, None, [], UGLY],
            ),
        },
    ),
    "metrics": Service(
        Metrics.start_link,
        Metrics.snapshot,
        {
            "reconfigure max_series": (
                lambda at, it: Metrics.reconfigure(at, max_series=it),
                [*COUNTS, 0],
            ),
        },
    ),
}

CASES = [
    pytest.param(service, field, ask, values, id=f"{name}: {field}")
    for name, service in SERVICES.items()
    for field, (ask, values) in service.clients.items()
]


CLASSES = {
    "breakers": CircuitBreakers,
    "retries": RetryService,
    "limits": RateLimiter,
    "bulkheads": Bulkheads,
    "resources": ResourceManager,
    "pools": ConnectionPool,
    "health": HealthMonitor,
    "monitors": MonitorSupervisor,
    "signals": SignalBus,
    "sampled_events": SampledEvents,
    "metrics": Metrics,
}
ELSEWHERE = {"hold", "child", "children"}  # `acquire`, and what is a start and no request


@pytest.mark.parametrize("name", SERVICES)
def test_every_argument_of_every_client_is_in_the_table(name):
    cls = CLASSES[name]
    mine = [one for one in cls.__mro__ if one.__module__.startswith("suptree.services")]
    clients = {
        key: static if isinstance(static, staticmethod) else static.function
        for one in mine
        for key, static in vars(one).items()
        if key[0] != "_" and (isinstance(static, staticmethod) or hasattr(static, "function"))
    }
    wanted = {
        f"{key} {field}"
        for key, client in clients.items()
        if key not in ELSEWHERE or name == "limits"
        for field, one in list(inspect.signature(client).parameters.items())[1:]
        if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    }
    if name == "pools":  # a lease says itself which pool it is of
        wanted |= {"checkin lease", "discard lease"}
    if name == "signals":
        wanted |= {"ack received", "nack received"}

    assert wanted <= set(SERVICES[name].clients)


@pytest.mark.suptree_loop("virtual")
@pytest.mark.parametrize(("service", "client", "ask", "values"), CASES)
async def test_a_wrong_argument_is_raised_in_the_caller_and_the_service_is_as_before(
    runtime, service, client, ask, values
):
    at = await service.start()
    before = runtime.registered(), runtime.alive(), await service.counts(at)

    for value in values:
        with pytest.raises((st.SuptreeError, TypeError, ValueError)) as refusal:
            answer = ask(at, value)
            if isinstance(answer, Awaitable):
                await answer

        assert not isinstance(refusal.value, st.ServerExitError | st.CallTimeoutError)
        assert client.split()[1] in str(refusal.value)
        after = runtime.registered(), runtime.alive()
        assert (*after, await service.counts(at)) == before
