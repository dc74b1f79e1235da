"""What this program and its guardian say to one another: frames of eight bytes, some with descriptors."""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["FRAME", "KILL", "RUN"]

FRAME: Final = struct.Struct("!4sI")
RUN: Final = b"RUN\0"
"""A new command; with it the descriptors: its socket, output, errors, and what it reads, if anything."""
KILL: Final = b"KILL"
"""Kill the minder of that pid: it does not answer."""
