"""What the tests of the commands stand on: programs that misbehave, and who of them is still there."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from pathlib import Path
from typing import Any

import suptree as st
from suptree.services import (
    AnyArguments,
    CommandLimits,
    CommandResult,
    CommandRule,
    SystemCommandManager,
)

FREE = CommandLimits(cpu_s=None, memory_bytes=None)
PY = CommandRule(path=sys.executable, arguments=AnyArguments(), limits=FREE, grace=0.1)
RULES = {"py": PY, "sh": CommandRule(arguments=AnyArguments(), limits=FREE, grace=0.1)}

_numbers = itertools.count()


async def manager(rules: dict[str, CommandRule] | None = None, **options: Any) -> str:
    """A manager under the test; its name."""
    spec = SystemCommandManager.child(allowed=RULES if rules is None else rules, **options)
    await spec.start_link()
    return "commands"


async def py(code: str, *args: Any, **options: Any) -> CommandResult:
    """Run Python code as a command."""
    words = ["-I", "-S", "-c", code, *args]
    return await SystemCommandManager.execute("commands", "py", words, **options)


async def sh(script: str, *args: Any, **options: Any) -> CommandResult:
    """Run a script as a command."""
    return await SystemCommandManager.execute("commands", "sh", ["-c", script, *args], **options)


def mark() -> str:
    """A word that stands on the command lines of one test, and on no other."""
    return f"suptree-test-{os.getpid()}-{next(_numbers)}"


def alive(word: str) -> list[int]:
    """The processes on whose command line that word is."""
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes()
        except OSError:
            continue
        if word.encode() in words and int(entry.parent.name) != os.getpid():
            found.append(int(entry.parent.name))
    return found


async def eventually(true: Any, timeout: float = 10.0) -> None:
    """Wait in real time for what no message tells: a process of the system that comes or goes."""
    until = asyncio.get_running_loop().time() + timeout
    while not true():
        assert asyncio.get_running_loop().time() < until, "it has not come true"
        await asyncio.sleep(0.01)


async def process(which: str) -> st.Pid[Any]:
    """A process of the manager: "top", "server", "runs" or "guardian"."""
    if which == "top":
        pid = st.whereis("commands")
    else:
        children = await st.Supervisor.which_children("commands")
        (pid,) = [one.pid for one in children if str(one.id).rpartition(".")[2] == which]
    assert isinstance(pid, st.Pid)
    return pid


def guardian_of(runtime: st.Runtime) -> list[int]:
    """The OS processes that guard commands, of this program."""
    me = os.getpid()
    children = Path(f"/proc/{me}/task").glob("*/children")
    pids = [int(word) for file in children for word in file.read_text().split()]
    return [pid for pid in pids if b"boot.py" in _cmdline(pid)]


def _cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


DAEMON = """
import os, signal, sys, time
ready, told = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() != 0: os._exit(0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
    os.write(told, b"x")
    os.closerange(0, 100)
    time.sleep(1000)
os.read(ready, 1)
"""
"""Leaves its parent, its group and its session, closes everything, and ignores what it can."""

IGNORES_TERM = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(1000)
"""

TREE = """
import os, sys, time
def grow(depth):
    for odd in range(2):
        if depth and os.fork() == 0:
            if odd: os.setsid()
            grow(depth - 1)
    if depth == 4: print("ready", flush=True)
    time.sleep(1000)
grow(4)
"""
"""Thirty processes and more, half of them in sessions of their own."""
