"""What the families that Elixir judges have in common; see tests/conformance/family.py for what a family is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

from tests.conformance.elixir import judge
from tests.conformance.elixir.judge import Elixir
from tests.conformance.family import Rule, Trace
from tests.conformance.plain import Plain, smaller, to_json, to_term

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class ElixirFamily(Generic[P]):
    """A family whose programs are dataclasses, and whose judge is a module in `ex/`.

    Attributes:
        name: Also what `ex/main.ex` knows it by.
        what: One sentence: what its programs do.
        rules: What is not compared as it stands.
        modes: How suptree runs a program, by name.
        generate: The program of a seed.
        plain: The dataclasses that its programs are made of.
    """

    name: str
    what: str
    rules: tuple[Rule, ...]
    modes: Mapping[str, Callable[[P], Trace]]
    generate: Callable[[int], P]
    plain: Plain
    judge: str = "Elixir"

    def missing(self) -> str | None:
        """Say which tool is not installed and how to get it; None when all is there."""
        return judge.missing()

    def smaller(self, program: P) -> Iterator[P]:
        """Yield *program* with one thing less."""
        return smaller(program)

    def describe(self, program: P) -> str:
        """The program for people, a step a line."""
        return describe(program)

    def to_json(self, program: P) -> str:
        """One line that `from_json` reads back."""
        return to_json(program)

    def from_json(self, text: str) -> P:
        """Read what `to_json` wrote."""
        program: P = self.plain.from_json(text)
        return program

    @contextmanager
    def open_judge(self) -> Iterator[Callable[[P], Trace]]:
        """Start Elixir; it gives the trace of one program after another."""
        with Elixir() as elixir:
            yield self.judged_by(elixir)

    def judged_by(self, elixir: Elixir) -> Callable[[P], Trace]:
        """The judge of this family, in a process that serves all of them."""
        return lambda program: elixir.run(self.name, to_term(program))


def describe(value: Any) -> str:
    """The fields of a program for people, a step a line."""
    lines: list[str] = []
    for f in fields(value):
        field = getattr(value, f.name)
        if isinstance(field, tuple):
            lines += [f"  {k}. {item}" for k, item in enumerate(field, 1)]
        else:
            lines.append(f"  {f.name}: {field}")
    return "\n".join(lines)
