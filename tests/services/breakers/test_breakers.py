"""`CircuitBreakers`: calls are protected in their caller, and the service decides and counts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    BreakerConfig,
    BreakerOpenError,
    BreakerState,
    BreakerTimeoutError,
    CircuitBreakers,
    MemoryStore,
    NotAsyncError,
    StateOwner,
    TooManyBreakersError,
    UnknownBreakerError,
)
from suptree.testing import turn, wait_down, wait_mailbox_empty, wait_restarted, wait_until

pytestmark = pytest.mark.suptree_loop("virtual")  # they count seconds, exactly

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
CONFIG = BreakerConfig(failure_threshold=2, reset_timeout=10.0, success_threshold=1)


async def service(config: BreakerConfig = CONFIG, **options: Any) -> st.Pid[CircuitBreakers]:
    return await CircuitBreakers.start_link({"bank": config}, **options)


async def works(value: int = 1) -> int:
    return value


async def breaks(error: type[Exception] = ConnectionError) -> int:
    raise error("away")


async def fail(breakers: Any, times: int = 2, name: str = "bank") -> None:
    for _ in range(times):
        with pytest.raises(ConnectionError):
            await CircuitBreakers.run(breakers, name, breaks)


async def state_of(breakers: Any, name: str = "bank") -> BreakerState:
    return (await CircuitBreakers.status(breakers, name)).state


# -- calls -----------------------------------------------------------------------------


async def test_a_protected_call_gives_its_value_and_takes_its_arguments(runtime):
    breakers = await service()

    async def pay(cents: int, *, currency: str) -> str:
        return f"{cents} {currency}"

    assert await CircuitBreakers.run(breakers, "bank", pay, 250, currency="EUR") == "250 EUR"


async def test_enough_failures_open_it_and_the_next_call_is_not_made(runtime):
    breakers = await service()
    await fail(breakers)
    made = []

    async def pay() -> None:
        made.append(1)

    with pytest.raises(BreakerOpenError, match=r"breaker 'bank': open, the next probe is in 10 s"):
        await CircuitBreakers.run(breakers, "bank", pay)

    assert made == []


async def test_the_error_says_how_long_it_still_is(runtime):
    breakers = await service()
    await fail(breakers)
    await asyncio.sleep(4.0)

    with pytest.raises(BreakerOpenError) as caught:
        await CircuitBreakers.run(breakers, "bank", works)

    assert (caught.value.name, caught.value.state) == ("bank", "open")
    assert caught.value.retry_after == pytest.approx(6.0)


async def test_a_breaker_knows_nothing_of_the_others(runtime):
    breakers = await CircuitBreakers.start_link({"bank": CONFIG, "mail": CONFIG})
    await fail(breakers)

    assert await CircuitBreakers.run(breakers, "mail", works, 7) == 7


async def test_the_protected_call_runs_in_the_process_of_its_caller(runtime):
    breakers = await service()

    async def who() -> Any:
        return st.current()

    assert await CircuitBreakers.run(breakers, "bank", who) == st.current()


async def test_a_slow_call_keeps_no_other_call_waiting(runtime):
    """Gap (a), (c): the original ran every protected call in the breaker, one after the other."""
    breakers = await service()
    started = asyncio.get_running_loop().time()
    slow = [
        st.Task.async_(CircuitBreakers.run, breakers, "bank", asyncio.sleep, 30.0)
        for _ in range(20)
    ]

    assert await CircuitBreakers.run(breakers, "bank", works) == 1
    assert asyncio.get_running_loop().time() == started
    await st.Task.await_many(slow, timeout=60.0)

    assert (await CircuitBreakers.status(breakers, "bank")).successes == 21
    assert asyncio.get_running_loop().time() - started == pytest.approx(30.0)  # not 600


async def test_a_guarded_block_counts_as_a_call_does(runtime):
    breakers = await service()
    async with CircuitBreakers.guard(breakers, "bank"):
        pass
    for _ in range(2):
        with pytest.raises(ConnectionError):
            async with CircuitBreakers.guard(breakers, "bank"):
                raise ConnectionError

    with pytest.raises(BreakerOpenError):
        async with CircuitBreakers.guard(breakers, "bank"):
            pytest.fail("it must not come in here")
    status = await CircuitBreakers.status(breakers, "bank")

    assert (status.permitted, status.successes, status.failures, status.rejected) == (3, 1, 2, 1)


@pytest.mark.parametrize(
    ("error", "opens"), [(ConnectionError, True), (TimeoutError, False), (ValueError, False)]
)
async def test_the_config_says_which_errors_count(runtime, error, opens):
    breakers = await service(
        BreakerConfig(failure_threshold=2, counts=(OSError,), ignores=(TimeoutError,))
    )
    for _ in range(3):
        with pytest.raises((error, BreakerOpenError)):
            await CircuitBreakers.run(breakers, "bank", breaks, error)

    assert (await state_of(breakers) is OPEN) is opens


async def test_a_call_that_is_cancelled_is_nobodys_failure(runtime):
    breakers = await service()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await CircuitBreakers.run(breakers, "bank", asyncio.sleep, 60.0)

    status = await CircuitBreakers.status(breakers, "bank")
    assert (status.state, status.ignored, status.failures) == (CLOSED, 3, 0)


@pytest.mark.parametrize("how", ["run", "guard"])
async def test_a_call_that_is_longer_than_call_timeout_is_cancelled_and_has_failed(runtime, how):
    breakers = await service(BreakerConfig(failure_threshold=1, call_timeout=2.0))

    with pytest.raises(BreakerTimeoutError, match="must end within 2 s") as caught:
        if how == "run":
            await CircuitBreakers.run(breakers, "bank", asyncio.sleep, 60.0)
        else:
            async with CircuitBreakers.guard(breakers, "bank"):
                await asyncio.sleep(60.0)

    assert isinstance(caught.value, TimeoutError)
    assert await state_of(breakers) is OPEN


async def test_call_timeout_does_not_touch_a_call_that_is_in_time_or_a_timeout_of_its_own(runtime):
    breakers = await service(BreakerConfig(failure_threshold=1, call_timeout=2.0))

    assert await CircuitBreakers.run(breakers, "bank", works, 3) == 3
    with pytest.raises(TimeoutError) as caught:
        await CircuitBreakers.run(breakers, "bank", breaks, TimeoutError)
    assert type(caught.value) is TimeoutError


# -- half open -----------------------------------------------------------------------------


async def test_after_the_reset_timeout_one_probe_decides(runtime):
    """Gap (a): the original had no half-open state."""
    breakers = await service()
    await fail(breakers)
    await asyncio.sleep(10.0)

    assert await state_of(breakers) is HALF_OPEN
    await fail(breakers, 1)
    assert await state_of(breakers) is OPEN
    await asyncio.sleep(10.0)
    assert await CircuitBreakers.run(breakers, "bank", works) == 1
    assert await state_of(breakers) is CLOSED


async def probe(breakers: Any) -> st.Pid[Any]:
    """A process whose protected call never ends, as the probe of a half-open breaker."""
    await fail(breakers)
    await asyncio.sleep(10.0)
    pid = st.spawn(CircuitBreakers.run, breakers, "bank", asyncio.sleep, 1e6)
    await wait_until(lambda: pid.is_alive())
    await turn()
    with pytest.raises(BreakerOpenError, match="half open, its probes are under way") as caught:
        await CircuitBreakers.run(breakers, "bank", works)
    assert caught.value.retry_after is None
    return pid


@pytest.mark.parametrize("reason", [st.KILL, "enough"])
async def test_the_place_of_a_probe_is_free_when_its_caller_dies(runtime, reason):
    breakers = await service()
    pid = await probe(breakers)

    st.exit(pid, reason)
    await wait_down(pid)

    assert await CircuitBreakers.run(breakers, "bank", works) == 1
    assert await state_of(breakers) is CLOSED
    assert (await CircuitBreakers.stats(breakers)).probers == 0


async def test_the_place_of_a_probe_is_free_when_its_caller_is_cancelled(runtime):
    breakers = await service()
    await fail(breakers)
    await asyncio.sleep(10.0)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await CircuitBreakers.run(breakers, "bank", asyncio.sleep, 60.0)

    assert await CircuitBreakers.run(breakers, "bank", works) == 1


async def test_a_caller_that_is_killed_before_it_tells_gives_its_probe_back(runtime):
    """One whose `finally` never speaks: the service sees its end by itself."""
    breakers = await service()
    await fail(breakers)
    await asyncio.sleep(10.0)

    async def take_and_die() -> None:
        await CircuitBreakers._permit(breakers, "bank")

    pid = st.spawn(take_and_die)
    await wait_down(pid)
    await wait_mailbox_empty(breakers)

    assert (await CircuitBreakers.stats(breakers)).released == 1
    assert await CircuitBreakers.run(breakers, "bank", works) == 1


async def test_a_probe_that_has_told_belongs_to_nobody_any_more(runtime):
    breakers = await service(
        BreakerConfig(failure_threshold=2, reset_timeout=10.0, success_threshold=3)
    )
    await fail(breakers)
    await asyncio.sleep(10.0)

    await CircuitBreakers.run(breakers, "bank", works)

    stats = await CircuitBreakers.stats(breakers)
    assert (stats.half_open, stats.probers) == (1, 0)


async def test_a_probe_of_code_outside_every_process_is_lost_for_probe_timeout_at_most(runtime):
    breakers = await service(
        BreakerConfig(failure_threshold=2, reset_timeout=10.0, probe_timeout=5.0)
    )
    await fail(breakers)
    await asyncio.sleep(10.0)
    await CircuitBreakers._permit(breakers, "bank")  # and never told

    await asyncio.sleep(5.0)
    assert await state_of(breakers) is OPEN
    await asyncio.sleep(10.0)
    assert await CircuitBreakers.run(breakers, "bank", works) == 1


async def test_a_breaker_outlives_the_process_that_used_it_first(runtime):
    """Gap (b): the original's state was in a table of whichever process touched it first."""
    breakers = await service()
    first = st.spawn(fail, breakers)
    await wait_down(first)

    with pytest.raises(BreakerOpenError):
        await CircuitBreakers.run(breakers, "bank", works)


