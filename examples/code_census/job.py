"""What one census is about, and the names under which its processes find each other.

Who owns it: the caller makes one `Job` before the tree starts. It is handed to every
process by reference; the parts that change (`pace`, `tally`) live outside the tree on
purpose, so that a restarted process finds them as they were.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import suptree as st

from .discover import Sources
from .pace import Pace
from .progress import ProgressLine, Tally

REGISTRY = "census.registry"
CREW = "census.crew"
TASKS = "census.tasks"
WORKERS = "census.workers"
DISPLAY = "census.display"
COLLECTOR = st.via(REGISTRY, "collector")
COORDINATOR = st.via(REGISTRY, "coordinator")


@dataclass(frozen=True, slots=True)
class Intensity:
    """How many restarts in how many seconds a supervisor puts up with before it gives up."""

    max_restarts: int = 3
    max_seconds: float = 5.0

    def __str__(self) -> str:
        return f"{self.max_restarts:,} restarts in {self.max_seconds:g} s"


@dataclass(frozen=True, slots=True)
class Job:
    """One census.

    Attributes:
        sources: The files.
        out: Where the rows go; what is there already counts as done.
        workers: How many files are in work at once.
        pace: When each file may be surveyed.
        tally: How it stands; written by the collector, shown by the display.
        line: Where the display draws it; None for nowhere.
        intensity: For every supervisor of the tree.
        thread: Where files are surveyed, off the loop; one thread only. More would gain
            nothing under the interpreter's lock, and the parser of CPython 3.11 and 3.12
            fails in two threads at once ("AST constructor recursion depth mismatch").
    """

    sources: Sources
    out: Path
    pace: Pace
    tally: Tally
    line: ProgressLine | None = None
    workers: int = 4
    intensity: Intensity = Intensity()
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "survey"))
