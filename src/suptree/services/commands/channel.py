"""`Channel`: what a run has of its command: a socket to the minder, and three pipes.

Everything is read as it comes, without threads and without waiting: output beyond what is
kept is dropped, so that no command ever waits for us.  What happens is told as messages.

A channel that is closed before its command has ended has it ended, and waits for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from suptree.services.commands.outcome import Captured
from suptree.services.commands.runner import GuardianProcess

__all__ = ["Channel", "Ended", "Failed", "Lost", "Overflowed", "Running", "StreamsClosed"]

_CHUNK: Final = 65536


@dataclass(frozen=True, slots=True)
class Running:
    """The program has begun."""

    pid: int
    minder: int
    isolation: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The program could not be started."""

    step: str
    errno: int
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The program has ended, and so has everything that it had started, but for *left*."""

    code: int | None
    signal: int | None
    why: str
    swept: int
    left: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The minder is gone without a word."""


@dataclass(frozen=True, slots=True)
class Overflowed:
    """There is more output than is kept; told once."""


@dataclass(frozen=True, slots=True)
class StreamsClosed:
    """Nothing will be written any more."""


class Channel:
    """See the module text.

    Args:
        guardian: Starts the command.
        request: What it is told.
        stdin: What the command reads; None: nothing.
        keep: Bytes that are kept of its output, and as many of its errors.
        tell: Called with each message.

    Raises:
        OSError: The guardian takes nothing, or there are no descriptors left.
    """

    def __init__(
        self,
        guardian: GuardianProcess,
        request: Mapping[str, Any],
        stdin: bytes | None,
        keep: int,
        tell: Callable[[object], object],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._tell: Callable[[object], object] = tell
        self._keep = keep
        self._kept = {"out": bytearray(), "err": bytearray()}
        self._seen = {"out": 0, "err": 0}
        self._overflowed = False
        self._heard = b""
        self._over = self._loop.create_future()
        self._open: set[int] = set()
        with contextlib.ExitStack() as theirs:
            self._talk, talk = socket.socketpair()
            self._talk.setblocking(False)
            self._open.add(self._talk.fileno())
            theirs.callback(talk.close)
            try:
                self._out, out = self._pipe(theirs)
                self._err, err = self._pipe(theirs)
                fds = [talk.fileno(), out, err]
                if stdin is not None:
                    read, self._in = os.pipe()
                    theirs.callback(os.close, read)
                    self._open.add(self._in)
                    fds.append(read)
                guardian.run(fds)
            except OSError:
                self._close_all()
                raise
        self._loop.add_reader(self._talk.fileno(), self._hear)
        self._loop.add_reader(self._out, self._read, self._out, "out")
        self._loop.add_reader(self._err, self._read, self._err, "err")
        self._outgoing = bytearray(json.dumps(request).encode() + b"\n")
        self._say()
        if stdin is not None:
            os.set_blocking(self._in, False)
            self._feed(memoryview(stdin))

    def captured(self) -> Captured:
        """What was written until now."""
        return Captured(
            bytes(self._kept["out"]),
            bytes(self._kept["err"]),
            self._seen["out"],
            self._seen["err"],
        )

    def stop(self, grace: float) -> None:
        """Have the command ended: asked first, and killed *grace* seconds later."""
        self._outgoing += json.dumps({"stop": grace}).encode() + b"\n"
        self._say()

    async def close(self) -> None:
        """Have what is left of the command ended, wait for that, and let everything go."""
        self._tell = _unheard
        try:
            if not self._over.done():
                self.stop(0)
                await self._over
        finally:
            self._close_all()

    # -- the streams ----------------------------------------------------------------------

    def _pipe(self, theirs: contextlib.ExitStack) -> tuple[int, int]:
        ours, end = os.pipe()
        theirs.callback(os.close, end)
        self._open.add(ours)
        os.set_blocking(ours, False)
        return ours, end

    def _read(self, fd: int, name: Literal["out", "err"]) -> None:
        try:
            some = os.read(fd, _CHUNK)
        except BlockingIOError:
            return
        if not some:
            self._let_go(fd)
            if self._open.isdisjoint((self._out, self._err)):
                self._tell(StreamsClosed())
            return
        self._seen[name] += len(some)
        kept = self._kept[name]
        kept += some[: self._keep - len(kept)]
        if self._seen[name] > self._keep and not self._overflowed:
            self._overflowed = True
            self._tell(Overflowed())

    def _feed(self, rest: memoryview) -> None:
        self._loop.remove_writer(self._in)
        try:
            rest = rest[os.write(self._in, rest) :]
        except BlockingIOError:
            pass
        except OSError:  # it reads no more
            rest = rest[:0]
        if rest:
            self._loop.add_writer(self._in, self._feed, rest)
        else:
            self._let_go(self._in)

    # -- the minder -----------------------------------------------------------------------

    def _say(self) -> None:
        if self._over.done():
            return
        try:
            del self._outgoing[: self._talk.send(self._outgoing)]
        except BlockingIOError:
            pass
        except OSError:  # it is gone: heard of by `_hear`
            self._outgoing.clear()
        if self._outgoing:
            self._loop.add_writer(self._talk.fileno(), self._say)
        else:
            self._loop.remove_writer(self._talk.fileno())

    def _hear(self) -> None:
        try:
            some = self._talk.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            some = b""
        if not some:
            self._is_over(Lost())
            return
        self._heard += some
        *lines, self._heard = self._heard.split(b"\n")
        for line in lines:
            self._told(json.loads(line))

    def _told(self, message: dict[str, Any]) -> None:
        match message:
            case {"started": facts}:
                self._tell(Running(**facts))
            case {"failed": facts}:
                self._is_over(Failed(**facts))
            case {"ended": facts}:
                left = len(facts.pop("left"))
                self._is_over(Ended(**facts, left=left))
            case _:
                self._is_over(Lost())

    def _is_over(self, message: object) -> None:
        if not self._over.done():
            self._over.set_result(None)
            self._let_go(self._talk.fileno())
            self._tell(message)

    # -- letting go -----------------------------------------------------------------------

    def _let_go(self, fd: int) -> None:
        if fd not in self._open:
            return
        self._open.discard(fd)
        if not self._loop.is_closed():
            self._loop.remove_reader(fd)
            self._loop.remove_writer(fd)
        if fd == self._talk.fileno():
            self._talk.close()
        else:
            os.close(fd)

    def _close_all(self) -> None:
        for fd in list(self._open):
            self._let_go(fd)

    def __repr__(self) -> str:
        return f"<channel of a command, {'open' if self._open else 'closed'}>"


def _unheard(message: object) -> None:
    """Whoever was told has ended."""
