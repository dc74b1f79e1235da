"""S150 to S157: what may be asked of a supervisor, and what is refused."""

from __future__ import annotations

import asyncio

import pytest

import suptree as st
from suptree.testing import turn
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

S = st.Supervisor


async def restarting(sup: st.Pid[object], asking: object) -> object:
    """Ask while the child 'r' is restarting: its restart has failed, its next try is queued behind."""
    async with paused(sup):
        await kill("r")
        answer = asyncio.ensure_future(asking)  # type: ignore[arg-type]
        await turn()
    return await answer


# -- start_child -----------------------------------------------------------------------------------


@pytest.mark.otp("S150")
async def test_a_new_child_is_the_last_in_start_order(runtime):
    log: list[str] = []
    sup = await start([worker("a", log)])

    pid = await S.start_child(sup, worker("b", log))
    await S.stop(sup)

    assert isinstance(pid, st.Pid)
    assert log == ["+a", "+b", "-b", "-a"]


@pytest.mark.otp("S150")
async def test_an_id_with_a_process_is_already_started(runtime):
    log: list[str] = []
    sup = await start([worker("a", log)])

    with pytest.raises(st.AlreadyStartedError) as refusal:
        await S.start_child(sup, worker("a", log))

    assert refusal.value.pid == st.whereis("a")
    assert log == ["+a"]


@pytest.mark.otp("S150")
async def test_an_id_whose_process_has_just_died_is_already_started(runtime):
    sup = await start([worker("a", [])])
    dead = st.whereis("a")

    async with paused(sup):
        asking = asyncio.ensure_future(S.start_child(sup, worker("a", [])))
        await turn()
        await kill("a")  # its exit comes behind the request
    with pytest.raises(st.AlreadyStartedError) as refusal:
        await asking

    assert refusal.value.pid == dead


@pytest.mark.otp("S150", "S251")
async def test_an_id_that_is_down_or_restarting_is_already_present(runtime):
    log: list[str] = []
    sup = await start([worker("d", log), worker("r", log, ["ok", "error"])], max_restarts=100)
    await S.terminate_child(sup, "d")

    with pytest.raises(st.ChildAlreadyPresentError) as down:
        await S.start_child(sup, worker("d", log))
    with pytest.raises(st.ChildAlreadyPresentError):
        await restarting(sup, S.start_child(sup, worker("r", log)))

    assert down.value.id == "d"


@pytest.mark.otp("S150", "S102")
@pytest.mark.parametrize(("restart", "kept"), [("permanent", True), ("temporary", False)])
async def test_an_ignored_start_keeps_the_spec_unless_temporary(runtime, restart, kept):
    sup = await start([])

    with pytest.raises(st.StartIgnoredError):
        await S.start_child(sup, worker("a", [], ["ignore"], restart=restart))

    assert await states(sup) == ({"a": "down"} if kept else {})


@pytest.mark.otp("S150", "S251")
@pytest.mark.parametrize("word", ["error", "raise"])
async def test_a_failed_start_keeps_nothing_and_leaves_the_supervisor_alone(runtime, word):
    sup = await start([worker("a", [])])

    with pytest.raises(st.StartError) as failure:
        await S.start_child(sup, worker("b", [], [word]))

    assert await states(sup) == {"a": "up"}
    reason = failure.value.reason
    assert reason == "no_start" or reason.text == "init_boom"


async def test_a_taken_name_refuses_the_start_with_its_holder(runtime):
    sup = await start([worker("a", [])])

    with pytest.raises(st.AlreadyStartedError) as refusal:
        await S.start_child(sup, worker("a", []).with_(id="other"))

    assert refusal.value.pid == st.whereis("a")
    assert await ids_up(sup) == ["a"]


@pytest.mark.otp("S103", "S150")
async def test_what_is_no_spec_is_refused_before_it_is_sent(runtime):
    sup = await start([])

    with pytest.raises(st.ChildSpecError, match="must be a ChildSpec"):
        await S.start_child(sup, "worker")  # type: ignore[arg-type]


async def test_a_class_is_a_child_too(runtime):
    class Simple(st.GenServer):
        pass

    sup = await start([])

    pid = await S.start_child(sup, Simple)  # type: ignore[arg-type]

    assert st.is_alive(pid)


# -- terminate, restart, delete ------------------------------------------------------------------------


@pytest.mark.otp("S151")
async def test_terminate_keeps_the_spec_and_is_fine_twice(runtime):
    log: list[str] = []
    sup = await start([worker("a", log), worker("b", log)])

    await S.terminate_child(sup, "a")
    await S.terminate_child(sup, "a")

    assert log == ["+a", "+b", "-a"]
    assert await states(sup) == {"a": "down", "b": "up"}


