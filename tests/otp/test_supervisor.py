"""S100 to S105, S158, S159: how a supervisor starts, and what it refuses to start with."""

from __future__ import annotations

import asyncio

import pytest

import suptree as st
from suptree.testing import wait_until
from tests.otp.probes import Book, Worker, crash, ids_up, settled, states, worker


class Shop(st.Supervisor):
    """Options and children in one place."""

    strategy = "rest_for_one"
    max_restarts = 5

    def __init__(self, log: list[str], size: int = 2) -> None:
        self.log = log
        self.size = size

    def children(self) -> list[st.ChildSpec[object]]:
        return [worker(f"w{n}", self.log) for n in range(self.size)]


class Slow(st.GenServer):
    """Takes its time to start."""

    def __init__(self, id: str, log: list[str], gate: asyncio.Event) -> None:
        self.id, self.log, self.gate = id, log, gate

    async def init(self) -> None:
        self.log.append(f"begin {self.id}")
        await self.gate.wait()
        self.log.append(f"end {self.id}")


# -- start ---------------------------------------------------------------------------------


@pytest.mark.otp("S100")
async def test_children_start_in_list_order(runtime):
    log: list[str] = []

    sup = await st.Supervisor.start_link([worker(id, log) for id in "abc"])

    assert log == ["+a", "+b", "+c"]
    assert await ids_up(sup) == ["a", "b", "c"]


@pytest.mark.otp("S100")
@pytest.mark.suptree_loop("virtual")
async def test_each_init_is_awaited_before_the_next_child_starts(runtime):
    log: list[str] = []
    gate = asyncio.Event()
    children = [st.child(Slow, "a", log, gate).with_(id="a"), worker("b", log)]
    top = await st.DynamicSupervisor.start_link()
    spec = st.Supervisor.child(children)
    starting = asyncio.ensure_future(st.DynamicSupervisor.start_child(top, spec))
    await wait_until(lambda: log == ["begin a"])
    await asyncio.sleep(1000)  # for as long as it takes
    assert log == ["begin a"]

    gate.set()
    await starting

    assert log == ["begin a", "end a", "+b"]


@pytest.mark.otp("S100")
async def test_a_supervisor_traps_exits(runtime):
    sup = await st.Supervisor.start_link([])

    stranger = runtime.spawn(lambda: st.exit(sup, "a stranger's signal"))
    await runtime.down_slot(stranger)
    await settled(sup)

    assert st.is_alive(sup)


@pytest.mark.otp("S101")
async def test_a_child_that_fails_stops_those_before_it_and_the_supervisor(runtime):
    log: list[str] = []
    children = [worker("a", log), worker("b", log), worker("c", log, ["error"]), worker("d", log)]

    with pytest.raises(st.StartError) as failure:
        await st.Supervisor.start_link(children)

    assert failure.value.reason == st.Shutdown(st.FailedToStartChild("c", "no_start"))
    assert log == ["+a", "+b", "error c", "-b", "-a"]
    assert runtime.alive() == [st.current()]


@pytest.mark.otp("S101")
async def test_nothing_is_tried_again_at_start(runtime):
    log: list[str] = []

    with pytest.raises(st.StartError):
        await st.Supervisor.start_link([worker("a", log, ["error", "ok"])], max_restarts=10)

    assert log == ["error a"]


@pytest.mark.otp("S101", "S159")
async def test_the_reason_of_a_nested_failure_nests(runtime):
    inner = st.Supervisor.child([worker("w", [], ["error"])]).with_(id="inner")

    with pytest.raises(st.StartError) as failure:
        await st.Supervisor.start_link([inner])

    cause = st.Shutdown(st.FailedToStartChild("w", "no_start"))
    assert failure.value.reason == st.Shutdown(st.FailedToStartChild("inner", cause))


@pytest.mark.otp("S102")
async def test_a_raise_in_init_is_a_crash_as_the_reason(runtime):
    with pytest.raises(st.StartError) as failure:
        await st.Supervisor.start_link([worker("a", [], ["raise"])])

    reason = failure.value.reason.detail.reason
    assert isinstance(reason, st.Crashed)
    assert (reason.type, reason.text) == ("ValueError", "init_boom")


@pytest.mark.otp("S102")
@pytest.mark.parametrize(
    ("restart", "left"),
    [("permanent", {"a": "down", "b": "up"}), ("temporary", {"b": "up"})],
)
async def test_ignore_starts_no_process_and_keeps_the_spec_unless_temporary(runtime, restart, left):
    log: list[str] = []

    sup = await st.Supervisor.start_link(
        [worker("a", log, ["ignore"], restart=restart), worker("b", log)]
    )

    assert log == ["ignore a", "+b"]
    assert await states(sup) == left


