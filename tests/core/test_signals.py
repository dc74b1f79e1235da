"""S1 to S16: how processes end, and who is told."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest

import suptree as st
from suptree.testing import turn, wait_down


@pytest.fixture
def runtime_options(runtime_options):
    """Processes that trap exits and never end stand here at the end of many a test: kill them soon."""
    return {**runtime_options, "stop_timeout": 0.1}


async def wait_for_ever() -> None:
    await st.receive(lambda message: False)


async def die(reason: object) -> None:
    st.exit(reason)


async def trap_and_report(to: st.Pid[object], ready: asyncio.Event | None = None) -> None:
    """Trap exits and forward everything."""
    st.trap_exit()
    if ready is not None:
        ready.set()
    while True:
        st.send(to, await st.receive())


# -- S1: how a process ends ----------------------------------------------------------


@pytest.mark.otp("S1")
async def test_process_ends_normal_when_its_function_returns(runtime):
    async def work() -> int:
        return 42

    assert await wait_down(runtime.spawn(work)) is st.NORMAL


@pytest.mark.otp("S1")
async def test_uncaught_error_is_the_exit_reason_with_its_place(runtime):
    async def work() -> None:
        raise ValueError("broken")

    reason = await wait_down(runtime.spawn(work))

    assert isinstance(reason, st.Crashed)
    assert (reason.type, reason.text) == ("ValueError", "broken")
    assert "in work" in reason.traceback


@pytest.mark.otp("S1")
async def test_exit_gives_its_reason(runtime):
    assert await wait_down(runtime.spawn(die, ("any", "value"))) == ("any", "value")


@pytest.mark.otp("S1")
async def test_exit_is_not_caught_by_except_exception(runtime):
    async def work() -> None:
        try:
            st.exit("mine")
        except Exception:
            st.exit("swallowed")

    assert await wait_down(runtime.spawn(work)) == "mine"


@pytest.mark.otp("S1")
async def test_plain_function_runs_in_one_turn_and_ends_normal(runtime):
    ran = []

    assert await wait_down(runtime.spawn(ran.append, 1)) is st.NORMAL
    assert ran == [1]


# -- S2 to S7: exit signals --------------------------------------------------------------


@pytest.mark.otp("S2")
async def test_normal_signal_to_a_process_that_does_not_trap_is_ignored(runtime):
    pid = runtime.spawn(wait_for_ever)
    await turn()

    st.exit(pid, st.NORMAL)
    await turn()

    assert pid.is_alive()


@pytest.mark.otp("S3")
@pytest.mark.parametrize("reason", [st.SHUTDOWN, st.Shutdown("detail"), "any", st.KILLED, ("t", 1)])
async def test_other_signal_ends_it_with_exactly_that_reason(runtime, reason):
    pid = runtime.spawn(wait_for_ever)
    await turn()

    st.exit(pid, reason)

    assert not pid.is_alive()
    assert await wait_down(pid) == reason


@pytest.mark.otp("S3", "S41")
async def test_signal_to_a_server_that_does_not_trap_runs_no_terminate(runtime):
    said = []

    class Server(st.GenServer):
        def terminate(self, reason: object) -> None:
            said.append(reason)

    pid = await Server.start()
    down = runtime.down_slot(pid)
    st.exit(pid, "any")

    assert await down == "any"
    assert said == []


@pytest.mark.otp("S4")
async def test_kill_cannot_be_trapped_and_is_seen_as_killed(runtime):
    seen = []

    async def trapping() -> None:
        st.trap_exit()
        seen.append(await st.receive())

    pid = runtime.spawn(trapping)
    await turn()
    ref = st.monitor(pid)
    st.link(pid)
    st.exit(pid, st.KILL)

    assert await st.receive(st.Down) == st.Down(ref, pid, st.KILLED)
    assert await st.receive(st.Exit) == st.Exit(pid, st.KILLED)
    assert seen == []


@pytest.mark.otp("S5")
async def test_exit_normal_to_oneself_ends_a_process_that_does_not_trap(runtime):
    async def work() -> None:
        st.exit(st.current(), st.NORMAL)
        raise AssertionError("the process went on")

    assert await wait_down(runtime.spawn(work)) is st.NORMAL


@pytest.mark.otp("S5")
async def test_exit_normal_to_oneself_is_a_message_when_trapping(runtime):
    me = st.current()

    async def work() -> None:
        st.trap_exit()
        st.exit(st.current(), st.NORMAL)
        st.send(me, await st.receive(timeout=0))

    pid = runtime.spawn(work)

    assert await st.receive() == st.Exit(pid, st.NORMAL)


@pytest.mark.otp("S6")
async def test_exit_with_kill_by_itself_has_reason_kill_and_links_can_trap_it(runtime):
    me = st.current()
    trapping = runtime.spawn(trap_and_report, me)
    await turn()

    async def work() -> None:
        st.link(trapping)
        st.exit(st.KILL)

    pid = runtime.spawn(work)

    assert await st.receive(st.Exit) == st.Exit(pid, st.KILL)
    assert trapping.is_alive()


@pytest.mark.otp("S6")
async def test_exit_with_kill_by_itself_ends_links_that_do_not_trap_with_kill(runtime):
    other = runtime.spawn(wait_for_ever)
    await turn()

    async def work() -> None:
        st.link(other)
        st.exit(st.KILL)

    runtime.spawn(work)

    assert await wait_down(other) is st.KILL


@pytest.mark.otp("S7")
@pytest.mark.parametrize("reason", [st.NORMAL, st.SHUTDOWN, "any"])
async def test_every_signal_but_kill_is_a_message_to_a_trapping_process(runtime, reason):
    me = st.current()
    pid = runtime.spawn(trap_and_report, me)
    await turn()

    st.exit(pid, reason)

    assert await st.receive() == st.Exit(me, reason)
    assert pid.is_alive()


@pytest.mark.otp("S7")
async def test_trap_exit_returns_the_old_setting(runtime):
    async def work(to: st.Pid[object]) -> None:
        st.send(to, (st.trap_exit(), st.trap_exit(False), st.trap_exit()))

    runtime.spawn(work, st.current())

    assert await st.receive() == (False, True, False)


# -- S8 to S10: links --------------------------------------------------------------------


@pytest.mark.otp("S8")
async def test_death_travels_through_all_links_once(runtime):
    a, b, c = (runtime.spawn(wait_for_ever) for _ in range(3))
    me = st.current()
    last = runtime.spawn(trap_and_report, me)
    await turn()
    for one, other in [(a, b), (b, c), (c, a), (c, last)]:
        runtime.link(one._process, other)

    st.exit(a, "gone")

    assert await st.receive() == st.Exit(c, "gone")
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=1)
    assert not b.is_alive()


@pytest.mark.otp("S8")
async def test_one_unlink_removes_a_link_made_twice_from_both_sides(runtime):
    pid = runtime.spawn(wait_for_ever)
    st.link(pid)
    st.link(pid)
    st.unlink(pid)

    st.exit(pid, "gone")

    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=1)


@pytest.mark.otp("S9")
async def test_exit_queued_before_unlink_stays_in_the_mailbox(runtime):
    pid = runtime.spawn(wait_for_ever)
    await turn()
    st.link(pid)
    st.exit(pid, "gone")
    await wait_down(pid)

    st.unlink(pid)

    assert await st.receive(timeout=0) == st.Exit(pid, "gone")


@pytest.mark.otp("S9")
async def test_unlink_holds_for_one_that_was_told_to_die_and_still_unwinds(runtime):
    pid = runtime.spawn(wait_for_ever)
    await turn()
    st.link(pid)
    st.exit(pid, "gone")

    st.unlink(pid)

    await wait_down(pid)
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=0)


@pytest.mark.otp("S8", "S10")
async def test_a_second_link_to_one_that_still_unwinds_is_the_same_link(runtime):
    pid = runtime.spawn(wait_for_ever)
    await turn()
    st.link(pid)
    st.exit(pid, "gone")

    st.link(pid)

    assert await st.receive(st.Exit) == st.Exit(pid, "gone")
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=0)


@pytest.mark.otp("S10")
async def test_link_to_the_dead_raises_noproc_unless_trapping(runtime):
    dead = runtime.spawn(wait_for_ever)
    st.exit(dead, st.KILL)
    await wait_down(dead)

    async def not_trapping() -> None:
        st.link(dead)

    reason = await wait_down(runtime.spawn(not_trapping))
    st.link(dead)  # the test traps

    assert reason.type.endswith("NoProcessError")
    assert await st.receive(timeout=0) == st.Exit(dead, st.NOPROC)


@pytest.mark.otp("S10", "S13")
async def test_a_link_to_one_that_still_unwinds_is_told_after_who_watched_before(runtime):
    pid = runtime.spawn(wait_for_ever)
    await turn()
    ref = st.monitor(pid)
    st.exit(pid, st.KILL)

    st.link(pid)

    assert await st.receive() == st.Down(ref, pid, st.KILLED)
    assert await st.receive(timeout=0) == st.Exit(pid, st.NOPROC)
    assert not st.current()._process.links


@pytest.mark.otp("S9", "S10")
async def test_unlink_takes_back_a_link_to_one_that_still_unwinds(runtime):
    pid = runtime.spawn(wait_for_ever)
    await turn()
    st.exit(pid, st.KILL)

    for _ in range(2):
        st.link(pid)
        st.unlink(pid)

    await wait_down(pid)
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=0)


@pytest.mark.otp("S9", "S10", "S13")
async def test_a_link_that_was_taken_back_and_made_again_has_its_place_behind_what_came_between(
    runtime,
):
    pid = runtime.spawn(wait_for_ever)
    await turn()
    st.exit(pid, st.KILL)
    st.link(pid)
    st.unlink(pid)
    ref = st.monitor(pid)

    st.link(pid)

    assert await st.receive() == st.Down(ref, pid, st.NOPROC)
    assert await st.receive(timeout=0) == st.Exit(pid, st.NOPROC)


@pytest.mark.otp("S9", "S10")
async def test_one_that_unwinds_keeps_nothing_of_links_that_are_no_more(runtime):
    async def unwind_slowly() -> None:
        try:
            await wait_for_ever()
        finally:
            await asyncio.sleep(0.5)

    async def link_late() -> None:
        st.trap_exit(True)
        st.link(pid)

    pid = runtime.spawn(unwind_slowly)
    await turn()
    st.exit(pid, st.KILL)

    for _ in range(3):
        st.link(pid)
        st.unlink(pid)
        await wait_down(runtime.spawn(link_late))

    assert pid._process.monitors == {}  # and its frames unwind still


async def kill_and_link(pid: st.Pid[Any], then: Callable[[], object]) -> None:
    """What a process does that traps exits, kills *pid* and links to it while its frames unwind."""
    st.trap_exit(True)
    st.exit(pid, st.KILL)
    st.link(pid)
    then()
    await wait_for_ever()


@pytest.mark.otp("S10")
async def test_a_link_to_one_that_still_unwinds_ends_who_has_stopped_trapping(runtime):
    pid = runtime.spawn(wait_for_ever)
    await turn()

    linked = runtime.spawn(kill_and_link, pid, lambda: st.trap_exit(False))

    assert await wait_down(linked) is st.NOPROC


@pytest.mark.otp("S10")
async def test_one_that_unwinds_owes_nothing_to_who_linked_late_and_died(runtime):
    pid = runtime.spawn(wait_for_ever)
    await turn()

    linked = runtime.spawn(kill_and_link, pid, lambda: st.exit(st.current(), st.KILL))

    assert await wait_down(linked) is st.KILLED
    assert not pid.is_alive()


@pytest.mark.otp("S10")
async def test_link_to_oneself_does_nothing(runtime):
    async def work() -> None:
        st.link(st.current())
        assert st.current()._process.links in (None, {})

    assert await wait_down(runtime.spawn(work)) is st.NORMAL


# -- S11, S12: monitors -----------------------------------------------------------------------


@pytest.mark.otp("S11")
async def test_monitor_gives_exactly_one_down(runtime):
    pid = runtime.spawn(die, "gone")
    ref = st.monitor(pid)

    assert await st.receive() == st.Down(ref, pid, "gone")
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=1)


@pytest.mark.otp("S11")
async def test_monitor_of_the_dead_gives_noproc_whatever_it_died_of(runtime):
    pid = runtime.spawn(die, "gone")
    await wait_down(pid)

    by_pid, by_name = st.monitor(pid), st.monitor("nobody")

    assert await st.receive() == st.Down(by_pid, pid, st.NOPROC)
    assert await st.receive() == st.Down(by_name, "nobody", st.NOPROC)
    assert not st.current()._process.watching


@pytest.mark.otp("S11", "S13")
async def test_a_monitor_of_one_that_still_unwinds_is_told_after_those_that_were_there_before(
    runtime,
):
    pid = runtime.spawn(wait_for_ever)
    await turn()
    before = st.monitor(pid)
    st.exit(pid, st.KILL)

    late = st.monitor(pid)

    assert await st.receive() == st.Down(before, pid, st.KILLED)
    assert await st.receive(timeout=0) == st.Down(late, pid, st.NOPROC)
    assert not st.current()._process.watching


@pytest.mark.otp("S12")
async def test_demonitor_takes_back_a_monitor_of_one_that_still_unwinds(runtime):
    pid = runtime.spawn(wait_for_ever)
    await turn()
    st.exit(pid, st.KILL)
    late = st.monitor(pid)

    assert st.demonitor(late)

    await wait_down(pid)
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=0)


@pytest.mark.otp("S11")
async def test_down_of_a_name_says_the_name(runtime):
    pid = runtime.spawn(wait_for_ever, name="worker")
    ref = st.monitor("worker")
    st.exit(pid, "gone")

    assert await st.receive() == st.Down(ref, "worker", "gone")


@pytest.mark.otp("S11")
async def test_one_who_is_linked_and_watches_gets_the_exit_before_the_down(runtime):
    pid = runtime.spawn(wait_for_ever)
    await turn()
    ref = st.monitor(pid)
    st.link(pid)

    st.exit(pid, "gone")

    assert await st.receive() == st.Exit(pid, "gone")
    assert await st.receive() == st.Down(ref, pid, "gone")


@pytest.mark.otp("S11")
async def test_a_monitor_of_oneself_is_a_reference_and_nothing_else(runtime):
    ref = st.monitor(st.current())

    info = runtime.info(st.current())
    assert (info.monitors, info.monitored_by) == ((), ())
    assert not st.demonitor(ref)


@pytest.mark.otp("S12")
async def test_monitors_stack_and_are_one_way(runtime):
    me = st.current()

    async def work(target: st.Pid[object]) -> None:
        st.monitor(target)
        await wait_for_ever()

    pid = runtime.spawn(wait_for_ever)
    watcher = runtime.spawn(work, pid)
    await turn()
    refs = [st.monitor(pid) for _ in range(3)]
    st.exit(watcher, "gone")
    assert pid.is_alive()
    st.exit(pid, "gone")

    assert [(await st.receive()).ref for _ in refs] == refs
    assert me.is_alive()


@pytest.mark.otp("S12")
async def test_demonitor_keeps_the_down_away_unless_it_is_queued(runtime):
    pid = runtime.spawn(wait_for_ever)
    await turn()
    early, late, flushed = (st.monitor(pid) for _ in range(3))

    assert st.demonitor(early) is True
    assert st.demonitor(early) is False
    st.exit(pid, "gone")
    await wait_down(pid)
    assert st.demonitor(flushed, flush=True) is False
    assert st.demonitor(late) is False

    assert await st.receive() == st.Down(late, pid, "gone")
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=1)


@pytest.mark.otp("S12")
async def test_dead_watcher_leaves_no_monitor_behind(runtime):
    pid = runtime.spawn(wait_for_ever)

    async def work() -> None:
        st.monitor(pid)

    await wait_down(runtime.spawn(work))

    assert not pid._process.monitors


# -- S13: order ----------------------------------------------------------------------------------


@pytest.mark.otp("S13")
async def test_messages_and_signals_of_one_sender_keep_their_order(runtime):
    me = st.current()
    pid = runtime.spawn(trap_and_report, me, trap_exit=True)

    st.send(pid, 1)
    st.exit(pid, "first")
    st.send(pid, 2)
    st.exit(pid, "second")
    st.send(pid, 3)

    got = [await st.receive() for _ in range(5)]
    assert got == [1, st.Exit(me, "first"), 2, st.Exit(me, "second"), 3]


@pytest.mark.otp("S13")
async def test_kill_takes_effect_at_once_although_messages_wait(runtime):
    handled = []

    class Server(st.GenServer):
        def handle_info(self, message: object) -> None:
            handled.append(message)

    pid = await Server.start()
    st.send(pid, 1)
    st.exit(pid, st.KILL)
    await turn()

    assert handled == []


# -- S14: an exiting process is not alive ----------------------------------------------------------


@pytest.mark.otp("S14")
async def test_exiting_process_is_not_alive_and_its_name_is_free_before_down_comes(runtime):
    release = asyncio.Event()

    async def stubborn() -> None:
        try:
            await wait_for_ever()
        finally:
            await release.wait()

    pid = runtime.spawn(stubborn, name="worker")
    await turn()
    ref = st.monitor(pid)
    st.exit(pid, "gone")

    assert not st.is_alive(pid)
    assert st.whereis("worker") is None
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=0)
    release.set()
    assert await st.receive() == st.Down(ref, pid, "gone")


@pytest.mark.otp("S14")
async def test_successor_can_take_the_name_when_down_is_read(runtime):
    first = runtime.spawn(wait_for_ever, name="worker")
    await turn()
    st.monitor(first)
    st.exit(first, "gone")
    await st.receive(st.Down)

    second = runtime.spawn(wait_for_ever, name="worker")

    assert st.whereis("worker") is second


# -- S16: atomic -------------------------------------------------------------------------------------


@pytest.mark.otp("S16")
async def test_spawn_link_and_spawn_monitor_miss_no_death(runtime):
    linked = st.spawn_link(die, "one")
    monitored, ref = st.spawn_monitor(die, "two")

    assert await st.receive(st.Exit) == st.Exit(linked, "one")
    assert await st.receive(st.Down) == st.Down(ref, monitored, "two")


# -- faults ------------------------------------------------------------------------------------------


async def test_link_or_monitor_of_an_unknown_target_answers_at_once_exactly_once(runtime):  # F16
    dead = runtime.spawn(wait_for_ever)
    st.exit(dead, st.KILL)
    await wait_down(dead)
    refs = [st.monitor(dead) for _ in range(10)]

    assert [(await st.receive(timeout=0)).ref for _ in refs] == refs
    with pytest.raises(st.ReceiveTimeoutError):
        await st.receive(timeout=0)


async def test_link_refuses_an_unknown_name_even_when_trapping(runtime):
    with pytest.raises(st.NoProcessError, match="nobody"):
        st.link("nobody")


async def test_links_do_not_cross_runtimes(runtime, runtime_options):
    async with st.Runtime(name="other", **runtime_options) as other:
        pid = other.spawn(wait_for_ever)

        async def linking() -> None:
            st.link(pid)

        reason = await other_down(runtime, linking)

    assert reason.type.endswith("CrossRuntimeError")


async def other_down(runtime, function):
    return await runtime.down_slot(runtime.spawn(function))


async def test_a_chain_of_ten_thousand_links_dies_without_recursion(runtime):
    pids = [runtime.spawn(wait_for_ever) for _ in range(10_000)]
    await turn()
    for one, other in itertools.pairwise(pids):
        runtime.link(one._process, other)
    last = runtime.down_slot(pids[-1])

    st.exit(pids[0], "gone")

    assert await last == "gone"
    assert not any(pid.is_alive() for pid in pids)


async def test_a_chain_of_ten_thousand_servers_dies_without_recursion(runtime):
    class Server(st.GenServer):
        pass

    pids = [await Server.start() for _ in range(10_000)]
    for one, other in itertools.pairwise(pids):
        runtime.link(one._process, other)

    st.exit(pids[0], "gone")

    assert not any(pid.is_alive() for pid in pids)
