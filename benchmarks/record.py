"""What one run has found, as a value and as JSON. The page is made of it and of nothing else."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.lineup import APART, OURS, ROOT
from benchmarks.studies import Fairness, Flatness, Histogram

PATH: Path = ROOT / "docs" / "reference" / "benchmarks.json"


@dataclass(slots=True)
class Record:
    """One run.

    Attributes:
        facts: Date, commit, machine and interpreter, in words; records of old have no commit.
        versions: Contestant -> what it said of itself.
        samples: Row -> contestant -> a number for each round.
        troubles: Workload, or "" for all -> contestant -> why there is no number.
        shares: Row -> the share of direct calls.
        recorded: The last run of the peers that live apart, when this one left them out.
    """

    facts: dict[str, str]
    versions: dict[str, str] = field(default_factory=dict)
    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    troubles: dict[str, dict[str, str]] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    fairness: Fairness = field(default_factory=dict)
    flatness: Flatness = field(default_factory=dict)
    recorded: Record | None = None

    def keep_apart(self) -> None:
        """Move the peers that live apart, beside suptree's numbers of the same run, to `recorded`."""
        names = {peer.name for peer in APART}
        self.recorded = Record(
            dict(self.facts),
            _only(self.versions, names | {OURS}),
            {
                row: _only(cells, names | {OURS})
                for row, cells in self.samples.items()
                if names & cells.keys()
            },
            {
                where: kept
                for where, whose in self.troubles.items()
                if (kept := _only(whose, names))
            },
        )
        self.versions = _without(self.versions, names)
        self.samples = {row: _without(cells, names) for row, cells in self.samples.items()}
        self.troubles = {
            where: kept
            for where, whose in self.troubles.items()
            if (kept := _without(whose, names))
        }

    def as_json(self) -> str:
        return json.dumps(_rounded(asdict(self)), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Record:
        return cls._from(json.loads(text))

    @classmethod
    def _from(cls, given: dict[str, Any]) -> Record:
        fairness = {
            probe: {flood: Histogram.from_json(one) for flood, one in floods.items()}
            for probe, floods in given["fairness"].items()
        }
        recorded = given["recorded"] and cls._from(given["recorded"])
        fields: dict[str, Any] = {**given, "fairness": fairness, "recorded": recorded}
        return cls(**fields)


def stored() -> Record | None:
    """The record in docs/reference, if there is one."""
    return Record.from_json(PATH.read_text()) if PATH.exists() else None


def facts(loop: str, rounds: int) -> dict[str, str]:
    """Date, commit, machine and interpreter, in neutral words."""
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "commit": commit(),
        "machine": f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores of which one is used, {gigabytes:.0f} GiB",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "loop": loop,
        "rounds": str(rounds),
    }


def commit() -> str:
    """The commit that is measured, with a `+` behind it when the sources differ from it; "unknown" without git."""
    try:
        changed = _git("status", "--porcelain", "--", "src", "benchmarks")
        return _git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def _only(mapping: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name in names}


def _without(mapping: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name not in names}


def _rounded(value: Any) -> Any:
    """Numbers with six digits: more would be noise."""
    match value:
        case float():
            return float(f"{value:.6g}")
        case dict():
            return {key: _rounded(one) for key, one in value.items()}
        case list() | tuple():
            return [_rounded(one) for one in value]
        case _:
            return value
