"""`Totals`: what a manager of commands has done since it started."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from suptree.services.commands.outcome import RunOutcome

__all__ = ["Totals"]


@dataclass(slots=True)
class Totals:
    """The counters of `CommandStats`, under the same names."""

    started: int = 0
    exited: int = 0
    timed_out: int = 0
    stopped: int = 0
    overflowed: int = 0
    launch_failures: int = 0
    lost: int = 0
    refused: int = 0
    joined: int = 0
    cache_hits: int = 0
    swept: int = 0
    truncated: int = 0

    def note(self, outcome: RunOutcome) -> None:
        """Count one run that is over."""
        match outcome.how:
            case "exited":
                self.exited += 1
            case "stopped":
                self.stopped += 1
            case "overflowed":
                self.overflowed += 1
            case "failed":
                self.launch_failures += 1
            case "lost":
                self.lost += 1
        captured = outcome.captured
        kept = len(captured.stdout) + len(captured.stderr)
        self.truncated += captured.stdout_bytes + captured.stderr_bytes > kept
        self.swept += outcome.swept

    def as_dict(self) -> dict[str, int]:
        """By name."""
        return asdict(self)
