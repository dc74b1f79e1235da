"""Where a running system listens, and how to ask it: one JSON line there, one JSON line back.

A local Unix socket per OS process, `<pid>.sock`, in a folder that only its user can
enter.  The asking side is synchronous and needs no runtime: it is what the command
line uses.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from suptree.errors import SuptreeError

__all__ = [
    "REPLY_LIMIT",
    "SocketNotFoundError",
    "ask",
    "find_socket",
    "private_folder",
    "socket_folder",
]

REPLY_LIMIT: Final = 256 * 1024 * 1024
ASK_TIMEOUT: Final = 10.0


class SocketNotFoundError(SuptreeError):
    """There is no running system to ask, or more than one and none was named."""


def socket_folder() -> Path:
    """The folder of this user's sockets: below XDG_RUNTIME_DIR, else in the temporary folder."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base:
        return Path(base) / "suptree"
    return Path(tempfile.gettempdir()) / f"suptree-{os.getuid()}"


def private_folder(folder: Path) -> Path:
    """Make *folder* for this user alone; refuse one that somebody else could have put there.

    Raises:
        PermissionError: It belongs to another user, or is a link.
    """
    with suppress(FileExistsError):  # a file, or a link to nowhere: refused below
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_own_folder(folder):
        raise PermissionError(
            f"{folder}: must be a folder of this user; it is not. "
            "Remove it, or set XDG_RUNTIME_DIR to a folder of your own."
        )
    folder.chmod(0o700)
    return folder


def _is_own_folder(folder: Path) -> bool:
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def find_socket(path: str | None = None, pid: int | None = None) -> Path:
    """Find the socket to ask: the one named, that of the OS process *pid*, or the only one there.

    Raises:
        SocketNotFoundError: None runs, or several do; the text lists them.
    """
    if path is not None:
        found = Path(path)
        if not found.exists():
            raise SocketNotFoundError(f"{found}: no such socket. Is the system running?")
        return found
    folder = socket_folder()
    if os.path.lexists(folder) and not _is_own_folder(folder):
        raise SocketNotFoundError(  # whoever listens there may answer anything
            f"{folder}: belongs to somebody else, so nothing there is asked. "
            "Set XDG_RUNTIME_DIR to a folder of your own, or name a socket with --socket."
        )
    if pid is not None:
        found = folder / f"{pid}.sock"
        if not found.exists():
            raise SocketNotFoundError(f"no running system with OS pid {pid} (no {found}).")
        return found
    live = [one for one in sorted(folder.glob("*.sock")) if _listens(one)]
    if not live:
        raise SocketNotFoundError(
            "no running system found. Start one with `suptree run module:Application`, "
            "or say where it listens with --socket."
        )
    if len(live) > 1:
        pids = ", ".join(one.stem for one in live)
        raise SocketNotFoundError(
            f"{len(live)} systems are running; choose one with --os-pid: {pids}."
        )
    return live[0]


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def ask(path: Path, question: dict[str, Any], timeout: float = ASK_TIMEOUT) -> Any:
    """Send one question and return the answer.

    Raises:
        SocketNotFoundError: Nobody listens there any more, or no answer came in time.
        LookupError: The system answered that it does not know what was asked for.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(path))
            connection.sendall(json.dumps(question).encode() + b"\n")
            answer = _read_all(connection)
        except OSError as error:
            raise SocketNotFoundError(
                f"{path}: the system does not answer ({error}). It has ended, or its loop is blocked."
            ) from error
    if not answer:
        raise SocketNotFoundError(f"{path}: the system closed the connection without an answer.")
    decoded: dict[str, Any] = json.loads(answer)
    if "error" in decoded:
        raise LookupError(decoded["error"])
    return decoded["answer"]


def _read_all(connection: socket.socket) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := connection.recv(65536):
        parts.append(part)
        size += len(part)
        if size > REPLY_LIMIT:
            raise OSError(f"the answer is larger than {REPLY_LIMIT} bytes")
    return b"".join(parts)
