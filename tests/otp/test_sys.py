"""S50 to S55: looking into a running server, suspending, debugging and changing it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import suptree as st
from suptree.core import IDLE, RESTING
from suptree.testing import turn, wait_down, wait_mailbox_empty, wait_until

VIRTUAL = pytest.mark.suptree_loop("virtual")  # waits, or exact times


class Counter(st.GenServer):
    """Counts, and tells what happened to it."""

    def __init__(self, story: list[object] | None = None) -> None:
        self.count = 0
        self.story: list[object] = [] if story is None else story

    @st.call
    def increment(self, by: int = 1) -> int:
        self.count += by
        return self.count

    @st.call
    async def slow(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "slow"

    @st.call
    async def wait_for(self, gate: asyncio.Event) -> None:
        await gate.wait()

    @st.call
    def hold(self) -> st.NoReply:
        self.story.append(self.sender)
        return st.NoReply()

    @st.cast
    def note(self, value: object) -> None:
        self.story.append(value)

    def handle_info(self, message: Any) -> Any:
        self.story.append(message)
        return message if isinstance(message, st.NoReply) else None

    def handle_continue(self, argument: Any) -> None:
        self.story.append(("continue", argument))

    def terminate(self, reason: object) -> None:
        self.story.append(("terminate", reason))


class Trapping(Counter):
    trap_exit = True


class Slotted(st.GenServer):
    """Keeps its state in slots."""

    __slots__ = ("__hidden", "value")

    def __init__(self) -> None:
        self.value = 1
        self.__hidden = 2

    @st.call
    def get(self) -> tuple[int, int]:
        return self.value, self.__hidden


async def handling(pid: st.Pid[Any], *, mailbox: int = 0) -> None:
    """Wait until an async handler of it is suspended, and so many messages wait behind that one."""

    def suspended() -> bool:
        info = pid.runtime.info(pid)
        return bool(info.stack) and info.mailbox == mailbox

    await wait_until(suspended)


async def owing(pid: st.Pid[Any]) -> None:
    """Wait until it has put off the reply to a call."""
    await wait_until(lambda: pid.runtime.info(pid).owes)


# -- S50: state ------------------------------------------------------------------------------


@pytest.mark.otp("S50")
@pytest.mark.parametrize("suspended", [False, True])
async def test_the_state_is_read_between_messages_also_while_suspended(runtime, suspended):
    pid = await Counter.start_link()
    await Counter.increment(pid, 3)
    if suspended:
        await st.sys.suspend(pid)

    assert await st.sys.get_state(pid) == {"count": 3, "story": []}


@pytest.mark.otp("S50")
async def test_the_state_that_is_read_is_a_copy(runtime):
    pid = await Counter.start_link()
    state = await st.sys.get_state(pid)
    state["count"] = 1000

    assert await Counter.increment(pid) == 1


@VIRTUAL
@pytest.mark.otp("S50")
async def test_a_look_waits_for_the_message_being_handled_and_its_turn(runtime):
    pid = await Counter.start_link()
    asked = asyncio.ensure_future(Counter.slow(pid, 2))
    await handling(pid)
    st.send(pid, "before")
    looking = asyncio.ensure_future(st.sys.get_state(pid))
    await handling(pid, mailbox=2)
    st.send(pid, "after")

    assert (await looking)["story"] is (await st.sys.get_state(pid))["story"]
    assert runtime.now() >= 2
    await asked


@pytest.mark.otp("S50")
@pytest.mark.parametrize("suspended", [False, True])
async def test_the_state_is_replaced(runtime, suspended):
    pid = await Counter.start_link()
    if suspended:
        await st.sys.suspend(pid)
    new = await st.sys.replace_state(pid, lambda state: {**state, "count": 41})
    assert new["count"] == 41
    if suspended:
        await st.sys.resume(pid)

    assert await Counter.increment(pid) == 42


@pytest.mark.otp("S50")
async def test_an_attribute_left_out_of_the_new_state_is_gone(runtime):
    pid = await Counter.start_link()
    await st.sys.replace_state(pid, lambda state: {"count": 5})

    assert await st.sys.get_state(pid) == {"count": 5}


@pytest.mark.otp("S50")
@pytest.mark.parametrize("suspended", [False, True])
async def test_a_replacement_that_raises_changes_nothing_and_raises_in_who_asked(
    runtime, suspended
):
    pid = await Counter.start_link()
    await Counter.increment(pid, 3)
    if suspended:
        await st.sys.suspend(pid)

    def replace(state: dict[str, Any]) -> dict[str, Any]:
        state["count"] = 1000
        raise KeyError("no")

    with pytest.raises(KeyError, match="no"):
        await st.sys.replace_state(pid, replace)
    assert (await st.sys.get_state(pid))["count"] == 3
    assert pid.is_alive()


@pytest.mark.otp("S50")
async def test_a_replacement_must_be_a_dict_of_attributes(runtime):
    pid = await Counter.start_link()

    with pytest.raises(TypeError, match="must return a dict of attributes; got int"):
        await st.sys.replace_state(pid, lambda state: 1)
    assert await Counter.increment(pid) == 1


@pytest.mark.otp("S50")
async def test_a_replacement_that_one_attribute_refuses_changes_none(runtime):
    class Guarded(Counter):
        @property
        def limit(self) -> int:
            return 10

    pid = await Guarded.start_link()

    with pytest.raises(AttributeError):
        await st.sys.replace_state(pid, lambda state: {"count": 7, "limit": 11})
    assert (await st.sys.get_state(pid)) == {"count": 0, "story": []}


@pytest.mark.otp("S50")
async def test_slots_are_state_too(runtime):
    pid = await Slotted.start_link()
    assert await st.sys.get_state(pid) == {"value": 1, "_Slotted__hidden": 2}

    await st.sys.replace_state(pid, lambda state: {**state, "_Slotted__hidden": 3})
    assert await Slotted.get(pid) == (1, 3)


# -- S51: suspension ----------------------------------------------------------------------------


@VIRTUAL
@pytest.mark.otp("S51")
async def test_a_suspended_server_handles_nothing_until_it_is_resumed_and_then_in_order(runtime):
    story: list[object] = []
    pid = await Counter.start_link(story)
    await st.sys.suspend(pid)
    st.send(pid, 1)
    asked = asyncio.ensure_future(Counter.increment(pid))
    Counter.note(pid, 2)
    await asyncio.sleep(1)
    Counter.note(pid, 3)
    await asyncio.sleep(1)
    assert story == []
    assert not asked.done()
    assert (await st.sys.get_status(pid)).suspended

    await st.sys.resume(pid)
    assert await asked == 1
    assert story == [1, 2, 3]
    assert not (await st.sys.get_status(pid)).suspended


@pytest.mark.otp("S51")
async def test_one_resume_undoes_many_suspends_and_one_too_many_is_no_error(runtime):
    pid = await Counter.start_link()
    for _ in range(3):
        await st.sys.suspend(pid)
    await st.sys.resume(pid)
    assert await Counter.increment(pid) == 1

    await st.sys.resume(pid)
    assert await Counter.increment(pid) == 2


@pytest.mark.otp("S51")
@pytest.mark.parametrize("cls", [Counter, Trapping])
async def test_the_exit_of_the_parent_ends_a_suspended_server(runtime, cls):
    story: list[object] = []
    pid = await cls.start_link(story)
    await st.sys.suspend(pid)
    st.send(pid, "waits")
    down = runtime.down_slot(pid)
    st.exit(pid, "parent says")

    assert await down == "parent says"
    assert story == ([("terminate", "parent says")] if cls is Trapping else [])


@VIRTUAL
@pytest.mark.otp("S51")
async def test_the_exit_of_the_parent_that_waits_in_front_of_a_suspend_is_obeyed(runtime):
    story: list[object] = []

    class Slow(Trapping):
        async def handle_info(self, message: Any) -> None:
            await asyncio.sleep(1)

    pid = await Slow.start_link(story)
    st.send(pid, "busy")
    await handling(pid)
    suspending = asyncio.ensure_future(st.sys.suspend(pid))
    await handling(pid, mailbox=1)
    down = runtime.down_slot(pid)
    st.exit(pid, "parent says")
    await suspending

    assert await down == "parent says"
    assert story == [("terminate", "parent says")]


@VIRTUAL
@pytest.mark.otp("S51")
async def test_the_exit_of_a_stranger_waits_for_the_resume(runtime):
    story: list[object] = []
    pid = await Trapping.start_link(story)
    await st.sys.suspend(pid)

    async def stranger() -> None:
        st.exit(pid, "stranger says")

    other = runtime.spawn(stranger)
    await wait_down(other)
    await asyncio.sleep(1)
    assert story == []
    await st.sys.resume(pid)
    await turn(2)
    assert story == [st.Exit(other, "stranger says")]


@pytest.mark.otp("S51", "S41")
async def test_a_suspended_server_can_be_killed(runtime):
    pid = await Counter.start()
    await st.sys.suspend(pid)
    down = runtime.down_slot(pid)
    st.exit(pid, st.KILL)

    assert await down is st.KILLED


@VIRTUAL
@pytest.mark.otp("S51")
async def test_a_suspended_server_with_an_async_terminate_ends_in_order(runtime):
    story: list[object] = []

    class Slow(Trapping):
        async def terminate(self, reason: object) -> None:
            await asyncio.sleep(1)
            self.story.append(("terminate", reason))

    pid = await Slow.start_link(story)
    await st.sys.suspend(pid)
    down = runtime.down_slot(pid)
    st.exit(pid, st.SHUTDOWN)

    assert await down is st.SHUTDOWN
    assert story == [("terminate", st.SHUTDOWN)]


# -- S52: statistics -------------------------------------------------------------------------------


@pytest.mark.otp("S52")
async def test_statistics_are_absent_until_they_are_switched_on(runtime):
    pid = await Counter.start_link()
    assert await st.sys.get_statistics(pid) is None
    await st.sys.statistics(pid)
    assert await st.sys.get_statistics(pid) is not None
    await st.sys.statistics(pid, False)
    assert await st.sys.get_statistics(pid) is None


@VIRTUAL
@pytest.mark.otp("S52")
async def test_statistics_count_what_comes_in_and_what_is_answered(runtime):
    pid = await Counter.start_link()
    await Counter.increment(pid)
    begun = runtime.now()
    await st.sys.statistics(pid)
    for _ in range(3):
        await Counter.increment(pid)
    Counter.note(pid, 1)
    st.send(pid, 2)
    await Counter.slow(pid, 2)
    asked = asyncio.ensure_future(Counter.hold(pid))
    await owing(pid)
    counted = await st.sys.get_statistics(pid)

    assert counted == st.sys.Statistics(
        started_at=begun,
        now=begun + 2,
        turns_count=7,
        messages_in_count=7,
        messages_out_count=4,
    )
    asked.cancel()


@pytest.mark.otp("S52")
async def test_while_statistics_are_on_no_call_is_direct_and_afterwards_they_are_again(runtime):
    pid = await Counter.start_link()
    process = runtime.find(pid)
    assert process.state is IDLE
    await st.sys.statistics(pid)
    assert process.state is RESTING
    assert process.debug is not None

    await st.sys.statistics(pid, False)
    assert process.state is IDLE
    assert process.debug is None


@VIRTUAL
@pytest.mark.otp("S52", "S36")
async def test_debugging_and_idle_timeouts_do_not_disturb_one_another(runtime):
    story: list[object] = []
    pid = await Counter.start_link(story)
    st.send(pid, st.NoReply(st.Timeout(3)))
    await st.sys.statistics(pid)
    await asyncio.sleep(1)
    await st.sys.statistics(pid, False)
    assert runtime.find(pid).state is RESTING
    await asyncio.sleep(10)
    assert story[-1] is st.TIMEOUT
    await Counter.increment(pid)
    await turn(2)
    assert runtime.find(pid).state is IDLE


# -- S53: trace, log, install ------------------------------------------------------------------------


def tell(event: st.sys.DebugEvent) -> tuple[str, object]:
    return type(event).__name__, event.reply if isinstance(event, st.sys.Out) else event.message


@pytest.mark.otp("S53")
async def test_a_debug_function_sees_in_out_and_handled(runtime):
    pid = await Counter.start_link()
    seen: list[Any] = []
    await st.sys.install(pid, seen.append)

    await Counter.increment(pid, by=2)
    Counter.note(pid, "cast")
    st.send(pid, "info")
    await Counter.slow(pid, 0.02)
    request = st.sys.Request

    assert [tell(event) for event in seen] == [
        ("In", request("increment", (), {"by": 2})),
        ("Out", 2),
        ("In", request("note", ("cast",))),
        ("Handled", request("note", ("cast",))),
        ("In", "info"),
        ("Handled", "info"),
        ("In", request("slow", (0.02,))),
        ("Out", "slow"),
    ]
    assert {event.pid for event in seen} == {pid}
    assert seen[1].to is st.current()


@pytest.mark.otp("S53")
async def test_a_deferred_reply_is_seen_when_it_is_given(runtime):
    story: list[Any] = []
    pid = await Counter.start_link(story)
    seen: list[Any] = []
    await st.sys.install(pid, seen.append)
    asked = asyncio.ensure_future(Counter.hold(pid))
    await owing(pid)
    st.reply(story[0], "later")
    await asked

    assert [tell(event)[0] for event in seen] == ["In", "Handled", "Out"]


@pytest.mark.otp("S53", "S33")
async def test_the_last_reply_of_a_server_is_seen(runtime):
    class Leaving(Counter):
        @st.call
        def leave(self) -> st.Stop:
            return st.Stop(st.NORMAL, "bye")

    pid = await Leaving.start()
    seen: list[Any] = []
    await st.sys.install(pid, seen.append)

    assert await Leaving.leave(pid) == "bye"
    assert [tell(event)[0] for event in seen] == ["In", "Out"]


@pytest.mark.otp("S53")
async def test_system_requests_and_the_exit_of_the_parent_are_not_events(runtime):
    pid = await Trapping.start_link()
    seen: list[Any] = []
    await st.sys.install(pid, seen.append)
    await st.sys.get_state(pid)
    st.exit(pid, st.SHUTDOWN)
    await wait_down(pid)

    assert seen == []


@pytest.mark.otp("S53")
@pytest.mark.parametrize("kind", [ValueError, SystemExit, asyncio.CancelledError])
async def test_a_debug_function_that_raises_is_removed_and_the_server_does_not_notice(
    runtime, kind
):
    pid = await Counter.start_link()
    seen: list[Any] = []

    def broken(event: object) -> None:
        seen.append(event)
        raise kind("broken")

    await st.sys.install(pid, broken)
    assert await Counter.increment(pid) == 1
    assert await Counter.increment(pid) == 2

    assert len(seen) == 1
    assert runtime.find(pid).debug is None


@pytest.mark.otp("S53")
async def test_a_debug_function_that_is_done_is_removed(runtime):
    pid = await Counter.start_link()
    seen: list[Any] = []

    def first(event: object) -> object:
        seen.append(event)
        return st.sys.DONE

    await st.sys.install(pid, first)
    await Counter.increment(pid)
    await Counter.increment(pid)

    assert len(seen) == 1


@pytest.mark.otp("S53")
async def test_a_debug_function_is_removed_by_its_key(runtime):
    pid = await Counter.start_link()
    seen: list[Any] = []
    key = await st.sys.install(pid, seen.append)
    assert await st.sys.install(pid, seen.append, key="mine") == "mine"
    await st.sys.install(pid, seen.append, key="mine")  # there already
    await Counter.increment(pid)
    assert len(seen) == 4
    await st.sys.remove(pid, key)
    await st.sys.remove(pid, "unknown")
    await Counter.increment(pid)
    assert len(seen) == 6
    await st.sys.no_debug(pid)
    await Counter.increment(pid)
    assert len(seen) == 6


@pytest.mark.otp("S53")
async def test_a_debug_function_runs_in_the_server(runtime):
    pid = await Counter.start_link()
    seen: list[Any] = []
    await st.sys.install(pid, lambda event: seen.append(st.current()))
    await Counter.increment(pid)

    assert seen == [pid, pid]


@pytest.mark.otp("S53")
async def test_the_message_after_an_install_is_seen_although_it_waited_already(runtime):
    pid = await Counter.start_link()
    seen: list[Any] = []
    gate = asyncio.Event()
    busy = asyncio.ensure_future(Counter.wait_for(pid, gate))
    await handling(pid)
    installing = asyncio.ensure_future(st.sys.install(pid, seen.append))
    await handling(pid, mailbox=1)
    st.send(pid, "next")
    gate.set()
    await busy
    await installing
    await wait_mailbox_empty(pid)

    assert [tell(event) for event in seen] == [("In", "next"), ("Handled", "next")]


@pytest.mark.otp("S53")
async def test_trace_prints_until_it_is_switched_off(runtime, capsys):
    pid = await Counter.start_link()
    await st.sys.trace(pid)
    await Counter.increment(pid, 2)
    Counter.note(pid, 1)
    await st.sys.trace(pid, False)
    await Counter.increment(pid)

    assert capsys.readouterr().out.splitlines() == [
        f"*DBG* {pid!r} got increment(2)",
        f"*DBG* {pid!r} sent 2 to {st.current()!r}",
        f"*DBG* {pid!r} got note(1)",
        f"*DBG* {pid!r} handled note(1)",
    ]


@pytest.mark.otp("S53")
async def test_log_keeps_the_last_events(runtime):
    pid = await Counter.start_link()
    assert await st.sys.get_log(pid) == []
    await st.sys.log(pid, size=3)
    for n in range(5):
        Counter.note(pid, n)
    kept = await st.sys.get_log(pid)

    assert [event.message.args[0] for event in kept] == [3, 4, 4]
    assert (await st.sys.get_status(pid)).log == kept
    await st.sys.log(pid, False)
    assert await st.sys.get_log(pid) == []
    with pytest.raises(ValueError, match="log: size must be at least 1"):
        await st.sys.log(pid, size=0)


# -- S54: code change --------------------------------------------------------------------------------


class NewCounter(Counter):
    """Counts in a dict, and by twos."""

    counts: dict[str, int]

    @st.call
    def increment(self, by: int = 1) -> int:
        self.counts["all"] += 2 * by
        return self.counts["all"]

    def code_change(self, old_version: object, extra: object) -> None:
        self.counts = {"all": self.count}
        del self.count
        self.story.append((old_version, extra))
        if extra == "refuse":
            raise RuntimeError("refused")
        if extra == "exit":
            raise SystemExit


@pytest.mark.otp("S54")
async def test_a_code_change_gives_a_suspended_server_its_new_class_and_state(runtime):
    story: list[object] = []
    pid = await Counter.start_link(story)
    await Counter.increment(pid, 3)
    await st.sys.suspend(pid)
    waiting = asyncio.ensure_future(Counter.increment(pid))
    await st.sys.change_code(pid, NewCounter, old_version=1, extra="x")
    await st.sys.resume(pid)

    assert story == [(1, "x")]
    assert await waiting == 5  # what waited is handled by the new class
    assert await Counter.increment(pid) == 7
    assert await NewCounter.increment(pid) == 9


@pytest.mark.otp("S54")
@pytest.mark.parametrize("extra", ["refuse", "exit"])
async def test_a_refused_code_change_leaves_class_and_state(runtime, extra):
    pid = await Counter.start_link()
    await Counter.increment(pid, 3)
    await st.sys.suspend(pid)

    with pytest.raises(st.CodeChangeError) as caught:
        await st.sys.change_code(pid, NewCounter, extra=extra)
    await st.sys.resume(pid)

    assert isinstance(caught.value.reason, st.Crashed)
    state = await st.sys.get_state(pid)
    assert state["count"] == 3
    assert "counts" not in state
    assert await Counter.increment(pid) == 4


@pytest.mark.otp("S54")
async def test_a_code_change_needs_a_suspended_server(runtime):
    pid = await Counter.start_link()

    with pytest.raises(st.NotSuspendedError, match=r"Use `sys\.suspend` first"):
        await st.sys.change_code(pid, NewCounter)
    assert await Counter.increment(pid) == 1


# -- S55: redaction -------------------------------------------------------------------------------------


class Vault(st.GenServer):
    """Hides what it holds."""

    def __init__(self) -> None:
        self.password = "hunter2"
        self.user = "ann"

    @st.call
    def login(self, password: str) -> None:
        raise ValueError(f"bad password {password}")

    def format_status(self, status: st.Status) -> st.Status:
        status.state["password"] = "(hidden)"
        if status.message is not None:
            status.message = f"{status.message.name}(hidden)"
        if status.reason is not None:
            status.reason = "(hidden)"
        return status


class LeakyVault(Vault):
    def format_status(self, status: st.Status) -> st.Status:
        raise RuntimeError("cannot hide")


@pytest.mark.otp("S55")
async def test_format_status_shapes_the_status_and_not_the_state(runtime):
    pid = await Vault.start_link()

    assert (await st.sys.get_status(pid)).state == {"password": "(hidden)", "user": "ann"}
    assert (await st.sys.get_state(pid))["password"] == "hunter2"


@pytest.mark.otp("S55")
@pytest.mark.parametrize("cls", [Vault, LeakyVault])
async def test_a_crash_report_shows_only_what_format_status_lets_through(runtime, caplog, cls):
    pid = await cls.start()

    with pytest.raises(st.ServerExitError):
        await cls.login(pid, "hunter2")

    assert "hunter2" not in caplog.text
    assert "hidden" in caplog.text
    assert f"{cls.__name__} crashed" in caplog.text
    [record] = [r for r in caplog.records if hasattr(r, "crash_report")]
    assert "hunter2" not in record.crash_report.last_message


@pytest.mark.otp("S55")
async def test_a_format_status_that_raises_raises_in_who_asked(runtime):
    pid = await LeakyVault.start_link()

    with pytest.raises(RuntimeError, match="cannot hide"):
        await st.sys.get_status(pid)
    assert pid.is_alive()


async def test_the_status_tells_where_a_server_stands(runtime):
    pid = await Counter.start_link()
    await st.sys.suspend(pid)
    st.send(pid, 1)
    status = await st.sys.get_status(pid)

    assert status.pid is pid
    assert status.parent is st.current()
    assert status.label == "Counter"
    assert status.suspended
    assert status.waiting_count == 1
    assert status.message is None


# -- asking ------------------------------------------------------------------------------------------------


async def test_a_request_to_nobody_or_to_no_server_is_refused(runtime):
    plain = runtime.spawn(st.receive)

    with pytest.raises(st.NoProcessError):
        await st.sys.get_state("nobody")
    with pytest.raises(st.SystemRequestError, match="a plain process does not answer get_state"):
        await st.sys.get_state(plain)
    with pytest.raises(st.SystemRequestError, match="does not answer statistics"):
        await st.sys.statistics(plain)
    st.send(plain, None)


@VIRTUAL
async def test_a_request_gives_up_after_its_timeout_and_leaves_nothing(runtime):
    pid = await Counter.start_link()
    asked = asyncio.ensure_future(Counter.slow(pid, 3))
    await handling(pid)

    with pytest.raises(st.CallTimeoutError, match="no reply to get_state within 1 s"):
        await st.sys.get_state(pid, timeout=1)
    assert not runtime.find(pid).pending
    await asked


async def test_a_request_ends_with_the_server(runtime):
    pid = await Counter.start()
    asked = asyncio.ensure_future(Counter.slow(pid, 1000))
    asked.add_done_callback(lambda task: task.exception())
    await handling(pid)
    looking = asyncio.ensure_future(st.sys.get_state(pid))
    await handling(pid, mailbox=1)
    st.exit(pid, "gone")

    with pytest.raises(st.ServerExitError):
        await looking


async def test_a_server_cannot_ask_itself(runtime):
    class Curious(st.GenServer):
        @st.call
        async def look(self) -> Any:
            try:
                return await st.sys.get_state(self.pid)
            except st.SelfCallError:
                return "refused"

    pid = await Curious.start_link()

    assert await Curious.look(pid) == "refused"


async def test_terminate_is_stop(runtime):
    story: list[object] = []
    pid = await Counter.start(story)
    await st.sys.terminate(pid, "told")

    assert story == [("terminate", "told")]


@VIRTUAL
async def test_terminate_returns_when_the_server_has_ended(runtime):
    class Slow(st.GenServer):
        async def terminate(self, reason: object) -> None:
            await asyncio.sleep(3)

    pid = await Slow.start()
    ended = runtime.down_slot(pid)

    await st.sys.terminate(pid)

    assert ended.done()
    assert runtime.find(pid) is None