# -- by hand, and configuration ----------------------------------------------------------------


async def test_opened_by_hand_it_refuses_until_it_is_closed(runtime):
    breakers = await service()

    status = await CircuitBreakers.open(breakers, "bank")
    await asyncio.sleep(1e6)

    assert (status.state, status.held_open, status.retry_after) == (OPEN, True, None)
    with pytest.raises(BreakerOpenError, match="it was opened by hand"):
        await CircuitBreakers.run(breakers, "bank", works)
    assert (await CircuitBreakers.close(breakers, "bank")).state is CLOSED
    assert await CircuitBreakers.run(breakers, "bank", works) == 1


async def test_reset_closes_it_and_empties_its_window(runtime):
    breakers = await service()
    await fail(breakers, 1)

    status = await CircuitBreakers.reset(breakers, "bank")

    assert status.counts.failures == 0
    await fail(breakers, 1)
    assert await state_of(breakers) is CLOSED


async def test_a_breaker_can_be_configured_while_it_is_used(runtime):
    breakers = await service()
    await CircuitBreakers.configure(breakers, "mail", BreakerConfig(failure_threshold=1))
    await fail(breakers, 1, "mail")
    assert await state_of(breakers, "mail") is OPEN

    await CircuitBreakers.configure(breakers, "mail", BreakerConfig(failure_threshold=9))

    assert await state_of(breakers, "mail") is OPEN  # a new configuration proves nothing
    await CircuitBreakers.reset(breakers, "mail")
    await fail(breakers, 8, "mail")
    assert await state_of(breakers, "mail") is CLOSED


