"""Room on the stack: what must not break off half-way looks for it before it begins.

A start enters a process into tables, links it and runs its init; a registry enters a
key and a link.  Out of room in the middle of that, it could not even be undone, for that
takes room as well.
"""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["SHALLOW", "require_room"]

SHALLOW: Final = 200
"""Frames below which a start, whose cost counts, does not ask: any usual limit leaves enough."""

FRAMES: Final = 100
"""What a start needs whose init fails: a crash report, and its burial."""


def require_room(doing: str) -> None:
    """Refuse to go on near the end of the stack.

    Raises:
        RecursionError: Fewer than a hundred frames are left, and nothing was done.
    """
    try:
        sys._getframe(sys.getrecursionlimit() // 3)
    except ValueError:  # the usual case, and cheaper to tell than to descend
        return
    try:
        _descend(FRAMES)
    except RecursionError:
        raise RecursionError(
            f"{doing}: fewer than {FRAMES} frames of the stack are left. Nothing was done."
        ) from None


def _descend(frames: int) -> None:
    if frames:
        _descend(frames - 1)
