"""`Bulkheads`: so many inside, so many in the line, and a place goes with its process."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    BulkheadConfig,
    BulkheadFullError,
    Bulkheads,
    MemoryStore,
    NotAsyncError,
    StateOwner,
    TooManyBulkheadsError,
    UnknownBulkheadError,
)
from suptree.services.parts.turnstile import Ticket
from suptree.testing import wait_down, wait_restarted

pytestmark = pytest.mark.suptree_loop("virtual")  # they count seconds, exactly

CONFIG = BulkheadConfig(limit=2, max_waiting=2, timeout=5.0)


def now() -> float:
    return asyncio.get_running_loop().time()


async def service(config: BulkheadConfig = CONFIG, **options: Any) -> st.Pid[Bulkheads]:
    return await Bulkheads.start_link({"bank": config}, **options)


async def state(bulkheads: Any, inside: int, waiting: int) -> None:
    """Wait until so many are inside and so many wait; time does not pass meanwhile."""
    for _ in range(100):
        status = await Bulkheads.status(bulkheads, "bank")
        if (status.inside, status.waiting) == (inside, waiting):
            return
        await asyncio.sleep(0)
    pytest.fail(f"{status.inside} inside, {status.waiting} waiting")


def calls(bulkheads: Any, count: int, seconds: float = 10.0) -> list[st.Task[Any]]:
    return [
        st.Task.async_(Bulkheads.run, bulkheads, "bank", asyncio.sleep, seconds, number)
        for number in range(count)
    ]


async def test_a_call_that_has_room_runs_at_once_and_gives_its_value(runtime):
    bulkheads = await service()

    assert await Bulkheads.run(bulkheads, "bank", asyncio.sleep, 0, result=7) == 7
    await state(bulkheads, 0, 0)


async def test_the_call_runs_in_the_process_of_its_caller(runtime):
    bulkheads = await service()

    async def who() -> Any:
        return st.current()

    assert await Bulkheads.run(bulkheads, "bank", who) == st.current()


async def test_so_many_are_inside_so_many_wait_and_the_next_is_refused_at_once(runtime):
    bulkheads = await service()
    running = calls(bulkheads, 4, 2.0)
    await state(bulkheads, 2, 2)
    start = now()

    with pytest.raises(BulkheadFullError, match="2 calls are inside and 2 wait") as caught:
        await Bulkheads.run(bulkheads, "bank", asyncio.sleep, 0)

    assert (caught.value.why, now()) == ("line_full", start)
    assert await st.Task.await_many(running, timeout=60.0) == [0, 1, 2, 3]
    assert now() - start == pytest.approx(4.0)


async def test_those_who_wait_come_in_in_the_order_in_which_they_came(runtime):
    bulkheads = await service(BulkheadConfig(limit=1, max_waiting=50, timeout=None))
    order = []

    async def note(number: int) -> None:
        order.append(number)
        await asyncio.sleep(1.0)

    async def come(number: int) -> None:
        await asyncio.sleep(number / 100)
        await Bulkheads.run(bulkheads, "bank", note, number)

    crowd = [st.Task.async_(come, number) for number in range(20)]
    await st.Task.await_many(crowd, timeout=60.0)

    assert order == list(range(20))


async def test_who_waits_too_long_is_refused_and_leaves_its_place(runtime):
    bulkheads = await service()
    calls(bulkheads, 2, 1000.0)
    await state(bulkheads, 2, 0)
    start = now()

    with pytest.raises(BulkheadFullError, match="no call left in time") as caught:
        await Bulkheads.run(bulkheads, "bank", asyncio.sleep, 0)

    assert (caught.value.why, now() - start) == ("timeout", pytest.approx(5.0))
    await state(bulkheads, 2, 0)
    assert (await Bulkheads.status(bulkheads, "bank")).gave_up == 1


@pytest.mark.parametrize("how", ["killed", "raised", "cancelled"])
async def test_the_place_of_a_call_is_free_when_its_process_ends(runtime, how):
    bulkheads = await service(BulkheadConfig(limit=1, timeout=None))
    broken = asyncio.Event()

    async def work() -> None:
        async with asyncio.timeout(1.0 if how == "cancelled" else None):
            async with Bulkheads.guard(bulkheads, "bank"):
                await broken.wait()
                raise RuntimeError("no")

    victim = st.spawn(work)
    await state(bulkheads, 1, 0)
    next_one = st.Task.async_(Bulkheads.run, bulkheads, "bank", asyncio.sleep, 0, "in")
    await state(bulkheads, 1, 1)
    if how == "killed":
        st.exit(victim, st.KILL)
    elif how == "raised":
        broken.set()
    await wait_down(victim)

    assert await next_one == "in"
    assert (await Bulkheads.stats(bulkheads)).owners == 0


async def test_the_place_in_the_line_of_a_process_that_ends_is_free(runtime):
    bulkheads = await service(BulkheadConfig(limit=1, max_waiting=1, timeout=None))
    async with Bulkheads.guard(bulkheads, "bank"):
        victim = st.spawn(Bulkheads.guard(bulkheads, "bank").__aenter__)
        await state(bulkheads, 1, 1)
        st.exit(victim, st.KILL)
        await wait_down(victim)
        await state(bulkheads, 1, 0)
    await state(bulkheads, 0, 0)


async def test_what_a_process_held_is_not_for_its_own_places_in_the_line(runtime):
    bulkheads = await service(BulkheadConfig(limit=1, max_waiting=9, timeout=None))

    async def greedy() -> None:  # it has no `finally` that would give anything back
        requests = [
            Bulkheads._enter.send_request(bulkheads, "bank", Ticket(), True) for _ in range(4)
        ]
        assert await requests[0]
        await st.receive()

    victim = st.spawn(greedy)
    await state(bulkheads, 1, 3)
    other = st.Task.async_(Bulkheads.run, bulkheads, "bank", asyncio.sleep, 0, "in")
    await state(bulkheads, 1, 4)
    admitted = (await Bulkheads.status(bulkheads, "bank")).admitted
    st.exit(victim, st.KILL)

    assert await other == "in"
    await state(bulkheads, 0, 0)
    status = await Bulkheads.status(bulkheads, "bank")
    assert status.admitted - admitted == 1
    assert (await Bulkheads.stats(bulkheads)).owners == 0


async def test_a_process_that_ends_without_a_word_gives_its_place_back(runtime):
    bulkheads = await service()
    guard = Bulkheads.guard(bulkheads, "bank")
    await wait_down(st.spawn(guard.__aenter__))

    await state(bulkheads, 0, 0)
    assert (await Bulkheads.stats(bulkheads)).released == 1


async def test_a_slow_thing_fills_its_own_bulkhead_alone(runtime):
    bulkheads = await Bulkheads.start_link({"bank": CONFIG, "mail": CONFIG})
    calls(bulkheads, 4, 1000.0)
    await state(bulkheads, 2, 2)
    start = now()

    await Bulkheads.run(bulkheads, "mail", asyncio.sleep, 0)

    assert now() == start


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_happens_never_more_are_inside_and_nothing_is_left_behind(runtime, seed):
    chance = random.Random(seed)
    bulkheads = await service(BulkheadConfig(limit=3, max_waiting=4, timeout=0.5))
    inside = [0]

    async def work() -> None:
        inside[0] += 1
        assert inside[0] <= 3
        try:
            await asyncio.sleep(chance.random() / 5)
        finally:
            inside[0] -= 1

    async def come() -> None:
        limit = chance.choice([None, 0.1])
        try:
            async with asyncio.timeout(limit):
                await Bulkheads.run(bulkheads, "bank", work)
        except (BulkheadFullError, TimeoutError):
            return

    crowd = []
    for _ in range(80):
        crowd.append(st.spawn(come))
        await asyncio.sleep(chance.random() / 20)
        if chance.random() < 0.3:
            st.exit(chance.choice(crowd), st.KILL)
    for one in crowd:
        if one.is_alive():
            await wait_down(one)

    await state(bulkheads, 0, 0)
    status = await Bulkheads.status(bulkheads, "bank")
    assert (await Bulkheads.stats(bulkheads)).owners == 0
    assert status.admitted > 20


# -- configuration, telemetry, restarts -----------------------------------------------------------


async def test_other_bounds_let_in_who_waits_and_throw_nobody_out(runtime):
    bulkheads = await service(BulkheadConfig(limit=1, max_waiting=9))
    running = calls(bulkheads, 3, 1.0)
    await state(bulkheads, 1, 2)

    await Bulkheads.configure(bulkheads, "bank", BulkheadConfig(limit=3))
    await state(bulkheads, 3, 0)
    await Bulkheads.configure(bulkheads, "bank", BulkheadConfig(limit=1, max_waiting=0))

    await state(bulkheads, 3, 0)
    assert await st.Task.await_many(running, timeout=60.0) == [0, 1, 2]


async def test_who_waits_for_a_bulkhead_that_is_removed_is_refused(runtime):
    bulkheads = await service(BulkheadConfig(limit=1))
    async with Bulkheads.guard(bulkheads, "bank"):
        waiting = st.Task.async_(Bulkheads.run, bulkheads, "bank", asyncio.sleep, 0)
        await state(bulkheads, 1, 1)
        assert await Bulkheads.remove(bulkheads, "bank")
        assert not await Bulkheads.remove(bulkheads, "bank")
        with pytest.raises(st.TaskExitError, match="it was removed meanwhile"):
            await waiting

    assert (await Bulkheads.stats(bulkheads)).owners == 0


async def test_an_unknown_name_is_told_with_the_one_that_was_meant(runtime):
    bulkheads = await service()

    with pytest.raises(UnknownBulkheadError, match="got 'bnak', did you mean 'bank'"):
        await Bulkheads.run(bulkheads, "bnak", asyncio.sleep, 0)
    with pytest.raises(UnknownBulkheadError):
        await Bulkheads.status(bulkheads, "post")


async def test_bad_names_bounds_and_configurations_are_refused(runtime):
    bulkheads = await service(max_bulkheads=1)

    with pytest.raises(TooManyBulkheadsError, match="at most 1 may be configured"):
        await Bulkheads.configure(bulkheads, "mail", CONFIG)
    for name, config in (("", CONFIG), ("bank", 3)):
        with pytest.raises(ValueError, match="must be"):
            await Bulkheads.configure(bulkheads, name, config)
    for fields in ({"limit": 0}, {"max_waiting": -1}, {"timeout": 0}):
        with pytest.raises(ValueError, match=f"BulkheadConfig: {next(iter(fields))} must be"):
            BulkheadConfig(**fields)
    assert bulkheads.is_alive()


async def test_who_comes_in_who_leaves_and_who_is_refused_is_told(runtime):
    told = []
    runtime.telemetry.strict = True
    runtime.telemetry.attach(
        "test",
        "suptree.bulkhead.*",
        lambda event, numbers, facts: told.append(
            (event.name.removeprefix("suptree.bulkhead."), *numbers.values(), facts.get("why"))
        ),
    )
    bulkheads = await service(BulkheadConfig(limit=1, max_waiting=1, timeout=1.0))
    async with Bulkheads.guard(bulkheads, "bank"):
        with pytest.raises(BulkheadFullError):
            await Bulkheads.run(bulkheads, "bank", asyncio.sleep, 0)
        waiting = calls(bulkheads, 1, 2.0)
        await state(bulkheads, 1, 1)
        with pytest.raises(BulkheadFullError):
            await Bulkheads.run(bulkheads, "bank", asyncio.sleep, 0)
        await asyncio.sleep(0.5)
    await st.Task.await_many(waiting)
    await Bulkheads.configure(bulkheads, "mail", CONFIG)
    await Bulkheads.remove(bulkheads, "mail")

    assert told == [
        ("call.admitted", 0.0, 1, 0, None),
        ("call.rejected", 1, 0, "gave_up"),
        ("call.rejected", 1, 1, "line_full"),
        ("call.admitted", 0.5, 1, 0, None),
        ("call.ended", 1.5, None),
        ("call.ended", 2.0, None),
        ("config.changed", 2, None),
        ("config.removed", 1, None),
    ]


async def test_a_restart_brings_the_bulkheads_back(runtime):
    await StateOwner.start_link()
    spec = st.child(Bulkheads, {"bank": CONFIG}, store=MemoryStore())
    tree = await st.Supervisor.start_link(
        [spec.with_(id="bulkheads", name="bulkheads")], strategy="one_for_one"
    )
    await Bulkheads.configure("bulkheads", "mail", BulkheadConfig(timeout=None))
    await Bulkheads.configure("bulkheads", "post", CONFIG)
    await Bulkheads.remove("bulkheads", "post")
    old = st.whereis("bulkheads")
    st.exit(old, st.KILL)
    await wait_restarted(tree, "bulkheads", old)

    found = await Bulkheads.all("bulkheads")
    assert {name: one.config for name, one in found.items()} == {
        "bank": CONFIG,
        "mail": BulkheadConfig(timeout=None),
    }


async def test_a_call_that_outlives_the_service_still_gives_its_value(runtime):
    bulkheads = await Bulkheads.start({"bank": CONFIG})

    async def pay() -> int:
        await Bulkheads.stop(bulkheads)
        return 5

    assert await Bulkheads.run(bulkheads, "bank", pay) == 5


async def test_a_function_that_is_not_async_says_so_and_leaves_its_place(runtime):
    bulkheads = await Bulkheads.start_link({"bank": BulkheadConfig()})

    with pytest.raises(NotAsyncError, match=r"^Bulkheads\.run: function must be async"):
        await Bulkheads.run(bulkheads, "bank", abs, -7)

    assert (await Bulkheads.status(bulkheads, "bank")).inside == 0
