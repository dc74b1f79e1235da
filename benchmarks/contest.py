"""Rounds: every ask on every contestant before the next round begins, in an order that rotates.

The contestants are programs that stay for all rounds, except for asks that want a fresh one. They run one at a time: the
others wait for their next line.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.line import Failed, Line
from benchmarks.lineup import BEAM, ERLANG, OURS, Contestant
from benchmarks.protocol import Ask
from benchmarks.row import Row

Tell = Callable[[str], None]
Given = dict[tuple[str, Ask], dict[str, list[float]] | None]
"""What each has answered in this round: rows may differ in what suptree alone is told."""


@dataclass
class Outcome:
    """What came out.

    Attributes:
        samples: Row name -> contestant -> a number for each round, in the unit of the row.
        troubles: Workload, or "" for all -> contestant -> why there is no number.
        versions: Contestant -> what it said of itself.
    """

    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    troubles: dict[str, dict[str, str]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def trouble(self, where: str, contestant: Contestant, why: str) -> None:
        self.troubles.setdefault(where, {})[contestant.name] = without_places(why)


class Contest:
    """The contestants that are there, as running programs.  Use as ``with Contest(...) as contest:``.

    Args:
        contestants: Who is asked, if present.
        tell: Told of each sample, for a line that the next one replaces.
        say: Told of each round, for a line that stays.
    """

    def __init__(
        self, contestants: Sequence[Contestant], tell: Tell, say: Tell = lambda line: None
    ) -> None:
        self.say = say
        self.outcome = Outcome()
        self._contestants = list(contestants)
        self._tell = tell
        self._lines: dict[Contestant, Line] = {}
        self._cannot: set[tuple[str, str]] = set()
        self._folder = tempfile.TemporaryDirectory(prefix="suptree-bench-")
        self.ebin = Path(self._folder.name)

    def __enter__(self) -> Contest:
        for contestant in self._contestants:
            absent = contestant.absent()
            if absent is not None:
                self.outcome.trouble("", contestant, absent)
                continue
            if contestant.name == ERLANG:
                compile_erlang(self.ebin)
            try:
                self._lines[contestant] = line = Line(contestant, self.ebin)
                self.outcome.versions[contestant.name] = line.version
            except (Failed, OSError) as error:
                self.outcome.trouble("", contestant, str(error))
        return self

    def __exit__(self, *exception: object) -> None:
        for line in self._lines.values():
            line.close()
        self._folder.cleanup()

    def run(self, rows: Sequence[Row], rounds: int, scale: float = 1.0) -> None:
        """Take *rounds* samples of each row on each contestant, after a short one that is not counted."""
        asks = _by_ask(rows)
        self.say("warming up")
        for ask in asks:
            if not ask.fresh:
                self._everybody(ask, [], -1, 0.1 * scale, {})
        for round_ in range(rounds):
            self.say(f"round {round_ + 1} of {rounds}")
            given: Given = {}
            for ask, readers in asks.items():
                due = [row for row in readers if round_ < (row.rounds or rounds)]
                if due:
                    self._everybody(ask, due, round_, scale, given)

    def single(self, ask: Ask, name: str) -> dict[str, list[float]] | None:
        """One sample of one contestant, for the studies; None: it is not there or cannot."""
        for contestant, line in self._lines.items():
            if contestant.name == name:
                self._tell(f"{name}: {ask.line()}")
                return self._ask(contestant, line, ask)
        return None

    def _everybody(
        self, ask: Ask, readers: Sequence[Row], round_: int, scale: float, given: Given
    ) -> None:
        alone = bool(readers) and all(row.alone for row in readers)
        for contestant, line in _rotated(self._lines, round_):
            if self._is_out(contestant, ask) or (alone and contestant.name != OURS):
                continue
            own = _as_known_to(contestant, ask, scale)
            self._tell(
                f"{'warm up' if round_ < 0 else round_ + 1}  {contestant.name}: {own.line()}"
            )
            key = (contestant.name, own)
            try:
                if key not in given:
                    given[key] = self._ask(contestant, line, own)
            except Failed as error:
                self.outcome.trouble(ask.workload, contestant, str(error))
                continue
            self._note(contestant, ask, own, given[key], readers)

    def _note(
        self,
        contestant: Contestant,
        ask: Ask,
        own: Ask,
        metrics: dict[str, list[float]] | None,
        readers: Sequence[Row],
    ) -> None:
        if metrics is None:
            self._cannot.add((contestant.name, ask.workload))
            return
        for row in readers:
            number = replace(row, ask=own).read(metrics)
            samples = self.outcome.samples.setdefault(row.name, {})
            samples.setdefault(contestant.name, []).append(number)

    def _ask(self, contestant: Contestant, line: Line, ask: Ask) -> dict[str, list[float]] | None:
        if not ask.fresh:
            return line.ask(ask)
        fresh = Line(contestant, self.ebin)
        try:
            return fresh.ask(ask)
        finally:
            fresh.close()

    def _is_out(self, contestant: Contestant, ask: Ask) -> bool:
        """It cannot do this, or has failed at it before."""
        failed = self.outcome.troubles.get(ask.workload, {})
        return contestant.name in failed or (contestant.name, ask.workload) in self._cannot


def without_places(words: str) -> str:
    """What went wrong, shortened, without colours, addresses and paths: it stands in a document that others read."""
    words = re.sub(r"\x1b\[\d+m|(?<![\w.])/\S+|\b\w+=(\d+\.){3}\d+", "...", words)
    return words if len(words) <= 120 else words[:117] + "..."


def _by_ask(rows: Iterable[Row]) -> dict[Ask, list[Row]]:
    asks: dict[Ask, list[Row]] = {}
    for row in rows:
        asks.setdefault(row.ask, []).append(row)
    return asks


def _as_known_to(contestant: Contestant, ask: Ask, scale: float) -> Ask:
    """The ask in the words that the contestant knows, and in the amount that it can do."""
    options = tuple(option for option in ask.options if option in contestant.options)
    return replace(ask, n=max(1, round(ask.n * contestant.share * scale)), options=options)


def _rotated(lines: Mapping[Contestant, Line], by: int) -> list[tuple[Contestant, Line]]:
    items = list(lines.items())
    start = by % len(items) if items else 0
    return items[start:] + items[:start]


def compile_erlang(ebin: Path) -> None:
    """Compile the Erlang modules into *ebin*."""
    sources = [str(source) for source in sorted(BEAM.glob("*.erl"))]
    subprocess.run(["erlc", "-o", str(ebin), *sources], check=True)


def stay_on_one_core() -> None:
    """This process, and with it all that it starts, uses one core from now on, where the system lets it."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
