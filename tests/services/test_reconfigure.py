"""Every service whose settings are live: what other bounds do, and that nothing is lost for them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    Acknowledged,
    BreakerConfig,
    BulkheadConfig,
    Bulkheads,
    Cache,
    CircuitBreakers,
    Concurrency,
    CoordinationManager,
    DeadLetterQueue,
    FeatureFlags,
    Flag,
    FlagChanged,
    FlagDeclarationError,
    FlagSetting,
    Health,
    HealthCheck,
    HealthMonitor,
    LanePolicy,
    LimitExceededError,
    Metric,
    Metrics,
    RateLimiter,
    Rejected,
    ResourceManager,
    RetryBudget,
    RetryPolicy,
    RetryService,
    SchedulerFullError,
    SchedulerManager,
    Signal,
    SignalBus,
    SubscriptionLimitError,
    TokenBucket,
    TooManyBreakersError,
    TooManyBulkheadsError,
    TooManyChecksError,
    TooManyKeysError,
    TooManyLimitersError,
    TooManyRetryPoliciesError,
)
from suptree.telemetry import Event
from suptree.testing import wait_until

pytestmark = pytest.mark.suptree_loop("virtual")

SOLD = Event("test.lamp.sold", measurements={"count": "1"}, metadata={"shop": "which"}, doc="One.")


class Slow(st.GenServer):
    """Answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[st.ReplyTo] = []
        self.seen: list[Any] = []

    def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
        if request == "how many":
            return len(self.seen)
        self.seen.append(request)
        self.asked.append(sender)
        return st.NoReply()

    def handle_cast(self, message: Any) -> None:
        for sender in self.asked:
            self.reply(sender, "done")
        self.asked.clear()


def ask(server: Any, *requests: Any, **options: Any) -> list[asyncio.Task[Any]]:
    """Send messages through the router, in order."""
    return [
        asyncio.create_task(CoordinationManager.coordinate(server, "slow", one, **options))
        for one in requests
    ]


async def turn(times: int = 20) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


# -- what is refused -------------------------------------------------------------------------------

WRONG: list[tuple[Any, dict[str, Any]]] = [
    (Metrics, {"max_series": 0}),
    (ResourceManager, {"max_waiting": -1}),
    (CircuitBreakers, {"max_breakers": 0}),
    (Bulkheads, {"max_bulkheads": True}),
    (Cache, {"max_entries": 0}),
    (Cache, {"default_ttl": -1.0}),
    (Cache, {"cleanup_interval": float("nan")}),
    (Cache, {"max_waiting": 0}),
    (RetryService, {"max_policies": 0}),
    (RetryService, {"budget": 3}),
    (RateLimiter, {"max_keys": 0}),
    (RateLimiter, {"max_waiting": -1}),
    (RateLimiter, {"max_limiters": "many"}),
    (RateLimiter, {"cleanup_interval": float("nan")}),
    (SignalBus, {"log_entries": -1}),
    (SignalBus, {"max_subscriptions": 0}),
    (SignalBus, {"max_dead_letters": 1.5}),
    (SignalBus, {"max_blocked": -1}),
    (SchedulerManager, {"max_jobs": 0}),
    (SchedulerManager, {"clock_check": float("inf")}),
    (CoordinationManager, {"policy": {"buffer": 1}}),
    (CoordinationManager, {"max_lanes": 0}),
    (CoordinationManager, {"idle_after": 0}),
    (CoordinationManager, {"history": -1}),
    (DeadLetterQueue, {"max_letters": 0}),
    (DeadLetterQueue, {"max_age": float("inf")}),
    (HealthMonitor, {"max_concurrency": 0}),
    (HealthMonitor, {"max_checks": 0}),
    (HealthMonitor, {"history": "long"}),
]


@pytest.mark.parametrize(("server", "wrong"), WRONG)
async def test_a_wrong_bound_is_refused_in_the_caller_with_its_name(runtime, server, wrong):
    pid = await server.start_link()
    before = await st.sys.get_state(pid)
    (field,) = wrong

    with pytest.raises(ValueError, match=f"{server.__name__}.reconfigure: .*{field}"):
        await server.reconfigure(pid, **wrong)

    assert await st.sys.get_state(pid) == before


# -- coordination ------------------------------------------------------------------------------------


