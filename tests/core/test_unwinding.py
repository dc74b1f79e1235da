"""Law 3: death.  The kill ladder, what the dead still ask for, F11."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import weakref

import pytest

import suptree as st
from suptree.testing import turn, wait_down, wait_until

pytestmark = pytest.mark.suptree_loop("virtual")  # exact times


async def swallow_cancel() -> None:
    """A loop that swallows CancelledError: `close()` ends it."""
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue


async def swallow_everything(stop: asyncio.Event) -> None:
    """Code that nothing ends: it awaits while it is being closed."""
    while not stop.is_set():
        try:
            await stop.wait()
        except BaseException:
            continue


async def wait_for_ever() -> None:
    await st.receive(lambda message: False)


async def test_law3_a_killed_process_that_swallows_cancel_is_closed_after_a_second(runtime):
    pid = runtime.spawn(swallow_cancel)
    await turn()
    start = runtime.now()
    st.exit(pid, st.KILL)
    assert not pid.is_alive()

    assert await wait_down(pid) is st.KILLED
    assert runtime.now() - start == pytest.approx(1.0)
    assert runtime.abandoned == []


async def test_law3_another_exit_has_five_seconds_and_then_becomes_a_kill(runtime):
    pid = runtime.spawn(swallow_cancel)
    await turn()
    start = runtime.now()
    st.exit(pid, "please")

    assert await wait_down(pid, timeout=10) is st.KILLED
    assert runtime.now() - start == pytest.approx(6.0)


async def test_law3_a_kill_during_another_exit_shortens_the_grace(runtime):
    pid = runtime.spawn(swallow_cancel)
    await turn()
    start = runtime.now()
    st.exit(pid, "please")
    st.exit(pid, st.KILL)

    assert await wait_down(pid) is st.KILLED
    assert runtime.now() - start == pytest.approx(1.0)


async def test_law3_dead_comes_when_the_frames_have_unwound(runtime):
    order = []

    async def tidy() -> None:
        try:
            await wait_for_ever()
        finally:
            await asyncio.sleep(0.5)
            order.append("tidied")

    pid = runtime.spawn(tidy)
    await turn()
    st.exit(pid, "gone")
    assert await wait_down(pid) == "gone"
    order.append("down")

    assert order == ["tidied", "down"]


async def test_law3_an_error_while_unwinding_does_not_change_the_reason(runtime):
    async def clumsy() -> None:
        try:
            await wait_for_ever()
        finally:
            raise ValueError("while cleaning up")

    pid = runtime.spawn(clumsy)
    await turn()
    down = runtime.down_slot(pid)
    st.exit(pid, "gone")

    assert await down == "gone"


# What swallows GeneratorExit cannot be destroyed silently: Python itself says so too.
NOISE = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@NOISE
async def test_code_that_nothing_ends_is_abandoned_counted_and_reported_with_its_stack(
    runtime, caplog
):  # F11
    stop = asyncio.Event()
    events = []
    runtime.telemetry.attach(
        "test", "suptree.process.abandoned", lambda _e, numbers, facts: events.append(facts)
    )
    pid = runtime.spawn(swallow_everything, stop)
    await turn()
    st.exit(pid, st.KILL)

    with caplog.at_level(logging.CRITICAL, logger="suptree"):
        assert await wait_down(pid) is st.KILLED

    assert [one for one, _ in runtime.abandoned] == [pid]
    assert "swallow_everything" in runtime.abandoned[0][1]
    assert "is abandoned" in caplog.text
    assert "swallow_everything" in caplog.text
    assert [facts["pid"] for facts in events] == [pid]


@NOISE
@pytest.mark.suptree_loop("asyncio")
async def test_shutdown_meets_its_deadline_although_code_cannot_be_ended():  # F11
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with st.Runtime(stop_timeout=0.1) as rt:
        pids = [rt.spawn(swallow_everything, stop), rt.spawn(swallow_cancel)]
        await wait_until(lambda: all(rt.info(pid).stack for pid in pids))  # they have begun

    assert loop.time() - start < 0.1 + 3.0 + 0.5
    assert len(rt.abandoned) == 1


async def test_a_runtime_that_is_out_of_time_is_closed_within_a_second(runtime_options):  # F52
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with st.Runtime(stop_timeout=2.0, **runtime_options) as rt:
        pids = [rt.spawn(swallow_cancel) for _ in range(5)]
        await wait_until(lambda: all(rt.info(pid).stack for pid in pids))  # they have begun

    assert loop.time() - began == pytest.approx(2.75)
    assert rt.abandoned == []


async def test_law3_what_the_frames_of_a_dead_process_ask_for_is_refused(runtime):
    root = st.current()
    asks = {
        "spawn": lambda: st.spawn(wait_for_ever),
        "spawn_link": lambda: st.spawn_link(wait_for_ever),
        "link": lambda: st.link(root),
        "monitor": lambda: st.monitor(root),
        "register": lambda: st.register("zombie"),
        "send_after": lambda: st.send_after(1, "late"),
        "trap_exit": lambda: st.trap_exit(),
        "own": lambda: st.own(1, print),
    }
    refused = []

    async def zombie() -> None:
        try:
            await wait_for_ever()
        finally:
            for name, ask in asks.items():
                with pytest.raises(st.ProcessDeadError, match="has ended"):
                    ask()
                refused.append(name)
            with pytest.raises(st.ProcessDeadError):
                await st.receive()
            refused.append("receive")

    pid = runtime.spawn(zombie)
    await turn()
    st.exit(pid, st.KILL)
    await wait_down(pid)

    assert refused == [*asks, "receive"]


async def test_a_process_killed_before_its_first_step_ends_at_once(runtime):
    ran = []
    pid = runtime.spawn(ran.append, 1)
    st.exit(pid, st.KILL)

    assert await wait_down(pid) is st.NOPROC
    await turn()
    assert ran == []


async def test_a_server_killed_in_an_async_handler_answers_its_callers(runtime):
    class Server(st.GenServer):
        @st.call
        async def slow(self) -> None:
            await asyncio.sleep(3600)

        @st.call
        def quick(self) -> int:
            return 1

    pid = await Server.start()
    first = asyncio.create_task(Server.slow(pid))
    second = asyncio.create_task(Server.quick(pid))
    await turn()
    st.exit(pid, st.KILL)

    for one in (first, second):
        with pytest.raises(st.ServerExitError) as caught:
            await one
        assert caught.value.reason is st.KILLED


async def test_a_generator_in_a_handler_that_yields_while_closed_does_not_stop_the_others(runtime):
    class Server(st.GenServer):
        @st.cast
        async def stuck(self) -> None:
            while True:
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    continue

    pids = [await Server.start() for _ in range(5)]
    for pid in pids:
        Server.stuck(pid)
    await turn()
    for pid in pids:
        st.exit(pid, st.KILL)
    downs = [runtime.down_slot(pid) for pid in pids]

    assert [await down for down in downs] == [st.KILLED] * 5


@pytest.mark.parametrize("answer", ["stop", "nothing"])
async def test_law3_the_caller_of_a_handler_that_outlived_its_kill_is_answered(runtime, answer):
    """The handler swallows the cancel and ends by itself, without a reply."""

    class Survivor(st.GenServer):
        @st.call(timeout=None)
        async def work(self) -> object:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)
            return st.Stop("mine") if answer == "stop" else st.NoReply()

    pid = await Survivor.start()
    asking = Survivor.work.send_request(pid)
    await turn()
    st.exit(pid, st.KILL)

    with pytest.raises(st.ServerExitError) as caught:
        await asking.response(60)
    assert caught.value.reason is st.KILLED


@pytest.mark.parametrize("how", ["returns", "is killed", "is killed before its first step"])
async def test_a_dead_plain_process_goes_without_the_garbage_collector(runtime, how):
    async def work() -> None:
        if how != "returns":
            await st.receive()

    pid = runtime.spawn(work)
    context = weakref.ref(pid._process.context)  # which everything else of it hangs on
    gc.disable()
    try:
        if how == "is killed":
            await turn()
        if how != "returns":
            st.exit(pid, st.KILL)
        await wait_down(pid)
        await turn(3)
        gone = context() is None
    finally:
        gc.enable()

    assert gone
