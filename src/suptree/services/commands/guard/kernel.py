"""What the guardian asks of the kernel: to adopt orphans, who is below it, to end all of them.

The only state is the kernel's.  On systems without Linux's means each function does what
can be done there: no orphans are adopted, and only groups are ended.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Final

__all__ = [
    "IGNORED",
    "adopt_orphans",
    "children",
    "descendants",
    "die_with_parent",
    "drain",
    "end_all",
    "forbid_privileges",
    "now",
    "own_signals",
    "reap",
    "wake_on_children",
    "watch_process",
]

_PDEATHSIG: Final = 1
_NO_NEW_PRIVS: Final = 38
_CHILD_SUBREAPER: Final = 36

_PAUSE_MS: Final = 5

IGNORED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE)
"""What the guardian and its minders ignore, and a command is not to: exec would leave it ignored."""


def own_signals() -> None:
    """Ignore `IGNORED`, and no other, whatever the program that started this one ignores."""
    for number in signal.valid_signals():
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            with contextlib.suppress(OSError, ValueError):  # the system keeps some for itself
                signal.signal(number, signal.SIG_DFL)
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)


def adopt_orphans() -> bool:
    """Whether descendants whose parent ends become children of this process, from now on."""
    return _prctl(_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Be killed when the parent ends; it must have one thread, for the kernel means that by parent."""
    if _prctl(_PDEATHSIG, signal.SIGKILL) and os.getppid() != parent:  # it ended before that
        os.kill(os.getpid(), signal.SIGKILL)


def forbid_privileges() -> None:
    """No program that is started gets more rights than this process: set-id bits count for nothing."""
    _prctl(_NO_NEW_PRIVS, 1)


def descendants(pid: int) -> list[int]:
    """All processes below *pid* that there are just now; parents first.  [] where nobody can say."""
    found: list[int] = []
    left = [pid]
    while left:
        below = children(left.pop())
        found += below
        left += below
    return found


def reap(ended: Callable[[int, int], object]) -> bool:
    """Wait for all children that have ended; whether there are others.

    Args:
        ended: Called with the pid and the wait status of each.
    """
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        ended(pid, status)


def end_all(
    below: Callable[[], list[int]],
    ended: Callable[[int, int], object],
    *,
    wake: int,
    seconds: float,
) -> tuple[set[int], list[int]]:
    """Kill until nothing is left to kill: who that was, and who is there still when time is over.

    A tree is stopped before it is killed, so that it cannot grow meanwhile, and looked for
    again until there is none: what was adopted in between is found in the next round.  What
    does not end is in the hands of the kernel (a disk that does not answer), or of another user.

    Args:
        below: Says who is to end.
        ended: As `reap`'s.
        wake: Readable when a child has ended.
        seconds: So long at most.
    """
    until = now() + seconds
    killed: set[int] = set()
    rest = select.poll()
    rest.register(wake, select.POLLIN)
    while True:
        reap(ended)
        found = below()
        if not found or now() > until:
            return killed, found
        for pid in found:
            _signal(pid, signal.SIGSTOP)
        for pid in below():
            killed.add(pid)
            _signal(pid, signal.SIGKILL)
        rest.poll(_PAUSE_MS)
        drain(wake)


def wake_on_children() -> int:
    """A descriptor that is readable when a child has ended; read it with `drain`."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return reader


def watch_process(pid: int) -> int | None:
    """A descriptor that is readable when that process has ended; None where there is no such thing."""
    opened = getattr(os, "pidfd_open", None)
    if opened is None:
        return None
    try:
        return int(opened(pid))
    except OSError:
        return None


def now() -> float:
    """Seconds; this process has no runtime whose clock it could ask."""
    return time.monotonic()


def drain(fd: int) -> None:
    """Read away what woke us."""
    with contextlib.suppress(BlockingIOError):
        while os.read(fd, 4096):
            pass


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone, or not ours to end
        os.kill(pid, number)


def children(pid: int) -> list[int]:
    """The children of *pid*, from the kernel's own list: of each thread, for each may have forked."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:  # it has ended
        return found
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
        except FileNotFoundError:
            return _children_by_parent(pid)
        except OSError:
            continue
    return found


def _children_by_parent(parent: int) -> list[int]:
    """The same from the status of every process, where the kernel keeps no list."""
    found: list[int] = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{int(name)}/stat", encoding="utf-8", errors="replace") as file:
                if int(file.read().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(name))
        except (ValueError, OSError):  # no process, or gone meanwhile
            continue
    return found


def _find_prctl() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    try:
        import ctypes

        call: Callable[..., int] = ctypes.CDLL(None, use_errno=True).prctl
    except (ImportError, OSError, AttributeError):
        return None
    return call


_PRCTL: Final = _find_prctl()
"""Found once, in the guardian: its children, between fork and exec, only call it."""


def _prctl(option: int, value: int) -> bool:
    return _PRCTL is not None and _PRCTL(option, value, 0, 0, 0) == 0
