"""S40 to S46: how a server ends, when `terminate` runs, and what is told about it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

import suptree as st
from suptree.testing import turn, wait_down, wait_until

VIRTUAL = pytest.mark.suptree_loop("virtual")  # waits, or exact times


class Leaver(st.GenServer):
    """Says goodbye into a list, and ends in every way there is."""

    def __init__(self, story: list[object], *, farewell: Any = None) -> None:
        self.story = story
        self.farewell = farewell

    def handle_info(self, message: Any) -> Any:
        self.story.append(message)
        return self._act(message)

    def handle_cast(self, request: Any) -> Any:
        return self._act(request)

    def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
        return self._act(request)

    def handle_continue(self, argument: Any) -> Any:
        return self._act(argument)

    @st.call
    def typed(self, request: Any) -> Any:
        return self._act(request)

    @st.call
    async def typed_async(self, request: Any) -> Any:
        await asyncio.sleep(0.02)
        return self._act(request)

    def _act(self, request: Any) -> Any:
        if isinstance(request, type) and issubclass(request, BaseException):
            raise request("out")
        if request == "exit":
            st.exit("by exit")
        return request

    def terminate(self, reason: object) -> Any:
        self.story.append(("terminate", reason))
        if isinstance(self.farewell, BaseException):
            raise self.farewell
        return self.farewell


class AsyncLeaver(Leaver):
    """The same with an async terminate."""

    async def terminate(self, reason: object) -> Any:
        await asyncio.sleep(0.02)
        return super().terminate(reason)


class TrappingLeaver(Leaver):
    trap_exit = True


class AsyncTrappingLeaver(AsyncLeaver):
    trap_exit = True


LEAVERS = pytest.mark.parametrize("cls", [Leaver, AsyncLeaver])
TRAPPING = pytest.mark.parametrize("cls", [TrappingLeaver, AsyncTrappingLeaver])


# -- S40: terminate runs ---------------------------------------------------------------------


@pytest.mark.otp("S40")
@LEAVERS
@pytest.mark.parametrize("how", ["call", "typed", "typed_async", "cast", "info", "continue"])
async def test_terminate_runs_after_a_stop_from_any_callback(runtime, cls, how):
    story: list[object] = []
    pid = await cls.start(story)
    down = runtime.down_slot(pid)
    stop = st.Stop("enough")
    match how:
        case "call" | "typed" | "typed_async":
            request = {
                "call": lambda: st.GenServer.call(pid, stop),
                "typed": lambda: cls.typed(pid, stop),
                "typed_async": lambda: cls.typed_async(pid, stop),
            }[how]()
            with pytest.raises(st.ServerExitError) as caught:
                await request
            assert caught.value.reason == "enough"
        case "cast":
            st.GenServer.cast(pid, stop)
        case "info":
            st.send(pid, stop)
        case "continue":
            st.send(pid, st.NoReply(st.Continue(stop)))

    assert await down == "enough"
    assert story[-1] == ("terminate", "enough")
    assert story.count(("terminate", "enough")) == 1


@pytest.mark.otp("S40", "S37")
@LEAVERS
@pytest.mark.parametrize("how", ["call", "typed", "typed_async", "cast", "info"])
@pytest.mark.parametrize("what", [ValueError, SystemExit, asyncio.CancelledError, "exit"])
async def test_terminate_runs_after_a_raise_or_an_exit_in_a_callback(runtime, cls, how, what):
    story: list[object] = []
    pid = await cls.start(story)
    if how == "typed":
        await cls.typed(pid, 1)  # from now on directly, if that is on
    down = runtime.down_slot(pid)
    match how:
        case "call" | "typed" | "typed_async":
            request = {
                "call": lambda: st.GenServer.call(pid, what),
                "typed": lambda: cls.typed(pid, what),
                "typed_async": lambda: cls.typed_async(pid, what),
            }[how]()
            with pytest.raises(st.ServerExitError):
                await request
        case "cast":
            st.GenServer.cast(pid, what)
        case "info":
            st.send(pid, what)
    reason = await down

    assert reason == "by exit" if what == "exit" else isinstance(reason, st.Crashed)
    assert [event for event in story if isinstance(event, tuple)] == [("terminate", reason)]


@pytest.mark.otp("S40", "S45")
@LEAVERS
async def test_terminate_runs_on_stop(runtime, cls):
    story: list[object] = []
    pid = await cls.start(story)

    await cls.stop(pid, "told")

    assert story == [("terminate", "told")]


# -- S40, S42, S43: exit signals to a server that traps ----------------------------------------


@pytest.mark.otp("S40", "S42")
@TRAPPING
@pytest.mark.parametrize("reason", [st.NORMAL, st.SHUTDOWN, "any"])
async def test_the_exit_of_the_parent_terminates_whatever_its_reason(runtime, cls, reason):
    story: list[object] = []
    pid = await cls.start_link(story)
    down = runtime.down_slot(pid)

    st.exit(pid, reason)

    assert await down == reason
    assert story == [("terminate", reason)]


@VIRTUAL
@pytest.mark.otp("S42", "S252")
@TRAPPING
async def test_a_parent_that_ends_normally_takes_its_trapping_server_along(runtime, cls):
    story: list[object] = []
    started: list[st.Pid[Any]] = []

    async def parent() -> None:
        started.append(await cls.start_link(story))

    await wait_down(runtime.spawn(parent))
    await wait_until(lambda: not started[0].is_alive())
    await asyncio.sleep(2)

    assert story == [("terminate", st.NORMAL)]


@pytest.mark.otp("S42")
async def test_the_exit_of_the_parent_waits_for_its_turn_in_the_mailbox(runtime):
    story: list[object] = []
    pid = await TrappingLeaver.start_link(story)
    down = runtime.down_slot(pid)
    st.send(pid, None)
    st.exit(pid, "parent says")
    st.send(pid, "too late")

    assert await down == "parent says"
    assert story == [None, ("terminate", "parent says")]


@pytest.mark.otp("S43")
@TRAPPING
@pytest.mark.parametrize("reason", [st.NORMAL, st.SHUTDOWN, "any"])
async def test_an_exit_from_anyone_else_is_a_message(runtime, cls, reason):
    story: list[object] = []

    class Survivor(cls):
        def handle_info(self, message: Any) -> None:
            self.story.append(message)

    pid = await Survivor.start_link(story)

    async def stranger() -> None:
        st.exit(pid, reason)

    other = runtime.spawn(stranger)
    await wait_down(other)
    await turn(2)

    assert story == [st.Exit(other, reason)]
    assert pid.is_alive()


@pytest.mark.otp("S42", "S43")
async def test_a_server_started_without_a_link_has_no_parent_to_obey(runtime):
    story: list[object] = []

    class Survivor(TrappingLeaver):
        def handle_info(self, message: Any) -> None:
            self.story.append(message)

    pid = await Survivor.start(story)
    st.exit(pid, st.SHUTDOWN)
    await turn(2)

    assert story == [st.Exit(st.current(), st.SHUTDOWN)]
    assert pid.is_alive()


# -- S41: terminate does not run --------------------------------------------------------------------


@VIRTUAL
@pytest.mark.otp("S41")
@LEAVERS
async def test_terminate_does_not_run_for_a_signal_to_a_server_that_does_not_trap(runtime, cls):
    story: list[object] = []
    pid = await cls.start_link(story)

    st.exit(pid, "signal")

    assert not pid.is_alive()
    await asyncio.sleep(2)
    assert story == []


@pytest.mark.otp("S41")
@pytest.mark.parametrize("cls", [Leaver, AsyncLeaver, TrappingLeaver, AsyncTrappingLeaver])
async def test_terminate_does_not_run_for_kill(runtime, cls):
    story: list[object] = []
    pid = await cls.start_link(story)

    down = runtime.down_slot(pid)
    st.exit(pid, st.KILL)

    assert await down is st.KILLED
    assert story == []


@VIRTUAL
@pytest.mark.otp("S41")
@LEAVERS
@pytest.mark.parametrize("answer", [st.Ignore(), st.Stop("no"), ValueError("no"), "bad"])
async def test_terminate_does_not_run_when_init_did_not_succeed(runtime, cls, answer):
    story: list[object] = []

    class Failing(cls):
        def init(self) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

    with pytest.raises(st.StartError):
        await Failing.start(story)
    await asyncio.sleep(2)

    assert story == []


# -- S44: what terminate does to the reason ------------------------------------------------------------


@pytest.mark.otp("S44")
@LEAVERS
async def test_what_terminate_returns_is_ignored(runtime, cls):
    pid = await cls.start([], farewell=st.Stop("other"))
    down = runtime.down_slot(pid)
    st.GenServer.cast(pid, st.Stop("enough"))

    assert await down == "enough"


@pytest.mark.otp("S44", "S256")
@LEAVERS
@pytest.mark.parametrize("cause", [st.Stop(st.NORMAL), ValueError])
async def test_what_terminate_exits_with_replaces_the_reason(runtime, cls, cause):
    pid = await cls.start([], farewell=st.ProcessExit("instead"))
    down = runtime.down_slot(pid)
    st.GenServer.cast(pid, cause)

    assert await down == "instead"


@pytest.mark.otp("S44")
@LEAVERS
@pytest.mark.parametrize(
    "kind", [ValueError, SystemExit, KeyboardInterrupt, asyncio.CancelledError]
)
async def test_what_terminate_raises_replaces_the_reason(runtime, cls, kind):
    bystander = await Leaver.start([])
    pid = await cls.start([], farewell=kind("goodbye"))
    down = runtime.down_slot(pid)
    st.GenServer.cast(pid, st.Stop(st.NORMAL))
    reason = await down

    assert isinstance(reason, st.Crashed)
    assert reason.text == "goodbye"
    assert bystander.is_alive()


# -- S45: stop --------------------------------------------------------------------------------------------


@pytest.mark.otp("S45")
@LEAVERS
@pytest.mark.parametrize("reason", [st.NORMAL, st.SHUTDOWN, "any", ("equal", 1)])
async def test_stop_returns_when_the_server_ended_with_exactly_that_reason(runtime, cls, reason):
    pid = await cls.start([])

    await cls.stop(pid, reason)

    assert not pid.is_alive()


@pytest.mark.otp("S45")
@LEAVERS
async def test_stop_raises_the_actual_reason(runtime, cls):
    pid = await cls.start([], farewell=st.ProcessExit("instead"))

    with pytest.raises(st.ServerExitError) as caught:
        await cls.stop(pid)

    assert caught.value.reason == "instead"


@pytest.mark.otp("S45")
async def test_stop_of_nobody_is_refused(runtime):
    pid = await Leaver.start([])
    await Leaver.stop(pid)

    with pytest.raises(st.NoProcessError):
        await Leaver.stop(pid)
    with pytest.raises(st.NoProcessError):
        await Leaver.stop("no such name")


@pytest.mark.otp("S45")
@pytest.mark.parametrize("cls", [Leaver, AsyncLeaver, TrappingLeaver])
async def test_stop_works_while_suspended(runtime, cls):
    story: list[object] = []
    pid = await cls.start(story)
    await st.sys.suspend(pid)
    st.send(pid, "waits")

    await cls.stop(pid, "told")

    assert story == [("terminate", "told")]


@pytest.mark.otp("S45")
async def test_stop_takes_its_turn_in_the_mailbox(runtime):
    story: list[object] = []
    pid = await Leaver.start(story)
    st.send(pid, None)
    await Leaver.stop(pid, "told")

    assert story == [None, ("terminate", "told")]


@VIRTUAL
@pytest.mark.otp("S45")
async def test_stop_gives_up_waiting_after_its_timeout_and_leaves_no_monitor(runtime):
    class Stubborn(Leaver):
        async def terminate(self, reason: object) -> None:
            await asyncio.sleep(10)

    pid = await Stubborn.start([])

    with pytest.raises(st.CallTimeoutError):
        await Stubborn.stop(pid, timeout=2)

    assert pid.is_alive()
    assert not runtime.find(pid).monitors
    assert await wait_down(pid, timeout=20) is st.NORMAL


@pytest.mark.otp("S45")
@LEAVERS
async def test_two_stops_at_once_both_wait_for_the_one_end(runtime, cls):
    story: list[object] = []
    pid = await cls.start(story)

    results = await asyncio.gather(
        cls.stop(pid, "first"), cls.stop(pid, "second"), return_exceptions=True
    )

    assert results[0] is None
    assert isinstance(results[1], st.ServerExitError)
    assert story == [("terminate", "first")]


@pytest.mark.otp("S45")
async def test_a_server_that_stops_itself_from_outside_is_told_so(runtime):
    class Selfish(st.GenServer):
        @st.call
        async def go(self) -> str:
            try:
                await Selfish.stop(self.pid)
            except st.SelfCallError as error:
                return str(error)
            return "stopped"

    pid = await Selfish.start()

    assert "would wait for ever" in await Selfish.go(pid)


# -- S46: what is reported ----------------------------------------------------------------------------------


def reports(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if hasattr(record, "crash_report")]


@pytest.mark.otp("S46")
@LEAVERS
@pytest.mark.parametrize("reason", [st.NORMAL, st.SHUTDOWN, st.Shutdown("deploy")])
async def test_a_normal_end_is_not_reported(runtime, cls, caplog, reason):
    pid = await cls.start([])
    await cls.stop(pid, reason)

    assert reports(caplog) == []


@pytest.mark.otp("S46")
@LEAVERS
@pytest.mark.parametrize("cause", [st.Stop("disk full"), ValueError, 5])
async def test_any_other_end_is_reported_once(runtime, cls, caplog, cause):
    pid = await cls.start([])
    down = runtime.down_slot(pid)
    st.GenServer.cast(pid, cause)
    reason = await down

    [record] = reports(caplog)
    assert record.crash_report.pid is pid
    assert record.crash_report.reason == reason
    assert "last message: cast " in record.getMessage()


@pytest.mark.otp("S46", "S44")
@LEAVERS
async def test_a_crash_whose_terminate_raises_too_is_one_crash(runtime, cls, caplog):
    pid = await cls.start([], farewell=KeyError("terminate"))
    down = runtime.down_slot(pid)
    st.GenServer.cast(pid, ValueError)
    reason = await down

    assert reason.type == "KeyError"
    [record] = reports(caplog)
    assert record.crash_report.reason.type == "ValueError"
    assert "terminate raised as well: Crashed(KeyError" in caplog.text
    assert runtime.reporter.total == 1


@pytest.mark.otp("S46")
@pytest.mark.parametrize("answer", [st.Stop("no disk"), "bad return"])
async def test_a_failed_init_is_reported(runtime, caplog, answer):
    class Failing(st.GenServer):
        def init(self) -> Any:
            return answer

    with pytest.raises(st.StartError):
        await Failing.start()

    assert len(reports(caplog)) == 1


class Asker(st.GenServer):
    """Calls others, and catches nothing."""

    @st.cast
    async def ask(self, other: st.Pid[Any], request: object) -> None:
        await st.GenServer.call(other, request)


@pytest.mark.otp("S46")
@pytest.mark.parametrize("reason", [st.NORMAL, st.SHUTDOWN, st.Shutdown("deploy")])
async def test_a_call_that_nobody_caught_to_a_server_that_was_stopped_is_a_crash(
    runtime, caplog, reason
):
    asker, stopped = await Asker.start(), await Leaver.start([])
    Asker.ask(asker, stopped, st.Stop(reason))

    crashed = await wait_down(asker)

    assert isinstance(crashed, st.Crashed)
    assert crashed.type == "suptree.errors.ServerExitError"
    assert [record.crash_report.pid for record in reports(caplog)] == [asker]


@pytest.mark.otp("S46")
async def test_a_transient_caller_of_a_server_that_was_shut_down_is_restarted(runtime):
    stopped = await Leaver.start([])
    asker = st.child(Asker).with_(name="asker", restart="transient")
    await st.Supervisor.start_link([asker], strategy="one_for_one")
    first = st.whereis("asker")

    Asker.ask("asker", stopped, st.Stop(st.SHUTDOWN))

    await wait_until(lambda: st.whereis("asker") not in (None, first))


# -- ends that meet ----------------------------------------------------------------------------------------------


@pytest.mark.otp("S41")
async def test_a_kill_during_an_async_terminate_ends_it(runtime):
    terminating = asyncio.Event()

    class Stubborn(Leaver):
        async def terminate(self, reason: object) -> None:
            terminating.set()
            await asyncio.sleep(1000)

    pid = await Stubborn.start([])
    down = runtime.down_slot(pid)
    st.GenServer.cast(pid, st.Stop("enough"))
    await terminating.wait()
    assert pid.is_alive()
    st.exit(pid, st.KILL)

    assert await down is st.KILLED


async def test_messages_that_come_during_an_async_terminate_are_not_handled(runtime):
    story: list[object] = []
    terminating, late = asyncio.Event(), asyncio.Event()

    class Slow(AsyncLeaver):
        async def terminate(self, reason: object) -> None:
            terminating.set()
            await late.wait()
            await super().terminate(reason)

    pid = await Slow.start(story)
    down = runtime.down_slot(pid)
    st.GenServer.cast(pid, st.Stop("enough"))
    await terminating.wait()
    st.send(pid, "late")
    asked = asyncio.ensure_future(st.GenServer.call(pid, "late"))
    await wait_until(lambda: runtime.info(pid).mailbox == 2)
    late.set()
    await down

    assert story == [("terminate", "enough")]
    with pytest.raises(st.ServerExitError):
        await asked


@VIRTUAL
async def test_terminate_may_still_use_the_server(runtime):
    """It is alive and has its name: a goodbye may be said to others."""

    class Polite(st.GenServer):
        def __init__(self, to: st.Pid[Any]) -> None:
            self.to = to

        async def terminate(self, reason: object) -> None:
            await asyncio.sleep(1)
            st.send(self.to, (st.whereis("polite"), self.pid.is_alive(), reason))

    pid = await st.child(Polite, st.current()).with_(name="polite").start_unlinked()
    await Polite.stop(pid, st.SHUTDOWN)

    assert await st.receive(timeout=0) == (pid, True, st.SHUTDOWN)


class Suicidal(TrappingLeaver):
    """Sends an exit signal to itself, trapping or not, with the reason that it is cast."""

    def _act(self, request: Any) -> Any:
        if isinstance(request, st.Exit):
            return None
        trap, reason = request
        st.trap_exit(trap)
        st.exit(self.pid, reason)
        self.story.append("went on")
        return None


@pytest.mark.otp("S3", "S4")
@pytest.mark.parametrize(
    ("trap", "reason", "ends_with"),
    [(False, "mine", "mine"), (False, st.NORMAL, st.NORMAL), (True, st.KILL, st.KILLED)],
)
async def test_an_exit_signal_to_oneself_ends_a_server_without_terminate(
    runtime, trap, reason, ends_with
):
    story: list[object] = []
    pid = await Suicidal.start(story)
    down = runtime.down_slot(pid)

    Suicidal.cast(pid, (trap, reason))

    assert await down == ends_with
    assert story == []


@pytest.mark.otp("S26", "S42")
async def test_a_server_without_a_parent_is_its_own_and_its_signal_to_itself_stops_it(runtime):
    story: list[object] = []
    pid = await Suicidal.start(story)
    down = runtime.down_slot(pid)

    Suicidal.cast(pid, (True, "mine"))

    assert await down == "mine"
    assert story == ["went on", ("terminate", "mine")]


@pytest.mark.otp("S26", "S51")
async def test_a_suspended_server_without_a_parent_is_stopped_by_its_own_signal(runtime):
    story: list[object] = []
    pid = await Suicidal.start(story)
    down = runtime.down_slot(pid)
    await st.sys.suspend(pid)
    Suicidal.cast(pid, (True, "mine"))
    resumed = asyncio.ensure_future(st.sys.resume(pid))
    suspended = asyncio.ensure_future(st.sys.suspend(pid))  # read before the signal comes

    assert await down == "mine"
    assert story == ["went on", ("terminate", "mine")]
    await asyncio.gather(resumed, suspended)


@pytest.mark.otp("S26", "S43")
async def test_a_server_with_a_parent_is_told_of_its_own_signal_and_goes_on(runtime):
    story: list[object] = []
    pid = await Suicidal.start_link(story)

    Suicidal.cast(pid, (True, "mine"))
    await st.sys.get_state(pid)

    assert story == ["went on", st.Exit(pid, "mine")]
