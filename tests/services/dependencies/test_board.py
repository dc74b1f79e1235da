"""The board: words tied to processes, and waits that end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.services import (
    DependencyCycleError,
    NotReadyError,
    ReadinessBoard,
    StateOwner,
    TooManyWaitersError,
    UnknownServiceError,
)
from suptree.services.dependencies import SERVICE_READINESS_CHANGED, SERVICE_WAIT_EXPIRED
from suptree.testing import turn, wait_down, wait_until

pytestmark = pytest.mark.suptree_loop("virtual")  # hours pass

SHOP = {"web": ["api"], "api": ["db"], "db": []}


class Service(st.GenServer):
    """Says of itself what it is told to."""

    @st.call
    async def say(self, board: str, service: str, ready: bool) -> None:
        if ready:
            await ReadinessBoard.ready(board, service)
        else:
            await ReadinessBoard.not_ready(board, service, "warming up")


async def board(services: Any = SHOP, **options: Any) -> st.Pid[ReadinessBoard]:
    return await st.child(ReadinessBoard, services, **options).with_(name="board").start_link()


async def service(name: str) -> st.Pid[Service]:
    pid = await Service.start()
    await Service.say(pid, "board", name, True)
    return pid


async def test_a_board_with_a_circle_does_not_start_and_prints_the_path(runtime):
    with pytest.raises(st.StartError, match="a -> b -> a") as caught:
        await ReadinessBoard.start({"a": ["b"], "b": ["a"]})
    assert caught.value.reason.type.endswith(DependencyCycleError.__name__)


async def test_a_wait_ends_when_the_last_that_is_needed_gets_ready(runtime):
    await board()
    wait = asyncio.create_task(ReadinessBoard.wait_ready("board", "web"))
    for name in ("web", "api"):
        await ReadinessBoard.ready("board", name)
    await asyncio.sleep(1.0)
    assert not wait.done()

    await ReadinessBoard.ready("board", "db")

    await wait
    await asyncio.sleep(31.0)  # past the end of the wait
    stats = await ReadinessBoard.stats("board")
    assert (stats.served, stats.expired) == (1, 0)


async def test_a_wait_for_what_is_ready_already_is_none(runtime):
    await board()
    await ReadinessBoard.ready("board", "db")

    await ReadinessBoard.wait_ready("board", "db", timeout=0)


async def test_waiting_does_not_poll(runtime):
    pid = await board()
    wait = asyncio.create_task(ReadinessBoard.wait_ready("board", "db", timeout=3600.0))
    await turn(1)
    before = runtime.info(pid).handled
    await asyncio.sleep(3000.0)

    assert runtime.info(pid).handled == before
    await ReadinessBoard.ready("board", "db")
    await wait


@pytest.mark.parametrize("timeout", [0, 7.5])
async def test_a_wait_in_vain_says_why_after_its_timeout(runtime, timeout):
    await board()
    await ReadinessBoard.ready("board", "api")
    before = runtime.now()

    with pytest.raises(NotReadyError) as caught:
        await ReadinessBoard.wait_ready("board", "api", timeout=timeout)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.reasons == ("api -> db: has said nothing yet",)
    assert f"api: not ready within {timeout:g} s" in str(caught.value)
    assert runtime.now() - before == pytest.approx(timeout)
    assert (await ReadinessBoard.stats("board")).expired == 1


async def test_waits_end_each_at_its_own_time(runtime):
    await board()
    ended: list[float] = []

    async def wait(timeout: float) -> None:
        with pytest.raises(NotReadyError):
            await ReadinessBoard.wait_ready("board", "db", timeout=timeout)
        ended.append(runtime.now())

    start = runtime.now()
    await asyncio.gather(*(wait(timeout) for timeout in (5.0, 1.0, 3.0, 1.0)))

    assert [round(at - start, 6) for at in ended] == [1.0, 1.0, 3.0, 5.0]


async def test_all_services_can_be_waited_for_together(runtime):
    await board()
    wait = asyncio.create_task(ReadinessBoard.wait_all_ready("board"))
    with pytest.raises(NotReadyError, match=r"all services: .* web: has said nothing yet"):
        await ReadinessBoard.wait_all_ready("board", timeout=1.0)
    for name in SHOP:
        await ReadinessBoard.ready("board", name)

    await wait
    assert (await ReadinessBoard.report("board")).ready


async def test_a_word_goes_with_the_process_that_gave_it(runtime):
    await board()
    db = await service("db")
    await ReadinessBoard.ready("board", "api")
    assert (await ReadinessBoard.readiness("board", "api")).ready

    st.exit(db, "power cut")
    await wait_down(db)

    found = await ReadinessBoard.readiness("board", "api")
    assert found.reasons == ("api -> db: its process ended: 'power cut'",)
    assert not (await ReadinessBoard.readiness("board", "db")).live
    assert (await ReadinessBoard.stats("board")).deaths == 1


async def test_the_word_of_a_successor_outlives_its_predecessor(runtime):
    await board()
    old = await service("db")
    await service("db")
    st.exit(old, "late")
    await wait_down(old)

    found = await ReadinessBoard.readiness("board", "db")
    assert found.ready
    assert found.live


async def test_a_word_for_a_dead_process_counts_as_its_death(runtime):
    await board()
    dead = runtime.spawn(lambda: None)
    await wait_down(dead)
    await ReadinessBoard.ready("board", "db", pid=dead)

    await wait_until(lambda: not runtime.info("board").mailbox)
    assert not (await ReadinessBoard.readiness("board", "db")).ready


async def test_not_ready_is_not_dead(runtime):
    await board()
    db = await service("db")
    await Service.say(db, "board", "db", False)

    found = await ReadinessBoard.readiness("board", "db")
    assert (found.ready, found.live, found.reasons) == (False, True, ("db: warming up",))


@pytest.mark.parametrize(
    "ask",
    [
        lambda: ReadinessBoard.ready("board", "dbb"),
        lambda: ReadinessBoard.not_ready("board", "dbb", "no"),
        lambda: ReadinessBoard.readiness("board", "dbb"),
        lambda: ReadinessBoard.wait_ready("board", "dbb"),
    ],
)
async def test_an_undeclared_service_is_refused_to_the_caller_alone(runtime, ask):
    pid = await board()

    with pytest.raises(UnknownServiceError, match="did you mean 'db'"):
        await ask()
    assert pid.is_alive()


@pytest.mark.parametrize("timeout", [-1, float("nan")])
async def test_a_wrong_timeout_is_refused(runtime, timeout):
    await board()

    with pytest.raises(ValueError, match="timeout"):
        await ReadinessBoard.wait_ready("board", "db", timeout=timeout)


async def test_a_wrong_bound_is_refused(runtime):
    with pytest.raises(st.StartError, match="max_waiters must be a whole number, 1 or more"):
        await ReadinessBoard.start({}, max_waiters=0)


async def test_one_waiter_more_than_may_is_refused_and_counted(runtime):
    await board(max_waiters=2)
    waits = [asyncio.create_task(ReadinessBoard.wait_ready("board", "db", None)) for _ in "ab"]
    await turn(1)

    with pytest.raises(TooManyWaitersError, match="at most 2"):
        await ReadinessBoard.wait_ready("board", "db")
    assert (await ReadinessBoard.stats("board")).refused == 1
    await ReadinessBoard.ready("board", "db")
    await asyncio.gather(*waits)


async def test_who_gave_up_waiting_leaves_nothing_behind(runtime):
    pid = await board(max_waiters=2)
    for _ in range(500):
        wait = asyncio.create_task(ReadinessBoard.wait_ready("board", "db", None))
        await turn(1)
        wait.cancel()
        await turn(1)

    stats = await ReadinessBoard.stats("board")
    assert (stats.waiters, stats.refused) == (0, 0)
    assert len((await st.sys.get_state(pid))["_waiters"]) <= 2


async def test_the_end_of_the_board_ends_every_wait(runtime):
    pid = await ReadinessBoard.start(SHOP)
    wait = asyncio.create_task(ReadinessBoard.wait_ready(pid, "db", None))
    await turn(1)
    st.exit(pid, st.KILL)

    with pytest.raises(st.ServerExitError):
        await wait


async def test_a_restarted_board_knows_what_was_said_and_who_died_meanwhile(runtime):
    await StateOwner.start_link()
    first = await ReadinessBoard.start(SHOP, table="state")
    alive, dying = await Service.start(), await Service.start()
    await ReadinessBoard.ready(first, "db", pid=alive)
    await ReadinessBoard.ready(first, "api", pid=dying)
    st.exit(first, st.KILL)
    st.exit(dying, "too")
    await wait_down(first)

    second = await ReadinessBoard.start(SHOP, table="state")
    await turn(2)

    assert (await ReadinessBoard.readiness(second, "db")).ready
    assert not (await ReadinessBoard.readiness(second, "api")).live
    assert (await ReadinessBoard.dependencies(second)).start_order() == ["db", "api", "web"]


async def test_a_restarted_board_forgets_services_that_are_declared_no_more(runtime):
    await StateOwner.start_link()
    first = await ReadinessBoard.start(SHOP, table="state")
    await ReadinessBoard.ready(first, "web")
    await ReadinessBoard.stop(first)

    second = await ReadinessBoard.start({"db": []}, table="state")

    assert "web" not in st.Table.lookup("state")["readiness"]
    assert len((await ReadinessBoard.report(second)).services) == 1


async def test_each_change_of_readiness_and_each_wait_in_vain_is_an_event(runtime):
    seen: list[tuple[str, Any]] = []
    runtime.telemetry.strict = True
    runtime.telemetry.attach_many(
        "test",
        [SERVICE_READINESS_CHANGED, SERVICE_WAIT_EXPIRED],
        lambda event, numbers, facts: seen.append((facts["service"], facts.get("ready"))),
    )
    await board()
    await ReadinessBoard.ready("board", "api")
    await ReadinessBoard.ready("board", "db")
    await ReadinessBoard.not_ready("board", "db", "disk")
    with pytest.raises(NotReadyError):
        await ReadinessBoard.wait_ready("board", "web", timeout=1.0)

    assert seen == [("db", True), ("api", True), ("db", False), ("api", False), ("web", None)]


async def test_an_unknown_message_does_not_hurt(runtime, caplog):
    pid = await board()
    st.send(pid, "hello")
    await turn(1)

    assert pid.is_alive()
