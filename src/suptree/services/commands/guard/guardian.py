"""The guardian: makes a minder for each command, and takes over what a minder leaves behind.

It hears of commands through a socket: frames of eight bytes, those of a new command with
its descriptors.  It ignores the signals of a terminal, and ends with the program, after
everything that it guards has ended.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import traceback
from typing import Final, NoReturn

from suptree.services.commands.guard.kernel import (
    adopt_orphans,
    children,
    descendants,
    drain,
    end_all,
    own_signals,
    reap,
    wake_on_children,
    watch_process,
)
from suptree.services.commands.guard.minder import mind
from suptree.services.commands.guard.protocol import FRAME, KILL, RUN

__all__ = ["main"]

_MOST: Final = 4
_SWEEP: Final = 5.0
_LOOK_MS: Final = 200


def main(fd: int, program: int) -> None:
    """The life of the guardian of the program with that pid; *fd* is the socket."""
    with contextlib.suppress(OSError):  # it leads a session already
        os.setsid()
    own_signals()
    gc.disable()  # nothing here makes circles, and a fork copies what a collection touches
    adopt_orphans()
    _Guardian(socket.socket(fileno=fd), program).run()


class _Guardian:
    def __init__(self, talk: socket.socket, program: int) -> None:
        self.talk = talk
        self.program = program
        self.wake = wake_on_children()
        self.watched = watch_process(program)
        self.minders: dict[int, socket.socket] = {}
        self.lost: list[socket.socket] = []
        self.poll = select.poll()
        self.poll.register(talk, select.POLLIN)
        self.poll.register(self.wake, select.POLLIN)
        if self.watched is not None:
            self.poll.register(self.watched, select.POLLIN)

    def run(self) -> None:
        """Until the program closes the socket, or is gone."""
        while os.getppid() == self.program:
            # A moment only, while there is somebody left who would not end, or the kernel
            # does not say when the program ends.
            hurried = self.watched is None or bool(self.lost) or bool(self._strays())
            ready = {fd for fd, _ in self.poll.poll(_LOOK_MS if hurried else None)}
            drain(self.wake)
            if self.talk.fileno() in ready and not self._hear():
                break
            self._tend()
        self._end()

    def _hear(self) -> bool:
        """One frame; whether there will be more."""
        try:
            frame, fds, _, _ = socket.recv_fds(self.talk, FRAME.size, _MOST)
        except OSError:
            return False
        if len(frame) < FRAME.size:
            return False
        order, pid = FRAME.unpack(frame)
        if order == RUN and len(fds) >= _MOST - 1:
            self._run(fds)
        elif order == KILL and pid in self.minders:
            os.kill(pid, signal.SIGKILL)
        return True

    def _run(self, fds: list[int]) -> None:
        talk = socket.socket(fileno=fds[0])
        me = watch_process(os.getpid())
        pid = os.fork()
        if pid == 0:
            self._become_minder(talk, fds[1:], me)
        for fd in (*fds[1:], *([] if me is None else [me])):
            os.close(fd)
        self.minders[pid] = talk

    def _become_minder(
        self, talk: socket.socket, stdio: list[int], guardian: int | None
    ) -> NoReturn:
        code = 1
        try:
            self.talk.close()
            os.close(self.wake)
            for other in self.minders.values():
                other.close()
            watched = [fd for fd in (guardian, self.watched) if fd is not None]
            mind(talk, stdio, watched)
            code = 0
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(code)

    def _tend(self) -> None:
        """Hear which minders have ended, and end what they left."""
        reap(self._ended)
        if self._strays():
            end_all(self._strays, self._ended, wake=self.wake, seconds=_SWEEP)
        if self.lost and not self._strays():
            for talk in self.lost:
                with contextlib.suppress(OSError):
                    talk.sendall(json.dumps({"lost": {}}).encode() + b"\n")
                talk.close()
            self.lost = []

    def _ended(self, pid: int, status: int) -> None:
        talk = self.minders.pop(pid, None)
        if talk is None:
            return
        if status == 0:
            talk.close()  # it has said everything
        else:
            self.lost.append(talk)

    def _strays(self) -> list[int]:
        """What is below us, and below none of our minders."""
        found: list[int] = []
        for pid in children(os.getpid()):
            if pid not in self.minders:
                found += [pid, *descendants(pid)]
        return found

    def _end(self) -> None:
        """The program wants nothing more: no minder does either, nor what it minds."""
        for talk in self.minders.values():
            with contextlib.suppress(OSError):
                talk.shutdown(socket.SHUT_RD)  # as if it were closed, but it can answer
        me = os.getpid()
        self.poll.unregister(self.talk)
        if self.watched is not None:
            self.poll.unregister(self.watched)
        for _ in range(int(_SWEEP * 1000) // _LOOK_MS):
            if not reap(self._ended):
                break
            self.poll.poll(_LOOK_MS)
            drain(self.wake)
        end_all(lambda: descendants(me), self._ended, wake=self.wake, seconds=_SWEEP)
