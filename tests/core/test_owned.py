"""Owned resources are closed in every kind of death."""

from __future__ import annotations

import asyncio

import pytest

import suptree as st
from suptree.testing import turn, wait_down

pytestmark = pytest.mark.suptree_loop("virtual")  # exact times


async def hold(closed: list[object], *names: str) -> None:
    for name in names:
        st.own(name, closed.append)
    message = await st.receive()
    if isinstance(message, Exception):
        raise message


@pytest.mark.parametrize("how", ["normal", "crash", "exit", "kill"])
async def test_resources_are_closed_newest_first_in_every_kind_of_death(runtime, how):
    closed: list[object] = []
    pid = runtime.spawn(hold, closed, "first", "second")
    await turn()
    down = runtime.down_slot(pid)
    {
        "normal": lambda: st.send(pid, None),
        "crash": lambda: st.send(pid, ValueError()),
        "exit": lambda: st.exit(pid, "gone"),
        "kill": lambda: st.exit(pid, st.KILL),
    }[how]()
    await down

    assert closed == ["second", "first"]


async def test_resources_are_closed_before_monitors_are_told(runtime):
    order: list[object] = []
    pid = runtime.spawn(hold, order, "resource")
    await turn()
    st.monitor(pid)
    st.exit(pid, st.KILL)
    order.append((await st.receive(st.Down)).reason)

    assert order == ["resource", st.KILLED]


async def test_a_close_that_raises_does_not_keep_the_others_open(runtime, caplog):
    closed: list[object] = []

    async def work() -> None:
        st.own("good", closed.append)
        st.own("bad", lambda resource: 1 / 0)
        st.own("worse", lambda resource: st.exit("out of close"))

    assert await wait_down(runtime.spawn(work)) is st.NORMAL
    assert closed == ["good"]
    assert "closing 'bad' failed: Crashed(ZeroDivisionError" in caplog.text


async def test_an_async_close_runs_and_the_runtime_waits_for_it(runtime_options):
    closed = []

    async def close(resource: object) -> None:
        await asyncio.sleep(2)
        closed.append(resource)

    async def work() -> None:
        st.own("connection", close)
        await st.receive()

    async with st.Runtime(**runtime_options) as rt:
        rt.spawn(work)
        await turn()

    assert closed == ["connection"]


async def test_an_async_close_has_five_seconds(runtime, caplog):
    async def close(resource: object) -> None:
        await asyncio.sleep(3600)

    async def work() -> None:
        st.own("stuck", close)

    start = runtime.now()
    await wait_down(runtime.spawn(work))
    await asyncio.gather(*runtime.closers.pending())

    assert runtime.now() - start == pytest.approx(5.0)
    assert "closing 'stuck' failed: TimeoutError" in caplog.text


async def test_a_server_owns_resources_too_and_terminate_comes_first(runtime):
    order = []

    class Server(st.GenServer):
        trap_exit = True

        def init(self) -> None:
            assert self.own("resource", order.append) == "resource"

        def terminate(self, reason: object) -> None:
            order.append("terminate")

    pid = await Server.start()
    await st.GenServer.stop(pid)

    assert order == ["terminate", "resource"]


async def test_resources_of_a_failed_init_are_closed(runtime):
    closed: list[object] = []

    class Server(st.GenServer):
        def init(self) -> object:
            self.own("resource", closed.append)
            return st.Stop("no")

    with pytest.raises(st.StartError):
        await Server.start()
    assert closed == ["resource"]
