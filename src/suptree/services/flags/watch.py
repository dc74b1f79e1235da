"""What is reported of the stages of one migration, and whether it is too bad to stay there.

Pure: `now` is a parameter.  Three limits, each over a sliding window that begins anew with
each stage: the part of calls that failed, restarts, and the response time.  The last is
compared with a baseline, the median of the stage before: it has doubled when more than
half of the calls take more than twice the baseline.

>>> watch = Watch(MigrationGuard(min_calls=2))
>>> watch.enter("half", 0.0, forward=True)
>>> watch.record(False, None, 1.0)
>>> watch.record(True, None, 2.0)
>>> watch.verdict(3.0)
'1 of 2 calls failed in 60 s; at most 5 % may'
"""

from __future__ import annotations

from dataclasses import dataclass

from suptree.services.parts.checks import check_count, check_number
from suptree.services.parts.distribution import Distribution
from suptree.services.parts.window import CallOutcome, TimeWindow

__all__ = ["MigrationGuard", "Report", "Watch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationGuard:
    """When a stage is given up.

    Args:
        max_error_rate: The part of the calls that may fail, 0 to 1; more is too much.
        min_calls: Calls in the window before its rates mean anything.
        max_restarts: Restarts in the window that may happen; more are too many.
        max_slowdown: How many times the baseline the median call may take.
        baseline_s: The median response time in seconds to compare with; None: that of
            the stage before, once it has seen `min_calls`.
        window_s: Seconds that the window looks back.
        bake_s: Seconds that a stage must have lasted before the next one is ready.

    Raises:
        ValueError: One of them is out of bounds.
    """

    max_error_rate: float = 0.05
    min_calls: int = 20
    max_restarts: int = 10
    max_slowdown: float = 2.0
    baseline_s: float | None = None
    window_s: float = 60.0
    bake_s: float = 0.0

    def __post_init__(self) -> None:
        check_number("MigrationGuard", "max_error_rate", self.max_error_rate, least=0, most=1)
        check_count("MigrationGuard", "min_calls", self.min_calls)
        check_count("MigrationGuard", "max_restarts", self.max_restarts, least=0)
        check_number("MigrationGuard", "max_slowdown", self.max_slowdown, least=1)
        check_number("MigrationGuard", "baseline_s", self.baseline_s, above=0, optional=True)
        check_number("MigrationGuard", "window_s", self.window_s, above=0)
        check_number("MigrationGuard", "bake_s", self.bake_s, least=0)


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of the stage that a migration stands at.

    Attributes:
        stage: Its name; "" is the start.
        calls: Reported in the window.
        failures: Those that failed.
        restarts: Reported in the window.
        median_s: Of all response times reported at this stage; NaN if none was.
        baseline_s: What it is compared with; None if nothing is.
        lasted_s: Seconds since this was first seen to be the stage.
    """

    stage: str
    calls: int
    failures: int
    restarts: int
    median_s: float
    baseline_s: float | None
    lasted_s: float


class Watch:
    """Counts what is reported of one migration."""

    __slots__ = ("_calls", "_durations", "_restarts", "_since", "baseline", "guard", "stage")

    def __init__(self, guard: MigrationGuard) -> None:
        self.guard = guard
        self.baseline = guard.baseline_s
        self._calls = TimeWindow(guard.window_s)
        self._restarts = TimeWindow(guard.window_s)
        self._durations = Distribution()
        self.stage: str | None = None
        self._since = 0.0

    def enter(self, stage: str, now: float, *, forward: bool) -> None:
        """The migration stands at another stage: what was seen so far was of the one before.

        Args:
            stage: Its name.
            now: Seconds.
            forward: Whether it advanced; only then the stage before was good enough to
                compare with.
        """
        if (
            forward
            and self.guard.baseline_s is None
            and self._durations.count >= self.guard.min_calls
        ):
            self.baseline = self._durations.quantile(0.5) or None
        self._calls.clear()
        self._restarts.clear()
        self._durations.clear()
        self.stage = stage
        self._since = now

    def record(self, ok: bool, duration_s: float | None, now: float) -> None:
        """One call ended; *duration_s* is None if it was not timed."""
        slow = False
        if duration_s is not None:
            self._durations.record(duration_s)
            slow = (
                self.baseline is not None and duration_s > self.baseline * self.guard.max_slowdown
            )
        self._calls.record(CallOutcome.SUCCESS if ok else CallOutcome.FAILURE, now, slow)

    def restarted(self, count: int, now: float) -> None:
        """Something of this migration was restarted *count* times."""
        for _ in range(min(count, self.guard.max_restarts + 1)):  # more say nothing new
            self._restarts.record(CallOutcome.FAILURE, now)

    def verdict(self, now: float) -> str | None:
        """What is too much, in words; None when nothing is."""
        guard = self.guard
        restarts = self._restarts.counts(now).failures
        if restarts > guard.max_restarts:
            return f"{restarts} restarts in {guard.window_s:g} s; at most {guard.max_restarts} may happen"
        calls = self._calls.counts(now)
        if calls.calls < guard.min_calls:
            return None
        if calls.failure_rate > guard.max_error_rate:
            return (
                f"{calls.failures} of {calls.calls} calls failed in {guard.window_s:g} s; "
                f"at most {guard.max_error_rate * 100:g} % may"
            )
        if calls.slow_rate > 0.5 and self.baseline is not None:
            return (
                f"{calls.slow} of {calls.calls} calls took more than {guard.max_slowdown:g} times the "
                f"{self.baseline:.3g} s of before"
            )
        return None

    def report(self, now: float) -> Report:
        """What is known."""
        calls = self._calls.counts(now)
        return Report(
            self.stage or "",
            calls.calls,
            calls.failures,
            self._restarts.counts(now).failures,
            self._durations.quantile(0.5),
            self.baseline,
            now - self._since,
        )

    def missing(self, now: float) -> list[str]:
        """What the next stage still waits for; [] when it is ready."""
        reasons: list[str] = []
        bad = self.verdict(now)
        if bad is not None:
            reasons.append(bad)
        lasted = now - self._since
        if lasted < self.guard.bake_s:
            reasons.append(f"it has lasted {lasted:g} s; it must last {self.guard.bake_s:g} s")
        calls = self._calls.counts(now).calls
        if self.stage and calls < self.guard.min_calls:
            reasons.append(
                f"{calls} calls in {self.guard.window_s:g} s; {self.guard.min_calls} say something"
            )
        return reasons
