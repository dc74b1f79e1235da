"""When the timers of the timer workloads are due, the same on every side."""

from __future__ import annotations

from collections.abc import Iterator

PAIRS_PER_TURN = 100
"""Timers that are started and cancelled before the loop has its say: it is the loop that forgets cancelled ones."""
PER_MILLISECOND = 10
LEAD = 0.3
"""Seconds before the first timer of `accurate_delays` is due: by then all are set."""


def accurate_delays(n: int) -> Iterator[float]:
    """*n* delays, ten for each millisecond: the BEAM's timers know no finer times."""
    return (LEAD + i // PER_MILLISECOND / 1000 for i in range(n))


def common_due(n: int) -> float:
    """Seconds within which every side starts *n* processes that arm a timer, with room to spare."""
    return 0.2 + n * 60e-6
