"""Law 11: what async handlers may use, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import httpx
import pytest

import suptree as st
from suptree.testing import wait_down, wait_until

VIRTUAL = pytest.mark.suptree_loop("virtual")  # waits, or exact times


class Worker(st.GenServer):
    """Runs what it is given, in a call, a cast, an info or a continue."""

    trap_exit = False

    def __init__(self, story: list[object]) -> None:
        self.story = story

    @st.call(timeout=60)
    async def run(self, work: Any) -> Any:
        return await work()

    async def handle_info(self, message: Any) -> None:
        self.story.append(await message())

    @st.call
    def ping(self) -> str:
        return "pong"


async def nothing() -> None:
    """A handler that waits for nothing."""


@pytest.fixture(params=["its first handler", "a later one"])
def ready(request: Any) -> Callable[[Coroutine[Any, Any, st.Pid[Any]]], Any]:
    """Awaits the start of a Worker; the handlers of a later one are stepped in its kept task's name."""

    async def started(starting: Coroutine[Any, Any, st.Pid[Any]]) -> st.Pid[Any]:
        pid = await starting
        if request.param == "a later one":
            await Worker.run(pid, nothing)
        return pid

    return started


async def handling(pid: st.Pid[Any]) -> None:
    """Wait until an async handler of it is suspended."""
    await wait_until(lambda: pid.runtime.info(pid).stack)


async def timeout_inside() -> str:
    try:
        async with asyncio.timeout(0.02):
            await asyncio.sleep(10)
    except TimeoutError:
        return "timed out"
    return "slept"


async def task_group() -> list[int]:
    async def one(n: int) -> int:
        await asyncio.sleep(n / 50)
        return n

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(n)) for n in range(3)]
    return [task.result() for task in tasks]


async def task_group_that_fails() -> str:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("one of them")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(asyncio.sleep(100))
    except ExceptionGroup as errors:
        return repr(errors.exceptions)
    return "no error"


async def nested_timeouts() -> list[str]:
    seen: list[str] = []
    try:
        async with asyncio.timeout(0.1):
            try:
                async with asyncio.timeout(0.02):
                    await asyncio.sleep(100)
            except TimeoutError:
                seen.append("inner")
            await asyncio.sleep(100)
    except TimeoutError:
        seen.append("outer")
    return seen


async def anyio_scopes() -> list[object]:
    seen: list[object] = []
    with anyio.move_on_after(0.02) as scope:
        await anyio.sleep(100)
    seen.append(scope.cancelled_caught)
    with pytest.raises(TimeoutError):
        with anyio.fail_after(0.02):
            await anyio.sleep(100)
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 100)
        group.cancel_scope.cancel()
    seen.append("group ended")
    with anyio.CancelScope(shield=True):
        await anyio.sleep(0.02)
    return seen


async def anyio_task_group_that_fails() -> str:
    async def fail() -> None:
        raise ValueError("one of them")

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(fail)
            group.start_soon(anyio.sleep, 100)
    except ExceptionGroup as errors:
        return repr(errors.exceptions)
    return "no error"


async def queues_and_locks() -> list[object]:
    queue: asyncio.Queue[int] = asyncio.Queue()
    lock = asyncio.Lock()
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.call_later(0.02, queue.put_nowait, 7)
    loop.call_later(0.04, event.set)
    async with lock:
        got = await queue.get()
    await event.wait()
    return [got, asyncio.current_task() is not None]


WORK = [
    (timeout_inside, "timed out"),
    (task_group, [0, 1, 2]),
    (task_group_that_fails, "(ValueError('one of them'),)"),
    (nested_timeouts, ["inner", "outer"]),
    (anyio_scopes, [True, "group ended"]),
    (anyio_task_group_that_fails, "(ValueError('one of them'),)"),
    (queues_and_locks, [7, True]),
]


@pytest.mark.parametrize(("work", "result"), WORK, ids=lambda value: getattr(value, "__name__", ""))
async def test_async_tools_behave_as_documented_inside_handlers(runtime, ready, work, result):
    story: list[object] = []
    pid = await ready(Worker.start_link(story))

    first = await Worker.run(pid, work)
    st.send(pid, work)
    second = await Worker.run(pid, work)

    if (
        work is anyio_scopes
    ):  # whether a scope that was cancelled in time caught it is anyio's affair
        first, second = first[:1], second[:1]
        assert story[0][0] is True  # type: ignore[index]
        assert first == second == [True]
    else:
        assert first == second == result
        assert story == [result]
    assert await Worker.ping(pid) == "pong"


@pytest.mark.suptree_loop("real")
async def test_httpx_works_inside_handlers(runtime, ready):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]

        async def fetch() -> str:
            async with httpx.AsyncClient(trust_env=False) as client:
                return (await client.get(f"http://127.0.0.1:{port}/")).text

        async def fetch_many() -> list[str]:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(fetch()) for _ in range(3)]
            return [task.result() for task in tasks]

        pid = await ready(Worker.start_link([]))

        assert await Worker.run(pid, fetch) == "hello"
        assert await Worker.run(pid, fetch_many) == ["hello"] * 3


