"""`RateLimiter`: exact under contention, fair in its lines, and nothing is left behind."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    Concurrency,
    CostTooHighError,
    LimiterKindError,
    LimitExceededError,
    MemoryStore,
    RateLimiter,
    SlidingWindow,
    StateOwner,
    TokenBucket,
    TooManyKeysError,
    TooManyLimitersError,
    UnknownLimiterError,
)
from suptree.services.parts.turnstile import Ticket
from suptree.testing import turn, wait_down, wait_restarted, wait_until

pytestmark = pytest.mark.suptree_loop("virtual")  # they count seconds, exactly

BUCKET = TokenBucket(rate=1.0, burst=3)
WINDOW = SlidingWindow(limit=3, per=10.0)


def now() -> float:
    return asyncio.get_running_loop().time()


async def service(limit: Any = WINDOW, **options: Any) -> st.Pid[RateLimiter]:
    return await RateLimiter.start_link({"mail": limit}, **options)


async def allowed(limits: Any, who: str = "", times: int = 1) -> int:
    """How many of so many checks passed."""
    return sum([(await RateLimiter.check(limits, "mail", who)).allowed for _ in range(times)])


async def stats_of(limits: Any, name: str = "mail") -> Any:
    return (await RateLimiter.stats(limits)).limiters[name]


async def in_line(limits: Any, count: int, name: str = "mail") -> None:
    """Wait until so many wait; time does not pass meanwhile."""
    for _ in range(100):
        if (await stats_of(limits, name)).waiting == count:
            return
        await asyncio.sleep(0)
    pytest.fail(f"{(await stats_of(limits, name)).waiting} wait, not {count}")


# -- check ---------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [BUCKET, WINDOW])
async def test_so_many_pass_and_no_more(runtime, limit):
    limits = await service(limit)

    assert await allowed(limits, times=9) == 3


async def test_each_key_has_a_limit_of_its_own(runtime):
    limits = await service()

    assert [await allowed(limits, who, 5) for who in ("ann", "bob")] == [3, 3]


async def test_the_verdict_says_how_the_key_stands(runtime):
    limits = await service()
    assert await RateLimiter.check(limits, "mail", cost=2) == (True, 1, 0.0, 10.0, 3)
    await asyncio.sleep(4.0)

    verdict = await RateLimiter.check(limits, "mail", cost=2)

    assert verdict == (False, 1, pytest.approx(6.0), pytest.approx(6.0), 3)
    await asyncio.sleep(verdict.retry_after)
    assert (await RateLimiter.check(limits, "mail", cost=2)).allowed


async def test_there_is_no_edge_at_which_twice_as_much_passes(runtime):
    """Gap: the original's "sliding" window was a fixed one, aligned to the clock."""
    limits = await service(SlidingWindow(limit=10, per=60.0))
    await asyncio.sleep(59.0 - now())  # just before what was an edge
    assert await allowed(limits, times=20) == 10
    await asyncio.sleep(2.0)  # just after it

    assert await allowed(limits, times=20) == 0
    await asyncio.sleep(58.0)
    assert await allowed(limits, times=20) == 10


async def test_the_time_of_reset_is_seconds_from_now_on_the_clock_of_the_runtime(runtime):
    """Gap: the original mixed two clocks there."""
    limits = await service()
    await asyncio.sleep(123.0)
    await allowed(limits, times=2)
    await asyncio.sleep(4.0)

    status = await RateLimiter.status(limits, "mail")
    assert (status.remaining, status.limit, status.waiting) == (1, 3, 0)
    assert status.reset_in == pytest.approx(6.0)
    await asyncio.sleep(status.reset_in)
    assert (await RateLimiter.status(limits, "mail")).remaining == 3


