"""What a row of the table is, as a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from benchmarks.protocol import Ask
from benchmarks.stats import percentile

Unit: TypeAlias = Literal["k/s", "us", "bytes"]


@dataclass(frozen=True, slots=True)
class Figure:
    """What suptree's number divided by a peer's has to be: at least that for k/s, at most that for us and bytes.

    Attributes:
        beam: Against `judge` on one scheduler; None: no figure.
        python: Against the best Python peer, or the best of `among`.
    """

    beam: float | None = None
    python: float | None = None
    judge: Literal["erlang", "elixir"] = "erlang"
    among: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Beside:
    """What suptree's number is divided by, where it is held against a number of its own.

    Attributes:
        row: The row of that number, in the same unit.
        most: The goal: at most so many times; None: no goal.
    """

    row: str
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        name: What `--only` takes.
        what: One sentence for the reader.
        unit: `k/s` is thousands per second, more is better; `us` (each) and `bytes` (each), less is better.
        metric: Which of the answer's metrics; `seconds` for k/s are those of all n operations.
        percent: The percentile of it that is read; None: it is one number.
        rounds: At most that many rounds, for what is slow and steady.
        alone: suptree is compared with itself here, no peer is asked.
        beside: With what of itself; None: the reader sees.
    """

    name: str
    ask: Ask
    unit: Unit
    what: str
    figure: Figure = Figure()
    metric: str = "seconds"
    percent: float | None = None
    rounds: int | None = None
    alone: bool = False
    beside: Beside | None = None

    @property
    def more_is_better(self) -> bool:
        return self.unit == "k/s"

    def read(self, metrics: Mapping[str, Sequence[float]]) -> float:
        """The number of the table, from the answer to `ask`."""
        values = metrics[self.metric]
        value = values[0] if self.percent is None else percentile(values, self.percent)
        match self.unit:
            case "k/s":
                return self.ask.n / value / 1e3
            case "us":
                return value * 1e6
            case "bytes":
                return value
