"""Ids that sort by the time at which they were made: UUID version 7 (RFC 9562).

48 bits of milliseconds, 12 bits of the fraction of one (a step is 244 ns), 62 random bits.
Nothing is kept between two calls, so two ids made within one step, or after the wall clock
was set back, may sort either way; what needs a strict order counts.

>>> uuid7(1_700_000_000.0) < uuid7(1_700_000_000.001)
True
"""

from __future__ import annotations

import os

__all__ = ["uuid7"]


def uuid7(now: float) -> str:
    """A new id.

    Args:
        now: Seconds since 1970.

    Returns:
        36 characters, as in `018bcfe5-6800-7000-9d3f-0ea5c6c0a4b2`.
    """
    ticks = int(now * 4_096_000)  # 1/4096 ms
    random = int.from_bytes(os.urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF
    number = (
        ((ticks >> 12) & 0xFFFF_FFFF_FFFF) << 80
        | 0x7 << 76
        | (ticks & 0xFFF) << 64
        | 0x2 << 62
        | random
    )
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