async def test_the_limit_is_exact_however_many_processes_hammer_it(runtime):
    limits = await service(SlidingWindow(limit=137, per=1e6))
    passed = []

    async def hammer(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(20):
            if (await RateLimiter.check(limits, "mail")).allowed:
                passed.append(seed)
            await asyncio.sleep(chance.choice([0, 0.01]))

    crowd = [st.Task.async_(hammer, seed) for seed in range(50)]
    await st.Task.await_many(crowd, timeout=60.0)

    assert len(passed) == 137
    assert ((await stats_of(limits)).allowed, (await stats_of(limits)).denied) == (137, 863)


async def test_asking_for_the_status_uses_nothing_up_and_makes_no_key(runtime):
    limits = await service()
    for who in "abc":
        assert (await RateLimiter.status(limits, "mail", who)).remaining == 3

    assert (await stats_of(limits)).keys == 0


# -- acquire -------------------------------------------------------------------------------


async def test_who_acquires_waits_its_turn_and_no_longer(runtime):
    limits = await service(BUCKET)
    start = now()
    at = []
    for _ in range(6):
        await RateLimiter.acquire(limits, "mail", timeout=60.0)
        at.append(now() - start)

    assert at == pytest.approx([0, 0, 0, 1, 2, 3], abs=1e-4)


async def test_those_who_wait_pass_in_the_order_in_which_they_came(runtime):
    limits = await service(BUCKET)
    await allowed(limits, times=3)
    order = []

    async def wait(number: int, cost: int) -> None:
        await RateLimiter.acquire(limits, "mail", cost=cost, timeout=None)
        order.append((number, round(now())))

    start = round(now())
    crowd = []
    for number, cost in enumerate([1, 3, 1, 2]):
        crowd.append(st.Task.async_(wait, number, cost))
        await in_line(limits, number + 1)
    await st.Task.await_many(crowd, timeout=60.0)

    assert order == [(0, start + 1), (1, start + 4), (2, start + 5), (3, start + 7)]


async def test_nobody_passes_those_who_wait(runtime):
    limits = await service(BUCKET)
    await allowed(limits, times=3)
    first = st.Task.async_(RateLimiter.acquire, limits, "mail", cost=3, timeout=None)
    await in_line(limits, 1)
    await asyncio.sleep(2.0)  # two tokens are there: enough for one, but one that came later

    assert await allowed(limits) == 0
    await first


async def test_who_waits_does_not_poll(runtime):
    limits = await service(TokenBucket(rate=0.001, burst=1), cleanup_interval=9e3)
    await allowed(limits)
    waits = [st.Task.async_(RateLimiter.acquire, limits, "mail", timeout=None) for _ in range(10)]
    await in_line(limits, 10)
    handled = limits._process.messages_in
    await asyncio.sleep(9_999.0)
    handled = limits._process.messages_in - handled

    assert handled <= 9 + 1  # one timer for each that passed, and the clean-up's
    await st.Task.await_many(waits)


async def test_a_wait_ends_at_its_timeout_and_leaves_no_place_behind(runtime):
    limits = await service(BUCKET)
    await allowed(limits, times=3)
    start = now()

    with pytest.raises(LimitExceededError, match="could not pass in time") as caught:
        await RateLimiter.acquire(limits, "mail", cost=3, timeout=1.0)

    assert (caught.value.why, now() - start) == ("timeout", pytest.approx(1.0))
    stats = await RateLimiter.stats(limits)
    assert (stats.owners, stats.limiters["mail"].waiting) == (0, 0)
    assert await allowed(limits) == 1  # what it waited for is there for others


async def test_without_a_timeout_to_wait_it_says_when(runtime):
    limits = await service()
    await allowed(limits, times=3)

    with pytest.raises(LimitExceededError, match="Try again in 10 s") as caught:
        await RateLimiter.acquire(limits, "mail", timeout=0)
    assert caught.value.retry_after == pytest.approx(10.0)


async def test_a_wait_ends_with_the_deadline_of_the_caller(runtime):
    runtime.propagator = st.ContextPropagator()
    limits = await service(TokenBucket(rate=0.001, burst=1))
    await allowed(limits)

    class Shop(st.GenServer):
        @st.call
        async def post(self) -> float:
            try:
                await RateLimiter.acquire(limits, "mail", timeout=None)
            except LimitExceededError:
                return now()
            return -1.0

    shop = await Shop.start_link()
    start = now()
    with pytest.raises(st.CallTimeoutError):
        await Shop.post.within(3.0)(shop)
    await in_line(limits, 0)

    assert now() - start == pytest.approx(3.0)


@pytest.mark.parametrize("how", ["killed", "cancelled"])
async def test_the_place_of_one_who_is_gone_is_free(runtime, how):
    limits = await service(BUCKET)
    await allowed(limits, times=3)

    async def wait() -> None:
        async with asyncio.timeout(0.5 if how == "cancelled" else None):
            await RateLimiter.acquire(limits, "mail", cost=3, timeout=None)

    victim = st.spawn(wait)
    await in_line(limits, 1)
    other = st.Task.async_(RateLimiter.acquire, limits, "mail", timeout=None)
    await in_line(limits, 2)
    start = now()
    if how == "killed":
        st.exit(victim, st.KILL)
    await wait_down(victim)
    await other

    assert now() - start == pytest.approx(1.0, abs=1e-3)  # not three, and one more
    assert (await RateLimiter.stats(limits)).owners == 0


async def test_a_killed_waiter_that_says_nothing_is_seen_to_be_gone(runtime):
    limits = await service(BUCKET)
    await allowed(limits, times=3)

    async def wait() -> None:
        await RateLimiter._wait.send_request(limits, "mail", "", 3, Ticket())

    victim = st.spawn(wait)
    await in_line(limits, 1)
    st.exit(victim, st.KILL)
    await wait_down(victim)

    await in_line(limits, 0)
    assert (await RateLimiter.stats(limits)).released == 1


async def test_all_places_of_a_process_that_ends_are_free_together(runtime):
    limits = await service(BUCKET)
    await allowed(limits, times=3)

    async def wait() -> None:
        requests = [
            RateLimiter._wait.send_request(limits, "mail", "", 1, Ticket()) for _ in range(3)
        ]
        await requests[0]
        await st.receive()

    victim = st.spawn(wait)
    await in_line(limits, 3)
    other = st.Task.async_(RateLimiter.acquire, limits, "mail", timeout=None)
    await in_line(limits, 4)
    start = now()
    st.exit(victim, st.KILL)
    await other

    assert now() - start == pytest.approx(1.0, abs=1e-3)
    assert (await RateLimiter.stats(limits)).owners == 0


async def test_a_full_line_refuses_at_once(runtime):
    limits = await service(BUCKET, max_waiting=2)
    await allowed(limits, times=3)
    waits = [st.Task.async_(RateLimiter.acquire, limits, "mail", timeout=None) for _ in range(2)]
    await in_line(limits, 2)

    with pytest.raises(LimitExceededError, match="may not wait, since too many do") as caught:
        await RateLimiter.acquire(limits, "mail", timeout=60.0)

    assert caught.value.why == "line_full"
    await st.Task.await_many(waits, timeout=60.0)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "limit", [TokenBucket(rate=5.0, burst=3), SlidingWindow(limit=4, per=1.0), Concurrency(limit=2)]
)
async def test_whatever_happens_the_limit_holds_and_nothing_is_left_behind(runtime, limit, seed):
    chance = random.Random(seed)
    limits = await service(limit, max_waiting=6)
    passed: list[tuple[float, str]] = []
    inside = {"ann": 0, "bob": 0}

    async def come(who: str) -> None:
        try:
            async with asyncio.timeout(chance.choice([None, 0.3])):
                if not isinstance(limit, Concurrency):
                    await RateLimiter.acquire(limits, "mail", who, timeout=chance.choice([0, 1, 9]))
                    passed.append((now(), who))
                    return
                async with RateLimiter.hold(limits, "mail", who, timeout=0.5):
                    inside[who] += 1
                    assert inside[who] <= 2
                    try:
                        await asyncio.sleep(chance.random() / 3)
                    finally:
                        inside[who] -= 1
        except (LimitExceededError, TimeoutError):
            return

    crowd = []
    for _ in range(60):
        crowd.append(st.spawn(come, chance.choice(["ann", "bob"])))
        await asyncio.sleep(chance.random() / 10)
        if chance.random() < 0.2:
            st.exit(chance.choice(crowd), st.KILL)
    for one in crowd:
        if one.is_alive():
            await wait_down(one, timeout=60.0)

    for begin, who in passed:
        times = [at - begin for at, one in passed if one == who and at >= begin]
        if isinstance(limit, TokenBucket):
            assert all(number <= 3 + 5.0 * at + 1e-6 for number, at in enumerate(times, 1))
        else:
            assert sum(at < 1.0 - 1e-6 for at in times) <= 4
    stats = await RateLimiter.stats(limits)
    assert (stats.owners, stats.limiters["mail"].waiting, stats.limiters["mail"].held) == (0, 0, 0)
    assert stats.limiters["mail"].allowed >= max(10, len(passed))


