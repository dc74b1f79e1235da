"""The Inspector: a supervised server that gives read-only snapshots out through a Unix socket.

Owned by whoever puts it into a tree; asked by `suptree tree` and `suptree info`.  It
takes no commands: every question is answered from `rt.tree()` and `rt.info(pid)`.
The socket is for its user alone (0600, in a folder of 0700), and goes with the process.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from suptree.core import Pid, Runtime
from suptree.otp import GenServer
from suptree.system.sockets import private_folder, socket_folder

__all__ = ["Inspector"]

QUESTION_LIMIT: Final = 4096
QUESTION_TIMEOUT: Final = 5.0
CONNECTION_LIMIT: Final = 16


class Inspector(GenServer):
    """Listens on a Unix socket and answers with snapshots.

    Args:
        path: The socket; default `<folder of the user>/<os pid>.sock`.  A socket left
            behind by a process that has ended is replaced.
    """

    def __init__(self, path: str | None = None) -> None:
        self.path = Path(path) if path is not None else _default_path()
        self._asking = 0

    async def init(self) -> None:
        """Listen.  OSError if somebody else listens there already."""
        listener = self.own(_listen(self.path), socket.socket.close)
        self.own(self.path, lambda path: path.unlink(missing_ok=True))
        server = await asyncio.start_unix_server(self._answer, sock=listener, limit=QUESTION_LIMIT)
        self.own(server, lambda server: server.close())  # uvloop's does not derive from asyncio's

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._asking += 1
        try:
            if self._asking <= CONNECTION_LIMIT:
                async with asyncio.timeout(QUESTION_TIMEOUT):
                    line = await reader.readline()
                    writer.write(json.dumps(self._reply_to(line)).encode())
                    await writer.drain()
        except (TimeoutError, ValueError, ConnectionError):
            pass  # a client that sends nothing, too much, or goes away: its own loss
        finally:
            self._asking -= 1
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def _reply_to(self, line: bytes) -> dict[str, Any]:
        try:
            question = json.loads(line)
            what = question["ask"]
        except (ValueError, TypeError, KeyError):
            return {"error": 'a question is one JSON line such as {"ask": "tree"}'}
        runtime = self.pid.runtime
        if what == "tree":
            return {"answer": tree_snapshot(runtime)}
        if what == "info":
            return info_snapshot(runtime, str(question.get("pid", "")))
        return {"error": f"unknown question {what!r}; ask for 'tree' or 'info'"}


def tree_snapshot(runtime: Runtime) -> dict[str, Any]:
    """The whole tree of a runtime as JSON values."""
    return {
        "runtime": runtime.name,
        "os_pid": os.getpid(),
        "processes": len(runtime.processes),
        "abandoned": len(runtime.abandoned),
        "crashes": runtime.reporter.total,
        "tree": [node.to_dict() for node in runtime.tree()],
    }


def info_snapshot(runtime: Runtime, wanted: str) -> dict[str, Any]:
    """One process as JSON values; *wanted* is a name, `<0.12>`, `0.12` or `12`."""
    pid = _find(runtime, wanted)
    if pid is None:
        return {
            "error": f"no process {wanted!r}: it has ended, or never was. `suptree tree` lists them."
        }
    return {"answer": runtime.info(pid).to_dict()}


def _find(runtime: Runtime, wanted: str) -> Pid[Any] | None:
    named = runtime.whereis(wanted)
    if named is not None:
        return named
    number = wanted.strip("<>").split(" ")[0].rpartition(".")[2]
    if not number.isdecimal():
        return None
    process = runtime.processes.get(int(number))
    return None if process is None else process.pid


def _default_path() -> Path:
    return private_folder(socket_folder()) / f"{os.getpid()}.sock"


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        if path.is_socket() and _is_stale(path):
            path.unlink()
        before = os.umask(0o177)  # 0600 from the first moment: chmod afterwards leaves a gap
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise OSError(
            f"Inspector: cannot listen on {path}: {error}. Choose another path with --socket."
        ) from error
    return listener


def _is_stale(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
        return False