@pytest.mark.otp("S111", "S151")
async def test_terminate_forgets_a_temporary_child(runtime):
    sup = await start([worker("a", [], restart="temporary")])

    await S.terminate_child(sup, "a")

    assert await states(sup) == {}


@pytest.mark.otp("S151", "S127")
async def test_terminate_cancels_a_restart(runtime):
    log: list[str] = []
    sup = await start([worker("r", log, ["ok", "error"])], max_restarts=100)

    await restarting(sup, S.terminate_child(sup, "r"))
    await settled(sup)

    assert log == ["+r", "error r"]
    assert await states(sup) == {"r": "down"}


@pytest.mark.otp("S152")
async def test_restart_starts_a_child_that_is_down_in_its_old_place(runtime):
    sup = await start([worker("a", []), worker("b", [])])
    await S.terminate_child(sup, "a")

    pid = await S.restart_child(sup, "a")

    assert st.whereis("a") == pid
    assert await ids_up(sup) == ["a", "b"]


@pytest.mark.otp("S152")
async def test_a_restart_by_request_that_fails_is_not_tried_again(runtime):
    log: list[str] = []
    sup = await start([worker("a", log, ["ok", "error", "ignore", "ok"])], max_restarts=0)
    await S.terminate_child(sup, "a")
    log.clear()

    with pytest.raises(st.StartError) as failure:
        await S.restart_child(sup, "a")
    with pytest.raises(st.StartIgnoredError):
        await S.restart_child(sup, "a")
    assert await states(sup) == {"a": "down"}
    await S.restart_child(sup, "a")

    assert failure.value.reason == "no_start"
    assert log == ["error a", "ignore a", "+a"]


@pytest.mark.otp("S153")
async def test_delete_forgets_a_child_that_is_down(runtime):
    sup = await start([worker("a", []), worker("b", [])])
    await S.terminate_child(sup, "a")

    await S.delete_child(sup, "a")

    assert await states(sup) == {"b": "up"}
    await S.start_child(sup, worker("a", []))
    assert await ids_up(sup) == ["b", "a"]


@pytest.mark.otp("S152", "S153")
@pytest.mark.parametrize("request_", [S.restart_child, S.delete_child])
async def test_restart_and_delete_refuse_what_is_not_down(runtime, request_):
    sup = await start([worker("a", []), worker("r", [], ["ok", "error"])], max_restarts=100)

    with pytest.raises(st.ChildRunningError) as running:
        await request_(sup, "a")
    with pytest.raises(st.ChildRestartingError):
        await restarting(sup, request_(sup, "r"))

    assert running.value.id == "a"


@pytest.mark.otp("S151", "S152", "S153", "S156")
@pytest.mark.parametrize(
    "request_", [S.terminate_child, S.restart_child, S.delete_child, S.get_childspec]
)
@pytest.mark.parametrize("id", ["zebra", None, ["not hashable"]])
async def test_an_unknown_id_is_refused_by_every_request_that_names_one(runtime, request_, id):
    sup = await start([worker("a", [])])

    with pytest.raises(st.ChildNotFoundError) as refusal:
        await request_(sup, id)

    assert refusal.value.id == id
    assert await ids_up(sup) == ["a"]


# -- looking -----------------------------------------------------------------------------------------------


@pytest.mark.otp("S154", "S250")
async def test_which_children_lists_the_newest_first_after_restarts_too(runtime):
    sup = await start([worker(id, []) for id in "abc"], strategy="one_for_all")
    await crash("b", sup)
    await S.start_child(sup, worker("d", [], restart="transient"))
    await die("d", sup, st.NORMAL)

    children = await S.which_children(sup)

    assert [child.id for child in children] == ["d", "c", "b", "a"]
    assert [child.pid for child in children] == [None, *map(st.whereis, "cba")]
    assert children[1] == st.ChildInfo("c", st.whereis("c"), "worker", (Worker,))


@pytest.mark.otp("S154")
async def test_which_children_shows_a_restarting_child_as_such(runtime):
    sup = await start([worker("r", [], ["ok", "error"])], max_restarts=100)

    [child] = await restarting(sup, S.which_children(sup))  # type: ignore[misc]

    assert child.pid is st.RESTARTING


