"""Connection pools as their borrowers meet them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    ConnectionPool,
    ConnectionPoolClosedError,
    ConnectionPoolClosing,
    ConnectionPoolOverloadedError,
    ConnectionPoolSpec,
    ConnectionPoolStats,
    ConnectionPoolTimeoutError,
    RetryPolicy,
)
from suptree.services.pools import events
from suptree.testing import wait_down, wait_mailbox_empty, wait_until
from tests.services.pools.world import Connection, World

pytestmark = pytest.mark.suptree_loop("virtual")  # they count seconds, exactly

borrow, stats = ConnectionPool.connection, ConnectionPool.stats
WAITS = RetryPolicy.fixed(delay=1.0, max_attempts=None, total_time=1e9)


async def started(world: World, **options: Any) -> ConnectionPoolSpec[Connection]:
    spec = world.spec(**options)
    await ConnectionPool.start_link(spec)
    return spec


def server() -> Any:
    """The server behind the pool, whose line and leases the tests wait for."""
    pid = st.whereis("pool")
    assert pid is not None
    return pid._process.server


async def settled(pool: Any, **expected: Any) -> ConnectionPoolStats:
    """The stats once nothing is being opened, checked or closed; no time passes."""
    body = server()
    await wait_mailbox_empty("pool")
    await wait_until(lambda: not any(map(body.shelf.count, ("opening", "checking", "closing"))))
    seen = await stats(pool)
    for name, value in expected.items():
        assert getattr(seen, name) == value, (name, seen)
    return seen


async def in_line(number: int) -> None:
    body = server()
    await wait_until(lambda: len(body.waiting) == number)


def borrower(spec: Any, *, seconds: float = 1e6, timeout: float | None = None) -> st.Pid[Any]:
    async def hold() -> None:
        async with borrow(spec, timeout=timeout):
            await asyncio.sleep(seconds)

    return st.spawn(hold)


def listen(runtime: Any, *declared: Any) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    heard: list[Any] = []
    runtime.telemetry.attach_many(
        "test", declared, lambda e, n, f: heard.append((e.name, dict(n), dict(f)))
    )
    return heard


# -- borrowing ----------------------------------------------------------------------------


async def test_a_connection_is_opened_when_it_is_needed_and_used_again(runtime):
    world = World()
    spec = await started(world)
    assert world.attempts == 0

    async with borrow(spec) as first:
        assert (await stats(spec)).in_use == 1
    async with borrow(spec) as second:
        pass

    assert first is second
    await settled(spec, size=1, idle=1, in_use=0, checkouts=2, opened=1)


async def test_the_least_that_is_kept_is_opened_at_the_start_and_again_when_one_is_lost(runtime):
    world = World()
    spec = await started(world, min_size=2, max_size=3)
    await wait_until(lambda: len(world.open) == 2)
    tasks = await st.TaskSupervisor.children(spec.connections)

    st.exit(tasks[0], st.KILL)
    await wait_until(lambda: len(world.made) == 3)

    await settled(spec, size=2, idle=2, lost=1, opened=3, closed=1)
    assert [one.closes for one in world.made].count(1) == 1
    assert len(world.open) == 2


async def test_the_start_does_not_wait_for_the_other_side(runtime):
    world = World()
    world.connecting = 1e6

    spec = await started(world, min_size=2, connect_timeout=60)

    assert runtime.now() == 0.0
    assert (await stats(spec)).opening == 2


async def test_borrowers_are_served_in_the_order_in_which_they_came(runtime):
    world = World()
    spec = await started(world, max_size=1)
    served: list[int] = []

    async def worker(number: int) -> None:
        async with borrow(spec, timeout=60):
            served.append(number)
            await asyncio.sleep(0.1)

    pids = [runtime.spawn(worker, number) for number in range(20)]
    for pid in pids:
        await wait_down(pid)

    assert served == list(range(20))
    assert world.most == 1


async def test_a_late_borrower_does_not_overtake_those_who_wait(runtime):
    spec = await started(World(), max_size=1)
    borrower(spec, seconds=1)
    await wait_until(lambda: server().lent)
    borrower(spec, seconds=1, timeout=60)
    await in_line(1)
    await asyncio.sleep(1.5)  # the first has given it back, the second has it

    with pytest.raises(ConnectionPoolTimeoutError):
        await ConnectionPool.checkout(spec, timeout=0)


async def test_a_borrower_that_waits_too_long_is_told_all_that_matters(runtime):
    world = World()
    spec = await started(world, max_size=1)
    borrower(spec)
    await wait_until(lambda: world.made)
    borrower(spec, timeout=60)
    await in_line(1)
    before = runtime.now()

    with pytest.raises(ConnectionPoolTimeoutError) as caught:
        await ConnectionPool.checkout(spec, timeout=3)
    error = caught.value
    assert isinstance(error, TimeoutError)
    assert runtime.now() - before == pytest.approx(3)
    assert (error.pool, error.size, error.max_size, error.in_use) == ("pool", 1, 1, 1)
    assert (error.waiting, error.last_connect_error) == (1, "")
    assert str(error) == (
        "pool 'pool': no connection within 3 s: 1 of 1 open, 1 in use, 1 others waiting. "
        "Hold connections for less time, raise max_size, or wait longer."
    )
    assert (await stats(spec)).refused == 1


async def test_the_last_connect_error_is_told_to_those_who_waited_in_vain(runtime):
    world = World()
    world.refusing = ConnectionRefusedError("nobody at port 5432")
    spec = await started(world)

    with pytest.raises(ConnectionPoolTimeoutError, match="nobody at port 5432") as caught:
        await ConnectionPool.checkout(spec)
    assert caught.value.size == 0


async def test_more_borrowers_than_may_wait_are_refused_at_once(runtime):
    spec = await started(World(), max_size=1, max_waiting=1)
    borrower(spec)
    await wait_until(lambda: server().lent)
    borrower(spec, timeout=60)
    await in_line(1)

    with pytest.raises(ConnectionPoolOverloadedError, match="1 wait for a connection already"):
        await ConnectionPool.checkout(spec)


async def test_a_pool_is_found_by_its_name_too(runtime):
    await started(World())

    async with borrow("pool") as connection:
        assert isinstance(connection, Connection)
    with pytest.raises(st.NoProcessError):
        await ConnectionPool.checkout("pol")


async def test_a_lease_is_given_back_once_and_then_counted(runtime):
    spec = await started(World())
    lease = await ConnectionPool.checkout(spec)

    ConnectionPool.checkin(lease)
    ConnectionPool.checkin(lease)
    ConnectionPool.discard(lease)

    await settled(spec, idle=1, late_returns=2, discarded=0)


async def test_one_block_has_one_connection(runtime):
    spec = await started(World())
    block = borrow(spec)

    async with block:
        with pytest.raises(st.UsageError, match="has a connection already"):
            async with block:
                pass
    async with block:
        pass
    await settled(spec, idle=1, in_use=0)


# -- broken, cancelled, dead ---------------------------------------------------------------


async def test_a_connection_that_its_borrower_discards_is_closed_and_not_lent_again(runtime):
    world = World()
    spec = await started(world)

    block = borrow(spec)
    async with block as first:
        block.discard()
    lease = await ConnectionPool.checkout(spec)
    ConnectionPool.discard(lease)
    async with borrow(spec) as third:
        pass

    assert first is not lease.connection is not third
    assert [one.closes for one in world.made] == [1, 1, 0]
    await settled(spec, size=1, discarded=2)


@pytest.mark.parametrize(
    ("error", "closed"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (EOFError(), True),
        (ValueError(), False),
        (KeyError(), False),
    ],
)
async def test_the_error_of_the_block_says_whether_the_connection_is_broken(runtime, error, closed):
    world = World()
    spec = await started(world)

    with pytest.raises(type(error)):
        async with borrow(spec):
            raise error
    await settled(spec, discarded=int(closed), idle=int(not closed), interrupted=0)


async def test_which_errors_mean_broken_is_for_the_user_to_say(runtime):
    spec = await started(World(), broken_on=(ZeroDivisionError,))

    with pytest.raises(ConnectionResetError):
        async with borrow(spec):
            raise ConnectionResetError
    await settled(spec, idle=1)
    with pytest.raises(ZeroDivisionError):
        async with borrow(spec):
            1 / 0
    await settled(spec, idle=0, discarded=1)


async def test_the_connection_of_a_cancelled_block_is_not_lent_again(runtime):
    world = World()
    spec = await started(world, broken_on=())

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1), borrow(spec):
            await asyncio.sleep(10)

    await settled(spec, size=0, interrupted=1)
    assert world.open == set()


@pytest.mark.parametrize("reason", [st.KILL, st.SHUTDOWN, "enough"])
async def test_the_connection_of_a_dead_borrower_is_not_lent_again(runtime, reason):
    world = World()
    spec = await started(world)

    async def careless() -> None:
        await ConnectionPool.checkout(spec)
        await st.receive()

    pid = runtime.spawn(careless)
    await wait_until(lambda: server().lent)
    before = runtime.now()
    st.exit(pid, reason)
    await wait_down(pid)

    await settled(spec, size=0, in_use=0, interrupted=1)
    assert world.made[0].closes == 1
    assert runtime.now() == before


async def test_a_borrower_that_forgets_to_give_back_loses_it_at_its_end(runtime):
    spec = await started(World())

    async def careless() -> None:
        await ConnectionPool.checkout(spec)

    await wait_down(runtime.spawn(careless))

    await settled(spec, in_use=0, interrupted=1)


@pytest.mark.parametrize(("broken", "kept"), [(None, True), ("yes", False)])
async def test_an_interrupted_connection_is_checked_and_kept_where_the_spec_says_so(
    runtime, broken, kept
):
    world = World()
    spec = await started(world, interrupted="check")
    pid = borrower(spec)
    await wait_until(lambda: server().lent)
    world.made[0].broken = broken
    st.exit(pid, st.KILL)
    await wait_down(pid)

    await settled(spec, idle=int(kept), check_failures=int(not kept), interrupted=1)
    assert world.made[0].checks == 1


async def test_a_borrower_that_is_cancelled_while_it_waits_leaves_the_line(runtime):
    spec = await started(World(), max_size=1)
    borrower(spec, seconds=2)
    await wait_until(lambda: server().lent)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await ConnectionPool.checkout(spec, timeout=60)
    await in_line(0)
    await asyncio.sleep(2)

    await settled(spec, idle=1, in_use=0, waiting=0, checkouts=1)


async def test_a_borrower_whose_own_deadline_comes_first_leaves_the_line(runtime):
    runtime.propagator = st.ContextPropagator()
    spec = await started(World(), max_size=1)
    await ConnectionPool.checkout(spec)

    class Front(st.GenServer):
        @st.call
        async def work(self) -> None:
            with pytest.raises(st.CallTimeoutError):
                await ConnectionPool.checkout(spec, timeout=60)

    front = await Front.start_link()
    with pytest.raises(st.CallTimeoutError):
        await Front.work.within(2.0)(front)
    await asyncio.sleep(0.5)

    assert (await stats(spec)).waiting == 0


async def test_a_connection_that_a_cancelled_borrower_never_saw_is_lent_again(runtime):
    world = World()
    spec = await started(world, max_size=1)
    lease = await ConnectionPool.checkout(spec)
    waiter = asyncio.create_task(ConnectionPool.checkout(spec, timeout=60))
    await in_line(1)
    runtime.telemetry.attach("late", events.CHECKED_OUT, lambda *_: waiter.cancel())

    ConnectionPool.checkin(lease)
    with pytest.raises(asyncio.CancelledError):
        await waiter

    await settled(spec, idle=1, in_use=0, interrupted=0, late_returns=0)
    assert world.made[0].closes == 0


async def test_a_borrower_that_dies_while_it_waits_leaves_the_line(runtime):
    spec = await started(World(), max_size=1)
    lease = await ConnectionPool.checkout(spec)
    pid = borrower(spec, timeout=60)
    await in_line(1)

    st.exit(pid, st.KILL)
    await wait_down(pid)
    await in_line(0)
    ConnectionPool.checkin(lease)

    await settled(spec, idle=1, checkouts=1)


async def test_code_outside_every_process_may_borrow(runtime):
    from contextvars import Context

    spec = await started(World())

    async def request() -> None:
        async with borrow(spec):
            await asyncio.sleep(1)

    await asyncio.get_running_loop().create_task(request(), context=Context())

    await settled(spec, idle=1, checkouts=1)


# -- opening ------------------------------------------------------------------------------


async def test_after_a_failed_connect_the_next_is_tried_after_the_back_off_and_one_at_a_time(
    runtime,
):
    world = World()
    world.refusing = OSError("no")
    spec = await started(
        world,
        min_size=3,
        max_size=3,
        refill=RetryPolicy.exponential(
            first=1.0, cap=4.0, jitter=0.0, max_attempts=None, total_time=1e9
        ),
    )
    attempts = []
    for _ in range(16):
        await asyncio.sleep(1.0)
        attempts.append(world.attempts)

    # Three at once, which fail as one; then after 1, 2, 4, 4 and 4 seconds.
    assert [attempts[s - 1] for s in (1, 2, 4, 6, 8, 12, 16)] == [3, 4, 5, 5, 6, 7, 8]
    world.refusing = None
    await asyncio.sleep(4)
    await settled(spec, size=3, idle=3, last_connect_error="", connect_failures=8)


async def test_those_who_wait_are_served_once_the_other_side_is_back(runtime):
    world = World()
    world.refusing = OSError("no")
    spec = await started(world, refill=WAITS)
    pids = [borrower(spec, seconds=0.1, timeout=60) for _ in range(4)]
    await asyncio.sleep(5)
    world.refusing = None

    for pid in pids:
        await wait_down(pid)
    await settled(spec, checkouts=4, refused=0)
    assert world.most <= 2


@pytest.mark.parametrize(
    ("trouble", "text"),
    [("hangs", "took longer than 5 s"), (SystemExit(3), "SystemExit"), (ValueError("x"), "x")],
)
async def test_whatever_connect_does_the_pool_goes_on(runtime, trouble, text):
    world = World()
    if trouble == "hangs":
        world.connecting = 1e6
    else:
        world.refusing = trouble
    spec = await started(world, refill=WAITS)
    pool = st.whereis("pool")

    with pytest.raises(ConnectionPoolTimeoutError) as caught:
        await ConnectionPool.checkout(spec, timeout=7)
    assert text in caught.value.last_connect_error
    world.connecting, world.refusing = 0.0, None
    async with borrow(spec, timeout=10):
        pass
    assert st.whereis("pool") == pool


async def test_connections_are_opened_at_the_same_time(runtime):
    world = World()
    world.connecting = 1.0
    spec = await started(world, max_size=5)
    pids = [borrower(spec, seconds=1) for _ in range(5)]
    for pid in pids:
        await wait_down(pid)

    assert runtime.now() == pytest.approx(2.0)
    await settled(spec, size=5)


async def test_a_user_function_that_hangs_does_not_hold_up_other_borrowers(runtime):
    world = World()
    spec = await started(world, check_every=1.0, check_timeout=60.0)
    one = await ConnectionPool.checkout(spec)
    two = await ConnectionPool.checkout(spec)
    one.connection.broken = "hangs"
    ConnectionPool.checkin(one)
    ConnectionPool.checkin(two)
    await asyncio.sleep(1.5)
    assert (await stats(spec)).checking == 1
    before = runtime.now()

    async with borrow(spec) as connection:
        assert connection is two.connection
    assert runtime.now() == before


# -- checking, ageing, idling -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        ("yes", "check gave False, not True"),
        ("hangs", "took longer than 2 s"),
        (OSError("reset"), "reset"),
    ],
)
async def test_an_idle_connection_that_is_broken_is_found_closed_and_replaced(
    runtime, broken, text
):
    heard = listen(runtime, events.CHECK_FAILED)
    world = World()
    spec = await started(world, min_size=1, check_every=30)
    await wait_until(lambda: world.made)
    world.made[0].broken = broken

    await asyncio.sleep(29.9)
    assert world.made[0].checks == 0
    await asyncio.sleep(2.5)

    await settled(spec, idle=1, check_failures=1, opened=2)
    assert [one.closes for one in world.made] == [1, 0]
    assert [text in facts["error"] for _, _, facts in heard] == [True]


async def test_a_connection_in_use_is_not_checked_and_one_just_used_not_soon(runtime):
    world = World()
    spec = await started(world, check_every=10)
    lease = await ConnectionPool.checkout(spec)
    await asyncio.sleep(50)
    ConnectionPool.checkin(lease)
    await asyncio.sleep(9)
    assert world.made[0].checks == 0
    await asyncio.sleep(21.5)

    assert world.made[0].checks == 3


async def test_a_connection_is_not_lent_beyond_its_age(runtime):
    world = World()
    spec = await started(world, max_age=100.0, check_every=1000)
    lease = await ConnectionPool.checkout(spec)
    await asyncio.sleep(150)  # in use: it is let be
    assert world.made[0].closes == 0
    ConnectionPool.checkin(lease)
    second = await ConnectionPool.checkout(spec)

    assert second.connection is not lease.connection
    assert world.made[0].closes == 1
    await settled(spec, size=1)


async def test_connections_that_are_too_old_are_renewed_though_nobody_asks(runtime):
    world = World()
    spec = await started(world, min_size=2, max_age=100.0, check_every=1000)

    await asyncio.sleep(250)

    assert [one.closes for one in world.made] == [1, 1, 1, 1, 0, 0]
    await settled(spec, idle=2)


async def test_connections_above_the_least_go_when_they_are_idle(runtime):
    world = World()
    spec = await started(world, min_size=1, max_size=5, max_idle=60.0, check_every=10.0)
    leases = [await ConnectionPool.checkout(spec) for _ in range(5)]
    for lease in leases:
        ConnectionPool.checkin(lease)
    await settled(spec, idle=5)

    for _ in range(14):  # one is enough for what is left to do, though all are checked
        await asyncio.sleep(5)
        async with borrow(spec):
            pass

    await settled(spec, size=1)


# -- closing -----------------------------------------------------------------------------


async def test_close_waits_for_what_is_in_use_and_sends_away_those_who_wait(runtime):
    world = World()
    spec = await started(world, max_size=2)
    user = borrower(spec, seconds=3)
    lease = await ConnectionPool.checkout(spec)
    ConnectionPool.checkin(lease)
    second = borrower(spec, seconds=2)
    await wait_until(lambda: len(server().lent) == 2)
    waiter = asyncio.create_task(ConnectionPool.checkout(spec, timeout=60))
    await in_line(1)

    done = await ConnectionPool.close(spec, timeout=10)

    assert done == ConnectionPoolClosing(closed=2, forced=0)
    assert runtime.now() == pytest.approx(3)
    with pytest.raises(ConnectionPoolClosedError):
        await waiter
    with pytest.raises(ConnectionPoolClosedError, match="is closed"):
        await ConnectionPool.checkout(spec)
    assert (await stats(spec)).closed_for_good
    assert world.open == set()
    assert await ConnectionPool.close(spec) == ConnectionPoolClosing(2, 0)
    assert not user.is_alive()
    assert not second.is_alive()


async def test_close_ends_at_its_deadline_whatever_goes_on(runtime):
    world = World()
    spec = await started(world, min_size=0, max_size=3, check_every=1.0, check_timeout=100)
    leases = [await ConnectionPool.checkout(spec) for _ in range(2)]
    leases[0].connection.broken = "hangs"
    ConnectionPool.checkin(leases[0])
    await asyncio.sleep(1.5)  # one is being checked, one is in use, one is being opened
    world.connecting = 1e6
    waiter = asyncio.create_task(ConnectionPool.checkout(spec, timeout=60))
    await in_line(1)
    before = runtime.now()

    done = await ConnectionPool.close(spec, timeout=3)

    assert done == ConnectionPoolClosing(closed=2, forced=1)
    assert runtime.now() - before == pytest.approx(3)
    assert world.open == set()
    assert world.under_way == 0
    with pytest.raises(ConnectionPoolClosedError):
        await waiter


async def test_a_close_that_raises_or_hangs_is_counted_and_its_place_is_free(runtime):
    heard = listen(runtime, events.CLOSE_FAILED)
    world = World()
    spec = await started(world, max_size=1)
    for trouble in ("raises", "hangs"):
        world.close_error = OSError("no") if trouble == "raises" else None
        world.closing = 1e6 if trouble == "hangs" else 0.0
        ConnectionPool.discard(await ConnectionPool.checkout(spec))
    async with borrow(spec):
        pass

    await settled(spec, size=1, close_failures=2, discarded=2)
    assert [one.closes for one in world.made] == [1, 1, 0]
    assert world.most == 1
    assert ["no" in f["error"] or "took longer" in f["error"] for _, _, f in heard] == [True] * 2


async def test_a_plain_function_may_close(runtime):
    world = World()
    closed: list[Any] = []
    spec = ConnectionPoolSpec(name="pool", connect=world.connect, close=closed.append, min_size=0)
    await ConnectionPool.start_link(spec)
    ConnectionPool.discard(await ConnectionPool.checkout(spec))

    await settled(spec, size=0, close_failures=0)
    assert closed == world.made


# -- death -------------------------------------------------------------------------------


@pytest.mark.parametrize("victim", ["pool", "pool.connections"])
async def test_when_a_process_of_the_pool_is_killed_every_connection_is_closed_and_it_works_again(
    runtime, victim
):
    world = World()
    world.closing = 0.5
    spec = await started(world, max_size=3)
    leases = [await ConnectionPool.checkout(spec) for _ in range(3)]
    ConnectionPool.checkin(leases[0])
    ConnectionPool.checkin(leases[1])
    leases += [await ConnectionPool.checkout(spec) for _ in range(2)]
    waiter = asyncio.create_task(ConnectionPool.checkout(spec, timeout=60))
    await in_line(1)
    old = st.whereis("pool")
    st.exit(st.whereis(victim), st.KILL)
    await wait_until(lambda: st.whereis("pool") not in (old, None))

    async with borrow(spec) as connection:
        assert connection is world.made[3]
    assert [one.closes for one in world.made] == [1, 1, 1, 0]
    with pytest.raises(st.ServerExitError):
        await waiter
    ConnectionPool.checkin(leases[1])  # of the old one: nobody there
    seen = await stats(spec)
    assert (seen.late_returns, seen.size) == (0, 1)


async def test_a_pool_under_a_supervisor_ends_with_it_and_leaves_nothing_open(runtime):
    world = World()
    world.closing = 1.0
    spec = world.spec(min_size=2, max_size=3)
    other = World()
    tree = await st.Supervisor.start_link(
        [ConnectionPool.child(spec), st.child(ConnectionPool, other.spec(name="other"))]
    )
    await wait_until(lambda: len(world.open) == 2)
    assert {info.id for info in await st.Supervisor.which_children(tree)} == {"pool", "other"}

    await st.Supervisor.stop(tree)

    assert world.open == set()
    assert [one.closes for one in world.made] == [1, 1]


async def test_a_connection_whose_process_is_killed_in_the_middle_of_a_check_is_closed(runtime):
    world = World()
    spec = await started(world, min_size=1, check_every=1.0, check_timeout=100)
    await wait_until(lambda: world.made)
    world.made[0].broken = "hangs"
    await asyncio.sleep(1.5)
    (pid,) = await st.TaskSupervisor.children(spec.connections)

    st.exit(pid, st.KILL)
    await wait_down(pid)

    assert world.made[0].closes == 1
    await wait_until(lambda: len(world.open) == 1)
    await settled(spec, size=1, lost=1)


async def test_a_close_that_a_kill_cuts_short_is_tried_again(runtime):
    world = World()
    world.closing = 1.8
    spec = await started(world)
    await ConnectionPool.checkout(spec)
    (pid,) = await st.TaskSupervisor.children(spec.connections)

    st.exit(pid, st.KILL)  # which leaves one second
    await wait_down(pid)
    await asyncio.sleep(3)

    assert world.made[0].closes == 2
    assert world.open == set()


# -- telemetry ---------------------------------------------------------------------------


async def test_the_life_of_a_connection_is_told(runtime):
    heard = listen(runtime, "suptree.pool.*")
    world = World()
    world.refusing = OSError("no")
    spec = await started(world, max_size=1, refill=WAITS)
    first = asyncio.create_task(ConnectionPool.checkout(spec, timeout=10))
    await asyncio.sleep(0.5)
    world.refusing = None
    lease = await first
    with pytest.raises(ConnectionPoolTimeoutError):
        await ConnectionPool.checkout(spec, timeout=2)
    ConnectionPool.discard(lease)
    await settled(spec, size=0)

    me = st.current()
    near = pytest.approx
    assert [(name.removeprefix("suptree.pool."), n, f) for name, n, f in heard] == [
        (
            "connect.failed",
            {"failures_count": 1, "retry_s": near(1)},
            {"pool": "pool", "error": "OSError('no')"},
        ),
        ("connection.opened", {"duration_s": near(0), "size_count": 1}, {"pool": "pool"}),
        (
            "connection.checked_out",
            {"wait_s": near(1), "in_use_count": 1, "waiting_count": 0},
            {"pool": "pool", "owner": me},
        ),
        (
            "checkout.refused",
            {"wait_s": near(2), "waiting_count": 0},
            {"pool": "pool", "owner": me, "reason": "timeout"},
        ),
        (
            "connection.checked_in",
            {"held_s": near(2), "in_use_count": 0},
            {"pool": "pool", "owner": me, "outcome": "discarded"},
        ),
        (
            "connection.closed",
            {"age_s": near(2), "size_count": 0},
            {"pool": "pool", "reason": "discarded"},
        ),
    ]


async def test_the_stats_rise_and_fall(runtime):
    spec = await started(World(), max_size=2)
    seen = []
    leases = []
    for _ in range(2):
        leases.append(await ConnectionPool.checkout(spec))
        seen.append((await stats(spec)).in_use)
    for lease in leases:
        ConnectionPool.checkin(lease)
        seen.append((await settled(spec)).in_use)

    assert seen == [1, 2, 1, 0]


@pytest.mark.parametrize("timeout", [-1, float("nan"), "soon"])
async def test_a_wrong_timeout_is_refused_in_the_borrower(runtime, timeout):
    spec = await started(World())

    with pytest.raises(ValueError, match="timeout must be"):
        await ConnectionPool.checkout(spec, timeout=timeout)
    with pytest.raises(ValueError, match="timeout must be"):
        await ConnectionPool.close(spec, timeout=timeout)
