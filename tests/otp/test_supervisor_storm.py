"""Many children: a storm comes back, in order, and others are served meanwhile."""

from __future__ import annotations

import asyncio

import pytest

import suptree as st
from suptree.testing import wait_down, wait_until

MANY = 2_000
NO_LIMIT = 10**9


class Starts:
    """A number that all children of a test share."""

    number = 0


class Child(st.GenServer):
    """Counts its starts."""

    def __init__(self, starts: Starts) -> None:
        starts.number += 1

    @st.cast
    def crash(self) -> None:
        raise RuntimeError("boom")


class Echo(st.GenServer):
    @st.call
    def echo(self, value: int) -> int:
        return value


def children(count: int, starts: Starts) -> list[st.ChildSpec[Child]]:
    return [st.child(Child, starts).with_(id=number) for number in range(count)]


@pytest.mark.otp("S110", "S120")
async def test_every_child_of_a_storm_comes_back(runtime):
    starts = Starts()
    sup = await st.Supervisor.start_link(children(MANY, starts), max_restarts=NO_LIMIT)
    before = [child.pid for child in await st.Supervisor.which_children(sup)]

    for pid in before:
        Child.crash(pid)
    await wait_until(lambda: starts.number == 2 * MANY)

    after = await st.Supervisor.which_children(sup)
    assert [child.id for child in after] == list(reversed(range(MANY)))
    assert not {child.pid for child in after} & set(before)
    assert (await st.Supervisor.count_children(sup)).active == MANY


@pytest.mark.otp("S119")
async def test_a_storm_under_one_for_all_is_one_restart_of_all(runtime):
    starts = Starts()
    sup = await st.Supervisor.start_link(
        children(MANY, starts), strategy="one_for_all", max_restarts=1
    )
    await runtime.system(sup, lambda body: body.suspend(), "suspend")
    for child in runtime.find(sup).body.children_of():
        st.exit(child[1], st.KILL)

    await runtime.system(sup, lambda body: body.resume(), "resume")
    await wait_until(lambda: starts.number == 2 * MANY)

    assert (await st.Supervisor.count_children(sup)).active == MANY


async def test_the_loop_has_its_turns_during_a_storm(runtime):
    starts = Starts()
    sup = await st.Supervisor.start_link(children(MANY, starts), max_restarts=NO_LIMIT)
    for child in await st.Supervisor.which_children(sup):
        Child.crash(child.pid)

    turns = 0
    while starts.number < 2 * MANY:
        await asyncio.sleep(0)
        turns += 1

    assert turns >= MANY // 256


async def test_a_server_is_served_while_a_supervisor_starts_many(runtime):
    starts = Starts()
    echo = await Echo.start_link()
    top = await st.DynamicSupervisor.start_link()
    starting = asyncio.ensure_future(
        st.DynamicSupervisor.start_child(top, st.Supervisor.child(children(MANY, starts)))
    )

    seen: set[int] = set()
    while not starting.done():
        seen.add(await Echo.echo(echo, starts.number))
        await asyncio.sleep(0)

    assert len(seen) >= 3  # before, in the midst of it, and again


async def test_a_big_start_does_not_hold_the_loop(runtime):
    starts = Starts()
    top = await st.DynamicSupervisor.start_link()
    spec = st.Supervisor.child(children(MANY, starts))
    starting = asyncio.ensure_future(st.DynamicSupervisor.start_child(top, spec))

    turns = 0
    while not starting.done():
        await asyncio.sleep(0)
        turns += 1

    assert starts.number == MANY
    assert turns >= MANY // 256


async def test_a_dynamic_supervisor_starts_and_stops_many(runtime):
    starts = Starts()
    sup = await st.DynamicSupervisor.start_link()
    spec = st.child(Child, starts).with_(restart="temporary")
    pids = [await st.DynamicSupervisor.start_child(sup, spec) for _ in range(MANY)]

    for pid in pids[: MANY // 2]:
        await st.DynamicSupervisor.terminate_child(sup, pid)
    assert (await st.DynamicSupervisor.count_children(sup)).active == MANY // 2
    await st.DynamicSupervisor.stop(sup)

    assert runtime.alive() == [st.current()]


async def test_a_storm_that_is_too_much_ends_the_supervisor_and_everything_under_it(runtime):
    starts = Starts()
    top = await st.DynamicSupervisor.start_link()
    spec = st.Supervisor.child(children(MANY, starts), max_restarts=100).with_(restart="temporary")
    sup = await st.DynamicSupervisor.start_child(top, spec)

    for child in await st.Supervisor.which_children(sup):
        Child.crash(child.pid)

    assert await wait_down(sup) == st.SHUTDOWN
    assert starts.number == MANY + 100
    assert len(runtime.alive()) == 2
