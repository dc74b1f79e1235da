"""What no single number tells: fairness beside a flood, and whether cost stays flat as the crowd grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.contest import Contest
from benchmarks.lineup import OURS
from benchmarks.protocol import Ask
from benchmarks.stats import percentile

FLOOD, CROWDS = 1_000_000, (1_000, 10_000, 100_000)
PROBES = {
    "call": "a call between two others",
    "timer": "lateness of a 1 ms timer",
    "http": "a request to an HTTP server",
}
OPERATIONS = ("spawn", "restart", "lookup", "timer", "monitor")
BESIDE = "dict"
"""No operation of a runtime: what a lookup stands on."""
FAIR, FLAT = 3.0, 1.5
"""At most so many times the p99 beside a bare asyncio flood; at most so many times the cost at 1,000 processes."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Latencies: how many took up to 1, 2, 4, ... microseconds, and what is read off the whole list.

    Attributes:
        counts: The i-th is how many took at most 2**i microseconds, and more than the one before.
    """

    n: int
    p50_us: float
    p99_us: float
    max_us: float
    counts: tuple[int, ...]

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Histogram:
        micros = [value * 1e6 for value in seconds]
        counts = [0] * 24
        for value in micros:
            counts[min(23, max(0, int(value).bit_length()))] += 1
        while counts and not counts[-1]:
            counts.pop()
        return cls(
            len(micros),
            round(percentile(micros, 50), 1),
            round(percentile(micros, 99), 1),
            round(max(micros), 1),
            tuple(counts),
        )

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Histogram:
        fields: dict[str, Any] = {**given, "counts": tuple(given["counts"])}
        return cls(**fields)


SUPTREE, BARE, YIELDING = "suptree", "bare asyncio", "asyncio, giving way"
Fairness = dict[str, dict[str, Histogram]]
"""Probe -> flood -> latencies."""
Flatness = dict[str, dict[str, list[list[float]]]]
"""`default` or `freeze` -> operation -> for each of CROWDS, microseconds in each round."""


def fairness(contest: Contest, loop: str, rounds: int, n: int = FLOOD) -> Fairness:
    """The probes beside each flood, all rounds together; suptree's calls go through the mailbox."""
    plain = "asyncio+uvloop" if loop == "uvloop" else "asyncio"
    floods = {
        SUPTREE: (OURS, Ask("flood", n, ("queued",))),
        BARE: (plain, Ask("flood", n)),
        YIELDING: (plain, Ask("flood", n, ("yielding",))),
    }
    seconds: dict[str, dict[str, list[float]]] = {probe: {} for probe in PROBES}
    for round_ in range(rounds):
        contest.say(f"fairness, round {round_ + 1} of {rounds}")
        for flood, (name, ask) in floods.items():
            for probe, values in (contest.single(ask, name) or {}).items():
                seconds[probe].setdefault(flood, []).extend(values)
    return {
        probe: {flood: Histogram.of(values) for flood, values in floods.items()}
        for probe, floods in seconds.items()
    }


def flatness(contest: Contest, rounds: int, crowds: Sequence[int] = CROWDS) -> Flatness:
    """Each operation with each crowd alive, in a fresh interpreter; once more with `gc.freeze`."""
    costs: Flatness = {}
    for round_ in range(rounds):
        contest.say(f"flatness, round {round_ + 1} of {rounds}")
        for mode, options in (("default", ()), ("freeze", ("freeze",))):
            for place, crowd in enumerate(crowds):
                ask = Ask("flatness", crowd, options, fresh=True)
                for operation, (seconds,) in (contest.single(ask, OURS) or {}).items():
                    rows = costs.setdefault(mode, {}).setdefault(operation, [[] for _ in crowds])
                    rows[place].append(round(seconds * 1e6, 4))
    return costs
