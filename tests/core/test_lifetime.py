"""Laws 6, 7 and 12: guests, bare tasks, and the end of a runtime."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging

import pytest

import suptree as st
from suptree.core import KernelBody
from suptree.testing import turn, wait_down, wait_until


async def wait_for_ever() -> None:
    await st.receive(lambda message: False)


class GivesUp(KernelBody):
    """A supervisor that is past its intensity as soon as it is told so."""

    kind = "supervisor"
    gave_up = False

    async def main(self) -> object:
        self.started()
        await self.receive()
        self.gave_up = True
        return st.SHUTDOWN


class Echo(st.GenServer):
    """Answers at once, later, or with who it was called by."""

    @st.call
    def echo(self, value: object) -> object:
        return value

    @st.call
    async def echo_later(self, value: object) -> object:
        await asyncio.sleep(1)
        return value


# -- law 6: guests ------------------------------------------------------------------------


async def test_law6_the_body_of_a_runtime_is_a_process_that_traps_exits(runtime):
    me = st.current()
    assert me.is_alive()

    st.send(me, "hello")
    st.exit(me, "reason")

    assert await st.receive() == "hello"
    assert await st.receive() == st.Exit(me, "reason")


async def test_law6_another_task_becomes_a_guest_for_the_length_of_a_block(runtime):
    worker = runtime.spawn(wait_for_ever)

    async def request() -> object:
        with pytest.raises(st.NotInProcessError):
            st.monitor(worker)
        async with runtime.guest("request") as pid:
            assert st.current() is pid
            ref = st.monitor(worker)
            st.send_after(0.5, "tick")
            assert await st.receive() == "tick"
            st.exit(worker, "gone")
            assert await st.receive() == st.Down(ref, worker, "gone")
        with pytest.raises(st.NotInProcessError):
            st.current()
        return pid

    pid = await contextvars.Context().run(asyncio.ensure_future, request())

    assert not pid.is_alive()


async def test_law6_a_guest_ends_normal_and_a_failing_one_with_its_error(runtime):
    me = st.current()

    async def one(error: Exception | None) -> None:
        async with runtime.guest() as pid:
            st.send(me, pid)
            await asyncio.sleep(1)
            if error is not None:
                raise error

    for error in (None, ValueError("mine")):
        task = asyncio.create_task(one(error))
        pid = await st.receive()
        st.monitor(pid)
        down = await st.receive(st.Down)
        if error is None:
            await task
            assert down.reason is st.NORMAL
        else:
            with pytest.raises(ValueError, match="mine"):
                await task
            assert down.reason.text == "mine"


async def test_law6_a_killed_guest_is_cancelled_and_its_block_says_why(runtime):
    me = st.current()

    async def request() -> None:
        async with runtime.guest("request") as pid:
            st.send(me, pid)
            await asyncio.sleep(3600)

    task = asyncio.create_task(request())
    pid = await st.receive()
    st.monitor(pid)
    st.exit(pid, st.KILL)

    assert not pid.is_alive()
    with pytest.raises(st.RuntimeStoppedError, match="'request', which was killed") as caught:
        await task
    assert caught.value.reason is st.KILLED
    assert (await st.receive(st.Down)).reason is st.KILLED
    assert task.cancelling() == 0


async def test_law6_a_killed_main_process_ends_the_block_with_runtime_stopped_error(
    runtime_options,
):
    with pytest.raises(st.RuntimeStoppedError, match="'main', which was killed"):
        async with st.Runtime(**runtime_options) as rt:
            rt.spawn(st.exit, rt.root.pid, st.KILL)
            await asyncio.sleep(3600)

    assert asyncio.current_task().cancelling() == 0


async def test_law6_a_tree_that_gives_up_cancels_the_body_and_the_block_raises(runtime_options):
    with pytest.raises(st.RuntimeStoppedError, match="which gave up") as caught:
        async with st.Runtime(**runtime_options) as rt:
            tree = await rt.start_process(GivesUp(), parent=rt.root, label="tree")
            st.send(tree, "give up")
            await asyncio.sleep(3600)

    assert caught.value.reason is st.SHUTDOWN
    assert asyncio.current_task().cancelling() == 0


async def _cleans_up(notes: list[object]) -> None:
    """Is told to end, not by a kill, and takes its time."""
    st.trap_exit(False)
    try:
        await asyncio.sleep(1000.0)
    finally:
        notes.append("cancelled")
        await asyncio.sleep(1.5)  # a kill has one second
        notes.append("clean")


@pytest.mark.parametrize("root", [True, False])
async def test_law6_a_kill_of_a_guest_that_ends_already_leaves_the_task_of_the_host_alone(
    runtime, runtime_options, root
):
    notes: list[object] = []

    async def host() -> None:
        block = st.Runtime(**runtime_options) if root else runtime.guest("request")
        with pytest.raises(st.RuntimeStoppedError) as stopped:
            async with block:
                pids.append(st.current())
                await _cleans_up(notes)
        notes.append(stopped.value.reason)

    pids: list[st.Pid[object]] = []
    task = asyncio.ensure_future(host())
    await wait_until(lambda: bool(pids))
    of = pids[0].runtime
    of.exit(pids[0], "over", None)
    await turn()
    of.exit(pids[0], st.KILL, None)

    await task

    assert notes == ["cancelled", "clean", "over"]
    assert task.cancelling() == 0


async def test_law6_a_tree_that_a_guest_started_cancels_that_guest_alone(runtime):
    async def request() -> None:
        async with runtime.guest("request") as pid:
            tree = await runtime.start_process(GivesUp(), parent=pid._process, label="tree")
            st.send(tree, "give up")
            await asyncio.sleep(3600)

    with pytest.raises(st.RuntimeStoppedError):
        await asyncio.create_task(request())

    assert st.current().is_alive()


async def test_law6_a_tree_that_is_told_to_stop_does_not_end_the_body(runtime):
    tree = await runtime.start_process(GivesUp(), parent=runtime.root, label="tree")
    st.exit(tree, st.KILL)

    assert await st.receive() == st.Exit(tree, st.KILLED)


async def test_law6_a_body_that_swallows_our_cancel_still_raises_at_its_end(runtime_options):
    with pytest.raises(st.RuntimeStoppedError):
        async with st.Runtime(**runtime_options) as rt:
            rt.stop("enough")
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)

    assert asyncio.current_task().cancelling() == 0
    await asyncio.sleep(0)


async def test_law6_stop_at_the_very_end_of_the_body_leaves_no_cancel_behind(runtime_options):
    said = []

    class Server(st.GenServer):
        trap_exit = True

        async def terminate(self, reason: object) -> None:
            await asyncio.sleep(1)
            said.append(reason)

    with pytest.raises(st.RuntimeStoppedError):
        async with st.Runtime(**runtime_options) as rt:
            await Server.start_link()
            rt.stop("enough")

    assert said == [st.SHUTDOWN]
    await asyncio.sleep(0)


async def test_law6_a_cancel_of_the_host_at_the_same_time_goes_first(runtime_options):
    async def host() -> None:
        async with st.Runtime(**runtime_options) as rt:
            rt.stop("enough")
            asyncio.current_task().cancel()
            await asyncio.sleep(3600)

    task = asyncio.create_task(host())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_law6_an_error_of_the_body_is_not_hidden(runtime_options):
    with pytest.raises(ValueError, match="mine"):
        async with st.Runtime(**runtime_options) as rt:
            rt.stop("enough")
            raise ValueError("mine")


async def test_law6_a_timeout_around_a_runtime_works(runtime_options):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            async with st.Runtime(**runtime_options) as rt:
                rt.spawn(wait_for_ever)
                await asyncio.sleep(3600)


async def test_law6_runtimes_nest_and_the_outer_one_is_current_again_after(runtime_options):
    async with st.Runtime(name="outer", **runtime_options) as outer:
        me = st.current()
        async with st.Runtime(name="inner", **runtime_options) as inner:
            assert st.current().runtime is inner
            pid = await Echo.start_link()
            assert await Echo.echo_later(pid, 1) == 1
        assert st.current() is me
        assert outer.processes.keys() == {me.id}


async def test_law6_tasks_without_the_context_call_servers_as_in_a_web_framework(runtime_options):
    ready, stop = asyncio.Event(), asyncio.Event()

    async def lifespan() -> None:  # FastAPI runs it in a task of its own
        async with st.Runtime(**runtime_options):
            await st.child(Echo).with_(name="echo").start_link()
            ready.set()
            await stop.wait()

    async def request(value: int) -> object:
        return await Echo.echo_later("echo", value)

    server = contextvars.Context().run(asyncio.ensure_future, lifespan())
    await ready.wait()
    requests = [contextvars.Context().run(asyncio.ensure_future, request(i)) for i in range(3)]

    assert await asyncio.gather(*requests) == [0, 1, 2]
    stop.set()
    await server


async def test_law6_a_guest_may_be_left_in_another_context_than_it_was_entered(runtime):
    block = runtime.guest("dependency")
    await contextvars.copy_context().run(asyncio.ensure_future, enter(block))
    await contextvars.copy_context().run(asyncio.ensure_future, leave(block))

    assert [pid for pid in runtime.alive() if pid is not st.current()] == []


async def enter(block) -> None:
    await block.__aenter__()


async def leave(block) -> None:
    await block.__aexit__(None, None, None)


async def test_law6_a_guest_that_waits_when_the_runtime_closes_is_told(runtime_options):
    entered: list[st.Pid[object]] = []

    async def request(rt: st.Runtime) -> None:
        async with rt.guest() as pid:
            entered.append(pid)
            await st.receive()

    async with st.Runtime(**runtime_options) as rt:
        task = asyncio.create_task(request(rt))
        await wait_until(lambda: entered and rt.info(entered[0]).state == "receiving")

    with pytest.raises(st.ProcessDeadError):
        await task


# -- law 7: bare tasks -------------------------------------------------------------------------


async def test_law7_a_bare_task_may_call_and_send_but_is_not_the_process(runtime):
    class Server(st.GenServer):
        @st.call
        async def with_bare_task(self, echo: st.Pid[Echo]) -> list[str]:
            refused: list[str] = []

            async def bare() -> None:
                assert await Echo.echo(echo, 1) == 1
                st.send(echo, "hello")
                for name, ask in {
                    "link": lambda: st.link(echo),
                    "monitor": lambda: st.monitor(echo),
                    "trap_exit": lambda: st.trap_exit(),
                    "register": lambda: st.register("bare"),
                    "send_after": lambda: st.send_after(1, None),
                }.items():
                    with pytest.raises(st.NotInProcessError, match="beside"):
                        ask()
                    refused.append(name)
                with pytest.raises(st.NotInProcessError, match="beside"):
                    await st.receive()

            await asyncio.create_task(bare())
            return refused

    class Quiet(Echo):
        def handle_info(self, message: object) -> None:
            pass

    echo = await Quiet.start()
    pid = await Server.start()

    assert len(await Server.with_bare_task(pid, echo)) == 5


async def test_law7_an_owned_task_is_cancelled_with_its_process_and_its_error_is_a_signal(runtime):
    begun = asyncio.Event()
    ended = []

    async def work(error: Exception | None) -> None:
        begun.set()
        try:
            await asyncio.sleep(3600 if error is None else 1)
            assert error is not None
            raise error
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    class Owner(st.GenServer):
        def __init__(self, error: Exception | None) -> None:
            self.start_task(work(error))

    pid = await Owner.start(None)
    await begun.wait()
    st.exit(pid, "gone")
    await wait_until(lambda: ended)
    assert ended == ["cancelled"]

    pid = await Owner.start(ValueError("inside"))
    assert (await wait_down(pid)).text == "inside"


# -- the end of a runtime -------------------------------------------------------------------------


async def test_leaving_the_block_stops_everything_in_order_newest_first(runtime_options):
    said = []

    class Server(st.GenServer):
        trap_exit = True

        def __init__(self, name: str) -> None:
            self.name = name

        def terminate(self, reason: object) -> None:
            said.append((self.name, reason))

    async with st.Runtime(**runtime_options) as rt:
        for name in ("first", "second", "third"):
            await Server.start(name)
        rt.spawn(wait_for_ever)

    assert said == [("third", st.SHUTDOWN), ("second", st.SHUTDOWN), ("first", st.SHUTDOWN)]
    assert rt.processes == {}
    assert rt.closed


async def test_what_is_still_there_after_the_stop_timeout_is_killed_and_named(runtime_options):
    class Slow(st.GenServer):
        trap_exit = True

        async def terminate(self, reason: object) -> None:
            await asyncio.sleep(3600)

    loop = asyncio.get_running_loop()
    start = loop.time()
    async with st.Runtime(stop_timeout=2.0, **runtime_options) as rt:
        pid = await Slow.start()

    assert loop.time() - start == pytest.approx(2.0, abs=0.1)
    assert pid in rt.overdue


async def test_a_second_cancel_while_stopping_kills_at_once_and_leaves_nothing(runtime_options):
    killed = []

    class Slow(st.GenServer):
        trap_exit = True

        async def terminate(self, reason: object) -> None:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                killed.append(reason)
                raise

    opened = []

    async def host() -> None:
        async with st.Runtime(stop_timeout=1000.0, **runtime_options) as rt:
            opened.append(rt)
            await Slow.start()

    loop = asyncio.get_running_loop()
    start = loop.time()
    task = asyncio.create_task(host())
    loop.call_later(5, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task

    assert loop.time() - start == pytest.approx(5.0, abs=0.1)
    assert killed == [st.SHUTDOWN]
    assert opened[0].processes == {}


async def test_a_failing_step_of_the_stop_is_logged_and_the_others_go_on(runtime_options, caplog):
    done = []

    async def good() -> None:
        done.append("good")

    async def bad() -> None:
        raise ValueError("cannot stop")

    with caplog.at_level(logging.ERROR, logger="suptree"):
        async with st.Runtime(**runtime_options) as rt:
            rt.close_hooks += [good, bad]

    assert done == ["good"]
    assert "cannot stop" in caplog.text


async def test_nothing_starts_in_a_closed_runtime(runtime_options):
    async with st.Runtime(**runtime_options) as rt:
        pid = rt.root.pid
    with pytest.raises(st.RuntimeClosedError):
        rt.spawn(wait_for_ever)
    with pytest.raises(st.RuntimeClosedError):
        rt.send(pid, 1)
    with pytest.raises(st.UsageError, match="opened before"):
        await rt.__aenter__()


def test_host_cancellation_restarts_nothing_and_leaves_nothing():
    """`asyncio.run` cancels every task when main is over; naive supervisors restart then."""
    seen = []
    opened = []

    async def host(ready: asyncio.Event) -> None:
        async with st.Runtime() as rt:
            opened.append(rt)
            echo = await Echo.start_link()
            waiting = rt.spawn(wait_for_ever)
            asyncio.create_task(Echo.echo_later(echo, 1))
            await wait_until(lambda: rt.info(waiting).state == "receiving" and rt.info(echo).stack)
            rt.telemetry.attach(
                "test", "suptree.process.*", lambda event, _n, _f: seen.append(event.name)
            )
            ready.set()
            await asyncio.sleep(3600)

    async def main() -> None:
        ready = asyncio.Event()
        task = asyncio.create_task(host(ready))
        await ready.wait()
        assert not task.done()

    asyncio.run(main())

    assert seen
    assert set(seen) == {"suptree.process.exited"}
    assert opened[0].processes == {}


def test_a_runtime_whose_task_is_over_counts_cancels_as_the_end_of_the_host():
    seen = []
    outliving = asyncio.Event()

    async def main() -> None:
        rt = st.Runtime()
        await asyncio.create_task(rt.__aenter__())  # a notebook cell: its task ends at once
        rt.telemetry.attach("test", "suptree.process.crashed", lambda *event: seen.append(event))
        waiting = rt.spawn(wait_for_ever)
        await wait_until(lambda: rt.info(waiting).state == "receiving")
        asyncio.create_task(outlive(rt))
        await outliving.wait()

    async def outlive(rt: st.Runtime) -> None:
        outliving.set()
        try:
            await asyncio.sleep(3600)
        finally:
            await rt.__aexit__(None, None, None)

    asyncio.run(main())

    assert seen == []


async def test_what_the_host_starts_while_the_runtime_closes_does_not_outlive_it():
    ended: list[int] = []

    async def work(number: int) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(number)

    async def spawn_until_closed(runtime: st.Runtime) -> int:
        count = 0
        while True:
            try:
                runtime.spawn(work, count)
            except st.RuntimeClosedError:
                return count
            count += 1
            await asyncio.sleep(0)

    async with st.Runtime() as runtime:
        spawning = asyncio.create_task(spawn_until_closed(runtime))
        await wait_until(lambda: len(runtime.alive()) > 1)
    await spawning
    await turn(2)

    assert not runtime.processes
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