async def test_what_began_with_a_removed_breaker_means_nothing_to_its_successor(runtime):
    breakers = await service(BreakerConfig(failure_threshold=1))
    go = asyncio.Event()

    async def late() -> None:
        await go.wait()
        raise ConnectionError

    pid = st.spawn(CircuitBreakers.run, breakers, "bank", late)
    await turn()
    assert await CircuitBreakers.remove(breakers, "bank")
    assert not await CircuitBreakers.remove(breakers, "bank")
    await CircuitBreakers.configure(breakers, "bank", BreakerConfig(failure_threshold=1))
    go.set()
    await wait_down(pid)
    status = await CircuitBreakers.status(breakers, "bank")

    assert (status.state, status.late) == (CLOSED, 1)


async def test_an_unknown_name_is_told_with_the_one_that_was_meant(runtime):
    breakers = await service()

    with pytest.raises(UnknownBreakerError, match="got 'bnak', did you mean 'bank'"):
        await CircuitBreakers.run(breakers, "bnak", works)
    for ask in (CircuitBreakers.status, CircuitBreakers.open, CircuitBreakers.reset):
        with pytest.raises(UnknownBreakerError):
            await ask(breakers, "post")


async def test_more_breakers_than_the_bound_are_refused(runtime):
    breakers = await service(max_breakers=2)
    await CircuitBreakers.configure(breakers, "mail", CONFIG)

    with pytest.raises(TooManyBreakersError, match="at most 2 may be configured; 'post'"):
        await CircuitBreakers.configure(breakers, "post", CONFIG)
    await CircuitBreakers.configure(breakers, "mail", BreakerConfig())  # a known one is none more


