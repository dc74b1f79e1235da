"""Measurements that are held against each other: taken in turn, so that a slow moment of the machine hits all of them."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

Measurement: TypeAlias = Callable[[], Awaitable[float]]
"""Measures once."""


async def medians(
    measurements: Mapping[str, Measurement], rounds: int, *, warm_up: int = 0
) -> dict[str, float]:
    """The median of each over *rounds* rounds, after *warm_up* ones that do not count."""
    taken: dict[str, list[float]] = {name: [] for name in measurements}
    for round_ in range(warm_up + rounds):
        for name, measurement in measurements.items():
            value = await measurement()
            if round_ >= warm_up:
                taken[name].append(value)
    return {name: statistics.median(values) for name, values in taken.items()}