@pytest.mark.otp("S155")
async def test_count_children_tells_specs_live_processes_and_types(runtime):
    inner = st.Supervisor.child([]).with_(id="inner")
    sup = await start([worker("a", []), worker("b", []), inner])
    await S.terminate_child(sup, "b")
    assert await S.count_children(sup) == st.ChildCounts(
        specs=3, active=2, supervisors=1, workers=2
    )

    async with paused(sup):
        asking = asyncio.ensure_future(S.count_children(sup))
        await turn()
        await kill("a")  # dead, though its exit is not handled yet

    assert (await asking).active == 1


@pytest.mark.otp("S156")
async def test_get_childspec_gives_the_whole_spec(runtime):
    spec = worker("a", [], restart="transient", shutdown=2.5)
    sup = await start([spec])

    assert await S.get_childspec(sup, "a") == spec


# -- order, and the end -------------------------------------------------------------------------------------


@pytest.mark.otp("S157", "S255")
async def test_requests_and_exits_are_served_in_order_of_arrival(runtime):
    log: list[str] = []
    sup = await start([worker("a", log), worker("b", log)])
    log.clear()

    async with paused(sup):
        first = asyncio.ensure_future(S.terminate_child(sup, "b"))
        await turn()
        await kill("a")
        last = asyncio.ensure_future(S.start_child(sup, worker("c", log)))
        await turn()
    await asyncio.gather(first, last)

    assert log == ["-b", "+a", "+c"]


@pytest.mark.otp("S157")
async def test_whoever_waits_when_the_supervisor_ends_gets_its_reason(runtime):
    sup = await start([worker("a", [])], max_restarts=0)

    async with paused(sup):
        await kill("a")
        asking = asyncio.ensure_future(S.which_children(sup))
        await turn()
    with pytest.raises(st.ServerExitError) as ended:
        await asking

    assert ended.value.reason == st.SHUTDOWN


@pytest.mark.otp("S157")
@pytest.mark.suptree_loop("virtual")
async def test_a_request_waits_for_as_long_as_the_supervisor_is_busy(runtime):
    gate = asyncio.Event()

    class Slow(st.GenServer):
        async def init(self) -> None:
            await gate.wait()

    sup = await start([])
    starting = asyncio.ensure_future(S.start_child(sup, Slow.child()))
    asking = asyncio.ensure_future(S.count_children(sup))
    await asyncio.sleep(3600)
    assert not asking.done()

    gate.set()
    await starting

    assert (await asking).specs == 1


async def test_a_request_to_nobody_says_so(runtime):
    sup = await start([])
    await S.stop(sup)

    for target in (sup, "nobody"):
        with pytest.raises(st.NoProcessError):
            await S.which_children(target)


async def test_a_request_to_a_server_is_refused_and_does_not_hurt_it(runtime):
    server = await Worker.start_link("a", Book([]))

    with pytest.raises(st.BadRequestError, match="not a supervisor"):
        await S.which_children(server)

    assert st.is_alive(server)


async def test_a_request_that_this_kind_does_not_know_is_refused(runtime):
    sup = await st.DynamicSupervisor.start_link()

    with pytest.raises(st.BadRequestError):
        await S.delete_child(sup, "a")
    with pytest.raises(st.BadRequestError):
        await st.GenServer.call(sup, "hello")

    assert st.is_alive(sup)


async def test_a_supervisor_is_found_by_its_name(runtime):
    await S.start_link([worker("a", [])], name="shop")

    assert (await S.count_children("shop")).active == 1
    await S.stop("shop")
    assert st.whereis("shop") is None


async def test_the_state_of_a_supervisor_can_be_looked_at_but_not_replaced(runtime):
    sup = await start([worker("a", [])])

    state = await runtime.system(sup, lambda body: body.get_state(), "get_state")
    with pytest.raises(st.BadRequestError):
        await runtime.system(sup, lambda body: body.replace_state(None), "replace_state")

    assert state["children"] == [("a", st.whereis("a"), "worker")]


class Touchy:
    """An id that cannot be compared."""

    def __hash__(self) -> int:
        return hash("a")

    def __eq__(self, other: object) -> bool:
        raise ArithmeticError("do not compare me")


@pytest.mark.parametrize("doing", ["start_child", "terminate_child", "get_childspec"])
async def test_an_id_whose_comparison_raises_is_the_mistake_of_who_asks(runtime, doing):
    sup = await start([worker("a", [])])
    spec = worker("b", []).with_(id=Touchy())
    what = spec if doing == "start_child" else spec.id

    with pytest.raises(st.BadRequestError, match=r"comparing that id raised ArithmeticError"):
        await getattr(st.Supervisor, doing)(sup, what)

    assert await ids_up(sup) == ["a"]
