"""The minder of one command: starts it, ends it when it is time, and says how it ended, last of all.

It talks with this program through a socket of its own, one line of JSON at a time.  In:
the request, then `{"stop": seconds}`.  Out: `{"started": ...}` or `{"failed": ...}`, then
`{"ended": ...}` when nothing that the command has started is there any more.

It ends the command at once when the socket is closed, or the guardian or the program dies.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
from collections.abc import Mapping
from typing import Any, Final

from suptree.services.commands.guard.kernel import (
    adopt_orphans,
    descendants,
    drain,
    end_all,
    now,
    reap,
    wake_on_children,
)
from suptree.services.commands.guard.launch import become

__all__ = ["mind"]

_SWEEP: Final = 5.0
_LONGEST: Final = 8 * 1024 * 1024


def mind(talk: socket.socket, stdio: list[int], watched: list[int]) -> None:
    """The whole life of a minder.

    Args:
        talk: The socket.
        stdio: Where output and errors go, and what the command reads, if anything.
        watched: Readable when the guardian or the program has died.
    """
    adopts = adopt_orphans()
    wake = wake_on_children()
    talk.setblocking(False)
    minder = _Minder(talk, watched, wake, adopts=adopts)
    request = minder.hear()
    if request is not None:  # else whoever asked is gone already
        minder.start(request, stdio)


class _Minder:
    def __init__(self, talk: socket.socket, watched: list[int], wake: int, *, adopts: bool) -> None:
        self.talk = talk
        self.adopts = adopts
        self.wake = wake
        self.watched = watched
        self.heard = b""
        self.leader = 0
        self.status: int | None = None
        self.poll = select.poll()
        for fd in (talk.fileno(), wake, *watched):
            self.poll.register(fd, select.POLLIN)

    def start(self, request: Mapping[str, Any], stdio: list[int]) -> None:
        """Start the command, and stay with it to its end."""
        out, err, *stdin = stdio
        errors, told = os.pipe()
        me = os.getpid()
        self.leader = os.fork()
        if self.leader == 0:
            become(request, me, stdin[0] if stdin else None, out, err, told)
        for fd in (told, *stdio):
            os.close(fd)
        failure = _read_all(errors)
        if failure:
            end_all(lambda: descendants(me), self._ended, wake=self.wake, seconds=_SWEEP)
            step, number, text = failure.decode(errors="replace").split(" ", 2)
            self.tell({"failed": {"step": step, "errno": int(number), "text": text}})
            return
        isolation = "subreaper" if self.adopts else "session"
        self.tell({"started": {"pid": self.leader, "minder": me, "isolation": isolation}})
        why = self._until_it_ends()
        swept, left = self._sweep()
        self.tell({"ended": {**self._how(), "why": why, "swept": len(swept), "left": left}})

    def _until_it_ends(self) -> str:
        """Wait for its end, or for a reason to end it; which it was."""
        why, until = "exited", None
        while True:
            reap(self._ended)
            if self.status is not None:
                return why
            wait = None if until is None else max(0.0, until - now()) * 1000
            has_line = b"\n" in self.heard  # an order that came along with the request
            ready = {fd for fd, _ in self.poll.poll(0 if has_line else wait)}
            drain(self.wake)
            if not ready.isdisjoint(self.watched):
                return "orphaned"
            if has_line or self.talk.fileno() in ready:
                order = self.hear()
                if order is None:
                    return "abandoned"
                why, until = "stopped", now() + float(order["stop"])
                self._terminate()
            elif until is not None and now() >= until:
                return why

    def _terminate(self) -> None:
        """Ask all of them to end."""
        with contextlib.suppress(OSError):
            os.killpg(self.leader, signal.SIGTERM)
        for pid in descendants(os.getpid()):
            if pid != self.leader:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGTERM)

    def _sweep(self) -> tuple[set[int], list[int]]:
        """Nothing may be left."""
        if (
            self.status is None or not self.adopts
        ):  # the group is the only hold where nothing is adopted
            with contextlib.suppress(OSError):
                os.killpg(self.leader, signal.SIGKILL)
        me = os.getpid()
        swept, left = end_all(lambda: descendants(me), self._ended, wake=self.wake, seconds=_SWEEP)
        if self.status is None and not left:
            with contextlib.suppress(ChildProcessError):
                self._ended(*os.waitpid(self.leader, 0))
        return swept - {self.leader}, left

    def _ended(self, pid: int, status: int) -> None:
        if pid == self.leader:
            self.status = status

    def _how(self) -> dict[str, int | None]:
        if self.status is None:
            return {"code": None, "signal": None}
        code = os.waitstatus_to_exitcode(self.status)
        return {"code": code, "signal": None} if code >= 0 else {"code": None, "signal": -code}

    # -- talking ---------------------------------------------------------------------------

    def hear(self) -> Any:
        """The next line; None: there will be none, for somebody is gone."""
        while b"\n" not in self.heard:
            ready = {fd for fd, _ in self.poll.poll()}
            drain(self.wake)
            if not ready.isdisjoint(self.watched):
                return None
            try:
                some = self.talk.recv(65536)
            except BlockingIOError:
                continue
            except OSError:
                return None
            self.heard += some
            if not some or len(self.heard) > _LONGEST:
                return None
        line, _, self.heard = self.heard.partition(b"\n")
        return json.loads(line)

    def tell(self, message: Mapping[str, Any]) -> None:
        """Send a line; it is short, and the socket has room for it."""
        with contextlib.suppress(OSError):
            self.talk.sendall(json.dumps(message).encode() + b"\n")


def _read_all(fd: int) -> bytes:
    found = b""
    while some := os.read(fd, 4096):
        found += some
    os.close(fd)
    return found