@pytest.fixture
async def slow(runtime: st.Runtime) -> Any:
    return await st.child(Slow).with_(name="slow").start_link()


async def test_messages_that_wait_stay_when_the_buffer_gets_smaller_and_new_ones_are_rejected(
    runtime, slow
):
    router = await CoordinationManager.start_link()
    waiting = ask(router, 1, 2, 3, 4, wait=50.0)
    await turn()

    await CoordinationManager.reconfigure(router, policy=LanePolicy(buffer=1))
    refused = await CoordinationManager.coordinate(router, "slow", 5)
    for _ in range(4):
        st.GenServer.cast(slow, "answer")
        await turn()

    assert isinstance(refused, Rejected)
    assert [type(await one) for one in waiting] == [Acknowledged] * 4


async def test_senders_that_wait_for_a_place_get_it_when_the_buffer_gets_larger(runtime, slow):
    router = await CoordinationManager.start_link(policy=LanePolicy(buffer=1, overflow="wait"))
    senders = ask(router, 1, 2, 3, 4, wait=1.0)
    await turn()

    await CoordinationManager.reconfigure(router, policy=LanePolicy(buffer=5, overflow="wait"))
    outcomes = await asyncio.gather(*senders)

    assert [type(one).__name__ for one in outcomes] == ["Buffered"] * 4  # 'Rejected' while parked


async def test_a_receiver_with_a_policy_of_its_own_keeps_it(runtime, slow):
    router = await CoordinationManager.start_link(policies={"slow": LanePolicy(buffer=7)})
    asked = ask(router, 1, 2)
    await turn()

    await CoordinationManager.reconfigure(router, policy=LanePolicy(buffer=0))

    assert (await CoordinationManager.coordinate(router, "slow", 3, wait=0.0)).position == 2
    for one in asked:
        one.cancel()


async def test_a_breaker_that_is_given_other_numbers_keeps_its_state(runtime):
    frail = BreakerConfig(failure_threshold=1, reset_timeout=1000.0)
    once = RetryPolicy.fixed(delay=0.1, max_attempts=1)
    router = await CoordinationManager.start_link(policy=LanePolicy(breaker=frail, retry=once))

    class Frail(st.GenServer):
        def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
            raise ValueError(request)

    spec = st.child(Frail).with_(name="slow")
    await st.Supervisor.start_link([spec], max_restarts=100)
    await CoordinationManager.coordinate(router, "slow", 1)

    await CoordinationManager.reconfigure(
        router, policy=LanePolicy(breaker=BreakerConfig(failure_threshold=9), retry=once)
    )
    (kept,) = await CoordinationManager.lanes(router)
    await CoordinationManager.reconfigure(router, policy=LanePolicy(breaker=None, retry=once))
    (without,) = await CoordinationManager.lanes(router)

    assert (kept.breaker, without.breaker) == ("open", "none")


async def test_a_history_that_is_too_long_gets_shorter_with_what_comes(runtime, slow):
    router = await CoordinationManager.start_link()
    for n in range(6):
        ask(router, n, wait=0.0)
    await turn()
    for _ in range(6):
        st.GenServer.cast(slow, "answer")
        await turn()
    kept = (await st.sys.get_state(router))["_router"].ended
    assert len(kept) == 6

    await CoordinationManager.reconfigure(router, history=3)
    for n in range(3):
        ask(router, n, wait=0.0)
        await turn()
        st.GenServer.cast(slow, "answer")
        await turn()

    assert len(kept) == 3


async def test_a_lane_is_forgotten_by_the_new_time_though_the_old_one_was_long(runtime, slow):
    router = await CoordinationManager.start_link(idle_after=100_000.0)
    asked = ask(router, 1)
    await turn()
    st.GenServer.cast(slow, "answer")
    await asyncio.gather(*asked)

    await CoordinationManager.reconfigure(router, idle_after=1.0)
    await asyncio.sleep(2.1)

    assert (await CoordinationManager.stats(router)).lanes == 0


async def test_lanes_that_are_there_stay_and_a_new_one_is_refused(runtime, slow):
    router = await CoordinationManager.start_link()
    asked = ask(router, 1, wait=50.0)
    await st.child(Slow).with_(name="other").start_link()
    await turn()

    await CoordinationManager.reconfigure(router, max_lanes=1)

    assert (await CoordinationManager.coordinate(router, "other", 1)).why == "buffer_full"
    st.GenServer.cast(slow, "answer")
    assert isinstance(await asked[0], Acknowledged)


