"""`HealthWriter`: tells a `HealthSink` the newest health, on change only, and again if that fails.

Part of a server, in whose handlers it is used: the writes are its jobs, the timer is its
own.  One write at a time; what changes meanwhile is written after it, the newest only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from suptree.clock import wall_clock
from suptree.core import Pid, Timer
from suptree.otp import GenServer
from suptree.services.monitoring.health import Health
from suptree.services.monitoring.jobs import Abandoned, Done, Freed, Jobs
from suptree.services.monitoring.watch import HealthChange, HealthSink, Target

__all__ = ["HealthWriter", "Rewrite"]

_KEY: Final = "write"
_LONGEST_S: Final = 30.0  # before a failed write is tried again
_LAST_TRIES: Final = 3  # of one who is about to end


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The timer message: try to write again; give it to `HealthWriter.again`."""


class HealthWriter:
    """What the sink knows, and what it is to know.

    Args:
        server: Whose it is.
        jobs: Those of the server.
        sink: Who is told.
        timeout: Seconds that the sink has for a write.
        on_failure: Called with what was wrong.

    Attributes:
        written: What the sink was last told; unknown: nothing yet.
        writes: Writes that succeeded.
        failures: Writes that failed.
    """

    __slots__ = (
        "_failed",
        "_jobs",
        "_on_failure",
        "_server",
        "_sink",
        "_timeout",
        "_timer",
        "_wanted",
        "_writing",
        "failures",
        "writes",
        "written",
    )

    def __init__(
        self,
        server: GenServer,
        jobs: Jobs,
        sink: HealthSink,
        timeout: float,
        on_failure: Callable[[str], object],
    ) -> None:
        self._server, self._jobs, self._sink = server, jobs, sink
        self._timeout, self._on_failure = timeout, on_failure
        self._wanted: tuple[Target, Pid[Any] | None, Health, str] | None = None
        self._writing = self.written = Health.UNKNOWN
        self._timer: Timer | None = None
        self._failed = 0  # in a row
        self.writes = self.failures = 0

    def want(self, target: Target, process: Pid[Any] | None, health: Health, reason: str) -> None:
        """Have that written, if it is not known yet; unknown is no news."""
        self._wanted = target, process, health, reason
        self._write()

    def told(self, news: Done | Abandoned | Freed | None) -> bool:
        """Whether *news* were of a write; then they are dealt with."""
        match news:
            case Done(key="write", timed_out=True):
                self._fail(f"not written within {self._timeout:g} s")
            case Done(key="write", error=""):
                self._failed = 0
                self.writes += 1
                self.written = self._writing
                self._write()
            case Done(key="write", error=error):
                self._fail(error)
            case Freed(key="write"):
                self._write()
            case _:
                return False
        return True

    def again(self) -> None:
        """The wait after a failure is over."""
        self._timer = None
        self._write()

    def hurry(self) -> None:
        """The server is about to end: what is left is tried at once, and only so often."""
        self._failed = 0
        if self._timer is not None:
            self._server.cancel_timer(self._timer)
            self._timer = None

    def is_over(self, last: Health) -> bool:
        """Whether *last* is written, or was tried often enough."""
        return self.written is last or self._failed >= _LAST_TRIES

    def _write(self) -> None:
        if self._wanted is None or self._timer is not None or self._jobs.is_running(_KEY):
            return
        target, process, health, reason = self._wanted
        if health is Health.UNKNOWN or health is self.written:
            return
        if self._jobs.is_stuck(_KEY):
            self._fail("the last write is still running")
            return
        change = HealthChange(target, process, health, self.written, reason, wall_clock())
        self._writing = health
        self._jobs.start(_KEY, self._sink.write, change, timeout=self._timeout)

    def _fail(self, error: str) -> None:
        self._failed += 1
        self.failures += 1
        wait = min(_LONGEST_S, 2.0 ** min(self._failed - 1, 10))
        self._timer = self._server.send_after(wait, Rewrite())
        self._on_failure(error)
