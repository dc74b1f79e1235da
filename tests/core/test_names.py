"""S15: names; and F14: one winner, freed at death."""

from __future__ import annotations

import asyncio

import pytest

import suptree as st
from suptree.core import KernelBody
from suptree.testing import turn, wait_down


async def wait_for_ever() -> None:
    await st.receive(lambda message: False)


@pytest.mark.otp("S15")
async def test_used_name_a_named_process_and_a_dead_one_are_refused(runtime):
    named = runtime.spawn(wait_for_ever, name="one")
    other = runtime.spawn(wait_for_ever)
    dead = runtime.spawn(wait_for_ever)
    await turn()
    st.exit(dead, st.KILL)
    await wait_down(dead)

    with pytest.raises(st.NameTakenError, match="it is the name of") as used:
        st.register("one", other)
    with pytest.raises(st.NameTakenError, match="has a name already"):
        st.register("two", named)
    with pytest.raises(st.NameTakenError, match="is not alive"):
        st.register("three", dead)
    assert used.value.pid is named
    assert runtime.registered() == ["one"]


@pytest.mark.otp("S15")
@pytest.mark.parametrize("wrong", [{"name": 5}, {"name": ["a"]}, {"bound": 5}])
async def test_a_wrong_name_or_bound_is_refused_before_anything_is_born(runtime, wrong):
    before = len(runtime.processes)

    with pytest.raises(st.BadArgumentError, match=r"spawn: name|mailbox: bound"):
        runtime.spawn(wait_for_ever, **wrong)

    if "bound" in wrong:
        with pytest.raises(st.BadArgumentError):
            await runtime.start_process(KernelBody(), **wrong)
    assert len(runtime.processes) == before


async def test_what_is_no_string_is_no_name(runtime):
    with pytest.raises(st.BadArgumentError, match="register: name must be a string; got 5"):
        st.register(5)  # type: ignore[arg-type]

    assert runtime.registered() == []


async def test_name_is_freed_at_death(runtime):
    pid = runtime.spawn(wait_for_ever, name="one")
    await turn()
    assert st.whereis("one") is pid

    st.exit(pid, "gone")

    assert st.whereis("one") is None
    assert runtime.registered() == []


@pytest.mark.otp("S15")
async def test_send_to_an_unregistered_name_raises_and_to_a_dead_pid_is_dropped(runtime):
    dead = runtime.spawn(wait_for_ever)
    st.exit(dead, st.KILL)
    await wait_down(dead)

    st.send(dead, "dropped")
    with pytest.raises(st.NoProcessError, match="send: no process at 'nobody'"):
        st.send("nobody", "refused")


async def test_who_leaves_out_the_way_to_a_name_is_told_the_whole_of_it(runtime):
    runtime.spawn(wait_for_ever, name="system.services.limits")
    runtime.spawn(wait_for_ever, name="system.managers.pools.task_pools.limits")

    with pytest.raises(st.NoProcessError, match=r"did you mean 'system.services.limits'\?"):
        st.send("limits", "check")
    with pytest.raises(st.NoProcessError) as nothing_near:
        st.send("pools", "check")
    assert "did you mean" not in str(nothing_near.value)


@pytest.mark.otp("S15")
async def test_a_process_registers_and_unregisters_itself(runtime):
    async def work(to: st.Pid[object]) -> None:
        st.register("me")
        st.send(to, st.whereis("me"))
        st.unregister("me")
        st.send(to, st.whereis("me"))

    pid = runtime.spawn(work, st.current())

    assert await st.receive() is pid
    assert await st.receive() is None


@pytest.mark.otp("S15")
async def test_unregister_of_an_unknown_name_raises(runtime):
    with pytest.raises(st.NoProcessError):
        st.unregister("nobody")


async def test_of_a_hundred_that_want_one_name_exactly_one_gets_it(runtime):  # F14
    class Server(st.GenServer):
        async def init(self) -> None:
            await asyncio.sleep(1)

    starts = [
        asyncio.create_task(st.child(Server).with_(name="only").start_unlinked())
        for _ in range(100)
    ]
    results = await asyncio.gather(*starts, return_exceptions=True)

    winners = [result for result in results if isinstance(result, st.Pid)]
    losers = [result for result in results if isinstance(result, st.AlreadyStartedError)]
    assert (len(winners), len(losers)) == (1, 99)
    assert {loser.pid for loser in losers} == {st.whereis("only")} == set(winners)


async def test_lookup_never_returns_a_process_that_is_dying(runtime):  # F14
    async def slow_goodbye() -> None:
        try:
            await wait_for_ever()
        finally:
            await asyncio.sleep(1)

    pid = runtime.spawn(slow_goodbye, name="one")
    await turn()
    down = runtime.down_slot(pid)
    st.exit(pid, "gone")

    assert st.whereis("one") is None
    assert not down.done()
    with pytest.raises(st.NoProcessError):
        st.send("one", "late")
    await down