@pytest.mark.suptree_loop("real")
async def test_an_httpx_timeout_inside_a_handler_is_the_handlers_to_catch(runtime, ready):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the client goes away
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]

        async def fetch() -> str:
            async with httpx.AsyncClient(trust_env=False, timeout=0.05) as client:
                try:
                    return (await client.get(f"http://127.0.0.1:{port}/")).text
                except httpx.TimeoutException as error:
                    return type(error).__name__

        pid = await ready(Worker.start_link([]))

        assert await Worker.run(pid, fetch) == "ReadTimeout"
        assert await Worker.ping(pid) == "pong"


# -- how async handlers end ---------------------------------------------------------------------


@VIRTUAL
@pytest.mark.parametrize(
    "escape", [lambda: asyncio.timeout(1), lambda: anyio.fail_after(1)], ids=["asyncio", "anyio"]
)
async def test_a_timeout_that_escapes_is_a_crash_of_that_server(runtime, ready, escape):
    async def work() -> None:
        scope = escape()
        if hasattr(scope, "__aenter__"):
            async with scope:
                await asyncio.sleep(100)
        else:
            with scope:
                await asyncio.sleep(100)

    pid = await ready(Worker.start([]))

    with pytest.raises(st.ServerExitError) as caught:
        await Worker.run(pid, work)

    assert caught.value.reason.type == "TimeoutError"


@VIRTUAL
async def test_messages_wait_while_an_async_handler_is_suspended(runtime, ready):
    story: list[object] = []

    async def work() -> str:
        await asyncio.sleep(2)
        story.append("first")
        return "first"

    async def second() -> str:
        return "second"

    pid = await ready(Worker.start_link(story))
    st.send(pid, work)
    st.send(pid, second)
    begun = runtime.now()

    assert await Worker.ping(pid) == "pong"
    assert runtime.now() - begun == 2
    assert story == ["first", "first", "second"]


@VIRTUAL
@pytest.mark.parametrize("signal", ["gone", st.KILL])
async def test_a_signal_unwinds_a_suspended_handler_before_anyone_is_told(runtime, ready, signal):
    story: list[object] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            story.append("unwound")

    pid = await ready(Worker.start(story))
    st.send(pid, work)
    await handling(pid)
    down = runtime.down_slot(pid)
    st.exit(pid, signal)
    assert not pid.is_alive()
    story.append(await down)

    assert story == ["unwound", st.KILLED if signal is st.KILL else "gone"]


@VIRTUAL
async def test_a_trapping_server_handles_the_exit_after_its_async_handler(runtime, ready):
    story: list[object] = []
    may_finish = asyncio.Event()

    class Trapping(Worker):
        trap_exit = True

        def terminate(self, reason: object) -> None:
            self.story.append(reason)

    async def work() -> str:
        await may_finish.wait()
        return "finished"

    pid = await ready(Trapping.start_link(story))
    st.send(pid, work)
    await handling(pid)
    st.exit(pid, st.SHUTDOWN)
    may_finish.set()

    assert await wait_down(pid, timeout=10) is st.SHUTDOWN
    assert story == ["finished", st.SHUTDOWN]


@VIRTUAL
async def test_a_handler_that_cancels_its_own_task_and_recovers_harms_nothing(runtime, ready):
    async def work() -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            return "caught"
        return "slept"

    pid = await ready(Worker.start_link([]))

    assert await Worker.run(pid, work) == "caught"
    assert await Worker.run(pid, task_group) == [0, 1, 2]
    assert await Worker.run(pid, task_group_that_fails) == "(ValueError('one of them'),)"


@VIRTUAL
async def test_an_async_handler_may_call_other_servers_and_receive_their_crash(runtime, ready):
    class Broken(st.GenServer):
        @st.call
        async def ask(self) -> None:
            await asyncio.sleep(1)
            raise ValueError("broken")

    broken = await Broken.start()

    async def work() -> str:
        try:
            await Broken.ask(broken)
        except st.ServerExitError as error:
            return f"survived {error.reason!r}"
        return "no crash"

    pid = await ready(Worker.start_link([]))

    assert await Worker.run(pid, work) == "survived Crashed(ValueError: broken)"


@VIRTUAL
async def test_an_async_generator_in_a_handler_is_closed_with_it(runtime, ready):
    story: list[object] = []

    async def numbers() -> Any:
        try:
            for n in range(100):
                yield n
                await asyncio.sleep(1)
        finally:
            story.append("closed")

    async def work() -> None:
        async for _ in numbers():
            pass

    pid = await ready(Worker.start(story))
    st.send(pid, work)
    await asyncio.sleep(2.5)
    st.exit(pid, "gone")
    await wait_down(pid)

    assert story == ["closed"]
