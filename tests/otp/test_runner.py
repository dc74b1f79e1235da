"""The runner: whole programs, real signals, and exit codes that say how it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

import suptree as st

LIMIT = 30.0

HEADER = """
import asyncio, logging, os, signal, sys, threading, time
import suptree as st
logging.basicConfig(level=logging.INFO, format="%(message)s")
say = lambda *words: print(*words, flush=True)

class Worker(st.GenServer):
    trap_exit = True
    def __init__(self, name):
        self.name = name
        say("start", name)
    def terminate(self, reason):
        say("stop", self.name)

class Ready(st.GenServer):
    def init(self):
        say("ready")
"""


class Running:
    """A program in an OS process of its own."""

    def __init__(self, source: str, *options: str) -> None:
        code = textwrap.dedent(HEADER) + textwrap.dedent(source)
        self.process = subprocess.Popen(
            [sys.executable, *options, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []

    def wait_for(self, word: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.strip())
            if line.strip() == word:
                return
        raise AssertionError(f"never said {word!r}: {self.said}\n{self.rest()[1]}")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def rest(self) -> tuple[int, str]:
        """Wait for the end: exit code and what was logged."""
        out, err = self.process.communicate(timeout=LIMIT)
        self.said += out.split("\n")[:-1]
        return self.process.returncode, err


@pytest.fixture
def program() -> Iterator[Any]:
    programs: list[Running] = []

    def start(source: str, *options: str) -> Running:
        programs.append(Running(source, *options))
        return programs[-1]

    yield start
    for each in programs:
        with suppress(ProcessLookupError):
            each.process.kill()
        each.process.communicate()


SHOP = """
class Shop(st.Application):
    def children(self):
        return [
            st.child(Worker, "one").with_(id=1),
            st.child(Worker, "two").with_(id=2),
            st.child(Ready),
        ]
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("uvloop", [False, True])
def test_the_first_signal_stops_everything_in_order_and_the_code_is_0(program, number, uvloop):
    if uvloop:
        pytest.importorskip("uvloop")
    running = program(SHOP + f"st.run(Shop(), uvloop={uvloop})\nsay('after')\n", "-W", "error")
    running.wait_for("ready")
    running.signal(number)
    code, log = running.rest()

    assert (code, log.count("stopping in order")) == (0, 1)
    assert running.said == ["start one", "start two", "ready", "stop two", "stop one", "after"]


def test_a_program_that_ends_by_itself_as_it_should_ends_with_0(program):
    running = program("""
        class Job(st.GenServer, restart="transient", significant=True):
            def init(self):
                return st.Timeout(0)
            def handle_info(self, message):
                return st.Stop(st.NORMAL)
        class Census(st.Application):
            auto_shutdown = "any_significant"
            def children(self):
                return [st.child(Worker, "one"), st.child(Job)]
        st.run(Census)
        """)

    assert running.rest()[0] == st.ExitCode.OK
    assert running.said == ["start one", "stop one"]


def test_a_program_whose_supervisor_gives_up_ends_with_1(program):
    running = program("""
        class Crashes(st.GenServer):
            def init(self):
                return st.Timeout(0)
            def handle_info(self, message):
                raise ValueError("boom")
        class Shop(st.Application):
            def children(self):
                return [st.child(Worker, "one"), st.child(Crashes)]
        st.run(Shop)
        """)
    code, log = running.rest()

    assert code == st.ExitCode.FAILED
    assert running.said == ["start one", "stop one"]
    assert "application Shop ended, its top supervisor gave up" in log


def test_a_program_that_fails_to_start_stops_what_it_started_and_ends_with_3(program):
    running = program("""
        class Broken(st.GenServer):
            def init(self):
                raise ValueError("boom")
        class Base(st.Application):
            def children(self):
                return [st.child(Worker, "base")]
        class Shop(st.Application):
            depends_on = (Base,)
            def children(self):
                return [st.child(Worker, "one"), st.child(Broken)]
        st.run(Shop)
        """)
    code, log = running.rest()

    assert code == st.ExitCode.START_FAILED
    assert running.said == ["start base", "start one", "stop one", "stop base"]
    assert "application Shop failed to start in Shop.start" in log
    assert "boom" in log


