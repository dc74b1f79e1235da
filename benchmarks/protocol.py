"""What is said between the driver and a contestant: one line asks, one line answers.

    > call 40000 queued          workload, how many operations, options
    < seconds=0.131              metrics in seconds or bytes; several values are joined by commas
    > ring 100000
    < cannot                     this contestant has no such workload
    < failed RuntimeError: ...   it tried

Three lines of code in any language, which is why it is not JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Metrics: TypeAlias = Mapping[str, float | Sequence[float]]

CANNOT = "cannot"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Ask:
    """One sample that is asked for.

    Attributes:
        workload: Its name; what it does is told in `rows.py`.
        n: How many operations.
        options: Words that a contestant may know: suptree knows `queued` and `telemetry`.
        fresh: Only in an interpreter of its own, which measures nothing else.
    """

    workload: str
    n: int
    options: tuple[str, ...] = ()
    fresh: bool = False

    def line(self) -> str:
        return " ".join((self.workload, str(self.n), *self.options))

    @classmethod
    def parse(cls, line: str) -> Ask:
        workload, n, *options = line.split()
        return cls(workload, int(n), tuple(options))


def answer(metrics: Metrics) -> str:
    """Metrics as a line."""
    return " ".join(
        f"{name}={','.join(f'{value:.9g}' for value in _values(given))}"
        for name, given in metrics.items()
    )


def parse_answer(line: str) -> dict[str, list[float]]:
    """The metrics of a line that is neither `cannot` nor `failed`.

    >>> parse_answer("seconds=0.5 late=1e-05,2e-05")
    {'seconds': [0.5], 'late': [1e-05, 2e-05]}
    """
    pairs = (word.split("=", 1) for word in line.split())
    return {name: [float(value) for value in values.split(",")] for name, values in pairs}


def _values(given: float | Sequence[float]) -> Sequence[float]:
    return [given] if isinstance(given, (int, float)) else given