@pytest.mark.otp("S103")
async def test_init_may_ignore_the_whole_supervisor(runtime):
    class Closed(st.Supervisor):
        def init(self) -> st.Ignore:
            return st.Ignore()

        def children(self):
            raise AssertionError("not asked")

    with pytest.raises(st.StartIgnoredError):
        await Closed.start_link()

    assert runtime.alive() == [st.current()]


@pytest.mark.otp("S103")
@pytest.mark.parametrize("value", [None, "abc", {"a": 1}, 7])
async def test_children_that_are_no_list_are_a_bad_return(runtime, value):
    class Wrong(st.Supervisor):
        def children(self):
            return value

    with pytest.raises(st.StartError) as failure:
        await Wrong.start_link()

    assert failure.value.reason == st.BadReturn(value)


@pytest.mark.otp("S103")
async def test_an_init_that_answers_something_else_is_a_bad_return(runtime):
    class Wrong(st.Supervisor):
        def init(self):
            return "ok"

    with pytest.raises(st.StartError) as failure:
        await Wrong.start_link()

    assert failure.value.reason == st.BadReturn("ok")


async def test_a_raise_in_children_fails_the_start(runtime):
    class Wrong(st.Supervisor):
        def children(self):
            raise LookupError("no config")

    with pytest.raises(st.StartError) as failure:
        await Wrong.start_link()

    assert failure.value.reason.text == "no config"


# -- refusals ----------------------------------------------------------------------------------


@pytest.mark.otp("S103")
async def test_two_children_with_one_id_are_refused_before_anything_starts(runtime):
    log: list[str] = []

    with pytest.raises(st.ChildSpecError, match="two children have the id 'a'"):
        await st.Supervisor.start_link([worker("a", log), worker("b", log), worker("a", log)])

    assert log == []


@pytest.mark.otp("S103")
async def test_a_class_with_a_wrong_option_starts_nothing(runtime):
    log: list[str] = []

    class Wrong(Shop):
        strategy = "one_for_some"  # type: ignore[assignment]

    with pytest.raises(st.SupervisorOptionsError, match="Wrong: strategy must be"):
        await Wrong.start_link(log)

    assert log == []
    assert runtime.alive() == [st.current()]


def test_wrong_options_given_in_place_are_refused_where_they_are_written():
    with pytest.raises(st.SupervisorOptionsError, match="did you mean 'rest_for_one'"):
        st.Supervisor.child([], strategy="rest_for_won")


def test_a_wrong_start_order_is_refused():
    with pytest.raises(st.SupervisorOptionsError, match="did you mean 'dependencies'"):
        st.Supervisor.child([], start_order="dependency")  # type: ignore[arg-type]


@pytest.mark.otp("S102")
async def test_a_name_that_refuses_in_its_own_way_is_the_reason(runtime):
    class Closed:
        def whereis(self, runtime: st.Runtime) -> None:
            return None

        def claim(self, process: object) -> None:
            raise ValueError("closed for today")

    with pytest.raises(st.StartError) as failure:
        await st.Supervisor.start_link([worker("a", [], name=Closed())])

    assert failure.value.reason.detail.reason.text == "closed for today"


@pytest.mark.parametrize("value", [None, "worker", 5, object(), dict])
@pytest.mark.otp("S103")
def test_what_is_no_child_is_refused(value):
    with pytest.raises(st.ChildSpecError, match="must be a ChildSpec"):
        st.Supervisor.child([value])


@pytest.mark.otp("S105")
def test_a_significant_child_needs_an_auto_shutdown():
    significant = worker("a", [], restart="transient", significant=True)

    with pytest.raises(st.ChildSpecError, match="auto_shutdown is 'never'"):
        st.Supervisor.child([significant])
    st.Supervisor.child([significant], auto_shutdown="any_significant")


@pytest.mark.otp("S105")
def test_a_permanent_child_cannot_be_significant():
    with pytest.raises(st.ChildSpecError, match="permanent"):
        worker("a", [], significant=True)


@pytest.mark.otp("S105")
async def test_a_child_added_later_is_checked_in_the_same_way(runtime):
    sup = await st.Supervisor.start_link([])

    with pytest.raises(st.ChildSpecError, match="auto_shutdown is 'never'"):
        await st.Supervisor.start_child(sup, worker("a", [], restart="transient", significant=True))


@pytest.mark.otp("S158")
def test_specs_can_be_checked_without_a_start():
    log: list[str] = []

    st.Supervisor.check_childspecs([worker("a", log), worker("b", log)])
    with pytest.raises(st.ChildSpecError):
        st.Supervisor.check_childspecs([worker("a", log), worker("a", log)])

    assert log == []


def test_an_async_callback_is_refused_at_class_creation():
    with pytest.raises(TypeError, match="children must not be async"):

        class Wrong(st.Supervisor):
            async def children(self):
                return []


# -- defaults, and the short forms -------------------------------------------------------------


