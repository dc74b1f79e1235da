"""What is opened and closed when: the decisions of a pool, without a clock and without processes."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from suptree.services.pools.shelf import Entry
from suptree.services.pools.spec import ConnectionPoolSpec

__all__ = ["Look", "look", "next_look", "retires_at", "shortfall"]


class Look(StrEnum):
    """What is to be done with a connection that nobody uses."""

    KEEP = "keep"
    CHECK = "check"
    TOO_OLD = "max_age"
    TOO_IDLE = "max_idle"


def shortfall(
    spec: ConnectionPoolSpec[Any],
    *,
    size: int,
    closing: int,
    opening: int,
    waiting: int,
    failing: bool,
) -> int:
    """How many more are to be opened now.

    Args:
        spec: Of the pool.
        size: All connections, also those that are being opened and closed.
        closing: Of those, being closed.
        opening: Of those, being opened.
        waiting: Borrowers that wait.
        failing: The last attempt to open one failed: one at a time is tried then.
    """
    wanted = max(spec.min_size - (size - closing), waiting - opening)
    if failing:
        wanted = min(wanted, 1 - opening)
    return max(0, min(wanted, spec.max_size - size))


def retires_at(spec: ConnectionPoolSpec[Any], now: float, chance: float) -> float:
    """When a connection that is opened now is too old; *chance* is random, 0 to 1."""
    if spec.max_age is None:
        return float("inf")
    return now + spec.max_age * (1 - spec.age_jitter * chance)


def look(spec: ConnectionPoolSpec[Any], entry: Entry[Any], now: float, *, spare: bool) -> Look:
    """What to do with an idle connection; *spare*: there are more than `min_size`.

    It adds where `next_look` adds: a difference rounds otherwise, and one that is due could
    be kept, planned for now, and looked at for ever.
    """
    if now >= entry.retires_at:
        return Look.TOO_OLD
    if spare and spec.max_idle is not None and now >= entry.idle_since + spec.max_idle:
        return Look.TOO_IDLE
    if spec.check is not None and now >= entry.checked_at + spec.check_every:
        return Look.CHECK
    return Look.KEEP


def next_look(spec: ConnectionPoolSpec[Any], entry: Entry[Any], now: float) -> float | None:
    """When to look at an idle connection next; None: never."""
    times = [entry.retires_at]
    if spec.max_idle is not None:
        over = entry.idle_since + spec.max_idle
        # Over already, and kept because none was to spare: there may be one later.
        times.append(over if over > now else now + spec.max_idle)
    if spec.check is not None:
        times.append(entry.checked_at + spec.check_every)
    earliest = min(times)
    return None if earliest == float("inf") else earliest
