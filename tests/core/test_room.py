"""Room on the stack: a start is whole, or was none."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import pytest

import suptree as st
from suptree.testing import wait_down
from tests.depth import at_depth, at_depth_async

LEFT = [*range(0, 90, 7), *range(90, 130)]
"""Around what a start wants to have."""


async def wait_for_ever() -> None:
    await st.receive(lambda message: False)


class Named(st.GenServer):
    """Starts, or not, in one of the ways that there are."""

    def __init__(self, way: str) -> None:
        if way == "raises":
            raise ValueError("boom")
        self.way = way

    def init(self) -> object:
        return {"stops": st.Stop("no"), "ignores": st.Ignore()}.get(self.way)


class Tree(st.Supervisor):
    """One child."""

    def children(self) -> list[st.ChildSpec[object]]:
        return [st.child(Named, "fine").with_(name="leaf")]


async def test_a_spawn_without_room_on_the_stack_leaves_nothing(runtime):
    before = len(runtime.processes)
    names = itertools.count()

    def start() -> None:
        started.append(st.spawn(wait_for_ever, link=True, name=f"leaf {next(names)}"))

    for left in LEFT:
        started: list[st.Pid[object]] = []
        at_depth(left, start)

        assert len(runtime.processes) == before + len(started)
        assert len(runtime.registered()) == len(started)
        assert len(st.current()._process.links or ()) == len(started)
        for pid in started:
            st.unlink(pid)
            st.exit(pid, st.KILL)
            await wait_down(pid)
        assert started or left < 120


async def test_a_runaway_recursion_that_spawns_ends_with_whole_processes_and_an_orderly_close(
    runtime_options,
):
    async def walk() -> None:
        st.spawn(wait_for_ever)
        await walk()

    async with st.Runtime(**runtime_options) as rt:
        walker = rt.spawn(walk)
        reason = await wait_down(walker)

        assert isinstance(reason, st.Crashed)
        assert reason.type == "RecursionError"
        assert all(rt.processes[pid.id].task is not None for pid in rt.alive())
    assert not rt.processes


@pytest.mark.parametrize("way", ["fine", "raises", "stops", "ignores"])
async def test_a_start_without_room_on_the_stack_is_refused_and_leaves_nothing(runtime, way):
    started: list[st.Pid[Named]] = []
    answers = set()
    spec = st.child(Named, way).with_(name="named")

    async def start() -> None:
        answers.add("asked")
        try:
            started.append(await spec.start_link())
        except (st.StartError, st.StartIgnoredError) as error:
            answers.add(type(error).__name__)

    before = len(runtime.processes)
    for left in LEFT:
        started.clear()
        await at_depth_async(left, start)

        assert len(runtime.processes) == before + len(started)
        assert runtime.registered() == ["named"] * len(started)
        for pid in started:
            await Named.stop(pid)
        assert not st.current()._process.links
    assert len(answers) == (1 if way == "fine" else 2)


async def test_a_tree_without_room_on_the_stack_is_not_started_in_part(runtime):
    before = len(runtime.processes)
    started: list[st.Pid[Tree]] = []

    async def start() -> None:
        with contextlib.suppress(st.StartError):  # of the tree whose child was refused
            started.append(await Tree.start_link())

    for left in LEFT:
        started.clear()
        await at_depth_async(left, start)

        assert len(runtime.processes) == before + 2 * len(started)
        for pid in started:
            await Tree.stop(pid)


async def test_the_error_of_a_start_without_room_says_so(runtime):
    errors: list[str] = []

    def start() -> None:
        try:
            st.spawn(wait_for_ever)
        except RecursionError as error:
            errors.append(str(error))

    at_depth(60, start)

    assert errors == ["start: fewer than 100 frames of the stack are left. Nothing was done."]
    await asyncio.sleep(0)
