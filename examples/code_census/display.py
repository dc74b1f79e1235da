"""The display: has the progress line drawn ten times a second.

Who owns it: the root of the tree, as the last child of the census, because it matters
least. It keeps nothing: what it shows is in the tally of the job, which the collector and
telemetry write. Its tick is a job of the scheduler, and goes when it goes.
"""

from __future__ import annotations

import suptree as st
from suptree.services import SchedulerManager

from .job import Job
from .names import SCHEDULER

PERIOD = 0.1
"""Seconds between two drawings."""


class Display(st.GenServer):
    """Draws the line of *job* from its tally; with no line it sits still."""

    def __init__(self, job: Job) -> None:
        self._job = job

    async def init(self) -> None:
        self._draw()
        if self._job.line is not None:
            await SchedulerManager.every(SCHEDULER, PERIOD, "draw")

    def handle_info(self, message: object) -> None:
        self._draw()

    def _draw(self) -> None:
        if self._job.line is not None:
            self._job.line.draw(self._job.tally)
