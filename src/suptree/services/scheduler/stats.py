"""`SchedulerStats`: the numbers of a scheduler at one moment, and `Tally`, which counts them."""

from __future__ import annotations

from dataclasses import dataclass

from suptree.services.parts.distribution import Distribution

__all__ = ["SchedulerStats", "Tally"]


@dataclass(frozen=True, slots=True)
class SchedulerStats:
    """What a scheduler has, and what it has done since it was started.

    Attributes:
        jobs: How many jobs there are, and of these `paused`.
        owners: How many processes and labels own some.
        running: Runs that go on, and `queued`, which wait for those.
        runs: Runs begun, `run_now` included.
        skipped: Runs left out because of those before them.
        missed: Points that had no run because nobody was there in time.
        failures: Runs that could not begin, failed, were timed out or lost.
        timed_out: Of the failures, those that took too long.
        restored: Jobs that came back from the store.
        lag_p50_s, lag_p99_s, lag_max_s: How late runs were, in seconds; 0 before the first.
    """

    jobs: int
    paused: int
    owners: int
    running: int
    queued: int
    runs: int
    skipped: int
    missed: int
    failures: int
    timed_out: int
    restored: int
    lag_p50_s: float
    lag_p99_s: float
    lag_max_s: float


class Tally:
    """What is counted."""

    __slots__ = ("failures", "lag", "missed", "queued", "restored", "runs", "skipped", "timed_out")

    def __init__(self) -> None:
        self.runs = self.skipped = self.missed = self.failures = self.timed_out = 0
        self.restored = self.queued = 0
        self.lag = Distribution()

    def stats(self, *, jobs: int, paused: int, owners: int, running: int) -> SchedulerStats:
        """The numbers as they are now."""
        lag = self.lag
        return SchedulerStats(
            jobs=jobs,
            paused=paused,
            owners=owners,
            running=running,
            queued=self.queued,
            runs=self.runs,
            skipped=self.skipped,
            missed=self.missed,
            failures=self.failures,
            timed_out=self.timed_out,
            restored=self.restored,
            lag_p50_s=lag.quantile(0.5) if lag.count else 0.0,
            lag_p99_s=lag.quantile(0.99) if lag.count else 0.0,
            lag_max_s=lag.largest if lag.count else 0.0,
        )
