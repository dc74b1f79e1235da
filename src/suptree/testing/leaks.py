"""What a test left behind, what it is, and where it was made.

`Snapshot.take()` before a test and `leaked_since` after it compare what the
operating system and Python know of this process: threads, file descriptors,
child processes.  `loop_leaks` looks at a loop that is about to be closed, and
`suptree.testing.ledger` at runtimes.  Linux tells of descriptors and children
through `/proc`; elsewhere those two kinds are not checked.

Not leaks: the helpers of `multiprocessing`, which live as long as this process.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from suptree.clock import monotonic
from suptree.errors import SuptreeError
from suptree.testing.sites import Sites
from suptree.testing.stacks import describe_task

__all__ = ["KINDS", "Leak", "LeakError", "Snapshot", "loop_leaks"]

KINDS = ("process", "name", "monitor", "timer", "task", "thread", "fd", "child", "unhandled")
_JOIN = 1.0  # real seconds that all the threads which are ending anyway get together
_STANDING = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")


@dataclass(frozen=True, slots=True)
class Leak:
    """One thing left behind.

    Attributes:
        kind: One of `KINDS`.
        what: The thing, in words.
        where: `file:line in function` that made it; None if unknown.
    """

    kind: str
    what: str
    where: object = None

    def __str__(self) -> str:
        made = "" if self.where is None else f", made at {self.where}"
        return f"{self.kind}: {self.what}{made}"


class LeakError(SuptreeError):
    """A test left something behind.  `leaks` holds one `Leak` for each thing."""

    def __init__(self, leaks: list[Leak]) -> None:
        super().__init__(leaks)
        self.leaks = leaks

    def __str__(self) -> str:
        lines = "".join(f"\n  {leak}" for leak in self.leaks)
        return (
            f"this test left {len(self.leaks)} thing(s) behind:{lines}\n"
            "Close, stop, cancel or await each of them in the test, or say that it is meant: "
            "@pytest.mark.suptree_leaks(allow=('thread', ...))."
        )


@dataclass(slots=True)
class Snapshot:
    """What this process holds of the operating system at one moment.

    Attributes:
        threads: Those that Python knows.
        descriptors: What each open one stands for.
        children: When each child process was started: that stays as it is when a shell
            becomes the program that it starts, and when the child ends.
    """

    threads: set[threading.Thread]
    descriptors: dict[int, str]
    children: dict[int, str]

    @classmethod
    def take(cls) -> Snapshot:
        """Look at this process now."""
        return cls(set(threading.enumerate()), _descriptors(), _children())

    def absorb(self, before: Snapshot, after: Snapshot) -> None:
        """Count what appeared between two moments as having been there from the start."""
        self.threads |= after.threads - before.threads
        self.descriptors |= _new(before.descriptors, after.descriptors)
        self.children |= _new(before.children, after.children)

    def leaked_since(self, sites: Sites) -> list[Leak]:
        """Return what is there now and was not; what is ending anyway gets a moment for it."""
        patience = monotonic() + _JOIN
        for thread in set(threading.enumerate()) - self.threads:
            thread.join(max(0.0, patience - monotonic()))
        now = Snapshot.take()
        threads = [
            Leak(
                "thread", f"{thread.name!r}{' (daemon)' if thread.daemon else ''}", sites.of(thread)
            )
            for thread in now.threads - self.threads
        ]
        children = [
            Leak("child", f"pid {pid}: {command}", sites.of_key(("child", pid)))
            for pid, command in _commands(_new(self.children, now.children))
        ]
        descriptors = [
            Leak("fd", f"{fd} -> {target}")
            for fd, target in _new(self.descriptors, now.descriptors).items()
        ]
        return threads + descriptors + children


def loop_leaks(
    loop: asyncio.AbstractEventLoop, tasks: Iterable[asyncio.Task[object]], sites: Sites
) -> list[Leak]:
    """Return the tasks and timers that are pending in a loop about to be closed.

    Args:
        loop: Every fixture of its test is torn down.
        tasks: Those that nobody finished.
        sites: Saw them being made.
    """
    pending = [Leak("task", describe_task(task), sites.of(task)) for task in tasks]
    timers = [Leak("timer", what, site) for what, site in sites.pending_timers(loop)]
    return pending + timers


def _new(before: dict[int, str], after: dict[int, str]) -> dict[int, str]:
    return {key: value for key, value in after.items() if before.get(key) != value}


def _descriptors() -> dict[int, str]:
    found: dict[int, str] = {}
    folder = Path("/proc/self/fd")
    try:
        names = os.listdir(folder)
    except OSError:
        return found
    standing = _multiprocessing_descriptors()
    for name in names:
        try:
            target = os.readlink(folder / name)
        except OSError:  # the one that listed the folder
            continue
        if int(name) not in standing:
            found[int(name)] = target
    return found


def _multiprocessing_descriptors() -> set[int]:
    from multiprocessing import forkserver, resource_tracker

    tracker = getattr(resource_tracker, "_resource_tracker", None)
    server = getattr(forkserver, "_forkserver", None)
    held = (getattr(tracker, "_fd", None), getattr(server, "_forkserver_alive_fd", None))
    return {fd for fd in held if isinstance(fd, int)}


def _children() -> dict[int, str]:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (ChildProcessError, AttributeError):  # none at all, nearly always; or not Unix
        return {}
    return dict(_started_below(os.getpid()))


def _started_below(parent: int) -> Iterator[tuple[int, str]]:
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[1]) == parent:
            yield int(pid), fields[19]


def _commands(pids: Iterable[int]) -> Iterator[tuple[int, str]]:
    for pid in pids:
        command = _command(pid)
        if not any(name in command for name in _STANDING):
            yield pid, command


def _command(pid: int) -> str:
    try:
        words = (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        )
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "gone"
    return "ended, but nobody waited for it" if state == "Z" else words.strip()
