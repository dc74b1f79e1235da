"""Plain processes that link, monitor, signal, name and kill one another, on Erlang and on suptree.

`program.py` says what a program is, `fairness.py` what none may ask, `generator.py` makes them; `runner.py` with
`actor.py` runs one on suptree, `erl/` on the BEAM; `rules.py` says what the BEAM leaves open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance import beam, plain
from tests.conformance.family import Trace
from tests.conformance.signals import program as programs
from tests.conformance.signals import rules
from tests.conformance.signals.fairness import is_fair
from tests.conformance.signals.generator import generate
from tests.conformance.signals.program import Program
from tests.conformance.signals.runner import MODES

__all__ = ["FAMILY", "Signals"]


class Signals:
    """The family of links, monitors and exit signals."""

    name = "signals"
    judge = "Erlang/OTP"
    what = (
        "Two to eight plain processes that spawn, link, monitor, trap, name, signal and kill one another, end by returning, "
        "exiting and raising, and receive selectively, eagerly or held, so that the order of their mailboxes shows."
    )
    rules = rules.RULES
    modes = {name: suptree.run for name, suptree in MODES.items()}

    def missing(self) -> str | None:
        return beam.missing()

    def generate(self, seed: int) -> Program:
        return generate(seed)

    def smaller(self, program: Program) -> Iterator[Program]:
        return filter(is_fair, plain.smaller(program))

    def describe(self, program: Program) -> str:
        return programs.describe(program)

    def to_json(self, program: Program) -> str:
        return plain.to_json(program)

    def from_json(self, text: str) -> Program:
        value = programs.PLAIN.from_json(text)
        if not isinstance(value, Program):
            raise ValueError(f"a program of this family is a Program; got {type(value).__name__}.")
        return value

    @contextmanager
    def open_judge(self) -> Iterator[Callable[[Program], Trace]]:
        with beam.Erlang(Path(__file__).parent / "erl", "suptree_signals") as erlang:
            yield lambda program: erlang.trace(plain.to_term(program))


FAMILY = Signals()
