"""How a whole program ended, as the exit code of its OS process.  See docs/reference/exit-codes.md."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

__all__ = ["ExitCode"]


class ExitCode(enum.IntEnum):
    """What `run` ends the program with; when several hold, the first in the order of this list
    that is not OK, except that the code of a second signal always wins."""

    OK = 0
    """It ended by itself as it should, or a signal stopped it in order."""
    FAILED = 1
    """It ended although nobody asked: its supervisor gave up, or its reason was not normal-ish."""
    USAGE = 2
    """It could not even begin: what was asked for is wrong."""
    START_FAILED = 3
    """An application failed to start; those before it were stopped in order."""
    UNCLEAN = 70
    """It was stopped, but some code could not be ended: a process that ignores being killed, a
    plain handler that never returns, or a thread."""
    OVERDUE = 124
    """The orderly stop took longer than its time, so the rest was killed (as timeout(1) has it)."""
    INTERRUPTED = 130
    """A second signal, SIGINT, ended the stop at once: everything was killed."""
    TERMINATED = 143
    """A second signal, SIGTERM, ended the stop at once: everything was killed."""

    def explain(self) -> str:
        """One line for people."""
        return _EXPLAINED[self.value]


_EXPLAINED: Final[Mapping[int, str]] = {
    0: "ended in order",
    1: "ended although nobody asked it to",
    2: "could not begin",
    3: "could not start: an application failed",
    70: "stopped, but some code could not be ended",
    124: "did not stop within its time, and the rest was killed",
    130: "was killed by a second signal, SIGINT",
    143: "was killed by a second signal, SIGTERM",
}
