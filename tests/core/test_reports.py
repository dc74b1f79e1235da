"""Crash reports: quality, storms, and handlers that raise."""

from __future__ import annotations

import asyncio
import logging

import pytest

import suptree as st
from suptree.core import LOG
from suptree.testing import turn, wait_down, wait_until

pytestmark = pytest.mark.suptree_loop("virtual")  # exact times


class Crashing(st.GenServer):
    """Crashes when it is asked to."""

    @st.call
    def divide(self, by: int, *, note: str = "") -> float:
        try:
            return 1 / by
        except ZeroDivisionError as error:
            error.add_note(note)
            raise

    def handle_info(self, message: object) -> None:
        raise ValueError(message)


def reports(caplog) -> list[st.CrashReport]:
    return [one.crash_report for one in caplog.records if hasattr(one, "crash_report")]


async def test_a_report_names_process_place_message_exception_notes_and_what_was_done(
    runtime, caplog
):
    pid = await st.child(Crashing).with_(name="calculator").start_link()
    with pytest.raises(st.ServerExitError):
        await Crashing.divide(pid, 0, note="the customer said zero")
    [report] = reports(caplog)
    text = str(report)

    assert text.splitlines()[0].startswith("<0.2> Crashing crashed: Crashed(ZeroDivisionError")
    assert "in the tree: main / calculator" in text
    assert "last message: call divide(0, note='the customer said zero')" in text
    assert "then: no supervisor" in text
    assert "ZeroDivisionError: division by zero" in text
    assert "the customer said zero" in text
    assert "return 1 / by" in text
    assert (report.pid, report.label) == (pid, "Crashing")
    assert caplog.records[-1].levelno == logging.ERROR
    assert caplog.records[-1].name == "suptree"


async def test_a_supervised_crash_is_one_report_that_says_what_the_supervisor_did(runtime, caplog):
    await st.Supervisor.start_link(
        [st.child(Crashing).with_(name="calculator", restart="permanent")], name="sup"
    )
    first = st.whereis("calculator")
    st.send("calculator", "boom")
    await wait_until(lambda: st.whereis("calculator") not in (None, first))
    [report] = reports(caplog)

    assert "in the tree: main / sup / calculator" in str(report)
    assert "last message: 'boom'" in str(report)
    assert report.action.startswith("restarted")


@pytest.mark.parametrize(
    "reason", [st.NORMAL, st.SHUTDOWN, st.Shutdown("planned"), st.Shutdown(ValueError())]
)
async def test_a_normal_ish_end_is_no_crash(runtime, caplog, reason):
    class Stopping(st.GenServer):
        def handle_info(self, message: object) -> st.Stop:
            return st.Stop(message)

    pid = await Stopping.start()
    down = runtime.down_slot(pid)
    st.send(pid, reason)
    await down

    assert reports(caplog) == []
    assert runtime.reporter.total == 0


async def test_an_exit_signal_is_no_crash_of_its_victim(runtime, caplog):
    pid = await Crashing.start()
    down = runtime.down_slot(pid)
    st.exit(pid, "somebody else's trouble")
    await down

    assert reports(caplog) == []


async def test_ten_thousand_crashes_are_not_ten_thousand_reports(runtime, caplog):
    pids = [await Crashing.start() for _ in range(10_000)]
    for pid in pids:
        st.send(pid, "boom")
    await wait_until(lambda: runtime.reporter.total == 10_000)
    written = len(reports(caplog))
    assert 0 < written <= 20
    await asyncio.sleep(2)
    [line] = [one.getMessage() for one in caplog.records if "more crashes" in one.getMessage()]

    assert line.startswith(f"{10_000 - written} more crashes were not written in full")
    assert "10000 in all so far" in line


async def test_after_a_storm_reports_are_written_again(runtime, caplog):
    for _ in range(30):
        st.send(await Crashing.start(), "boom")
    await asyncio.sleep(2)
    caplog.clear()
    st.send(await Crashing.start(), "again")
    await turn(2)

    assert [report.last_message for report in reports(caplog)] == ["'again'"]


