"""The Inspector: a supervised server that gives read-only snapshots out through a Unix socket.

Owned by whoever puts it into a tree; asked by `suptree tree` and `suptree info`.  It
takes no commands: every question is answered from `rt.tree()` and `rt.info(pid)`.
The socket is for its user alone (0600, in a folder of 0700), and goes with the process.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

from suptree.core import Pid, Runtime, TreeNode, safe_repr
from suptree.near import meant
from suptree.otp import GenServer
from suptree.system.sockets import private_folder, socket_folder

__all__ = ["Inspector"]

PID: Final = re.compile(r"<?(\d+\.)?(?P<number>\d{1,18})( .*)?>?", re.ASCII)
QUESTION_LIMIT: Final = 4096
QUESTION_TIMEOUT: Final = 5.0
ANSWER_TIMEOUT: Final = 60.0
CONNECTION_LIMIT: Final = 16
AT_ONCE: Final = 100
LEVEL_LIMIT: Final = 200
"""Levels of a tree that are written; JSON readers are recursive.  Only links make one deeper."""


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
        server = await asyncio.start_unix_server(self._asked, sock=listener, limit=QUESTION_LIMIT)
        self.own(server, lambda server: server.close())  # uvloop's does not derive from asyncio's

    def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._asking < CONNECTION_LIMIT and self._process.is_alive():
            self.start_task(self._answer(reader, writer), name="answer of the inspector")
        else:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._asking += 1
        try:
            async with asyncio.timeout(QUESTION_TIMEOUT):
                line = await reader.readline()
            async with asyncio.timeout(ANSWER_TIMEOUT):
                parts = self._reply_to(line)
                while some := "".join(islice(parts, AT_ONCE)):
                    writer.write(some.encode())
                    await writer.drain()
                    await asyncio.sleep(0)  # drain does not wait for who is not slow
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, ValueError, ConnectionError):
            pass  # a client that sends nothing, too much, or does not read: its own loss
        finally:
            self._asking -= 1
            writer.transport.abort()  # with what nobody has read

    def _reply_to(self, line: bytes) -> Iterator[str]:
        """The answer as JSON, in parts."""
        try:
            question = json.loads(line)
            what = question["ask"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return _as_json({"error": 'a question is one JSON line such as {"ask": "tree"}'})
        runtime = self.pid.runtime
        if what == "tree":
            return tree_snapshot(runtime)
        if what == "info":
            return _as_json(info_snapshot(runtime, str(question.get("pid", ""))))
        return _as_json({"error": f"unknown question {what!r}; ask for 'tree' or 'info'"})


def _as_json(reply: dict[str, Any]) -> Iterator[str]:
    yield json.dumps(reply)


def tree_snapshot(runtime: Runtime) -> Iterator[str]:
    """The whole tree of a runtime as JSON, one process in each part.

    The snapshot is taken at once, and written bit by bit: other code runs in between.
    """
    with _no_collection():
        nodes = runtime.tree()
    head = {
        "runtime": runtime.name,
        "os_pid": os.getpid(),
        "processes": len(runtime.processes),
        "abandoned": len(runtime.abandoned),
        "crashes": runtime.reporter.total,
        "losses": dataclasses.asdict(runtime.losses),
    }
    yield f'{{"answer": {json.dumps(head)[:-1]}, "tree": ['
    work = [_Level(nodes)]
    while work:
        node = work[-1].next()
        if node is None:
            work.pop()
            yield "]}"
            continue
        comma = "" if work[-1].place == 1 else ", "
        row = json.dumps(dataclasses.replace(node, children=[]).to_dict())
        if not node.children:
            yield comma + row
        elif len(work) < LEVEL_LIMIT:
            yield comma + row.removesuffix("]}")
            work.append(_Level(node.children))
        else:
            yield f'{comma}{row[:-1]}, "left_out": {len(node.children)}}}'
    yield "}"


class _Level:
    """Siblings, and how many of them are written."""

    __slots__ = ("nodes", "place")

    def __init__(self, nodes: list[TreeNode]) -> None:
        self.nodes = nodes
        self.place = 0

    def next(self) -> TreeNode | None:
        """The next one; None after the last."""
        if self.place == len(self.nodes):
            return None
        self.place += 1
        return self.nodes[self.place - 1]


@contextmanager
def _no_collection() -> Iterator[None]:
    """A tree is many objects at once: a full collection among them is what takes the most time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def info_snapshot(runtime: Runtime, wanted: str) -> dict[str, Any]:
    """One process as JSON values; *wanted* is a name, a key, `<0.12>`, `0.12` or `12`."""
    pid = _find(runtime, wanted)
    if pid is None:
        found = runtime.names.near(wanted)
        return {
            "error": f"no process {wanted!r}{meant(found)} It has ended, or never was. "
            "`suptree tree` lists those that there are."
        }
    return {"answer": runtime.info(pid).to_dict()}


def _find(runtime: Runtime, wanted: str) -> Pid[Any] | None:
    named = runtime.whereis(wanted)
    if named is not None:
        return named
    as_pid = PID.fullmatch(wanted)
    if as_pid is not None:
        process = runtime.processes.get(int(as_pid["number"]))
        return None if process is None else process.pid
    processes = runtime.processes.values()
    aliased = [p.pid for p in processes if p.alias is not None and _says(p.alias, wanted)]
    return aliased[0] if len(aliased) == 1 else None


def _says(alias: object, wanted: str) -> bool:
    """Whether *wanted* is the name as the tree prints it, or its key alone."""
    return wanted in (safe_repr(alias, 300), str(getattr(alias, "key", None)))


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
        probe.setblocking(False)  # whoever listens there may be stuck, with a full queue
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
        except BlockingIOError:
            pass
        return False
