"""S160 to S162 and S170 to S178: children on demand."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.testing import turn, wait_down, wait_until
from tests.otp.probes import Book, Worker, crash, die, kill, paused, settled, worker

D = st.DynamicSupervisor
VIRTUAL = pytest.mark.suptree_loop("virtual")


async def start(**options: Any) -> st.Pid[Any]:
    """Start a dynamic supervisor whose giving up does not end the test."""
    top = await D.start_link()
    return await D.start_child(top, D.child(**options).with_(restart="temporary"))


# -- start ------------------------------------------------------------------------------------------


@pytest.mark.otp("S170")
async def test_it_starts_without_children_and_they_have_no_id(runtime):
    log: list[str] = []
    sup = await start()
    assert await D.which_children(sup) == []

    pid = await D.start_child(sup, worker("a", log))

    assert log == ["+a"]
    assert await D.which_children(sup) == [st.ChildInfo(None, pid, "worker", (Worker,))]


async def test_its_children_can_be_looked_at(runtime):
    sup = await start(max_restarts=100)
    spec = worker("a", [], backoff=st.Backoff(first=9.0))
    a = await D.start_child(sup, spec)
    b = await D.start_child(sup, st.Supervisor.child([]))
    body = runtime.find(sup).body
    assert body.children_of() == [(None, a, "worker"), (None, b, "supervisor")]

    await crash("a", sup)

    assert body.children_of() == [(None, b, "supervisor"), (None, "restarting", "worker")]
    assert repr(st.RESTARTING) == "RESTARTING"
    assert await st.Supervisor.get_childspec(sup, a) == spec


@pytest.mark.otp("S170")
async def test_the_same_spec_may_be_started_many_times(runtime):
    sup = await start()
    spec = st.child(Worker, "a", Book([]))

    pids = {await D.start_child(sup, spec) for _ in range(5)}

    assert {child.pid for child in await D.which_children(sup)} == pids


@pytest.mark.otp("S104", "S170")
def test_the_defaults_are_those_of_a_supervisor():
    spec = D.child()

    assert (spec.type, spec.shutdown, spec.restart) == ("supervisor", "infinity", "permanent")
    assert (D.max_restarts, D.max_seconds, D.max_children, D.extra_arguments) == (3, 5.0, None, ())


@pytest.mark.otp("S172")
@pytest.mark.parametrize(
    ("word", "error", "reason"),
    [
        ("error", st.StartError, "no_start"),
        ("ignore", st.StartIgnoredError, "ignore"),
    ],
)
async def test_a_start_that_fails_tells_its_own_reason_and_keeps_nothing(
    runtime, word, error, reason
):
    sup = await start()

    with pytest.raises(error) as failure:
        await D.start_child(sup, worker("a", [], [word]))

    assert failure.value.reason == reason
    assert await D.count_children(sup) == st.ChildCounts(0, 0, 0, 0)


@pytest.mark.otp("S172")
async def test_a_taken_name_is_told_with_its_holder(runtime):
    sup = await start()
    pid = await D.start_child(sup, worker("a", []))

    with pytest.raises(st.AlreadyStartedError) as refusal:
        await D.start_child(sup, worker("a", []))

    assert refusal.value.pid == pid


@pytest.mark.otp("S172")
async def test_a_bad_spec_is_refused_at_the_caller(runtime):
    sup = await start()

    async with paused(sup):  # nothing is sent: this would wait for ever
        with pytest.raises(st.ChildSpecError):
            await D.start_child(sup, "no spec")  # type: ignore[arg-type]


@pytest.mark.otp("S175")
async def test_a_significant_child_is_refused(runtime):
    sup = await start()

    with pytest.raises(st.ChildSpecError, match="no auto_shutdown"):
        await D.start_child(sup, worker("a", [], restart="transient", significant=True))


@pytest.mark.otp("S171", "S173")
@pytest.mark.parametrize("limit", [0, 2])
async def test_max_children_refuses_before_the_init_is_called(runtime, limit):
    log: list[str] = []
    sup = await start(max_children=limit)
    for number in range(limit):
        await D.start_child(sup, worker(f"w{number}", log))
    log.clear()

    with pytest.raises(st.MaxChildrenError) as refusal:
        await D.start_child(sup, worker("x", log))

    assert log == []
    assert refusal.value.id == limit


@pytest.mark.otp("S171")
async def test_a_place_is_free_again_when_its_child_has_gone(runtime):
    sup = await start(max_children=1)
    await D.start_child(sup, worker("a", [], restart="temporary"))
    await die("a", sup, st.NORMAL)

    await D.start_child(sup, worker("b", []))

    assert st.whereis("b")


@pytest.mark.otp("S171")
async def test_a_restarting_child_has_its_place(runtime):
    sup = await start(max_children=1, max_restarts=100)
    await D.start_child(sup, worker("r", [], ["ok", "error"]))

    async with paused(sup):
        await kill("r")
        asking = asyncio.ensure_future(D.start_child(sup, worker("x", [])))
        await turn()
    with pytest.raises(st.MaxChildrenError):
        await asking


@pytest.mark.otp("S173")
async def test_extra_arguments_come_first_at_start_and_restart(runtime):
    seen: list[tuple[object, ...]] = []

    class Child(st.GenServer):
        def __init__(self, *args: object) -> None:
            seen.append(args)

    sup = await start(extra_arguments=("x", "y"), max_restarts=100)
    pid = await D.start_child(sup, st.child(Child, "own"))

    st.exit(pid, "boom")
    await wait_down(pid)
    await settled(sup)

    assert seen == [("x", "y", "own")] * 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_children": -1}, "max_children must be an int of 0 or more"),
        ({"max_children": 1.5}, "got 1.5"),
        ({"max_restarts": -1}, "max_restarts"),
        ({"max_seconds": 0}, "max_seconds"),
        ({"extra_arguments": [1]}, "extra_arguments must be a tuple"),
    ],
)
def test_a_wrong_option_is_refused_where_it_is_written(options, told):
    with pytest.raises(st.SupervisorOptionsError, match=told):
        D.child(**options)


async def test_a_class_says_its_options(runtime):
    class Pool(D, restart="transient"):
        max_children = 1

        def __init__(self, prefix: str) -> None:
            self.extra_arguments = (prefix,)

    sup = await Pool.start_link("p")
    log: list[str] = []
    await D.start_child(sup, st.child(Worker, Book(log)))  # the prefix is its id
    with pytest.raises(st.MaxChildrenError):
        await D.start_child(sup, st.child(Worker, Book(log)))

    assert log == ["+p"]
    assert Pool.child("p").restart == "transient"


async def test_init_may_ignore_it(runtime):
    class Closed(D):
        def init(self) -> st.Ignore:
            return st.Ignore()

    with pytest.raises(st.StartIgnoredError):
        await Closed.start_link()


# -- restarts -----------------------------------------------------------------------------------------


@pytest.mark.otp("S110", "S170")
@pytest.mark.parametrize(
    ("restart", "reason", "comes_back"),
    [
        ("permanent", st.NORMAL, True),
        ("transient", st.NORMAL, False),
        ("transient", st.Shutdown(1), False),
        ("transient", "boom", True),
        ("temporary", "boom", False),
    ],
)
async def test_restart_types_are_those_of_a_supervisor_but_what_ends_is_forgotten(
    runtime, restart, reason, comes_back
):
    sup = await start(max_restarts=100)
    await D.start_child(sup, worker("a", [], restart=restart))

    await die("a", sup, reason)

    assert (st.whereis("a") is not None) is comes_back
    assert (await D.count_children(sup)).specs == int(comes_back)


@pytest.mark.otp("S170")
async def test_siblings_are_not_touched(runtime):
    log: list[str] = []
    sup = await start(max_restarts=100)
    for id in "abc":
        await D.start_child(sup, worker(id, log))
    log.clear()

    await crash("b", sup)

    assert log == ["-b", "+b"]


@pytest.mark.otp("S170", "S178")
@VIRTUAL
async def test_the_limit_and_the_window_are_the_supervisors(runtime):
    log: list[str] = []
    sup = await start(max_restarts=1, max_seconds=5.0)
    for id in "ab":
        await D.start_child(sup, worker(id, log))
    down = runtime.down_slot(sup)

    await crash("a", sup)
    await asyncio.sleep(5.1)
    await crash("b", sup)
    assert st.is_alive(sup)
    await crash("a", sup)

    assert await down == st.SHUTDOWN
    assert log[-1] == "-b"


@pytest.mark.otp("S174")
async def test_a_restart_that_init_ignores_removes_the_child(runtime):
    sup = await start(max_restarts=100)
    await D.start_child(sup, worker("a", [], ["ok", "ignore"]))

    await crash("a", sup)

    assert await D.which_children(sup) == []


@pytest.mark.otp("S174", "S124")
async def test_a_failed_restart_is_listed_as_restarting_and_tried_again(runtime):
    log: list[str] = []
    sup = await start(max_restarts=100)
    await D.start_child(sup, worker("a", log, ["ok", "error", "error", "ok"]))

    async with paused(sup):
        await kill("a")
        asking = asyncio.ensure_future(D.which_children(sup))
        counting = asyncio.ensure_future(D.count_children(sup))
        await turn()
    [child] = await asking
    await wait_until(lambda: st.whereis("a"))

    assert child.pid is st.RESTARTING
    assert await counting == st.ChildCounts(specs=1, active=0, supervisors=0, workers=1)
    assert log == ["+a", "error a", "error a", "+a"]
    [child] = await D.which_children(sup)
    assert child.pid == st.whereis("a")


@pytest.mark.otp("S174")
async def test_the_old_pid_cancels_a_restart(runtime):
    log: list[str] = []
    sup = await start(max_restarts=100)
    pid = await D.start_child(sup, worker("a", log, ["ok", "error"]))

    async with paused(sup):
        await kill("a")
        asking = asyncio.ensure_future(D.terminate_child(sup, pid))
        await turn()
    await asking
    await settled(sup)

    assert log == ["+a", "error a"]
    assert await D.which_children(sup) == []
    with pytest.raises(st.ChildNotFoundError):
        await D.terminate_child(sup, pid)


@VIRTUAL
async def test_a_backed_off_child_waits_and_can_be_cancelled(runtime):
    log: list[str] = []
    sup = await start(max_restarts=100)
    spec = worker("a", log, backoff=st.Backoff(first=2.0, jitter=0.0))
    pid = await D.start_child(sup, spec)
    loop = asyncio.get_running_loop()

    began = loop.time()
    await crash("a", sup)
    await wait_until(lambda: st.whereis("a"))
    assert loop.time() - began == pytest.approx(2.0)
    pid = st.whereis("a")
    await crash("a", sup)
    await D.terminate_child(sup, pid)
    await asyncio.sleep(100)

    assert log == ["+a", "-a", "+a", "-a"]
    assert (await D.count_children(sup)).specs == 0


async def test_nothing_comes_back_into_a_closing_runtime(runtime_options):
    log: list[str] = []
    async with st.Runtime(**runtime_options) as rt:
        sup = await D.start_link()
        await D.start_child(sup, worker("a", log))

        async def late() -> None:
            await kill("a")
            await settled(sup)

        rt.close_hooks.append(late)

    assert log == ["+a"]


# -- stop -------------------------------------------------------------------------------------------------


@pytest.mark.otp("S175", "S111")
@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
async def test_terminate_removes_the_child_whatever_its_restart_type(runtime, restart):
    log: list[str] = []
    sup = await start()
    pid = await D.start_child(sup, worker("a", log, restart=restart))

    await D.terminate_child(sup, pid)

    assert log == ["+a", "-a"]
    assert await D.which_children(sup) == []


@pytest.mark.otp("S175", "S161")
@pytest.mark.parametrize("target", ["stranger", "dead", "a", None, []])
async def test_terminate_refuses_what_is_no_child(runtime, target):
    sup = await start()
    await D.start_child(sup, worker("a", []))
    stranger = await Worker.start_link("s", Book([]))
    dead = runtime.spawn(lambda: None)
    await wait_down(dead)
    pid: Any = {"stranger": stranger, "dead": dead}.get(str(target), target)

    with pytest.raises(st.ChildNotFoundError):
        await D.terminate_child(sup, pid)

    assert st.is_alive(stranger)
    assert (await D.count_children(sup)).active == 1


@pytest.mark.otp("S176")
async def test_count_children_counts_types(runtime):
    sup = await start()
    await D.start_child(sup, worker("a", []))
    await D.start_child(sup, st.Supervisor.child([]))

    assert await D.count_children(sup) == st.ChildCounts(2, 2, 1, 1)


class Slow(st.GenServer):
    """Takes its time to stop."""

    trap_exit = True

    def __init__(self, id: str, log: list[str], seconds: float) -> None:
        self.id, self.log, self.seconds = id, log, seconds

    async def terminate(self, reason: object) -> None:
        self.log.append(f"asked {self.id}")
        await asyncio.sleep(self.seconds)
        self.log.append(f"done {self.id}")


@pytest.mark.otp("S162", "S177")
@VIRTUAL
async def test_a_stop_tells_all_at_once_and_awaits_them_together(runtime):
    log: list[str] = []
    sup = await start()
    for number in range(20):
        await D.start_child(sup, st.child(Slow, "x", log, 3.0).with_(id=number))
    loop = asyncio.get_running_loop()
    began = loop.time()

    await D.stop(sup)

    assert log == ["asked x"] * 20 + ["done x"] * 20
    assert loop.time() - began == pytest.approx(3.0)


@pytest.mark.otp("S177")
@VIRTUAL
async def test_each_child_has_its_own_time_to_stop(runtime, caplog):
    log: list[str] = []
    sup = await start()
    downs = {}
    for id, shutdown in [("a", 1.0), ("b", 2.5), ("c", "infinity"), ("d", "brutal_kill")]:
        pid = await D.start_child(sup, st.child(Slow, id, log, 10.0).with_(shutdown=shutdown))
        downs[id] = runtime.down_slot(pid)
    loop = asyncio.get_running_loop()
    began = loop.time()

    await D.stop(sup)

    assert {id: await down for id, down in downs.items()} == {
        "a": st.KILLED,
        "b": st.KILLED,
        "c": st.SHUTDOWN,
        "d": st.KILLED,
    }
    assert sorted(log) == ["asked a", "asked b", "asked c", "done c"]
    assert loop.time() - began == pytest.approx(10.0)
    assert caplog.text.count("was killed") == 2


async def test_a_stop_leaves_nothing_behind(runtime):
    sup = await start(max_restarts=100)
    for id in "abc":
        await D.start_child(
            sup, worker(id, [], backoff=st.Backoff(first=60.0)).with_(shutdown=30.0)
        )
    await crash("a", sup)

    await D.stop(sup)

    assert len(runtime.alive()) == 2
    assert runtime.ticker.timers.live == 0


@pytest.mark.otp("S133")
async def test_a_killed_dynamic_supervisor_takes_its_children_with_it(runtime):
    sup = await start()
    pids = [await D.start_child(sup, worker(id, [])) for id in "abc"]

    st.exit(sup, st.KILL)

    for pid in pids:
        await wait_down(pid)
    assert len(runtime.alive()) == 2


# -- a template ---------------------------------------------------------------------------------------------


@pytest.mark.otp("S160")
async def test_a_template_starts_none_and_takes_more_arguments(runtime):
    log: list[str] = []
    seen: list[tuple[object, ...]] = []

    class Child(st.GenServer):
        def __init__(self, *args: object) -> None:
            seen.append(args)

    sup = await start(template=st.child(Child, 1), max_restarts=100)
    assert seen == log == []

    pid = await D.start_more(sup, 2, 3)
    await D.start_more(sup)
    st.exit(pid, "boom")
    await wait_down(pid)
    await settled(sup)

    assert seen == [(1, 2, 3), (1,), (1, 2, 3)]


@pytest.mark.otp("S160")
@pytest.mark.parametrize(
    ("word", "error"), [("ignore", st.StartIgnoredError), ("error", st.StartError)]
)
async def test_a_template_keeps_nothing_of_a_start_that_fails(runtime, word, error):
    sup = await start(template=st.child(Worker, "a"))

    with pytest.raises(error):
        await D.start_more(sup, Book([], [word]))

    assert await D.which_children(sup) == []


@pytest.mark.otp("S161")
async def test_children_of_a_template_are_named_by_their_pids_only(runtime):
    sup = await start(template=st.child(Worker, "a", Book([])))
    pid = await D.start_more(sup)

    for request in (st.Supervisor.restart_child, st.Supervisor.delete_child):
        with pytest.raises(st.BadRequestError):
            await request(sup, "a")
    with pytest.raises(st.ChildNotFoundError):
        await st.Supervisor.terminate_child(sup, "a")
    await D.terminate_child(sup, pid)

    assert not st.is_alive(pid)


@pytest.mark.otp("S160")
async def test_a_template_and_a_spec_exclude_each_other(runtime):
    plain = await start()
    templated = await start(template=st.child(Worker, "a", Book([])))

    with pytest.raises(st.ChildSpecError, match="no template"):
        await D.start_more(plain, 1)
    with pytest.raises(st.ChildSpecError, match="start_more"):
        await D.start_child(templated, worker("b", []))


def test_a_template_whose_start_takes_no_arguments_is_refused():
    class Odd:
        label = "odd"

        def start(self, *_: object) -> None:
            raise AssertionError

    with pytest.raises(st.ChildSpecError, match="cannot be"):
        D.child(template=st.ChildSpec(start=Odd()))  # type: ignore[arg-type]


# -- code change ------------------------------------------------------------------------------------------------


@pytest.mark.otp("S158")
async def test_a_code_change_takes_new_options_and_keeps_the_children(runtime):
    class Before(D):
        max_children = 1

    class After(Before):
        max_children = 2

    sup = await Before.start_link()
    await D.start_child(sup, worker("a", []))
    async with paused(sup):
        await runtime.system(sup, lambda body: body.change_code(After, None, None), "change")

    await D.start_child(sup, worker("b", []))

    assert (await D.count_children(sup)).active == 2
