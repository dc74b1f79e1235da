"""Law 8: threads.  Every entry point refuses another one; the portal is the way in."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading

import pytest

import suptree as st
from suptree.testing import wait_until


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


async def wait_for_ever() -> None:
    await st.receive(lambda message: False)


# -- refusals ----------------------------------------------------------------------------


async def test_law8_every_entry_point_refuses_another_thread_and_names_the_portal(runtime):
    pid = await Counter.start()
    timer = st.send_after(100, None)
    ref = st.monitor(pid)
    sender = st.ReplyTo(runtime.runqueue, pid._process, None)

    def refused() -> list[str]:
        left = []
        for name, ask in {
            "send": lambda: st.send(pid, 1),
            "cast": lambda: Counter.reset(pid),
            "exit": lambda: st.exit(pid, "gone"),
            "spawn": lambda: runtime.spawn(wait_for_ever),
            "link": lambda: st.link(pid),
            "monitor": lambda: st.monitor(pid),
            "demonitor": lambda: st.demonitor(ref),
            "send_after": lambda: st.send_after(1, None),
            "cancel_timer": lambda: st.cancel_timer(timer),
            "register": lambda: st.register("thread"),
            "reply": lambda: st.reply(sender, 1),
            "own": lambda: st.own(1, print),
            "trap_exit": lambda: st.trap_exit(),
            "stop": lambda: runtime.stop(),
            "is_alive": lambda: st.is_alive(pid),
            "unlink": lambda: st.unlink(pid),
            "whereis": lambda: st.whereis("nobody"),
        }.items():
            try:
                ask()
            except st.WrongThreadError as error:
                if "rt.portal" in str(error):
                    continue
            left.append(name)
        return left

    assert await asyncio.to_thread(refused) == []
    assert pid.is_alive()


async def test_law8_a_direct_call_from_another_thread_is_refused(runtime):
    pid = await Counter.start()

    def call() -> None:
        coroutine = Counter.increment(pid)
        with pytest.raises(st.WrongThreadError):
            coroutine.send(None)

    await asyncio.to_thread(call)

    assert await Counter.increment(pid) == 1


# -- the portal -----------------------------------------------------------------------------


async def test_portal_calls_casts_and_sends_from_another_thread(runtime):
    pid = await st.child(Counter, 5).with_(name="counter").start_link()

    def work() -> list[object]:
        portal = runtime.portal
        results: list[object] = [portal.call(Counter.increment, pid, by=2)]
        portal.send("counter", "hello")
        portal.cast(Counter.reset, "counter")
        results.append(portal.call(Counter.increment, "counter"))
        results.append(portal.call(Counter.where, "counter"))
        return results

    assert await asyncio.to_thread(work) == [7, 1, (threading.get_ident(), ["hello"])]


async def test_portal_runs_functions_as_guests_of_the_runtime(runtime):
    async def ask() -> object:
        st.send(st.current(), "to myself")
        return await st.receive()

    def work() -> list[object]:
        return [
            runtime.portal.run(ask),
            runtime.portal.run(st.whereis, "nobody"),
            runtime.portal.run(threading.get_ident),
        ]

    assert await asyncio.to_thread(work) == ["to myself", None, threading.get_ident()]
    assert runtime.alive() == [st.current()]


async def test_portal_gives_the_errors_of_the_work(runtime):
    def work() -> list[str]:
        said = []
        for client, target in [(Counter.increment, "nobody"), (Counter.never.within(0.01), pid)]:
            try:
                runtime.portal.call(client, target)
            except st.SuptreeError as error:
                said.append(type(error).__name__)
        return said

    pid = await Counter.start()

    assert await asyncio.to_thread(work) == ["NoProcessError", "CallTimeoutError"]


async def test_portal_deadline_cancels_the_work(runtime):
    ended = asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    def work() -> str:
        with pytest.raises(TimeoutError) as caught:
            runtime.portal.within(0.05).run(slow)
        return str(caught.value)

    assert "not done within 0.05 s" in await asyncio.to_thread(work)
    await ended.wait()


async def test_a_deadline_that_finds_the_answer_on_its_way_waits_for_it(runtime):
    class OnItsWay(concurrent.futures.Future[int]):
        looks = 0

        def done(self) -> bool:  # the thread of the loop is between the two steps of an answer
            self.looks += 1
            if self.looks == 3:
                self.set_result(1)
            return super().done()

    future = OnItsWay()
    future.set_running_or_notify_cancel()

    assert runtime.portal.within(0.0)._wait("call", future) == 1


async def test_the_timeout_error_of_the_work_is_the_works_own(runtime):
    async def work() -> None:
        raise TimeoutError("of the work")

    def ask() -> str:
        with pytest.raises(TimeoutError) as caught:
            runtime.portal.within(60).run(work)
        return str(caught.value)

    assert await asyncio.to_thread(ask) == "of the work"


async def test_portal_future_can_be_cancelled(runtime):
    started, ended = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        started.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    future = runtime.portal.submit(slow)
    await started.wait()

    assert future.cancel()
    await ended.wait()
    assert future.cancelled()


async def test_portal_refuses_to_block_the_loop_it_belongs_to(runtime):
    pid = await Counter.start()
    with pytest.raises(st.UsageError, match="would block"):
        runtime.portal.call(Counter.increment, pid)


async def test_a_send_through_the_portal_that_fails_is_logged(runtime, caplog):
    await asyncio.to_thread(runtime.portal.send, "nobody", 1)
    await wait_until(lambda: "no process at 'nobody'" in caplog.text)


async def test_who_waits_in_a_portal_when_the_runtime_closes_is_told(runtime_options):
    async with st.Runtime(**runtime_options) as rt:
        pid = await Counter.start()

        async def hang() -> None:
            await asyncio.sleep(3600)

        waiting = [
            asyncio.create_task(asyncio.to_thread(rt.portal.run, hang)),
            asyncio.create_task(asyncio.to_thread(rt.portal.call, Counter.never, pid)),
        ]
        await wait_until(lambda: len(rt.portal_tasks) == 2 and pid._process.current is not None)

    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in answers] == [st.RuntimeClosedError, st.ServerExitError]
    with pytest.raises(st.RuntimeClosedError):
        rt.portal.send(pid, 1)


@pytest.mark.suptree_leaks(allow=("process",))  # its loop is closed under it: that is the case
def test_portal_tolerates_a_closed_loop():
    opened = []

    async def main() -> None:
        rt = st.Runtime()
        await rt.__aenter__()
        opened.append(rt)

    asyncio.run(main())

    with pytest.raises(st.RuntimeClosedError):
        opened[0].portal.send("worker", 1)
    with pytest.raises(st.RuntimeClosedError):
        opened[0].portal.run(print)