# -- dead letters --------------------------------------------------------------------------------------


async def letters(queue: Any, count: int) -> None:
    for n in range(count):
        DeadLetterQueue.add(queue, "nobody", n, "test", 1, n)
    await DeadLetterQueue.stats(queue)


async def test_a_smaller_limit_throws_no_letter_away_and_each_new_one_pushes_one_out(runtime):
    queue = await DeadLetterQueue.start_link()
    await letters(queue, 5)

    await DeadLetterQueue.reconfigure(queue, max_letters=2)
    held = (await DeadLetterQueue.stats(queue)).held
    await letters(queue, 3)

    stats = await DeadLetterQueue.stats(queue)
    assert held == 5
    assert (stats.held, stats.dropped_full) == (5, 3)


async def test_a_shorter_age_holds_for_all_letters_and_what_goes_is_counted(runtime):
    queue = await DeadLetterQueue.start_link()
    await letters(queue, 5)
    await asyncio.sleep(10.0)

    await DeadLetterQueue.reconfigure(queue, max_age=11.0)
    await letters(queue, 1)
    await asyncio.sleep(1.1)

    stats = await DeadLetterQueue.stats(queue)
    assert (stats.held, stats.dropped_expired) == (1, 5)


# -- limits -----------------------------------------------------------------------------------------------


async def test_keys_in_use_and_who_waits_stay_when_bounds_get_smaller(runtime):
    limits = await RateLimiter.start_link({"one": Concurrency(limit=1)})
    entered: list[int] = []

    async def hold(n: int, leave: asyncio.Event) -> None:
        async with RateLimiter.hold(limits, "one", "ada", timeout=50.0):
            entered.append(n)
            await leave.wait()

    leave = asyncio.Event()
    holders = [asyncio.create_task(hold(n, leave)) for n in range(3)]
    await turn()
    await RateLimiter.reconfigure(limits, max_keys=1, max_waiting=1, max_limiters=1)

    with pytest.raises(LimitExceededError, match="too many"):
        await hold(4, leave)
    with pytest.raises(TooManyKeysError):
        async with RateLimiter.hold(limits, "one", "bob"):
            pass
    with pytest.raises(TooManyLimitersError):
        await RateLimiter.configure(limits, "two", Concurrency(limit=1))
    leave.set()
    await asyncio.gather(*holders)
    assert entered == [0, 1, 2]


async def test_a_longer_line_holds_for_keys_that_are_there(runtime):
    limits = await RateLimiter.start_link({"one": TokenBucket(rate=1.0, burst=1)}, max_waiting=0)
    await RateLimiter.check(limits, "one", "ada")
    with pytest.raises(LimitExceededError):
        await RateLimiter.acquire(limits, "one", "ada")

    await RateLimiter.reconfigure(limits, max_waiting=1)

    assert (await RateLimiter.acquire(limits, "one", "ada")).allowed


async def test_another_interval_of_clean_ups_holds_from_the_next_one_on(runtime):
    limits = await RateLimiter.start_link(
        {"one": TokenBucket(rate=1.0, burst=1)}, cleanup_interval=10.0
    )
    cleaned: list[float] = []
    runtime.telemetry.attach(
        "test", "suptree.limit.keys.cleaned", lambda *_: cleaned.append(runtime.now())
    )
    began = runtime.now()

    await RateLimiter.reconfigure(limits, cleanup_interval=1.0)
    await asyncio.sleep(12.5)

    assert [round(at - began) for at in cleaned] == [10, 11, 12]


# -- breakers, bulkheads, retries, resources ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "field", "value", "error"),
    [
        (CircuitBreakers, "max_breakers", BreakerConfig(), TooManyBreakersError),
        (Bulkheads, "max_bulkheads", BulkheadConfig(limit=1), TooManyBulkheadsError),
        (RetryService, "max_policies", RetryPolicy.fixed(delay=1.0), TooManyRetryPoliciesError),
    ],
)
async def test_what_is_there_stays_and_one_more_is_refused(runtime, server, field, value, error):
    pid = await server.start_link({"a": value, "b": value})

    await server.reconfigure(pid, **{field: 1})

    with pytest.raises(error):
        await server.configure(pid, "c", value)
    await server.configure(pid, "b", value)
    await server.reconfigure(pid, **{field: 3})
    await server.configure(pid, "c", value)