async def test_many_lines_are_served_each_at_its_time(runtime):
    limits = await service(TokenBucket(rate=1.0, burst=1))
    chance = random.Random(7)
    late = []

    async def wait(who: str, due: float) -> None:
        await RateLimiter.acquire(limits, "mail", who, timeout=None)
        late.append(now() - due)

    waits = []
    for number in range(200):
        who = str(number)
        await allowed(limits, who)
        waits.append(st.Task.async_(wait, who, now() + 1.0))
        await asyncio.sleep(chance.random() / 100)
    await st.Task.await_many(waits, timeout=60.0)

    assert max(late) < 1e-3
    assert min(late) >= -1e-6


# -- hold --------------------------------------------------------------------------------------


async def test_so_many_hold_a_permit_at_once(runtime):
    limits = await service(Concurrency(limit=3))
    inside, most = [], []

    async def work(number: int) -> None:
        async with RateLimiter.hold(limits, "mail", timeout=None):
            inside.append(number)
            most.append(len(inside))
            await asyncio.sleep(1.0)
            inside.remove(number)

    crowd = [st.Task.async_(work, number) for number in range(10)]
    await st.Task.await_many(crowd, timeout=60.0)

    assert max(most) == 3
    assert (await RateLimiter.status(limits, "mail")).held == 0


