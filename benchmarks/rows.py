"""The rows of the table, as values: what is measured, in which unit, and how much of it makes one sample.

Every side (suptree, a plain asyncio actor, Erlang) implements the workloads by name; none of them is known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

Workload: TypeAlias = Literal["call", "cast", "spawn_stop", "restart"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        name: What `--only` takes.
        workload: What the peers run; several rows may share one (a call is a call on the BEAM).
        direct_call: How suptree's runtime is made for it.
        n: Operations in one sample.
        unit: `k/s` is thousands per second, more is better; `us` is microseconds each, less is better.
        what: One sentence for the reader.
    """

    name: str
    workload: Workload
    direct_call: bool
    n: int
    unit: Literal["k/s", "us"]
    what: str


ROWS: tuple[Row, ...] = (
    Row(
        "queued-call",
        "call",
        False,
        40_000,
        "k/s",
        "one supervised process calls another, one after another, 5 s timeout, through the queue",
    ),
    Row(
        "direct-call",
        "call",
        True,
        100_000,
        "k/s",
        "the same with the direct call allowed",
    ),
    Row(
        "cast",
        "cast",
        True,
        100_000,
        "k/s",
        "one process casts to one server, then waits for the last",
    ),
    Row(
        "spawn-stop",
        "spawn_stop",
        True,
        10_000,
        "k/s",
        "start a linked server, stop it in order, one after another",
    ),
    # Few, because OTP's supervisor keeps every restart of the last second in a list that it walks each time.
    Row(
        "restart",
        "restart",
        True,
        200,
        "us",
        "from the crash of a permanent child to the first answer of the next (median)",
    ),
)


class Side(Protocol):
    """One contestant."""

    name: str

    def measure(self, row: Row) -> float:
        """Run one sample of *row*; return its number in the unit of the row."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


def in_unit(row: Row, seconds: float) -> float:
    """Turn the seconds of a sample (for `us`: of its median operation) into the number of the table."""
    return row.n / seconds / 1e3 if row.unit == "k/s" else seconds * 1e6
