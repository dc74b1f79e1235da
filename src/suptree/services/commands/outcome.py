"""What came of a command, and what the manager has done so far.  Values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Captured", "CommandResult", "CommandStats", "MemoryReading", "RunOutcome"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """How a command ended, and what it wrote.

    Attributes:
        command: Its name.
        args: Its arguments; secrets are not shown.
        stdout: What it wrote, as far as it was kept.
        stderr: The errors that it wrote, as far as they were kept.
        exit_code: Its exit code; None: a signal ended it.
        signal: The number of that signal; None: it ended by itself.
        duration_s: Seconds from its start until nothing of it was left.
        stdout_truncated: Whether it wrote more than was kept.
        stderr_truncated: The same of its errors.
        swept: Processes that it had left behind, and that were ended.
        cached: Whether this is the result of an earlier run.
        age: Seconds since that run ended; 0.0 if it is not cached.
    """

    command: str
    args: tuple[str, ...]
    stdout: bytes
    stderr: bytes
    exit_code: int | None
    signal: int | None
    duration_s: float
    stdout_truncated: bool
    stderr_truncated: bool
    swept: int
    cached: bool = False
    age: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with exit code 0."""
        return self.exit_code == 0

    @property
    def text(self) -> str:
        """What it wrote, as UTF-8; what is none is replaced."""
        return self.stdout.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Captured:
    """What a command had written at some time.

    Attributes:
        stdout: Its output, as far as it was kept.
        stderr: Its errors, as far as they were kept.
        stdout_bytes: How much output it wrote, kept or not.
        stderr_bytes: The same of its errors.
    """

    stdout: bytes = b""
    stderr: bytes = b""
    stdout_bytes: int = 0
    stderr_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How one run ended.

    Attributes:
        how: "exited" by itself, by a signal too; "stopped" because nobody wanted it any more;
            "overflowed" and ended for that; "failed" to start; "lost": its minder was.
        why: In words, for the last two.
        step: What failed of its start.
        errno: With which of the system's errors.
        code: Its exit code.
        signal: The signal that ended it.
        duration_s: Seconds from its start.
        captured: What it wrote.
        swept: Processes that it had left behind.
        left: Processes that could not be ended.
    """

    how: Literal["exited", "stopped", "overflowed", "failed", "lost"]
    why: str = ""
    step: str = ""
    errno: int = 0
    code: int | None = None
    signal: int | None = None
    duration_s: float = 0.0
    captured: Captured = Captured()
    swept: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandStats:
    """What there is now, and the totals since the manager started.

    Attributes:
        running: Commands that run.
        queued: Commands that wait for their turn.
        waiting: Callers that wait for a result.
        max_concurrency: So many may run.
        allowed: The names of the commands that may be run.
        isolation: How far the reach of the guardian goes: "subreaper": it finds whatever a
            command has started; "session": only its session and group; "none": nothing has run.
        started: Runs that were begun.
        exited: Those that came to their own end, whatever the exit code.
        timed_out: Calls whose time was over.
        stopped: Runs ended because nobody waited for them any more.
        overflowed: Runs ended because they wrote too much.
        launch_failures: Runs that could not be started.
        lost: Runs whose minder or guardian was lost.
        refused: Calls refused: not allowed, or too many.
        joined: Calls that shared the run of an equal command.
        cache_hits: Calls answered from the cache.
        cached: Results in the cache.
        cached_bytes: How much they hold.
        swept: Processes that commands had left behind, and that were ended.
        truncated: Runs of whose output not all was kept.
    """

    running: int
    queued: int
    waiting: int
    max_concurrency: int
    allowed: tuple[str, ...]
    isolation: str
    started: int
    exited: int
    timed_out: int
    stopped: int
    overflowed: int
    launch_failures: int
    lost: int
    refused: int
    joined: int
    cache_hits: int
    cached: int
    cached_bytes: int
    swept: int
    truncated: int


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """The memory of the machine, in bytes.

    Attributes:
        total: All of it.
        available: What programs can still get.
        used: What is in use.
        percent: How much of it is not available.
        swap_total: Swap space.
        swap_used: What of it is in use.
    """

    total: int
    available: int
    used: int
    percent: float
    swap_total: int
    swap_used: int
