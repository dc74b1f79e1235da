"""S120 to S142: how a supervisor ends, by too many restarts, on request, or with its children's work."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.testing import turn, wait_down, wait_until
from tests.otp.probes import (
    Book,
    Worker,
    crash,
    die,
    ids_up,
    kill,
    paused,
    settled,
    start,
    states,
    worker,
)

VIRTUAL = pytest.mark.suptree_loop("virtual")


class Stubborn(st.GenServer):
    """Does not stop when it is asked to, until *gate* opens."""

    trap_exit = True

    def __init__(self, log: list[str], gate: asyncio.Event | None = None) -> None:
        self.log = log
        self.gate = gate or asyncio.Event()

    async def terminate(self, reason: object) -> None:
        self.log.append("asked")
        await self.gate.wait()
        self.log.append("done")


# -- giving up -----------------------------------------------------------------------------------


@pytest.mark.otp("S120")
@VIRTUAL
async def test_max_restarts_in_the_window_are_allowed_and_one_more_is_not(runtime):
    sup = await start([worker("a", [])], max_restarts=2, max_seconds=10.0)

    await crash("a", sup)
    await crash("a", sup)
    await asyncio.sleep(10.5)  # both are too old now
    await crash("a", sup)
    await crash("a", sup)
    assert st.is_alive(sup)
    await crash("a", sup)

    assert not st.is_alive(sup)


@pytest.mark.otp("S120")
async def test_zero_restarts_give_up_at_the_first(runtime):
    log: list[str] = []
    sup = await start([worker("a", log)], max_restarts=0)

    await crash("a", sup)

    assert not st.is_alive(sup)
    assert log == ["+a", "-a"]


@pytest.mark.otp("S121", "S122")
async def test_the_child_that_exceeds_the_limit_is_not_started_and_the_others_stop_in_reverse(
    runtime,
):
    log: list[str] = []
    sup = await start([worker(id, log) for id in "abc"], max_restarts=1)
    await crash("b", sup)
    log.clear()

    down = runtime.down_slot(sup)
    await crash("b", sup)

    assert await down == st.SHUTDOWN
    assert log == ["-b", "-c", "-a"]


@pytest.mark.otp("S122", "S253")
@pytest.mark.parametrize(("restart", "comes_back"), [("permanent", True), ("transient", False)])
async def test_a_nested_supervisor_that_gave_up_is_judged_by_its_restart_type(
    runtime, restart, comes_back
):
    inner = st.Supervisor.child([worker("w", [])], max_restarts=1, name="inner")
    outer = await start([inner.with_(restart=restart)])

    for _ in range(2):
        await crash("w", st.whereis("inner"))
    await settled(outer)

    assert (await states(outer))["inner"] == ("up" if comes_back else "down")


@pytest.mark.otp("S122")
async def test_a_restarted_supervisor_counts_from_zero(runtime):
    inner = st.Supervisor.child([worker("w", [])], max_restarts=1, name="inner")
    outer = await start([inner])
    for _ in range(2):
        await crash("w", st.whereis("inner"))
    await settled(outer)
    again = st.whereis("inner")

    await crash("w", again)

    assert st.whereis("inner") == again


@pytest.mark.otp("S123")
async def test_the_count_belongs_to_the_supervisor_not_to_a_child(runtime):
    sup = await start([worker(id, []) for id in "abc"], max_restarts=2)

    for id in "abc":
        await crash(id, sup)

    assert not st.is_alive(sup)


@pytest.mark.otp("S123")
async def test_starts_by_request_do_not_count(runtime):
    sup = await start([worker("a", [])], max_restarts=0)

    for _ in range(5):
        await st.Supervisor.terminate_child(sup, "a")
        await st.Supervisor.restart_child(sup, "a")
    await st.Supervisor.start_child(sup, worker("b", []))

    assert await ids_up(sup) == ["a", "b"]


async def test_a_tree_that_gives_up_ends_the_block_that_started_it(runtime_options):
    with pytest.raises(st.RuntimeStoppedError) as stopped:
        async with st.Runtime(**runtime_options):
            await st.Supervisor.start_link([worker("a", [])], max_restarts=0, name="shop")
            Worker.crash("a")
            await asyncio.Event().wait()

    assert stopped.value.reason == st.SHUTDOWN
    assert "gave up" in str(stopped.value)


# -- termination of children ------------------------------------------------------------------------


@pytest.mark.otp("S130")
@VIRTUAL
@pytest.mark.parametrize("seconds", [0.25, 5.0, 40.0])
async def test_a_child_has_its_time_to_stop_and_is_then_killed(runtime, seconds):
    log: list[str] = []
    loop = asyncio.get_running_loop()
    sup = await start([st.child(Stubborn, log).with_(id="a", name="a", shutdown=seconds)])
    down = runtime.down_slot(st.whereis("a"))

    began = loop.time()
    await st.Supervisor.stop(sup)

    assert await down == st.KILLED
    assert log == ["asked"]
    assert seconds <= loop.time() - began < seconds + 1.5


@pytest.mark.otp("S130")
@VIRTUAL
async def test_infinity_waits_for_as_long_as_it_takes(runtime):
    log: list[str] = []
    gate = asyncio.Event()
    sup = await start([st.child(Stubborn, log, gate).with_(shutdown="infinity")])

    stopping = asyncio.ensure_future(st.Supervisor.stop(sup))
    await asyncio.sleep(10_000)
    assert not stopping.done()
    gate.set()
    await stopping

    assert log == ["asked", "done"]


@pytest.mark.otp("S130")
async def test_brutal_kill_asks_nobody(runtime):
    log: list[str] = []
    sup = await start([worker("a", log, shutdown="brutal_kill")])
    down = runtime.down_slot(st.whereis("a"))

    await st.Supervisor.stop(sup)

    assert await down == st.KILLED
    assert log == ["+a"]


@pytest.mark.otp("S130")
async def test_zero_seconds_are_allowed(runtime):
    log: list[str] = []
    sup = await start([st.child(Stubborn, log).with_(name="a", shutdown=0)])
    down = runtime.down_slot(st.whereis("a"))

    await st.Supervisor.stop(sup)

    assert await down == st.KILLED


@pytest.mark.otp("S130")
@VIRTUAL
@pytest.mark.parametrize("shutdown", [20.0, "infinity"])
async def test_a_child_that_does_not_trap_unwinds_in_the_time_of_its_spec(runtime, shutdown):
    log: list[str] = []

    class Tidy(st.GenServer):
        @st.cast
        async def work(self) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(15)  # longer than the five seconds of a plain exit
                log.append("tidied")

    sup = await start([Tidy.child().with_(name="a", shutdown=shutdown)])
    Tidy.work("a")
    await turn()

    await st.Supervisor.stop(sup)

    assert log == ["tidied"]


@pytest.mark.otp("S131")
@VIRTUAL
async def test_children_stop_one_after_another_in_reverse_order(runtime):
    log: list[str] = []

    class Slow(Worker):
        async def terminate(self, reason: object) -> None:
            await asyncio.sleep(1)
            log.append(f"-{self.id}")

    sup = await start([st.child(Slow, id, Book(log)).with_(id=id) for id in "abc"])
    log.clear()
    loop = asyncio.get_running_loop()
    began = loop.time()

    await st.Supervisor.stop(sup)

    assert log == ["-c", "-b", "-a"]
    assert loop.time() - began == pytest.approx(3)


@pytest.mark.otp("S131")
async def test_a_child_that_unlinked_itself_is_stopped_too(runtime):
    class Naughty(st.GenServer):
        @st.call
        def hide(self) -> None:
            parent = self._process.parent
            assert parent is not None
            st.unlink(parent.pid)

    sup = await start([Naughty.child().with_(name="a")])
    pid = st.whereis("a")
    await Naughty.hide("a")

    await st.Supervisor.stop(sup)

    assert not st.is_alive(pid)


@pytest.mark.otp("S132")
async def test_a_child_that_dies_otherwise_while_being_stopped_is_logged_and_changes_nothing(
    runtime, caplog
):
    sup = await start([worker("a", []), worker("b", [])])
    await Worker.say_goodbye_by("b", "changed")
    down = runtime.down_slot(sup)

    await st.Supervisor.stop(sup, st.NORMAL)

    assert await down == st.NORMAL
    [record] = [r for r in caplog.records if hasattr(r, "crash_report")]
    assert record.crash_report.reason == "changed"
    assert record.crash_report.action == "it was being stopped by its supervisor"


@pytest.mark.otp("S132")
@VIRTUAL
async def test_a_child_that_had_to_be_killed_is_logged(runtime, caplog):
    sup = await start([st.child(Stubborn, []).with_(id="a", shutdown=0.5)])

    await st.Supervisor.stop(sup)

    assert "did not stop within 0.5 s and was killed" in caplog.text


@pytest.mark.otp("S133")
@pytest.mark.parametrize("reason", [st.NORMAL, st.SHUTDOWN, st.Shutdown("deploy"), "boom"])
async def test_a_stopped_supervisor_ends_with_the_reason_it_was_given(runtime, reason):
    log: list[str] = []
    sup = await start([worker(id, log) for id in "ab"])
    down = runtime.down_slot(sup)

    await st.Supervisor.stop(sup, reason)

    assert await down == reason
    assert log == ["+a", "+b", "-b", "-a"]


@pytest.mark.otp("S133")
async def test_a_killed_supervisor_takes_its_children_down_with_killed(runtime):
    log: list[str] = []

    class Plain(st.GenServer):
        """Does not trap."""

    inner = st.Supervisor.child([worker("x", log), worker("y", log)], name="inner")
    sup = await start([Plain.child().with_(name="plain"), worker("a", log), inner])
    downs = [runtime.down_slot(st.whereis(name)) for name in ("plain", "a", "inner")]
    log.clear()

    st.exit(sup, st.KILL)

    assert [await down for down in downs] == [st.KILLED, st.KILLED, st.KILLED]
    assert log.index("-y") < log.index("-x")  # the nested one stops its own in order
    assert sorted(log) == ["-a", "-x", "-y"]


async def test_a_supervisor_killed_while_a_child_starts_answers_who_asked(runtime):
    gate = asyncio.Event()

    class Slow(st.GenServer):
        async def init(self) -> None:
            await gate.wait()

    sup = await start([])
    asking = asyncio.ensure_future(st.Supervisor.start_child(sup, Slow.child()))
    await wait_until(lambda: len(runtime.alive()) == 4)

    st.exit(sup, st.KILL)

    with pytest.raises(st.ServerExitError) as ended:
        await asking
    assert ended.value.reason == st.KILLED
    await wait_until(lambda: len(runtime.alive()) == 2)


@pytest.mark.otp("S133")
async def test_a_suspended_supervisor_still_obeys_its_parent(runtime):
    sup = await st.Supervisor.start_link([worker("a", [])])

    await runtime.system(sup, lambda body: body.suspend(), "suspend")

    st.exit(sup, st.SHUTDOWN)

    assert await wait_down(sup) == st.SHUTDOWN


# -- auto_shutdown -------------------------------------------------------------------------------------


def crew(log: list[str], **significant: str) -> list[st.ChildSpec[Any]]:
    """Workers a, b, c; those named are significant and of that restart type."""
    return [
        worker(id, log, restart=significant[id], significant=True)
        if id in significant
        else worker(id, log)
        for id in "abc"
    ]


@pytest.mark.otp("S140", "S141")
@pytest.mark.parametrize(
    ("restart", "reason", "ends"),
    [
        ("transient", st.NORMAL, True),
        ("transient", st.Shutdown("done"), True),
        ("transient", "boom", False),
        ("temporary", st.NORMAL, True),
        ("temporary", "boom", True),
    ],
)
async def test_a_significant_child_that_is_not_restarted_ends_its_supervisor(
    runtime, restart, reason, ends
):
    log: list[str] = []
    sup = await start(crew(log, b=restart), auto_shutdown="any_significant")
    down = runtime.down_slot(sup)
    log.clear()

    await die("b", sup, reason)

    assert st.is_alive(sup) is not ends
    if ends:
        assert await down == st.SHUTDOWN
        assert log == ["-b", "-c", "-a"]


@pytest.mark.otp("S140", "S253")
async def test_what_others_do_to_a_significant_child_never_triggers_it(runtime):
    log: list[str] = []
    sup = await start(
        [*crew(log, b="temporary"), worker("d", log, restart="transient", significant=True)],
        auto_shutdown="any_significant",
        strategy="one_for_all",
    )

    await st.Supervisor.terminate_child(sup, "d")
    await crash("a", sup)  # a group restart: b goes for ever

    assert await states(sup) == {"a": "up", "c": "up", "d": "up"}


@pytest.mark.otp("S141")
async def test_all_significant_waits_for_the_last_of_them(runtime):
    sup = await start(crew([], a="transient", b="transient"), auto_shutdown="all_significant")

    await die("a", sup, st.NORMAL)
    assert st.is_alive(sup)
    await die("b", sup, st.NORMAL)

    assert not st.is_alive(sup)


@pytest.mark.otp("S141", "S253")
async def test_all_significant_counts_one_that_is_restarting_as_left(runtime):
    log: list[str] = []
    children = [
        worker("a", log, ["ok", "error"], restart="transient", significant=True),
        worker("b", log, restart="transient", significant=True),
    ]
    sup = await start(children, auto_shutdown="all_significant", max_restarts=10)

    async with paused(sup):
        await kill("a")  # its restart fails first, and waits behind the end of b
        pid = st.whereis("b")
        down = runtime.down_slot(pid)
        Worker.end(pid, st.NORMAL)
        await down
    await settled(sup)
    await settled(sup)

    assert log[-2:] == ["error a", "+a"]
    assert await states(sup) == {"a": "up", "b": "down"}


@pytest.mark.otp("S141")
async def test_all_significant_does_not_count_one_that_was_terminated(runtime):
    sup = await start(crew([], a="transient", b="transient"), auto_shutdown="all_significant")

    await st.Supervisor.terminate_child(sup, "a")
    await die("b", sup, st.NORMAL)

    assert not st.is_alive(sup)


@pytest.mark.otp("S142")
async def test_the_end_of_other_children_never_triggers_it(runtime):
    sup = await start(
        [*crew([], a="transient"), worker("d", [], restart="temporary")],
        auto_shutdown="any_significant",
    )

    await die("d", sup, st.NORMAL)

    assert await ids_up(sup) == ["a", "b", "c"]


@pytest.mark.otp("S142")
async def test_a_significant_child_that_never_started_triggers_nothing_and_counts_as_gone(runtime):
    log: list[str] = []
    sup = await start(
        [
            worker("a", log, ["ignore"], restart="transient", significant=True),
            worker("b", log, restart="transient", significant=True),
        ],
        auto_shutdown="all_significant",
    )
    assert st.is_alive(sup)

    await die("b", sup, st.NORMAL)

    assert not st.is_alive(sup)


@pytest.mark.otp("S141", "S256")
async def test_an_automatic_end_is_a_normal_one_for_a_transient_supervisor(runtime):
    inner = st.Supervisor.child(
        crew([], b="transient"), auto_shutdown="any_significant", name="inner"
    )
    outer = await start([inner.with_(restart="transient")])

    await die("b", st.whereis("inner"), st.NORMAL)
    await settled(outer)

    assert await states(outer) == {"inner": "down"}


async def test_an_automatic_end_does_not_end_the_block_that_started_it(runtime):
    sup = await st.Supervisor.start_link(crew([], b="transient"), auto_shutdown="any_significant")

    await die("b", sup, st.NORMAL)
    await turn(3)

    assert not st.is_alive(sup)
    assert not runtime.is_ending()


@VIRTUAL
@pytest.mark.parametrize("kind", ["in order", "together"])
async def test_a_child_that_is_being_stopped_ends_in_its_time_though_its_supervisor_is_killed(
    runtime, kind
):
    class Slow(st.GenServer):
        trap_exit = True

        async def terminate(self, reason: object) -> None:
            await asyncio.sleep(3600)

    spec = st.child(Slow).with_(shutdown=2.0, name="slow")
    if kind == "in order":
        supervisor = await st.Supervisor.child([spec]).start_unlinked()
    else:
        supervisor = await st.DynamicSupervisor.child().start_unlinked()
        await st.DynamicSupervisor.start_child(supervisor, spec)
    child = st.whereis("slow")
    stopping = asyncio.create_task(st.Supervisor.stop(supervisor))
    await turn()
    st.exit(supervisor, st.KILL)

    assert await wait_down(child) is st.KILLED
    with pytest.raises(st.ServerExitError):
        await stopping
