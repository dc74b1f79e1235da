"""What a soak found, for a terminal and for the page of the documentation."""

from __future__ import annotations

import platform
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import suptree
from tests.soak.verdict import Judged, table

__all__ = ["Report", "commit", "write"]

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "reference" / "soak.md"
BAD: Final = frozenset({"grows"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run.

    Attributes:
        commit: What ran, looked up when it began: half an hour later it may be another one.
    """

    commit: str
    minutes: float
    seed: int
    loop: str
    overflow: str
    warm_up: float
    samples: int
    rows: Sequence[Judged]
    kills: Mapping[str, int]
    acts: Mapping[str, int]
    ends: Mapping[str, int]
    refusals: Mapping[str, int]
    crashes: Mapping[str, int]
    breaches: Sequence[str]
    broken: int
    left: Sequence[str]

    def growing(self) -> list[str]:
        """The series that grow."""
        return [row.series.name for row in self.rows if row.word in BAD]

    def is_good(self) -> bool:
        """Whether nothing grows, no promise was broken, and nothing is left."""
        return bool(self.rows) and not (self.growing() or self.broken or self.left)

    def verdict(self) -> str:
        """In one line."""
        words = Counter(row.word for row in self.rows)
        counted = ", ".join(f"{count} {word}" for word, count in words.most_common())
        return (
            f"{'good' if self.is_good() else 'FAILED'}: of {len(self.rows)} series {counted}; "
            f"{self.broken} promises broken, {len(self.left)} things left at the stop"
        )

    def lines(self) -> list[str]:
        """For a terminal."""
        return [
            "",
            *table(self.rows),
            "",
            *(f"{what}: {_counts(counts)}" for what, counts in self.counts().items()),
            *(f"BROKEN: {one}" for one in self.breaches),
            *(f"LEFT: {one}" for one in self.left[:20]),
            f"soak: {self.verdict()}",
        ]

    def counts(self) -> dict[str, Mapping[str, int]]:
        """What happened."""
        return {
            "kills": self.kills,
            "uses": self.acts,
            "messages": self.ends,
            "refusals": self.refusals,
            "crashes": self.crashes,
        }


def _counts(counts: Mapping[str, int]) -> str:
    top = Counter(dict(counts)).most_common(25)
    return ", ".join(f"{count:,} {what}" for what, count in top) or "none"


def write(report: Report) -> None:
    """Write the page."""
    PAGE.write_text(page(report))
    print(f"soak: wrote {PAGE.relative_to(ROOT)}")


def page(report: Report) -> str:
    """The page of the documentation."""
    allowed = [row.series for row in report.rows if row.series.why]
    return "\n".join(
        [
            f"<!-- Written by `make soak MINUTES={report.minutes:g} SEED={report.seed} RECORD=1`. Do not edit. -->",
            "",
            "# The soak of the whole system",
            "",
            "`System` with every service, agents that are fast, slow, crash and hang, and senders that use every",
            "service, while processes of the tree are killed at random. Every few seconds there is silence until the",
            "tree is up and the lanes are empty; then everything that is held is counted.",
            "",
            f"**{report.verdict()}.**",
            "",
            *_facts(report),
            "",
            *table(report.rows),
            "",
            "The slope is that of least squares through the means of up to ten blocks of samples: samples that follow one another",
            "are alike, and a line through all of them would seem surer than it is. *flat*: the 95 % interval of the slope",
            "includes 0. *falls*: it is below. *tiny*: it is above, and within what is allowed in an hour. *unsure*: it is",
            "above, but not with 99 % for all series that move at once, which one of so many is by chance, or not with the doubt",
            "that a line through all samples leaves. *grows* fails the run. How far the interval reaches is how small a leak the run can see.",
            "",
            "Of memory the verdict looks at three quantities. *Memory in use* is what the allocators have given out and not got",
            "back, and *objects* is what the collector tracks: these tell of a leak, and of each of them little is allowed.",
            "*Resident memory* is what the kernel lent to the process. It is not what is in use but the most that was in use",
            "at once, so far, with the gaps between it: a worse moment than all before makes it grow by an arena of Python's",
            "allocator, a megabyte, and no quiet moment brings that back. So it rises ever more slowly in a program that leaks nothing,",
            "its slope is not to be expected to be 0, and 4 MB are allowed once. It is here because it would tell of memory that",
            "neither allocator knows. Before each look the cache of source lines is emptied, from which the interpreter writes",
            "tracebacks; it grows by a file whenever one is in a traceback for the first time.",
            "",
            "`python -m tests.soak.system --leak timer` (or `task`, `monitor`, `process`, `descriptor`, `memory`) leaves one of these",
            "behind for each kill, on purpose: such a run fails.",
            "",
            "What is allowed, in an hour and once, while the program settles; of a short run that is more in an hour:",
            "",
            *(
                f"- {one.name}: {one.allowed:,g} in an hour, and {one.once:,g} once: {one.why}."
                for one in allowed
            ),
            "- what a service holds, and rows of tables: 10 entries in an hour, and 50 once: its bounded tables fill again after each kill.",
            "- everything else: nothing.",
            "",
            "What happened:",
            "",
            *(f"- {what}: {_counts(counts)}" for what, counts in report.counts().items()),
            "",
            "No promise was broken means: every message had an outcome that agrees with how often its receiver began with",
            "it; messages of one sender to one name came in order; what the router accepted was answered, expired, given up",
            "or is in a lane; tokens, leases, permits and loans were back at each quiet moment; no service crashed by itself",
            "(one whose table was killed with the process that owns it ends with `NoTableError`, and comes back with it);",
            "and each of them did its work at the end.",
            "",
            *([*(f"- broken: {one}" for one in report.breaches), ""] if report.breaches else []),
            *([*(f"- left: {one}" for one in report.left), ""] if report.left else []),
        ]
    )


def _facts(report: Report) -> list[str]:
    facts = {
        "length": f"{report.minutes:g} minutes, the first {report.warm_up / 60:g} of which do not count",
        "samples": str(report.samples),
        "seed": str(report.seed),
        "loop": report.loop,
        "full lanes": report.overflow,
        "suptree": f"{suptree.__version__}, commit {report.commit}",
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "libraries": ", ".join(
            f"{name} {_version(name)}" for name in ("uvloop", "msgspec", "psutil")
        ),
    }
    return ["| | |", "|---|---|", *(f"| {what} | {fact} |" for what, fact in facts.items())]


def commit() -> str:
    """The commit of the sources, with a `+` behind it when they were changed; "unknown" without git."""
    try:
        changed = _git("status", "--porcelain", "--", "src", "tests/soak")
        return _git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
