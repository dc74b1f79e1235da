"""The one place where OS processes start: the guardian, which starts all commands.

`GuardianProcess` is the hold on it: it hands over new commands, and ends it.  Nothing here
waits: the guardian is started as any program is, without running anything of ours between
fork and exec, and a command is a few bytes on a socket.

It ends by itself when its socket is closed, when this program dies, or both.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from suptree.services.commands.guard.protocol import FRAME, KILL, RUN

__all__ = ["GuardianProcess"]

_BOOT: Final = Path(__file__).resolve().parent / "guard" / "boot.py"

# What an interpreter may need to start at all; commands get none of it.
_KEPT: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")


class GuardianProcess:
    """A guardian that has been started.

    Raises:
        OSError: It could not be started.
    """

    __slots__ = ("_popen", "_talk")

    def __init__(self) -> None:
        self._talk, theirs = socket.socketpair()
        with contextlib.ExitStack() as undo:
            undo.callback(self._talk.close)
            with theirs:
                self._popen = _start(theirs)
            undo.pop_all()
        self._talk.setblocking(False)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    def run(self, fds: list[int]) -> None:
        """Hand a new command over: its socket, output, errors, and what it reads, if anything.

        Raises:
            OSError: It is not there, or takes nothing more.
        """
        socket.send_fds(self._talk, [FRAME.pack(RUN, 0)], fds)

    def kill_minder(self, pid: int) -> None:
        """Have a minder killed that does not answer; what it minded is ended then.

        Raises:
            OSError: As `run`.
        """
        self._talk.send(FRAME.pack(KILL, pid))

    def kill(self) -> None:
        """Kill it: it does not answer.  Its minders end what they mind, and themselves."""
        self._popen.kill()

    def on_end(self, call: Callable[[], object]) -> None:
        """Call once, when it has ended by itself."""
        asyncio.get_running_loop().add_reader(self._talk.fileno(), self._readable, call)

    def _readable(self, call: Callable[[], object]) -> None:
        try:
            if self._talk.recv(FRAME.size):
                return
        except BlockingIOError:
            return
        except OSError:  # reset: as good as its end
            pass
        self._stop_listening()
        call()

    def _stop_listening(self) -> None:
        if self._talk.fileno() != -1:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                asyncio.get_running_loop().remove_reader(self._talk.fileno())

    async def close(self) -> None:
        """Let it end everything that it guards, and itself; when this returns it is gone."""
        self._stop_listening()
        self._talk.close()
        try:
            await _ended(self._popen.pid)
        finally:
            if self._popen.poll() is None:
                self._popen.kill()
                self._popen.wait()

    def __repr__(self) -> str:
        return f"<guardian, OS process {self._popen.pid}>"


def _start(theirs: socket.socket) -> subprocess.Popen[bytes]:
    if not hasattr(socket, "send_fds") or not sys.executable:
        raise OSError("there is no way to guard commands on this system: it needs Unix sockets")
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(_BOOT), str(theirs.fileno()), str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(theirs.fileno(),),
        cwd="/",
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
        start_new_session=True,
    )


async def _ended(pid: int) -> None:
    """Wait until our child *pid* has ended; it is still to be waited for then."""
    opened = getattr(os, "pidfd_open", None)
    if opened is None:
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            await asyncio.sleep(0.01)
        return
    fd = opened(pid)
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    try:
        loop.add_reader(fd, _settle, ended)
        await ended
    finally:
        loop.remove_reader(fd)
        os.close(fd)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