@pytest.mark.parametrize("how", ["killed", "raised"])
async def test_a_permit_is_given_back_when_its_holder_ends(runtime, how):
    limits = await service(Concurrency(limit=1))
    leave = asyncio.Event()

    async def work() -> None:
        async with RateLimiter.hold(limits, "mail"):
            await leave.wait()
            raise RuntimeError("no")

    holder = st.spawn(work)
    for _ in range(5):
        await asyncio.sleep(0)
    assert (await RateLimiter.status(limits, "mail")).remaining == 0
    if how == "killed":
        st.exit(holder, st.KILL)
    else:
        leave.set()
    await wait_down(holder)

    async with RateLimiter.hold(limits, "mail", timeout=0):
        assert (await RateLimiter.status(limits, "mail")).held == 1


async def test_a_permit_that_is_not_free_in_time_is_refused(runtime):
    limits = await service(Concurrency(limit=1), max_waiting=1)
    async with RateLimiter.hold(limits, "mail"):
        start = now()
        for timeout in (0, 2.0):
            with pytest.raises(LimitExceededError) as caught:
                async with RateLimiter.hold(limits, "mail", timeout=timeout):
                    pytest.fail("it must not come in here")
            assert caught.value.why == "timeout"
        assert now() - start == pytest.approx(2.0)
        assert (await RateLimiter.status(limits, "mail")).waiting == 0
        waiting = st.spawn(RateLimiter.hold(limits, "mail", timeout=None).__aenter__)
        await in_line(limits, 1)
        with pytest.raises(LimitExceededError, match="too many do"):
            async with RateLimiter.hold(limits, "mail", timeout=1.0):
                pass
    await wait_down(waiting)


async def test_a_permit_that_came_as_its_holder_was_cancelled_is_passed_on(runtime):
    limits = await service(Concurrency(limit=1))
    order = []

    async def work(name: str, limit: float | None) -> None:
        async with asyncio.timeout(limit):
            async with RateLimiter.hold(limits, "mail", timeout=None):
                order.append(name)
                await asyncio.sleep(1.0)

    # The first one leaves at the very moment at which the second one is cancelled.
    crowd = [st.spawn(work, "first", None), st.spawn(work, "second", 1.0)]
    crowd.append(st.spawn(work, "third", None))
    for one in crowd:
        await wait_down(one)

    assert order[-1] == "third"
    assert (await RateLimiter.status(limits, "mail")).held == 0
    assert (await RateLimiter.stats(limits)).owners == 0