@pytest.mark.otp("S104")
def test_what_is_not_said_has_its_default():
    spec = st.child(Worker, "a", Book([]))
    nested = st.Supervisor.child([])

    assert (spec.restart, spec.type, spec.shutdown, spec.significant) == (
        "permanent",
        "worker",
        5.0,
        False,
    )
    assert (nested.restart, nested.type, nested.shutdown) == ("permanent", "supervisor", "infinity")
    assert (Shop.max_seconds, st.Supervisor.strategy, st.Supervisor.max_restarts) == (
        5.0,
        "one_for_one",
        3,
    )
    assert st.Supervisor.auto_shutdown == "never"


@pytest.mark.otp("S159")
async def test_a_class_says_its_children_and_options(runtime):
    log: list[str] = []
    sup = await Shop.start_link(log, size=3)

    await crash("w1", sup)

    assert log == ["+w0", "+w1", "+w2", "-w1", "-w2", "+w1", "+w2"]


@pytest.mark.otp("S159")
async def test_children_may_be_written_as_classes(runtime):
    class Simple(st.GenServer):
        pass

    class Nested(st.Supervisor):
        pass

    sup = await st.Supervisor.start_link([Simple, Nested])

    [nested, simple] = await st.Supervisor.which_children(sup)
    assert (simple.type, simple.modules) == ("worker", (Simple,))
    assert (nested.type, nested.modules) == ("supervisor", (Nested,))


@pytest.mark.otp("S159")
def test_class_arguments_are_defaults_of_the_spec_and_may_be_overridden():
    class Optional(Shop, restart="transient", shutdown=30.0):
        pass

    assert st.child(Optional, []).restart == "transient"
    assert Optional.child([]).shutdown == 30.0
    assert Optional.child([]).with_(restart="temporary").restart == "temporary"
    assert Shop.child([]).restart == "permanent"


async def test_a_name_may_be_given_in_place_and_to_a_class_without_an_init(runtime):
    class Plain(st.Supervisor):
        def children(self):
            return []

    one = await st.Supervisor.start_link([], name="one")
    two = await Plain.start_link(name="two")

    assert (st.whereis("one"), st.whereis("two")) == (one, two)
    with pytest.raises(st.AlreadyStartedError):
        await st.Supervisor.start_link([], name="one")


async def test_options_in_place_do_not_leak_into_the_class(runtime):
    await st.Supervisor.start_link([], strategy="one_for_all", max_restarts=9)

    assert (st.Supervisor.strategy, st.Supervisor.max_restarts) == ("one_for_one", 3)


async def test_the_child_runs_in_a_copy_of_the_supervisors_context(runtime):
    from contextvars import ContextVar

    tenant: ContextVar[str] = ContextVar("tenant", default="nobody")
    seen: list[str] = []

    class Child(st.GenServer):
        def __init__(self) -> None:
            seen.append(tenant.get())
            tenant.set("child")

    tenant.set("shop")
    await st.Supervisor.start_link([Child])

    assert seen == ["shop"]
    assert tenant.get() == "shop"


# -- code change -------------------------------------------------------------------------------


class Before(st.Supervisor):
    def __init__(self, log: list[str]) -> None:
        self.log = log

    def children(self):
        return [worker("a", self.log), worker("b", self.log)]


class After(Before):
    max_restarts = 7

    def children(self):
        return [worker("new", self.log), worker("a", self.log, shutdown=1.0)]


class Broken(Before):
    def children(self):
        return [worker("a", self.log), worker("a", self.log)]


async def change_code(runtime, sup, new_class):
    for doing in (
        lambda body: body.suspend(),
        lambda body: body.change_code(new_class, None, None),
        lambda body: body.resume(),
    ):
        await runtime.system(sup, doing, "change_code")


@pytest.mark.otp("S158")
async def test_a_code_change_takes_new_options_and_specs_and_keeps_what_runs(runtime):
    log: list[str] = []
    sup = await Before.start_link(log)
    a, b = st.whereis("a"), st.whereis("b")

    await change_code(runtime, sup, After)

    assert await states(sup) == {"new": "down", "a": "up", "b": "up"}
    assert (st.whereis("a"), st.whereis("b")) == (a, b)
    assert (await st.Supervisor.get_childspec(sup, "a")).shutdown == 1.0
    await st.Supervisor.restart_child(sup, "new")
    assert log == ["+a", "+b", "+new"]


@pytest.mark.otp("S158")
async def test_a_wrong_code_change_leaves_everything_as_before(runtime):
    sup = await Before.start_link([])

    with pytest.raises(st.ChildSpecError):
        await change_code(runtime, sup, Broken)
    await runtime.system(sup, lambda body: body.resume(), "resume")

    assert await states(sup) == {"a": "up", "b": "up"}
    with pytest.raises(st.SuptreeError):  # not suspended
        await runtime.system(sup, lambda body: body.change_code(After, None, None), "change")
