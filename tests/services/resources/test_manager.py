"""The resource manager as its callers meet it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    BackPressureError,
    Budget,
    PressureChanged,
    ResourceAlert,
    ResourceDeniedError,
    ResourceLimit,
    ResourceManager,
    ResourceTimeoutError,
    ResourceToken,
    ResourceTokenError,
    UnknownResourceError,
    process_memory,
    table_entries,
)
from suptree.services.resources import events
from suptree.testing import wait_down, wait_mailbox_empty, wait_restarted, wait_until

pytestmark = pytest.mark.suptree_loop("virtual")  # they count seconds, exactly

acquire, release, stats = ResourceManager.acquire, ResourceManager.release, ResourceManager.stats


class Gauge:
    """A fake reader: says what the test wants it to."""

    def __init__(self, used: int = 0) -> None:
        self.used: Any = used
        self.asked = 0

    async def __call__(self) -> int:
        self.asked += 1
        if isinstance(self.used, Exception):
            raise self.used
        if self.used is None:
            await asyncio.sleep(1e6)
        return self.used


def holder(manager: Any, type: str, amount: int = 1, **options: Any) -> st.Pid[Any]:
    """A process that acquires and then does nothing."""

    async def hold() -> None:
        await acquire(manager, type, amount, **options)
        await st.receive()

    return st.spawn(hold)


async def line_of(manager: Any, length: int) -> None:
    """So many wait now; no time has passed."""
    await wait_until(lambda: len(manager._process.server.waiting) == length)


async def in_use(manager: Any, type: str) -> int:
    return (await stats(manager)).types[type].in_use


def listen(runtime: Any, *declared: Any) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    heard: list[Any] = []
    runtime.telemetry.attach_many(
        "test", declared, lambda e, n, f: heard.append((e.name, dict(n), dict(f)))
    )
    return heard


# -- limits -------------------------------------------------------------------------------


@pytest.mark.parametrize("type", ["register_agent", "upload", "socket"])
async def test_every_declared_type_is_limited_and_not_only_register_agent(runtime, type):
    manager = await ResourceManager.start_link({"register_agent": 2, "upload": 2, "socket": 2})
    await acquire(manager, type)
    await acquire(manager, type)

    with pytest.raises(ResourceDeniedError) as caught:
        await acquire(manager, type)
    assert (caught.value.why, caught.value.used, caught.value.limit) == ("limit", 2, 2)
    assert str(caught.value) == (
        f"ResourceManager: 1 of {type!r} cannot be acquired: {type!r} has 2 of 2 in use. "
        "Give timeout= to wait for it, hold less, or raise the limit."
    )


async def test_amounts_count_and_not_tokens(runtime):
    manager = await ResourceManager.start_link({"core": 8})
    token = await acquire(manager, "core", 6)

    with pytest.raises(ResourceDeniedError):
        await acquire(manager, "core", 3)
    await acquire(manager, "core", 2)
    assert await release(manager, token)
    assert await in_use(manager, "core") == 2


async def test_an_unknown_type_is_refused_with_the_nearest_name(runtime):
    manager = await ResourceManager.start_link({"upload": 1})

    with pytest.raises(UnknownResourceError) as caught:
        await acquire(manager, "uplaod")
    assert caught.value.near == "upload"
    assert "got 'uplaod', did you mean 'upload'?" in str(caught.value)
    assert (await stats(manager)).denied == {"unknown": 1}


async def test_with_a_default_every_type_has_that_limit(runtime):
    manager = await ResourceManager.start_link({"upload": 5}, default=1)
    token = await acquire(manager, "anything")

    with pytest.raises(ResourceDeniedError):
        await acquire(manager, "anything")
    await acquire(manager, "something else")
    await release(manager, token)
    assert set((await stats(manager)).types) == {"upload", "something else"}


async def test_what_can_never_be_had_is_refused_at_once_and_not_waited_for(runtime):
    manager = await ResourceManager.start_link(
        {"core": ResourceLimit(4, costs={"memory": 10})}, budgets={"memory": Budget(20)}
    )

    with pytest.raises(ResourceDeniedError, match="more than there is") as caught:
        await acquire(manager, "core", 5, timeout=60)
    assert caught.value.why == "too_large"
    with pytest.raises(ResourceDeniedError, match="'memory'"):
        await acquire(manager, "core", 3, timeout=60)
    assert (await stats(manager)).waiting == 0


# -- release ------------------------------------------------------------------------------


async def test_a_release_is_answered_true_once_and_false_ever_after(runtime):
    manager = await ResourceManager.start_link({"upload": 1})
    token = await acquire(manager, "upload")

    assert await release(manager, token) is True
    assert await release(manager, token) is False
    assert (await stats(manager)).released == 1
    assert await in_use(manager, "upload") == 0


async def test_a_release_takes_the_token_that_acquire_gave_and_no_other_id(runtime):
    manager = await ResourceManager.start_link({"register_agent": 1})
    token = await acquire(manager, "register_agent", metadata={"agent": "a-7"})

    for wrong in ("a-7", "register_agent", token.id, None):
        with pytest.raises(ResourceTokenError, match="must be the ResourceToken that acquire"):
            await release(manager, wrong)  # type: ignore[arg-type]
    assert token.metadata == {"agent": "a-7"}
    assert await release(manager, token)
    assert await in_use(manager, "register_agent") == 0


async def test_registering_and_leaving_a_thousand_times_leaves_nothing_behind(runtime):
    manager = await ResourceManager.start_link({"register_agent": 1})
    for _ in range(1000):
        async with ResourceManager.hold(manager, "register_agent", ttl=60):
            pass
        await wait_mailbox_empty(manager)

    seen = await stats(manager)
    assert (seen.tokens, seen.acquired, seen.released) == (0, 1000, 1000)
    server = manager._process.server
    assert len(server.owners) == len(server.due) == len(server.held) == 0
    assert len(server.due._heap) < 200


async def test_the_tokens_of_an_owner_are_back_the_moment_it_is_dead(runtime):
    manager = await ResourceManager.start_link({"upload": 3})
    pid = holder(manager, "upload", 3)
    await wait_until(lambda: manager._process.server.held)
    assert await in_use(manager, "upload") == 3
    before = runtime.now()

    st.exit(pid, st.KILL)
    await wait_down(pid)

    assert await in_use(manager, "upload") == 0
    assert (await stats(manager)).orphaned == 1
    assert runtime.now() == before


async def test_a_token_may_belong_to_another_process_than_the_caller(runtime):
    manager = await ResourceManager.start_link({"upload": 1})
    owner = runtime.spawn(st.receive)
    token = await acquire(manager, "upload", owner=owner)

    assert token.owner == owner
    assert await ResourceManager.tokens(manager, owner) == [token]
    assert await ResourceManager.tokens(manager, st.current()) == []
    st.exit(owner, "enough")
    await wait_down(owner)
    assert await ResourceManager.tokens(manager) == []


async def test_a_token_for_a_process_that_is_dead_already_is_back_at_once(runtime):
    manager = await ResourceManager.start_link({"upload": 1})
    dead = runtime.spawn(lambda: None)
    await wait_down(dead)

    await acquire(manager, "upload", owner=dead)
    await wait_mailbox_empty(manager)

    assert await in_use(manager, "upload") == 0


async def test_outside_every_process_a_token_needs_an_owner_or_an_end(runtime):
    manager = await ResourceManager.start_link({"upload": 2})

    async def outside(**options: Any) -> Any:
        return await acquire(manager, "upload", **options)

    from contextvars import Context

    loop = asyncio.get_running_loop()
    with pytest.raises(st.NotInProcessError, match="Give owner= or ttl="):
        await loop.create_task(outside(), context=Context())
    token = await loop.create_task(outside(ttl=5.0), context=Context())

    assert token.owner is None
    await asyncio.sleep(6)
    assert await in_use(manager, "upload") == 0


async def test_hold_gives_back_also_when_the_block_raises_or_is_cancelled(runtime):
    manager = await ResourceManager.start_link({"upload": 1})

    with pytest.raises(ValueError):
        async with ResourceManager.hold(manager, "upload"):
            raise ValueError
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1), ResourceManager.hold(manager, "upload"):
            await asyncio.sleep(10)
    await wait_mailbox_empty(manager)

    assert await in_use(manager, "upload") == 0


# -- ttl ----------------------------------------------------------------------------------


async def test_a_token_with_a_ttl_ends_when_that_is_over_and_not_before(runtime):
    manager = await ResourceManager.start_link({"upload": ResourceLimit(3, ttl=300)})
    short = await acquire(manager, "upload", ttl=10)
    await acquire(manager, "upload")

    await asyncio.sleep(9.9)
    assert await in_use(manager, "upload") == 2
    await asyncio.sleep(0.2)
    assert await in_use(manager, "upload") == 1
    assert await release(manager, short) is False
    await asyncio.sleep(290)

    seen = await stats(manager)
    assert (seen.tokens, seen.expired) == (0, 2)


# -- waiting --------------------------------------------------------------------------------


async def test_those_who_wait_are_served_in_the_order_in_which_they_came(runtime):
    manager = await ResourceManager.start_link({"upload": 1})
    token = await acquire(manager, "upload")
    served: list[int] = []

    async def worker(number: int) -> None:
        async with ResourceManager.hold(manager, "upload", timeout=60):
            served.append(number)

    workers = [runtime.spawn(worker, number) for number in range(20)]
    await line_of(manager, 20)
    await release(manager, token)
    for pid in workers:
        await wait_down(pid)

    assert served == list(range(20))


async def test_one_that_does_not_wait_does_not_overtake_those_who_do(runtime):
    manager = await ResourceManager.start_link({"core": 4})
    await acquire(manager, "core", 3)
    holder(manager, "core", 4, timeout=60)
    await line_of(manager, 1)

    with pytest.raises(ResourceDeniedError, match="others wait before it") as caught:
        await acquire(manager, "core", 1)
    assert caught.value.why == "queue"


async def test_a_wait_ends_with_its_timeout_and_says_what_was_in_the_way(runtime):
    manager = await ResourceManager.start_link({"upload": 1})
    await acquire(manager, "upload")
    before = runtime.now()

    with pytest.raises(ResourceTimeoutError, match=r"did not become free within 7\.5 s") as caught:
        await acquire(manager, "upload", timeout=7.5)
    assert isinstance(caught.value, TimeoutError)
    assert runtime.now() - before == pytest.approx(7.5)
    seen = await stats(manager)
    assert (seen.waiting, seen.denied) == (0, {"timeout": 1})


async def test_one_that_is_served_in_the_moment_in_which_its_time_is_over_has_it(runtime):
    manager = await ResourceManager.start_link({"upload": 1})
    await acquire(manager, "upload", ttl=10)
    waiting = asyncio.ensure_future(acquire(manager, "upload", timeout=10))
    await line_of(manager, 1)

    token = await waiting

    assert await release(manager, token) is True
    assert (await stats(manager)).waiting == 0


async def test_one_that_gives_up_lets_those_behind_it_go_on(runtime):
    manager = await ResourceManager.start_link({"core": 4})
    await acquire(manager, "core", 2)
    large = holder(manager, "core", 4, timeout=5)
    await line_of(manager, 1)
    small = asyncio.create_task(acquire(manager, "core", 1, timeout=60, owner=st.current()))
    before = runtime.now()

    await small

    assert runtime.now() - before == pytest.approx(5)
    await wait_down(large)


async def test_a_caller_that_is_cancelled_while_it_waits_leaves_the_line(runtime):
    manager = await ResourceManager.start_link({"upload": 1})
    token = await acquire(manager, "upload")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await acquire(manager, "upload", timeout=60)
    await wait_mailbox_empty(manager)
    assert (await stats(manager)).waiting == 0
    await release(manager, token)

    assert await in_use(manager, "upload") == 0


async def test_a_caller_whose_own_deadline_comes_first_leaves_the_line(runtime):
    runtime.propagator = st.ContextPropagator()
    manager = await ResourceManager.start_link({"upload": 1})
    await acquire(manager, "upload")

    class Front(st.GenServer):
        @st.call
        async def work(self) -> None:
            with pytest.raises(st.CallTimeoutError):
                await acquire(manager, "upload", timeout=60)

    front = await Front.start_link()
    with pytest.raises(st.CallTimeoutError):
        await Front.work.within(2.0)(front)
    await asyncio.sleep(0.5)

    assert (await stats(manager)).waiting == 0


async def test_a_token_that_a_cancelled_caller_never_saw_is_back(runtime):
    manager = await ResourceManager.start_link({"upload": 1})
    token = await acquire(manager, "upload")
    waiter = asyncio.create_task(acquire(manager, "upload", timeout=60, owner=st.current()))
    await line_of(manager, 1)
    runtime.telemetry.attach("late", events.RESOURCE_ACQUIRED, lambda *_: waiter.cancel())

    await release(manager, token)  # it is granted, and cancelled before it has run
    with pytest.raises(asyncio.CancelledError):
        await waiter
    await wait_mailbox_empty(manager)

    assert await in_use(manager, "upload") == 0
    assert (await stats(manager)).abandoned == 1


async def test_a_process_that_dies_while_it_waits_leaves_the_line(runtime):
    manager = await ResourceManager.start_link({"upload": 1})
    token = await acquire(manager, "upload")
    waiter = holder(manager, "upload", timeout=60)
    await line_of(manager, 1)

    st.exit(waiter, st.KILL)
    await wait_down(waiter)
    await wait_mailbox_empty(manager)

    assert (await stats(manager)).waiting == 0
    await release(manager, token)
    seen = await stats(manager)
    assert (seen.tokens, seen.acquired) == (0, 1)


async def test_what_a_dead_owner_waits_for_is_not_granted_out_of_what_it_held(runtime):
    manager = await ResourceManager.start_link({"upload": 1})
    owner = runtime.spawn(st.receive)
    await acquire(manager, "upload", owner=owner)
    waiters = [
        asyncio.create_task(acquire(manager, "upload", owner=owner, timeout=60)) for _ in range(2)
    ]
    await line_of(manager, 2)

    st.exit(owner, st.KILL)
    await wait_down(owner)
    await wait_mailbox_empty(manager)

    seen = await stats(manager)
    assert (seen.acquired, seen.orphaned, seen.waiting, seen.tokens) == (1, 1, 0, 0)
    for waiter in waiters:
        waiter.cancel()


async def test_more_than_may_wait_are_refused_and_counted(runtime):
    manager = await ResourceManager.start_link({"upload": 1}, max_waiting=1)
    await acquire(manager, "upload")
    holder(manager, "upload", timeout=60)
    await line_of(manager, 1)

    with pytest.raises(ResourceDeniedError, match="too many wait already"):
        await acquire(manager, "upload", timeout=60)
    assert (await stats(manager)).denied == {"waiting_full": 1}


# -- budgets, pressure -----------------------------------------------------------------------


async def test_types_share_a_budget_of_which_each_takes_what_it_costs(runtime):
    manager = await ResourceManager.start_link(
        {
            "agent": ResourceLimit(100, costs={"memory": 10, "entries": 1}),
            "cache": ResourceLimit(100, costs={"memory": 30}),
        },
        budgets={"memory": Budget(100), "entries": Budget(5)},
    )
    await acquire(manager, "cache", 2)
    await acquire(manager, "agent", 4)

    with pytest.raises(ResourceDeniedError) as caught:
        await acquire(manager, "agent")
    assert (caught.value.why, caught.value.what) == ("budget", "memory")
    seen = (await stats(manager)).budgets
    assert (seen["memory"].declared, seen["entries"].declared) == (100, 4)


async def test_a_caller_may_declare_bytes_beside_what_the_type_costs(runtime):
    manager = await ResourceManager.start_link({"job": 9}, budgets={"memory": Budget(1000)})
    token = await acquire(manager, "job", 2, costs={"memory": 700})

    with pytest.raises(ResourceDeniedError, match="'memory' has 700 of 1000 in use"):
        await acquire(manager, "job", costs={"memory": 301})
    with pytest.raises(UnknownResourceError, match="did you mean 'memory'"):
        await acquire(manager, "job", costs={"memori": 1})
    await release(manager, token)
    assert (await stats(manager)).budgets["memory"].used == 0


async def test_use_rises_and_falls_as_the_readings_do(runtime):
    gauge = Gauge(10)
    manager = await ResourceManager.start_link(
        {"job": ResourceLimit(9, costs={"memory": 20})},
        budgets={"memory": Budget(100, reader=gauge, every=5)},
    )
    seen = []
    for reading in (10, 60, 30):
        gauge.used = reading
        await asyncio.sleep(5.1)
        seen.append((await stats(manager)).budgets["memory"].used)
    token = await acquire(manager, "job", 2)
    seen.append((await stats(manager)).budgets["memory"].used)
    await release(manager, token)
    seen.append((await stats(manager)).budgets["memory"].used)

    assert seen == [10, 60, 30, 40, 30]
    assert gauge.asked == 4


async def test_what_is_truly_used_refuses_what_would_not_fit(runtime):
    manager = await ResourceManager.start_link(
        {"job": ResourceLimit(9, costs={"memory": 20})},
        budgets={"memory": Budget(100, reader=Gauge(85))},
    )
    await wait_until(lambda: manager._process.server.ledger.budgets()["memory"].reading)

    with pytest.raises(ResourceDeniedError, match="'memory' has 85 of 100 in use"):
        await acquire(manager, "job")


async def test_a_falling_reading_serves_those_who_wait(runtime):
    gauge = Gauge(85)
    manager = await ResourceManager.start_link(
        {"job": ResourceLimit(9, costs={"memory": 20})},
        budgets={"memory": Budget(100, reader=gauge, every=5)},
    )
    await wait_until(lambda: gauge.asked == 1)
    gauge.used = 50

    token = await acquire(manager, "job", timeout=60)

    assert token.amount == 1
    assert runtime.now() < 6


async def test_pressure_is_seen_by_callers_and_told_to_subscribers_with_hysteresis(runtime):
    gauge = Gauge(50)
    heard = listen(runtime, events.BACKPRESSURE_CHANGED)
    manager = await ResourceManager.start_link(
        {}, budgets={"memory": Budget(100, reader=gauge, every=1)}
    )
    await ResourceManager.subscribe(manager)
    await asyncio.sleep(0.5)
    levels = []
    for reading in (50, 92, 97, 92, 88, 92, 84):
        gauge.used = reading
        await asyncio.sleep(1.0)
        levels.append(str(await ResourceManager.pressure(manager)))

    assert levels == ["normal", "moderate", "severe", "severe", "moderate", "moderate", "normal"]
    told = [await st.receive(PressureChanged) for _ in range(4)]
    assert [str(one.level) for one in told] == ["moderate", "severe", "moderate", "normal"]
    assert [one.budget for one in told] == ["memory"] * 4
    assert [f["level"] for _, _, f in heard] == ["moderate", "severe", "moderate", "normal"]


async def test_severe_pressure_refuses_the_types_that_say_so_and_no_others(runtime):
    gauge = Gauge(97)
    manager = await ResourceManager.start_link(
        {"batch": ResourceLimit(9, refused_when_severe=True), "rescue": 9},
        budgets={"memory": Budget(100, reader=gauge, every=1)},
    )
    await asyncio.sleep(0.5)

    with pytest.raises(BackPressureError, match="refused while the pressure is severe"):
        await acquire(manager, "batch", timeout=60)
    await acquire(manager, "rescue")
    gauge.used = 60
    await asyncio.sleep(1)
    await acquire(manager, "batch")
    assert (await stats(manager)).denied == {"pressure": 1}


async def test_one_that_waits_when_severe_pressure_comes_waits_on_until_it_goes(runtime):
    gauge = Gauge(10)
    manager = await ResourceManager.start_link(
        {"batch": ResourceLimit(1, refused_when_severe=True)},
        budgets={"memory": Budget(100, reader=gauge, every=1)},
    )
    token = await acquire(manager, "batch")
    waiter = asyncio.create_task(acquire(manager, "batch", timeout=60, owner=st.current()))
    await asyncio.sleep(0.5)
    gauge.used = 99
    await asyncio.sleep(1)
    await release(manager, token)
    await asyncio.sleep(1)
    assert not waiter.done()
    gauge.used = 10
    await asyncio.sleep(1)

    assert isinstance(await waiter, ResourceToken)


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (RuntimeError("no such file"), "no such file"),
        (None, "took longer than 2 s"),
        (-1, "gave -1, not a whole number"),
        ("much", "gave 'much'"),
    ],
)
async def test_a_reader_that_fails_is_counted_and_reported_and_the_last_reading_stands(
    runtime, bad, text
):
    gauge = Gauge(40)
    heard = listen(runtime, events.READING_FAILED)
    manager = await ResourceManager.start_link(
        {}, budgets={"memory": Budget(100, reader=gauge, every=3)}
    )
    await asyncio.sleep(1)
    gauge.used = bad
    await asyncio.sleep(4.5)

    seen = await stats(manager)
    assert (seen.budgets["memory"].reading, seen.readings_failed) == (40, 1)
    assert [(f["budget"], text in f["error"]) for _, _, f in heard] == [("memory", True)]
    gauge.used = 70
    await asyncio.sleep(3)
    assert (await stats(manager)).budgets["memory"].reading == 70


async def test_a_reader_that_hangs_does_not_hold_up_the_manager(runtime):
    manager = await ResourceManager.start_link(
        {"upload": 1}, budgets={"memory": Budget(100, reader=Gauge(None))}
    )
    before = runtime.now()

    await acquire(manager, "upload")

    assert runtime.now() == before


async def test_a_slow_reader_is_not_asked_again_before_it_has_answered(runtime):
    gauge = Gauge(None)
    manager = await ResourceManager.start_link(
        {}, budgets={"memory": Budget(100, reader=gauge, every=1, reading_timeout=3.5)}
    )

    await asyncio.sleep(3.2)
    assert gauge.asked == 1
    await asyncio.sleep(1)
    assert gauge.asked == 2
    assert (await stats(manager)).readings_failed == 1


async def test_a_reading_can_be_asked_for(runtime):
    gauge = Gauge(40)
    manager = await ResourceManager.start_link(
        {}, budgets={"memory": Budget(100, reader=gauge, every=3600), "rows": Budget(1)}
    )
    await asyncio.sleep(1)
    gauge.used = 50

    ResourceManager.read_now(manager)
    await asyncio.sleep(1)

    assert (await stats(manager)).budgets["memory"].reading == 50


async def test_the_memory_of_this_program_is_read_truly(runtime):
    before = await process_memory()
    ballast = bytearray(64 << 20)
    ballast[::4096] = b"x" * len(ballast[::4096])

    assert await process_memory() - before > 32 << 20


async def test_the_entries_of_tables_are_a_budget(runtime):
    rows, more = st.Table[str, int]("rows"), st.Table[str, int]("more")
    rows.update({"a": 1, "b": 2})
    more["c"] = 3
    budget = Budget(4, reader=table_entries("rows", "more"), every=1.0)
    limit = ResourceLimit(10, costs={"entries": 1})
    manager = await ResourceManager.start_link({"row": limit}, budgets={"entries": budget})
    await asyncio.sleep(0.5)
    assert (await stats(manager)).budgets["entries"].reading == 3

    more["d"] = 4
    await asyncio.sleep(1.0)

    with pytest.raises(ResourceDeniedError, match="'entries' has 4 of 4 in use"):
        await ResourceManager.acquire(manager, "row")


async def test_a_table_that_is_gone_fails_the_reading_and_the_last_one_stands(runtime):
    rows = st.Table[str, int]("rows")
    rows["a"] = 1
    budgets = {"entries": Budget(4, reader=table_entries("rows"), every=1.0)}
    manager = await ResourceManager.start_link(budgets=budgets)
    await asyncio.sleep(0.5)
    rows.delete()
    await asyncio.sleep(1.0)

    seen = await stats(manager)
    assert (seen.budgets["entries"].reading, seen.readings_failed) == (1, 1)


@pytest.mark.parametrize("names", [(), ("",), (5,), ([],)])
def test_a_reader_of_tables_needs_their_names(names):
    with pytest.raises(st.BadArgumentError, match="tables must be"):
        table_entries(*names)


# -- alerts ---------------------------------------------------------------------------------


async def test_an_alert_is_raised_once_above_the_mark_and_cleared_below_it(runtime):
    heard = listen(runtime, events.ALERT_RAISED, events.ALERT_CLEARED)
    manager = await ResourceManager.start_link({"upload": ResourceLimit(100, alert_at=0.9)})
    await ResourceManager.subscribe(manager)
    tokens = [await acquire(manager, "upload", 10) for _ in range(9)]
    assert heard == []
    tokens += [await acquire(manager, "upload", 1) for _ in range(4)]
    for token in tokens[-4:]:  # back to 90: not below the mark by enough
        await release(manager, token)
    assert len(heard) == 1
    await release(manager, tokens[0])

    assert [name for name, _, _ in heard] == [
        "suptree.resource.alert.raised",
        "suptree.resource.alert.cleared",
    ]
    assert await st.receive(ResourceAlert) == ResourceAlert("raised", "type", "upload", 91, 100)
    assert await st.receive(ResourceAlert) == ResourceAlert("cleared", "type", "upload", 80, 100)
    assert (await stats(manager)).types["upload"].alert is False


async def test_the_alert_of_a_budget_follows_its_level(runtime):
    manager = await ResourceManager.start_link(
        {"job": ResourceLimit(9, costs={"memory": 31})}, budgets={"memory": Budget(100)}
    )
    await ResourceManager.subscribe(manager)
    token = await acquire(manager, "job", 3)
    alert = await st.receive(ResourceAlert)
    await release(manager, token)

    assert (alert.kind, alert.of, alert.name, alert.ratio) == ("raised", "budget", "memory", 0.93)
    assert (await st.receive(ResourceAlert)).kind == "cleared"


async def test_a_subscription_ends_with_its_process(runtime):
    manager = await ResourceManager.start_link({"upload": 1})
    await ResourceManager.subscribe(manager)
    await ResourceManager.subscribe(manager)
    other = runtime.spawn(st.receive)
    await ResourceManager.subscribe(manager, other)
    assert (await stats(manager)).subscribers == 2

    st.exit(other, st.KILL)
    await wait_down(other)
    await wait_mailbox_empty(manager)

    assert (await stats(manager)).subscribers == 1
    assert await ResourceManager.unsubscribe(manager)
    assert not await ResourceManager.unsubscribe(manager)
    await acquire(manager, "upload")
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(ResourceAlert, timeout=1)


async def test_a_subscriber_with_a_full_mailbox_misses_news_and_nobody_else_does(runtime):
    manager = await ResourceManager.start_link({"upload": 1})
    spec = st.child(st.GenServer).with_(bound=st.MailboxBound(1, overflow="reject"))
    full = await spec.start_link()
    await st.sys.suspend(full)
    await ResourceManager.subscribe(manager, full)
    await ResourceManager.subscribe(manager)

    for _ in range(3):
        await release(manager, await acquire(manager, "upload"))

    for kind in ["raised", "cleared"] * 3:
        assert (await st.receive(ResourceAlert, timeout=1)).kind == kind


# -- telemetry, restarts, bad input ------------------------------------------------------------


async def test_each_life_of_a_token_is_told(runtime):
    heard = listen(
        runtime,
        events.RESOURCE_ACQUIRED,
        events.RESOURCE_RELEASED,
        events.RESOURCE_EXPIRED,
        events.RESOURCE_DENIED,
    )
    me = st.current()
    manager = await ResourceManager.start_link({"upload": 1})
    token = await acquire(manager, "upload")
    with pytest.raises(ResourceDeniedError):
        await acquire(manager, "upload")
    await asyncio.sleep(2)
    await release(manager, token)
    await acquire(manager, "upload", ttl=3)
    await asyncio.sleep(4)

    facts = {"type": "upload", "owner": me}
    gained = {"amount_count": 1, "in_use_count": 1, "wait_s": 0.0}
    lost = {"amount_count": 1, "in_use_count": 0}
    assert heard == [
        ("suptree.resource.acquired", gained, facts),
        (
            "suptree.resource.denied",
            {"amount_count": 1, "wait_s": 0.0},
            {**facts, "reason": "limit"},
        ),
        (
            "suptree.resource.released",
            {**lost, "held_s": pytest.approx(2)},
            {**facts, "reason": "released"},
        ),
        ("suptree.resource.acquired", gained, facts),
        ("suptree.resource.expired", {**lost, "held_s": pytest.approx(3)}, facts),
    ]


async def test_a_restart_brings_back_the_limits_and_voids_the_tokens(runtime):
    spec = st.child(ResourceManager, {"upload": 1}, budgets={"memory": Budget(9)})
    tree = await st.Supervisor.start_link([spec.with_(id="rm", name="resources")])
    token = await acquire("resources", "upload")
    first = st.whereis("resources")
    st.exit(first, st.KILL)
    await wait_restarted(tree, "rm", first)

    assert await release("resources", token) is False
    await acquire("resources", "upload")
    with pytest.raises(ResourceDeniedError):
        await acquire("resources", "upload")
    assert set((await stats("resources")).budgets) == {"memory"}


async def test_who_waits_when_the_manager_dies_is_told(runtime):
    manager = await ResourceManager.start({"upload": 1})
    await acquire(manager, "upload")
    waiter = asyncio.create_task(acquire(manager, "upload", timeout=60))
    await line_of(manager, 1)

    st.exit(manager, st.KILL)

    with pytest.raises(st.ServerExitError):
        await waiter


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"amount": 0}, "amount must be a whole number, 1 or more; got 0"),
        ({"amount": 1.5}, "amount must be"),
        ({"timeout": -1}, "timeout must be"),
        ({"timeout": float("nan")}, "timeout must be"),
        ({"ttl": 0}, "ttl must be"),
        ({"costs": {"memory": "much"}}, r"costs\['memory'\] must be"),
    ],
)
async def test_a_wrong_argument_is_refused_in_the_caller(runtime, options, text):
    manager = await ResourceManager.start_link({"upload": 1})

    with pytest.raises(ValueError, match=text):
        await acquire(manager, "upload", **options)
    assert manager.is_alive()


@pytest.mark.parametrize(
    "options",
    [
        {"limits": {"upload": 0}},
        {"limits": {"upload": ResourceLimit(1, costs={"nothing": 1})}},
        {"default": -1},
        {"max_waiting": -1},
    ],
)
async def test_a_wrong_declaration_fails_the_start(runtime, options):
    with pytest.raises(st.StartError):
        await ResourceManager.start(**options)


async def test_a_stray_message_is_reported_and_does_no_harm(runtime, caplog):
    manager = await ResourceManager.start_link({"upload": 1})

    st.send(manager, "hello")
    await wait_mailbox_empty(manager)

    assert "hello" in caplog.text
    assert manager.is_alive()
