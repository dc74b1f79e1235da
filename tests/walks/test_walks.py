"""The three walks of docs/explanation/architecture.md: each crosses the files that it names, in that order.

The files are recorded by a profile function while the walk happens.  The order of first
visits is what is compared: a walk goes down once and up once, so a file that is met
earlier than the page says means that something knows more than it should.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import suptree
import suptree as st
from suptree.testing import wait_until

SOURCES = str(Path(suptree.__file__).parent) + "/"


class Clerk(st.GenServer):
    def __init__(self) -> None:
        self.ticked = 0

    @st.call
    def answer(self) -> int:
        return 42

    @st.cast
    def crash(self) -> None:
        raise RuntimeError("boom")

    @st.call
    def begin(self) -> st.Timer:
        return self.send_after(1.0, "tick")

    def handle_info(self, message: object) -> None:
        self.ticked += 1


@contextmanager
def files_crossed() -> Iterator[list[str]]:
    """The files of suptree in the order in which they are first entered."""
    seen: dict[str, None] = {}
    crossed: list[str] = []

    def record(frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(SOURCES):
            file = name.removeprefix(SOURCES)
            if not file.startswith("testing/") and file not in seen:
                seen[file] = None
                crossed.append(file)

    sys.setprofile(record)
    try:
        yield crossed
    finally:
        sys.setprofile(None)


def in_order(crossed: list[str], walk: list[str]) -> list[str]:
    """What of the walk was crossed, in the order of crossing."""
    return [file for file in crossed if file in walk]


@pytest.fixture
def runtime_options(runtime_options: dict[str, Any]) -> dict[str, Any]:
    """Through the queue, in arrival order: the long way is the one that the page tells of."""
    return {**runtime_options, "direct_call": False, "seed": None}


async def test_a_message_goes_from_request_to_process_to_run_queue_to_server_to_slot(runtime):
    pid = await Clerk.start_link()
    await Clerk.answer(pid)

    with files_crossed() as crossed:
        await Clerk.answer(pid)

    walk = ["otp/clients.py", "otp/requests.py", "otp/gen_server.py"]
    assert in_order(crossed, walk) == walk
    assert set(crossed) - {"core/runqueue.py"} == {  # its turn may be under way
        *walk,
        "core/process.py",
        "core/slot.py",
    }


async def test_a_crash_goes_from_process_to_reaper_to_supervisor_to_restart_to_start(runtime):
    sup = await st.Supervisor.start_link([st.child(Clerk).with_(name="clerk")])
    first = st.whereis("clerk")
    assert first is not None

    with files_crossed() as crossed:
        Clerk.crash(first)
        await wait_until(lambda: st.whereis("clerk") not in (None, first))

    walk = [
        "core/process.py",
        "core/reaper.py",
        "otp/supervising.py",
        "otp/restart.py",
        "otp/supervisor_body.py",
    ]
    assert in_order(crossed, walk) == walk
    assert crossed.index("otp/gen_server.py") < crossed.index("core/reaper.py")
    assert not [file for file in crossed if "requests" in file and file != "otp/requests.py"]
    await st.Supervisor.stop(sup)


async def test_a_timer_goes_from_server_to_ticker_to_timers_and_back(runtime):
    pid = await Clerk.start_link()

    begin = Clerk.begin  # made once, when it is first named

    with files_crossed() as crossed:
        await begin(pid)
    down = in_order(crossed, ["otp/behaviour.py", "core/ticker.py", "core/timers.py"])
    with files_crossed() as crossed:
        await wait_until(lambda: runtime.find(pid).server.ticked == 1)
    up = in_order(crossed, ["core/ticker.py", "core/timers.py", "core/process.py"])

    assert down == ["otp/behaviour.py", "core/ticker.py", "core/timers.py"]
    assert up == ["core/ticker.py", "core/timers.py", "core/process.py"]


async def test_the_death_of_its_owner_ends_a_timer_in_one_step_of_the_reaper(runtime):
    pid = await Clerk.start()
    await Clerk.begin(pid)

    with files_crossed() as crossed:
        st.exit(pid, st.KILL)

    walk = ["core/signals.py", "core/process.py", "core/reaper.py", "core/timers.py"]
    assert in_order(crossed, walk) == walk
    assert runtime.ticker.timers.live == 0
