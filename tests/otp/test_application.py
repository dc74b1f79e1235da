"""S230 to S237: trees with a name, that start and stop as one."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar

import pytest

import suptree as st
from suptree.testing import turn, wait_down


class Idle(st.GenServer):
    pass


class Stubborn(st.GenServer):
    """Does not end when told to."""

    trap_exit = True

    async def terminate(self, reason: object) -> None:
        await self._process.runtime.park()


class Broken(st.GenServer):
    def __init__(self) -> None:
        raise ValueError("boom")


class Noted(st.Application):
    """Writes down what is done to it."""

    log: list[Any]

    def __init__(self, log: list[Any], name: str = "") -> None:
        self.log = log
        self.name = name or type(self).__name__

    def note(self, what: str) -> None:
        self.log.append((self.name, what))

    def children(self) -> list[st.ChildSpec]:
        return [st.child(Idle).with_(id="idle", name=f"{self.name}.idle")]

    async def start(self) -> Any:
        self.note("start")
        return await super().start(), "state"

    def prep_stop(self, state: Any) -> Any:
        alive = st.whereis(f"{self.name}.idle") is not None
        self.note(f"prep_stop {state} {'before' if alive else 'after'}")
        return f"prepared {state}"

    async def stop(self, state: Any) -> None:
        alive = st.whereis(f"{self.name}.idle") is not None
        self.note(f"stop {state} {'before' if alive else 'after'}")


class Storage(st.Application):
    def children(self) -> list[st.ChildSpec]:
        return [st.child(Idle).with_(name="storage")]


class Billing(st.Application):
    depends_on = (Storage,)

    def children(self) -> list[st.ChildSpec]:
        return [st.child(Idle).with_(name="billing")]


class Shop(st.Application):
    depends_on = (Storage, Billing)

    def children(self) -> list[st.ChildSpec]:
        return [st.child(Idle).with_(name="shop")]


# -- start -----------------------------------------------------------------------------------


@pytest.mark.otp("S230")
async def test_an_application_runs_its_children_under_its_top_supervisor(runtime):
    top = await runtime.start(Storage())

    assert [info.id for info in await st.Supervisor.which_children(top)] == ["storage"]
    assert runtime.applications.running() == ["Storage"]
    assert runtime.applications.top(Storage) is top


@pytest.mark.otp("S230")
async def test_an_application_that_runs_is_not_started_again(runtime):
    await runtime.start(Storage())

    with pytest.raises(st.ApplicationAlreadyStartedError, match="Storage runs already"):
        await runtime.start(Storage)
    assert runtime.applications.running() == ["Storage"]


@pytest.mark.otp("S230")
async def test_a_start_needs_its_dependencies_started(runtime):
    with pytest.raises(st.ApplicationNotStartedError, match="Billing depends on Storage") as caught:
        await runtime.start(Billing())

    assert caught.value.reason == "Storage"
    assert runtime.applications.running() == []
    await runtime.start(Storage())
    await runtime.start(Billing())
    assert runtime.applications.running() == ["Storage", "Billing"]


@pytest.mark.otp("S230")
async def test_ensure_all_started_starts_in_order_and_tells_what_it_started(runtime):
    await runtime.start(Storage())

    assert await runtime.applications.ensure_all_started(Shop()) == ["Billing", "Shop"]
    assert await runtime.applications.ensure_all_started(Shop()) == []
    assert runtime.applications.running() == ["Storage", "Billing", "Shop"]


async def test_ensure_all_started_waits_for_what_somebody_else_is_starting(runtime):
    gate = asyncio.Event()

    class Slow(st.Application):
        async def start(self) -> Any:
            await gate.wait()
            return await super().start()

    class One(st.Application):
        depends_on = (Slow,)

    class Two(st.Application):
        depends_on = (Slow,)

    both = [asyncio.create_task(runtime.applications.ensure_all_started(App)) for App in (One, Two)]
    await turn()
    gate.set()

    assert await asyncio.gather(*both) == [["Slow", "One"], ["Two"]]
    assert set(runtime.applications.running()) == {"Slow", "One", "Two"}


async def test_why_ensure_all_started_failed_is_told_even_if_a_dependency_is_just_stopping(runtime):
    stopping: list[asyncio.Task[None]] = []

    class Base(st.Application):
        async def prep_stop(self, state: object) -> None:
            await turn(3)

    class Bad(st.Application):
        depends_on = (Base,)

        async def start(self) -> Any:
            stopping.append(asyncio.create_task(st.applications().stop(Base)))
            await turn()
            raise ValueError("why")

    with pytest.raises(st.ApplicationError, match="why"):
        await runtime.applications.ensure_all_started(Bad())
    await asyncio.gather(*stopping)
    assert runtime.applications.running() == []


@pytest.mark.otp("S230")
async def test_ensure_all_started_undoes_what_it_started_when_one_fails(runtime):
    class Bad(st.Application):
        depends_on = (Storage, Billing)

        def children(self) -> list[st.ChildSpec]:
            return [st.child(Broken)]

    await runtime.start(Storage())

    with pytest.raises(st.ApplicationError) as caught:
        await runtime.applications.ensure_all_started(Bad())

    assert caught.value.application == "Bad"
    assert runtime.applications.running() == ["Storage"]
    assert st.whereis("billing") is None


async def test_a_ring_of_dependencies_is_named(runtime):
    class One(st.Application):
        pass

    class Two(st.Application):
        depends_on = (One,)

    One.depends_on = (Two,)

    with pytest.raises(st.ApplicationError, match="One -> Two -> One"):
        await runtime.applications.ensure_all_started(One)


@pytest.mark.otp("S231")
async def test_a_child_that_fails_fails_the_start_with_its_place_and_reason(runtime):
    class Bad(st.Application):
        def children(self) -> list[st.ChildSpec]:
            return [st.child(Idle).with_(name="first"), st.child(Broken)]

    with pytest.raises(st.ApplicationError, match=r"Bad failed to start in .*Bad\.start") as caught:
        await runtime.start(Bad())

    assert isinstance(caught.value.reason, st.Shutdown)
    assert isinstance(caught.value.reason.detail, st.FailedToStartChild)
    assert caught.value.reason.detail.id == "Broken"
    assert st.whereis("first") is None
    assert runtime.applications.running() == []
    assert runtime.alive() == [st.current()]


@pytest.mark.otp("S231")
@pytest.mark.parametrize("answer", [None, "pid", (1, 2)])
async def test_a_start_that_answers_with_no_supervisor_is_refused(runtime, answer):
    class Bad(st.Application):
        async def start(self) -> Any:
            return answer

    with pytest.raises(st.ApplicationError, match=r"Bad\.start") as caught:
        await runtime.start(Bad())

    assert caught.value.reason == st.BadReturn(answer)


@pytest.mark.otp("S231")
async def test_a_start_that_answers_with_a_foreign_supervisor_is_refused(runtime):
    foreign = await st.Supervisor.start_link([])

    class Bad(st.Application):
        def start(self) -> Any:
            return foreign

    with pytest.raises(st.ApplicationError, match="BadReturn"):
        await runtime.start(Bad())
    assert foreign.is_alive()


@pytest.mark.otp("S231")
async def test_a_start_that_raises_or_exits_is_a_failure_with_that_reason(runtime):
    class Raises(st.Application):
        def start(self) -> Any:
            raise ValueError("boom")

    class Exits(st.Application):
        def start(self) -> Any:
            st.exit("not today")

    with pytest.raises(st.ApplicationError, match="boom"):
        await runtime.start(Raises())
    with pytest.raises(st.ApplicationError, match="not today") as caught:
        await runtime.start(Exits())
    assert caught.value.reason == "not today"
    assert runtime.applications.running() == []


@pytest.mark.otp("S237")
async def test_start_phases_run_in_order_when_the_tree_is_up_and_before_start_returns(runtime):
    log: list[Any] = []

    class Phased(st.Application):
        start_phases = (("warm", 1), ("open", 2))

        def children(self) -> list[st.ChildSpec]:
            return [st.child(Idle).with_(name="idle")]

        async def start_phase(self, phase: str, argument: Any) -> None:
            await turn()
            log.append((phase, argument, st.whereis("idle") is not None))

    await runtime.start(Phased())

    assert log == [("warm", 1, True), ("open", 2, True)]


@pytest.mark.otp("S237")
async def test_a_start_phase_that_fails_stops_the_tree_and_fails_the_start(runtime):
    class Phased(st.Application):
        start_phases = (("warm", None), ("open", None))

        def children(self) -> list[st.ChildSpec]:
            return [st.child(Idle).with_(name="idle")]

        def start_phase(self, phase: str, argument: Any) -> None:
            assert phase == "warm", "closed today"

    with pytest.raises(st.ApplicationError, match=r"start_phase\('open'\).*closed today"):
        await runtime.start(Phased())
    assert st.whereis("idle") is None
    assert runtime.alive() == [st.current()]


# -- stop --------------------------------------------------------------------------------------


@pytest.mark.otp("S233")
async def test_stop_prepares_ends_the_tree_and_then_stops(runtime):
    log: list[Any] = []
    top = await runtime.start(Noted(log), "permanent")
    down = runtime.down_slot(top)

    await runtime.applications.stop("Noted")

    assert await down is st.SHUTDOWN
    assert [what for _, what in log] == [
        "start",
        "prep_stop state before",
        "stop prepared state after",
    ]
    assert runtime.applications.running() == []
    assert runtime.alive() == [st.current()]


@pytest.mark.otp("S233")
async def test_a_stop_of_what_does_not_run_is_refused(runtime):
    with pytest.raises(st.ApplicationNotStartedError, match="Storage is not running"):
        await runtime.applications.stop(Storage)


@pytest.mark.otp("S233")
async def test_a_callback_of_the_end_that_raises_is_told_and_the_end_goes_on(runtime, caplog):
    class Rude(Noted):
        def prep_stop(self, state: Any) -> Any:
            raise ValueError("not ready")

    log: list[Any] = []
    await runtime.start(Rude(log))

    await runtime.applications.stop(Rude)

    assert log[-1] == ("Rude", "stop state after")
    assert "Rude.prep_stop: failed" in caplog.text


@pytest.mark.otp("S234")
async def test_after_a_tree_that_died_by_itself_both_callbacks_run(runtime):
    log: list[Any] = []
    top = await runtime.start(Noted(log), "temporary")
    st.exit(top, st.KILL)
    await wait_down(top)
    await turn(5)

    assert [what for _, what in log] == [
        "start",
        "prep_stop state after",
        "stop prepared state after",
    ]
    assert runtime.applications.running() == []


@pytest.mark.otp("S232")
async def test_the_end_of_a_temporary_application_is_reported_and_nothing_more(runtime, caplog):
    top = await runtime.start(Storage(), "temporary")
    st.exit(top, st.KILL)
    await turn(5)

    assert "application Storage ended: KILLED" in caplog.text
    assert runtime.applications.ended_by is None
    await runtime.start(Storage())


class Leaves(st.Application):
    """Ends with the reason that it is told."""

    strategy = "one_for_one"
    auto_shutdown = "any_significant"
    reason: Any = st.NORMAL

    async def start(self) -> Any:
        return await EndsWith.start_link()


class EndsWith(st.GenServer):
    trap_exit = True


async def ends(type: Any, reason: object) -> Any:
    """How a runtime ends when the top of an application in it does."""
    log: list[Any] = []
    try:
        async with st.Runtime() as rt:
            await rt.start(Noted(log, "other"))
            top = await rt.start(Leaves(), type)
            await st.GenServer.stop(top, reason)
            await turn(5)
            return "lives on", log
    except st.RuntimeStoppedError as stopped:
        return stopped.reason, log


@pytest.mark.otp("S232")
@pytest.mark.parametrize(
    ("type", "reason", "expected"),
    [
        ("permanent", st.NORMAL, st.NORMAL),
        ("permanent", st.SHUTDOWN, st.SHUTDOWN),
        ("permanent", "bad", "bad"),
        ("transient", st.NORMAL, "lives on"),
        ("transient", st.SHUTDOWN, st.SHUTDOWN),
        ("transient", "bad", "bad"),
        ("temporary", st.NORMAL, "lives on"),
        ("temporary", "bad", "lives on"),
    ],
)
async def test_what_the_end_of_an_application_does_to_the_runtime(type, reason, expected):
    result, log = await ends(type, reason)

    assert result == expected
    assert log[-1] == ("other", "stop prepared state after")  # all the others are stopped


async def test_law6_a_tree_started_without_a_type_that_gives_up_ends_the_block():
    class Crashing(st.Application):
        max_restarts = 0

        def children(self) -> list[st.ChildSpec]:
            return [st.child(Idle).with_(name="idle")]

    with pytest.raises(st.RuntimeStoppedError):
        async with st.Runtime() as rt:
            await rt.start(Crashing())
            st.exit("idle", "bad")
            await st.receive()


@pytest.mark.otp("S232")
async def test_an_application_that_gave_up_is_told_from_one_that_shut_down():
    class Crashing(st.Application):
        max_restarts = 0

        def children(self) -> list[st.ChildSpec]:
            return [st.child(Idle).with_(name="idle")]

    with pytest.raises(st.RuntimeStoppedError, match="a permanent application"):
        async with st.Runtime() as rt:
            await rt.start(Crashing(), "permanent")
            st.exit("idle", "bad")
            await st.receive()

    end = rt.applications.ended_by
    assert end is not None
    assert end == st.ApplicationEnd("Crashing", st.SHUTDOWN, gave_up=True)
    assert end.is_failure()
    assert not st.ApplicationEnd("Shop", st.SHUTDOWN, gave_up=False).is_failure()


@pytest.mark.otp("S235")
async def test_applications_stop_in_reverse_order_at_the_end_of_the_runtime():
    log: list[Any] = []
    async with st.Runtime() as rt:
        for name in "abc":
            await rt.start(Noted(log, name))
        del log[:]

    assert log == [
        (name, what)
        for name in "cba"
        for what in ("prep_stop state before", "stop prepared state after")
    ]


@pytest.mark.otp("S235")
async def test_an_environment_outlives_a_stop_and_unload_drops_it(runtime):
    seen: list[Any] = []

    class Configured(st.Application):
        env: ClassVar[Any] = {"port": 80, "host": "here"}

        def children(self) -> list[st.ChildSpec]:
            seen.append((self.get_env("port"), self.get_env("host"), self.get_env("x", 0)))
            return []

    apps = runtime.applications
    await runtime.start(Configured(), env={"port": 81})
    apps.put_env(Configured, "host", "there")
    await apps.stop(Configured)
    await runtime.start(Configured())
    with pytest.raises(st.ApplicationAlreadyStartedError):
        apps.unload(Configured)
    await apps.stop(Configured)
    apps.unload(Configured)
    assert apps.get_env(Configured, "port") is None
    await runtime.start(Configured())

    assert seen == [(81, "here", 0), (81, "there", 0), (80, "here", 0)]
    assert st.applications().get_env("Configured", "port") == 80


@pytest.mark.otp("S235")
@pytest.mark.suptree_loop("virtual")
async def test_an_application_that_does_not_stop_is_killed_when_the_stop_timeout_is_over(caplog):
    class Slow(st.Application):
        def children(self) -> list[st.ChildSpec]:
            return [st.child(Stubborn).with_(shutdown="infinity")]

    async with st.Runtime(stop_timeout=3.0) as rt:
        await rt.start(Slow())
        begun = rt.now()

    assert rt.now() - begun == pytest.approx(3.0, abs=0.5)
    assert rt.overdue
    assert "Slow did not stop within 3 s" in caplog.text
    assert not rt.processes


async def test_a_master_that_is_killed_takes_its_tree_along(runtime, caplog):
    caplog.set_level(logging.CRITICAL)
    top = await runtime.start(Storage(), "temporary")
    master = top._process.parent
    down = runtime.down_slot(top)
    st.exit(master.pid, st.KILL)

    assert await down is st.KILLED
    await turn(3)
    assert runtime.applications.running() == []
    assert st.whereis("storage") is None


async def test_nothing_is_started_in_a_runtime_that_is_closing():
    refused: list[BaseException] = []

    class Last(st.Application):
        async def stop(self, state: Any) -> None:
            try:
                await st.applications().start(Storage())
            except st.RuntimeClosedError as error:
                refused.append(error)

    async with st.Runtime() as rt:
        await rt.start(Last())

    assert len(refused) == 1


async def test_a_wrong_type_is_refused(runtime):
    with pytest.raises(ValueError, match="type must be 'permanent'"):
        await runtime.start(Storage(), "permanant")
