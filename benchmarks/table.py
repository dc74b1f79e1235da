"""From samples to a table: medians, spread, ratios. Pure, and the only place that formats."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any

from benchmarks.rows import Row


@dataclass
class Cell:
    """All samples of one row on one side, in the unit of the row."""

    samples: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, as a share of the median: 0.05 reads "give or take 5 %"."""
        if len(self.samples) < 3:
            return (max(self.samples) - min(self.samples)) / 2 / self.median
        first, _, third = statistics.quantiles(self.samples, n=4, method="inclusive")
        return (third - first) / 2 / self.median


@dataclass
class Result:
    """The line of one row: a cell per side, and what suptree says about its direct calls."""

    row: Row
    cells: dict[str, Cell] = field(default_factory=dict)
    direct_share: float | None = None

    def ratio(self, peer: str) -> float | None:
        """How many times better suptree is than *peer*; above 1 is better, whatever the unit."""
        ours, theirs = self.cells.get("suptree"), self.cells.get(peer)
        if ours is None or theirs is None:
            return None
        better = ours.median / theirs.median
        return better if self.row.unit == "k/s" else 1 / better

    def as_json(self) -> dict[str, Any]:
        return {
            "row": self.row.name,
            "unit": self.row.unit,
            "what": self.row.what,
            "direct_share": self.direct_share,
            "sides": {
                name: {"median": cell.median, "spread": cell.spread, "samples": cell.samples}
                for name, cell in self.cells.items()
            },
            "ratios": {peer: self.ratio(peer) for peer in self.cells if peer != "suptree"},
        }


def render(results: list[Result], sides: list[str]) -> str:
    """Return the table as text, one line per row; `x erlang` is how many times better suptree is."""
    peers = [side for side in sides if side != "suptree"]
    head = ["row", "unit", *sides, *(f"x {peer}" for peer in peers), "direct"]
    lines = [head, *(_line(result, sides, peers) for result in results)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def _line(result: Result, sides: list[str], peers: list[str]) -> list[str]:
    ratios = [result.ratio(peer) for peer in peers]
    share = "-" if result.direct_share is None else f"{result.direct_share:.1%}"
    return [
        result.row.name,
        result.row.unit,
        *(_cell(result.cells.get(side)) for side in sides),
        *("-" if ratio is None else f"{ratio:.2f}" for ratio in ratios),
        share,
    ]


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    digits = 0 if cell.median >= 100 else 1
    return f"{cell.median:,.{digits}f} ±{cell.spread:.0%}"