@pytest.mark.parametrize(
    ("name", "config", "says"),
    [("", CONFIG, "name must be a text"), (None, CONFIG, "name must"), ("x", {}, "BreakerConfig")],
)
async def test_a_bad_name_or_configuration_is_refused_before_the_service_hears_of_it(
    runtime, name, config, says
):
    breakers = await service()

    with pytest.raises(ValueError, match=says):
        await CircuitBreakers.configure(breakers, name, config)
    with pytest.raises(st.StartError, match=says):
        await CircuitBreakers.start({name: config})
    assert breakers.is_alive()


# -- restarts ------------------------------------------------------------------------------------


async def shelf(*specs: Any) -> st.Pid[Any]:
    return await st.Supervisor.start_link(list(specs), strategy="one_for_one")


def spec(*args: Any, **kwargs: Any) -> Any:
    return st.child(CircuitBreakers, *args, **kwargs).with_(id="breakers", name="breakers")


async def restart(tree: Any) -> None:
    old = st.whereis("breakers")
    st.exit(old, st.KILL)
    await wait_restarted(tree, "breakers", old)


async def test_a_restart_brings_the_declared_breakers_back(runtime):
    tree = await shelf(spec({"bank": CONFIG}))
    await fail("breakers")
    await CircuitBreakers.configure("breakers", "mail", CONFIG)

    await restart(tree)

    assert list(await CircuitBreakers.all("breakers")) == ["bank"]
    assert await CircuitBreakers.run("breakers", "bank", works) == 1


async def test_with_a_store_a_restart_brings_back_what_was_made_at_run_time(runtime):
    await StateOwner.start_link()
    tree = await shelf(spec({"bank": CONFIG}, store=MemoryStore()))
    mail = BreakerConfig(failure_threshold=7, counts=(ConnectionError,))
    await CircuitBreakers.configure("breakers", "mail", mail)
    await CircuitBreakers.configure("breakers", "bank", BreakerConfig(reset_timeout=1.0))
    await CircuitBreakers.configure("breakers", "post", CONFIG)
    await CircuitBreakers.open("breakers", "bank")
    await CircuitBreakers.open("breakers", "mail")
    await CircuitBreakers.close("breakers", "mail")
    await CircuitBreakers.remove("breakers", "post")

    await restart(tree)

    found = await CircuitBreakers.all("breakers")
    assert {name: one.held_open for name, one in found.items()} == {"bank": True, "mail": False}
    assert found["mail"].config == mail
    assert found["bank"].config.reset_timeout == 1.0


async def test_an_error_class_that_cannot_be_stored_is_refused_when_it_is_given(runtime):
    class LocalError(Exception):
        pass

    breakers = await service()

    with pytest.raises(ValueError, match="Move the class to the top of its module"):
        await CircuitBreakers.configure(breakers, "mail", BreakerConfig(counts=(LocalError,)))


async def test_a_call_that_outlives_the_service_still_gives_its_value(runtime):
    breakers = await CircuitBreakers.start({"bank": CONFIG})

    async def pay() -> int:
        await CircuitBreakers.stop(breakers)
        return 5

    assert await CircuitBreakers.run(breakers, "bank", pay) == 5
    with pytest.raises(st.NoProcessError):
        await CircuitBreakers.run(breakers, "bank", works)


async def test_a_service_that_hangs_keeps_no_outcome_from_its_caller(runtime):
    breakers = await service()
    start = asyncio.get_running_loop().time()

    async def pay() -> int:
        await st.sys.suspend(breakers)
        return 5

    assert await CircuitBreakers.run(breakers, "bank", pay) == 5
    assert asyncio.get_running_loop().time() - start == pytest.approx(1.0)
    await st.sys.resume(breakers)
    assert (
        await CircuitBreakers.status(breakers, "bank")
    ).successes == 1  # it was told all the same