# -- configuration ---------------------------------------------------------------------------------


async def test_another_limit_counts_what_has_passed_and_lets_in_who_waits(runtime):
    limits = await service()
    await allowed(limits, times=3)
    waiting = st.Task.async_(RateLimiter.acquire, limits, "mail", timeout=None)
    await in_line(limits, 1)

    await RateLimiter.configure(limits, "mail", SlidingWindow(limit=5, per=10.0))

    assert (await waiting).allowed
    assert await allowed(limits, times=9) == 1


async def test_a_lower_limit_refuses_who_waits_for_more_than_that(runtime):
    limits = await service()
    await allowed(limits, times=3)
    waiting = st.Task.async_(RateLimiter.acquire, limits, "mail", cost=3, timeout=None)
    await in_line(limits, 1)

    await RateLimiter.configure(limits, "mail", SlidingWindow(limit=2, per=10.0))

    with pytest.raises(st.TaskExitError, match="CostTooHighError"):
        await waiting


async def test_more_permits_let_in_who_waits(runtime):
    limits = await service(Concurrency(limit=1))
    async with RateLimiter.hold(limits, "mail"):
        with pytest.raises(LimitExceededError):
            async with RateLimiter.hold(limits, "mail", timeout=0):
                pass
        await RateLimiter.configure(limits, "mail", Concurrency(limit=2))
        async with RateLimiter.hold(limits, "mail", timeout=0):
            assert (await RateLimiter.status(limits, "mail")).held == 2


@pytest.mark.parametrize("limit", [BUCKET, Concurrency(limit=1)])
async def test_who_waits_for_a_limiter_that_is_removed_is_refused(runtime, limit):
    limits = await service(limit)

    async def wait() -> str:
        try:
            if limit is BUCKET:
                await RateLimiter.acquire(limits, "mail", cost=3, timeout=None)
                await RateLimiter.acquire(limits, "mail", cost=3, timeout=None)
                return "passed"
            async with RateLimiter.hold(limits, "mail", timeout=None):
                async with RateLimiter.hold(limits, "mail", timeout=None):
                    return "came in"
        except LimitExceededError as error:
            return error.why

    waiting = st.Task.async_(wait)
    await in_line(limits, 1)

    assert await RateLimiter.remove(limits, "mail")
    assert await waiting == "removed"
    assert not await RateLimiter.remove(limits, "mail")
    assert (await RateLimiter.stats(limits)).owners == 0


async def test_a_limiter_of_another_kind_begins_anew(runtime):
    limits = await service()
    await allowed(limits, times=3)

    await RateLimiter.configure(limits, "mail", Concurrency(limit=1))

    async with RateLimiter.hold(limits, "mail", timeout=0):
        pass
    with pytest.raises(LimiterKindError, match=r"it is a Concurrency, not for `check`. Use `hold`"):
        await RateLimiter.check(limits, "mail")
    with pytest.raises(LimiterKindError):
        await RateLimiter.acquire(limits, "mail")
    await RateLimiter.configure(limits, "mail", BUCKET)
    with pytest.raises(LimiterKindError, match="it is a TokenBucket, not for `hold`"):
        async with RateLimiter.hold(limits, "mail"):
            pass


async def test_what_could_never_pass_is_refused_at_once(runtime):
    limits = await service()

    with pytest.raises(CostTooHighError, match="cost must be at most 3; got 4"):
        await RateLimiter.acquire(limits, "mail", cost=4)
    with pytest.raises(ValueError, match="cost must be a whole number, 1 or more; got 0"):
        await RateLimiter.check(limits, "mail", cost=0)
    with pytest.raises(ValueError, match="timeout must be None or"):
        await RateLimiter.acquire(limits, "mail", timeout=-1.0)
    with pytest.raises(ValueError, match="who must be a text"):
        await RateLimiter.check(limits, "mail", 7)


