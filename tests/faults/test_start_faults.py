"""Fail the n-th step, for n = 1, 2, ... until a run is clean; what must hold holds each time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import suptree as st
from suptree.testing import turn


class Steps:
    """Counts the steps of a run; the n-th raises, once."""

    def __init__(self, failing: int) -> None:
        self.failing = failing
        self.count = 0
        self.up: list[str] = []

    def step(self) -> None:
        self.count += 1
        if self.count == self.failing:
            raise OSError("the step that fails")

    @property
    def is_clean(self) -> bool:
        return self.count < self.failing


class Part(st.GenServer):
    """Steps when it is made, when its init begins, and when that goes on after waiting."""

    trap_exit = True

    def __init__(self, steps: Steps, name: str) -> None:
        self.steps, self.name = steps, name
        steps.step()

    async def init(self) -> None:
        self.steps.step()
        self.own(self.name, lambda name: self.steps.up.remove(name))
        self.steps.up.append(self.name)
        await asyncio.sleep(0)
        self.steps.step()


def part(steps: Steps, name: str) -> st.ChildSpec[Any]:
    """A child whose start function steps too."""

    def start() -> st.ChildSpec[Any]:
        steps.step()
        return st.child(Part, steps, name)

    return st.start_function(start).with_(id=name, name=name)


def tree(steps: Steps, **options: Any) -> st.ChildSpec[Any]:
    inner = st.Supervisor.child([part(steps, "b"), part(steps, "c")], **options)
    return st.Supervisor.child(
        [part(steps, "a"), inner.with_(id="inner"), part(steps, "d")], **options
    )


async def until_clean(run: Callable[[Steps], Awaitable[None]]) -> int:
    """How many runs it took: all but the last had a step that failed."""
    for failing in range(1, 200):
        steps = Steps(failing)
        await run(steps)
        if steps.is_clean:
            return failing
    raise AssertionError("no run was clean")


@pytest.mark.otp("S101")
async def test_whatever_step_of_a_start_fails_nothing_is_left_of_it(runtime: st.Runtime) -> None:
    before = len(runtime.processes)

    async def run(steps: Steps) -> None:
        try:
            top = await tree(steps).start_unlinked()
        except st.StartError:
            assert not steps.is_clean
        else:
            assert steps.up == ["a", "b", "c", "d"]
            await st.Supervisor.stop(top)
        await turn()
        assert steps.up == []
        assert [runtime.whereis(name) for name in "abcd"] == [None] * 4
        assert len(runtime.processes) == before

    assert await until_clean(run) == 4 * 4 + 1


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_whatever_step_of_a_restart_fails_the_tree_is_as_declared_in_the_end(
    runtime: st.Runtime, strategy: Any
) -> None:
    before = len(runtime.processes)

    async def run(steps: Steps) -> None:
        failing, steps.failing = steps.failing, 0
        top = await tree(steps, strategy=strategy, max_restarts=10).start_unlinked()
        steps.count, steps.failing = 0, failing
        for name in "ab":
            victim = runtime.whereis(name)
            assert victim is not None
            st.exit(victim, st.KILL)
            while sorted(steps.up) != ["a", "b", "c", "d"] or victim.is_alive():
                await turn()
        assert len(runtime.processes) == before + 6
        await st.Supervisor.stop(top)
        await turn()
        assert steps.up == []
        assert len(runtime.processes) == before

    assert await until_clean(run) > 2 * 4


async def test_whatever_step_of_a_dynamic_start_fails_nothing_of_that_child_is_left(
    runtime: st.Runtime,
) -> None:
    supervisor = await st.DynamicSupervisor.child(max_children=2).start_unlinked()
    before = len(runtime.processes)

    async def run(steps: Steps) -> None:
        for name in "ab":
            try:
                await st.DynamicSupervisor.start_child(supervisor, part(steps, name))
            except st.StartError:
                assert runtime.whereis(name) is None
        infos = await st.DynamicSupervisor.which_children(supervisor)
        assert len(infos) == len(steps.up) == len(runtime.processes) - before
        for info in infos:
            assert isinstance(info.pid, st.Pid)
            await st.DynamicSupervisor.terminate_child(supervisor, info.pid)

    assert await until_clean(run) == 2 * 4 + 1


async def test_whatever_step_of_an_application_start_fails_those_before_it_are_stopped_too(
    runtime: st.Runtime,
) -> None:
    before = len(runtime.processes)

    async def run(steps: Steps) -> None:
        def application(name: str, *needed: type[st.Application]) -> type[st.Application]:
            class Made(st.Application):
                depends_on = needed
                start_phases = (("one", None), ("two", None))

                def children(self) -> list[st.ChildSpec[Any]]:
                    steps.step()
                    return [part(steps, name)]

                def start_phase(self, phase: str, argument: Any) -> None:
                    steps.step()

            Made.name = name
            return Made

        top = application("c", application("b", application("a")))
        try:
            await runtime.applications.ensure_all_started(top)
        except st.ApplicationError:
            assert not steps.is_clean
            assert steps.up == []
        else:
            assert runtime.applications.running() == steps.up == ["a", "b", "c"]
            for name in "cba":
                await runtime.applications.stop(name)
        assert runtime.applications.running() == []
        await turn()
        assert len(runtime.processes) == before

    assert await until_clean(run) == 3 * 7 + 1