async def test_what_was_permitted_by_the_service_before_its_restart_does_not_count(runtime):
    tree = await shelf(spec({"bank": BreakerConfig(failure_threshold=1)}))

    async def pay() -> int:
        await restart(tree)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await CircuitBreakers.run("breakers", "bank", pay)

    assert await state_of("breakers") is CLOSED


async def test_a_runtime_that_closes_under_protected_calls_closes_in_order(runtime_options):
    seen = []

    async def pay() -> None:
        try:
            await asyncio.sleep(1e6)
        finally:
            seen.append("unwound")

    async with st.Runtime(**runtime_options):
        breakers = await service()
        st.spawn(CircuitBreakers.run, breakers, "bank", pay)
        await turn()

    assert seen == ["unwound"]


# -- telemetry and statistics ------------------------------------------------------------------


async def test_every_change_and_every_refusal_is_told(runtime):
    told = []
    runtime.telemetry.strict = True
    runtime.telemetry.attach(
        "test", "suptree.breaker.*", lambda event, numbers, facts: told.append((event.name, facts))
    )
    breakers = await service()
    await fail(breakers)
    with pytest.raises(BreakerOpenError):
        await CircuitBreakers.run(breakers, "bank", works)
    await asyncio.sleep(10.0)
    await CircuitBreakers.run(breakers, "bank", works)
    await CircuitBreakers.configure(breakers, "mail", CONFIG)
    await CircuitBreakers.remove(breakers, "mail")

    assert [(name.removeprefix("suptree.breaker."), *facts.values()) for name, facts in told] == [
        ("call.ended", "bank", "failure"),
        ("state.changed", "bank", "closed", "open", "failures"),
        ("call.ended", "bank", "failure"),
        ("call.rejected", "bank", "open", 10.0),
        ("state.changed", "bank", "open", "half_open", "reset_timeout"),
        ("state.changed", "bank", "half_open", "closed", "probes_succeeded"),
        ("call.ended", "bank", "success"),
        ("config.changed", "mail"),
        ("config.removed", "mail"),
    ]


async def test_the_duration_of_a_call_is_told_and_slow_ones_count(runtime):
    durations = []
    runtime.telemetry.strict = True
    runtime.telemetry.attach(
        "test", "suptree.breaker.call.ended", lambda _, numbers, __: durations.append(numbers)
    )
    breakers = await service(BreakerConfig(slow_after=2.0, minimum_calls=1, slow_rate=1.0))

    await CircuitBreakers.run(breakers, "bank", asyncio.sleep, 3.0)

    assert await state_of(breakers) is OPEN
    assert durations == [{"duration_s": pytest.approx(3.0)}]


async def test_the_statistics_go_both_ways(runtime):
    breakers = await CircuitBreakers.start_link({"bank": CONFIG, "mail": CONFIG})
    await fail(breakers)
    stats = await CircuitBreakers.stats(breakers)
    assert (stats.breakers, stats.open, stats.half_open) == (2, 1, 0)
    await asyncio.sleep(10.0)
    assert (await CircuitBreakers.stats(breakers)).half_open == 1
    await CircuitBreakers.run(breakers, "bank", works)

    stats = await CircuitBreakers.stats(breakers)
    status = await CircuitBreakers.status(breakers, "bank")
    assert (stats.open, stats.half_open, stats.probers) == (0, 0, 0)
    assert (status.opened, status.permitted, status.failures, status.successes) == (1, 3, 2, 1)
    assert status.last_transition is not None
    assert status.last_transition.after is CLOSED


@pytest.mark.parametrize("limit", [None, 5.0])
async def test_a_function_that_is_not_async_says_so_and_counts_neither_way(runtime, limit):
    config = BreakerConfig(failure_threshold=1, call_timeout=limit)
    breakers = await CircuitBreakers.start_link({"bank": config})

    with pytest.raises(
        NotAsyncError,
        match=r"^CircuitBreakers\.run: function must be async; <built-in function abs> gave 7",
    ):
        await CircuitBreakers.run(breakers, "bank", abs, -7)

    await asyncio.sleep(0)
    status = await CircuitBreakers.status(breakers, "bank")
    assert (status.state, status.failures, status.successes, status.ignored) == ("closed", 0, 0, 1)