async def test_what_is_left_of_a_budget_of_retries_stays_up_to_the_new_capacity(runtime):
    retries = await RetryService.start_link(budget=RetryBudget(capacity=10.0, per_second=0.0))

    await RetryService.reconfigure(retries, budget=RetryBudget(capacity=4.0, per_second=0.0))
    small = (await RetryService.stats(retries)).budget_left
    await RetryService.reconfigure(retries, budget=RetryBudget(capacity=20.0, per_second=1.0))
    large = (await RetryService.stats(retries)).budget_left
    await asyncio.sleep(3.0)

    assert (small, large) == (4.0, 4.0)
    assert (await RetryService.stats(retries)).budget_left == pytest.approx(7.0)


async def test_who_waits_for_resources_goes_on_waiting_and_one_more_is_refused(runtime):
    manager = await ResourceManager.start_link({"gpu": 1})
    first = await ResourceManager.acquire(manager, "gpu")
    waiting = [
        asyncio.create_task(ResourceManager.acquire(manager, "gpu", timeout=50.0)) for _ in range(2)
    ]
    await turn()

    await ResourceManager.reconfigure(manager, max_waiting=1)

    with pytest.raises(st.SuptreeError, match="wait"):
        await ResourceManager.acquire(manager, "gpu", timeout=50.0)
    await ResourceManager.release(manager, first)
    await ResourceManager.release(manager, await waiting[0])
    await waiting[1]


# -- metrics ---------------------------------------------------------------------------------------------------


async def test_series_that_are_there_stay_and_a_new_one_goes_to_the_others(runtime):
    metrics = await Metrics.start_link([Metric.counter(SOLD, tags=("shop",))])
    for shop in "abc":
        runtime.telemetry.emit(SOLD, {"count": 1}, {"shop": shop})

    await Metrics.reconfigure(metrics, max_series=2)
    for shop in "abcd":
        runtime.telemetry.emit(SOLD, {"count": 1}, {"shop": shop})

    snapshot = await Metrics.snapshot(metrics)
    assert [snapshot.get("test.lamp.sold", shop=shop) for shop in "abc"] == [2.0, 2.0, 2.0]
    assert snapshot.get("test.lamp.sold", shop="d") is None
    assert snapshot.overflow == 1


# -- signals -----------------------------------------------------------------------------------------------------


async def test_a_log_that_is_too_long_gets_shorter_with_what_comes_and_replays_what_it_has(runtime):
    bus = await SignalBus.start_link()

    async def publish(count: int) -> None:
        for _ in range(count):
            await SignalBus.publish(bus, Signal(type="a.b", source="/test"))

    await publish(10)
    await SignalBus.reconfigure(bus, log_entries=4)
    lengths = [(await SignalBus.stats(bus)).log_len]
    for _ in range(8):
        await publish(1)
        lengths.append((await SignalBus.stats(bus)).log_len)

    assert lengths == [10, 9, 8, 7, 6, 5, 4, 4, 4]
    assert (await SignalBus.stats(bus)).log_dropped == 14


async def test_subscriptions_that_are_there_stay_and_one_more_is_refused(runtime):
    bus = await SignalBus.start_link()
    for id in "abc":
        await SignalBus.subscribe(bus, "**", id=id)

    await SignalBus.reconfigure(bus, max_subscriptions=2)

    with pytest.raises(SubscriptionLimitError):
        await SignalBus.subscribe(bus, "**", id="d")
    assert (await SignalBus.stats(bus)).subscriptions == 3


# -- scheduler ------------------------------------------------------------------------------------------------------


async def test_jobs_that_are_there_stay_and_one_more_is_refused(runtime):
    scheduler = await SchedulerManager.start_link()
    for _ in range(3):
        await SchedulerManager.after(scheduler, 1.0, "come")

    await SchedulerManager.reconfigure(scheduler, max_jobs=2)

    with pytest.raises(SchedulerFullError):
        await SchedulerManager.after(scheduler, 1.0, "come")
    assert [await st.receive(str, timeout=5.0) for _ in range(3)] == ["come"] * 3


