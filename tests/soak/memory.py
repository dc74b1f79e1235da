"""How much memory is in use, as the allocators count it: what was freed and is kept for later is not in it.

What the kernel lent (resident memory) is the most that was in use at once, so far, and the gaps
between it.  It grows, by a page or by an arena, each time a moment of trouble is
the worst yet, and hardly ever shrinks.  So a program that leaks nothing has a line that
rises ever more slowly.  What is in use has no such memory: it is high or low again at each look.

Both allocators are asked: Python's, for what is up to 512 bytes, and the one of the C library for the rest.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
import tempfile
from typing import Final

__all__ = ["bytes_in_use"]

IN_USE: Final = re.compile(r"# bytes in allocated blocks\s*=\s*([\d,]+)")
STDERR: Final = 2


class _MallInfo(ctypes.Structure):
    """`struct mallinfo2` of glibc."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    ]


def bytes_in_use() -> int:
    """Bytes that the program holds; without glibc, those of small objects alone."""
    return _small() + _large()


def _small() -> int:
    """What Python's allocator says, which it says on stderr and nowhere else."""
    with tempfile.TemporaryFile() as told:
        before = os.dup(STDERR)
        try:
            os.dup2(told.fileno(), STDERR)
            sys._debugmallocstats()
        finally:
            os.dup2(before, STDERR)
            os.close(before)
        told.seek(0)
        found = IN_USE.search(told.read().decode())
    return 0 if found is None else int(found[1].replace(",", ""))


def _large() -> int:
    """What `malloc` has given out, mapped blocks included."""
    ask = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if ask is None:
        return 0
    ask.restype = _MallInfo
    info = ask()
    return int(info.uordblks) + int(info.hblkhd)
