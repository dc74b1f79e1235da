"""The sizes that the runtime is meant for: a hundred thousand processes, ten thousand crashes at once."""

from __future__ import annotations

import asyncio
import logging

import suptree as st
from suptree.testing import wait_until

CROWD = 100_000
STORM = 10_000
ENOUGH = 10**9


class Counter(st.GenServer):
    def __init__(self, start: int = 0) -> None:
        self.count = start

    @st.call
    def increment(self) -> int:
        self.count += 1
        return self.count

    @st.cast
    def crash(self) -> None:
        raise RuntimeError("boom")


async def test_a_hundred_thousand_processes_live_at_once_and_each_answers(runtime):
    sup = await st.DynamicSupervisor.start_link()
    spec = st.child(Counter, 1)

    pids = [await st.DynamicSupervisor.start_child(sup, spec) for _ in range(CROWD)]
    answers = sum([await Counter.increment(pid) for pid in pids])

    assert len(runtime.alive()) == CROWD + 2
    assert answers == 2 * CROWD
    await st.DynamicSupervisor.stop(sup)
    assert len(runtime.alive()) == 1
    assert runtime.ticker.timers.live == 0


async def test_ten_thousand_children_that_crash_in_one_storm_all_come_back(runtime, caplog):
    caplog.set_level(logging.ERROR, "suptree")
    children = [st.child(Counter).with_(id=number) for number in range(STORM)]
    sup = await st.Supervisor.start_link(children, max_restarts=ENOUGH)
    before = {child.pid for child in await st.Supervisor.which_children(sup)}

    for pid in before:
        Counter.crash(pid)
    await wait_until(lambda: runtime.reporter.total == STORM)

    after = await st.Supervisor.which_children(sup)
    assert [child.id for child in after] == list(reversed(range(STORM)))
    assert all(isinstance(child.pid, st.Pid) and child.pid.is_alive() for child in after)
    assert not before & {child.pid for child in after}
    assert len(caplog.records) < 100  # ten thousand crashes are not ten thousand reports


class Holder(st.GenServer):
    """Holds one of everything that can be left behind, and notes when it says goodbye."""

    trap_exit = True

    def __init__(self, id: int, goodbyes: list[int]) -> None:
        self.id = id
        self.goodbyes = goodbyes

    async def init(self) -> None:
        self.send_interval(3600.0, "tick")
        self.start_task(asyncio.sleep(3600.0))
        self.monitor = st.monitor("root")
        self.own(self.goodbyes, lambda goodbyes: goodbyes.append(-self.id))

    @st.cast
    def crash(self) -> None:
        raise RuntimeError("boom")

    async def terminate(self, reason: object) -> None:
        await asyncio.sleep(0.1)
        self.goodbyes.append(self.id)


async def test_a_supervisor_past_its_intensity_takes_its_tree_down_in_order_and_leaves_nothing(
    runtime,
):
    goodbyes: list[int] = []
    count = 20

    def holder(id: int) -> st.ChildSpec[Holder]:
        return st.child(Holder, id, goodbyes).with_(name=f"holder.{id}", shutdown=1.0)

    lower = st.Supervisor.child([holder(id) for id in range(2, count + 1)]).with_(id="lower")
    root = await st.Supervisor.start_link([holder(1), lower], max_restarts=0, name="root")
    st.unlink(root)  # its end is not to end this block (law 6)
    ref = st.monitor(root)
    tasks_before = len(asyncio.all_tasks())
    began = runtime.now()
    st.exit("holder.1", "boom")  # as a message: it traps, and goes on
    Holder.crash("holder.1")
    down = await st.receive(lambda message: isinstance(message, st.Down) and message.ref is ref)

    assert down.reason is st.SHUTDOWN
    # The one that crashed says goodbye first; the others newest first, one after the other.
    said = [id for id in goodbyes if id > 0]
    assert said == [1, *range(count, 1, -1)]
    assert goodbyes[1::2] == [-id for id in said]  # each one's own things are closed at its death
    assert runtime.now() - began <= 0.1 * count + 0.5
    assert len(runtime.alive()) == 1
    assert runtime.registered() == []
    assert runtime.ticker.timers.live == 0
    assert runtime.root is not None
    assert not runtime.root.monitors
    await wait_until(lambda: len(asyncio.all_tasks()) <= tasks_before - 2 * count)
