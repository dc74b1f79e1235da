"""The file of rows: the one thing in the census that must survive everything.

Who owns it: the collector, one at a time; it opens the file at its start and the
runtime closes it when the collector dies, however it dies.

What it refuses: a second row for the same path, and a file with a bad line
anywhere but at its end. A torn last line (a full disk, a machine that lost
power) is cut off when the file is opened: its file is simply surveyed again.

So "exactly once" needs no protocol: a row counts when its line is in the file, and
whoever asks what is left to do asks the file.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from .discover import InputError
from .survey import Row, Status


class RowFile:
    """Rows, one JSON line each, in the order they came.

    Args:
        path: Made if it is not there; else its rows are read back.

    Attributes:
        done: The paths whose row is in the file.
        failed: How many of them have a status other than OK.

    Raises:
        OSError: The file cannot be opened, read or written.
        ValueError: A line before the last one is not a row: somebody else wrote there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done: set[str] = set()
        self.failed = 0
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            self._read_back()
        except BaseException:
            self.close()
            raise

    def add(self, row: Row) -> bool:
        """Append *row*; False, and nothing is written, when its path is there already."""
        if row.path in self.done:
            return False
        line = f"{row.to_line()}\n".encode("ascii")
        written = os.write(self._fd, line)  # one write: a line is there or it is not
        if written != len(line):
            raise OSError(f"{self.path}: only {written} of {len(line)} bytes could be written")
        self._remember(row)
        return True

    def close(self) -> None:
        """Let go of the file. Closing twice is fine."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _read_back(self) -> None:
        *lines, torn = self.path.read_bytes().split(b"\n")
        if torn:
            os.ftruncate(self._fd, sum(len(line) + 1 for line in lines))
        for number, line in enumerate(lines, start=1):
            try:
                self._remember(Row.from_line(line.decode("ascii")))
            except ValueError as error:
                raise ValueError(f"{self.path}:{number}: not a census row: {error}") from error

    def _remember(self, row: Row) -> None:
        self.done.add(row.path)
        self.failed += row.status is not Status.OK


def prepare(path: Path, sources: Collection[Path]) -> None:
    """Make *path* an empty file, in a new folder if need be.

    Raises:
        InputError: That cannot be, or would overwrite one of *sources*.
    """
    if path.resolve() in sources:
        raise InputError(f"--out {path} is one of the files to survey. Choose another place.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}. Choose another --out.") from None
    if not path.is_file():
        raise InputError(f"--out {path} is not a regular file, and rows are read back from it.")


def sort_rows(path: Path) -> list[str]:
    """Put the lines of *path* into sorted order, all at once, and return them.

    The order in which rows arrived says nothing; sorted, two runs can be compared
    with `cmp`. A reader sees the old file or the new one, never a mixture.
    """
    lines = sorted(path.read_text("ascii").splitlines())
    draft = path.with_name(path.name + ".sorting")
    draft.write_text("".join(f"{line}\n" for line in lines), "ascii")
    draft.replace(path)
    return lines