async def test_closing_the_runtime_tells_the_final_count(runtime_options, caplog):
    async with st.Runtime(**runtime_options) as rt:
        for _ in range(30):
            st.send(await Crashing.start(), "boom")
        await wait_until(lambda: rt.reporter.total == 30)

    assert "10 more crashes were not written in full" in caplog.text


async def test_a_logging_handler_that_raises_does_not_hurt(runtime, capsys):
    class Raising(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise ValueError("the disk is full")

    logger = logging.getLogger("suptree")
    handler = Raising()
    logger.addHandler(handler)
    try:
        for _ in range(3):
            assert (await wait_down(await crash())).text == "boom"
    finally:
        logger.removeHandler(handler)

    assert "ValueError: the disk is full" in capsys.readouterr().err


async def test_a_record_names_the_place_that_logged(runtime, caplog):
    with caplog.at_level(logging.WARNING, "suptree"):
        LOG.warning("something")

    assert (caplog.records[-1].module, caplog.records[-1].funcName) == (
        "test_reports",
        "test_a_record_names_the_place_that_logged",
    )


async def test_a_logging_handler_that_raises_does_not_keep_a_supervisor_from_giving_up(
    runtime, capsys
):
    class Raising(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise ValueError("the disk is full")

    sup = await st.Supervisor.child(
        [st.child(Crashing).with_(name="c")], max_restarts=0
    ).start_unlinked()
    logger = logging.getLogger("suptree")
    handler = Raising()
    logger.addHandler(handler)
    try:
        st.send("c", "boom")
        assert await wait_down(sup) is st.SHUTDOWN
    finally:
        logger.removeHandler(handler)

    assert "ValueError: the disk is full" in capsys.readouterr().err


async def crash() -> st.Pid[Crashing]:
    pid = await Crashing.start()
    st.send(pid, "boom")
    return pid


async def test_a_message_that_cannot_be_shown_is_reported_all_the_same(runtime, caplog):
    class Nasty:
        def __repr__(self) -> str:
            raise RuntimeError

    class Huge:
        def __repr__(self) -> str:
            return "x" * 10_000_000

    for message in (Nasty(), Huge(), ["y"] * 1_000_000):
        pid = await Crashing.start()
        st.send(pid, message)
    await turn(3)
    written = reports(caplog)

    assert len(written) == 3
    assert max(len(str(report)) for report in written) < 10_000


async def test_a_message_that_nobody_handles_is_logged_and_the_server_goes_on(runtime, caplog):
    class Deaf(st.GenServer):
        pass

    pid = await Deaf.start()
    st.send(pid, "hello?")
    await turn()

    assert "got a message that it does not handle: 'hello?'" in caplog.text
    assert pid.is_alive()


# -- telemetry of the core ------------------------------------------------------------------


async def test_every_event_of_a_process_is_emitted_with_what_it_declares(runtime):
    seen: dict[str, list[tuple[dict, dict]]] = {}

    def note(event, numbers, facts):
        assert set(numbers) == set(event.measurements)
        assert set(facts) == set(event.metadata)
        seen.setdefault(event.name, []).append((dict(numbers), dict(facts)))

    runtime.telemetry.attach("test", "suptree.process.*", note)
    before = len(runtime.alive())
    pid = await Crashing.start()
    st.send(pid, "boom")
    await wait_down(pid)
    await turn()

    [(numbers, facts)] = seen["suptree.process.started"]
    assert (numbers["processes_count"], facts["label"]) == (before + 1, "Crashing")
    [(_, crashed)] = seen["suptree.process.crashed"]
    [(numbers, exited)] = seen["suptree.process.exited"]
    assert crashed["reason"] is exited["reason"]
    assert (crashed["pid"], numbers["messages_count"]) == (pid, 1)
    assert numbers["lifetime_s"] >= 0


async def test_a_telemetry_handler_that_raises_does_not_hurt(runtime):
    def raising(event, numbers, facts):
        raise ValueError("broken handler")

    runtime.telemetry.attach("bad", "suptree.process.*", raising)
    pid = await Crashing.start()
    down = runtime.down_slot(pid)
    st.send(pid, "boom")

    assert (await down).text == "boom"
