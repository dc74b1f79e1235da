"""Random supervision trees and what is done to them, on OTP's `supervisor` and on ours.

`scenario.py` says what a program is, `generator.py` makes them; `runner.py` with `actors.py` runs one on suptree, `erl/`
on the BEAM; `rules.py` says what the BEAM leaves open. `handmade.py` has the laws that are worth a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance import beam, plain
from tests.conformance.family import Trace
from tests.conformance.supervision import rules, scenario
from tests.conformance.supervision.generator import generate
from tests.conformance.supervision.runner import MODES
from tests.conformance.supervision.scenario import Scenario

__all__ = ["FAMILY", "Supervision"]


class Supervision:
    """The family of supervision trees."""

    name = "supervision"
    judge = "Erlang/OTP"
    what = (
        "Trees of depth 1 to 3 with all strategies, restart types, significant children and intensities of 0 to 5, whose "
        "children start, fail, are ignored and crash by script; their children crash, are started, terminated, restarted, "
        "deleted and counted, and supervisors are stopped and killed."
    )
    rules = rules.RULES
    modes = {name: suptree.run for name, suptree in MODES.items()}

    def missing(self) -> str | None:
        return beam.missing()

    def generate(self, seed: int) -> Scenario:
        return generate(seed)

    def smaller(self, program: Scenario) -> Iterator[Scenario]:
        return scenario.smaller(program)

    def describe(self, program: Scenario) -> str:
        steps = [f"  op {k}: {op}" for k, op in enumerate(program.ops, 1)]
        return "\n".join([f"  op 0: start {program.root}", *steps])

    def to_json(self, program: Scenario) -> str:
        return plain.to_json(program)

    def from_json(self, text: str) -> Scenario:
        value = scenario.PLAIN.from_json(text)
        if not isinstance(value, Scenario):
            raise ValueError(f"a program of this family is a Scenario; got {type(value).__name__}.")
        return value

    @contextmanager
    def open_judge(self) -> Iterator[Callable[[Scenario], Trace]]:
        with beam.Erlang(Path(__file__).parent / "erl", "suptree_trace") as erlang:
            yield lambda program: erlang.trace(plain.to_term(program))


FAMILY = Supervision()