SLOW = """
class Slow(Worker):
    async def terminate(self, reason):
        say("stopping")
        await asyncio.sleep(60)

class Shop(st.Application):
    def children(self):
        return [
            st.child(Worker, "one").with_(id=1),
            st.child(Slow, "two").with_(id=2, shutdown="infinity"),
            st.child(Ready),
        ]
"""


def test_a_stop_that_takes_too_long_is_cut_short_and_ends_with_124(program):
    running = program(SLOW + "st.run(Shop(), stop_timeout=0.3)")
    running.wait_for("ready")
    running.signal(signal.SIGTERM)
    code, log = running.rest()

    assert code == st.ExitCode.OVERDUE
    assert "did not stop within 0.3 s" in log


@pytest.mark.parametrize(("second", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_kills_everything_at_once_and_the_code_names_it(program, second, expected):
    running = program(SLOW + "st.run(Shop(), stop_timeout=60)")
    running.wait_for("ready")
    running.signal(signal.SIGTERM)
    running.wait_for("stopping")
    running.signal(second)
    code, log = running.rest()

    assert code == expected
    assert f"{second.name} once more: killing everything" in log
    assert "stop one" not in running.said


BLOCKED = """
class Blocks(st.GenServer):
    def init(self):
        return st.Timeout(0)
    def handle_info(self, message):
        say("blocked")
        while True:
            time.sleep(0.01)

class Shop(st.Application):
    def children(self):
        return [st.child(Blocks)]
"""


def test_a_handler_that_never_returns_is_left_from_outside_with_70_and_its_place(program):
    running = program(BLOCKED + "st.run(Shop(), stop_timeout=0.2)")
    running.wait_for("blocked")
    running.signal(signal.SIGTERM)
    code, log = running.rest()

    assert code == st.ExitCode.UNCLEAN
    assert "the event loop does not answer" in log
    assert "in handle_info" in log


def test_a_second_signal_gets_through_to_a_blocked_loop(program):
    running = program(BLOCKED + "st.run(Shop(), stop_timeout=60)")
    running.wait_for("blocked")
    while running.process.poll() is None:  # signals that come too close count as one
        running.signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            running.process.wait(0.2)

    assert running.rest()[0] == st.ExitCode.INTERRUPTED


FULL_PIPE = """
class Talks(st.GenServer):
    def init(self):
        return st.Continue(None)
    def handle_continue(self, argument):
        say("full soon")
        while True:
            logging.error("x" * 1000)

class Shop(st.Application):
    def children(self):
        return [st.child(Talks)]

st.run(Shop(), stop_timeout=0.2)
"""


def test_a_program_that_stands_in_a_log_that_nobody_reads_is_left_from_outside(program):
    running = program(FULL_PIPE)
    running.wait_for("full soon")
    running.signal(signal.SIGTERM)

    assert running.process.wait(LIMIT) == st.ExitCode.UNCLEAN  # its stderr was not read until here


def test_a_third_signal_gets_through_to_a_log_that_nobody_reads(program):
    running = program(FULL_PIPE.replace("0.2", "60"))
    running.wait_for("full soon")
    while running.process.poll() is None:
        running.signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            running.process.wait(0.05)

    assert running.rest()[0] == st.ExitCode.INTERRUPTED


def test_code_that_ignores_being_killed_ends_with_70(program):
    running = program("""
        class Deaf(st.GenServer):
            def init(self):
                return st.Continue(None)
            async def handle_continue(self, argument):
                say("deaf")
                while True:
                    try:
                        await asyncio.sleep(60)
                    except BaseException:
                        pass
        class Shop(st.Application):
            def children(self):
                return [st.child(Deaf)]
        st.run(Shop(), stop_timeout=0.2)
        """)
    running.wait_for("deaf")
    running.signal(signal.SIGTERM)
    code, log = running.rest()

    assert code == st.ExitCode.UNCLEAN
    assert "is abandoned" in log


def test_a_thread_that_does_not_end_is_named_and_left_behind_with_70(program):
    running = program("""
        class Threads(st.GenServer):
            def init(self):
                return st.Continue(None)
            async def handle_continue(self, argument):
                threading.Thread(target=time.sleep, args=(600,), name="sleeper").start()
                await asyncio.to_thread(time.sleep, 0)
                say("ready")
        class Shop(st.Application):
            def children(self):
                return [st.child(Threads)]
        st.run(Shop())
        """)
    running.wait_for("ready")
    running.signal(signal.SIGTERM)
    code, log = running.rest()

    assert code == st.ExitCode.UNCLEAN
    assert "threads that do not end: sleeper" in log


def test_a_start_that_hangs_when_a_signal_comes_is_killed_when_the_time_is_over(program):
    running = program("""
        class Never(st.GenServer):
            async def init(self):
                say("starting")
                await asyncio.sleep(600)
        class Shop(st.Application):
            def children(self):
                return [st.child(Worker, "one"), st.child(Never)]
        class Base(st.Application):
            def children(self):
                return [st.child(Worker, "base")]
        Shop.depends_on = (Base,)
        st.run(Shop(), stop_timeout=0.3)
        """)
    running.wait_for("starting")
    running.signal(signal.SIGTERM)

    # A supervisor that waits for an init serves nothing else (S100), so the deadline ends it.
    assert running.rest()[0] == st.ExitCode.OVERDUE
    assert running.said[:3] == ["start base", "start one", "starting"]


def test_a_process_may_stop_the_program(program):
    running = program("""
        class Last(st.GenServer):
            def init(self):
                return st.Timeout(0)
            def handle_info(self, message):
                self.pid.runtime.stop()
        class Shop(st.Application):
            def children(self):
                return [st.child(Worker, "one"), st.child(Last)]
        st.run(Shop())
        """)

    assert running.rest()[0] == st.ExitCode.OK
    assert running.said == ["start one", "stop one"]


def test_companions_start_first_stop_last_and_their_end_does_not_matter(program):
    running = program("""
        class Ends(st.GenServer, restart="temporary"):
            def init(self):
                return st.Timeout(0)
            def handle_info(self, message):
                raise ValueError("does not matter")
        class Shop(st.Application):
            def children(self):
                return [st.child(Worker, "one"), st.child(Ready)]
        st.run(Shop(), companions=[st.child(Worker, "beside"), st.child(Ends)])
        """)
    running.wait_for("ready")
    running.signal(signal.SIGTERM)

    assert running.rest()[0] == st.ExitCode.OK
    assert running.said == ["start beside", "start one", "ready", "stop one", "stop beside"]


def test_an_ignored_signal_stays_ignored(program):
    running = program("signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + SHOP + "st.run(Shop())")
    running.wait_for("ready")
    running.signal(signal.SIGINT)
    running.signal(signal.SIGTERM)
    code, log = running.rest()

    assert (code, "SIGINT" in log) == (0, False)


def test_the_signal_handlers_and_the_loop_are_given_back():
    class Job(st.GenServer, restart="temporary", significant=True):
        def init(self) -> st.Timeout:
            return st.Timeout(0)

        def handle_info(self, message: object) -> st.Stop:
            return st.Stop()

    class Brief(st.Application):
        auto_shutdown = "any_significant"

        def children(self) -> list[st.ChildSpec]:
            return [st.child(Job)]

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    threads = threading.active_count()

    assert st.run_program(Brief()) is st.ExitCode.OK
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
    assert threading.active_count() <= threads


def test_run_belongs_to_the_main_thread():
    refused: list[BaseException] = []

    def other() -> None:
        try:
            st.run_program(st.Application())
        except st.UsageError as error:
            refused.append(error)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()

    assert "main thread" in str(refused[0])


def test_every_code_explains_itself_and_leaves_room_for_the_shell():
    assert [code.value for code in st.ExitCode] == [0, 1, 2, 3, 70, 124, 130, 143]
    assert all(code.explain() for code in st.ExitCode)
    assert os.EX_SOFTWARE == st.ExitCode.UNCLEAN