async def test_the_wall_clock_is_looked_at_by_the_new_time_at_once(runtime):
    wall = [1_000_000.0]
    scheduler = await SchedulerManager.start_link(
        clock_check=1000.0, wall=lambda: wall[0] + runtime.now()
    )
    await SchedulerManager.at(scheduler, wall[0] + runtime.now() + 5000.0, "come")

    await SchedulerManager.reconfigure(scheduler, clock_check=1.0)
    wall[0] += 5000.0
    began = runtime.now()
    await st.receive(str, timeout=900.0)

    assert runtime.now() - began <= 2.0


# -- health ---------------------------------------------------------------------------------------------------------


async def test_more_looks_run_at_once_when_there_are_more_places(runtime):
    gate = asyncio.Event()
    running = 0

    async def check() -> Health:
        nonlocal running
        running += 1
        await gate.wait()
        return Health.HEALTHY

    checks = [HealthCheck(f"c{n}", check, timeout=50.0) for n in range(4)]
    monitor = await HealthMonitor.start_link(checks, max_concurrency=1, jitter=0.0)
    await wait_until(lambda: running == 1)

    await HealthMonitor.reconfigure(monitor, max_concurrency=3)
    await wait_until(lambda: running == 3)
    await HealthMonitor.reconfigure(monitor, max_concurrency=1)

    assert (await HealthMonitor.stats(monitor)).running == 3
    gate.set()
    await wait_until(lambda: running == 4)


async def test_a_history_is_cut_to_the_new_length_and_the_newest_looks_stay(runtime):
    monitor = await HealthMonitor.start_link([HealthCheck("c", lambda: Health.HEALTHY)])
    for _ in range(5):
        await HealthMonitor.force_health_check(monitor, "c")
    before = await HealthMonitor.get_history(monitor, "c")

    await HealthMonitor.reconfigure(monitor, history=2)
    cut = await HealthMonitor.get_history(monitor, "c")
    await HealthMonitor.force_health_check(monitor, "c")

    assert cut == before[-2:]
    assert len(await HealthMonitor.get_history(monitor, "c")) == 2


async def test_checks_that_are_there_stay_and_one_more_is_refused(runtime):
    checks = [HealthCheck(f"c{n}", lambda: Health.HEALTHY) for n in range(3)]
    monitor = await HealthMonitor.start_link(checks)

    await HealthMonitor.reconfigure(monitor, max_checks=2)

    with pytest.raises(TooManyChecksError):
        await HealthMonitor.register_check(monitor, HealthCheck("d", lambda: Health.HEALTHY))
    assert (await HealthMonitor.stats(monitor)).checks == 3


# -- flags ----------------------------------------------------------------------------------------------------------


async def test_another_configuration_of_flags_holds_at_once_and_subscribers_hear_of_it(runtime):
    flags = [Flag("a", default=False), Flag("b", default=False), Flag("c", default=False)]
    server = await FeatureFlags.start_link(flags, settings={"a": True, "b": True})
    await FeatureFlags.subscribe(server)
    await FeatureFlags.set(server, "c", 10)
    await st.receive(FlagChanged, timeout=1.0)

    settings = {"b": True, "c": True, "a": FlagSetting(0.0, allow=("ada",))}
    await FeatureFlags.reconfigure(server, settings=settings)
    changed = await st.receive(FlagChanged, timeout=1.0)

    assert changed.flag == "a"
    assert FeatureFlags.enabled("a", "ada")
    assert not FeatureFlags.enabled("a", "bob")
    assert FeatureFlags.enabled("b")
    assert not FeatureFlags.enabled("c")  # what was set goes over it
    await FeatureFlags.reset(server, "c")
    assert FeatureFlags.enabled("c")


@pytest.mark.parametrize("wrong", [{"bb": True}, {"a": 101}, {"a": "on"}, ["a"]])
async def test_a_wrong_configuration_of_flags_changes_nothing(runtime, wrong):
    server = await FeatureFlags.start_link([Flag("a", default=True)])

    with pytest.raises(FlagDeclarationError):
        await FeatureFlags.reconfigure(server, settings=wrong)

    assert FeatureFlags.enabled("a")
