"""One line on stderr that says how far the census is.

Who owns it: the caller makes a `ProgressLine`, which outlives the tree; the process
`Display` has it drawn while the census runs.

On a terminal the line is redrawn in place. Anywhere else (a log file, CI) a plain
line appears every few seconds instead, so that a log stays readable.

>>> render(Tally(total=200, done=50, failed=2), elapsed=5.0, width=70)
'[#####---------------]  25%  50/200  2 failed  0 restarts  10 files/s'
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

PLAIN_EVERY = 2.0
"""Seconds between two plain lines."""


@dataclass(slots=True)
class Tally:
    """How the run stands. Held outside the tree, so it outlives every process in it."""

    total: int = 0
    done: int = 0
    failed: int = 0
    restarts: int = 0
    kills: int = 0
    kills_wanted: int = 0


def render(tally: Tally, *, elapsed: float, width: int = 80) -> str:
    """The progress line, at most *width* columns wide. *elapsed* is in seconds."""
    rate = tally.done / elapsed if elapsed > 0 else 0.0
    words = [
        f"{_share(tally):4.0%}",
        f"{tally.done:,}/{tally.total:,}",
        f"{tally.failed:,} failed",
        f"{tally.restarts:,} restarts",
    ]
    if tally.kills_wanted:
        words.append(f"{tally.kills:,}/{tally.kills_wanted:,} kills")
    words.append(f"{rate:,.0f} files/s")
    text = "  ".join(words)
    room = min(30, width - len(text) - 4)
    if room < 5:
        return text.strip()[:width]
    filled = int(_share(tally) * room)
    return f"[{'#' * filled}{'-' * (room - filled)}] {text}"


def _share(tally: Tally) -> float:
    return tally.done / tally.total if tally.total else 1.0


class ProgressLine:
    """Draws `render` on *stream*, in place on a terminal and now and then elsewhere.

    Args:
        stream: Where to draw. A stream that is gone or refuses is no reason to stop work:
            its errors are swallowed, and nothing more is drawn.
        width: Columns, asked for once: a resize in the middle costs a crooked line.
        clock: Seconds on a clock that never goes back; the start is now.
    """

    def __init__(
        self, stream: TextIO, *, width: int = 80, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream: TextIO | None = stream
        self._clock = clock
        self._start = clock()
        self._in_place = stream.isatty()
        self._width = width - 1  # the last column would wrap on some terminals
        self._next_plain = PLAIN_EVERY

    def draw(self, tally: Tally) -> None:
        """Show *tally* as it is now."""
        elapsed = self._clock() - self._start
        if self._in_place:
            self._write("\r" + render(tally, elapsed=elapsed, width=self._width) + "\x1b[K")
        elif elapsed >= self._next_plain:
            self._next_plain = elapsed + PLAIN_EVERY
            self._write(render(tally, elapsed=elapsed, width=self._width) + "\n")

    def finish(self, tally: Tally) -> None:
        """Show the last state and leave the line."""
        line = render(tally, elapsed=self._clock() - self._start, width=self._width)
        self._write(f"\r{line}\x1b[K\n" if self._in_place else f"{line}\n")

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._stream = None
