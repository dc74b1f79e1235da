"""A runtime for scripts that are not async."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

import suptree as st
from suptree.core import KernelBody


class Counter(st.GenServer):
    """Counts."""

    def __init__(self, start: int = 0) -> None:
        self.count = start
        self.seen: list[object] = []

    @st.call
    def increment(self, by: int = 1) -> int:
        self.count += by
        return self.count

    @st.call
    async def never(self) -> None:
        await asyncio.sleep(3600)

    @st.cast
    def reset(self) -> None:
        self.count = 0

    @st.call
    def where(self) -> tuple[int, list[object]]:
        return threading.get_ident(), self.seen

    def handle_info(self, message: object) -> None:
        self.seen.append(message)


def test_blocking_runtime_serves_a_script():
    with st.BlockingRuntime() as rt:
        pid = rt.start(Counter, 5)

        assert rt.call(Counter.increment, pid, by=2) == 7
        rt.cast(Counter.reset, pid)
        assert rt.call(Counter.increment, pid) == 1
        assert rt.whereis("nobody") is None

    assert not [one for one in threading.enumerate() if "Blocking" in one.name]
    with pytest.raises(st.RuntimeClosedError):
        rt.call(Counter.increment, pid)


def test_blocking_runtime_stops_everything_in_order_when_it_is_left():
    said = []

    class Server(Counter):
        trap_exit = True

        def terminate(self, reason: object) -> None:
            said.append(reason)

    with st.BlockingRuntime() as rt:
        rt.start(Server)

    assert said == [st.SHUTDOWN]


def test_blocking_runtime_gives_start_errors_and_goes_on():
    class Broken(Counter):
        def init(self) -> object:
            return st.Stop("no luck")

    with st.BlockingRuntime() as rt:
        with pytest.raises(st.StartError) as caught:
            rt.start(Broken)
        assert caught.value.reason == "no luck"
        assert rt.call(Counter.increment, rt.start(Counter)) == 1


def test_blocking_runtime_raises_why_it_stopped():
    class GivesUp(KernelBody):
        kind = "supervisor"
        gave_up = True

        async def main(self) -> object:
            self.started()
            return "too many restarts"

    async def start() -> None:
        runtime = st.current().runtime
        await runtime.start_process(GivesUp(), parent=runtime.root)

    async def hang() -> None:
        await asyncio.sleep(3600)

    with pytest.raises(st.RuntimeStoppedError) as caught:
        with st.BlockingRuntime() as rt:
            rt.run(start)
            rt.run(hang)

    assert caught.value.reason == "too many restarts"


def test_blocking_runtime_keeps_the_error_of_the_block():
    with pytest.raises(ValueError, match="mine"):
        with st.BlockingRuntime():
            raise ValueError("mine")


def test_blocking_runtime_reports_a_loop_that_cannot_be_made():
    def broken() -> asyncio.AbstractEventLoop:
        raise OSError("no loop")

    with pytest.raises(OSError, match="no loop"):
        with st.BlockingRuntime(loop_factory=broken):
            pass


def test_blocking_runtime_is_opened_once():
    rt = st.BlockingRuntime()
    with pytest.raises(st.RuntimeClosedError, match="not open yet"):
        rt.send("worker", 1)
    with rt:
        pass
    with pytest.raises(st.UsageError, match="opened before"):
        rt.__enter__()


def test_many_threads_share_one_blocking_runtime():
    with st.BlockingRuntime() as rt:
        pid = rt.start(Counter)
        threads = [
            threading.Thread(target=lambda: [rt.call(Counter.increment, pid) for _ in range(20)])
            for _ in range(8)
        ]
        for one in threads:
            one.start()
        deadline = time.monotonic() + 30
        for one in threads:
            one.join(max(0, deadline - time.monotonic()))

        assert rt.call(Counter.increment, pid, by=0) == 160


def test_blocking_runtime_starts_applications():
    class Shop(st.Application):
        def children(self) -> list[st.ChildSpec]:
            return [st.child(Counter, 5).with_(name="counter")]

    with st.BlockingRuntime() as rt:
        rt.start_application(Shop)

        assert rt.call(Counter.increment, "counter") == 6
