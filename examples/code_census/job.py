"""What one census is about.

Who owns it: the caller makes one `Job` before the tree starts. It is handed to every
process by reference; the parts that change (`pace`, `tally`) live outside the tree on
purpose, so that a restarted process finds them as they were.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from . import names
from .discover import Sources
from .pace import Pace
from .progress import ProgressLine, Tally


@dataclass(frozen=True, slots=True)
class Patience:
    """When a death is one too many.

    Attributes:
        max_restarts: How many restarts a supervisor puts up with before it gives up.
        max_seconds: In how many seconds.
        deliveries: How many receivers may die over a message before it is given up.
    """

    max_restarts: int = 3
    max_seconds: float = 5.0
    deliveries: int = 3

    def __str__(self) -> str:
        return (
            f"{self.max_restarts:,} restarts in {self.max_seconds:g} s, "
            f"{self.deliveries:,} deaths over a message"
        )


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
        patience: For every supervisor of the tree, and every message.
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
    patience: Patience = Patience()
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "survey"))

    def crew(self) -> list[str]:
        """The names of the workers."""
        return [names.worker(number) for number in range(1, self.workers + 1)]