async def test_an_unknown_name_is_told_with_the_one_that_was_meant(runtime):
    limits = await service()

    with pytest.raises(UnknownLimiterError, match="got 'mial', did you mean 'mail'"):
        await RateLimiter.check(limits, "mial")
    with pytest.raises(UnknownLimiterError):
        await RateLimiter.status(limits, "post")
    with pytest.raises(UnknownLimiterError):
        async with RateLimiter.hold(limits, "post"):
            pass


@pytest.mark.parametrize(
    ("name", "limit", "says"),
    [("", BUCKET, "must be a text that is not empty"), ("x", 9, "must be a TokenBucket")],
)
async def test_a_bad_name_or_limit_is_refused_before_the_service_hears_of_it(
    runtime, name, limit, says
):
    limits = await service()

    with pytest.raises(ValueError, match=says):
        await RateLimiter.configure(limits, name, limit)
    with pytest.raises(st.StartError, match=says):
        await RateLimiter.start({name: limit})
    assert limits.is_alive()


async def test_more_limiters_than_the_bound_are_refused(runtime):
    limits = await service(max_limiters=1)

    with pytest.raises(TooManyLimitersError, match="at most 1 limiters"):
        await RateLimiter.configure(limits, "post", BUCKET)


# -- keys --------------------------------------------------------------------------------------------


async def test_a_key_more_than_the_bound_takes_the_place_of_an_idle_one_or_does_not_pass(runtime):
    limits = await service(max_keys=3)
    for who in "abc":
        await allowed(limits, who)

    with pytest.raises(TooManyKeysError, match="at most 3 keys are kept"):
        await RateLimiter.check(limits, "mail", "d")
    assert (await stats_of(limits)).keys_refused == 1
    await asyncio.sleep(10.0)

    assert await allowed(limits, "d") == 1
    assert (await stats_of(limits)).keys <= 3


async def test_the_clean_up_forgets_idle_keys_and_calls_nobody(runtime):
    """Gap: the original's clean-up called its own process from inside a callback."""
    told = []
    runtime.telemetry.strict = True
    runtime.telemetry.attach(
        "test", "suptree.limit.keys.cleaned", lambda _, numbers, __: told.append(dict(numbers))
    )
    limits = await service(cleanup_interval=30.0)
    for number in range(1200):  # more than one turn looks at
        await allowed(limits, str(number))
    await asyncio.sleep(25.0)
    await allowed(limits, "busy")
    await asyncio.sleep(6.0)
    await wait_until(lambda: told)

    assert told == [{"removed_count": 1200, "kept_count": 1}]
    assert (await stats_of(limits)).keys == 1
    await asyncio.sleep(30.0)
    assert told[1:] == [{"removed_count": 1, "kept_count": 0}]


async def test_a_clean_up_can_be_asked_for_and_forgets_nothing_that_counts(runtime):
    limits = await RateLimiter.start_link({"mail": WINDOW, "work": Concurrency(limit=1)})
    await allowed(limits, "ann", 3)
    await allowed(limits, "bob", 3)
    async with RateLimiter.hold(limits, "work", "ann"):
        assert await RateLimiter.trigger_cleanup(limits) == 0
        await asyncio.sleep(10.0)
        waiting = st.Task.async_(RateLimiter.acquire, limits, "mail", "bob", cost=3, timeout=None)
        await waiting
        assert await RateLimiter.trigger_cleanup(limits) == 1

    assert await RateLimiter.trigger_cleanup(limits) == 1
    assert await allowed(limits, "bob") == 0
    assert (await RateLimiter.stats(limits)).cleaned == 2


# -- telemetry and restarts -------------------------------------------------------------------------------


