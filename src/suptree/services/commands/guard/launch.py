"""The last steps in the child: its limits, its rights, its descriptors, and then the program.

Runs between fork and exec in a process of one thread, so that none of the dangers of
`preexec_fn` are there: no other thread can hold a lock that is needed here.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from suptree.services.commands.guard.kernel import IGNORED, die_with_parent, forbid_privileges

__all__ = ["FAILED", "become"]

FAILED: Final = 127
"""The exit code of a child that did not become its program; what hindered it went to `errors`."""

_ERRORS: Final = 3


def become(
    request: Mapping[str, Any], minder: int, stdin: int | None, out: int, err: int, errors: int
) -> NoReturn:
    """Become the program that *request* names.  Never returns; what hinders it is written to *errors*.

    Args:
        request: argv, path (of the program, or None to look for it), env, cwd, limits, nice.
        minder: The parent, with which this process dies.
        stdin: What it reads; None: nothing.
        out: Where its output goes.
        err: Where its errors go.
        errors: Closed when the program has begun.
    """
    step = "session"
    try:
        os.setsid()
        die_with_parent(minder)
        step = "descriptors"
        _descriptors(stdin, out, err, errors)
        errors = _ERRORS
        step = "cwd"
        os.umask(0o077)
        os.chdir(request["cwd"])
        step = "limits"
        _limit(request["limits"], request["nice"])
        forbid_privileges()
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        for ignored in IGNORED:  # what has a handler is reset by exec
            signal.signal(ignored, signal.SIG_DFL)
        step = "exec"
        _execute(request["path"], request["argv"], request["env"])
    except Exception as error:
        number = getattr(error, "errno", None) or 0
        os.write(errors, f"{step} {number} {error}".encode(errors="replace")[:500])
    finally:
        os._exit(FAILED)


def _descriptors(stdin: int | None, out: int, err: int, errors: int) -> None:
    """0, 1 and 2 as they are to be, 3 for what goes wrong, and no other."""
    given = os.open(os.devnull, os.O_RDONLY) if stdin is None else stdin
    # Above 3 first, so that none of them is overwritten before it is in its place.
    high = [_above(fd) for fd in (given, out, err, errors)]
    for fd, wanted in zip(high, range(4), strict=True):
        os.dup2(fd, wanted, inheritable=wanted != _ERRORS)
    os.closerange(_ERRORS + 1, os.sysconf("SC_OPEN_MAX"))


def _above(fd: int) -> int:
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)


def _limit(limits: Mapping[str, int], nice: int) -> None:
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name.upper()}")
        _, hard = resource.getrlimit(kind)
        # One second more before the system kills: SIGXCPU says why it ended.
        above = value + 1 if name == "cpu" else value
        if hard != resource.RLIM_INFINITY:
            above = min(above, hard)
        resource.setrlimit(kind, (min(value, above), above))
    if nice:
        os.nice(nice)


def _execute(path: str | None, argv: list[str], env: dict[str, str]) -> None:
    if path is not None:
        os.execve(path, argv, env)
    os.execvpe(argv[0], argv, env)  # along the PATH of *env*; no shell, whatever it is
