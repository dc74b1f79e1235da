"""The display: has the progress line drawn ten times a second.

Who owns it: the root of the tree, as its last child, because it matters least. It keeps
nothing: what it shows is in the `Tally`, which the collector and telemetry write.
"""

from __future__ import annotations

import suptree as st

from .progress import ProgressLine, Tally

PERIOD = 0.1
"""Seconds between two drawings."""


class Display(st.GenServer):
    """Draws *line* from *tally*; with no line it sits still."""

    def __init__(self, tally: Tally, line: ProgressLine | None) -> None:
        self._tally = tally
        self._line = line

    def init(self) -> None:
        if self._line is not None:
            self._line.draw(self._tally)
            self.send_interval(PERIOD, "draw")

    def handle_info(self, message: object) -> None:
        if self._line is not None:
            self._line.draw(self._tally)