async def test_who_passes_and_who_does_not_is_told(runtime):
    told = []
    runtime.telemetry.strict = True
    runtime.telemetry.attach(
        "test",
        "suptree.limit.*",
        lambda event, numbers, facts: told.append(
            (event.name.removeprefix("suptree.limit."), facts.get("why"), numbers.get("waited_s"))
        ),
    )
    limits = await service(TokenBucket(rate=1.0, burst=1), max_waiting=1, max_keys=1)
    await allowed(limits, times=2)
    await RateLimiter.acquire(limits, "mail")
    with pytest.raises(LimitExceededError):
        await RateLimiter.acquire(limits, "mail", timeout=0.5)
    waiting = st.Task.async_(RateLimiter.acquire, limits, "mail", timeout=None)
    await in_line(limits, 1)
    with pytest.raises(LimitExceededError):
        await RateLimiter.acquire(limits, "mail")
    with pytest.raises(TooManyKeysError):
        await RateLimiter.check(limits, "mail", "another")
    await waiting
    await RateLimiter.configure(limits, "post", Concurrency(limit=1))
    async with RateLimiter.hold(limits, "post"):
        pass
    await RateLimiter.remove(limits, "post")

    assert told == [
        ("pass.allowed", None, 0.0),
        ("pass.denied", "exceeded", None),
        ("pass.allowed", None, pytest.approx(1.0, abs=1e-3)),
        ("pass.denied", "gave_up", None),
        ("pass.denied", "line_full", None),
        ("pass.denied", "keys_full", None),
        ("pass.allowed", None, pytest.approx(0.5, abs=1e-3)),
        ("limiter.configured", None, None),
        ("pass.allowed", None, 0.0),
        ("limiter.removed", None, None),
    ]


async def test_a_restart_brings_the_limits_back(runtime):
    await StateOwner.start_link()
    spec = st.child(RateLimiter, {"mail": WINDOW}, store=MemoryStore())
    tree = await st.Supervisor.start_link(
        [spec.with_(id="limits", name="limits")], strategy="one_for_one"
    )
    await RateLimiter.configure("limits", "mail", BUCKET)
    await RateLimiter.configure("limits", "work", Concurrency(limit=4))
    await RateLimiter.configure("limits", "post", BUCKET)
    await RateLimiter.remove("limits", "post")
    old = st.whereis("limits")
    st.exit(old, st.KILL)
    await wait_restarted(tree, "limits", old)

    assert await RateLimiter.limiters("limits") == {"mail": BUCKET, "work": Concurrency(limit=4)}


@pytest.mark.parametrize("data", [None, {"kind": "Leaky"}, {"kind": "TokenBucket", "rate": 0}])
async def test_a_stored_limit_that_is_none_is_not_passed_over(runtime, data):
    await StateOwner.start_link()
    await MemoryStore().put("limits", "mail", data)

    with pytest.raises(st.StartError, match=r"TokenBucket|must be a limit with its kind"):
        await RateLimiter.start(store=MemoryStore())


async def test_who_waits_when_the_service_dies_is_told(runtime):
    limits = await RateLimiter.start({"mail": BUCKET})
    await allowed(limits, times=3)
    waiting = st.Task.async_(RateLimiter.acquire, limits, "mail", timeout=None)
    await in_line(limits, 1)
    st.exit(limits, st.KILL)

    with pytest.raises(st.TaskExitError, match="ServerExitError"):
        await waiting


async def test_who_waited_in_vain_for_a_window_learns_when_it_might_pass(runtime):
    limits = await RateLimiter.start_link({"mail": SlidingWindow(limit=1, per=10.0)})
    await RateLimiter.acquire(limits, "mail")

    with pytest.raises(LimitExceededError, match="Try again in 6 s") as caught:
        await RateLimiter.acquire(limits, "mail", timeout=4.0)
    assert caught.value.retry_after == pytest.approx(6.0)


async def test_who_waited_behind_others_is_not_told_of_a_time_that_is_over(runtime):
    limits = await RateLimiter.start_link({"mail": SlidingWindow(limit=1, per=10.0)})
    await RateLimiter.acquire(limits, "mail")
    ahead = asyncio.create_task(RateLimiter.acquire(limits, "mail", timeout=None))
    await turn()

    with pytest.raises(LimitExceededError) as caught:
        await RateLimiter.acquire(limits, "mail", timeout=15.0)
    assert caught.value.retry_after is None
    await ahead
