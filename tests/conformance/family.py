"""What a family of random programs is, and how two traces of one program are compared.

A *family* is one kind of program (supervision trees, servers, links and signals, ...): it makes programs from seeds,
has a judge that runs them (Erlang or Elixir) and one or more ways in which suptree runs them, and says what is not
compared as it stands. All families are compared, counted and shrunk by this file, which knows none of them.

A *trace* is a list of lines, written as it happened. A `Rule` gives one fixed form, on both sides, to what the judge
leaves open, mostly an order, or to what suptree does otherwise on purpose, and says why it may; everything else is
compared line by line.

>>> upper = Rule("case", "the judge shouts when it likes", lambda lines: [line.lower() for line in lines])
>>> Normaliser((upper,)).apply(["A", "b"])
['a', 'b']
"""

from __future__ import annotations

import difflib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

P = TypeVar("P")

MAX_TRIES = 400
"""Runs that `shrink` may spend; a run is about a millisecond on either side."""

PATIENCE = 30.0
"""Seconds that it may spend: a program that hangs takes seconds each time, and its divergence is to be told."""

Trace = list[str]


@dataclass(frozen=True, slots=True)
class Rule:
    """One normalisation.

    Attributes:
        name: A few words, for the table of what was touched.
        reason: Why this is open, or otherwise here: the sentence that the documents print.
        apply: Gives a whole trace back in the fixed form; must not change one that is in it already.
        own: It is no freedom of the judge's but a difference of suptree's, which has its row in the semantics.
        drops: It leaves lines out, where others only put them in order.
    """

    name: str
    reason: str
    apply: Callable[[Trace], Trace]
    own: bool = False
    drops: bool = False


BOTH = Rule(
    "the judge gives both",
    "asked again, the judge gave suptree's trace of the same program too: it is the moment at which it takes a process "
    "off its scheduler that decides, and no order was promised",
    lambda trace: trace,
)
"""What no form can be given to: counted by `find_divergence` for every family."""

ASKED_AGAIN = 30
"""How often the judge is asked for a trace like suptree's, before a difference is one."""


@dataclass
class Normaliser:
    """Applies rules in their order, and counts what it is given and the traces that each rule changed."""

    rules: tuple[Rule, ...]
    touched: Counter[str] = field(default_factory=Counter[str])
    lines: int = 0

    def apply(self, trace: Trace) -> Trace:
        """Return *trace* with every rule applied, without counting."""
        for rule in self.rules:
            trace = rule.apply(trace)
        return trace

    def count(self, trace: Trace) -> Trace:
        """As `apply`, and note which rules changed something."""
        self.lines += len(trace)
        for rule in self.rules:
            before, trace = trace, rule.apply(list(trace))
            if trace != before:
                self.touched[rule.name] += 1
        return trace


class Family(Protocol[P]):
    """One kind of random programs. A module holds each; `families.HOMES` lists these.

    Attributes:
        name: What `--family` takes.
        judge: Who judges, for people: `Erlang/OTP` or `Elixir`.
        what: One sentence: what its programs do, for the documents.
        rules: What is not compared as it stands.
        modes: How suptree runs a program, by name; each returns the trace.
    """

    name: str
    judge: str
    what: str
    rules: tuple[Rule, ...]
    modes: Mapping[str, Callable[[P], Trace]]

    def missing(self) -> str | None:
        """Say which tool is not installed and how to get it; None when all is there."""
        ...

    def generate(self, seed: int) -> P:
        """The program of a seed: the same one for ever."""
        ...

    def smaller(self, program: P) -> Iterator[P]:
        """Yield *program* with one thing less, what is most likely superfluous first."""
        ...

    def describe(self, program: P) -> str:
        """The program for people, a step a line."""
        ...

    def to_json(self, program: P) -> str: ...
    def from_json(self, text: str) -> P: ...

    def open_judge(self) -> AbstractContextManager[Callable[[P], Trace]]:
        """Start the judge; it gives the trace of one program after another."""
        ...


@dataclass(frozen=True, slots=True)
class Divergence(Generic[P]):
    """A program, as small as we could make it, on which the two differ. `str()` is the report."""

    family: Family[P]
    program: P
    mode: str
    difference: str

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.family.name} ({self.mode}) diverges. Made as small as possible:",
                self.family.describe(self.program),
                self.difference,
                f"again: python -m tests.conformance --family {self.family.name} "
                f"--program '{self.family.to_json(self.program)}'",
            ]
        )


def difference(judged: Trace, ours: Trace) -> str:
    """The unified diff of two normalised traces, up to the first segment that differs; empty if none.

    A segment begins with a line `op ...`. What comes after the first difference is mostly its consequence.
    """
    if judged == ours:
        return ""
    first = next(
        (i for i, (a, b) in enumerate(zip(judged, ours, strict=False)) if a != b),
        min(len(judged), len(ours)),
    )
    judged, ours = _to_end_of_segment(judged, first), _to_end_of_segment(ours, first)
    return "\n".join(difflib.unified_diff(judged, ours, "judge", "suptree", lineterm="", n=6))


def find_divergence(
    family: Family[P],
    program: P,
    judge: Callable[[P], Trace],
    *,
    modes: Iterable[str] | None = None,
    normaliser: Normaliser | None = None,
    ours: Normaliser | None = None,
) -> Divergence[P] | None:
    """Run *program* on the judge and in each mode of suptree; make the first difference small.

    Args:
        family: Whose program it is.
        program: What to run.
        judge: What `open_judge` gave.
        modes: Which modes; all by default.
        normaliser: Counts what the rules touched of the judge's traces.
        ours: Counts what they touched of suptree's.

    Returns:
        The divergence, or None when all agree, or when the judge gives both traces.
    """
    normaliser = normaliser or Normaliser(family.rules)
    ours = ours or Normaliser(family.rules)
    quiet = Normaliser(family.rules)
    expected = normaliser.count(judge(program))
    for mode in family.modes if modes is None else modes:
        run = family.modes[mode]
        got = ours.count(run(program))
        first = difference(expected, got)
        if first and any(quiet.apply(judge(program)) == got for _ in range(ASKED_AGAIN)):
            normaliser.touched[BOTH.name] += 1
            ours.touched[BOTH.name] += 1
        elif first:

            def differs(smaller: P, run: Callable[[P], Trace] = run) -> str:
                return difference(quiet.apply(judge(smaller)), quiet.apply(run(smaller)))

            small = shrink(family, program, lambda smaller: bool(differs(smaller)))
            again = differs(small)
            if again:
                return Divergence(family, small, mode, again)
            # It counts all the same, and the only evidence there is must not be lost.
            return Divergence(family, program, mode, f"{first}\n(not seen again: a race)")
    return None


def shrink(
    family: Family[P], program: P, diverges: Callable[[P], bool], patience: float = PATIENCE
) -> P:
    """Take things away, one by one, as long as the rest still *diverges* and the *patience* lasts."""
    tries = 0
    again = True
    end = time.monotonic() + patience
    while again:
        again = False
        for smaller in family.smaller(program):
            tries += 1
            if tries > MAX_TRIES or time.monotonic() >= end:
                return program
            if diverges(smaller):
                program, again = smaller, True
                break
    return program


def _to_end_of_segment(lines: Trace, first: int) -> Trace:
    end = next((i for i in range(first + 1, len(lines)) if lines[i].startswith("op ")), len(lines))
    return lines[:end]
