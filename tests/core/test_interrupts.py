"""Law 13 in a loop that is not ours: real signals to a real program."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
import asyncio, signal, sys, threading
import suptree as st

class Clerk(st.GenServer):
    trap_exit = True

    @st.call
    def spin(self) -> None:
        print("spinning", flush=True)
        while True:
            pass

    def terminate(self, reason: object) -> None:
        print("goodbye", reason, flush=True)

async def main() -> None:
    async with st.Runtime():
        pid = await Clerk.start_link()
        print("open", flush=True)
        WAIT

loop = asyncio.new_event_loop()
try:
    loop.run_until_complete(main())
except st.RuntimeStoppedError as stopped:
    print("stopped", stopped.what, flush=True)
loop.close()
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, flush=True)
"""


def program(wait: str) -> subprocess.Popen[str]:
    source = textwrap.dedent(PROGRAM).replace("WAIT", wait)
    running = subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "open\n"
    return running


def test_law13_ctrl_c_in_a_loop_with_the_default_handler_stops_the_runtime_in_order():
    running = program("await asyncio.sleep(3600)")
    running.send_signal(signal.SIGINT)
    said, errors = running.communicate(timeout=30)

    assert said.splitlines() == ["goodbye SHUTDOWN", "stopped Ctrl-C", "True"], errors
    assert running.returncode == 0


def test_law13_ctrl_c_once_more_breaks_a_handler_that_never_yields():
    running = program("await Clerk.spin(pid)")
    assert running.stdout is not None
    assert running.stdout.readline() == "spinning\n"
    running.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        running.wait(0.3)  # it cannot stop in order: its loop is blocked
    running.send_signal(signal.SIGINT)
    said, errors = running.communicate(timeout=30)

    assert said.splitlines()[-2:] == ["stopped Ctrl-C", "True"], errors
    assert running.returncode == 0


def test_law13_a_handler_of_the_host_is_left_alone():
    source = """
        import asyncio, signal
        import suptree as st
        async def main():
            before = signal.getsignal(signal.SIGINT)
            async with st.Runtime():
                assert signal.getsignal(signal.SIGINT) is before
        asyncio.run(main())
        print("alone")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)], capture_output=True, text=True, timeout=30
    )

    assert done.stdout == "alone\n", done.stderr
